// chunk.cl - the matrices of one chunk: what the kernels of the linear mixers share
//
// Included by scalar_gate.cl and its relatives, and compiled as C for the host (CHost/mixers_variant.h). OpenCL C 1.2 core.
//
// A work-item walks the chunks of its heads. Everything about a chunk is a small matrix, row-major in the work-item's own
// scratch memory, its rows padded with zeros to whole vectors. A product is a set of register tiles of TILE_ROWS rows
// and two vectors, read in place: b by rows, a through two strides, so that a transposed left operand costs nothing.
// Made for processors; a graphics processor runs it, too, but slowly.

#ifndef CHUNK_MATRICES
#define CHUNK_MATRICES

#ifndef VECTOR
#define VECTOR 16 // floats per vector: 16 (AVX-512), 8 (AVX2) or 4 (graphics processors)
#endif
#ifndef CHUNK
#define CHUNK 64 // tokens per chunk, a multiple of 2 VECTOR
#endif

// What OpenCL C and C with vectors spell differently; the host defines its own.
#ifndef HOST_C
#define FMA(a, b, c) fma(a, b, c)
#define SELECT(no, yes, condition) select(no, yes, condition)
#define FLOAT4(a, b, c, d) ((float4)(a, b, c, d))
#define WORK_GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#endif

#if VECTOR == 16
typedef float16 vector;
typedef int16 integers;
#define LOAD(p) vload16(0, p)
#define STORE(value, p) vstore16(value, 0, p)
#define AS_INTEGERS(x) as_int16(x)
#define AS_FLOATS(x) as_float16(x)
#elif VECTOR == 8
typedef float8 vector;
typedef int8 integers;
#define LOAD(p) vload8(0, p)
#define STORE(value, p) vstore8(value, 0, p)
#define AS_INTEGERS(x) as_int8(x)
#define AS_FLOATS(x) as_float8(x)
#elif VECTOR == 4
typedef float4 vector;
typedef int4 integers;
#define LOAD(p) vload4(0, p)
#define STORE(value, p) vstore4(value, 0, p)
#define AS_INTEGERS(x) as_int4(x)
#define AS_FLOATS(x) as_float4(x)
#else
#error "VECTOR must be 4, 8 or 16"
#endif

#if VECTOR == 16
#define TILE_ROWS 8 // 16 accumulators, 2 vectors of b, broadcasts of a
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#else
#define TILE_ROWS 4 // 8 accumulators
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)
#endif

// A width padded to whole vectors (TILE_ROWS divides VECTOR).
#define PADDED(width) (((width) + VECTOR - 1) / VECTOR * VECTOR)

// Which part of a product's operand or result is not zero or not wanted.
#define FULL 0
#define A_LOWER 1 // a[r][p] = 0 for p > r
#define A_UPPER 2 // a[r][p] = 0 for p < r
#define C_LOWER 3 // c[r][j] is only wanted for j <= r

// ------------------------------------------------------------------------------------------------- register tiles

// c = beta c + a b for one tile: a [TILE_ROWS][p0..<p1] through two strides, b and c from the tile's first column on.
static inline void tile_of_two(global const float *a, int a_row, int a_column, global const float *b, int b_row, int p0,
                               int p1, float beta, global float *c, int c_row) {
#define SUMS(r) vector s##r = (vector)(0.0f), t##r = (vector)(0.0f);
  EACH_ROW(SUMS)
  a += p0 * a_column;
  b += p0 * b_row;
  for (int p = p0; p < p1; p++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b), b1 = LOAD(b + VECTOR);
#define STEP(r) \
  s##r = FMA((vector)(a[r * a_row]), b0, s##r); \
  t##r = FMA((vector)(a[r * a_row]), b1, t##r);
    EACH_ROW(STEP)
  }
