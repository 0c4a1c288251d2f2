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
  vector maximum[STRIP_VECTORS], sum[STRIP_VECTORS];
  vector moment[STRIP_VECTORS]; // sum of p log2 p before normalization, for the entropy
} RowState;

// Scores [key][row] -> exp2(score - maximum) in place, state updated; returns what the output must be
// multiplied by.
static inline void online_softmax(float *scores, int from, int to, RowState *state, vector *factor) {
  for (int n = 0; n < STRIP_VECTORS; ++n) {
    const vector old_maximum = state->maximum[n];
    vector even = old_maximum, odd = old_maximum;
    for (int j = from; j < to; j += 2) { // TILE is even
      even = larger(VECTOR_AT(scores + j * STRIP, n), even);
      odd = larger(VECTOR_AT(scores + (j + 1) * STRIP, n), odd);
    }
    const vector highest = larger(even, odd);
    const vector shift = old_maximum - highest;
    factor[n] = exp2_negative(shift);
    vector sum = state->sum[n] * factor[n];
#if ENTROPY
    const vector known = (state->sum[n] > 0.0f) ? shift : (vector)(0.0f);
    vector moment = factor[n] * fma(state->sum[n], known, state->moment[n]);
#endif
    // A row that has met no allowed key yet must get 0, not exp2(MASKED - MASKED).
    const vector base = (highest < -1.0e29f) ? (vector)(0.0f) : highest;
    for (int j = from; j < to; ++j) {
      const vector x = VECTOR_AT(scores + j * STRIP, n) - base;
      const vector p = exp2_negative(x);
      sum += p;
#if ENTROPY
      moment = fma(p, x, moment);
#endif
      VECTOR_AT(scores + j * STRIP, n) = p;
    }
    state->maximum[n] = highest;
    state->sum[n] = sum;
#if ENTROPY
    state->moment[n] = moment;
#endif
  }
}

// Takes the sink in, normalizes and writes one strip.
static inline void finish_strip(
    const float *output, RowState *state, float sink, int rows, global float *o, size_t stride,
    global float *lse, global float *entropy) {
  float factors[STRIP], logs[STRIP], entropies[STRIP];
  for (int n = 0; n < STRIP_VECTORS; ++n) {
    vector maximum = state->maximum[n], sum = state->sum[n], total = sum, factor = 1.0f, moment = 0.0f;
#if ENTROPY
    moment = state->moment[n];
#endif
#if SINKS
    const vector highest = larger((vector)(sink), maximum);
    const vector shift = maximum - highest;
    factor = exp2_negative(shift);
    moment = factor * fma(sum, (sum > 0.0f) ? shift : (vector)(0.0f), moment);
    sum *= factor;
    total = sum + exp2_negative((vector)(sink)-highest);
    maximum = highest;
#endif
    // select() and not ?:, which Clang turns into a negated mask where a condition is used more than once;
    // Oclgrind 21.10 extends a negated vector of booleans wrongly.
    const int_vector dead = total <= 0.0f;
    const vector safe = select(total, (vector)(1.0f), dead);
    const vector log_total = log2(safe);
    STORE_VECTOR(select(factor / safe, (vector)(0.0f), dead), n, factors);
    STORE_VECTOR(select((maximum + log_total) * LN_2, (vector)(MASKED), dead), n, logs);
    STORE_VECTOR(select((sum * log_total - moment) * LN_2 / safe, (vector)(0.0f), dead), n, entropies);
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
  float queries[STRIPS * D * STRIP] ALIGNED;
  float outputs[STRIPS * TILED_DV * STRIP] ALIGNED;
  float keys[KEYS * STRIDE_D] ALIGNED;
  float values[KEYS * STRIDE_DV] ALIGNED;
  float scores[KEYS * STRIP] ALIGNED;
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
    for (int n = 0; n < TILED_DV * STRIP; n += VECTOR) {
      VECTOR_AT(outputs + t * TILED_DV * STRIP + n, 0) = 0.0f;
    }
    for (int n = 0; n < STRIP_VECTORS; ++n) {
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
        const int padded = WHOLE(count, TILE);
        copy_rows(k + (size_t)key0 * k_stride, k_stride, count, padded, D, 1.0f, keys, STRIDE_D);
        copy_rows(v + (size_t)key0 * v_stride, v_stride, count, padded, DV, 1.0f, values, STRIDE_DV);
        loaded = 1;
      }
      for (int j = strip.from; j < strip.to; j += TILE) {
        tile_scores(keys + j * STRIDE_D, STRIDE_D, queries + t * D * STRIP, D, scores + j * STRIP, STRIP);
      }
#if DOCUMENTS
      shape_scores(
          scores, STRIP, 0, reach, strip, key0, softcap, slope, test_documents, row_documents + t * STRIP,
          documents, test_mask, mask);
#else
      shape_scores(scores, STRIP, 0, reach, strip, key0, softcap, slope, 0, 0, documents, test_mask, mask);
#endif
      vector factor[STRIP_VECTORS];
      online_softmax(scores, strip.from, strip.to, &states[t], factor);
      for (int d = 0; d < DV; d += TILE) {
        tile_accumulate(
            values + strip.from * STRIDE_DV + d, STRIDE_DV, scores + strip.from * STRIP, STRIP,
            strip.to - strip.from, outputs + (t * TILED_DV + d) * STRIP, factor);
      }
    }
  }

  for (int t = 0; t < strips; ++t) {
    finish_strip(
        outputs + t * TILED_DV * STRIP, &states[t], sink, min(STRIP, rows - t * STRIP),
        o + (size_t)(t * STRIP) * o_stride, o_stride, lse + statistics + t * STRIP,
        entropy + statistics + t * STRIP);
  }
}
