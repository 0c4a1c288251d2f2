// hedgehog.cl - the features of Hedgehog: exponentials of a projection and of its negative, and their gradient
//
//   hedgehog            y [rows, dim] -> z [rows, 2 dim]
//   hedgehog_backward   y [rows, dim], z, dz [rows, 2 dim] -> dy [rows, dim]
//
//   KIND 0  exp             [exp(y), exp(-y)]
//        1  exp_shifted     [exp(y - max y), exp(min y - y)]; max and min have gradients, shared by equal values
//        2  softmax_halves  [softmax(y), softmax(-y)], each held above 1e-12
//        3  softmax_joint   softmax([2 y, -2 y])
//
// One work-group per block of rows, LANES work-items each. Swift: Operations/Hedgehog.swift

#ifndef LANES
#define LANES 1  // work-items per row, a power of two: 1 on processors
#endif
#ifndef KIND
#define KIND 0
#endif

#include "rows.cl"

#define EXP_SHIFTED 1
#define SOFTMAX_HALVES 2
#define SOFTMAX_JOINT 3
#define FLOOR 1e-12f
#define STEEPNESS (KIND == SOFTMAX_JOINT ? 2.0f : 1.0f)

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void hedgehog(const global float *restrict y, global float *restrict z, const uint rows, const uint dim,
              const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const global float *from = y + (size_t)row * dim;
    global float *up = z + (size_t)row * 2 * dim, *down = up + dim;
    float top = 0.0f, bottom = 0.0f;  // what is subtracted from y and -y
    if (KIND != 0) {
      part_t tops = -INFINITY, bottoms = -INFINITY;
      EACH_PART {
        tops = fmax(tops, load_filled(from + i, count, -INFINITY));
        bottoms = fmax(bottoms, -load_filled(from + i, count, INFINITY));
      }
      top = ROW_MAX(part_max(tops));
      bottom = ROW_MAX(part_max(bottoms));
      if (KIND == SOFTMAX_JOINT) top = bottom = STEEPNESS * fmax(top, bottom);
    }
    part_t sums = 0.0f, negative_sums = 0.0f;
    EACH_PART {
      const part_t p = exponential(STEEPNESS * load_filled(from + i, count, -INFINITY) - top);
      const part_t n = exponential(-STEEPNESS * load_filled(from + i, count, INFINITY) - bottom);
      store_part(p, up + i, count);
      store_part(n, down + i, count);
      sums += p;
      negative_sums += n;
    }
    if (KIND < SOFTMAX_HALVES) continue;
    float sum = ROW_SUM(part_sum(sums)), negative = ROW_SUM(part_sum(negative_sums));
    if (KIND == SOFTMAX_JOINT) sum = negative = sum + negative;
    EACH_PART {
      part_t p = load_part(up + i, count) / sum, n = load_part(down + i, count) / negative;
      if (KIND == SOFTMAX_HALVES) {
        p = fmax(p, (part_t)(FLOOR));
        n = fmax(n, (part_t)(FLOOR));
      }
      store_part(p, up + i, count);
      store_part(n, down + i, count);
    }
  }
}

// A feature times its cotangent; none flows through one that is held.
static inline part_t flow(const global float *z, const global float *dz, const uint count) {
  const part_t value = load_part(z, count), product = value * load_part(dz, count);
  return KIND == SOFTMAX_HALVES ? select(product, (part_t)(0.0f), value <= FLOOR) : product;
}

// 1 where a value is the extreme one.
static inline part_t is_extreme(const part_t value, const float extreme) {
  return select((part_t)(0.0f), (part_t)(1.0f), value == extreme);
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void hedgehog_backward(const global float *restrict y, const global float *restrict z,
                       const global float *restrict dz, global float *restrict dy, const uint rows, const uint dim,
                       const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const size_t from = (size_t)row * dim;
    const global float *up = z + 2 * from, *down = up + dim, *dup = dz + 2 * from, *ddown = dup + dim;
    float along = 0.0f, negative = 0.0f, top = 0.0f, bottom = 0.0f;
    if (KIND != 0) {
      part_t products = 0.0f, negatives = 0.0f;
      EACH_PART {
        products += flow(up + i, dup + i, count);
        negatives += flow(down + i, ddown + i, count);
      }
      along = ROW_SUM(part_sum(products));
      negative = ROW_SUM(part_sum(negatives));
      if (KIND == SOFTMAX_JOINT) along = negative = along + negative;
    }
    if (KIND == EXP_SHIFTED) {
      part_t tops = -INFINITY, bottoms = -INFINITY, top_count = 0.0f, bottom_count = 0.0f;
      EACH_PART {
        tops = fmax(tops, load_filled(y + from + i, count, -INFINITY));
        bottoms = fmax(bottoms, -load_filled(y + from + i, count, INFINITY));
      }
      top = ROW_MAX(part_max(tops));
      bottom = -ROW_MAX(part_max(bottoms));
      EACH_PART {
        top_count += is_extreme(load_filled(y + from + i, count, -INFINITY), top);
        bottom_count += is_extreme(load_filled(y + from + i, count, INFINITY), bottom);
      }
      along /= ROW_SUM(part_sum(top_count));
      negative /= ROW_SUM(part_sum(bottom_count));
    }
    EACH_PART {
      part_t value = flow(up + i, dup + i, count) - flow(down + i, ddown + i, count);
      if (KIND >= SOFTMAX_HALVES) value += negative * load_part(down + i, count) - along * load_part(up + i, count);
      if (KIND == EXP_SHIFTED) {
        const part_t known = load_part(y + from + i, count);
        value += negative * is_extreme(known, bottom) - along * is_extreme(known, top);
      }
      store_part(STEEPNESS * value, dy + from + i, count);
    }
  }
}
