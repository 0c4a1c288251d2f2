// uniform.cl - rounding to multiples of given scales: quantization-aware training
//
//   uniform_quantize   x [rows, columns], scale -> y: values, codes, or 1 near a threshold and else 0 (RESULT)
//   uniform_gradient   x, dy [rows, columns], scale -> dx, dscale [rows, groups]
//   mean_magnitude     x [rows, columns] -> y [rows, groups]: factor times the mean of |x|
//
// Groups are `width` neighbours in a row; the last one may be smaller. With `shared` one scale serves all rows. A scale s and a
// grid give positions x / s - offset, codes from `smallest` to `largest`, values (code + offset) s.
// One work-group per block of rows, LANES work-items each. No atomics, a fixed order of additions.
// Swift: Operations/Quantization/QuantizeUniform.swift

#include "common.cl"

#pragma OPENCL FP_CONTRACT OFF

#ifndef LANES
#define LANES 1 // work-items per row, a power of two: 1 on processors
#endif

#include "parts.cl"

#define STEP (PART * LANES)
#define VALUES 0
#define CODES 1
#define NEAR_THRESHOLD 2
#ifndef RESULT
#define RESULT VALUES
#endif

// 1 / s as IEEE 754 rounds it, whatever the device's division: of three neighbours the one with the smallest remainder.
static inline float reciprocal(const float s) {
  float r = 1.0f / s;
  r = fma(r, fma(-s, r, 1.0f), r);
  const float below = as_float(as_int(r) - 1), above = as_float(as_int(r) + 1);
  const float rest = fabs(fma(-s, r, 1.0f));
  const float lower = fabs(fma(-s, below, 1.0f)), upper = fabs(fma(-s, above, 1.0f));
  return lower < rest ? below : upper < rest ? above : r;
}

static inline float held_scale(const float s) { return s < 1e-5f ? 1e-5f : s; }

// Whole numbers: adding 1.5 x 2^23 leaves no room for a fraction.
static inline part_t nearest(const part_t x) { return (x + 12582912.0f) - 12582912.0f; }

// 1 where a threshold between two codes is within the radius.
static inline part_t near_threshold(const part_t at, const float smallest, const float largest, const float radius) {
  const part_t below = floor(at);
  part_t found = select((part_t)(0.0f), (part_t)(1.0f), fabs((at - below) - 0.5f) <= (part_t)(radius));
  found = select(found, (part_t)(0.0f), below < (part_t)(smallest));
  return select(found, (part_t)(0.0f), below >= (part_t)(largest));
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void uniform_quantize(const global float *x, const global float *scale, global float *y, const ulong rows,
                      const uint columns, const uint width, const uint shared, const float smallest,
                      const float largest, const float offset, const float radius, const uint block) {
  const uint lane = (uint)get_local_id(0), groups = (columns + width - 1) / width;
  const size_t first = (size_t)get_group_id(0) * block, end = min((ulong)(first + block), rows);
  for (size_t row = first; row < end; row++) {
    for (uint group = 0; group < groups; group++) {
      const float decode = held_scale(scale[shared ? 0 : row * groups + group]), encode = reciprocal(decode);
      const uint count = min(width, columns - group * width);
      const size_t start = row * columns + (size_t)group * width;
      for (uint i = lane * PART; i < count; i += STEP) {
        const part_t at = load_part(x + start + i, count - i) * encode - offset;
#if RESULT == NEAR_THRESHOLD
        const part_t result = near_threshold(at, smallest, largest, radius);
#elif RESULT == CODES
        const part_t result = nearest(held(at, smallest, largest));
#else
        const part_t result = (nearest(held(at, smallest, largest)) + offset) * decode;
#endif
        store_part(result, y + start + i, count - i);
      }
    }
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void uniform_gradient(const global float *x, const global float *scale, const global float *dy, global float *dx,
                      global float *dscale, const ulong rows, const uint columns, const uint width, const uint shared,
                      const float smallest, const float largest, const float factor, const uint block) {
#if LANES > 1
  local float scratch[LANES];
#endif
  const uint lane = (uint)get_local_id(0), groups = (columns + width - 1) / width;
  const size_t first = (size_t)get_group_id(0) * block, end = min((ulong)(first + block), rows);
  for (size_t row = first; row < end; row++) {
    for (uint group = 0; group < groups; group++) {
      const float encode = reciprocal(held_scale(scale[shared ? 0 : row * groups + group]));
      const uint count = min(width, columns - group * width);
      const size_t start = row * columns + (size_t)group * width;
      part_t sums = 0.0f;
      for (uint i = lane * PART; i < count; i += STEP) {
        const part_t at = load_part(x + start + i, count - i) * encode, within = held(at, smallest, largest);
        const part_t slope = load_part(dy + start + i, count - i);
        // Where the number is beyond the grid, y is the end's code times the scale.
        sums += slope * (nearest(within) - select((part_t)(0.0f), at, within == at));
        store_part(select((part_t)(0.0f), slope, within == at), dx + start + i, count - i);
      }
      float sum = part_sum(sums);
#if LANES > 1
      sum = group_sum(sum, scratch, lane, LANES);
#endif
      if (lane == 0) dscale[row * groups + group] = sum * factor;
    }
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void mean_magnitude(const global float *x, global float *y, const ulong rows, const uint columns, const uint width,
                    const float factor, const uint block) {
#if LANES > 1
  local float scratch[LANES];
#endif
  const uint lane = (uint)get_local_id(0), groups = (columns + width - 1) / width;
  const size_t first = (size_t)get_group_id(0) * block, end = min((ulong)(first + block), rows);
  for (size_t row = first; row < end; row++) {
    for (uint group = 0; group < groups; group++) {
      const uint count = min(width, columns - group * width);
      const size_t start = row * columns + (size_t)group * width;
      part_t sums = 0.0f;
      for (uint i = lane * PART; i < count; i += STEP) sums += fabs(load_part(x + start + i, count - i));
      float sum = part_sum(sums);
#if LANES > 1
      sum = group_sum(sum, scratch, lane, LANES);
#endif
      if (lane == 0) y[row * groups + group] = sum * (factor / (float)count);
    }
  }
}
