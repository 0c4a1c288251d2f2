// cross_entropy.cl - softmax cross-entropy of rows of logits, and its gradient
//
//   cross_entropy_rows      logits [rows, columns], labels -> token_losses, log_sum_exp
//   cross_entropy_gradient  the same, and gradient [rows, columns], which may be the logits' own memory
//   cross_entropy_partial   token_losses [count]           -> partial [ceil(count / SHARE)]
//   cross_entropy_final     partial                        -> loss [1]
//
//   l = CAPPED ? cap * tanh(logits / cap) : logits,  m = max l,  Z = sum exp(l - m),  lse = m + log Z
//   token loss = lse - (1 - s) l_label - s mean(l) + z lse^2;   loss = scale * sum of token losses
//
// Labels, losses and cotangents are those of the whole batch, logits and gradient those of a chunk whose first
// row is `first_row`. A label equal to ignore_index gives loss 0 and gradient 0; any other label outside the
// columns gives NaN. The gradient computes m and Z again instead of reading lse: exp(l - lse) would lose digits
// where |lse| is large.
//
// No atomics: the order of additions depends on the sizes alone.   Swift: Operations/CrossEntropyRows.swift

#include "common.cl"

#ifndef LANES
#define LANES 1   // work-items per row, a power of two: 1 on processors, more on devices with many small ones
#endif
#ifndef CAPPED
#define CAPPED 0  // 1: logits pass through cap * tanh(x / cap)
#endif
#define SHARE 1024 // token losses per work-item of cross_entropy_partial

typedef struct {
  float maximum; // of l
  float sum;     // of exp(l - maximum)
  float shifted; // sum of l - maximum
} statistics;

static float group_max(float value, local float *scratch, uint lane) {
  scratch[lane] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint width = LANES / 2; width > 0; width /= 2) {
    if (lane < width) scratch[lane] = fmax(scratch[lane], scratch[lane + width]);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const float top = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return top;
}

static float sum8(float8 x) {
  const float4 four = x.lo + x.hi;
  return (four.x + four.y) + (four.z + four.w);
}

#if CAPPED
#define CAP(x) (cap * tanh((x) * inverse))
#else
#define CAP(x) (x)
#endif

// Lanes take blocks of eight columns in turn; lane 0 also takes the columns after the last whole block.
static statistics row_statistics(const global float *x, uint columns, float cap, local float *scratch,
                                 uint lane) {
  const uint blocks = columns / 8;
  const float inverse = CAPPED ? 1.0f / cap : 0.0f;
  float8 tops = -INFINITY;
  for (uint block = lane; block < blocks; block += LANES) {
    const float8 value = vload8(block, x);
    tops = value > tops ? value : tops;
  }
  const float4 four = fmax(tops.lo, tops.hi);
  float top = fmax(fmax(four.x, four.y), fmax(four.z, four.w));
  if (lane == 0)
    for (uint column = blocks * 8; column < columns; column++) top = fmax(top, x[column]);
  // tanh is monotonic: the largest capped value is that of the largest value.
  top = group_max(top, scratch, lane);
  const float maximum = CAP(top);

  // Stretches of 64 blocks keep the chains short: long ones lose digits.
  float sum = 0.0f, shifted = 0.0f;
  for (uint first = lane; first < blocks; first += 64 * LANES) {
    float8 sums = 0.0f, shifts = 0.0f;
    const uint end = min(first + 64 * LANES, blocks);
    for (uint block = first; block < end; block += LANES) {
      const float8 l = CAP(vload8(block, x)) - maximum;
      sums += exp(l);
      shifts += l;
    }
    sum += sum8(sums);
    shifted += sum8(shifts);
  }
  if (lane == 0)
    for (uint column = blocks * 8; column < columns; column++) {
      const float l = CAP(x[column]) - maximum;
      sum += exp(l);
      shifted += l;
    }
  statistics result;
  result.maximum = maximum;
  result.sum = group_sum(sum, scratch, lane, LANES);
  result.shifted = group_sum(shifted, scratch, lane, LANES);
  return result;
}

// The loss of a row whose label's logit is `target`; written by lane 0.
static float token_loss(statistics row, float target, float smoothing, float z, uint columns) {
  const float log_sum = log(row.sum);
  const float log_sum_exp = row.maximum + log_sum;
  float loss = log_sum - (1.0f - smoothing) * (target - row.maximum) + z * log_sum_exp * log_sum_exp;
  if (smoothing > 0.0f) loss -= smoothing * (row.shifted / (float)columns);
  return loss;
}

