// attention_common.cl - what the attention kernels share: sizes, exponential, register tiles, masks
//
// Included by attention.cl, attention_backward.cl and attention_decode.cl. OpenCL C 1.2 core only.
//
//   s_ij = scale q_i.k_j; SOFTCAP: c tanh(s/c); ALIBI: - slope_h |p_i - j|; then the masks; p_i = i + Tk - Tq
//
// Instead of a plain triple loop every product is a register tile of 4 rows by 24 columns of explicit
// fma(). Query rows lie along the vector lanes (scores are kept as [key][row]): row maxima and sums need no
// reduction across lanes, keys and values are used as they come, and only the query block is transposed,
// once. Rows go in strips of 24 and keys in steps of 4, so that edges of a mask and short sequences cost no
// more than that. Measured on 2 cores with AVX-512 (PoCL 3.1, T 1024-2048, D 64, causal): 75-81 GFLOP per
// CPU-second forward and 75-85 backward; keys packed and transposed with 6 x 16 tiles gave 47-60 and 52-62.
// Scores are in units of log 2; a masked score is -1e30. Never build with -cl-fast-relaxed-math: the
// exponential needs (x + 12582912) - 12582912 as written.
// Papers: Milakov & Gimelshein 2018; Dao 2023 (FlashAttention-2).   Swift: Operations/Attention+OpenCL.swift

#ifndef D
#define D 64               // width of a query and key head, multiple of 4
#endif
#ifndef DV
#define DV D               // width of a value head, multiple of 4
#endif
#if D > DV
#define WIDEST D
#else
#define WIDEST DV
#endif

// Block sizes: the private arrays stay near 160 KB (backward at 256: 179 KB), under half of a 512 KB L2
// cache.
#ifndef ROWS               // forward: query rows per work-item, multiple of 24
#define ROWS (WIDEST <= 128 ? 96 : 48)
#endif
#ifndef KEYS               // forward: keys per block, multiple of 4
#define KEYS (WIDEST <= 64 ? 96 : WIDEST <= 96 ? 64 : WIDEST <= 192 ? 48 : 24)
#endif
#ifndef BACKWARD_ROWS      // backward: query rows per block, multiple of 24
#define BACKWARD_ROWS (WIDEST <= 32 ? 96 : WIDEST <= 64 ? 72 : WIDEST <= 128 ? 48 : 24)
#endif
#ifndef BACKWARD_KEYS      // backward: keys per block, multiple of 4
#define BACKWARD_KEYS \
  (WIDEST <= 32 ? 64 : WIDEST <= 96 ? 48 : WIDEST <= 128 ? 24 : WIDEST <= 192 ? 32 : 24)
#endif
#ifndef DECODE_KEYS
#define DECODE_KEYS 64     // decode: keys per block, multiple of 8
#endif
#ifndef SOFTCAP
#define SOFTCAP 0          // 1: scores pass through softcap * tanh(s / softcap)
#endif
#ifndef ALIBI
#define ALIBI 0            // 1: slopes [Hq] are given
#endif
#ifndef SINKS
#define SINKS 0            // 1: sinks [Hq] are given
#endif
#ifndef DOCUMENTS
#define DOCUMENTS 0        // 1: documents [B, Tk] are given
#endif
#ifndef MASK
#define MASK 0             // 1: mask [Tq, Tk] is given
#endif
#ifndef ENTROPY
#define ENTROPY 0          // 1: the entropy of every row is written
#endif

#define STRIP 24                      // query rows in one strip: three float8
#define STRIPS (ROWS / STRIP)
#define BACKWARD_STRIPS (BACKWARD_ROWS / STRIP)
#define KEY_STRIDE (D + 4)            // row of a copied key block; +4 spreads the rows over the cache sets
#define VALUE_STRIDE (DV + 4)
#define ROW_STRIDE_D ((D + 7) / 8 * 8 + 8)    // row of a copied query block, padded to whole vectors
#define ROW_STRIDE_DV ((DV + 7) / 8 * 8 + 8)
#define MASKED (-1.0e30f)
#define LOG2_E 1.4426950408889634f
#define LN_2 0.6931471805599453f

// ---------------------------------------------------------------------------------------------- exponential

