// attention_tiled_backward.cl - the gradient of softmax attention for graphics processors
//
//   attention_tiled_keys      dk, dv: a work-group owns ROWS keys and walks over the query rows that see them
//   attention_tiled_queries   dq: a work-group owns ROWS query rows and walks over the keys that they see
//
//   dv_j = sum_i P_ij do_i;  dS_ij = P_ij (do_i.v_j - do_i.o_i)
//   dq_i = scale sum_j dS_ij k_j;  dk_j = scale sum_i dS_ij q_i
//
// do_i.o_i come from attention_tiled_terms.cl. Scores are made twice, so that every number is added up by one item, in a fixed order, without atomics.
// Macros and method: attention_tiles.cl.   Swift: Operations/Attention+Graphics.swift

#include "attention_tiles.cl"

#define OUTPUTS_D OUTPUT_VECTORS(D4)
#define OUTPUTS_DV OUTPUT_VECTORS(DV4)
#define OWNED_SIZE (ROWS * OWNED_STRIDE)

// What both kernels read: all of one batch element.
typedef struct {
  size_t q_stride, k_stride, o_stride, v_stride;
  Reach reach;
  global const int *documents;
  global const uchar *mask;
  float scale, softcap;
} Problem;

static inline Problem make_problem(
    int query_heads, int key_heads, Reach reach, global const int *documents, global const uchar *mask,
    float scale, float softcap) {
  Problem problem;
  problem.q_stride = (size_t)query_heads * D4;
  problem.k_stride = (size_t)key_heads * D4;
  problem.o_stride = (size_t)query_heads * DV4;
  problem.v_stride = (size_t)key_heads * DV4;
  problem.reach = reach;
  problem.documents = documents;
  problem.mask = mask;
  problem.scale = scale;
  problem.softcap = softcap;
  return problem;
}

// Raw score and do_i.v_j of a pair -> P in score, dS in gradient.
static inline void pair_gradient(
    Problem problem, int seen, int row, int key, float slope, float log_sum, float term, float *score,
    float *gradient) {
  float cap_slope = 1.0f;
  const float shaped = shape_score(
      *score * score_factor(problem.scale, problem.softcap), abs(row + problem.reach.offset - key),
      problem.softcap, slope, &cap_slope);
  const float p = seen ? exp2(shaped - log_sum) : 0.0f;
  *score = p;
  *gradient = p * (*gradient - term) * cap_slope;
}

// numbers [ITEM_ROWS][ITEM_COLUMNS] of all items -> weights, not yet visible to the others.
static inline void store_weights(const float *numbers, local float4 *weights, int y, int x) {
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
#pragma unroll
    for (int j = 0; j < ITEM_COLUMNS; ++j) {
      ((local float *)weights)[(y + ROW_ITEMS * i) * (WEIGHT_STRIDE * 4) + x + LANES * j] =
          numbers[i * ITEM_COLUMNS + j];
    }
  }
}

// Writes the first `count` rows of the tile.
static inline void store_rows(
    const float4 *outputs, int vectors, int width, float factor, global float4 *target, size_t stride, int count,
    int y, int x) {
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
#pragma unroll
    for (int n = 0; n < vectors; ++n) {
      if (y + ROW_ITEMS * i < count && x + LANES * n < width) {
        target[(size_t)(y + ROW_ITEMS * i) * stride + x + LANES * n] = outputs[i * vectors + n] * factor;
      }
    }
  }
}

