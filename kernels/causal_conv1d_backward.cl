// causal_conv1d_backward.cl - all gradients of the short causal convolution in one pass
//
//   causal_conv1d_backward   x, dy [batch, time, channels], weight [channels, WIDTH], bias [channels],
//                            state, dfinal [batch, channels, WIDTH - 1], documents [batch, time]
//                            -> dx like x, dstate like state, dweight [blocks, channels, WIDTH], dbias [blocks, channels]
//
//   dz_t = dy_t y'(z_t);   dx_p = sum_d weight[WIDTH - 1 - d] dz_{p+d} where reach(p + d) >= d, and what final_state
//   hands back;   dweight[WIDTH - 1 - d] = sum_t dz_t x_{t-d};   dbias = sum_t dz_t
//
// A group owns `block` tokens of one sequence: their dx, and the sums of dweight and dbias over them. It reads
// WIDTH - 1 tokens beyond its own, which reach back into the block. dx is pending until its last reader has passed.
// Swift: Operations/CausalConvolutionGradient.swift

#ifndef LANES
#define LANES 1    // channels per work-group: 1 work-item for CHANNELS of them on processors
#endif

#include "causal_conv1d_common.cl"

#if LANES == 1

// dy y'(z)
static inline part_t slope(const part_t dy, const part_t z) {
  if (!SILU) return dy;
  const part_t s = sigmoid(z);
  return dy * s * (1.0f + z * (1.0f - s));
}

// A block of tokens; addresses are those of the sequence's first token and the work-item's first channel.
typedef struct {
  const global float *x, *dy;
  global float *dx, *dstate;
  size_t stride;
  uint first, last;
} Block;

// The gradient of the input at position p - PAST: of x where the block owns it, of the state before the sequence.
static inline void emit(const Block *block, const part_t value, const uint p, const uint c, const uint count) {
  if (p >= PAST) {
    const uint t = p - PAST;
    if (t >= block->first && t < block->last) store_part(value, block->dx + (size_t)t * block->stride + c, count);
    return;
  }
  if (block->first > 0 || !block->dstate) return;
  float part[PART];
  STORE_PART(value, part);
  for (uint k = 0; k < count; k++) block->dstate[(size_t)(c + k) * PAST + p] = part[k];
}

// One whole part at ROWS tokens from t on, all of whose taps lie in x. sums [WIDTH + 1, CHANNELS] are those of dweight
// and dbias, pending [PAST, CHANNELS] the unfinished dx before t; the tokens from `next` on come later. Called at one
// place: it must be inlined.
static inline void backward_rows(const Block *block, const float *taps, float *sums, float *pending, const uint t,
                                 const uint next, const uint c) {
  part_t window[PAST + ROWS], gradient[PAST + ROWS], d[ROWS];
  const size_t stride = block->stride;
  const global float *from = block->x + (size_t)(t - PAST) * stride + c;
#pragma unroll
  for (uint r = 0; r < ROWS; r++) {
    FETCH(block->x + (size_t)(next + r) * stride + c);
    FETCH(block->dy + (size_t)(next + r) * stride + c);
  }
#pragma unroll
  for (uint i = 0; i < PAST + ROWS; i++) {
    window[i] = LOAD_PART(from + i * stride);
    gradient[i] = i < PAST ? LOAD_PART(pending + i * CHANNELS + c) : (part_t)(0.0f);
  }
#pragma unroll
  for (uint r = 0; r < ROWS; r++) {
    part_t z = LOAD_PART(taps + WIDTH * CHANNELS + c);
#pragma unroll
    for (uint w = 0; w < WIDTH; w++) z += LOAD_PART(taps + w * CHANNELS + c) * window[r + w];
    d[r] = slope(LOAD_PART(block->dy + (size_t)(t + r) * stride + c), z);
#pragma unroll
    for (uint w = 0; w < WIDTH; w++) gradient[r + w] += LOAD_PART(taps + w * CHANNELS + c) * d[r];
  }
  if (t < block->last) {
#pragma unroll
    for (uint w = 0; w <= WIDTH; w++) {
      part_t sum = LOAD_PART(sums + w * CHANNELS + c);
#pragma unroll
      for (uint r = 0; r < ROWS; r++) sum = w < WIDTH ? fma(d[r], window[r + w], sum) : sum + d[r];
      STORE_PART(sum, sums + w * CHANNELS + c);
    }
  }
#pragma unroll
  for (uint r = 0; r < ROWS; r++)
    if (t + r >= block->first + PAST) STORE_PART(gradient[r], block->dx + (size_t)(t + r - PAST) * stride + c);
#pragma unroll
  for (uint i = 0; i < PAST; i++) STORE_PART(gradient[ROWS + i], pending + i * CHANNELS + c);
}

