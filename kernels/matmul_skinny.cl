// matmul_skinny.cl - product of a few rows with a matrix, for graphics processors (decode)
//
//   matmul_skinny_rows      A [m <= ROWS, k], B stored [n, k]   -> C [m, n]   work-items along k
//   matmul_skinny_columns   A [m <= ROWS, k], B stored [k, n]   -> C [m, n]   work-items along n
//
//   C = activation(op(A) op(B) + beta * C + bias) + residual,   beta = 0 (C is not read) or 1
//
// Bounded by reading B: every element is read once, neighbours by neighbouring work-items. A work-group owns
// COLUMNS columns of C; its work-items sum parts of k, which a tree over local memory adds in a fixed order.
// Row-major, fp32.   Swift: Operations/MatMulLaunch+Skinny.swift

#ifndef B_TRANSPOSED
#define B_TRANSPOSED 1 // 1: B is stored [n, k], matmul_skinny_rows; 0: [k, n], matmul_skinny_columns
#endif
#ifndef ROWS
#define ROWS 1 // rows of A that the registers hold: 1, 2, 4 or 8, at least m
#endif
#ifndef LANES
#define LANES 64 // work-group (power of two)
#endif
#ifndef COLUMNS
#define COLUMNS 4 // columns of C per work-group (power of two, at least 4; of matmul_skinny_columns at most LANES)
#endif
#ifndef WIDE
#define WIDE 0 // 1: rows of B (and of A along k) start at multiples of 16 bytes and have a multiple of 4 elements
#endif
#ifndef C_WIDE
#define C_WIDE 0 // 1: the same for C, bias and residual
#endif

#define VECTOR 4
#if C_WIDE
#define LOAD_ROW(source) (*(const global float4 *)(source))
#define STORE_ROW(value, target) (*(global float4 *)(target) = (value))
#endif
#include "matmul_epilogue.cl"

#if WIDE
typedef float4 piece;
#define LOAD_PIECE(source) (*(const global float4 *)(source))
#define STORE_PIECE(value, target) (*(local float4 *)(target) = (value))
#define SUM_OF(x) (((x).s0 + (x).s2) + ((x).s1 + (x).s3))
#define PIECE 4 // elements per load
#else
typedef float piece;
#define LOAD_PIECE(source) (*(source))
#define STORE_PIECE(value, target) (*(target) = (value))
#define SUM_OF(x) (x)
#define PIECE 1
#endif

#define TOTALS (ROWS * COLUMNS) // sums of a work-group

// Adds `parts` rows of TOTALS sums by a tree; the first row gets the result.
static inline void add_parts(local float *sums, uint parts, uint lane) {
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint half_count = parts / 2; half_count > 0; half_count /= 2) {
    for (uint i = lane; i < half_count * TOTALS; i += LANES) sums[i] += sums[i + half_count * TOTALS];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
}

// Writes C from the sums of the whole work-group, four columns per work-item.
static inline void finish_group(const local float *sums, uint lane, uint first_column, uint m, uint n, uint flags,
                                uint activation, const global float *bias, const global float *residual,
                                global float *c) {
  for (uint i = lane; i < TOTALS / 4; i += LANES) {
    const uint row = i / (COLUMNS / 4), inner = i % (COLUMNS / 4) * 4, column = first_column + inner;
    if (row >= m || column >= n) continue;
    const ulong place = (ulong)row * n + column;
    finish_columns(vload4(0, sums + row * COLUMNS + inner), n - column, flags, activation,
                   flags & FLAG_BIAS ? bias + column : bias, flags & FLAG_RESIDUAL ? residual + place : residual,
                   c + place);
  }
}

