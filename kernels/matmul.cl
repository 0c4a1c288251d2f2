// matmul.cl - matrix product with fused epilogue, all transpositions, batched
//
//   matmul             A, B                             -> C [m, n]   register tiles, B packed on the fly
//   matmul_tn          A stored [k, m], B               -> C [m, n]   A packed too (weight gradients)
//   matmul_skinny_nt   A [m <= 8, k], B stored [n, k]   -> C [m, n]   reads B once (decode)
//   matmul_skinny_nn   A [m <= 8, k], B stored [k, n]   -> C [m, n]   reads B once
//
//   C = activation(op(A) op(B) + beta * C + bias) + residual,   beta = 0 (C is not read) or 1
//
// Row-major with leading dimensions, fp32; bias [n], residual like C. Work-group size 1, no barriers, no
// atomics: every element of C is summed by one work-item in a fixed order. Made for CPU devices. C overlaps
// no operand.
//
// A work-item of `matmul` owns one column panel (TILE_COLUMNS wide) and a range of rows. Per block of k it
// copies the B panel to private memory (transposing if B is stored [n, k]), then sweeps its rows with a tile
// of TILE_ROWS x TILE_COLUMNS named accumulators (LLVM does not keep an array of them in registers). A is
// read in place through two strides, so both its transpositions are the same code. Nothing is read past an
// edge: row offsets stop at the last row, B panels are padded with zeros. The host needs no scratch memory.
// Method: Goto & van de Geijn 2008; Van Zee & van de Geijn 2015.   Swift: Operations/MatMulLaunch.swift

#ifndef VECTOR
#define VECTOR 16 // floats per vector: 16 (AVX-512, tile 12 x 32) or 8 (AVX2, tile 6 x 16)
#endif
#ifndef DEPTH
#define DEPTH 384 // largest block of k; a work-item holds DEPTH * TILE_COLUMNS floats of B in private memory
#endif
#ifndef PACKED_DEPTH
#define PACKED_DEPTH 256 // largest block of k in matmul_tn
#endif
#ifndef PACKED_PANELS
#define PACKED_PANELS 12 // B panels of PACKED_DEPTH * TILE_COLUMNS floats in a work-item of matmul_tn
#endif
#ifndef PACKED_TILES
#define PACKED_TILES 8 // row tiles of A that matmul_tn copies side by side (whole cache lines: 8 * 6 or 12 floats)
#endif
#ifndef SKINNY_ROWS
#define SKINNY_ROWS 8 // largest m of the skinny kernels
#endif
#ifndef SKINNY_COLUMNS
#define SKINNY_COLUMNS 512 // columns per work-item of matmul_skinny_nn (multiple of 2 * VECTOR)
#endif

#include "fetch.cl"
#include "matmul_epilogue.cl"

#if VECTOR == 16
#define TILE_ROWS 12 // rows of the register tile: 24 accumulators, 2 vectors of B, broadcasts of A
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#elif VECTOR == 8
#define TILE_ROWS 6 // rows of the register tile: 12 accumulators, 2 vectors of B, broadcasts of A
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#else
#error "VECTOR must be 8 or 16"
#endif
#define TILE_COLUMNS (2 * VECTOR) // columns of the register tile and of a B panel

// A bit of `flags` beyond those of the epilogue.
#define FLAG_A_ROWS 8 // matmul_tn only: A is stored [m, k] after all

// Adds a tile of sums to C where asked and applies the epilogue. `c`, `bias` and `residual` point at the tile's
// first element; bias and residual are only read when their flag is set.
static inline void finish(const float *tile, uint tile_stride, uint rows, uint columns, uint flags,
                          uint activation, const global float *bias, const global float *residual,
                          global float *c, size_t ldc) {
  for (uint i = 0; i < rows; i++) {
    for (uint j = 0; j < columns; j += VECTOR) {
      finish_columns(LOAD_VECTOR(0, tile + i * tile_stride + j), columns - j, flags, activation,
                     flags & FLAG_BIAS ? bias + j : bias,
                     flags & FLAG_RESIDUAL ? residual + i * ldc + j : residual, c + i * ldc + j);
    }
  }
}

