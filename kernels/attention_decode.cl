// attention_decode.cl - softmax attention of a few query rows against many keys
//
//   attention_decode        partial outputs [B,splits,Hq,Tq,DV] of one range of keys each, and their statistics
//   attention_decode_merge  partial outputs -> o, lse, entropy
//
// Few query rows against many keys is bound by reading k and v once: here vector lanes run along the head
// width and every query row that reads a key head uses the block of KEYS keys while it is in the
// cache.
// Macros: attention_common.cl. Swift: Operations/Attention+OpenCL.swift

#include "attention_common.cl"

// Scores of 4 keys with one query row: keys 0 ... last exist, the others repeat the last.
static inline float4 decode_scores(const float *query, global const float *k, size_t stride, int last) {
  global const float *k0 = k;
  global const float *k1 = k + (size_t)min(1, last) * stride;
  global const float *k2 = k + (size_t)min(2, last) * stride;
  global const float *k3 = k + (size_t)min(3, last) * stride;
  float8 c0 = 0.0f, c1 = 0.0f, c2 = 0.0f, c3 = 0.0f;
#pragma unroll 4
  for (int d = 0; d + 8 <= D; d += 8) {
    const float8 x = vload8(0, query + d);
    c0 = fma(x, vload8(0, k0 + d), c0);
    c1 = fma(x, vload8(0, k1 + d), c1);
    c2 = fma(x, vload8(0, k2 + d), c2);
    c3 = fma(x, vload8(0, k3 + d), c3);
  }
  float4 s0 = c0.lo + c0.hi, s1 = c1.lo + c1.hi, s2 = c2.lo + c2.hi, s3 = c3.lo + c3.hi;
#if D % 8 != 0
  const float4 x = vload4(0, query + D - 4);
  s0 = fma(x, vload4(0, k0 + D - 4), s0);
  s1 = fma(x, vload4(0, k1 + D - 4), s1);
  s2 = fma(x, vload4(0, k2 + D - 4), s2);
  s3 = fma(x, vload4(0, k3 + D - 4), s3);
#endif
  transpose_4x4(&s0, &s1, &s2, &s3);
  return (s0 + s1) + (s2 + s3);
}

// Soft cap, position bias and masks for 8 keys of one row.
static inline float8 decode_shape(
    float8 scores, Reach reach, int row, int key0, float softcap, float slope, global const int *documents,
    global const uchar *mask) {
  const int position = row + reach.offset;
  const int8 key = key0 + LANE_NUMBERS;
#if SOFTCAP
  scores = tanh_of_scaled(scores) * (softcap * LOG2_E);
#endif
#if ALIBI
  scores -= slope * convert_float8(abs(position - key));
#endif
  int8 outside = (key < first_key(reach, row)) | (key > last_key(reach, row));
#if DOCUMENTS || MASK
  int hidden[8];
  for (int n = 0; n < 8; ++n) {
    const int existing = min(key0 + n, reach.key_time - 1);
    hidden[n] = 0;
#if DOCUMENTS
    hidden[n] |= (documents[existing] != documents[max(position, 0)]) ? -1 : 0;
#endif
#if MASK
    hidden[n] |= (mask[(size_t)row * (size_t)reach.key_time + existing] == 0) ? -1 : 0;
#endif
  }
  outside |= vload8(0, hidden);
#endif
  return outside ? (float8)(MASKED) : scores;
}

static inline float largest_lane(float8 x) {
  const float4 a = (x.lo > x.hi) ? x.lo : x.hi;
  const float2 b = (a.lo > a.hi) ? a.lo : a.hi;
  return (b.x > b.y) ? b.x : b.y;
}

static inline float sum_lanes(float8 x) {
  const float4 a = x.lo + x.hi;
  const float2 b = a.lo + a.hi;
  return b.x + b.y;
}