// 2^x for x <= 0 (exactly 0 below -127): degree 6 on [-1/2, 1/2], relative error 1.2e-7; NaN stays NaN.
static inline float8 exp2_negative(float8 x) {
  x = ((float8)(-127.0f) > x) ? (float8)(-127.0f) : x;
  const float8 shifted = x + 12582912.0f;
  const float8 f = x - (shifted - 12582912.0f);
  float8 p = fma(f, (float8)(1.5353362e-4f), (float8)(1.3398874e-3f));
  p = fma(p, f, (float8)(9.6184373e-3f));
  p = fma(p, f, (float8)(5.5503324e-2f));
  p = fma(p, f, (float8)(2.4022648e-1f));
  p = fma(p, f, (float8)(6.9314720e-1f));
  p = fma(p, f, (float8)(1.0f));
  return as_float8(as_int8(p) + (as_int8(shifted) << 23));
}

// tanh(x) where y = 2 x / ln 2: 1 - 2 / (2^y + 1), absolute error 1e-7.
static inline float8 tanh_of_scaled(float8 y) {
  const float8 magnitude = fabs(y);
  const float8 e = exp2_negative(-magnitude);
  return copysign((1.0f - e) / (1.0f + e), y);
}

static inline float8 larger(float8 a, float8 b) { return (a > b) ? a : b; }

static inline int8 lanes(void) { return (int8)(0, 1, 2, 3, 4, 5, 6, 7); }

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

// -------------------------------------------------------------------------------------------- rows and keys

// What a row may see before documents and mask: keys position - left ... position + right, within 0 ...
// key_time - 1.
typedef struct {
  int query_time, key_time, offset, left, right;
} Reach;

static inline Reach make_reach(int query_time, int key_time, int causal, int window_left, int window_right) {
  const int unlimited = query_time + key_time;
  Reach reach;
  reach.query_time = query_time;
  reach.key_time = key_time;
  reach.offset = key_time - query_time;
  reach.left = (window_left < 0 || window_left > unlimited) ? unlimited : window_left;
  reach.right = (window_right < 0 || window_right > unlimited) ? unlimited : window_right;
  reach.right = (causal && reach.right > 0) ? 0 : reach.right;
  return reach;
}

// Rows are numbered within the sequence; a row without a position has no document and sees nothing.
static inline int first_key(Reach reach, int row) { return max(row + reach.offset - reach.left, 0); }

static inline int last_key(Reach reach, int row) {
  const int position = row + reach.offset;
#if DOCUMENTS
  if (position < 0) {
    return -1;
  }
#endif
  return min(position + reach.right, reach.key_time - 1);
}

// One strip of query rows and the range of the current key block it visits, in steps of four keys.
typedef struct {
  int row; // first row
  int last_row; // last row that exists
  int from, to; // keys to visit, relative to the block
} Strip;

static inline Strip make_strip(Reach reach, int row, int key0, int keys) {
  Strip strip;
  strip.row = row;
  strip.last_row = min(row + STRIP, reach.query_time) - 1;
  strip.from = max(first_key(reach, row) - key0, 0) & ~3;
  strip.to = (max(min(last_key(reach, strip.last_row) - key0 + 1, keys), 0) + 3) & ~3;
  return strip;
}

#if DOCUMENTS
// The document of each row of a strip (rows without one, and rows past the end, repeat the last row's).
static inline int2 load_row_documents(global const int *documents, Reach reach, int row, int *target) {
  int lowest = INT_MAX, highest = INT_MIN;
  for (int r = 0; r < STRIP; ++r) {
    const int position = max(min(row + r, reach.query_time - 1) + reach.offset, 0);
    const int document = documents[position];
    target[r] = document;
    lowest = min(lowest, document);
    highest = max(highest, document);
  }
  return (int2)(lowest, highest);
}

static inline int2 document_range(global const int *documents, int keys) {
  int lowest = documents[0], highest = documents[0];
  for (int j = 1; j < keys; ++j) {
    lowest = min(lowest, documents[j]);
    highest = max(highest, documents[j]);
  }
  return (int2)(lowest, highest);
}
#endif

#if MASK
// 0: the mask allows nothing between the strip and these keys; 1: some; 2: everything.
static inline int mask_coverage(global const uchar *mask, Reach reach, Strip strip, int key0) {
  const int begin = key0 + strip.from, end = min(key0 + strip.to, reach.key_time);
  int some = 0, all_of_them = 1;
  for (int row = strip.row; row <= strip.last_row; ++row) {
    global const uchar *line = mask + (size_t)row * (size_t)reach.key_time;
    for (int j = begin; j < end; ++j) {
      const int allowed = line[j] != 0;
      some |= allowed;
      all_of_them &= allowed;
    }
  }
  return some + (some & all_of_them);
}
#endif

