// RMSNorm and LayerNorm over rows, and their gradients; equations in kernels/norm.cl.
#include "CHost.h"

#include <math.h>
#include <string.h>

#include "clones.h"

// Sixteen interleaved chains, added up at the end: vectors for the compiler, one order for everybody.
#define LANES 16

static inline float lane_sum(const float *chains) {
  float sum = 0;
  for (int lane = 0; lane < LANES; lane++) sum += chains[lane];
  return sum;
}

static inline float row_sum(const float *x, long count) {
  float chains[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) chains[lane] += x[i + lane];
  float sum = lane_sum(chains);
  for (; i < count; i++) sum += x[i];
  return sum;
}

static inline float row_squares(const float *x, float center, long count) {
  float chains[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) {
      const float d = x[i + lane] - center;
      chains[lane] += d * d;
    }
  float sum = lane_sum(chains);
  for (; i < count; i++) sum += (x[i] - center) * (x[i] - center);
  return sum;
}

VARIANTS void nibble_norm_forward(const float *x, const float *residual, const float *gain, const float *bias, float *y,
                                  float *sum, float *mean, float *rstd, float epsilon, long rows, long dim) {
  for (long row = 0; row < rows; row++) {
    // z is read through total, too, where there is a residual: neither is restrict.
    const float *z = x + row * dim;
    float *restrict target = y + row * dim;
    if (residual && sum) {
      const float *restrict addend = residual + row * dim;
      float *total = sum + row * dim;
      for (long i = 0; i < dim; i++) total[i] = z[i] + addend[i];
      z = total;
    }
    const float center = mean ? row_sum(z, dim) / (float)dim : 0.0f;
    const float r = 1.0f / sqrtf(row_squares(z, center, dim) / (float)dim + epsilon);
    if (bias)
      for (long i = 0; i < dim; i++) target[i] = (z[i] - center) * r * gain[i] + bias[i];
    else
      for (long i = 0; i < dim; i++) target[i] = (z[i] - center) * r * gain[i];
    rstd[row] = r;
    if (mean) mean[row] = center;
  }
}

// The sums of g and of g h over a row.
static inline void row_products(const float *x, const float *dy, const float *gain, float center, float r, long count,
                                float *total, float *dot) {
  float totals[LANES] = {0}, dots[LANES] = {0};
  long i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int lane = 0; lane < LANES; lane++) {
      const float g = dy[i + lane] * gain[i + lane];
      totals[lane] += g;
      dots[lane] += g * ((x[i + lane] - center) * r);
    }
  *total = lane_sum(totals);
  *dot = lane_sum(dots);
  for (; i < count; i++) {
    const float g = dy[i] * gain[i];
    *total += g;
    *dot += g * ((x[i] - center) * r);
  }
}

VARIANTS void nibble_norm_backward(const float *x, const float *mean, const float *rstd, const float *dy,
                                   const float *gain, const float *dsum, const float *dmean, const float *drstd,
                                   float *dx, float *dweight, float *dbias, long rows, long dim) {
  if (dweight) memset(dweight, 0, (size_t)dim * sizeof(float));
  if (dbias) memset(dbias, 0, (size_t)dim * sizeof(float));
  for (long row = 0; row < rows; row++) {
    const float *restrict z = x + row * dim;
    const float *restrict d = dy + row * dim;
    float *restrict target = dx + row * dim;
    const float center = mean ? mean[row] : 0.0f, r = rstd[row];
    float total, dot;
    row_products(z, d, gain, center, r, dim, &total, &dot);
    if (dweight)
      for (long i = 0; i < dim; i++) dweight[i] += d[i] * ((z[i] - center) * r);
    if (dbias)
      for (long i = 0; i < dim; i++) dbias[i] += d[i];
    const float along = (dot + (drstd ? drstd[row] * r : 0.0f)) / (float)dim;
    const float shift = mean ? (r * total - (dmean ? dmean[row] : 0.0f)) / (float)dim : 0.0f;
    if (dsum) {
      const float *restrict other = dsum + row * dim;
      for (long i = 0; i < dim; i++)
        target[i] = r * (d[i] * gain[i] - (z[i] - center) * r * along) - shift + other[i];
    } else {
      for (long i = 0; i < dim; i++) target[i] = r * (d[i] * gain[i] - (z[i] - center) * r * along) - shift;
    }
  }
}
