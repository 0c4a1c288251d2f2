// Elementwise functions over blocks of floats, written so that the compiler turns the loops into vectors.
#include "CHost.h"

#include <math.h>

#include "clones.h"
#include "vector_math.h"

#define LOOP(EXPRESSION) \
  for (long i = 0; i < count; i++) y[i] = (EXPRESSION)

VARIANTS static void exp_loop(float *y, const float *x, long count) { LOOP(exp_value(x[i])); }
VARIANTS static void tanh_loop(float *y, const float *x, long count) { LOOP(tanh_value(x[i])); }
VARIANTS static void negate_loop(float *y, const float *x, long count) { LOOP(-x[i]); }
VARIANTS static void sqrt_loop(float *y, const float *x, long count) { LOOP(sqrtf(x[i])); }
VARIANTS static void abs_loop(float *y, const float *x, long count) { LOOP(fabsf(x[i])); }
static void log_loop(float *y, const float *x, long count) { LOOP(logf(x[i])); }
static void erf_loop(float *y, const float *x, long count) { LOOP(erff(x[i])); }

void nibble_vector_unary(nibble_unary function, float *y, const float *x, long count) {
  switch (function) {
    case NIBBLE_NEGATE: negate_loop(y, x, count); return;
    case NIBBLE_EXP: exp_loop(y, x, count); return;
    case NIBBLE_LOG: log_loop(y, x, count); return;
    case NIBBLE_TANH: tanh_loop(y, x, count); return;
    case NIBBLE_ERF: erf_loop(y, x, count); return;
    case NIBBLE_SQRT: sqrt_loop(y, x, count); return;
    case NIBBLE_ABS: abs_loop(y, x, count); return;
  }
}

VARIANTS static void add_loop(float *y, const float *a, const float *b, long count) { LOOP(a[i] + b[i]); }
VARIANTS static void subtract_loop(float *y, const float *a, const float *b, long count) { LOOP(a[i] - b[i]); }
VARIANTS static void multiply_loop(float *y, const float *a, const float *b, long count) { LOOP(a[i] * b[i]); }
VARIANTS static void divide_loop(float *y, const float *a, const float *b, long count) { LOOP(a[i] / b[i]); }
VARIANTS static void maximum_loop(float *y, const float *a, const float *b, long count) {
  LOOP(a[i] < b[i] ? b[i] : a[i]);
}
VARIANTS static void minimum_loop(float *y, const float *a, const float *b, long count) {
  LOOP(b[i] < a[i] ? b[i] : a[i]);
}
VARIANTS static void less_loop(float *y, const float *a, const float *b, long count) {
  LOOP(a[i] < b[i] ? 1.0f : 0.0f);
}

void nibble_vector_binary(nibble_binary function, float *y, const float *a, const float *b, long count) {
  switch (function) {
    case NIBBLE_ADD: add_loop(y, a, b, count); return;
    case NIBBLE_SUBTRACT: subtract_loop(y, a, b, count); return;
    case NIBBLE_MULTIPLY: multiply_loop(y, a, b, count); return;
    case NIBBLE_DIVIDE: divide_loop(y, a, b, count); return;
    case NIBBLE_MAXIMUM: maximum_loop(y, a, b, count); return;
    case NIBBLE_MINIMUM: minimum_loop(y, a, b, count); return;
    case NIBBLE_LESS: less_loop(y, a, b, count); return;
  }
}

VARIANTS void nibble_vector_select(float *y, const float *condition, const float *a, const float *b, long count) {
  LOOP(condition[i] != 0.0f ? a[i] : b[i]);
}
