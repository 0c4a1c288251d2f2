// RMSNorm with a gate and rows scaled to unit length; equations in kernels/gated_rms_norm.cl and l2_normalize.cl.
#include "CHost.h"

#include <math.h>
#include <string.h>

#include "clones.h"
#include "vector_math.h"

// Sixteen interleaved chains, added up at the end: vectors for the compiler, one order for everybody.
#define LANES 16

static inline float dot(const float *a, const float *b, long count) {
  float chains[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) chains[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += chains[lane];
  for (; i < count; i++) sum += a[i] * b[i];
  return sum;
}

VARIANTS void nibble_l2_forward(const float *x, float *y, float *factor, int clamped, float epsilon, long rows,
                                long dim) {
  for (long row = 0; row < rows; row++) {
    const float *restrict from = x + row * dim;
    float *restrict to = y + row * dim;
    const float sum = dot(from, from, dim);
    const float r = 1.0f / (clamped ? fmaxf(sqrtf(sum), epsilon) : sqrtf(sum + epsilon));
    for (long i = 0; i < dim; i++) to[i] = r * from[i];
    factor[row] = r;
  }
}

VARIANTS void nibble_l2_backward(const float *y, const float *factor, const float *dy, float *dx, int clamped,
                                 float epsilon, long rows, long dim) {
  for (long row = 0; row < rows; row++) {
    const float *restrict unit = y + row * dim, *restrict d = dy + row * dim;
    float *restrict to = dx + row * dim;
    const float r = factor[row];
    const float along = clamped && r >= 1.0f / epsilon ? 0.0f : dot(unit, d, dim);
    for (long i = 0; i < dim; i++) to[i] = r * (d[i] - along * unit[i]);
  }
}

// a and a' of a gate.
static inline float gated(float gate, float s, int silu) { return silu ? gate * s : s; }
static inline float slope(float gate, float s, int silu) {
  return silu ? s * (1.0f + gate * (1.0f - s)) : s * (1.0f - s);
}
static inline float sigmoid(float x) { return 1.0f / (1.0f + exp_value(-x)); }

VARIANTS void nibble_gated_norm_forward(const float *x, const float *gate, const float *weight, float *y, float *rstd,
                                        int gate_first, int silu, float epsilon, long rows, long dim) {
  for (long row = 0; row < rows; row++) {
    const float *restrict from = x + row * dim, *restrict g = gate + row * dim;
    float *restrict to = y + row * dim;
    for (long i = 0; i < dim; i++) to[i] = from[i] * gated(g[i], sigmoid(g[i]), silu);
    const float *z = gate_first ? to : from;
    const float r = 1.0f / sqrtf(dot(z, z, dim) / (float)dim + epsilon);
    for (long i = 0; i < dim; i++) to[i] *= r * weight[i];
    rstd[row] = r;
  }
}

VARIANTS void nibble_gated_norm_backward(const float *x, const float *gate, const float *weight, const float *rstd,
                                         const float *dy, float *dx, float *dgate, float *dweight, int gate_first,
                                         int silu, long rows, long dim) {
  memset(dweight, 0, (size_t)dim * sizeof(float));
  for (long row = 0; row < rows; row++) {
    const float *restrict from = x + row * dim, *restrict g = gate + row * dim, *restrict d = dy + row * dim;
    float *restrict to = dx + row * dim, *restrict tog = dgate + row * dim;
    const float r = rstd[row];
    for (long i = 0; i < dim; i++) {
      const float s = sigmoid(g[i]), a = gated(g[i], s, silu), h = from[i] * r;
      dweight[i] += d[i] * h * a;
      to[i] = gate_first ? a : d[i] * weight[i] * a;
      tog[i] = (gate_first ? from[i] : d[i] * weight[i] * h) * slope(g[i], s, silu);
    }
    if (gate_first) {
      float chains[LANES] = {0};
      for (long i = 0; i < dim; i++) chains[i % LANES] += d[i] * weight[i] * from[i] * r * to[i];
      float along = 0;
      for (int lane = 0; lane < LANES; lane++) along += chains[lane];
      along /= (float)dim;
      for (long i = 0; i < dim; i++) {
        const float a = to[i], dz = r * (d[i] * weight[i] - from[i] * a * (r * along));
        to[i] = dz * a;
        tog[i] *= dz;
      }
    } else {
      const float along = dot(to, from, dim) * r / (float)dim;
      for (long i = 0; i < dim; i++) to[i] = r * (to[i] - from[i] * (r * along));
    }
  }
}
