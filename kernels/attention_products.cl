// attention_products.cl - copies, transposes and products of the attention kernels for processors
//
// Included by attention_common.cl. OpenCL C 1.2 core only.
//
// Instead of a plain triple loop every product is a register tile of 4 rows by 24 columns of explicit
// fma(). Query rows lie along the vector lanes (scores are kept as [key][row]): row maxima and sums need no
// reduction across lanes, keys and values are used as they come, and only the query block is transposed,
// once.

// ------------------------------------------------------------------------------------ copies and transposes

static inline void transpose_4x4(float4 *a, float4 *b, float4 *c, float4 *d) {
  const float8 ab_low = (float8)(a->x, b->x, a->y, b->y, c->x, d->x, c->y, d->y);
  const float8 ab_high = (float8)(a->z, b->z, a->w, b->w, c->z, d->z, c->w, d->w);
  *a = ab_low.s0145;
  *b = ab_low.s2367;
  *c = ab_high.s0145;
  *d = ab_high.s2367;
}

// target [width][STRIP] = factor * transpose of `rows` rows of source; the other lanes become 0.
static inline void pack_transposed(
    global const float *source, size_t stride, int rows, int width, float factor, float *target) {
  for (int r = 0; r < STRIP; r += 4) {
    const float f0 = (r + 0 < rows) ? factor : 0.0f;
    const float f1 = (r + 1 < rows) ? factor : 0.0f;
    const float f2 = (r + 2 < rows) ? factor : 0.0f;
    const float f3 = (r + 3 < rows) ? factor : 0.0f;
    global const float *row0 = source + (size_t)min(r + 0, rows - 1) * stride;
    global const float *row1 = source + (size_t)min(r + 1, rows - 1) * stride;
    global const float *row2 = source + (size_t)min(r + 2, rows - 1) * stride;
    global const float *row3 = source + (size_t)min(r + 3, rows - 1) * stride;
    for (int d = 0; d < width; d += 4) {
      float4 a = vload4(0, row0 + d) * f0;
      float4 b = vload4(0, row1 + d) * f1;
      float4 c = vload4(0, row2 + d) * f2;
      float4 e = vload4(0, row3 + d) * f3;
      transpose_4x4(&a, &b, &c, &e);
      vstore4(a, 0, target + (d + 0) * STRIP + r);
      vstore4(b, 0, target + (d + 1) * STRIP + r);
      vstore4(c, 0, target + (d + 2) * STRIP + r);
      vstore4(e, 0, target + (d + 3) * STRIP + r);
    }
  }
}

// `rows` rows of target = transpose of source [width][STRIP], lane r multiplied by factors[r].
static inline void unpack_transposed(
    const float *source, const float *factors, int rows, int width, global float *target, size_t stride) {
  for (int r = 0; r < rows; r += 4) {
    const float4 f = vload4(0, factors + r);
    for (int d = 0; d < width; d += 4) {
      float4 a = vload4(0, source + (d + 0) * STRIP + r) * f;
      float4 b = vload4(0, source + (d + 1) * STRIP + r) * f;
      float4 c = vload4(0, source + (d + 2) * STRIP + r) * f;
      float4 e = vload4(0, source + (d + 3) * STRIP + r) * f;
      transpose_4x4(&a, &b, &c, &e);
      global float *row = target + (size_t)r * stride + d;
      vstore4(a, 0, row);
      if (r + 1 < rows) {
        vstore4(b, 0, row + stride);
      }
      if (r + 2 < rows) {
        vstore4(c, 0, row + 2 * stride);
      }
      if (r + 3 < rows) {
        vstore4(e, 0, row + 3 * stride);
      }
    }
  }
}

