// attention.cl - exact softmax attention with an online softmax: the forward
//
//   attention_forward       q [B,Tq,Hq,D], k [B,Tk,Hk,D], v [B,Tk,Hk,DV]
//                             -> o [B,Tq,Hq,DV], lse [B,Hq,Tq], entropy [B,Hq,Tq]
//
//   L_i = log(sum_j exp(s_ij) [+ exp(sink_h)]);  P_ij = exp(s_ij - L_i);  o_i = sum_j P_ij v_j
//
// One work-item per block of query rows, work-groups of one. Macros and method: attention_common.cl.
// Swift: Operations/Attention+OpenCL.swift

#include "attention_common.cl"

typedef struct {
  float8 maximum[3], sum[3], moment[3]; // moment: sum of p log2 p before normalization, for the entropy
} RowState;

// Scores [key][row] -> exp2(score - maximum) in place, state updated; returns what the output must be
// multiplied by.
static inline void online_softmax(float *scores, int from, int to, RowState *state, float8 *factor) {
  for (int n = 0; n < 3; ++n) {
    float8 highest = state->maximum[n];
    for (int j = from; j < to; ++j) {
      highest = larger(vload8(n, scores + j * STRIP), highest);
    }
    const float8 shift = state->maximum[n] - highest;
    factor[n] = exp2_negative(shift);
#if ENTROPY
    const float8 known = (state->sum[n] > 0.0f) ? shift : (float8)(0.0f);
    state->moment[n] = factor[n] * fma(state->sum[n], known, state->moment[n]);
#endif
    state->sum[n] *= factor[n];
    state->maximum[n] = highest;
  }
  // A row that has met no allowed key yet must get 0, not exp2(MASKED - MASKED).
  const float8 base0 = (state->maximum[0] < -1.0e29f) ? (float8)(0.0f) : state->maximum[0];
  const float8 base1 = (state->maximum[1] < -1.0e29f) ? (float8)(0.0f) : state->maximum[1];
  const float8 base2 = (state->maximum[2] < -1.0e29f) ? (float8)(0.0f) : state->maximum[2];
  float8 sum0 = state->sum[0], sum1 = state->sum[1], sum2 = state->sum[2];
#if ENTROPY
  float8 moment0 = state->moment[0], moment1 = state->moment[1], moment2 = state->moment[2];
#endif
  for (int j = from; j < to; ++j) {
    float *s = scores + j * STRIP;
    const float8 x0 = vload8(0, s) - base0, x1 = vload8(1, s) - base1, x2 = vload8(2, s) - base2;
    const float8 p0 = exp2_negative(x0), p1 = exp2_negative(x1), p2 = exp2_negative(x2);
    sum0 += p0;
    sum1 += p1;
    sum2 += p2;
#if ENTROPY
    moment0 = fma(p0, x0, moment0);
    moment1 = fma(p1, x1, moment1);
    moment2 = fma(p2, x2, moment2);
#endif
    vstore8(p0, 0, s);
    vstore8(p1, 1, s);
    vstore8(p2, 2, s);
  }
  state->sum[0] = sum0;
  state->sum[1] = sum1;
  state->sum[2] = sum2;
#if ENTROPY
  state->moment[0] = moment0;
  state->moment[1] = moment1;
  state->moment[2] = moment2;
#endif
}

