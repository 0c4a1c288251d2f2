// attention_products.cl - copies, transposes and products of the attention kernels for processors
//
// Included by attention_common.cl. OpenCL C 1.2 core only.
//
// Instead of a plain triple loop every product is a register tile of TILE rows by STRIP columns of explicit
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

// target [padded_rows][target_stride] = factor * source in whole vectors; rows from `rows` on and columns
// from width on become 0.
static inline void copy_rows(
    global const float *source, size_t stride, int rows, int padded_rows, int width, float factor,
    float *target, int target_stride) {
  for (int r = 0; r < rows; ++r) {
    global const float *from = source + (size_t)r * stride;
    float *to = target + r * target_stride;
    for (int n = 0; n < width / VECTOR; ++n) {
      VECTOR_AT(to, n) = LOAD_VECTOR(n, from) * factor;
    }
    if (width % VECTOR != 0) {
      VECTOR_AT(to, width / VECTOR) = 0.0f;
      for (int d = width / VECTOR * VECTOR; d < width; d += 4) {
        vstore4(vload4(0, from + d) * factor, 0, to + d);
      }
    }
  }
  for (int r = rows; r < padded_rows; ++r) {
    for (int d = 0; d < width; d += VECTOR) {
      VECTOR_AT(target + r * target_stride + d, 0) = 0.0f;
    }
  }
}

// ------------------------------------------------------------------------------------------- register tiles

#define DECLARE(ROW, N) vector c##ROW##N = 0.0f;
#define LOAD_B(ROW, N) const vector b##N = VECTOR_AT(b, N);
#define MULTIPLY_ADD(ROW, N) c##ROW##N = fma(a##ROW, b##N, c##ROW##N);
#define MULTIPLY_ROW(EACH, ROW, NUMBER) \
  { \
    const vector a##ROW = (vector)(NUMBER); \
    EACH(MULTIPLY_ADD, ROW) \
  }

#define DECLARE_ROW(ROW) EACH_VECTOR(DECLARE, ROW)

// c [TILE][STRIP] = a [TILE][depth] b [depth][STRIP]
static inline void tile_scores(
    const float *a, int a_stride, const float *b, int depth, float *c, int c_stride) {
#define STEP(ROW) MULTIPLY_ROW(EACH_VECTOR, ROW, a[ROW * a_stride + p])
#define WRITE(ROW, N) VECTOR_AT(c + ROW * c_stride, N) = c##ROW##N;
#define WRITE_ROW(ROW) EACH_VECTOR(WRITE, ROW)
  EACH_ROW(DECLARE_ROW)
#pragma unroll 4
  for (int p = 0; p < depth; ++p) {
    EACH_VECTOR(LOAD_B, 0)
    EACH_ROW(STEP)
    b += STRIP;
  }
  EACH_ROW(WRITE_ROW)
#undef STEP
#undef WRITE
#undef WRITE_ROW
}

// c [TILE][STRIP] = c * factor (by column) + transpose of a [depth][TILE] times b [depth][STRIP]
static inline void tile_accumulate(
    const float *a, int a_stride, const float *b, int b_stride, int depth, float *c, const vector *factor) {
#define STEP(ROW) MULTIPLY_ROW(EACH_VECTOR, ROW, a[ROW])
#define WRITE(ROW, N) \
  VECTOR_AT(c + ROW * STRIP, N) = fma(VECTOR_AT(c + ROW * STRIP, N), factor[N], c##ROW##N);
#define WRITE_ROW(ROW) EACH_VECTOR(WRITE, ROW)
  EACH_ROW(DECLARE_ROW)
  for (int p = 0; p < depth; ++p) {
    EACH_VECTOR(LOAD_B, 0)
    EACH_ROW(STEP)
    a += a_stride;
    b += b_stride;
  }
  EACH_ROW(WRITE_ROW)
#undef STEP
#undef WRITE
#undef WRITE_ROW
}

// The first `width` (a multiple of 4) numbers at c, at most a vector, gain x.
static inline void add_to_row(global float *c, vector x, int width) {
  if (width >= VECTOR) {
    STORE_VECTOR(LOAD_VECTOR(0, c) + x, 0, c);
  } else {
    float numbers[VECTOR] ALIGNED;
    VECTOR_AT(numbers, 0) = x;
    for (int d = 0; d < width; d += 4) {
      vstore4(vload4(0, c + d) + vload4(0, numbers + d), 0, c + d);
    }
  }
}

#define ADD(ROW, N) add_to_row(c + ROW * c_stride + N * VECTOR, c##ROW##N, width - N * VECTOR);

// The first rows (at most TILE) and `width` columns (at most STRIP) of c += a [TILE][depth] b [depth][STRIP].
static inline void tile_add(
    const float *a, int a_stride, const float *b, int b_stride, int depth, global float *c, size_t c_stride,
    int rows, int width) {
#define STEP(ROW) MULTIPLY_ROW(EACH_VECTOR, ROW, a[ROW * a_stride + p])
#define ADD_ROW(ROW) \
  if (ROW < rows) { \
    EACH_VECTOR(ADD, ROW) \
  }
  EACH_ROW(DECLARE_ROW)
#pragma unroll 4
  for (int p = 0; p < depth; ++p) {
    EACH_VECTOR(LOAD_B, 0)
    EACH_ROW(STEP)
    b += b_stride;
  }
  EACH_ROW(ADD_ROW)
#undef STEP
#undef ADD_ROW
}

// The same with a tile that is one vector narrower.
static inline void tile_add_narrow(
    const float *a, int a_stride, const float *b, int b_stride, int depth, global float *c, size_t c_stride,
    int rows, int width) {
#define DECLARE_NARROW_ROW(ROW) EACH_NARROW_VECTOR(DECLARE, ROW)
#define STEP(ROW) MULTIPLY_ROW(EACH_NARROW_VECTOR, ROW, a[ROW * a_stride + p])
#define ADD_ROW(ROW) \
  if (ROW < rows) { \
    EACH_NARROW_VECTOR(ADD, ROW) \
  }
  EACH_ROW(DECLARE_NARROW_ROW)
#pragma unroll 4
  for (int p = 0; p < depth; ++p) {
    EACH_NARROW_VECTOR(LOAD_B, 0)
    EACH_ROW(STEP)
    b += b_stride;
  }
  EACH_ROW(ADD_ROW)
#undef DECLARE_NARROW_ROW
#undef STEP
#undef ADD_ROW
}
