// softmax.cl - softmax over the last axis, and its gradient
//
//   softmax            x [rows, dim] -> y [rows, dim]
//   softmax_backward   y, dy [rows, dim] -> dx [rows, dim]
//
//   y = exp(x - max) / sum exp(x - max);   dx = y (dy - <y, dy>)
//
// One work-group per block of rows, LANES work-items each. Swift: Operations/Softmax.swift

#ifndef LANES
#define LANES 1  // work-items per row, a power of two: 1 on processors
#endif

#include "rows.cl"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void softmax(const global float *restrict x, global float *restrict y, const uint rows, const uint dim,
             const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const global float *from = x + (size_t)row * dim;
    global float *to = y + (size_t)row * dim;
    part_t top = -INFINITY, sum = 0.0f;
    EACH_PART top = fmax(top, load_filled(from + i, count, -INFINITY));
    const float maximum = ROW_MAX(part_max(top));
    EACH_PART {
      const part_t value = exponential(load_filled(from + i, count, -INFINITY) - maximum);
      store_part(value, to + i, count);
      sum += value;
    }
    const float scale = 1.0f / ROW_SUM(part_sum(sum));
    EACH_PART store_part(scale * load_part(to + i, count), to + i, count);
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void softmax_backward(const global float *restrict y, const global float *restrict dy, global float *restrict dx,
                      const uint rows, const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const size_t start = (size_t)row * dim;
    part_t products = 0.0f;
    EACH_PART products += load_part(y + start + i, count) * load_part(dy + start + i, count);
    const float along = ROW_SUM(part_sum(products));
    EACH_PART store_part(load_part(y + start + i, count) * (load_part(dy + start + i, count) - along),
                         dx + start + i, count);
  }
}
