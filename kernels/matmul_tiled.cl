// matmul_tiled.cl - matrix product for graphics processors: tiles in local memory
//
//   matmul_tiled      A, B                                    -> C [m, n], or partial [splits, batch, m, n]
//   matmul_split_sum  partial [splits, batch, m, n]           -> C [batch, m, n]
//
//   C = activation(op(A) op(B) + beta * C + bias) + residual,   beta = 0 (C is not read) or 1
//
// Row-major with leading dimensions, fp32. A work-group owns TILE_ROWS x TILE_COLUMNS of C and walks along k in
// tiles of TILE_DEPTH. Each work-item keeps ITEM_ROWS x ITEM_COLUMNS sums in registers, as blocks of 4 x 4 that lie
// apart, so that neighbouring items read neighbouring vectors of local memory. While a tile is multiplied the next
// one is already on its way from global memory to registers; with two BUFFERS a step needs one barrier. Nothing is
// read past an edge: tiles are padded with zeros. Where the grid is small, k is divided among `splits` work-groups,
// and matmul_split_sum adds their sums in order: no atomics, the same bits in every run.
// Method: Volkov & Demmel 2008; Nath, Tomov & Dongarra 2010.   Swift: Operations/MatMulLaunch+Tiles.swift

#ifndef A_TRANSPOSED
#define A_TRANSPOSED 0 // 1: A is stored [k, m]
#endif
#ifndef B_TRANSPOSED
#define B_TRANSPOSED 0 // 1: B is stored [n, k]
#endif
#ifndef A_WIDE
#define A_WIDE 0 // 1: rows of A start at multiples of 16 bytes and have a multiple of 4 elements
#endif
#ifndef B_WIDE
#define B_WIDE 0 // 1: the same for B
#endif
#ifndef C_WIDE
#define C_WIDE 0 // 1: the same for C, bias and residual
#endif
#ifndef TILE_ROWS
#define TILE_ROWS 64 // rows of C per work-group
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 64 // columns of C per work-group
#endif
#ifndef TILE_DEPTH
#define TILE_DEPTH 16 // elements of k per step
#endif
#ifndef ITEM_ROWS
#define ITEM_ROWS 4 // rows of C per work-item (multiple of 4)
#endif
#ifndef ITEM_COLUMNS
#define ITEM_COLUMNS 4 // columns of C per work-item (multiple of 4)
#endif
#ifndef BUFFERS
#define BUFFERS 2 // tiles of A and of B in local memory: 2, or 1 to save memory
#endif

#ifndef SUM_LANES
#define SUM_LANES 64 // work-group of matmul_split_sum
#endif

#define VECTOR 4
#if C_WIDE
#define LOAD_ROW(source) (*(const global float4 *)(source))
#define STORE_ROW(value, target) (*(global float4 *)(target) = (value))
#endif
#include "matmul_epilogue.cl"

#define LANES_DOWN (TILE_ROWS / ITEM_ROWS)
#define LANES_ACROSS (TILE_COLUMNS / ITEM_COLUMNS)
#define LANES (LANES_DOWN * LANES_ACROSS) // the work-group
#define A_STRIDE (TILE_ROWS + 4) // floats from one k to the next in local memory; the 4 spread the banks
#define B_STRIDE (TILE_COLUMNS + 4)
#define A_PIECES (TILE_ROWS * TILE_DEPTH / (4 * LANES)) // vectors of 4 that a work-item fetches per step
#define B_PIECES (TILE_COLUMNS * TILE_DEPTH / (4 * LANES))

// A tile has `size` rows (of A) or columns (of B) and TILE_DEPTH elements of k, of which `outer` and `depth` exist.
// `along_depth` says that k is the axis without gaps in memory. Whole vectors where rows are `wide`, else single
// elements, neighbours by neighbouring work-items. All but the pointers and counts are constants of the call.
static inline void fetch(const global float *source, ulong stride, uint outer, uint depth, uint lane, uint size,
                         int along_depth, int wide, float4 *pieces) {
  const uint length = along_depth ? TILE_DEPTH : size;
  const uint near_count = along_depth ? depth : outer, far_count = along_depth ? outer : depth;
#pragma unroll
  for (uint i = 0; i < size * TILE_DEPTH / (4 * LANES); i++) {
    if (wide) {
      const uint piece = i * LANES + lane;
      const uint near = piece % (length / 4) * 4, far = piece / (length / 4);
      pieces[i] = near < near_count && far < far_count ? *(const global float4 *)(source + far * stride + near)
                                                       : (float4)(0.0f);
    } else {
      float part[4];
#pragma unroll
      for (uint j = 0; j < 4; j++) {
        const uint element = (4 * i + j) * LANES + lane;
        const uint near = element % length, far = element / length;
        part[j] = near < near_count && far < far_count ? source[far * stride + near] : 0.0f;
      }
      pieces[i] = (float4)(part[0], part[1], part[2], part[3]);
    }
  }
}

