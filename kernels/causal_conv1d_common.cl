// causal_conv1d_common.cl - what the forward and the backward of the short causal convolution share
//
// Included by families that define LANES. Time runs in blocks; token t reads itself and `reach` earlier tokens:
// up to WIDTH - 1, fewer behind the first token of a document, and before the sequence only with an initial state.
// The state [batch, channels, WIDTH - 1] holds the inputs before the first token, the oldest first.

#ifndef WIDTH
#define WIDTH 4    // taps
#endif
#ifndef SILU
#define SILU 1     // 1: silu(z), 0: z
#endif
#define PAST (WIDTH - 1)

static inline uint reach_of(const uint t, const global int *documents, const uint has_state) {
  for (uint d = 1; d < WIDTH; d++) {
    if (d > t) return has_state ? PAST : d - 1;
    if (documents && documents[t - d] != documents[t - d + 1]) return d - 1;
  }
  return PAST;
}

#if LANES == 1

#include "fetch.cl"
#include "parts.cl"

// Channels of a work-item, a multiple of PART: its weights and sums stay in the first-level cache.
#define CHANNELS 256
// Tokens that are worked on together where all their taps lie in x.
#define ROWS 4
// Tokens in front of their use at which lines are asked for: a part of a row is too short for the machine to foresee.
#define AHEAD 8

// A [channels, columns] in memory to [columns, CHANNELS], with zeros behind the last channel and without `from`.
static inline void transpose_in(const global float *from, const uint columns, const uint channels, float *to) {
  for (uint column = 0; column < columns; column++)
    for (uint c = 0; c < CHANNELS; c++)
      to[column * CHANNELS + c] = from && c < channels ? from[(size_t)c * columns + column] : 0.0f;
}

// The input of one channel part at `back` tokens before t: from x, or from the staged state [PAST, CHANNELS].
static inline part_t input_part(const global float *x, const size_t stride, const float *state, const uint t,
                                const uint back, const uint c, const uint count) {
  if (back <= t) return load_part(x + (size_t)(t - back) * stride + c, count);
  return LOAD_PART(state + (PAST + t - back) * CHANNELS + c);
}

// One part of z at token t, which reads `reach` earlier ones.
static inline part_t filtered(const uint reach, const global float *x, const size_t stride, const float *state,
                              const float *taps, const float *bias, const uint t, const uint c, const uint count) {
  part_t z = LOAD_PART(bias + c);
  for (uint w = PAST - reach; w < WIDTH; w++)
    z += LOAD_PART(taps + w * CHANNELS + c) * input_part(x, stride, state, t, PAST - w, c, count);
  return z;
}

#endif
