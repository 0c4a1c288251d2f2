// attention_tiled_terms.cl - sums over rows for the gradient of softmax attention on graphics processors
//
//   attention_tiled_terms     o, do -> do_i.o_i [B,Hq,Tq]
//   attention_tiled_sinks     dsinks [Hq]
//
// Macros: attention_tiles.cl.   Swift: Operations/Attention+Graphics.swift

#include "attention_tiles.cl"

// One item group of LANES per row of [B, Tq, Hq].
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled_terms(
    global const float4 *restrict o, global const float4 *restrict output_gradient,
    global float *restrict row_terms, int rows, int query_time, int query_heads) {
  local float4 exchange[GROUP / 4];
  const int item = (int)get_local_id(0), y = item / LANES, x = item % LANES;
  const int row = (int)get_group_id(0) * ROW_ITEMS + y;
  float4 products = 0.0f;
  if (row < rows) {
    for (int c = x; c < DV4; c += LANES) {
      products = fma(o[(size_t)row * DV4 + c], output_gradient[(size_t)row * DV4 + c], products);
    }
  }
  ((local float *)exchange)[item] = (products.x + products.y) + (products.z + products.w);
  barrier(CLK_LOCAL_MEM_FENCE);
  if (x == 0 && row < rows) {
    float4 sum = exchange[y * (LANES / 4)];
    for (int n = 1; n < LANES / 4; ++n) {
      sum += exchange[y * (LANES / 4) + n];
    }
    const int head = row % query_heads, i = row / query_heads % query_time;
    const size_t batch = (size_t)(row / query_heads / query_time);
    row_terms[(batch * query_heads + head) * query_time + i] = (sum.x + sum.y) + (sum.z + sum.w);
  }
}

// One work-group per head: dsink = - sum over batch and rows of exp(sink - L_i) do_i.o_i.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void attention_tiled_sinks(
    global const float *restrict sinks, global const float *restrict lse,
    global const float *restrict row_terms, global float *restrict dsinks, int batches, int query_time,
    int query_heads) {
  local float partial_sums[GROUP];
  const int head = (int)get_group_id(0), item = (int)get_local_id(0);
  const float sink = sinks[head] * LOG2_E;
  float sum = 0.0f;
  for (int batch = 0; batch < batches; ++batch) {
    const size_t statistics = ((size_t)batch * query_heads + head) * query_time;
    for (int i = item; i < query_time; i += GROUP) {
      sum -= exp2(sink - log_of_row(lse[statistics + i])) * row_terms[statistics + i];
    }
  }
  partial_sums[item] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (item == 0) {
    float total = 0.0f;
    for (int n = 0; n < GROUP; ++n) {
      total += partial_sums[n];
    }
    dsinks[head] = total;
  }
}