#undef STEP
#define WRITE(r) \
  STORE(s##r, c + r * c_row); \
  STORE(t##r, c + r * c_row + VECTOR);
#define ADD(r) \
  STORE(FMA(LOAD(c + r * c_row), (vector)(beta), s##r), c + r * c_row); \
  STORE(FMA(LOAD(c + r * c_row + VECTOR), (vector)(beta), t##r), c + r * c_row + VECTOR);
  if (beta == 0.0f) {
    EACH_ROW(WRITE)
  } else {
    EACH_ROW(ADD)
  }
#undef SUMS
#undef WRITE
#undef ADD
}

// The same with one vector of columns.
static inline void tile_of_one(global const float *a, int a_row, int a_column, global const float *b, int b_row, int p0,
                               int p1, float beta, global float *c, int c_row) {
#define SUMS(r) vector s##r = (vector)(0.0f);
  EACH_ROW(SUMS)
  a += p0 * a_column;
  b += p0 * b_row;
  for (int p = p0; p < p1; p++, a += a_column, b += b_row) {
    const vector b0 = LOAD(b);
#define STEP(r) s##r = FMA((vector)(a[r * a_row]), b0, s##r);
    EACH_ROW(STEP)
  }
#undef STEP
#define WRITE(r) STORE(s##r, c + r * c_row);
#define ADD(r) STORE(FMA(LOAD(c + r * c_row), (vector)(beta), s##r), c + r * c_row);
  if (beta == 0.0f) {
    EACH_ROW(WRITE)
  } else {
    EACH_ROW(ADD)
  }
#undef SUMS
#undef WRITE
#undef ADD
}

// c [m][n] = beta c + a [m][k] b [k][n]; m a multiple of TILE_ROWS, n of VECTOR, `part` one of the names above.
// c overlaps neither a nor b.
static void product(int m, int n, int k, int part, global const float *a, int a_row, int a_column,
                    global const float *b, int b_row, float beta, global float *c, int c_row) {
  for (int r = 0; r < m; r += TILE_ROWS) {
    const int p0 = part == A_UPPER ? r : 0, p1 = part == A_LOWER ? min(k, r + TILE_ROWS) : k;
    const int end = part == C_LOWER ? min(n, r + TILE_ROWS) : n;
    global const float *rows = a + r * a_row;
    global float *target = c + r * c_row;
    for (int j = 0; j < end; j += 2 * VECTOR) {
      if (j + VECTOR < n) {
        tile_of_two(rows, a_row, a_column, b + j, b_row, p0, p1, beta, target + j, c_row);
      } else {
        tile_of_one(rows, a_row, a_column, b + j, b_row, p0, p1, beta, target + j, c_row);
      }
    }
  }
}

// ----------------------------------------------------------------------------------------------------- rows
// Loops over rows and columns, not over one index: a division per vector would cost as much as the products.

// to [all][PADDED(width)] = factor * from; rows from `rows` on and columns from `width` on become 0.
static void load_padded(global const float *from, size_t stride, int rows, int all, int width, float factor,
                        global float *to) {
  const int padded = PADDED(width), whole = width / VECTOR * VECTOR;
  for (int r = 0; r < rows; r++, from += stride, to += padded) {
    for (int j = 0; j < whole; j += VECTOR) STORE(LOAD(from + j) * factor, to + j);
    for (int j = whole; j < padded; j++) to[j] = j < width ? from[j] * factor : 0.0f;
  }
  for (int i = 0; i < (all - rows) * padded; i += VECTOR) STORE((vector)(0.0f), to + i);
}

// The rows of a chunk.
static void load_rows(global const float *from, size_t stride, int rows, int width, float factor, global float *to) {
  load_padded(from, stride, rows, CHUNK, width, factor, to);
}

// to = factor * from [rows][PADDED(width)], without the padding.
static void store_rows(global const float *from, int rows, int width, float factor, global float *to, size_t stride) {
  const int padded = PADDED(width), whole = width / VECTOR * VECTOR;
  for (int r = 0; r < rows; r++, from += padded, to += stride) {
    for (int j = 0; j < whole; j += VECTOR) STORE(LOAD(from + j) * factor, to + j);
    for (int j = whole; j < width; j++) to[j] = from[j] * factor;
  }
}

// Row r of x [rows][columns] is multiplied by factors[r]; columns a multiple of VECTOR.
static void scale_rows(global float *x, int rows, int columns, global const float *factors) {
  for (int r = 0; r < rows; r++, x += columns) {
    for (int j = 0; j < columns; j += VECTOR) STORE(LOAD(x + j) * factors[r], x + j);
  }
}

// to [columns][rows] = the transpose of from [rows][columns], both multiples of 4.
static void transpose(global const float *from, int rows, int columns, global float *to) {
  for (int r = 0; r < rows; r += 4) {
    for (int j = 0; j < columns; j += 4) {
      global const float *source = from + r * columns + j;
      global float *target = to + j * rows + r;
      const float4 a = vload4(0, source), b = vload4(0, source + columns);
      const float4 c = vload4(0, source + 2 * columns), d = vload4(0, source + 3 * columns);
      vstore4(FLOAT4(a.x, b.x, c.x, d.x), 0, target);
      vstore4(FLOAT4(a.y, b.y, c.y, d.y), 0, target + rows);
      vstore4(FLOAT4(a.z, b.z, c.z, d.z), 0, target + 2 * rows);
      vstore4(FLOAT4(a.w, b.w, c.w, d.w), 0, target + 3 * rows);
    }
  }
}

// x [rows][PADDED(columns)] = from [rows][columns], or 0 where there is no `from`; rows from `rows` to `padded_rows`
// become 0.
static void load_state(global const float *from, int rows, int columns, int padded_rows, global float *x) {
  load_padded(from, columns, from ? rows : 0, padded_rows, columns, 1.0f, x);
}

// The opposite: to [rows][columns] without the padding.
static void store_state(global const float *x, int rows, int columns, global float *to) {
  store_rows(x, rows, columns, 1.0f, to, columns);
}

static inline float vector_sum(vector x) {
#if VECTOR == 16
  const float8 eight = x.lo + x.hi;
  const float4 four = eight.lo + eight.hi;
#elif VECTOR == 8
  const float4 four = x.lo + x.hi;
#else
  const float4 four = x;
#endif
  return (four.x + four.y) + (four.z + four.w);
}

// a . b over count floats, a multiple of VECTOR.
static inline float dot_row(global const float *a, global const float *b, int count) {
  vector sum = (vector)(0.0f);
  for (int j = 0; j < count; j += VECTOR) sum = FMA(LOAD(a + j), LOAD(b + j), sum);
  return vector_sum(sum);
}

// ----------------------------------------------------------------------------------------------------- exponential

// e^x for x <= 0 (0 below -87): degree 6 on [-1/2, 1/2] of log2, relative error 1.5e-7; NaN stays NaN.
// Needs (y + 12582912) - 12582912 as written: never build with -cl-fast-relaxed-math.
static inline vector exp_negative(vector x) {
  const vector least = (vector)(-87.0f);
  const integers under = x < least;
  const vector y = SELECT(x, least, under) * 1.44269504088896341f;
  const vector shifted = y + 12582912.0f;
  const vector n = shifted - 12582912.0f;
  // x - n log 2 in two steps: y itself is rounded.
  const vector f = FMA(n, (vector)(-1.42860682030941723e-6f), FMA(n, (vector)(-0.693145751953125f), SELECT(x, least, under)));
  vector p = FMA(f, (vector)(1.3981999e-3f), (vector)(8.3333453e-3f));
  p = FMA(p, f, (vector)(4.1666455e-2f));
  p = FMA(p, f, (vector)(1.6666666e-1f));
  p = FMA(p, f, (vector)(5.0e-1f));
  p = FMA(p, f, (vector)(1.0f));
  p = FMA(p, f, (vector)(1.0f));
  const vector e = AS_FLOATS(AS_INTEGERS(p) + (AS_INTEGERS(shifted) << 23));
  return SELECT(e, (vector)(0.0f), under);
}

#endif