// panel[p][j] = b[j][p]: B stored [n, k], four rows at a time.
static inline void pack_transposed(const global float *b, size_t ldb, uint columns, uint depth,
                                   float *panel) {
  for (uint j = 0; j < TILE_COLUMNS; j += 4) {
    uint p = 0;
    if (j + 4 <= columns) {
      const global float *row = b + j * ldb;
      for (; p + 4 <= depth; p += 4) {
        const float4 w = vload4(0, row + p);
        const float4 x = vload4(0, row + ldb + p);
        const float4 y = vload4(0, row + 2 * ldb + p);
        const float4 z = vload4(0, row + 3 * ldb + p);
        float *target = panel + p * TILE_COLUMNS + j;
        vstore4((float4)(w.s0, x.s0, y.s0, z.s0), 0, target);
        vstore4((float4)(w.s1, x.s1, y.s1, z.s1), 0, target + TILE_COLUMNS);
        vstore4((float4)(w.s2, x.s2, y.s2, z.s2), 0, target + 2 * TILE_COLUMNS);
        vstore4((float4)(w.s3, x.s3, y.s3, z.s3), 0, target + 3 * TILE_COLUMNS);
      }
    }
    for (; p < depth; p++) {
      for (uint i = j; i < j + 4; i++) panel[p * TILE_COLUMNS + i] = i < columns ? b[i * ldb + p] : 0.0f;
    }
  }
}

// panel[p][j] = b[p][j]: B stored [k, n].
static inline void pack_copy(const global float *b, size_t ldb, uint columns, uint depth, float *panel) {
  for (uint p = 0; p < depth; p++) {
    STORE_VECTOR(load_columns(b + p * ldb, columns), 0, panel + p * TILE_COLUMNS);
    STORE_VECTOR(columns > VECTOR ? load_columns(b + p * ldb + VECTOR, columns - VECTOR) : (vector)(0.0f), 0,
                 panel + p * TILE_COLUMNS + VECTOR);
  }
}

// tiles[r / TILE_ROWS][p][r % TILE_ROWS] = a[r][p]: A stored [m, k], four rows at a time (the last four of a
// tile of six overlap the first); rows past the last repeat it.
static inline void pack_rows_transposed(const global float *a, size_t lda, uint rows, uint depth,
                                        float *tiles) {
  for (uint i = 0; i < rows; i += TILE_ROWS) {
    for (uint g = 0; g < TILE_ROWS; g += 4) {
      const uint r = min(g, (uint)(TILE_ROWS - 4));
      const global float *a0 = a + min(i + r, rows - 1) * lda, *a1 = a + min(i + r + 1, rows - 1) * lda;
      const global float *a2 = a + min(i + r + 2, rows - 1) * lda, *a3 = a + min(i + r + 3, rows - 1) * lda;
      float *target = tiles + i * PACKED_DEPTH + r;
      uint p = 0;
      for (; p + 4 <= depth; p += 4) {
        const float4 w = vload4(0, a0 + p), x = vload4(0, a1 + p), y = vload4(0, a2 + p),
                     z = vload4(0, a3 + p);
        vstore4((float4)(w.s0, x.s0, y.s0, z.s0), 0, target + p * TILE_ROWS);
        vstore4((float4)(w.s1, x.s1, y.s1, z.s1), 0, target + (p + 1) * TILE_ROWS);
        vstore4((float4)(w.s2, x.s2, y.s2, z.s2), 0, target + (p + 2) * TILE_ROWS);
        vstore4((float4)(w.s3, x.s3, y.s3, z.s3), 0, target + (p + 3) * TILE_ROWS);
      }
      for (; p < depth; p++) vstore4((float4)(a0[p], a1[p], a2[p], a3[p]), 0, target + p * TILE_ROWS);
    }
  }
}

