// l2_normalize.cl - rows scaled to unit length, and the gradient
//
//   l2_normalize            x [rows, dim] -> y [rows, dim], factor [rows]
//   l2_normalize_backward   y, dy [rows, dim], factor [rows] -> dx [rows, dim]
//
//   y = factor x;   factor = 1 / sqrt(sum x^2 + epsilon), CLAMPED: 1 / max(sqrt(sum x^2), epsilon)
//   dx = factor (dy - y <y, dy>), without the second term where the clamp holds
//
// One work-group per block of rows, LANES work-items each. Swift: Operations/L2Normalization.swift

#ifndef LANES
#define LANES 1    // work-items per row, a power of two: 1 on processors
#endif
#ifndef CLAMPED
#define CLAMPED 0  // 1: the norm is held above epsilon
#endif

#include "rows.cl"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void l2_normalize(const global float *restrict x, global float *restrict y, global float *restrict factor,
                  const float epsilon, const uint rows, const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const global float *from = x + (size_t)row * dim;
    global float *to = y + (size_t)row * dim;
    part_t squares = 0.0f;
    EACH_PART {
      const part_t value = load_part(from + i, count);
      squares += value * value;
    }
    const float sum = ROW_SUM(part_sum(squares));
    const float r = 1.0f / (CLAMPED ? fmax(sqrt(sum), epsilon) : sqrt(sum + epsilon));
    EACH_PART store_part(r * load_part(from + i, count), to + i, count);
    if (lane == 0) factor[row] = r;
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void l2_normalize_backward(const global float *restrict y, const global float *restrict factor,
                           const global float *restrict dy, global float *restrict dx, const float epsilon,
                           const uint rows, const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const size_t start = (size_t)row * dim;
    const float r = factor[row];
    part_t products = 0.0f;
    EACH_PART products += load_part(y + start + i, count) * load_part(dy + start + i, count);
    float along = ROW_SUM(part_sum(products));
    if (CLAMPED && r >= 1.0f / epsilon) along = 0.0f;
    EACH_PART {
      const part_t value = r * (load_part(dy + start + i, count) - along * load_part(y + start + i, count));
      store_part(value, dx + start + i, count);
    }
  }
}
