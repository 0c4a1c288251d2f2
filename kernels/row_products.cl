// row_products.cl - rows times one number each, and products of rows
//
//   scale_rows   x [rows, dim], factor [rows]  -> y [rows, dim]
//   row_dots     a, b [rows, dim]              -> y [rows]
//
// One work-group per block of rows, LANES work-items each. No atomics, a fixed order of additions.
// Swift: Operations/ScaleRows.swift

#include "common.cl"

#ifndef LANES
#define LANES 1 // work-items per row, a power of two: 1 on processors
#endif

#include "parts.cl"

#define STEP (PART * LANES)

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void scale_rows(const global float *x, const global float *factor, global float *y, const ulong rows, const uint dim,
                const uint block) {
  const uint lane = (uint)get_local_id(0);
  const size_t first = (size_t)get_group_id(0) * block, end = min((ulong)(first + block), rows);
  for (size_t row = first; row < end; row++) {
    const global float *source = x + row * dim;
    global float *target = y + row * dim;
    uint i = lane * PART;
    for (; i + PART <= dim; i += STEP) STORE_PART(LOAD_PART(source + i) * factor[row], target + i);
    for (; i < dim && i < (dim / PART + 1) * PART; i++) target[i] = source[i] * factor[row];
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void row_dots(const global float *a, const global float *b, global float *y, const ulong rows, const uint dim,
              const uint block) {
#if LANES > 1
  local float scratch[LANES];
#endif
  const uint lane = (uint)get_local_id(0);
  const size_t first = (size_t)get_group_id(0) * block, end = min((ulong)(first + block), rows);
  for (size_t row = first; row < end; row++) {
    const global float *left = a + row * dim, *right = b + row * dim;
    part_t parts = 0.0f;
    uint i = lane * PART;
    for (; i + PART <= dim; i += STEP) parts = fma(LOAD_PART(left + i), LOAD_PART(right + i), parts);
    float sum = part_sum(parts);
    for (; i < dim && i < (dim / PART + 1) * PART; i++) sum = fma(left[i], right[i], sum);
#if LANES > 1
    sum = group_sum(sum, scratch, lane, LANES);
#endif
    if (lane == 0) y[row] = sum;
  }
}