static inline void mask_outside_reach(
    float *scores, int stride, int from, int to, int key0, const int8 *first, const int8 *last) {
  for (int j = from; j < to; ++j) {
    const int8 key = (int8)(key0 + j);
    for (int n = 0; n < 3; ++n) {
      float *s = scores + j * stride + 8 * n;
      const int8 outside = (key < first[n]) | (key > last[n]);
      vstore8(outside ? (float8)(MASKED) : vload8(0, s), 0, s);
    }
  }
}

// Raw scores [key][row] -> soft cap, position bias, masks. Only keys at an edge of the reach are tested one
// by one. With SOFTCAP the derivative of the cap goes to cap_slopes unless that is null.
static inline void shape_scores(
    float *scores, int stride, float *cap_slopes, Reach reach, Strip strip, int key0, float softcap,
    float slope, int test_documents, const int *row_documents, global const int *key_documents, int test_mask,
    global const uchar *mask) {
#if SOFTCAP || ALIBI
  for (int j = strip.from; j < strip.to; ++j) {
    for (int n = 0; n < 3; ++n) {
      float *s = scores + j * stride + 8 * n;
      float8 x = vload8(0, s);
#if SOFTCAP
      const float8 t = tanh_of_scaled(x);
      if (cap_slopes != 0) {
        vstore8(1.0f - t * t, 0, cap_slopes + j * STRIP + 8 * n);
      }
      x = t * (softcap * LOG2_E);
#endif
#if ALIBI
      const int8 position = strip.row + reach.offset + 8 * n + lanes();
      x -= slope * convert_float8(abs(position - (key0 + j)));
#endif
      vstore8(x, 0, s);
    }
  }
#endif
  const int first_row_last_key = last_key(reach, strip.row),
            last_row_first_key = first_key(reach, strip.last_row);
  const int open_from = clamp(last_row_first_key - key0, strip.from, strip.to);
  const int open_to = clamp(first_row_last_key + 1 - key0, open_from, strip.to);
  if (open_from > strip.from || open_to < strip.to) {
    int8 first[3], last[3];
    for (int n = 0; n < 3; ++n) {
      const int8 position = min(strip.row + 8 * n + lanes(), (int8)(strip.last_row)) + reach.offset;
      first[n] = position - reach.left;
      last[n] = min(position + reach.right, (int8)(reach.key_time - 1));
#if DOCUMENTS
      last[n] = (position < 0) ? (int8)(-1) : last[n];
#endif
    }
    mask_outside_reach(scores, stride, strip.from, open_from, key0, first, last);
    mask_outside_reach(scores, stride, open_to, strip.to, key0, first, last);
  }
#if DOCUMENTS
  if (test_documents) {
    for (int j = strip.from; j < min(strip.to, reach.key_time - key0); ++j) {
      const int8 document = (int8)(key_documents[key0 + j]);
      for (int n = 0; n < 3; ++n) {
        float *s = scores + j * stride + 8 * n;
        vstore8((vload8(n, row_documents) != document) ? (float8)(MASKED) : vload8(0, s), 0, s);
      }
    }
  }
#endif
#if MASK
  if (test_mask) {
    for (int row = strip.row; row <= strip.last_row; ++row) {
      global const uchar *line = mask + (size_t)row * (size_t)reach.key_time;
      float *s = scores + (row - strip.row);
      for (int j = strip.from; j < min(strip.to, reach.key_time - key0); ++j) {
        s[j * stride] = (line[key0 + j] != 0) ? s[j * stride] : MASKED;
      }
    }
  }
#endif
}

// Blocks of rows in the order first, last, second, last but one, ...: under a causal mask any run of
// work-items then carries about the same work, however the device deals them out.
static inline int balanced_block(int n, int count) { return (n & 1) ? count - 1 - (n >> 1) : (n >> 1); }

// Queries are multiplied by this when packed: scores come out in units of log 2 (or, capped, as 2 s /
// (softcap ln 2)).
static inline float score_factor(float scale, float softcap) {
#if SOFTCAP
  return scale * (2.0f * LOG2_E / softcap);
#else
  return scale * LOG2_E;
#endif
}
