// attention_tiled.cl - the forward of softmax attention for graphics processors
//
//   attention_tiled         q [B,Tq,Hq,D], k [B,Tk,Hk,D], v [B,Tk,Hk,DV]
//                             -> o [B,Tq,Hq,DV], lse [B,Hq,Tq], entropy [B,Hq,Tq]
//
// A work-group owns ROWS query rows of one head and walks over the keys that they see.
// Macros and method: attention_tiles.cl, attention_online.cl.   Swift: Operations/Attention+Graphics.swift

#include "attention_online.cl"

// One work-group per (batch, head, block of rows); the rows that see most under a causal mask come first.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled(
    global const float4 *restrict q, global const float4 *restrict k, global const float4 *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global float4 *restrict o,
    global float *restrict lse, global float *restrict entropy, int query_time, int key_time, int query_heads,
    int key_heads, float scale, float softcap, int causal, int window_left, int window_right) {
  local float4 query_stage[ROWS * OWNED_STRIDE], key_stage[STAGE_SIZE], weights[ROWS * WEIGHT_STRIDE];
  local float4 exchange[ROWS * LANES / 4];
  local int4 votes[GROUP / 4];
  const Tile tile = {query_stage, key_stage, weights, exchange, votes};
  const int y = (int)get_local_id(0) / LANES, x = (int)get_local_id(0) % LANES;
  const int blocks = (query_time + ROWS - 1) / ROWS, place = (int)get_group_id(0);
  const int row0 = (blocks - 1 - place % blocks) * ROWS, count = min(ROWS, query_time - row0);
  const int head = place / blocks % query_heads, key_head = head / (query_heads / key_heads);
  const size_t batch = (size_t)(place / blocks / query_heads);
  const size_t q_stride = (size_t)query_heads * D4, o_stride = (size_t)query_heads * DV4;
  const size_t statistics = (batch * query_heads + head) * query_time + row0;
  q += (batch * query_time + row0) * q_stride + (size_t)head * D4;
  o += (batch * query_time + row0) * o_stride + (size_t)head * DV4;

  Keys keys;
  keys.k_stride = (size_t)key_heads * D4;
  keys.v_stride = (size_t)key_heads * DV4;
  keys.k = k + batch * key_time * keys.k_stride + (size_t)key_head * D4;
  keys.v = v + batch * key_time * keys.v_stride + (size_t)key_head * DV4;
  keys.reach = make_reach(query_time, key_time, causal, window_left, window_right);
  keys.documents = DOCUMENTS ? documents + batch * key_time : documents;
  keys.mask = mask;
  ItemRows mine;
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    mine.row[i] = row0 + min(y + ROW_ITEMS * i, count - 1);
    mine.slope[i] = ALIBI ? slopes[head] * LOG2_E : 0.0f;
  }
  RowStates states;
  float4 outputs[ITEM_ROWS * OUTPUTS];
  start_rows(&states, outputs);

#if STAYS
  stage(q, q_stride, count, 0, D4, ROWS, D4, query_stage, OWNED_STRIDE);
#endif
  const int end = last_key(keys.reach, row0 + count - 1) + 1;
  for (int key0 = first_key(keys.reach, row0); key0 < end; key0 += COLUMNS) {
    attend(
        tile, keys, mine, row0, row0 + count - 1, q, q_stride, count, key0, min(COLUMNS, end - key0), scale,
        softcap, y, x, &states, outputs);
  }

  SUM_OVER_LANES(states.sum, exchange, y, x)
  SUM_OVER_LANES(states.moment, exchange, y, x)
  const float sink = SINKS ? sinks[head] * LOG2_E : 0.0f;
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    const int r = y + ROW_ITEMS * i;
    if (r < count) {
      const float factor = finish_row(
          states.maximum[i], states.sum[i], states.moment[i], sink, x == 0, lse + statistics + r,
          entropy + statistics + r);
#pragma unroll
      for (int n = 0; n < OUTPUTS; ++n) {
        if (x + LANES * n < DV4) {
          o[(size_t)r * o_stride + x + LANES * n] = outputs[i * OUTPUTS + n] * factor;
        }
      }
    }
  }
}