// tiles[r / TILE_ROWS][p][r % TILE_ROWS] = a[p][r]: A stored [k, m]; rows past the last are zero.
static inline void pack_rows_copy(const global float *a, size_t lda, uint rows, uint depth, float *tiles) {
  for (uint p = 0; p < depth; p++) {
    for (uint i = 0; i < rows; i += TILE_ROWS) {
      const global float *source = a + p * lda + i;
      float *target = tiles + i * PACKED_DEPTH + p * TILE_ROWS;
      if (rows - i >= TILE_ROWS) {
#if VECTOR == 16
        vstore8(vload8(0, source), 0, target);
        vstore4(vload4(0, source + 8), 0, target + 8);
#else
        vstore4(vload4(0, source), 0, target);
        vstore2(vload2(0, source + 4), 0, target + 4);
#endif
      } else {
        for (uint r = 0; r < TILE_ROWS; r++) target[r] = i + r < rows ? source[r] : 0.0f;
      }
    }
  }
}

// A block of A or B that is packed soon: `rows` rows in memory, of which `share` are asked for at a time.
typedef struct {
  const global float *first;
  size_t stride;
  uint rows, length, share;
} block_ahead;

// The block of `depth` steps of k from p on and `count` rows of A or columns of B from i on. `k_contiguous`:
// A is stored [m, k] or B [n, k]. It is asked for in `shares` shares.
static inline block_ahead look_ahead(const global float *x, size_t ldx, uint k_contiguous, uint p, uint depth,
                                     uint i, uint count, uint shares) {
  const uint rows = k_contiguous && depth > 0 ? count : depth;
  const block_ahead block = {x + (k_contiguous ? i * ldx + p : p * ldx + i), ldx, rows,
                             k_contiguous ? depth : count, (rows + shares - 1) / shares};
  return block;
}

static inline void fetch_share(block_ahead *block) {
  const uint count = min(block->share, block->rows);
  for (uint r = 0; r < count; r++) {
    for (uint j = 0; j < block->length; j += 16) FETCH(block->first + j);
    FETCH(block->first + block->length - 1);
    block->first += block->stride;
  }
  block->rows -= count;
}

// The register tile: accumulators sum<r>_0 and sum<r>_1 and the row's pointer a<r> for each row r.
#define DECLARE_ROW(r)                                         \
  vector sum##r##_0 = (vector)(0.0f), sum##r##_1 = sum##r##_0; \
  const row_pointer a##r = a + min((uint)r, rows - 1) * a_row;