#if B_TRANSPOSED
// Work-groups: (ceil(n / COLUMNS), 1, batches). Rows and columns past the last repeat the last one: their sums are
// not written.
__attribute__((reqd_work_group_size(LANES, 1, 1))) kernel void
matmul_skinny_rows(const global float *restrict a, const global float *restrict b, global float *restrict c,
                   const global float *restrict bias, const global float *restrict residual, uint m, uint n, uint k,
                   uint flags, uint activation, ulong a_offset, ulong a_batch, ulong b_offset, ulong b_batch,
                   ulong c_offset, ulong c_batch) {
  local float totals[LANES * TOTALS] __attribute__((aligned(16)));
  const uint lane = get_local_id(0), first_column = (uint)get_group_id(0) * COLUMNS;
  const ulong batch = get_group_id(2);
  a += a_offset + batch * a_batch;
  b += b_offset + batch * b_batch;
  c += c_offset + batch * c_batch;
  if (flags & FLAG_RESIDUAL) residual += batch * c_batch;

  piece sums[ROWS][COLUMNS];
#pragma unroll
  for (uint i = 0; i < ROWS; i++) {
#pragma unroll
    for (uint j = 0; j < COLUMNS; j++) sums[i][j] = (piece)(0.0f);
  }
  for (uint p = lane * PIECE; p < k; p += LANES * PIECE) {
    piece x[ROWS];
#pragma unroll
    for (uint i = 0; i < ROWS; i++) x[i] = LOAD_PIECE(a + (ulong)min(i, m - 1) * k + p);
#pragma unroll
    for (uint j = 0; j < COLUMNS; j++) {
      const piece y = LOAD_PIECE(b + (ulong)min(first_column + j, n - 1) * k + p);
#pragma unroll
      for (uint i = 0; i < ROWS; i++) sums[i][j] = fma(x[i], y, sums[i][j]);
    }
  }
#pragma unroll
  for (uint i = 0; i < ROWS; i++) {
#pragma unroll
    for (uint j = 0; j < COLUMNS; j++) totals[lane * TOTALS + i * COLUMNS + j] = SUM_OF(sums[i][j]);
  }
  add_parts(totals, LANES, lane);
  finish_group(totals, lane, first_column, m, n, flags, activation, bias, residual, c);
}

#else
#define LANES_ACROSS (COLUMNS / PIECE) // work-items along n
#define SLICES (LANES / LANES_ACROSS) // work-items along k

// Work-groups: (ceil(n / COLUMNS), 1, batches). Slice s sums every SLICES-th row of B
// from s on.
__attribute__((reqd_work_group_size(LANES, 1, 1))) kernel void
matmul_skinny_columns(const global float *restrict a, const global float *restrict b, global float *restrict c,
                      const global float *restrict bias, const global float *restrict residual, uint m, uint n,
                      uint k, uint flags, uint activation, ulong a_offset, ulong a_batch, ulong b_offset,
                      ulong b_batch, ulong c_offset, ulong c_batch) {
  local float totals[SLICES * TOTALS] __attribute__((aligned(16)));
  const uint lane = get_local_id(0), first_column = (uint)get_group_id(0) * COLUMNS;
  const uint slice = lane / LANES_ACROSS, inner = lane % LANES_ACROSS * PIECE;
  const ulong batch = get_group_id(2);
  a += a_offset + batch * a_batch;
  b += b_offset + batch * b_batch;
  c += c_offset + batch * c_batch;
  if (flags & FLAG_RESIDUAL) residual += batch * c_batch;

  piece sums[ROWS];
#pragma unroll
  for (uint i = 0; i < ROWS; i++) sums[i] = (piece)(0.0f);
  if (first_column + inner < n) {
    b += first_column + inner;
    for (uint p = slice; p < k; p += SLICES) {
      const piece y = LOAD_PIECE(b + (ulong)p * n);
#pragma unroll
      for (uint i = 0; i < ROWS; i++) sums[i] = fma((piece)(a[(ulong)min(i, m - 1) * k + p]), y, sums[i]);
    }
  }
#pragma unroll
  for (uint i = 0; i < ROWS; i++) STORE_PIECE(sums[i], totals + slice * TOTALS + i * COLUMNS + inner);
  add_parts(totals, SLICES, lane);
  finish_group(totals, lane, first_column, m, n, flags, activation, bias, residual, c);
}
#endif
