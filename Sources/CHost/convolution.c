// The short causal convolution over time and its gradients; equations in kernels/causal_conv1d*.cl.
#include "CHost.h"

#include <string.h>

#include "clones.h"
#include "vector_math.h"

#define CHANNELS NIBBLE_CONVOLUTION_CHANNELS
#define WIDTH NIBBLE_CONVOLUTION_WIDTH

// Earlier inputs that token t reads.
static long reach_of(const nibble_convolution *block, long t) {
  for (long d = 1; d < block->width; d++) {
    if (d > t) return block->state ? block->width - 1 : d - 1;
    if (block->documents && block->documents[t - d] != block->documents[t - d + 1]) return d - 1;
  }
  return block->width - 1;
}

// What a block keeps at hand, with channels next to each other: weights and the state before the first token.
typedef struct {
  float taps[WIDTH][CHANNELS], bias[CHANNELS], before[WIDTH][CHANNELS], zeros[CHANNELS];
} staging;

static void stage(const nibble_convolution *block, staging *own) {
  const long width = block->width, past = width - 1, count = block->count;
  memset(own->zeros, 0, sizeof own->zeros);
  memset(own->bias, 0, sizeof own->bias);
  if (block->bias) memcpy(own->bias, block->bias, (size_t)count * sizeof(float));
  for (long c = 0; c < count; c++) {
    for (long w = 0; w < width; w++) own->taps[w][c] = block->weight[c * width + w];
    for (long i = 0; block->state && i < past; i++) own->before[i][c] = block->state[c * past + i];
  }
}

// The rows that the taps of token t meet; zeros where it does not reach.
static void find_inputs(const nibble_convolution *block, const staging *own, long t, long reach, const float **in) {
  const long past = block->width - 1;
  for (long w = 0; w <= past; w++) {
    const long position = t - past + w;
    if (w + reach < past) in[w] = own->zeros;
    else in[w] = position >= 0 ? block->x + position * block->stride : own->before[position + past];
  }
}

VARIANTS static void weighted_sum(const staging *own, const float *const *in, long width, long count,
                                  float *restrict z) {
  for (long c = 0; c < count; c++) z[c] = own->bias[c];
  for (long w = 0; w < width; w++) {
    const float *restrict x = in[w], *restrict tap = own->taps[w];
    for (long c = 0; c < count; c++) z[c] += tap[c] * x[c];
  }
}

VARIANTS static void apply_silu(const float *restrict z, float *restrict y, long count) {
  for (long c = 0; c < count; c++) y[c] = z[c] / (1.0f + exp_value(-z[c]));
}

VARIANTS static void silu_gradient(const float *restrict dy, float *restrict z, long count) {
  for (long c = 0; c < count; c++) {
    const float s = 1.0f / (1.0f + exp_value(-z[c]));
    z[c] = dy[c] * s * (1.0f + z[c] * (1.0f - s));
  }
}

VARIANTS static void add_product(const float *restrict a, const float *restrict b, float *restrict sum, long count) {
  for (long c = 0; c < count; c++) sum[c] += a[c] * b[c];
}

VARIANTS static void add_to(const float *restrict a, float *restrict sum, long count) {
  for (long c = 0; c < count; c++) sum[c] += a[c];
}

void nibble_convolution_forward(const nibble_convolution *block, float *y, float *final_state) {
  const long past = block->width - 1, count = block->count;
  staging own;
  float z[CHANNELS];
  const float *in[WIDTH];
  stage(block, &own);
  for (long t = block->first; t < block->last; t++) {
    find_inputs(block, &own, t, reach_of(block, t), in);
    weighted_sum(&own, in, block->width, count, z);
    if (block->silu) apply_silu(z, y + t * block->stride, count);
    else memcpy(y + t * block->stride, z, (size_t)count * sizeof(float));
  }
  if (block->last < block->time) return;
  find_inputs(block, &own, block->time - 1, reach_of(block, block->time - 1), in);
  for (long c = 0; c < count; c++)
    for (long i = 0; i < past; i++) final_state[c * past + i] = in[i + 1][c];
}

// Hands the gradient of the input at `position` over: to dx where the block owns it, to dstate before the sequence.
static void emit(const nibble_convolution *block, const nibble_convolution_gradient *to, const float *value,
                 long position) {
  const long past = block->width - 1;
  if (position >= 0) {
    if (position >= block->first && position < block->last)
      memcpy(to->dx + position * block->stride, value, (size_t)block->count * sizeof(float));
  } else if (block->first == 0 && to->dstate) {
    for (long c = 0; c < block->count; c++) to->dstate[c * past + position + past] = value[c];
  }
}

void nibble_convolution_backward(const nibble_convolution *block, const nibble_convolution_gradient *to) {
  const long width = block->width, past = width - 1, count = block->count;
  staging own;
  // The gradient of the input at position p is pending in row (p + past) % width until its last reader has passed.
  float d[CHANNELS], sums[WIDTH][CHANNELS], total[CHANNELS], pending[WIDTH][CHANNELS];
  const float *in[WIDTH];
  stage(block, &own);
  memset(sums, 0, sizeof sums);
  memset(total, 0, sizeof total);
  memset(pending, 0, sizeof pending);
  const long end = block->last + past < block->time ? block->last + past : block->time;
  for (long t = block->first; t < end; t++) {
    const long reach = reach_of(block, t);
    const float *dy = to->dy + t * block->stride;
    find_inputs(block, &own, t, reach, in);
    if (block->silu) {
      weighted_sum(&own, in, width, count, d);
      silu_gradient(dy, d, count);
    } else {
      memcpy(d, dy, (size_t)count * sizeof(float));
    }
    for (long w = past - reach; w < width; w++) {
      add_product(own.taps[w], d, pending[(t + w) % width], count);
      if (t < block->last) add_product(in[w], d, sums[w], count);
    }
    if (t < block->last) add_to(d, total, count);
    emit(block, to, pending[t % width], t - past);
    memset(pending[t % width], 0, sizeof pending[0]);
  }
  if (end == block->time) {
    const long reach = reach_of(block, end - 1);
    for (long i = 0; i < past; i++) {
      float *row = pending[(end + i) % width];
      for (long c = 0; to->dfinal && past - 1 - i <= reach && c < count; c++) row[c] += to->dfinal[c * past + i];
      emit(block, to, row, end + i - past);
    }
  }
  for (long c = 0; c < count; c++) {
    for (long w = 0; w < width; w++) to->dweight[c * width + w] = sums[w][c];
    if (to->dbias) to->dbias[c] = total[c];
  }
}