// One work-group per row.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void cross_entropy_rows(const global float *logits, const global int *labels, global float *token_losses,
                        global float *log_sum_exp, const uint columns, const ulong first_row,
                        const int ignore_index, const float smoothing, const float cap, const float z) {
  local float scratch[LANES];
  const uint lane = get_local_id(0);
  const size_t row = first_row + get_group_id(0);
  const global float *x = logits + get_group_id(0) * (size_t)columns;
  const statistics s = row_statistics(x, columns, cap, scratch, lane);
  if (lane > 0) return;
  const float inverse = CAPPED ? 1.0f / cap : 0.0f;
  const int label = labels[row];
  const bool is_inside = label >= 0 && (uint)label < columns;
  log_sum_exp[row] = s.maximum + log(s.sum);
  token_losses[row] = label == ignore_index ? 0.0f
                      : is_inside           ? token_loss(s, CAP(x[label]), smoothing, z, columns)
                                            : NAN;
}

// One work-group per row. Cotangents may be null: that of the loss then is 1, the others 0. Losses may be null.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void cross_entropy_gradient(const global float *logits, const global int *labels, global float *gradient,
                            global float *token_losses, global float *log_sum_exp,
                            const global float *loss_cotangent, const global float *token_cotangents,
                            const global float *log_sum_exp_cotangents, const uint columns, const ulong first_row,
                            const int ignore_index, const float smoothing, const float cap, const float z,
                            const float scale) {
  local float scratch[LANES];
  const uint lane = get_local_id(0);
  const size_t row = first_row + get_group_id(0);
  const global float *x = logits + get_group_id(0) * (size_t)columns;
  global float *d = gradient + get_group_id(0) * (size_t)columns;
  const float inverse = CAPPED ? 1.0f / cap : 0.0f;
  const int label = labels[row];
  const bool is_ignored = label == ignore_index;
  const bool is_inside = !is_ignored && label >= 0 && (uint)label < columns;
  const float target = is_inside ? CAP(x[label]) : NAN;
  const statistics s = row_statistics(x, columns, cap, scratch, lane);
  const float lse = s.maximum + log(s.sum);
  if (lane == 0 && log_sum_exp) log_sum_exp[row] = lse;
  if (lane == 0 && token_losses)
    token_losses[row] = is_ignored ? 0.0f : token_loss(s, target, smoothing, z, columns);

  float weight = (loss_cotangent ? loss_cotangent[0] : 1.0f) * scale;
  if (token_cotangents) weight += token_cotangents[row];
  weight = is_ignored ? 0.0f : is_inside ? weight : NAN;
  float share = weight * (1.0f + 2.0f * z * lse);
  if (is_ignored) share = 0.0f;
  if (log_sum_exp_cotangents) share += log_sum_exp_cotangents[row];
  const float factor = share / s.sum;
  const float uniform = weight * smoothing / (float)columns;
  const bool is_zero = is_ignored && !log_sum_exp_cotangents;
  // The target was read by every lane before any of them overwrites it.
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);

  const uint blocks = columns / 8;
  for (uint block = lane; block < blocks; block += LANES) {
    const float8 l = CAP(vload8(block, x));
    float8 value = factor * exp(l - s.maximum) - uniform;
#if CAPPED
    const float8 t = l * inverse;
    value *= 1.0f - t * t;
#endif
    vstore8(is_zero ? (float8)(0.0f) : value, block, d);
  }
  if (lane == 0)
    for (uint column = blocks * 8; column < columns; column++) {
      const float l = CAP(x[column]);
      float value = factor * exp(l - s.maximum) - uniform;
#if CAPPED
      const float t = l * inverse;
      value *= 1.0f - t * t;
#endif
      d[column] = is_zero ? 0.0f : value;
    }
  // The lane that wrote the label's column corrects it.
  if (is_inside && lane == ((uint)label / 8 < blocks ? (uint)label / 8 % LANES : 0)) {
    float correction = weight * (1.0f - smoothing);
#if CAPPED
    const float t = target * inverse;
    correction *= 1.0f - t * t;
#endif
    d[label] -= correction;
  }
}

// One work-item per SHARE losses.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void cross_entropy_partial(const global float *restrict token_losses, global float *restrict partial,
                           const uint count) {
  const uint first = (uint)get_group_id(0) * SHARE;
  const uint end = min(first + SHARE, count);
  float8 chain = 0.0f;
  uint i = first;
  for (; i + 8 <= end; i += 8) chain += vload8(0, token_losses + i);
  float sum = sum8(chain);
  for (; i < end; i++) sum += token_losses[i];
  partial[get_group_id(0)] = sum;
}

// A pairwise tree in place, by one work-item.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void cross_entropy_final(global float *restrict partial, global float *restrict loss, const uint count,
                         const float scale) {
  for (uint width = 1; width < count; width *= 2)
    for (uint i = 0; i + width < count; i += 2 * width) partial[i] += partial[i + width];
  loss[0] = count > 0 ? scale * partial[0] : 0.0f;
}
