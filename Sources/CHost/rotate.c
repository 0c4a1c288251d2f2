// Rotation of pairs of values: rotary position embeddings.
#include "CHost.h"

#include <string.h>

#include "clones.h"

VARIANTS static void rotate_half(const float *restrict x, const float *restrict cosine, const float *restrict sine,
                                 float *restrict y, float direction, long heads, long dim, long pairs) {
  for (long head = 0; head < heads; head++, x += dim, y += dim)
    for (long m = 0; m < pairs; m++) {
      const float a = x[m], b = x[m + pairs], s = sine[m] * direction;
      y[m] = a * cosine[m] - b * s;
      y[m + pairs] = b * cosine[m] + a * s;
    }
}

VARIANTS static void rotate_interleaved(const float *restrict x, const float *restrict cosine,
                                        const float *restrict sine, float *restrict y, float direction, long heads,
                                        long dim, long pairs) {
  for (long head = 0; head < heads; head++, x += dim, y += dim)
    for (long m = 0; m < pairs; m++) {
      const float a = x[2 * m], b = x[2 * m + 1], s = sine[m] * direction;
      y[2 * m] = a * cosine[m] - b * s;
      y[2 * m + 1] = b * cosine[m] + a * s;
    }
}

void nibble_rotate(const float *x, const float *cosine, const float *sine, float *y, int interleaved, float direction,
                   long heads, long dim, long pairs) {
  if (interleaved) rotate_interleaved(x, cosine, sine, y, direction, heads, dim, pairs);
  else rotate_half(x, cosine, sine, y, direction, heads, dim, pairs);
  if (2 * pairs < dim)
    for (long head = 0; head < heads; head++)
      memcpy(y + head * dim + 2 * pairs, x + head * dim + 2 * pairs, (size_t)(dim - 2 * pairs) * sizeof(float));
}
