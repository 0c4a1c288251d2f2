// attention.cl - exact softmax attention with an online softmax: the forward
//
//   attention_forward       q [B,Tq,Hq,D], k [B,Tk,Hk,D], v [B,Tk,Hk,DV]
//                             -> o [B,Tq,Hq,DV], lse [B,Hq,Tq], entropy [B,Hq,Tq]
//
//   L_i = log(sum_j exp(s_ij) [+ exp(sink_h)]);  P_ij = exp(s_ij - L_i);  o_i = sum_j P_ij v_j
//
// One work-item per block of query rows, work-groups of one. Macros and method: attention_common.cl.
// Swift: Operations/Attention+OpenCL.swift

#include "attention_blocks.cl"

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

// A block of query rows in private memory.
typedef struct {
  int row0, rows, strips;
  float *queries; // strips of [D][STRIP]
  float *outputs; // strips of [TILED_DV][STRIP]
  RowState *states;
  int *documents; // of every row
  int2 *strip_documents; // the least and the greatest
} QueryBlock;

// q: the block's first row.
static inline void start_rows(
    const QueryBlock *block, const Keys *from, global const float *q, size_t q_stride, float factor) {
  for (int t = 0; t < block->strips; ++t) {
    pack_transposed(
        q + (size_t)(t * STRIP) * q_stride, q_stride, min(STRIP, block->rows - t * STRIP), D, factor,
        block->queries + t * D * STRIP);
    for (int n = 0; n < TILED_DV * STRIP; n += VECTOR) {
      VECTOR_AT(block->outputs + t * TILED_DV * STRIP + n, 0) = 0.0f;
    }
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      block->states[t].maximum[n] = MASKED;
      block->states[t].sum[n] = 0.0f;
      block->states[t].moment[n] = 0.0f;
    }
#if DOCUMENTS
    block->strip_documents[t] = load_row_documents(
        from->documents, from->reach, block->row0 + t * STRIP, block->documents + t * STRIP);
#endif
  }
}

// Strip t meets the keys of a block: states and outputs follow.
static inline void attend_strip(
    const QueryBlock *block, int t, const Keys *from, KeyBlock *key_block, float *keys, float *values,
    float *scores) {
  const Strip strip = make_strip(from->reach, block->row0 + t * STRIP, key_block->key0, key_block->count);
  if (strip.from >= strip.to) {
    return;
  }
  const Visit visit = make_visit(from, key_block, strip, STRIP_DOCUMENTS(block, t));
  if (!visit.any) {
    return;
  }
  load_key_block(from, key_block, keys, values);
  strip_scores(strip, keys, STRIDE_D, block->queries + t * D * STRIP, D, scores, STRIP);
  shape_scores(scores, STRIP, 0, from, strip, key_block->key0, visit, ROW_DOCUMENTS(block, t));
  vector factor[STRIP_VECTORS];
  online_softmax(scores, strip.from, strip.to, &block->states[t], factor);
  for (int d = 0; d < DV; d += TILE) {
    tile_accumulate(
        values + strip.from * STRIDE_DV + d, STRIDE_DV, scores + strip.from * STRIP, STRIP,
        strip.to - strip.from, block->outputs + (t * TILED_DV + d) * STRIP, factor);
  }
}

// Blocks of rows in the order first, last, second, last but one, ...: under a causal mask any run of
// work-items then carries about the same work, however the device deals them out.
static inline int balanced_block(int n, int count) { return (n & 1) ? count - 1 - (n >> 1) : (n >> 1); }

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_forward(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global float *restrict o,
    global float *restrict lse, global float *restrict entropy, int query_time, int key_time, int query_heads,
    int key_heads, float scale, float softcap, int causal, int window_left, int window_right) {
  float queries[STRIPS * D * STRIP] ALIGNED;
  float outputs[STRIPS * TILED_DV * STRIP] ALIGNED;
  float keys[KEYS * STRIDE_D] ALIGNED;
  float values[KEYS * STRIDE_DV] ALIGNED;
  float scores[KEYS * STRIP] ALIGNED;
  RowState states[STRIPS];
  const int blocks = (query_time + ROWS - 1) / ROWS;
  const int item = (int)get_global_id(0);
  const int row0 = balanced_block(item % blocks, blocks) * ROWS;
  const int head = (item / blocks) % query_heads;
  const size_t batch = (size_t)(item / blocks / query_heads);
  const int rows = min(ROWS, query_time - row0);
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const Keys from = keys_of_head(
      k, v, documents, mask, reach, batch, head / (query_heads / key_heads), key_heads, softcap,
      ALIBI ? slopes[head] * LOG2_E : 0.0f);
  QueryBlock block = {row0, rows, (rows + STRIP - 1) / STRIP, queries, outputs, states, 0, 0};
#if DOCUMENTS
  int row_documents[STRIPS * STRIP];
  int2 strip_documents[STRIPS];
  block.documents = row_documents;
  block.strip_documents = strip_documents;
#endif
  const size_t q_stride = (size_t)query_heads * D, o_stride = (size_t)query_heads * DV;
  q += (batch * query_time + row0) * q_stride + (size_t)head * D;
  o += (batch * query_time + row0) * o_stride + (size_t)head * DV;
  const size_t statistics = (batch * query_heads + head) * query_time + row0;

  start_rows(&block, &from, q, q_stride, score_factor(scale, softcap));
  const int end = last_key(reach, row0 + rows - 1) + 1;
  for (int key0 = first_key(reach, row0); key0 < end; key0 += KEYS) {
    KeyBlock key_block = make_key_block(&from, key0, min(KEYS, end - key0));
    for (int t = 0; t < block.strips; ++t) {
      attend_strip(&block, t, &from, &key_block, keys, values, scores);
    }
  }
  const float sink = SINKS ? sinks[head] * LOG2_E : 0.0f;
  for (int t = 0; t < block.strips; ++t) {
    finish_strip(
        outputs + t * TILED_DV * STRIP, &states[t], sink, min(STRIP, rows - t * STRIP),
        o + (size_t)(t * STRIP) * o_stride, o_stride, lse + statistics + t * STRIP,
        entropy + statistics + t * STRIP);
  }
}