#define STEP_ROW(r)                       \
  {                                       \
    const vector x = (vector)(a##r[q]);     \
    sum##r##_0 = fma(x, b_0, sum##r##_0); \
    sum##r##_1 = fma(x, b_1, sum##r##_1); \
  }
#define ADD_ROW(r)                                \
  sum##r##_0 += LOAD_VECTOR(0, c + r * ldc);      \
  sum##r##_1 += LOAD_VECTOR(0, c + r * ldc + VECTOR);
#define WRITE_ROW(r)                        \
  STORE_VECTOR(sum##r##_0, 0, c + r * ldc); \
  STORE_VECTOR(sum##r##_1, 0, c + r * ldc + VECTOR);
#define STAGE_ROW(r)                                    \
  STORE_VECTOR(sum##r##_0, 0, tile + r * TILE_COLUMNS); \
  STORE_VECTOR(sum##r##_1, 0, tile + r * TILE_COLUMNS + VECTOR);

// name: sum[r][j] = sum over p of a[r * a_row + p * a_depth] * panel[p][j]; rows past `rows` repeat the last
// one. With `direct` the sums go from the registers to C (5 % faster on a Zen 4 than through `tile`:
// whole tiles without an epilogue), otherwise to `tile`, for `finish`. OpenCL C 1.2 has no generic
// address space: one function for A in place (global) and one for packed A (private).
#define DEFINE_MULTIPLY_TILE(name, space)                                                                  \
  static inline void name(const space float *a, size_t a_row, size_t a_depth, uint rows,                   \
                          const float *panel, uint depth, int direct, uint flags,                          \
                          global float *c, size_t ldc, float *tile) {                                      \
    typedef const space float *row_pointer;                                                                \
    EACH_ROW(DECLARE_ROW)                                                                                  \
    size_t q = 0;                                                                                          \
    for (uint p = 0; p < depth; p++) {                                                                     \
      const vector b_0 = LOAD_VECTOR(0, panel + p * TILE_COLUMNS);                                         \
      const vector b_1 = LOAD_VECTOR(0, panel + p * TILE_COLUMNS + VECTOR);                                \
      EACH_ROW(STEP_ROW)                                                                                   \
      q += a_depth;                                                                                        \
    }                                                                                                      \
    if (direct) {                                                                                          \
      if (flags & FLAG_ACCUMULATE) {                                                                       \
        EACH_ROW(ADD_ROW)                                                                                  \
      }                                                                                                    \
      EACH_ROW(WRITE_ROW)                                                                                  \
    } else {                                                                                               \
      EACH_ROW(STAGE_ROW)                                                                                  \
    }                                                                                                      \
  }

DEFINE_MULTIPLY_TILE(multiply_tile, global)
DEFINE_MULTIPLY_TILE(multiply_packed_tile, private)

// Work-items: (ceil(n / TILE_COLUMNS), ceil(m / rows_per_item), batch); rows_per_item a multiple of
// TILE_ROWS. Element (i, p) of op(A) lies at a_offset + batch * a_batch + i * a_row + p * a_depth: (a_row,
// a_depth) is (lda, 1) for A [m, k] and (1, lda) for A stored [k, m]. depth_per_block is at most DEPTH.
__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
matmul(const global float *restrict a, const global float *restrict b, global float *restrict c,
       const global float *restrict bias, const global float *restrict residual, uint m, uint n, uint k,
       uint rows_per_item, uint depth_per_block, uint b_transposed, uint flags, uint activation,
       ulong a_offset, ulong a_batch, ulong a_row, ulong a_depth, ulong b_offset, ulong b_batch, ulong ldb,
       ulong c_offset, ulong c_batch, ulong ldc) {
  float panel[DEPTH * TILE_COLUMNS] __attribute__((aligned(64)));
  float tile[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
  const size_t first_column = get_global_id(0) * TILE_COLUMNS;
  const uint first_row = (uint)get_global_id(1) * rows_per_item;
  const size_t batch = get_global_id(2);
  if (first_column >= n || first_row >= m) return;
  const uint end_row = m - first_row > rows_per_item ? first_row + rows_per_item : m;
  const uint columns = min((uint)(n - first_column), (uint)TILE_COLUMNS);
  a += a_offset + batch * a_batch;
  b += b_offset + batch * b_batch + first_column * (b_transposed ? ldb : 1);
  c += c_offset + batch * c_batch + first_column;
  if (flags & FLAG_BIAS) bias += first_column;
  if (flags & FLAG_RESIDUAL) residual += batch * c_batch + first_column;

  // Once for k = 0, too: the epilogue of sums of nothing.
  uint p = 0;
  do {
    const uint depth = min(k - p, depth_per_block);
    const uint last = k - p <= depth_per_block;
    const uint block_flags = (last ? flags : flags & FLAG_ACCUMULATE) | (p > 0 ? FLAG_ACCUMULATE : 0);
    if (b_transposed)
      pack_transposed(b + p, ldb, columns, depth, panel);
    else
      pack_copy(b + p * ldb, ldb, columns, depth, panel);
    const uint block_activation = last ? activation : ACTIVATION_NONE;
    const int plain = !(block_flags & (FLAG_BIAS | FLAG_RESIDUAL)) && block_activation == ACTIVATION_NONE;
    for (uint i = first_row; i < end_row; i += TILE_ROWS) {
      const uint rows = min(end_row - i, (uint)TILE_ROWS);
      const int direct = plain && rows == TILE_ROWS && columns == TILE_COLUMNS;
      global float *target = c + i * ldc;
      multiply_tile(a + i * a_row + p * a_depth, a_row, a_depth, rows, panel, depth, direct, block_flags, target,
                    ldc, tile);
      if (direct) continue;
      const global float *added = block_flags & FLAG_RESIDUAL ? residual + i * ldc : residual;
      finish(tile, TILE_COLUMNS, rows, columns, block_flags, block_activation, bias, added, target, ldc);
    }
    p += depth_per_block;
  } while (p < k);
}

// Work-items: (ceil(n / columns_per_item), ceil(m / rows_per_item), batch); columns_per_item a multiple of
// TILE_COLUMNS, at most PACKED_PANELS * TILE_COLUMNS; rows_per_item a multiple of TILE_ROWS; depth_per_block
// at most PACKED_DEPTH; k > 0. A's tiles are copied to private memory, PACKED_TILES side by side so that whole cache
// lines are used, and each meets all B panels of the work-item. Reading A in place misses the cache at every
// step when A is stored [k, m] with a large lda (1.6 to 2.6 times slower on a Zen 4 at lda 1024, 2048, 8192
// and 50257), and its rows evict each other when A is stored [m, k] and lda is a multiple of 1024 (up to 1.1
// times slower).
__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
matmul_tn(const global float *restrict a, const global float *restrict b, global float *restrict c,
          const global float *restrict bias, const global float *restrict residual, uint m, uint n, uint k,
          uint rows_per_item, uint columns_per_item, uint depth_per_block, uint b_transposed, uint flags,
          uint activation, ulong a_offset, ulong a_batch, ulong lda, ulong b_offset, ulong b_batch, ulong ldb,
          ulong c_offset, ulong c_batch, ulong ldc) {
  float panels[PACKED_PANELS * PACKED_DEPTH * TILE_COLUMNS] __attribute__((aligned(64)));
  float tiles[PACKED_TILES * PACKED_DEPTH * TILE_ROWS] __attribute__((aligned(64)));
  float tile[TILE_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
  const size_t first_column = get_global_id(0) * columns_per_item;
  const uint first_row = (uint)get_global_id(1) * rows_per_item;
  const size_t batch = get_global_id(2);
  if (first_column >= n || first_row >= m) return;
  const uint end_row = m - first_row > rows_per_item ? first_row + rows_per_item : m;
  const uint columns = min((uint)(n - first_column), columns_per_item);
  a += a_offset + batch * a_batch;
  b += b_offset + batch * b_batch + first_column * (b_transposed ? ldb : 1);
  c += c_offset + batch * c_batch + first_column;
  if (flags & FLAG_BIAS) bias += first_column;
  if (flags & FLAG_RESIDUAL) residual += batch * c_batch + first_column;

  for (uint p = 0; p < k; p += depth_per_block) {
    const uint depth = min(k - p, depth_per_block);
    const uint last = k - p <= depth_per_block;
    const uint block_flags = (last ? flags : flags & FLAG_ACCUMULATE) | (p > 0 ? FLAG_ACCUMULATE : 0);
    const uint block_activation = last ? activation : ACTIVATION_NONE;
    const int plain = !(block_flags & (FLAG_BIAS | FLAG_RESIDUAL)) && block_activation == ACTIVATION_NONE;
    for (uint j = 0; j < columns; j += TILE_COLUMNS) {
      const uint width = min(columns - j, (uint)TILE_COLUMNS);
      if (b_transposed)
        pack_transposed(b + j * ldb + p, ldb, width, depth, panels + j * PACKED_DEPTH);
      else
        pack_copy(b + p * ldb + j, ldb, width, depth, panels + j * PACKED_DEPTH);
    }
    for (uint strip = first_row; strip < end_row; strip += PACKED_TILES * TILE_ROWS) {
      const uint strip_rows = min(end_row - strip, (uint)(PACKED_TILES * TILE_ROWS));
      if (flags & FLAG_A_ROWS)
        pack_rows_transposed(a + strip * lda + p, lda, strip_rows, depth, tiles);
      else
        pack_rows_copy(a + p * lda + strip, lda, strip_rows, depth, tiles);
      // The next strip is asked for while this one is multiplied, beside the last one the next block of B.
      const uint more = end_row - strip > PACKED_TILES * TILE_ROWS;
      const uint q = more ? p : p + depth, next = more ? strip + PACKED_TILES * TILE_ROWS : first_row;
      const uint next_rows = min(end_row - next, (uint)(PACKED_TILES * TILE_ROWS));
      const uint next_depth = min(k - q, depth_per_block);
      const uint tile_columns = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
      const uint shares = (strip_rows + TILE_ROWS - 1) / TILE_ROWS * tile_columns;
      block_ahead next_a =
          look_ahead(a, lda, flags & FLAG_A_ROWS, q, next_depth, next, next_rows, shares);
      block_ahead next_b = look_ahead(b, ldb, b_transposed, q, more ? 0 : next_depth, 0, columns, shares);
      for (uint i = 0; i < strip_rows; i += TILE_ROWS) {
        const uint rows = min(strip_rows - i, (uint)TILE_ROWS);
        for (uint j = 0; j < columns; j += TILE_COLUMNS) {
          const uint width = min(columns - j, (uint)TILE_COLUMNS);
          const int direct = plain && rows == TILE_ROWS && width == TILE_COLUMNS;
          global float *target = c + (strip + i) * ldc + j;
          fetch_share(&next_a);
          fetch_share(&next_b);
          multiply_packed_tile(tiles + i * PACKED_DEPTH, 1, TILE_ROWS, TILE_ROWS, panels + j * PACKED_DEPTH,
                               depth, direct, block_flags, target, ldc, tile);
          if (direct) continue;
          const global float *added =
              block_flags & FLAG_RESIDUAL ? residual + (strip + i) * ldc + j : residual;
          finish(tile, TILE_COLUMNS, rows, width, block_flags, block_activation,
                 block_flags & FLAG_BIAS ? bias + j : bias, added, target, ldc);
        }
      }
    }
  }
}

static inline float sum_of(vector x) {
#if VECTOR == 16
  const float8 y = x.lo + x.hi;
#else
  const float8 y = x;
#endif
  const float4 z = y.lo + y.hi;
  return (z.s0 + z.s2) + (z.s1 + z.s3);
}

// Dot products of two rows of A with four rows of B, k contiguous in both.
#define EACH_PAIR(DO) DO(0, 0) DO(0, 1) DO(0, 2) DO(0, 3) DO(1, 0) DO(1, 1) DO(1, 2) DO(1, 3)
#define DECLARE_PAIR(i, j) vector dot##i##j = (vector)(0.0f);
#define STEP_PAIR(i, j) dot##i##j = fma(x##i, y##j, dot##i##j);
#define STORE_PAIR(i, j) sums[i][j] = sum_of(dot##i##j);

static inline void multiply_pairs(const global float *a0, const global float *a1, const global float *b0,
                                  const global float *b1, const global float *b2, const global float *b3,
                                  uint k, float sums[2][4]) {
  EACH_PAIR(DECLARE_PAIR)
  uint p = 0;
  for (; k - p >= VECTOR; p += VECTOR) {
    const vector x0 = LOAD_VECTOR(0, a0 + p), x1 = LOAD_VECTOR(0, a1 + p);
    const vector y0 = LOAD_VECTOR(0, b0 + p), y1 = LOAD_VECTOR(0, b1 + p);
    const vector y2 = LOAD_VECTOR(0, b2 + p), y3 = LOAD_VECTOR(0, b3 + p);
    EACH_PAIR(STEP_PAIR)
  }
  if (p < k) {
    const uint count = k - p;
    const vector x0 = load_columns(a0 + p, count), x1 = load_columns(a1 + p, count);
    const vector y0 = load_columns(b0 + p, count), y1 = load_columns(b1 + p, count);
    const vector y2 = load_columns(b2 + p, count), y3 = load_columns(b3 + p, count);
    EACH_PAIR(STEP_PAIR)
  }
  EACH_PAIR(STORE_PAIR)
}

// Work-items: (ceil(n / TILE_COLUMNS), 1, batch); m at most SKINNY_ROWS. B is stored [n, k].
__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
matmul_skinny_nt(const global float *restrict a, const global float *restrict b, global float *restrict c,
                 const global float *restrict bias, const global float *restrict residual, uint m, uint n,
                 uint k, uint flags, uint activation, ulong a_offset, ulong a_batch, ulong lda, ulong b_offset,
                 ulong b_batch, ulong ldb, ulong c_offset, ulong c_batch, ulong ldc) {
  float tile[SKINNY_ROWS * TILE_COLUMNS] __attribute__((aligned(64)));
  const size_t first_column = get_global_id(0) * TILE_COLUMNS;
  const size_t batch = get_global_id(2);
  if (first_column >= n) return;
  const uint columns = min((uint)(n - first_column), (uint)TILE_COLUMNS);
  a += a_offset + batch * a_batch;
  b += b_offset + batch * b_batch + first_column * ldb;
  c += c_offset + batch * c_batch + first_column;
  if (flags & FLAG_BIAS) bias += first_column;
  if (flags & FLAG_RESIDUAL) residual += batch * c_batch + first_column;

  // Four rows of B stay in the cache while the rows of A pass by, two at a time; edges repeat the last row.
  for (uint j = 0; j < columns; j += 4) {
    for (uint i = 0; i < m; i += 2) {
      float sums[2][4];
      multiply_pairs(a + i * lda, a + min(i + 1, m - 1) * lda, b + j * ldb, b + min(j + 1, columns - 1) * ldb,
                     b + min(j + 2, columns - 1) * ldb, b + min(j + 3, columns - 1) * ldb, k, sums);
      vstore4(vload4(0, sums[0]), 0, tile + i * TILE_COLUMNS + j);
      if (i + 1 < m) vstore4(vload4(0, sums[1]), 0, tile + (i + 1) * TILE_COLUMNS + j);
    }
  }
  finish(tile, TILE_COLUMNS, m, columns, flags, activation, bias, residual, c, ldc);
}

// Work-items: (ceil(n / columns_per_item), 1, batch); m at most SKINNY_ROWS; columns_per_item a multiple of
// VECTOR and at most SKINNY_COLUMNS. B is stored [k, n].
__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
matmul_skinny_nn(const global float *restrict a, const global float *restrict b, global float *restrict c,
                 const global float *restrict bias, const global float *restrict residual, uint m, uint n,
                 uint k, uint columns_per_item, uint flags, uint activation, ulong a_offset, ulong a_batch,
                 ulong lda, ulong b_offset, ulong b_batch, ulong ldb, ulong c_offset, ulong c_batch,
                 ulong ldc) {
  float sums[SKINNY_ROWS * SKINNY_COLUMNS] __attribute__((aligned(64)));
  const size_t first_column = get_global_id(0) * columns_per_item;
  const size_t batch = get_global_id(2);
  if (first_column >= n) return;
  const uint columns = min((uint)(n - first_column), columns_per_item);
  a += a_offset + batch * a_batch;
  b += b_offset + batch * b_batch + first_column;
  c += c_offset + batch * c_batch + first_column;
  if (flags & FLAG_BIAS) bias += first_column;
  if (flags & FLAG_RESIDUAL) residual += batch * c_batch + first_column;

  for (uint i = 0; i < m; i++) {
    for (uint j = 0; j < columns; j += VECTOR) STORE_VECTOR((vector)(0.0f), 0, sums + i * SKINNY_COLUMNS + j);
  }
  // Four rows of B at a time pass by sums that stay in the cache, then the last k % 4 one by one.
  uint p = 0;
  for (; k - p >= 4; p += 4) {
    const global float *row = b + p * ldb;
    for (uint i = 0; i < m; i++) {
      const float4 x = vload4(0, a + i * lda + p);
      float *target = sums + i * SKINNY_COLUMNS;
      for (uint j = 0; j < columns; j += VECTOR) {
        const uint count = columns - j;
        vector sum = fma((vector)(x.s0), load_columns(row + j, count), LOAD_VECTOR(0, target + j));
        sum = fma((vector)(x.s1), load_columns(row + ldb + j, count), sum);
        sum = fma((vector)(x.s2), load_columns(row + 2 * ldb + j, count), sum);
        sum = fma((vector)(x.s3), load_columns(row + 3 * ldb + j, count), sum);
        STORE_VECTOR(sum, 0, target + j);
      }
    }
  }
  for (; p < k; p++) {
    for (uint i = 0; i < m; i++) {
      const vector x = (vector)(a[i * lda + p]);
      float *target = sums + i * SKINNY_COLUMNS;
      for (uint j = 0; j < columns; j += VECTOR) {
        STORE_VECTOR(fma(x, load_columns(b + p * ldb + j, columns - j), LOAD_VECTOR(0, target + j)), 0,
                     target + j);
      }
    }
  }
  finish(sums, SKINNY_COLUMNS, m, columns, flags, activation, bias, residual, c, ldc);
}