// target [padded_rows][target_stride] = factor * source; rows from `rows` on and columns from width on
// become 0.
static inline void copy_rows(
    global const float *source, size_t stride, int rows, int padded_rows, int width, int padded_width,
    float factor, float *target, int target_stride) {
  for (int r = 0; r < rows; ++r) {
    global const float *from = source + (size_t)r * stride;
    float *to = target + r * target_stride;
    for (int d = 0; d < width; d += 4) {
      vstore4(vload4(0, from + d) * factor, 0, to + d);
    }
    for (int d = width; d < padded_width; d += 4) {
      vstore4((float4)(0.0f), 0, to + d);
    }
  }
  for (int r = rows; r < padded_rows; ++r) {
    for (int d = 0; d < padded_width; d += 4) {
      vstore4((float4)(0.0f), 0, target + r * target_stride + d);
    }
  }
}

// ------------------------------------------------------------------------------------------- register tiles
// Twelve accumulators as separate variables: an array of them would be spilled.

#define TILE_ACCUMULATORS \
  float8 c00 = 0.0f, c01 = 0.0f, c02 = 0.0f, c10 = 0.0f, c11 = 0.0f, c12 = 0.0f; \
  float8 c20 = 0.0f, c21 = 0.0f, c22 = 0.0f, c30 = 0.0f, c31 = 0.0f, c32 = 0.0f;

#define TILE_STEP(A0, A1, A2, A3, B) \
  { \
    const float8 b0 = vload8(0, (B)), b1 = vload8(1, (B)), b2 = vload8(2, (B)); \
    const float8 a0 = (float8)(A0), a1 = (float8)(A1), a2 = (float8)(A2), a3 = (float8)(A3); \
    c00 = fma(a0, b0, c00); \
    c01 = fma(a0, b1, c01); \
    c02 = fma(a0, b2, c02); \
    c10 = fma(a1, b0, c10); \
    c11 = fma(a1, b1, c11); \
    c12 = fma(a1, b2, c12); \
    c20 = fma(a2, b0, c20); \
    c21 = fma(a2, b1, c21); \
    c22 = fma(a2, b2, c22); \
    c30 = fma(a3, b0, c30); \
    c31 = fma(a3, b1, c31); \
    c32 = fma(a3, b2, c32); \
  }

// c [4][24] = a [4][depth] b [depth][24]
static inline void tile_scores(
    const float *a, int a_stride, const float *b, int depth, float *c, int c_stride) {
  TILE_ACCUMULATORS
#pragma unroll 4
  for (int p = 0; p < depth; ++p) {
    TILE_STEP(a[p], a[a_stride + p], a[2 * a_stride + p], a[3 * a_stride + p], b + p * STRIP)
  }
  vstore8(c00, 0, c);
  vstore8(c01, 1, c);
  vstore8(c02, 2, c);
  c += c_stride;
  vstore8(c10, 0, c);
  vstore8(c11, 1, c);
  vstore8(c12, 2, c);
  c += c_stride;
  vstore8(c20, 0, c);
  vstore8(c21, 1, c);
  vstore8(c22, 2, c);
  c += c_stride;
  vstore8(c30, 0, c);
  vstore8(c31, 1, c);
  vstore8(c32, 2, c);
}

// c [4][24] = c * f (by column) + transpose of a [depth][4] times b [depth][24]
static inline void tile_accumulate(
    const float *a, int a_stride, const float *b, int b_stride, int depth, float *c, float8 f0, float8 f1,
    float8 f2) {
  TILE_ACCUMULATORS
  for (int p = 0; p < depth; ++p) {
    TILE_STEP(a[0], a[1], a[2], a[3], b)
    a += a_stride;
    b += b_stride;
  }
  vstore8(fma(vload8(0, c), f0, c00), 0, c);
  vstore8(fma(vload8(1, c), f1, c01), 1, c);
  vstore8(fma(vload8(2, c), f2, c02), 2, c);
  c += STRIP;
  vstore8(fma(vload8(0, c), f0, c10), 0, c);
  vstore8(fma(vload8(1, c), f1, c11), 1, c);
  vstore8(fma(vload8(2, c), f2, c12), 2, c);
  c += STRIP;
  vstore8(fma(vload8(0, c), f0, c20), 0, c);
  vstore8(fma(vload8(1, c), f1, c21), 1, c);
  vstore8(fma(vload8(2, c), f2, c22), 2, c);
  c += STRIP;
  vstore8(fma(vload8(0, c), f0, c30), 0, c);
  vstore8(fma(vload8(1, c), f1, c31), 1, c);
  vstore8(fma(vload8(2, c), f2, c32), 2, c);
}

