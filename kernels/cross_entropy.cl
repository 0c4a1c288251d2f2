// cross_entropy.cl - softmax cross-entropy of rows of logits, and its gradient
//
//   cross_entropy_rows      logits [rows, columns], labels -> token_losses, log_sum_exp
//   cross_entropy_gradient  the same, and gradient [rows, columns], which may be the logits' own memory
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

#include "parts.cl"

typedef struct {
  float maximum; // of l
  float sum;     // of exp(l - maximum)
  float shifted; // sum of l - maximum
} statistics;

#if CAPPED
#define CAP(x) (cap * tanh((x) * inverse))
#else
#define CAP(x) (x)
#endif

// Lanes take blocks of PART columns in turn, and the columns after the last whole block one by one.
static statistics row_statistics(const global float *x, uint columns, float cap, local float *scratch,
                                 uint lane) {
  const uint blocks = columns / PART;
  const float inverse = CAPPED ? 1.0f / cap : 0.0f;
  part_t tops = -INFINITY;
  for (uint block = lane; block < blocks; block += LANES) {
    const part_t value = LOAD_PART(x + block * PART);
    tops = value > tops ? value : tops;
  }
  float top = part_max(tops);
  for (uint column = blocks * PART + lane; column < columns; column += LANES) top = fmax(top, x[column]);
  // tanh is monotonic: the largest capped value is that of the largest value.
  top = group_max(top, scratch, lane, LANES);
  const float maximum = CAP(top);

  // Stretches of 64 blocks keep the chains short: long ones lose digits.
  float sum = 0.0f, shifted = 0.0f;
  for (uint first = lane; first < blocks; first += 64 * LANES) {
    part_t sums = 0.0f, shifts = 0.0f;
    const uint end = min(first + 64 * LANES, blocks);
    for (uint block = first; block < end; block += LANES) {
      const part_t l = CAP(LOAD_PART(x + block * PART)) - maximum;
      sums += exp(l);
      shifts += l;
    }
    sum += part_sum(sums);
    shifted += part_sum(shifts);
  }
  for (uint column = blocks * PART + lane; column < columns; column += LANES) {
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

  const uint blocks = columns / PART;
  for (uint block = lane; block < blocks; block += LANES) {
    const part_t l = CAP(LOAD_PART(x + block * PART));
    part_t value = factor * exp(l - s.maximum) - uniform;
#if CAPPED
    const part_t t = l * inverse;
    value *= 1.0f - t * t;
#endif
    STORE_PART(is_zero ? (part_t)(0.0f) : value, d + block * PART);
  }
  for (uint column = blocks * PART + lane; column < columns; column += LANES) {
    const float l = CAP(x[column]);
    float value = factor * exp(l - s.maximum) - uniform;
#if CAPPED
    const float t = l * inverse;
    value *= 1.0f - t * t;
#endif
    d[column] = is_zero ? 0.0f : value;
  }
  // The lane that wrote the label's column corrects it.
  const uint owner = (uint)label / PART < blocks ? (uint)label / PART : (uint)label - blocks * PART;
  if (is_inside && lane == owner % LANES) {
    float correction = weight * (1.0f - smoothing);
#if CAPPED
    const float t = target * inverse;
    correction *= 1.0f - t * t;
#endif
    d[label] -= correction;
  }
}
