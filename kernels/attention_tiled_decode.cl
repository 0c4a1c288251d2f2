// attention_tiled_decode.cl - softmax attention of a few query rows against many keys on graphics processors
//
//   attention_tiled_decode  partial outputs [B,splits,Hq,Tq,DV] of one range of keys each, and their statistics
//   attention_tiled_merge   partial outputs -> o, lse, entropy
//
// The rows of a tile are all query rows that read one key head, so that keys and values are read once for all
// of them; the keys are split over work-groups.
// Macros and method: attention_tiles.cl, attention_online.cl.   Swift: Operations/Attention+Graphics.swift

#ifndef ROWS
#define ROWS 8
#endif
#ifndef HELD
#define HELD 256
#endif

#include "attention_online.cl"

#if !STAYS
#error "the query rows of decode stay in local memory: HELD must not be below the width"
#endif

// One work-group per (batch, key head, block of rows, range of keys). partial_statistics [B, splits, Hq, Tq]:
// maximum, sum and moment in units of log 2, not normalized.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled_decode(
    global const float4 *restrict q, global const float4 *restrict k, global const float4 *restrict v,
    global const float *restrict slopes, global const int *restrict documents,
    global const uchar *restrict mask, global float4 *restrict partial_outputs,
    global float4 *restrict partial_statistics, int query_time, int key_time, int query_heads, int key_heads,
    float scale, float softcap, int causal, int window_left, int window_right, int splits) {
  local float4 query_stage[ROWS * OWNED_STRIDE], key_stage[STAGE_SIZE], weights[ROWS * WEIGHT_STRIDE];
  local float4 exchange[ROWS * LANES / 4];
  local int4 votes[GROUP / 4];
  const Tile tile = {query_stage, key_stage, weights, exchange, votes};
  const int y = (int)get_local_id(0) / LANES, x = (int)get_local_id(0) % LANES;
  const int pairs = query_heads / key_heads * query_time, blocks = (pairs + ROWS - 1) / ROWS;
  const int split = (int)get_group_id(0) % splits, place = (int)get_group_id(0) / splits;
  const int first = place % blocks * ROWS, count = min(ROWS, pairs - first);
  const int key_head = place / blocks % key_heads, head0 = key_head * (query_heads / key_heads);
  const size_t batch = (size_t)(place / blocks / key_heads);

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
    const int pair = first + min(y + ROW_ITEMS * i, count - 1);
    mine.row[i] = pair % query_time;
    mine.slope[i] = ALIBI ? slopes[head0 + pair / query_time] * LOG2_E : 0.0f;
  }
  RowStates states;
  float4 outputs[ITEM_ROWS * OUTPUTS];
  start_rows(&states, outputs);

  // Row r of the tile is query row r % query_time of head r / query_time of the group.
  for (int n = (int)get_local_id(0); n < ROWS * D4; n += GROUP) {
    const int pair = first + min(n / D4, count - 1);
    query_stage[n / D4 * OWNED_STRIDE + n % D4] =
        q[((batch * query_time + pair % query_time) * query_heads + head0 + pair / query_time) * D4 + n % D4];
  }
  const int from = first_key(keys.reach, 0);
  const int total = max(last_key(keys.reach, query_time - 1) + 1 - from, 0);
  const int key_blocks = (total + COLUMNS - 1) / COLUMNS;
  const int begin = from + (int)((long)key_blocks * split / splits) * COLUMNS;
  const int end = min(from + (int)((long)key_blocks * (split + 1) / splits) * COLUMNS, from + total);
  for (int key0 = begin; key0 < end; key0 += COLUMNS) {
    attend(
        tile, keys, mine, 0, query_time - 1, q, 0, count, key0, min(COLUMNS, end - key0), scale, softcap, y, x,
        &states, outputs);
  }

  SUM_OVER_LANES(states.sum, exchange, y, x)
  SUM_OVER_LANES(states.moment, exchange, y, x)
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    const int r = y + ROW_ITEMS * i;
    if (r < count) {
      const size_t row = ((batch * splits + split) * query_heads + head0) * query_time + first + r;
      if (x == 0) {
        partial_statistics[row] = (float4)(states.maximum[i], states.sum[i], states.moment[i], 0.0f);
      }
#pragma unroll
      for (int n = 0; n < OUTPUTS; ++n) {
        if (x + LANES * n < DV4) {
          partial_outputs[row * DV4 + x + LANES * n] = outputs[i * OUTPUTS + n];
        }
      }
    }
  }
}

// One work-group per (batch, query head, query row).
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled_merge(
    global const float4 *restrict partial_outputs, global const float4 *restrict partial_statistics,
    global const float *restrict sinks, global float4 *restrict o, global float *restrict lse,
    global float *restrict entropy, int query_time, int query_heads, int splits) {
  const int place = (int)get_group_id(0), item = (int)get_local_id(0);
  const int row = place % query_time, head = place / query_time % query_heads;
  const size_t batch = (size_t)(place / query_time / query_heads);
  const size_t rows = (size_t)query_heads * query_time;
  const size_t part0 = batch * splits * rows + (size_t)head * query_time + row;
  const size_t statistic = (batch * query_heads + head) * query_time + row;
  float maximum = MASKED, sum = 0.0f, moment = 0.0f;
  for (int split = 0; split < splits; ++split) {
    maximum = fmax(maximum, partial_statistics[part0 + split * rows].x);
  }
  for (int split = 0; split < splits; ++split) {
    const float4 part = partial_statistics[part0 + split * rows];
    const float shift = part.x - maximum, factor = exp2(shift);
    sum = fma(factor, part.y, sum);
    moment = fma(factor, fma(part.y, (part.y > 0.0f) ? shift : 0.0f, part.z), moment);
  }
  const float sink = SINKS ? sinks[head] * LOG2_E : 0.0f;
  const float factor = finish_row(maximum, sum, moment, sink, item == 0, lse + statistic, entropy + statistic);
  for (int c = item; c < DV4; c += GROUP) {
    float4 value = 0.0f;
    for (int split = 0; split < splits; ++split) {
      const float weight = exp2(partial_statistics[part0 + split * rows].x - maximum) * factor;
      value = fma(partial_outputs[(part0 + split * rows) * DV4 + c], (float4)(weight), value);
    }
    o[((batch * query_time + row) * query_heads + head) * DV4 + c] = value;
  }
}
