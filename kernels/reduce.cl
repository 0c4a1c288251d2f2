// reduce.cl - sums over rows and over everything, in two stages and a fixed order
//
//   sum_rows          x [rows, columns]  -> y [groups, columns], sums of `share` rows each
//                                           (added to what y holds when ACCUMULATE)
//   sum_parts         x [rows, parts, columns] -> y [rows, columns]
//   sum_partial       x [count]          -> partial [groups]     sums of x, or of x * x with SQUARES
//   sum_final         partial [groups]   -> y [1], times scale
//
// No atomics: the order of additions depends on the sizes alone, so results repeat bit for bit.
// Swift: Operations/Reductions.swift, Operations/SumParts.swift, Operations/DeviceSum.swift

#include "common.cl"

#ifndef LANES
#define LANES 1       // work-items per group, a power of two: 1 on processors
#endif
#ifndef ACCUMULATE
#define ACCUMULATE 0  // 1: sum_rows adds to what y holds
#endif
#ifndef SQUARES
#define SQUARES 0     // 1: sum_partial sums squares
#endif

#if LANES == 1

// One work-item per 8 columns (the last one fewer); rows are summed in four interleaved chains.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void sum_rows(const global float *restrict x, global float *restrict y, const uint rows, const uint columns,
              const uint share) {
  const uint first = (uint)get_group_id(0) * 8;
  const uint width = min(8u, columns - first);
  const uint begin = (uint)get_group_id(1) * share, end = min(begin + share, rows);
  global float *to = y + get_group_id(1) * (size_t)columns;
  if (width == 8) {
    float8 chain0 = 0.0f, chain1 = 0.0f, chain2 = 0.0f, chain3 = 0.0f;
    uint row = begin;
    for (; row + 4 <= end; row += 4) {
      const global float *p = x + (size_t)row * columns + first;
      chain0 += vload8(0, p);
      chain1 += vload8(0, p + columns);
      chain2 += vload8(0, p + 2 * (size_t)columns);
      chain3 += vload8(0, p + 3 * (size_t)columns);
    }
    for (; row < end; row++) chain0 += vload8(0, x + (size_t)row * columns + first);
    float8 sum = (chain0 + chain1) + (chain2 + chain3);
    if (ACCUMULATE) sum += vload8(0, to + first);
    vstore8(sum, 0, to + first);
    return;
  }
  for (uint column = first; column < first + width; column++) {
    float sum = 0.0f;
    for (uint row = begin; row < end; row++) sum += x[(size_t)row * columns + column];
    to[column] = ACCUMULATE ? to[column] + sum : sum;
  }
}

// One work-item per contiguous share of `share` elements.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void sum_partial(const global float *restrict x, global float *restrict partial, const ulong count, const ulong share) {
  const ulong begin = (ulong)get_group_id(0) * share;
  const ulong end = min(begin + share, count);
  float8 chain0 = 0.0f, chain1 = 0.0f;
  ulong i = begin;
  for (; i + 16 <= end; i += 16) {
    const float8 a = vload8(0, x + i), b = vload8(0, x + i + 8);
    chain0 += SQUARES ? a * a : a;
    chain1 += SQUARES ? b * b : b;
  }
  const float8 both = chain0 + chain1;
  const float4 four = both.lo + both.hi;
  float sum = (four.x + four.y) + (four.z + four.w);
  for (; i < end; i++) sum += SQUARES ? x[i] * x[i] : x[i];
  partial[get_group_id(0)] = sum;
}

// A pairwise tree in place, by one work-item: some hundred values.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void sum_final(global float *restrict partial, global float *restrict y, const uint count, const float scale) {
  for (uint width = 1; width < count; width *= 2)
    for (uint i = 0; i + width < count; i += 2 * width) partial[i] += partial[i + width];
  y[0] = count > 0 ? scale * partial[0] : 0.0f;
}

#else

// A work-group has ACROSS columns side by side and LANES / ACROSS rows at a time; the rows' sums meet in local memory.
#if LANES < 32
#define ACROSS LANES
#else
#define ACROSS 32
#endif

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_rows(const global float *restrict x, global float *restrict y, const uint rows, const uint columns,
              const uint share) {
  local float scratch[LANES];
  const uint lane = (uint)get_local_id(0), place = lane % ACROSS;
  const uint column = (uint)get_group_id(0) * ACROSS + place;
  const uint begin = (uint)get_group_id(1) * share, end = min(begin + share, rows);
  float sum = 0.0f;
  if (column < columns)
    for (uint row = begin + lane / ACROSS; row < end; row += LANES / ACROSS)
      sum += x[(size_t)row * columns + column];
  scratch[lane] = sum;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint width = LANES / 2; width >= ACROSS; width /= 2) {
    if (lane < width) scratch[lane] += scratch[lane + width];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (lane >= ACROSS || column >= columns) return;
  global float *to = y + get_group_id(1) * (size_t)columns + column;
  *to = ACCUMULATE ? *to + scratch[place] : scratch[place];
}

// One work-group per contiguous share of `share` elements, a multiple of four.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_partial(const global float *restrict x, global float *restrict partial, const ulong count, const ulong share) {
  local float scratch[LANES];
  const uint lane = (uint)get_local_id(0);
  const ulong begin = (ulong)get_group_id(0) * share;
  const ulong end = min(begin + share, count);
  float4 chain = 0.0f;
  ulong i = begin + lane * 4;
  for (; i + 4 <= end; i += 4 * LANES) {
    const float4 a = vload4(0, x + i);
    chain += SQUARES ? a * a : a;
  }
  float sum = (chain.x + chain.y) + (chain.z + chain.w);
  for (; i < end; i++) sum += SQUARES ? x[i] * x[i] : x[i];
  sum = group_sum(sum, scratch, lane, LANES);
  if (lane == 0) partial[get_group_id(0)] = sum;
}

// One work-group.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_final(global float *restrict partial, global float *restrict y, const uint count, const float scale) {
  local float scratch[LANES];
  const uint lane = (uint)get_local_id(0);
  float sum = 0.0f;
  for (uint i = lane; i < count; i += LANES) sum += partial[i];
  sum = group_sum(sum, scratch, lane, LANES);
  if (lane == 0) y[0] = scale * sum;
}

#endif

// A work-item sums `share` elements; the items of a group lie side by side.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void sum_parts(const global float *restrict x, global float *restrict y, const ulong count, const uint parts,
               const uint columns, const uint share) {
  const size_t first = (size_t)get_group_id(0) * LANES * share + get_local_id(0);
  const size_t end = min((ulong)(first + (size_t)LANES * share), count);
  for (size_t i = first; i < end; i += LANES) {
    const global float *part = x + i / columns * parts * columns + i % columns;
    float sum = 0.0f;
    for (uint p = 0; p < parts; p++, part += columns) sum += *part;
    y[i] = sum;
  }
}