// One work-group per (batch, key head, block of keys). Rows of the tile are keys, columns query rows.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled_keys(
    global const float4 *restrict q, global const float4 *restrict k, global const float4 *restrict v,
    global const float *restrict slopes, global const int *restrict documents,
    global const uchar *restrict mask, global const float *restrict lse, global const float *restrict row_terms,
    global const float4 *restrict output_gradient, global float4 *restrict dk, global float4 *restrict dv,
    int query_time, int key_time, int query_heads, int key_heads, float scale, float softcap, int causal,
    int window_left, int window_right) {
  local float4 owned[OWNED_SIZE * (STAYS ? 2 : 1)], visited[STAGE_SIZE], weights[ROWS * WEIGHT_STRIDE];
  local int4 votes[GROUP / 4];
  local float4 *owned_values = owned + (STAYS ? OWNED_SIZE : 0);
  const int y = (int)get_local_id(0) / LANES, x = (int)get_local_id(0) % LANES;
  const int blocks = (key_time + ROWS - 1) / ROWS, place = (int)get_group_id(0);
  const int key0 = place % blocks * ROWS, count = min(ROWS, key_time - key0);
  const int key_head = place / blocks % key_heads;
  const size_t batch = (size_t)(place / blocks / key_heads);
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const Problem problem = make_problem(
      query_heads, key_heads, reach, DOCUMENTS ? documents + batch * key_time : documents, mask, scale, softcap);
  k += (batch * key_time + key0) * problem.k_stride + (size_t)key_head * D4;
  v += (batch * key_time + key0) * problem.v_stride + (size_t)key_head * DV4;
  dk += (batch * key_time + key0) * problem.k_stride + (size_t)key_head * D4;
  dv += (batch * key_time + key0) * problem.v_stride + (size_t)key_head * DV4;
#if STAYS
  stage(k, problem.k_stride, count, 0, D4, ROWS, D4, owned, OWNED_STRIDE);
  stage(v, problem.v_stride, count, 0, DV4, ROWS, DV4, owned_values, OWNED_STRIDE);
#endif
  int key[ITEM_ROWS];
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    key[i] = key0 + y + ROW_ITEMS * i;
  }
  float4 key_sums[ITEM_ROWS * OUTPUTS_D], value_sums[ITEM_ROWS * OUTPUTS_DV];
  clear_vectors(key_sums, ITEM_ROWS * OUTPUTS_D);
  clear_vectors(value_sums, ITEM_ROWS * OUTPUTS_DV);

  const int begin = max(key0 - reach.offset - reach.right, 0);
  const int end = min(key0 + count - 1 - reach.offset + reach.left, query_time - 1) + 1;
  const int heads_per_key = query_heads / key_heads;
  for (int head = key_head * heads_per_key; head < (key_head + 1) * heads_per_key; ++head) {
    const float slope = ALIBI ? slopes[head] * LOG2_E : 0.0f;
    const size_t statistics = (batch * query_heads + head) * query_time;
    for (int row0 = begin; row0 < end; row0 += COLUMNS) {
      const int row_count = min(COLUMNS, end - row0);
      int row[ITEM_COLUMNS];
#pragma unroll
      for (int j = 0; j < ITEM_COLUMNS; ++j) {
        row[j] = (x + LANES * j < row_count) ? row0 + x + LANES * j : query_time;
      }
      uint bits = ~0u;
      if (DOCUMENTS || MASK || row_count < COLUMNS ||
          !sees_whole(reach, row0, row0 + COLUMNS - 1, key0, key0 + ROWS - 1)) {
        bits = visible_pairs(
            reach, row, ITEM_COLUMNS, 1, key, ITEM_ROWS, ITEM_COLUMNS, problem.documents, mask);
      }
#if DOCUMENTS || MASK
      if (!any_visible(bits, votes)) {
        continue;
      }
#endif
      global const float4 *q_rows = q + (batch * query_time + row0) * problem.q_stride + (size_t)head * D4;
      global const float4 *gradient_rows =
          output_gradient + (batch * query_time + row0) * problem.o_stride + (size_t)head * DV4;
      float scores[ITEM_ROWS * ITEM_COLUMNS], gradients[ITEM_ROWS * ITEM_COLUMNS];
      multiply_rows(
          k, problem.k_stride, count, owned, q_rows, problem.q_stride, row_count, visited, D4, y, x, scores);
      multiply_rows(
          v, problem.v_stride, count, owned_values, gradient_rows, problem.o_stride, row_count, visited, DV4, y,
          x, gradients);
#pragma unroll
      for (int j = 0; j < ITEM_COLUMNS; ++j) {
        const size_t statistic = statistics + min(row[j], query_time - 1);
        const float log_sum = log_of_row(lse[statistic]), term = row_terms[statistic];
#pragma unroll
        for (int i = 0; i < ITEM_ROWS; ++i) {
          const int n = i * ITEM_COLUMNS + j;
          pair_gradient(
              problem, (bits >> n) & 1u, row[j], key[i], slope, log_sum, term, &scores[n], &gradients[n]);
        }
      }
      store_weights(scores, weights, y, x);
      accumulate_rows(
          weights, gradient_rows, problem.o_stride, row_count, visited, DV4, WHOLE_ROWS(OUTPUTS_DV * LANES),
          OUTPUTS_DV, y, x, value_sums);
      store_weights(gradients, weights, y, x);
      accumulate_rows(
          weights, q_rows, problem.q_stride, row_count, visited, D4, WHOLE_ROWS(OUTPUTS_D * LANES), OUTPUTS_D, y,
          x, key_sums);
    }
  }
  store_rows(key_sums, OUTPUTS_D, D4, scale, dk, problem.k_stride, count, y, x);
  store_rows(value_sums, OUTPUTS_DV, DV4, 1.0f, dv, problem.v_stride, count, y, x);
}

