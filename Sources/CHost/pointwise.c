// Elementwise functions over blocks of floats, written so that the compiler turns the loops into vectors.
#include "CHost.h"

#include <math.h>
#include <string.h>

#include "clones.h"

// exp with a relative error below 2e-7: range reduction by 1.5 * 2^23 rounding, a polynomial of degree 6, the
// exponent added as an integer. Saturates to 0 and infinity outside +-88; NaN stays NaN.
static inline float exp_value(float x) {
  const float clamped = fminf(fmaxf(x, -87.33f), 88.72f);
  const float shifted = clamped * 1.44269504088896341f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = fmaf(n, -1.42860682030941723e-6f, fmaf(n, -0.693145751953125f, clamped));
  float p = 1.3981999e-3f;
  p = fmaf(p, r, 8.3333453e-3f);
  p = fmaf(p, r, 4.1666455e-2f);
  p = fmaf(p, r, 1.6666666e-1f);
  p = fmaf(p, r, 5.0e-1f);
  p = fmaf(p, r, 1.0f);
  p = fmaf(p, r, 1.0f);
  // Two factors: 2^n alone would overflow for n = 128.
  const int32_t half = (int32_t)n / 2, rest = (int32_t)n - half;
  const int32_t bits1 = (half + 127) << 23, bits2 = (rest + 127) << 23;
  float scale1, scale2;
  memcpy(&scale1, &bits1, 4);
  memcpy(&scale2, &bits2, 4);
  const float y = p * scale1 * scale2;
  return x != x ? x : x < -87.33f ? 0.0f : x > 88.72f ? INFINITY : y;
}

// tanh through exp; a short odd series near 0, where 1 - exp cancels.
static inline float tanh_value(float x) {
  const float a = fabsf(x);
  const float e = exp_value(-2.0f * a);
  const float large = (1.0f - e) / (1.0f + e);
  const float s = x * x;
  const float series =
      a * fmaf(s, fmaf(s, fmaf(s, fmaf(s, 2.1869488e-2f, -5.3968254e-2f), 1.3333333e-1f), -3.3333333e-1f), 1.0f);
  return copysignf(a < 0.3f ? series : large, x);
}

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
