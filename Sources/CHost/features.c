// Softmax rows and Hedgehog's features; equations in kernels/softmax.cl and hedgehog.cl.
#include "CHost.h"

#include <math.h>

#include "clones.h"
#include "vector_math.h"

// Sixteen interleaved chains, added up at the end: vectors for the compiler, one order for everybody.
#define LANES 16
#define FLOOR 1e-12f

static inline float lane_sum(const float *chains) {
  float sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += chains[lane];
  return sum;
}

static inline float dot(const float *a, const float *b, long count) {
  float chains[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) chains[lane] += a[i + lane] * b[i + lane];
  float sum = lane_sum(chains);
  for (; i < count; i++) sum += a[i] * b[i];
  return sum;
}

static inline float sum_of(const float *x, long count) {
  float chains[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) chains[lane] += x[i + lane];
  float sum = lane_sum(chains);
  for (; i < count; i++) sum += x[i];
  return sum;
}

static inline float largest_of(const float *x, float sign, long count) {
  float largest = -INFINITY;
  for (long i = 0; i < count; i++) largest = sign * x[i] > largest ? sign * x[i] : largest;
  return largest;
}

VARIANTS void nibble_softmax_forward(const float *x, float *y, long rows, long dim) {
  for (long row = 0; row < rows; row++) {
    const float *restrict from = x + row * dim;
    float *restrict to = y + row * dim;
    const float maximum = largest_of(from, 1, dim);
    for (long i = 0; i < dim; i++) to[i] = exp_value(from[i] - maximum);
    const float scale = 1.0f / sum_of(to, dim);
    for (long i = 0; i < dim; i++) to[i] *= scale;
  }
}

VARIANTS void nibble_softmax_backward(const float *y, const float *dy, float *dx, long rows, long dim) {
  for (long row = 0; row < rows; row++) {
    const float *restrict p = y + row * dim, *restrict d = dy + row * dim;
    float *restrict to = dx + row * dim;
    const float along = dot(p, d, dim);
    for (long i = 0; i < dim; i++) to[i] = p[i] * (d[i] - along);
  }
}

VARIANTS void nibble_hedgehog_forward(const float *y, float *z, nibble_hedgehog kind, long rows, long dim) {
  const float steepness = kind == NIBBLE_SOFTMAX_JOINT ? 2.0f : 1.0f;
  for (long row = 0; row < rows; row++) {
    const float *restrict from = y + row * dim;
    float *restrict up = z + row * 2 * dim, *restrict down = up + dim;
    float top = 0, bottom = 0;
    if (kind != NIBBLE_EXP_PLAIN) {
      top = largest_of(from, 1, dim);
      bottom = largest_of(from, -1, dim);
      if (kind == NIBBLE_SOFTMAX_JOINT) top = bottom = steepness * fmaxf(top, bottom);
    }
    for (long i = 0; i < dim; i++) up[i] = exp_value(steepness * from[i] - top);
    for (long i = 0; i < dim; i++) down[i] = exp_value(-steepness * from[i] - bottom);
    if (kind == NIBBLE_EXP_PLAIN || kind == NIBBLE_EXP_SHIFTED) continue;
    float sum = sum_of(up, dim), negative = sum_of(down, dim);
    if (kind == NIBBLE_SOFTMAX_JOINT) sum = negative = sum + negative;
    const float least = kind == NIBBLE_SOFTMAX_HALVES ? FLOOR : 0.0f;
    for (long i = 0; i < dim; i++) up[i] = fmaxf(up[i] / sum, least);
    for (long i = 0; i < dim; i++) down[i] = fmaxf(down[i] / negative, least);
  }
}

// Products of features and cotangents; none where a feature is held. Returns their sum.
static inline float flow(const float *restrict z, const float *restrict dz, float *restrict products,
                         nibble_hedgehog kind, long count) {
  const float least = kind == NIBBLE_SOFTMAX_HALVES ? FLOOR : -1.0f;
  for (long i = 0; i < count; i++) products[i] = z[i] <= least ? 0.0f : z[i] * dz[i];
  return sum_of(products, count);
}

// value[i] += change / n for the n places where x is `extreme`.
static void share(const float *x, float extreme, float change, float *value, long count) {
  long places = 0;
  for (long i = 0; i < count; i++) places += x[i] == extreme;
  for (long i = 0; i < count; i++)
    if (x[i] == extreme) value[i] += change / (float)places;
}

VARIANTS void nibble_hedgehog_backward(const float *y, const float *z, const float *dz, float *dy, float *scratch,
                                       nibble_hedgehog kind, long rows, long dim) {
  const float steepness = kind == NIBBLE_SOFTMAX_JOINT ? 2.0f : 1.0f;
  const int is_softmax = kind == NIBBLE_SOFTMAX_HALVES || kind == NIBBLE_SOFTMAX_JOINT;
  for (long row = 0; row < rows; row++) {
    const float *restrict up = z + row * 2 * dim, *restrict down = up + dim, *cotangents = dz + row * 2 * dim;
    float *restrict to = dy + row * dim;
    float along = flow(up, cotangents, to, kind, dim);
    float negative = flow(down, cotangents + dim, scratch, kind, dim);
    if (kind == NIBBLE_SOFTMAX_JOINT) along = negative = along + negative;
    for (long i = 0; i < dim; i++) to[i] -= scratch[i];
    if (is_softmax)
      for (long i = 0; i < dim; i++) to[i] += negative * down[i] - along * up[i];
    if (kind == NIBBLE_EXP_SHIFTED) {
      const float *from = y + row * dim;
      share(from, largest_of(from, 1, dim), -along, to, dim);
      share(from, -largest_of(from, -1, dim), negative, to, dim);
    }
    for (long i = 0; i < dim; i++) to[i] *= steepness;
  }
}
