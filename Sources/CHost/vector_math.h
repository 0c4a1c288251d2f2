// Functions of one float that compilers turn into vector instructions inside loops.
#ifndef NIBBLE_VECTOR_MATH_H
#define NIBBLE_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

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

#endif