// Puts what `fetch` got into local memory as [k][row or column].
static inline void stash(local float *tile, uint stride, uint lane, uint size, int along_depth, int wide,
                         const float4 *pieces) {
  const uint length = along_depth ? TILE_DEPTH : size;
#pragma unroll
  for (uint i = 0; i < size * TILE_DEPTH / (4 * LANES); i++) {
    const float part[4] = {pieces[i].s0, pieces[i].s1, pieces[i].s2, pieces[i].s3};
    const uint piece = i * LANES + lane;
    const uint first = piece % (length / 4) * 4, row = piece / (length / 4);
    if (wide && !along_depth) {
      *(local float4 *)(tile + row * stride + first) = pieces[i];
      continue;
    }
#pragma unroll
    for (uint j = 0; j < 4; j++) {
      const uint element = (4 * i + j) * LANES + lane;
      const uint near = wide ? first + j : element % length, far = wide ? row : element / length;
      tile[along_depth ? near * stride + far : far * stride + near] = part[j];
    }
  }
}

// Work-groups: (ceil(n / TILE_COLUMNS), ceil(m / TILE_ROWS), splits * batches). Split s of batch i has the third
// index s * batches + i and k from s * depth_per_split (a multiple of TILE_DEPTH) on. With more than one split C is
// the scratch memory of partial sums, dense, and there is no epilogue.
__attribute__((reqd_work_group_size(LANES, 1, 1))) kernel void
matmul_tiled(const global float *restrict a, const global float *restrict b, global float *restrict c,
             const global float *restrict bias, const global float *restrict residual, uint m, uint n, uint k,
             uint batches, uint depth_per_split, uint flags, uint activation, ulong a_offset, ulong a_batch,
             ulong lda, ulong b_offset, ulong b_batch, ulong ldb, ulong c_offset, ulong c_batch, ulong ldc) {
  local float a_tiles[BUFFERS * TILE_DEPTH * A_STRIDE] __attribute__((aligned(16)));
  local float b_tiles[BUFFERS * TILE_DEPTH * B_STRIDE] __attribute__((aligned(16)));
  const uint lane = get_local_id(0), down = lane / LANES_ACROSS, across = lane % LANES_ACROSS;
  const uint first_row = (uint)get_group_id(1) * TILE_ROWS, first_column = (uint)get_group_id(0) * TILE_COLUMNS;
  const uint batch = (uint)get_group_id(2) % batches, split = (uint)get_group_id(2) / batches;
  const uint begin = split * depth_per_split;
  const uint end = k - begin > depth_per_split ? begin + depth_per_split : k;
  const uint rows = min(m - first_row, (uint)TILE_ROWS), columns = min(n - first_column, (uint)TILE_COLUMNS);
  const ulong a_step = A_TRANSPOSED ? lda : 1, b_step = B_TRANSPOSED ? 1 : ldb;
  a += a_offset + batch * a_batch + first_row * (A_TRANSPOSED ? 1 : lda) + begin * a_step;
  b += b_offset + batch * b_batch + first_column * (B_TRANSPOSED ? ldb : 1) + begin * b_step;

  float4 sums[ITEM_ROWS][ITEM_COLUMNS / 4];
#pragma unroll
  for (uint i = 0; i < ITEM_ROWS; i++) {
#pragma unroll
    for (uint j = 0; j < ITEM_COLUMNS / 4; j++) sums[i][j] = (float4)(0.0f);
  }
  float4 a_pieces[A_PIECES], b_pieces[B_PIECES];
  fetch(a, lda, rows, end - begin, lane, TILE_ROWS, !A_TRANSPOSED, A_WIDE, a_pieces);
  fetch(b, ldb, columns, end - begin, lane, TILE_COLUMNS, B_TRANSPOSED, B_WIDE, b_pieces);
  stash(a_tiles, A_STRIDE, lane, TILE_ROWS, !A_TRANSPOSED, A_WIDE, a_pieces);
  stash(b_tiles, B_STRIDE, lane, TILE_COLUMNS, B_TRANSPOSED, B_WIDE, b_pieces);
  barrier(CLK_LOCAL_MEM_FENCE);

  uint current = 0;
  for (uint p = begin; p < end; p += TILE_DEPTH) {
    const int more = end - p > TILE_DEPTH;
    if (more) {
      a += TILE_DEPTH * a_step;
      b += TILE_DEPTH * b_step;
      fetch(a, lda, rows, end - p - TILE_DEPTH, lane, TILE_ROWS, !A_TRANSPOSED, A_WIDE, a_pieces);
      fetch(b, ldb, columns, end - p - TILE_DEPTH, lane, TILE_COLUMNS, B_TRANSPOSED, B_WIDE, b_pieces);
    }
    const local float *x = a_tiles + current * TILE_DEPTH * A_STRIDE + down * 4;
    const local float *y = b_tiles + current * TILE_DEPTH * B_STRIDE + across * 4;
#pragma unroll
    for (uint q = 0; q < TILE_DEPTH; q++) {
      float4 column_values[ITEM_COLUMNS / 4];
#pragma unroll
      for (uint j = 0; j < ITEM_COLUMNS / 4; j++)
        column_values[j] = *(const local float4 *)(y + q * B_STRIDE + j * 4 * LANES_ACROSS);
#pragma unroll
      for (uint i = 0; i < ITEM_ROWS; i += 4) {
        const float4 row_values = *(const local float4 *)(x + q * A_STRIDE + i * LANES_DOWN);
#pragma unroll
        for (uint j = 0; j < ITEM_COLUMNS / 4; j++) {
          sums[i][j] = fma((float4)(row_values.s0), column_values[j], sums[i][j]);
          sums[i + 1][j] = fma((float4)(row_values.s1), column_values[j], sums[i + 1][j]);
          sums[i + 2][j] = fma((float4)(row_values.s2), column_values[j], sums[i + 2][j]);
          sums[i + 3][j] = fma((float4)(row_values.s3), column_values[j], sums[i + 3][j]);
        }
      }
    }
    // With one buffer nobody may still read it; with two the barrier of the previous step said so of the other.
    if (BUFFERS == 1) barrier(CLK_LOCAL_MEM_FENCE);
    current = (current + 1) % BUFFERS;
    if (more) {
      local float *next_a = a_tiles + current * TILE_DEPTH * A_STRIDE;
      local float *next_b = b_tiles + current * TILE_DEPTH * B_STRIDE;
      stash(next_a, A_STRIDE, lane, TILE_ROWS, !A_TRANSPOSED, A_WIDE, a_pieces);
      stash(next_b, B_STRIDE, lane, TILE_COLUMNS, B_TRANSPOSED, B_WIDE, b_pieces);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }

  const ulong target = (ulong)get_group_id(2) * c_batch;
  c += c_offset + target;
  if (flags & FLAG_RESIDUAL) residual += target;
#pragma unroll
  for (uint i = 0; i < ITEM_ROWS; i++) {
    const uint row = first_row + (i / 4 * LANES_DOWN + down) * 4 + i % 4;
    if (row >= m) continue;
#pragma unroll
    for (uint j = 0; j < ITEM_COLUMNS / 4; j++) {
      const uint column = first_column + (j * LANES_ACROSS + across) * 4;
      if (column >= n) continue;
      finish_columns(sums[i][j], n - column, flags, activation, flags & FLAG_BIAS ? bias + column : bias,
                     flags & FLAG_RESIDUAL ? residual + row * ldc + column : residual, c + row * ldc + column);
    }
  }
}

// Work-items: (m * ceil(n / 4), 1, batches). Adds the partial sums of all splits in order and applies the epilogue.
__attribute__((reqd_work_group_size(SUM_LANES, 1, 1))) kernel void
matmul_split_sum(const global float *restrict partial, global float *restrict c, const global float *restrict bias,
                 const global float *restrict residual, uint m, uint n, uint splits, uint batches, uint flags,
                 uint activation, ulong c_offset) {
  const uint chunks = (n - 1) / 4 + 1;
  const ulong row = get_global_id(0) / chunks;
  const uint column = (uint)(get_global_id(0) % chunks) * 4;
  if (row >= m) return;
  const ulong place = (get_global_id(2) * m + row) * n + column, step = (ulong)batches * m * n;
  float4 sum = load_columns(partial + place, n - column);
  for (uint split = 1; split < splits; split++) sum += load_columns(partial + place + split * step, n - column);
  finish_columns(sum, n - column, flags, activation, flags & FLAG_BIAS ? bias + column : bias,
                 flags & FLAG_RESIDUAL ? residual + place : residual, c + c_offset + place);
}
