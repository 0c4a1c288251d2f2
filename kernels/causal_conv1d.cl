// causal_conv1d.cl - short depthwise causal convolution over time with an optional SiLU
//
//   causal_conv1d   x [batch, time, channels], weight [channels, WIDTH], bias [channels],
//                   state [batch, channels, WIDTH - 1], documents [batch, time]
//                   -> y like x, final_state like state
//
//   z_t = bias + sum_d weight[WIDTH - 1 - d] x_{t-d}, d = 0..reach(t);   y = z or z / (1 + exp(-z))
//   final_state: the last WIDTH - 1 inputs that a next token of the last document would read, zeros for others.
//
// Absent operands are null pointers. Bandwidth bound: x once, y once. `block` tokens of one sequence per group:
// a processor's work-item takes CHANNELS channels row by row, elsewhere every work-item walks down one channel.
// Swift: Operations/CausalConvolution.swift

#ifndef LANES
#define LANES 1    // channels per work-group: 1 work-item for CHANNELS of them on processors
#endif

#include "causal_conv1d_common.cl"

#if LANES == 1

static inline part_t activated(const part_t z) { return SILU ? z * sigmoid(z) : z; }

// One whole part of y at ROWS tokens from t on, all of whose taps lie in x; the tokens from `next` on come later.
// Called at one place: it must be inlined.
static inline void forward_rows(const global float *x, const size_t stride, const float *taps, const float *bias,
                                global float *y, const uint t, const uint next, const uint c) {
  part_t window[PAST + ROWS];
#pragma unroll
  for (uint r = 0; r < ROWS; r++) FETCH(x + (size_t)(next + r) * stride + c);
  const global float *from = x + (size_t)(t - PAST) * stride + c;
#pragma unroll
  for (uint i = 0; i < PAST + ROWS; i++) window[i] = LOAD_PART(from + i * stride);
#pragma unroll
  for (uint r = 0; r < ROWS; r++) {
    part_t z = LOAD_PART(bias + c);
#pragma unroll
    for (uint w = 0; w < WIDTH; w++) z += LOAD_PART(taps + w * CHANNELS + c) * window[r + w];
    STORE_PART(activated(z), y + (size_t)(t + r) * stride + c);
  }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void causal_conv1d(const global float *restrict x, const global float *restrict weight,
                   const global float *restrict bias, const global float *restrict state,
                   const global int *restrict documents, global float *restrict y,
                   global float *restrict final_state, const uint time, const uint channels, const uint block) {
  const uint blocks = (time + block - 1) / block;
  const uint sequence = (uint)get_group_id(1) / blocks;
  const uint first = (uint)get_group_id(1) % blocks * block, last = min(first + block, time);
  const uint channel = (uint)get_group_id(0) * CHANNELS, n = min((uint)CHANNELS, channels - channel);
  const size_t start = (size_t)sequence * time * channels + channel;
  const size_t states = ((size_t)sequence * channels + channel) * PAST;
  const global int *ids = documents ? documents + (size_t)sequence * time : documents;
  float taps[WIDTH * CHANNELS], offsets[CHANNELS], before[PAST * CHANNELS];
  transpose_in(weight + (size_t)channel * WIDTH, WIDTH, n, taps);
  transpose_in(bias ? bias + channel : bias, 1, n, offsets);
  if (first < PAST) transpose_in(state ? state + states : state, PAST, n, before);
  for (uint t = first; t < last;) {
    uint whole = t >= PAST && t + ROWS <= last;
    for (uint r = 0; whole && documents && r < ROWS; r++) whole = reach_of(t + r, ids, state != 0) == PAST;
    const uint parts = whole ? n / PART * PART : 0, tokens = whole ? ROWS : 1;
    const uint next = min(t + AHEAD, max(last, (uint)ROWS) - ROWS);
    for (uint c = 0; c < parts; c += PART) forward_rows(x + start, channels, taps, offsets, y + start, t, next, c);
    // What is left: the last channels, or all of them where a tap lies elsewhere.
    for (uint r = 0; r < tokens && parts < n; r++) {
      const uint reach = reach_of(t + r, ids, state != 0);
      for (uint c = parts; c < n; c += PART) {
        const uint count = min((uint)PART, n - c);
        const part_t z = filtered(reach, x + start, channels, before, taps, offsets, t + r, c, count);
        store_part(activated(z), y + start + (size_t)(t + r) * channels + c, count);
      }
    }
    t += tokens;
  }
  if (last < time) return;
  const uint reach = reach_of(time - 1, ids, state != 0);
  for (uint c = 0; c < n; c++)
    for (uint i = 0; i < PAST; i++) {
      // The input `back` tokens before the last one.
      const uint back = PAST - 1 - i;
      float value = 0.0f;
      if (back <= reach && back < time) value = x[start + (size_t)(time - 1 - back) * channels + c];
      else if (back <= reach) value = state[states + (size_t)c * PAST + i + time];
      final_state[states + (size_t)c * PAST + i] = value;
    }
}

#else

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void causal_conv1d(const global float *restrict x, const global float *restrict weight,
                   const global float *restrict bias, const global float *restrict state,
                   const global int *restrict documents, global float *restrict y,
                   global float *restrict final_state, const uint time, const uint channels, const uint block) {
  const uint channel = (uint)get_global_id(0);
  if (channel >= channels) return;
  const uint blocks = (time + block - 1) / block;
  const uint sequence = (uint)get_group_id(1) / blocks;
  const uint first = (uint)get_group_id(1) % blocks * block, last = min(first + block, time);
  const size_t start = (size_t)sequence * time * channels + channel;
  const size_t states = ((size_t)sequence * channels + channel) * PAST;
  const global int *ids = documents ? documents + (size_t)sequence * time : documents;
  float taps[WIDTH], window[WIDTH];
#pragma unroll
  for (uint w = 0; w < WIDTH; w++) taps[w] = weight[(size_t)channel * WIDTH + w];
  const float offset = bias ? bias[channel] : 0.0f;
  const uint reach = reach_of(first, ids, state != 0);
#pragma unroll
  for (uint i = 0; i < PAST; i++) {
    const uint back = PAST - i;
    window[i] = 0.0f;
    if (back <= reach)
      window[i] = back <= first ? x[start + (size_t)(first - back) * channels] : state[states + first + i];
  }
  for (uint t = first; t < last; t++) {
    const bool begins = ids && t > first && ids[t] != ids[t - 1];
    float z = offset;
#pragma unroll
    for (uint i = 0; i < PAST; i++) {
      if (begins) window[i] = 0.0f;
      z += taps[i] * window[i];
    }
    window[PAST] = x[start + (size_t)t * channels];
    z += taps[PAST] * window[PAST];
    y[start + (size_t)t * channels] = SILU ? z / (1.0f + exp(-z)) : z;
#pragma unroll
    for (uint i = 0; i < PAST; i++) window[i] = window[i + 1];
  }
  if (last < time) return;
#pragma unroll
  for (uint i = 0; i < PAST; i++) final_state[states + i] = window[i];
}

#endif