// Takes the sink in, normalizes and writes one strip.
static inline void finish_strip(
    const float *output, RowState *state, float sink, int rows, global float *o, size_t stride,
    global float *lse, global float *entropy) {
  float factors[STRIP], logs[STRIP], entropies[STRIP];
  for (int n = 0; n < 3; ++n) {
    float8 maximum = state->maximum[n], sum = state->sum[n], total = sum, factor = 1.0f, moment = 0.0f;
#if ENTROPY
    moment = state->moment[n];
#endif
#if SINKS
    const float8 highest = larger((float8)(sink), maximum);
    const float8 shift = maximum - highest;
    factor = exp2_negative(shift);
    moment = factor * fma(sum, (sum > 0.0f) ? shift : (float8)(0.0f), moment);
    sum *= factor;
    total = sum + exp2_negative((float8)(sink)-highest);
    maximum = highest;
#endif
    // select() and not ?:, which Clang turns into a negated mask where a condition is used more than once;
    // Oclgrind 21.10 extends a negated vector of booleans wrongly.
    const int8 dead = total <= 0.0f;
    const float8 safe = select(total, (float8)(1.0f), dead);
    const float8 log_total = log2(safe);
    vstore8(select(factor / safe, (float8)(0.0f), dead), n, factors);
    vstore8(select((maximum + log_total) * LN_2, (float8)(MASKED), dead), n, logs);
    vstore8(select((sum * log_total - moment) * LN_2 / safe, (float8)(0.0f), dead), n, entropies);
  }
  unpack_transposed(output, factors, rows, DV, o, stride);
  for (int r = 0; r < rows; ++r) {
    lse[r] = logs[r];
#if ENTROPY
    entropy[r] = entropies[r];
#endif
  }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_forward(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global float *restrict o,
    global float *restrict lse, global float *restrict entropy, int query_time, int key_time,
    int key_capacity, int query_heads, int key_heads, float scale, float softcap, int causal, int window_left,
    int window_right) {
  float queries[STRIPS * D * STRIP];
  float outputs[STRIPS * DV * STRIP];
  float keys[KEYS * KEY_STRIDE];
  float values[KEYS * VALUE_STRIDE];
  float scores[KEYS * STRIP];
  RowState states[STRIPS];
#if DOCUMENTS
  int row_documents[STRIPS * STRIP];
  int2 strip_documents[STRIPS];
#endif
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const int blocks = (query_time + ROWS - 1) / ROWS;
  const int item = (int)get_global_id(0);
  const int row0 = balanced_block(item % blocks, blocks) * ROWS;
  const int head = (item / blocks) % query_heads;
  const size_t batch = (size_t)(item / blocks / query_heads);
  const int key_head = head / (query_heads / key_heads);
  const int rows = min(ROWS, query_time - row0);
  const int strips = (rows + STRIP - 1) / STRIP;
  const size_t q_stride = (size_t)query_heads * D, o_stride = (size_t)query_heads * DV;
  const size_t k_stride = (size_t)key_heads * D, v_stride = (size_t)key_heads * DV;
  q += (batch * query_time + row0) * q_stride + (size_t)head * D;
  o += (batch * query_time + row0) * o_stride + (size_t)head * DV;
  k += batch * key_capacity * k_stride + (size_t)key_head * D;
  v += batch * key_capacity * v_stride + (size_t)key_head * DV;
  const size_t statistics = (batch * query_heads + head) * query_time + row0;
#if DOCUMENTS
  documents += batch * key_time;
#endif
#if ALIBI
  const float slope = slopes[head] * LOG2_E;
#else
  const float slope = 0.0f;
#endif
#if SINKS
  const float sink = sinks[head] * LOG2_E;
#else
  const float sink = 0.0f;
#endif

  for (int t = 0; t < strips; ++t) {
    pack_transposed(
        q + (size_t)(t * STRIP) * q_stride, q_stride, min(STRIP, rows - t * STRIP), D,
        score_factor(scale, softcap), queries + t * D * STRIP);
    for (int n = 0; n < DV * STRIP; n += 8) {
      vstore8((float8)(0.0f), 0, outputs + t * DV * STRIP + n);
    }
    for (int n = 0; n < 3; ++n) {
      states[t].maximum[n] = MASKED;
      states[t].sum[n] = 0.0f;
      states[t].moment[n] = 0.0f;
    }
#if DOCUMENTS
    strip_documents[t] = load_row_documents(documents, reach, row0 + t * STRIP, row_documents + t * STRIP);
#endif
  }

  const int end = last_key(reach, row0 + rows - 1) + 1;
  for (int key0 = first_key(reach, row0); key0 < end; key0 += KEYS) {
    const int count = min(KEYS, end - key0);
#if DOCUMENTS
    const int2 block_documents = document_range(documents + key0, count);
#endif
    int loaded = 0;
    for (int t = 0; t < strips; ++t) {
      const Strip strip = make_strip(reach, row0 + t * STRIP, key0, count);
      if (strip.from >= strip.to) {
        continue;
      }
      int test_documents = 0, test_mask = 0;
#if DOCUMENTS
      const int2 mine = strip_documents[t];
      if (block_documents.y < mine.x || block_documents.x > mine.y) {
        continue;
      }
      test_documents = block_documents.x != mine.y || block_documents.y != mine.x;
#endif
#if MASK
      const int coverage = mask_coverage(mask, reach, strip, key0);
      if (coverage == 0) {
        continue;
      }
      test_mask = coverage == 1;
#endif
      if (!loaded) {
        const int padded = (count + 3) & ~3;
        copy_rows(k + (size_t)key0 * k_stride, k_stride, count, padded, D, D, 1.0f, keys, KEY_STRIDE);
        copy_rows(v + (size_t)key0 * v_stride, v_stride, count, padded, DV, DV, 1.0f, values, VALUE_STRIDE);
        loaded = 1;
      }
      for (int j = strip.from; j < strip.to; j += 4) {
        tile_scores(keys + j * KEY_STRIDE, KEY_STRIDE, queries + t * D * STRIP, D, scores + j * STRIP, STRIP);
      }
#if DOCUMENTS
      shape_scores(
          scores, STRIP, 0, reach, strip, key0, softcap, slope, test_documents, row_documents + t * STRIP,
          documents, test_mask, mask);
#else
      shape_scores(scores, STRIP, 0, reach, strip, key0, softcap, slope, 0, 0, documents, test_mask, mask);
#endif
      float8 factor[3];
      online_softmax(scores, strip.from, strip.to, &states[t], factor);
      for (int d = 0; d < DV; d += 4) {
        tile_accumulate(
            values + strip.from * VALUE_STRIDE + d, VALUE_STRIDE, scores + strip.from * STRIP, STRIP,
            strip.to - strip.from, outputs + (t * DV + d) * STRIP, factor[0], factor[1], factor[2]);
      }
    }
  }

  for (int t = 0; t < strips; ++t) {
    finish_strip(
        outputs + t * DV * STRIP, &states[t], sink, min(STRIP, rows - t * STRIP),
        o + (size_t)(t * STRIP) * o_stride, o_stride, lse + statistics + t * STRIP,
        entropy + statistics + t * STRIP);
  }
}