static inline void add_part(float *sums, const part_t value) { STORE_PART(LOAD_PART(sums) + value, sums); }

// The same at one token, which reads `reach` earlier ones.
static inline void backward_row(const uint reach, const Block *block, const float *state, const float *taps,
                                float *sums, float *pending, const uint t, const uint c, const uint count) {
  const part_t z = filtered(reach, block->x, block->stride, state, taps, taps + WIDTH * CHANNELS, t, c, count);
  const part_t d = slope(load_part(block->dy + (size_t)t * block->stride + c, count), z);
  if (reach == PAST) add_part(pending + c, LOAD_PART(taps + c) * d);
  emit(block, LOAD_PART(pending + c), t, c, count);
  for (uint i = 0; i < PAST; i++) {
    part_t known = i + 1 < PAST ? LOAD_PART(pending + (i + 1) * CHANNELS + c) : (part_t)(0.0f);
    if (i + 1 + reach >= PAST) known += LOAD_PART(taps + (i + 1) * CHANNELS + c) * d;
    STORE_PART(known, pending + i * CHANNELS + c);
  }
  if (t >= block->last) return;
  for (uint w = PAST - reach; w < WIDTH; w++)
    add_part(sums + w * CHANNELS + c, d * input_part(block->x, block->stride, state, t, PAST - w, c, count));
  add_part(sums + WIDTH * CHANNELS + c, d);
}

kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void causal_conv1d_backward(const global float *restrict x, const global float *restrict weight,
                            const global float *restrict bias, const global float *restrict state,
                            const global int *restrict documents, const global float *restrict dy,
                            const global float *restrict dfinal, global float *restrict dx,
                            global float *restrict dweight, global float *restrict dbias,
                            global float *restrict dstate, const uint time, const uint channels, const uint block) {
  const uint blocks = (time + block - 1) / block;
  const uint sequence = (uint)get_group_id(1) / blocks;
  const uint first = (uint)get_group_id(1) % blocks * block, last = min(first + block, time);
  const uint channel = (uint)get_group_id(0) * CHANNELS, n = min((uint)CHANNELS, channels - channel);
  const size_t start = (size_t)sequence * time * channels + channel;
  const size_t states = ((size_t)sequence * channels + channel) * PAST;
  const global int *ids = documents ? documents + (size_t)sequence * time : documents;
  const Block own = {x + start, dy + start, dx + start, dstate ? dstate + states : dstate, channels, first, last};
  float taps[(WIDTH + 1) * CHANNELS], before[PAST * CHANNELS], sums[(WIDTH + 1) * CHANNELS], pending[PAST * CHANNELS];
  transpose_in(weight + (size_t)channel * WIDTH, WIDTH, n, taps);
  transpose_in(bias ? bias + channel : bias, 1, n, taps + WIDTH * CHANNELS);
  if (first < PAST) transpose_in(state ? state + states : state, PAST, n, before);
  for (uint i = 0; i < (WIDTH + 1) * CHANNELS; i++) sums[i] = 0.0f;
  for (uint i = 0; i < PAST * CHANNELS; i++) pending[i] = 0.0f;
  const uint end = min(last + PAST, time);
  for (uint t = first; t < end;) {
    uint whole = t >= PAST && t + ROWS <= end && (t >= last || t + ROWS <= last);
    for (uint r = 0; whole && documents && r < ROWS; r++) whole = reach_of(t + r, ids, state != 0) == PAST;
    const uint parts = whole ? n / PART * PART : 0, tokens = whole ? ROWS : 1;
    const uint next = min(t + AHEAD, max(end, (uint)ROWS) - ROWS);
    for (uint c = 0; c < parts; c += PART) backward_rows(&own, taps, sums, pending, t, next, c);
    // What is left: the last channels, or all of them where a tap lies elsewhere.
    for (uint r = 0; r < tokens && parts < n; r++) {
      const uint reach = reach_of(t + r, ids, state != 0);
      for (uint c = parts; c < n; c += PART)
        backward_row(reach, &own, before, taps, sums, pending, t + r, c, min((uint)PART, n - c));
    }
    t += tokens;
  }
  if (end == time) {
    const uint reach = reach_of(time - 1, ids, state != 0);
    for (uint i = 0; i < PAST; i++) {
      const bool is_final = dfinal && PAST - 1 - i <= reach;
      for (uint c = 0; is_final && c < n; c++) pending[i * CHANNELS + c] += dfinal[states + (size_t)c * PAST + i];
      for (uint c = 0; c < n; c += PART)
        emit(&own, LOAD_PART(pending + i * CHANNELS + c), time + i, c, min((uint)PART, n - c));
    }
  }
  const size_t partial = (size_t)get_group_id(1) * channels + channel;
  for (uint c = 0; c < n; c++) {
    for (uint w = 0; w < WIDTH; w++) dweight[(partial + c) * WIDTH + w] = sums[w * CHANNELS + c];
    if (dbias) dbias[partial + c] = sums[WIDTH * CHANNELS + c];
  }
}

