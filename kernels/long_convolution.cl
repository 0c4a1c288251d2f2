// long_convolution.cl - causal convolution of every channel with a filter as long as the sequence
//
//   long_convolution          x [B, T, H], filter [T, H] -> y [B, T, H]
//                             y_t = sum_{s <= t} filter_{t-s} x_s;  reversed: y_s = sum_{t >= s} filter_{t-s} x_t
//   long_convolution_filter   x, dy [B, T, H] -> dfilter [T, H]
//                             dfilter_l = sum over sequences and t >= l of dy_t x_{t-l}
//
// The direct sum, T^2 / 2 products per channel, in tiles of TOKENS x TOKENS: good up to some hundred tokens.
// Swift: Operations/LongConvolution.swift

#include "channels.cl"

#define TOKENS 4

// Row t of a sequence of `time` rows, zeros outside; reversed sequences run backward.
static inline channels_t row_at(const global float *x, int t, int time, int channels, int lanes, int reversed) {
  if (t < 0 || t >= time) return (channels_t)(0.0f);
  return load_channels(x + (size_t)(reversed ? time - 1 - t : t) * channels, lanes);
}

// sums[i] += sum_j a[j] b[i - j + TOKENS - 1], i, j < TOKENS
static inline void add_tile(channels_t *sums, const channels_t *a, const channels_t *b) {
#pragma unroll
  for (int j = 0; j < TOKENS; j++)
#pragma unroll
    for (int i = 0; i < TOKENS; i++) sums[i] += a[j] * b[i - j + TOKENS - 1];
}

// A group has `block` tokens of its channels.
CHANNEL_GROUP kernel void long_convolution(
    const global float *x, const global float *filter, global float *y, int time, int channels, int block,
    int reversed) {
  const int across = (channels + GROUP_CHANNELS - 1) / GROUP_CHANNELS, down = (time + block - 1) / block;
  const int group = (int)get_group_id(0), part = group / across;
  const int channel = group % across * GROUP_CHANNELS + CHANNEL_LANE * WIDE;
  const int lanes = max(0, min(WIDE, channels - channel));
  if (lanes == 0) return;
  const int begin = part % down * block, end = min(begin + block, time);
  const size_t start = (size_t)(part / down) * time * channels + channel;
  for (int t = begin; t < end; t += TOKENS) {
    channels_t sums[TOKENS];
#pragma unroll
    for (int i = 0; i < TOKENS; i++) sums[i] = (channels_t)(0.0f);
    // Inputs s..<s + TOKENS meet the filter at t + i - s - j.
    for (int s = 0; s < t + TOKENS && s < time; s += TOKENS) {
      channels_t inputs[TOKENS], taps[2 * TOKENS - 1];
#pragma unroll
      for (int j = 0; j < TOKENS; j++) inputs[j] = row_at(x + start, s + j, time, channels, lanes, reversed);
#pragma unroll
      for (int k = 0; k < 2 * TOKENS - 1; k++)
        taps[k] = row_at(filter + channel, t - s + k - (TOKENS - 1), time, channels, lanes, 0);
      add_tile(sums, inputs, taps);
    }
    for (int i = 0; i < TOKENS && t + i < end; i++)
      store_channels(sums[i], y + start + (size_t)(reversed ? time - 1 - t - i : t + i) * channels, lanes);
  }
}

// A group has `block` taps of its channels.
CHANNEL_GROUP kernel void long_convolution_filter(
    const global float *x, const global float *dy, global float *dfilter, int batch, int time, int channels,
    int block) {
  const int across = (channels + GROUP_CHANNELS - 1) / GROUP_CHANNELS, group = (int)get_group_id(0);
  const int channel = group % across * GROUP_CHANNELS + CHANNEL_LANE * WIDE;
  const int lanes = max(0, min(WIDE, channels - channel));
  if (lanes == 0) return;
  const int begin = group / across * block, end = min(begin + block, time);
  for (int l = begin; l < end; l += TOKENS) {
    channels_t sums[TOKENS];
#pragma unroll
    for (int i = 0; i < TOKENS; i++) sums[i] = (channels_t)(0.0f);
    for (int sequence = 0; sequence < batch; sequence++) {
      const size_t start = (size_t)sequence * time * channels + channel;
      // Inputs s..<s + TOKENS meet dy at l + i + s + j.
      for (int s = 0; s + l < time; s += TOKENS) {
        channels_t inputs[TOKENS], cotangents[2 * TOKENS - 1];
#pragma unroll
        for (int j = 0; j < TOKENS; j++)
          inputs[j] = row_at(x + start, s + TOKENS - 1 - j, time, channels, lanes, 0);
#pragma unroll
        for (int k = 0; k < 2 * TOKENS - 1; k++)
          cotangents[k] = row_at(dy + start, l + s + k, time, channels, lanes, 0);
        add_tile(sums, inputs, cotangents);
      }
    }
    for (int i = 0; i < TOKENS && l + i < end; i++)
      store_channels(sums[i], dfilter + (size_t)(l + i) * channels + channel, lanes);
  }
}