// output [DV] = output * factor + weights [count] times rows of v; weights past count are 0.
static inline void decode_add_values(
    const float *weights, global const float *v, size_t stride, int count, float factor,
    global float *output) {
  float sums[DV];
  for (int d = 0; d < DV; d += 4) {
    vstore4(vload4(0, output + d) * factor, 0, sums + d);
  }
  for (int j = 0; j < count; j += 4) {
    const float p0 = weights[j], p1 = weights[j + 1], p2 = weights[j + 2], p3 = weights[j + 3];
    global const float *v0 = v + (size_t)j * stride;
    global const float *v1 = v + (size_t)min(j + 1, count - 1) * stride;
    global const float *v2 = v + (size_t)min(j + 2, count - 1) * stride;
    global const float *v3 = v + (size_t)min(j + 3, count - 1) * stride;
    for (int d = 0; d + 8 <= DV; d += 8) {
      float8 sum = vload8(0, sums + d);
      sum = fma((float8)(p0), vload8(0, v0 + d), sum);
      sum = fma((float8)(p1), vload8(0, v1 + d), sum);
      sum = fma((float8)(p2), vload8(0, v2 + d), sum);
      sum = fma((float8)(p3), vload8(0, v3 + d), sum);
      vstore8(sum, 0, sums + d);
    }
#if DV % 8 != 0
    float4 sum = vload4(0, sums + DV - 4);
    sum = fma((float4)(p0), vload4(0, v0 + DV - 4), sum);
    sum = fma((float4)(p1), vload4(0, v1 + DV - 4), sum);
    sum = fma((float4)(p2), vload4(0, v2 + DV - 4), sum);
    sum = fma((float4)(p3), vload4(0, v3 + DV - 4), sum);
    vstore4(sum, 0, sums + DV - 4);
#endif
  }
  for (int d = 0; d < DV; d += 4) {
    vstore4(vload4(0, sums + d), 0, output + d);
  }
}

// One block of keys for one query row: output and statistics (maximum, sum, moment) are updated.
static inline void decode_block(
    global const float *query, global const float *k, global const float *v, size_t k_stride, size_t v_stride,
    int count, Reach reach, int row, int key0, float factor, float softcap, float slope,
    global const int *documents, global const uchar *mask, global float *output, global float *statistics) {
  float weights[KEYS];
  float scaled_query[D];
  for (int d = 0; d < D; d += 4) {
    vstore4(vload4(0, query + d) * factor, 0, scaled_query + d);
  }
  const float old_maximum = statistics[0];
  float maximum = old_maximum;
  for (int j = 0; j < count; j += 8) {
    const int next = min(j + 4, count - 1);
    const float8 raw =
        (float8)(decode_scores(scaled_query, k + (size_t)j * k_stride, k_stride, count - 1 - j),
                 decode_scores(scaled_query, k + (size_t)next * k_stride, k_stride, count - 1 - next));
    // Lanes past the block repeat its last key, which must not count twice.
    const float8 shaped = decode_shape(raw, reach, row, key0 + j, softcap, slope, documents, mask);
    const float8 scores = (j + LANE_NUMBERS >= count) ? (float8)(MASKED) : shaped;
    maximum = fmax(maximum, largest_lane(scores));
    vstore8(scores, 0, weights + j);
  }
  const float base = (maximum < -1.0e29f) ? 0.0f : maximum;
  const float shift = old_maximum - maximum;
  const float rescale = exp2_negative((float8)(shift)).s0;
  float8 sums = 0.0f, moments = 0.0f;
  for (int j = 0; j < count; j += 8) {
    const float8 x = vload8(0, weights + j) - base;
    const float8 p = exp2_negative(x);
    sums += p;
    moments = fma(p, x, moments);
    vstore8(p, 0, weights + j);
  }
  const float old_sum = statistics[1];
  statistics[2] = rescale * fma(old_sum, (old_sum > 0.0f) ? shift : 0.0f, statistics[2]) + sum_lanes(moments);
  statistics[1] = rescale * old_sum + sum_lanes(sums);
  statistics[0] = maximum;
  decode_add_values(weights, v, v_stride, count, rescale, output);
}