#else

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void causal_conv1d_backward(const global float *restrict x, const global float *restrict weight,
                            const global float *restrict bias, const global float *restrict state,
                            const global int *restrict documents, const global float *restrict dy,
                            const global float *restrict dfinal, global float *restrict dx,
                            global float *restrict dweight, global float *restrict dbias,
                            global float *restrict dstate, const uint time, const uint channels, const uint block) {
  const uint channel = (uint)get_global_id(0);
  if (channel >= channels) return;
  const uint blocks = (time + block - 1) / block;
  const uint sequence = (uint)get_group_id(1) / blocks;
  const uint first = (uint)get_group_id(1) % blocks * block, last = min(first + block, time);
  const size_t start = (size_t)sequence * time * channels + channel;
  const size_t states = ((size_t)sequence * channels + channel) * PAST;
  const global int *ids = documents ? documents + (size_t)sequence * time : documents;
  float taps[WIDTH], window[WIDTH], gradient[WIDTH], sums[WIDTH], total = 0.0f;
  uint reach = reach_of(first, ids, state != 0);
#pragma unroll
  for (uint i = 0; i < WIDTH; i++) {
    const uint back = PAST - i;
    taps[i] = weight[(size_t)channel * WIDTH + i];
    sums[i] = gradient[i] = window[i] = 0.0f;
    if (back > 0 && back <= reach)
      window[i] = back <= first ? x[start + (size_t)(first - back) * channels] : state[states + first + i];
  }
  const float offset = bias ? bias[channel] : 0.0f;
  const uint end = min(last + PAST, time);
  for (uint t = first; t < end; t++) {
    const bool begins = ids && t > first && ids[t] != ids[t - 1];
    if (t > first) reach = begins ? 0 : min(reach + 1, (uint)PAST);
    float z = offset;
    window[PAST] = x[start + (size_t)t * channels];
#pragma unroll
    for (uint i = 0; i < WIDTH; i++) {
      if (begins && i < PAST) window[i] = 0.0f;
      z += taps[i] * window[i];
    }
    float d = dy[start + (size_t)t * channels];
    if (SILU) {
      const float s = 1.0f / (1.0f + exp(-z));
      d *= s * (1.0f + z * (1.0f - s));
    }
#pragma unroll
    for (uint i = 0; i < WIDTH; i++) {
      if (i + reach >= PAST) gradient[i] += taps[i] * d;
      if (t < last) sums[i] += d * window[i];
    }
    if (t < last) total += d;
    if (t >= first + PAST) dx[start + (size_t)(t - PAST) * channels] = gradient[0];
    else if (t < PAST && first == 0 && dstate) dstate[states + t] = gradient[0];
#pragma unroll
    for (uint i = 0; i < PAST; i++) {
      window[i] = window[i + 1];
      gradient[i] = gradient[i + 1];
    }
    gradient[PAST] = 0.0f;
  }
  if (end == time) {
#pragma unroll
    for (uint i = 0; i < PAST; i++) {
      const float value = gradient[i] + (dfinal && PAST - 1 - i <= reach ? dfinal[states + i] : 0.0f);
      // The position plus PAST, which may lie before the sequence.
      const uint p = time + i;
      if (p >= first + PAST && p < last + PAST) dx[start + (size_t)(p - PAST) * channels] = value;
      else if (p < PAST && first == 0 && dstate) dstate[states + p] = value;
    }
  }
  const size_t partial = (size_t)get_group_id(1) * channels + channel;
#pragma unroll
  for (uint i = 0; i < WIDTH; i++) dweight[partial * WIDTH + i] = sums[i];
  if (dbias) dbias[partial] = total;
}

#endif
