// Rounding to multiples of given scales: rows of kernels/uniform.cl.
#include <math.h>

#include "CHost.h"
#include "clones.h"

#pragma STDC FP_CONTRACT OFF

static inline float held(float x, float low, float high) {
  const float above = low > x ? low : x;
  return high < above ? high : above;
}

// Whole numbers: adding 1.5 x 2^23 leaves no room for a fraction.
static inline float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

VARIANTS void nibble_uniform_values(const float *x, float *y, long count, float scale,
                                    const nibble_uniform_grid *grid) {
  const float encode = 1 / scale, low = grid->smallest, high = grid->largest, offset = grid->offset;
  for (long i = 0; i < count; i++) y[i] = (nearest(held(x[i] * encode - offset, low, high)) + offset) * scale;
}

VARIANTS void nibble_uniform_codes(const float *x, float *y, long count, float scale,
                                   const nibble_uniform_grid *grid) {
  const float encode = 1 / scale, low = grid->smallest, high = grid->largest, offset = grid->offset;
  for (long i = 0; i < count; i++) y[i] = nearest(held(x[i] * encode - offset, low, high));
}

VARIANTS void nibble_uniform_near(const float *x, float *y, long count, float scale, const nibble_uniform_grid *grid,
                                  float radius) {
  const float encode = 1 / scale, low = grid->smallest, high = grid->largest, offset = grid->offset;
  for (long i = 0; i < count; i++) {
    const float at = x[i] * encode - offset, below = floorf(at);
    y[i] = below >= low && below < high && fabsf((at - below) - 0.5f) <= radius ? 1 : 0;
  }
}

VARIANTS float nibble_uniform_gradient(const float *x, const float *dy, float *dx, long count, float scale,
                                       const nibble_uniform_grid *grid) {
  const float encode = 1 / scale, low = grid->smallest, high = grid->largest;
  float chains[16] = {0};
  for (long start = 0; start < count; start += 16) {
    const long width = count - start < 16 ? count - start : 16;
    for (long lane = 0; lane < width; lane++) {
      const float at = x[start + lane] * encode, within = held(at, low, high), slope = dy[start + lane];
      // Where the number is beyond the grid, y is the end's code times the scale.
      chains[lane] += slope * (nearest(within) - (within == at ? at : 0));
      dx[start + lane] = within == at ? slope : 0;
    }
  }
  float sum = 0;
  for (int lane = 0; lane < 16; lane++) sum += chains[lane];
  return sum;
}

VARIANTS float nibble_sum_of_magnitudes(const float *x, long count) {
  float chains[16] = {0};
  long i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; lane++) chains[lane] += fabsf(x[i + lane]);
  float sum = 0;
  for (; i < count; i++) sum += fabsf(x[i]);
  for (int lane = 0; lane < 16; lane++) sum += chains[lane];
  return sum;
}
