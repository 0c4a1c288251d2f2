// reduce.cl - sums over rows and over everything, in two stages and a fixed order
//
//   sum_rows          x [rows, columns]  -> y [columns]          (y is added to when ACCUMULATE)
//   sum_partial       x [count]          -> partial [groups]     sums of x, or of x * x with SQUARES
//   sum_final         partial [groups]   -> y [1]
//
// No atomics: the order of additions depends on the sizes alone, so results repeat bit for bit.
// Swift: Operations/Reductions.swift

#ifndef ACCUMULATE
#define ACCUMULATE 0  // 1: sum_rows adds to what y holds
#endif
#ifndef SQUARES
#define SQUARES 0     // 1: sum_partial sums squares
#endif

// One work-item per 8 columns (the last one fewer); rows are summed in four interleaved chains.
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void sum_rows(const global float *restrict x, global float *restrict y, const uint rows, const uint columns) {
  const uint first = (uint)get_group_id(0) * 8;
  const uint width = min(8u, columns - first);
  if (width == 8) {
    float8 chain0 = 0.0f, chain1 = 0.0f, chain2 = 0.0f, chain3 = 0.0f;
    uint row = 0;
    for (; row + 4 <= rows; row += 4) {
      const global float *p = x + (size_t)row * columns + first;
      chain0 += vload8(0, p);
      chain1 += vload8(0, p + columns);
      chain2 += vload8(0, p + 2 * (size_t)columns);
      chain3 += vload8(0, p + 3 * (size_t)columns);
    }
    for (; row < rows; row++) chain0 += vload8(0, x + (size_t)row * columns + first);
    float8 sum = (chain0 + chain1) + (chain2 + chain3);
    if (ACCUMULATE) sum += vload8(0, y + first);
    vstore8(sum, 0, y + first);
    return;
  }
  for (uint column = first; column < first + width; column++) {
    float sum = 0.0f;
    for (uint row = 0; row < rows; row++) sum += x[(size_t)row * columns + column];
    y[column] = ACCUMULATE ? y[column] + sum : sum;
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
void sum_final(global float *restrict partial, global float *restrict y, const uint count) {
  for (uint width = 1; width < count; width *= 2)
    for (uint i = 0; i + width < count; i += 2 * width) partial[i] += partial[i + width];
  y[0] = partial[0];
}
