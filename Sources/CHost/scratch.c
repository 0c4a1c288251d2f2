// Working memory of a thread: fresh memory in every call would be cleared page by page by the system.
#include "scratch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local float *memory;
static _Thread_local long capacity;

static void make_key(void) { pthread_key_create(&key, free); }

float *nibble_scratch(long count) {
  if (count <= capacity) return memory;
  pthread_once(&once, make_key);
  free(memory);
  capacity = (count + 1023) / 1024 * 1024;
  memory = aligned_alloc(64, (size_t)capacity * sizeof(float));
  if (!memory) {
    fprintf(stderr, "nibble: out of memory: %ld bytes of working memory for a thread\n", capacity * 4);
    abort();
  }
  pthread_setspecific(key, memory);
  return memory;
}
