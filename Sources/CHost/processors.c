// Processors of this machine.
#define _GNU_SOURCE
#include "CHost.h"

#include <sched.h>
#include <unistd.h>

long nibble_usable_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return sysconf(_SC_NPROCESSORS_ONLN);
}