// One work-group per (batch, head, block of query rows); the rows that see most under a causal mask come first.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled_queries(
    global const float4 *restrict q, global const float4 *restrict k, global const float4 *restrict v,
    global const float *restrict slopes, global const int *restrict documents,
    global const uchar *restrict mask, global const float *restrict lse, global const float *restrict row_terms,
    global const float4 *restrict output_gradient, global float4 *restrict dq, int query_time, int key_time,
    int query_heads, int key_heads, float scale, float softcap, int causal, int window_left,
    int window_right) {
  local float4 owned[OWNED_SIZE * (STAYS ? 2 : 1)], visited[STAGE_SIZE], weights[ROWS * WEIGHT_STRIDE];
  local int4 votes[GROUP / 4];
  local float4 *owned_gradients = owned + (STAYS ? OWNED_SIZE : 0);
  const int y = (int)get_local_id(0) / LANES, x = (int)get_local_id(0) % LANES;
  const int blocks = (query_time + ROWS - 1) / ROWS, place = (int)get_group_id(0);
  const int row0 = (blocks - 1 - place % blocks) * ROWS, count = min(ROWS, query_time - row0);
  const int head = place / blocks % query_heads, key_head = head / (query_heads / key_heads);
  const size_t batch = (size_t)(place / blocks / query_heads);
  const size_t statistics = (batch * query_heads + head) * query_time;
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const Problem problem = make_problem(
      query_heads, key_heads, reach, DOCUMENTS ? documents + batch * key_time : documents, mask, scale, softcap);
  const float slope = ALIBI ? slopes[head] * LOG2_E : 0.0f;
  q += (batch * query_time + row0) * problem.q_stride + (size_t)head * D4;
  dq += (batch * query_time + row0) * problem.q_stride + (size_t)head * D4;
  output_gradient += (batch * query_time + row0) * problem.o_stride + (size_t)head * DV4;
  k += batch * key_time * problem.k_stride + (size_t)key_head * D4;
  v += batch * key_time * problem.v_stride + (size_t)key_head * DV4;
#if STAYS
  stage(q, problem.q_stride, count, 0, D4, ROWS, D4, owned, OWNED_STRIDE);
  stage(output_gradient, problem.o_stride, count, 0, DV4, ROWS, DV4, owned_gradients, OWNED_STRIDE);
#endif
  int row[ITEM_ROWS];
  float log_sums[ITEM_ROWS], terms[ITEM_ROWS];
  float4 sums[ITEM_ROWS * OUTPUTS_D];
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    row[i] = row0 + min(y + ROW_ITEMS * i, count - 1);
    log_sums[i] = log_of_row(lse[statistics + row[i]]);
    terms[i] = row_terms[statistics + row[i]];
  }
  clear_vectors(sums, ITEM_ROWS * OUTPUTS_D);

  const int end = last_key(reach, row0 + count - 1) + 1;
  for (int key0 = first_key(reach, row0); key0 < end; key0 += COLUMNS) {
    const int key_count = min(COLUMNS, end - key0);
    int key[ITEM_COLUMNS];
#pragma unroll
    for (int j = 0; j < ITEM_COLUMNS; ++j) {
      key[j] = key0 + x + LANES * j;
    }
    uint bits = ~0u;
    if (DOCUMENTS || MASK || !sees_whole(reach, row0, row0 + count - 1, key0, key0 + COLUMNS - 1)) {
      bits = visible_pairs(
          reach, row, ITEM_ROWS, ITEM_COLUMNS, key, ITEM_COLUMNS, 1, problem.documents, mask);
    }
#if DOCUMENTS || MASK
    if (!any_visible(bits, votes)) {
      continue;
    }
#endif
    global const float4 *k_rows = k + (size_t)key0 * problem.k_stride;
    global const float4 *v_rows = v + (size_t)key0 * problem.v_stride;
    float scores[ITEM_ROWS * ITEM_COLUMNS], gradients[ITEM_ROWS * ITEM_COLUMNS];
    multiply_rows(
        q, problem.q_stride, count, owned, k_rows, problem.k_stride, key_count, visited, D4, y, x, scores);
    multiply_rows(
        output_gradient, problem.o_stride, count, owned_gradients, v_rows, problem.v_stride, key_count, visited,
        DV4, y, x, gradients);
#pragma unroll
    for (int i = 0; i < ITEM_ROWS; ++i) {
#pragma unroll
      for (int j = 0; j < ITEM_COLUMNS; ++j) {
        const int n = i * ITEM_COLUMNS + j;
        pair_gradient(
            problem, (bits >> n) & 1u, row[i], key[j], slope, log_sums[i], terms[i], &scores[n], &gradients[n]);
      }
    }
    store_weights(gradients, weights, y, x);
    accumulate_rows(
        weights, k_rows, problem.k_stride, key_count, visited, D4, WHOLE_ROWS(OUTPUTS_D * LANES), OUTPUTS_D, y, x,
        sums);
  }
  store_rows(sums, OUTPUTS_D, D4, scale, dq, problem.q_stride, count, y, x);
}
