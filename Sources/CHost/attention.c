// Rows of attention scores on the host: soft cap, bias, masks, exponentials.
#include "CHost.h"

#include <math.h>
#include <stddef.h>

#include "clones.h"
#include "vector_math.h"

VARIANTS static void cap_row(float *s, long count, float cap) {
  const float inverse = 1.0f / cap;
  for (long j = 0; j < count; j++) s[j] = cap * tanh_value(s[j] * inverse);
}

VARIANTS static void bias_row(float *s, long count, float slope, long first_key, long position) {
  for (long j = 0; j < count; j++) s[j] -= slope * fabsf((float)(position - first_key - j));
}

void nibble_attention_mask(float *s, long count, const nibble_attention_row *row) {
  if (row->slope != 0.0f) bias_row(s, count, row->slope, row->first_key, row->position);
  if (row->documents)
    for (long j = 0; j < count; j++)
      if (row->document_known == 0 || row->documents[j] != row->document) s[j] = NIBBLE_MASKED;
  if (row->mask)
    for (long j = 0; j < count; j++)
      if (!row->mask[j]) s[j] = NIBBLE_MASKED;
  for (long j = 0; j < count && j < row->begin; j++) s[j] = NIBBLE_MASKED;
  for (long j = row->end < 0 ? 0 : row->end; j < count; j++) s[j] = NIBBLE_MASKED;
}

void nibble_attention_cap(float *s, long count, float cap) { cap_row(s, count, cap); }

VARIANTS float nibble_row_maximum(const float *s, long count) {
  float tops[16];
  for (int lane = 0; lane < 16; lane++) tops[lane] = NIBBLE_MASKED;
  long j = 0;
  for (; j + 16 <= count; j += 16)
    for (int lane = 0; lane < 16; lane++) tops[lane] = s[j + lane] > tops[lane] ? s[j + lane] : tops[lane];
  float best = NIBBLE_MASKED;
  for (; j < count; j++) best = s[j] > best ? s[j] : best;
  for (int lane = 0; lane < 16; lane++) best = tops[lane] > best ? tops[lane] : best;
  return best;
}

// A masked score gives exactly 0, also in a row where everything is masked.
VARIANTS float nibble_row_exponentials(float *s, long count, float maximum) {
  float chains[16] = {0};
  long j = 0;
  for (; j + 16 <= count; j += 16)
    for (int lane = 0; lane < 16; lane++) {
      const float e = s[j + lane] <= NIBBLE_MASKED ? 0.0f : exp_value(s[j + lane] - maximum);
      s[j + lane] = e;
      chains[lane] += e;
    }
  float sum = 0;
  for (; j < count; j++) {
    s[j] = s[j] <= NIBBLE_MASKED ? 0.0f : exp_value(s[j] - maximum);
    sum += s[j];
  }
  for (int lane = 0; lane < 16; lane++) sum += chains[lane];
  return sum;
}

VARIANTS void nibble_row_scale(float *x, long count, float factor) {
  for (long j = 0; j < count; j++) x[j] *= factor;
}

VARIANTS float nibble_dot(const float *a, const float *b, long count) {
  float chains[16] = {0};
  long j = 0;
  for (; j + 16 <= count; j += 16)
    for (int lane = 0; lane < 16; lane++) chains[lane] += a[j + lane] * b[j + lane];
  float sum = 0;
  for (; j < count; j++) sum += a[j] * b[j];
  for (int lane = 0; lane < 16; lane++) sum += chains[lane];
  return sum;
}

VARIANTS void nibble_score_gradient(float *dp, const float *p, const float *capped, float cap, float delta, long count) {
  if (capped) {
    const float inverse = 1.0f / cap;
    for (long j = 0; j < count; j++) {
      const float ratio = capped[j] * inverse;
      dp[j] = p[j] * (dp[j] - delta) * (1.0f - ratio * ratio);
    }
  } else {
    for (long j = 0; j < count; j++) dp[j] = p[j] * (dp[j] - delta);
  }
}

// A masked score has the exponential 0, and its distance from the maximum is finite.
VARIANTS float nibble_row_moment(const float *e, const float *s, long count, float maximum) {
  float sum = 0;
  for (long j = 0; j < count; j++) sum += e[j] * (s[j] - maximum);
  return sum;
}
