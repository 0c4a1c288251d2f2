// The row pass of cross-entropy: softmax statistics and the gradient of the logits.
#include "CHost.h"

#include "clones.h"
#include "vector_math.h"

#define BLOCK 512

VARIANTS static float row_maximum(const float *x, long count) {
  float tops[16];
  for (int lane = 0; lane < 16; lane++) tops[lane] = -INFINITY;
  long i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; lane++) tops[lane] = x[i + lane] > tops[lane] ? x[i + lane] : tops[lane];
  for (; i < count; i++) tops[0] = x[i] > tops[0] ? x[i] : tops[0];
  float top = tops[0];
  for (int lane = 1; lane < 16; lane++) top = tops[lane] > top ? tops[lane] : top;
  return top;
}

VARIANTS static void subtract_maximum(float *l, const float *x, long count, float maximum) {
  for (long i = 0; i < count; i++) l[i] = x[i] - maximum;
}

VARIANTS static void cap_and_subtract(float *l, const float *x, long count, float cap, float maximum) {
  const float inverse = 1.0f / cap;
  for (long i = 0; i < count; i++) l[i] = cap * tanh_value(x[i] * inverse) - maximum;
}

VARIANTS static void exponentials(float *e, const float *l, long count) {
  for (long i = 0; i < count; i++) e[i] = exp_value(l[i]);
}

// Sixteen interleaved chains: a fixed order of additions.
VARIANTS static float block_sum(const float *x, long count) {
  float chains[16] = {0};
  long i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; lane++) chains[lane] += x[i + lane];
  float sum = 0;
  for (; i < count; i++) sum += x[i];
  for (int lane = 0; lane < 16; lane++) sum += chains[lane];
  return sum;
}

nibble_row_statistics nibble_softmax_statistics(const float *x, long count, float cap) {
  // tanh is monotonic: the largest capped value is that of the largest value.
  float maximum = row_maximum(x, count);
  if (cap > 0) maximum = cap * tanh_value(maximum * (1.0f / cap));
  double sum = 0, shifted = 0;
  float l[BLOCK], e[BLOCK];
  for (long start = 0; start < count; start += BLOCK) {
    const long width = count - start < BLOCK ? count - start : BLOCK;
    if (cap > 0) cap_and_subtract(l, x + start, width, cap, maximum);
    else subtract_maximum(l, x + start, width, maximum);
    exponentials(e, l, width);
    sum += block_sum(e, width);
    shifted += block_sum(l, width);
  }
  return (nibble_row_statistics){maximum, (float)sum, (float)shifted};
}

VARIANTS static void plain_gradient(float *d, const float *x, long count, float maximum, float factor,
                                    float uniform) {
  for (long i = 0; i < count; i++) d[i] = factor * exp_value(x[i] - maximum) - uniform;
}

VARIANTS static void capped_gradient(float *d, const float *x, long count, float cap, float maximum,
                                     float factor, float uniform) {
  const float inverse = 1.0f / cap;
  for (long i = 0; i < count; i++) {
    const float t = tanh_value(x[i] * inverse);
    d[i] = (factor * exp_value(cap * t - maximum) - uniform) * (1.0f - t * t);
  }
}

void nibble_cross_entropy_gradient(float *d, const float *x, long count, float cap, float maximum,
                                   float factor, float uniform) {
  if (cap > 0) capped_gradient(d, x, count, cap, maximum, factor, uniform);
  else plain_gradient(d, x, count, maximum, factor, uniform);
}