// The first `width` (a multiple of 4) of the 24 numbers at c gain x0, x1, x2.
static inline void add_to_row(global float *c, float8 x0, float8 x1, float8 x2, int width) {
  if (width >= 8) {
    vstore8(vload8(0, c) + x0, 0, c);
  } else if (width > 0) {
    vstore4(vload4(0, c) + x0.lo, 0, c);
  }
  if (width >= 16) {
    vstore8(vload8(1, c) + x1, 1, c);
  } else if (width > 8) {
    vstore4(vload4(2, c) + x1.lo, 2, c);
  }
  if (width >= 24) {
    vstore8(vload8(2, c) + x2, 2, c);
  } else if (width > 16) {
    vstore4(vload4(4, c) + x2.lo, 4, c);
  }
}

// c [rows <= 4][width <= 24] += a [4][depth] b [depth][24]
static inline void tile_add_24(
    const float *a, int a_stride, const float *b, int b_stride, int depth, global float *c, size_t c_stride,
    int rows, int width) {
  TILE_ACCUMULATORS
#pragma unroll 4
  for (int p = 0; p < depth; ++p) {
    TILE_STEP(a[p], a[a_stride + p], a[2 * a_stride + p], a[3 * a_stride + p], b)
    b += b_stride;
  }
  add_to_row(c, c00, c01, c02, width);
  if (rows > 1) {
    add_to_row(c + c_stride, c10, c11, c12, width);
  }
  if (rows > 2) {
    add_to_row(c + 2 * c_stride, c20, c21, c22, width);
  }
  if (rows > 3) {
    add_to_row(c + 3 * c_stride, c30, c31, c32, width);
  }
}

// c [rows <= 4][width <= 16] += a [4][depth] b [depth][16]
static inline void tile_add_16(
    const float *a, int a_stride, const float *b, int b_stride, int depth, global float *c, size_t c_stride,
    int rows, int width) {
  float8 c00 = 0.0f, c01 = 0.0f, c10 = 0.0f, c11 = 0.0f, c20 = 0.0f, c21 = 0.0f, c30 = 0.0f, c31 = 0.0f;
#pragma unroll 4
  for (int p = 0; p < depth; ++p) {
    const float8 b0 = vload8(0, b), b1 = vload8(1, b);
    const float8 a0 = (float8)(a[p]), a1 = (float8)(a[a_stride + p]);
    const float8 a2 = (float8)(a[2 * a_stride + p]), a3 = (float8)(a[3 * a_stride + p]);
    c00 = fma(a0, b0, c00);
    c01 = fma(a0, b1, c01);
    c10 = fma(a1, b0, c10);
    c11 = fma(a1, b1, c11);
    c20 = fma(a2, b0, c20);
    c21 = fma(a2, b1, c21);
    c30 = fma(a3, b0, c30);
    c31 = fma(a3, b1, c31);
    b += b_stride;
  }
  const float8 none = 0.0f;
  add_to_row(c, c00, c01, none, width);
  if (rows > 1) {
    add_to_row(c + c_stride, c10, c11, none, width);
  }
  if (rows > 2) {
    add_to_row(c + 2 * c_stride, c20, c21, none, width);
  }
  if (rows > 3) {
    add_to_row(c + 3 * c_stride, c30, c31, none, width);
  }
}