// One work-item per (batch, range of keys, share of the key heads). partial_outputs [B, splits, Hq, Tq,
// DV], partial_statistics [B, splits, Hq, Tq, 4]: maximum, sum and moment in units of log 2, not
// normalized.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_decode(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const int *restrict documents,
    global const uchar *restrict mask, global float *restrict partial_outputs,
    global float *restrict partial_statistics, int query_time, int key_time, int query_heads,
    int key_heads, float scale, float softcap, int causal, int window_left, int window_right,
    int splits, int shares) {
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const int item = (int)get_global_id(0);
  const int share = item % shares;
  const int split = (item / shares) % splits;
  const size_t batch = (size_t)(item / shares / splits);
  const int group = query_heads / key_heads;
  const int first_head = (int)((long)key_heads * share / shares);
  const int end_head = (int)((long)key_heads * (share + 1) / shares);
  const size_t q_stride = (size_t)query_heads * D;
  const size_t k_stride = (size_t)key_heads * D, v_stride = (size_t)key_heads * DV;
  q += batch * query_time * q_stride;
  k += batch * key_time * k_stride;
  v += batch * key_time * v_stride;
#if DOCUMENTS
  documents += batch * key_time;
#endif
  const size_t rows0 = (batch * splits + split) * query_heads * query_time;
  for (int row = first_head * group * query_time; row < end_head * group * query_time; ++row) {
    global float *statistics = partial_statistics + (rows0 + row) * 4;
    vstore4((float4)(MASKED, 0.0f, 0.0f, 0.0f), 0, statistics);
    for (int d = 0; d < DV; d += 4) {
      vstore4((float4)(0.0f), 0, partial_outputs + (rows0 + row) * DV + d);
    }
  }
  const int first = first_key(reach, 0);
  const int total = max(last_key(reach, query_time - 1) + 1 - first, 0);
  const int blocks = (total + KEYS - 1) / KEYS;
  const int begin = (int)((long)blocks * split / splits), end = (int)((long)blocks * (split + 1) / splits);
  for (int block = begin; block < end; ++block) {
    const int key0 = first + block * KEYS;
    const int count = min(KEYS, first + total - key0);
    for (int key_head = first_head; key_head < end_head; ++key_head) {
      for (int member = 0; member < group * query_time; ++member) {
        const int head = key_head * group + member / query_time;
        const int row = member % query_time;
#if ALIBI
        const float slope = slopes[head] * LOG2_E;
#else
        const float slope = 0.0f;
#endif
        const size_t place = rows0 + (size_t)head * query_time + row;
        decode_block(
            q + (size_t)row * q_stride + (size_t)head * D, k + (size_t)key0 * k_stride + (size_t)key_head * D,
            v + (size_t)key0 * v_stride + (size_t)key_head * DV, k_stride, v_stride, count, reach, row, key0,
            score_factor(scale, softcap), softcap, slope, documents, mask, partial_outputs + place * DV,
            partial_statistics + place * 4);
      }
    }
  }
}

// One work-item per (batch, query head, query row).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_decode_merge(
    global const float *restrict partial_outputs, global const float *restrict partial_statistics,
    global const float *restrict sinks, global float *restrict o, global float *restrict lse,
    global float *restrict entropy, int query_time, int query_heads, int splits) {
  const int item = (int)get_global_id(0);
  const int row = item % query_time;
  const int head = (item / query_time) % query_heads;
  const size_t batch = (size_t)(item / query_time / query_heads);
  const size_t rows = (size_t)query_heads * query_time;
  const size_t place0 = batch * splits * rows + (size_t)head * query_time + row;
  o += ((batch * query_time + row) * query_heads + head) * DV;
  float maximum = MASKED;
  for (int split = 0; split < splits; ++split) {
    maximum = fmax(maximum, partial_statistics[(place0 + split * rows) * 4]);
  }
#if SINKS
  const float sink = sinks[head] * LOG2_E;
  maximum = fmax(maximum, sink);
#endif
  float sum = 0.0f, moment = 0.0f;
  for (int split = 0; split < splits; ++split) {
    const float4 part = vload4(place0 + split * rows, partial_statistics);
    const float shift = part.x - maximum;
    const float factor = exp2(shift);
    sum = fma(factor, part.y, sum);
    moment = fma(factor, fma(part.y, (part.y > 0.0f) ? shift : 0.0f, part.z), moment);
  }
  float total = sum;
#if SINKS
  total += exp2(sink - maximum);
#endif
  const int dead = total <= 0.0f;
  const float safe = dead ? 1.0f : total;
  const float log_total = log2(safe);
  for (int d = 0; d < DV; d += 4) {
    float4 value = 0.0f;
    for (int split = 0; split < splits; ++split) {
      const float factor = exp2(partial_statistics[(place0 + split * rows) * 4] - maximum) / safe;
      value = fma(vload4(0, partial_outputs + (place0 + split * rows) * DV + d), factor, value);
    }
    vstore4(value, 0, o + d);
  }
  lse[(batch * query_heads + head) * query_time + row] = dead ? MASKED : (maximum + log_total) * LN_2;
#if ENTROPY
  entropy[(batch * query_heads + head) * query_time + row] =
      dead ? 0.0f : (sum * log_total - moment) * LN_2 / safe;
#endif
}
