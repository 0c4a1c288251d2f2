// The processor's best rate of multiply-adds. Which width is faster depends on the processor: the caller tries both.
#include <string.h>

#include "CHost.h"
#include "clones.h"

typedef float float8 __attribute__((vector_size(32)));
typedef float float16 __attribute__((vector_size(64)));

#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define START(i) vector x##i = zero + (start + 0.0625f * i);
#define STEP(i) x##i = x##i * factor + addend;
#define COLLECT(i) sum += x##i;
#define CHAINS(VECTOR)                                        \
  typedef VECTOR vector;                                      \
  const vector zero = {0};                                    \
  EACH_CHAIN(START)                                           \
  for (long round = 0; round < rounds; round++) { EACH_CHAIN(STEP) } \
  vector sum = zero;                                          \
  EACH_CHAIN(COLLECT)                                         \
  memcpy(y, &sum, sizeof sum)

VARIANTS void nibble_fma_chains_8(float *y, long rounds, float start, float factor, float addend) {
  CHAINS(float8);
}

VARIANTS void nibble_fma_chains_16(float *y, long rounds, float start, float factor, float addend) {
  CHAINS(float16);
}
