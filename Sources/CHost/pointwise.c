// The interpreter of elementwise programs: one instruction at a time over a block of floats that stays in the
// first-level cache, its loops written so that the compiler turns them into vectors.
#include "CHost.h"

#include <math.h>

#include "clones.h"
#include "vector_math.h"

// A result may be one of its operands: element i is read before it is written, and no other element is.
#define PLAIN_LOOP(EXPRESSION) \
  for (long i = 0; i < count; i++) y[i] = (EXPRESSION)
#define LOOP(EXPRESSION) _Pragma("clang loop vectorize(assume_safety)") PLAIN_LOOP(EXPRESSION)

// sqrtf sets errno, which keeps a loop from becoming vectors.
static inline float square_root(float x) {
#if __has_builtin(__builtin_elementwise_sqrt)
  return __builtin_elementwise_sqrt(x);
#else
  return sqrtf(x);
#endif
}

// Takes both values: a choice of addresses would become a gather.
static inline float chosen(float condition, float yes, float no) { return condition != 0.0f ? yes : no; }

VARIANTS void nibble_pointwise_run(const nibble_instruction *instructions, long length, float *const *registers,
                                   long count) {
  for (long index = 0; index < length; index++) {
    const nibble_instruction step = instructions[index];
    float *y = registers[step.target];
    const float *a = registers[step.a], *b = registers[step.b], *c = registers[step.c];
    switch (step.function) {
      case NIBBLE_NEGATE: LOOP(-a[i]); break;
      case NIBBLE_EXP: LOOP(exp_value(a[i])); break;
      case NIBBLE_LOG: PLAIN_LOOP(logf(a[i])); break;
      case NIBBLE_LOG1P: PLAIN_LOOP(log1pf(a[i])); break;
      case NIBBLE_TANH: LOOP(tanh_value(a[i])); break;
      case NIBBLE_ERF: PLAIN_LOOP(erff(a[i])); break;
      case NIBBLE_SQRT: LOOP(square_root(a[i])); break;
      case NIBBLE_ABS: LOOP(fabsf(a[i])); break;
      case NIBBLE_ADD: LOOP(a[i] + b[i]); break;
      case NIBBLE_SUBTRACT: LOOP(a[i] - b[i]); break;
      case NIBBLE_MULTIPLY: LOOP(a[i] * b[i]); break;
      case NIBBLE_DIVIDE: LOOP(a[i] / b[i]); break;
      case NIBBLE_MAXIMUM: LOOP(chosen(a[i] < b[i], b[i], a[i])); break;
      case NIBBLE_MINIMUM: LOOP(chosen(b[i] < a[i], b[i], a[i])); break;
      case NIBBLE_LESS: LOOP(a[i] < b[i] ? 1.0f : 0.0f); break;
      case NIBBLE_SELECT: LOOP(chosen(a[i], b[i], c[i])); break;
      case NIBBLE_COPY: LOOP(a[i]); break;
    }
  }
}
