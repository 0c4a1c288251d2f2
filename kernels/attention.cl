// attention.cl - exact softmax attention with an online softmax: forward, backward and decode
//
//   attention_forward       q [B,Tq,Hq,D], k [B,Tk,Hk,D], v [B,Tk,Hk,DV]
//                             -> o [B,Tq,Hq,DV], lse [B,Hq,Tq], entropy [B,Hq,Tq]
//   attention_backward      q, k, v, o, lse, do -> dq, partial sums of dk, dv [slices, ...] and dsinks
//   attention_decode        the forward for a few query rows: partial outputs of one range of keys each
//   attention_decode_merge  partial outputs -> o, lse, entropy
//   attention_sum           out[i] = sum over parts of partials[part, i]
//
//   s_ij = scale q_i.k_j; SOFTCAP: c tanh(s/c); ALIBI: - slope_h |p_i - j|; then the masks; p_i = i + Tk - Tq
//   L_i = log(sum_j exp(s_ij) [+ exp(sink_h)]);  P_ij = exp(s_ij - L_i);  o_i = sum_j P_ij v_j
//   dv_j = sum_i P_ij do_i;  dS_ij = P_ij (do_i.v_j - do_i.o_i)
//   dq_i = scale sum_j dS_ij k_j;  dk_j = scale sum_i dS_ij q_i
//
// One work-item per block of query rows (forward) or per key/value head (backward), work-groups of one.
// Instead of a plain triple loop every product is a register tile of 4 rows by 24 columns of explicit
// fma(). Query rows lie along the vector lanes (scores are kept as [key][row]): row maxima and sums need no
// reduction across lanes, keys and values are used as they come, and only the query block is transposed,
// once. Rows go in strips of 24 and keys in steps of 4, so that edges of a mask and short sequences cost no
// more than that. Measured on 2 cores with AVX-512 (PoCL 3.1, T 1024-2048, D 64, causal): 75-81 GFLOP per
// CPU-second forward and 75-85 backward; keys packed and transposed with 6 x 16 tiles gave 47-60 and 52-62.
// Scores are in units of log 2; a masked score is -1e30. Never build with -cl-fast-relaxed-math: the
// exponential needs (x + 12582912) - 12582912 as written.
// Papers: Milakov & Gimelshein 2018; Dao 2023 (FlashAttention-2).   Swift: Families/Attention.swift

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

// -------------------------------------------------------------------------------------------------- forward

typedef struct {
  float8 maximum[3], sum[3], moment[3]; // moment: sum of p log2 p before normalization, for the entropy
} RowState;

// Scores [key][row] -> exp2(score - maximum) in place, state updated; returns what the output must be
// multiplied by.
static inline void online_softmax(float *scores, int from, int to, RowState *state, float8 *factor) {
  for (int n = 0; n < 3; ++n) {
    float8 highest = state->maximum[n];
    for (int j = from; j < to; ++j) {
      highest = larger(vload8(n, scores + j * STRIP), highest);
    }
    const float8 shift = state->maximum[n] - highest;
    factor[n] = exp2_negative(shift);
#if ENTROPY
    const float8 known = (state->sum[n] > 0.0f) ? shift : (float8)(0.0f);
    state->moment[n] = factor[n] * fma(state->sum[n], known, state->moment[n]);
#endif
    state->sum[n] *= factor[n];
    state->maximum[n] = highest;
  }
  // A row that has met no allowed key yet must get 0, not exp2(MASKED - MASKED).
  const float8 base0 = (state->maximum[0] < -1.0e29f) ? (float8)(0.0f) : state->maximum[0];
  const float8 base1 = (state->maximum[1] < -1.0e29f) ? (float8)(0.0f) : state->maximum[1];
  const float8 base2 = (state->maximum[2] < -1.0e29f) ? (float8)(0.0f) : state->maximum[2];
  float8 sum0 = state->sum[0], sum1 = state->sum[1], sum2 = state->sum[2];
#if ENTROPY
  float8 moment0 = state->moment[0], moment1 = state->moment[1], moment2 = state->moment[2];
#endif
  for (int j = from; j < to; ++j) {
    float *s = scores + j * STRIP;
    const float8 x0 = vload8(0, s) - base0, x1 = vload8(1, s) - base1, x2 = vload8(2, s) - base2;
    const float8 p0 = exp2_negative(x0), p1 = exp2_negative(x1), p2 = exp2_negative(x2);
    sum0 += p0;
    sum1 += p1;
    sum2 += p2;
#if ENTROPY
    moment0 = fma(p0, x0, moment0);
    moment1 = fma(p1, x1, moment1);
    moment2 = fma(p2, x2, moment2);
#endif
    vstore8(p0, 0, s);
    vstore8(p1, 1, s);
    vstore8(p2, 2, s);
  }
  state->sum[0] = sum0;
  state->sum[1] = sum1;
  state->sum[2] = sum2;
#if ENTROPY
  state->moment[0] = moment0;
  state->moment[1] = moment1;
  state->moment[2] = moment2;
#endif
}

// Takes the sink in, normalizes and writes one strip.
static inline void finish_strip(
    const float *output, RowState *state, float sink, int rows, global float *o, size_t stride,
    global float *lse, global float *entropy) {
  float factors[STRIP], logs[STRIP], entropies[STRIP];
  for (int n = 0; n < 3; ++n) {
    float8 maximum = state->maximum[n], sum = state->sum[n], total = sum, factor = 1.0f, moment = 0.0f;
#if ENTROPY
    moment = state->moment[n];
#endif
#if SINKS
    const float8 highest = larger((float8)(sink), maximum);
    const float8 shift = maximum - highest;
    factor = exp2_negative(shift);
    moment = factor * fma(sum, (sum > 0.0f) ? shift : (float8)(0.0f), moment);
    sum *= factor;
    total = sum + exp2_negative((float8)(sink)-highest);
    maximum = highest;
#endif
    const int8 dead = total <= 0.0f;
    const float8 safe = dead ? (float8)(1.0f) : total;
    const float8 log_total = log2(safe);
    vstore8(dead ? (float8)(0.0f) : factor / safe, n, factors);
    vstore8(dead ? (float8)(MASKED) : (maximum + log_total) * LN_2, n, logs);
    vstore8(dead ? (float8)(0.0f) : (sum * log_total - moment) * LN_2 / safe, n, entropies);
  }
  unpack_transposed(output, factors, rows, DV, o, stride);
  for (int r = 0; r < rows; ++r) {
    lse[r] = logs[r];
#if ENTROPY
    entropy[r] = entropies[r];
#endif
  }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_forward(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global float *restrict o,
    global float *restrict lse, global float *restrict entropy, int query_time, int key_time,
    int key_capacity, int query_heads, int key_heads, float scale, float softcap, int causal, int window_left,
    int window_right) {
  float queries[STRIPS * D * STRIP];
  float outputs[STRIPS * DV * STRIP];
  float keys[KEYS * KEY_STRIDE];
  float values[KEYS * VALUE_STRIDE];
  float scores[KEYS * STRIP];
  RowState states[STRIPS];
#if DOCUMENTS
  int row_documents[STRIPS * STRIP];
  int2 strip_documents[STRIPS];
#endif
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const int blocks = (query_time + ROWS - 1) / ROWS;
  const int item = (int)get_global_id(0);
  const int row0 = balanced_block(item % blocks, blocks) * ROWS;
  const int head = (item / blocks) % query_heads;
  const size_t batch = (size_t)(item / blocks / query_heads);
  const int key_head = head / (query_heads / key_heads);
  const int rows = min(ROWS, query_time - row0);
  const int strips = (rows + STRIP - 1) / STRIP;
  const size_t q_stride = (size_t)query_heads * D, o_stride = (size_t)query_heads * DV;
  const size_t k_stride = (size_t)key_heads * D, v_stride = (size_t)key_heads * DV;
  q += (batch * query_time + row0) * q_stride + (size_t)head * D;
  o += (batch * query_time + row0) * o_stride + (size_t)head * DV;
  k += batch * key_capacity * k_stride + (size_t)key_head * D;
  v += batch * key_capacity * v_stride + (size_t)key_head * DV;
  const size_t statistics = (batch * query_heads + head) * query_time + row0;
#if DOCUMENTS
  documents += batch * key_time;
#endif
#if ALIBI
  const float slope = slopes[head] * LOG2_E;
#else
  const float slope = 0.0f;
#endif
#if SINKS
  const float sink = sinks[head] * LOG2_E;
#else
  const float sink = 0.0f;
#endif

  for (int t = 0; t < strips; ++t) {
    pack_transposed(
        q + (size_t)(t * STRIP) * q_stride, q_stride, min(STRIP, rows - t * STRIP), D,
        score_factor(scale, softcap), queries + t * D * STRIP);
    for (int n = 0; n < DV * STRIP; n += 8) {
      vstore8((float8)(0.0f), 0, outputs + t * DV * STRIP + n);
    }
    for (int n = 0; n < 3; ++n) {
      states[t].maximum[n] = MASKED;
      states[t].sum[n] = 0.0f;
      states[t].moment[n] = 0.0f;
    }
#if DOCUMENTS
    strip_documents[t] = load_row_documents(documents, reach, row0 + t * STRIP, row_documents + t * STRIP);
#endif
  }

  const int end = last_key(reach, row0 + rows - 1) + 1;
  for (int key0 = first_key(reach, row0); key0 < end; key0 += KEYS) {
    const int count = min(KEYS, end - key0);
#if DOCUMENTS
    const int2 block_documents = document_range(documents + key0, count);
#endif
    int loaded = 0;
    for (int t = 0; t < strips; ++t) {
      const Strip strip = make_strip(reach, row0 + t * STRIP, key0, count);
      if (strip.from >= strip.to) {
        continue;
      }
      int test_documents = 0, test_mask = 0;
#if DOCUMENTS
      const int2 mine = strip_documents[t];
      if (block_documents.y < mine.x || block_documents.x > mine.y) {
        continue;
      }
      test_documents = block_documents.x != mine.y || block_documents.y != mine.x;
#endif
#if MASK
      const int coverage = mask_coverage(mask, reach, strip, key0);
      if (coverage == 0) {
        continue;
      }
      test_mask = coverage == 1;
#endif
      if (!loaded) {
        const int padded = (count + 3) & ~3;
        copy_rows(k + (size_t)key0 * k_stride, k_stride, count, padded, D, D, 1.0f, keys, KEY_STRIDE);
        copy_rows(v + (size_t)key0 * v_stride, v_stride, count, padded, DV, DV, 1.0f, values, VALUE_STRIDE);
        loaded = 1;
      }
      for (int j = strip.from; j < strip.to; j += 4) {
        tile_scores(keys + j * KEY_STRIDE, KEY_STRIDE, queries + t * D * STRIP, D, scores + j * STRIP, STRIP);
      }
#if DOCUMENTS
      shape_scores(
          scores, STRIP, 0, reach, strip, key0, softcap, slope, test_documents, row_documents + t * STRIP,
          documents, test_mask, mask);
#else
      shape_scores(scores, STRIP, 0, reach, strip, key0, softcap, slope, 0, 0, documents, test_mask, mask);
#endif
      float8 factor[3];
      online_softmax(scores, strip.from, strip.to, &states[t], factor);
      for (int d = 0; d < DV; d += 4) {
        tile_accumulate(
            values + strip.from * VALUE_STRIDE + d, VALUE_STRIDE, scores + strip.from * STRIP, STRIP,
            strip.to - strip.from, outputs + (t * DV + d) * STRIP, factor[0], factor[1], factor[2]);
      }
    }
  }

  for (int t = 0; t < strips; ++t) {
    finish_strip(
        outputs + t * DV * STRIP, &states[t], sink, min(STRIP, rows - t * STRIP),
        o + (size_t)(t * STRIP) * o_stride, o_stride, lse + statistics + t * STRIP,
        entropy + statistics + t * STRIP);
  }
}

// ------------------------------------------------------------------------------------------------- backward

// Vectors of 8 columns are covered by tiles of 24 and then tiles of 16; never by a lone 8 next to a 24.
#define VECTORS(WIDTH) (((WIDTH) + 7) / 8)
#define TILES_24(WIDTH) \
  (VECTORS(WIDTH) % 3 == 1 ? (VECTORS(WIDTH) >= 4 ? VECTORS(WIDTH) / 3 - 1 : 0) : VECTORS(WIDTH) / 3)

// c [keys][width] += a b over the query rows: a [key][row], b [row][width]; group n of four keys meets the
// strips first_strips[n] ... last_strips[n].
static inline void add_over_rows(
    const float *a, const float *b, int b_stride, const int *first_strips, const int *last_strips,
    int key_count, global float *c, size_t c_stride, int width, int tiles_24) {
  for (int d = 0; d < width; d += (d < tiles_24 * 24) ? 24 : 16) {
    for (int j = 0; j < key_count; j += 4) {
      const int begin = first_strips[j / 4] * STRIP;
      const int depth = (last_strips[j / 4] + 1) * STRIP - begin;
      if (depth <= 0) {
        continue;
      }
      const float *a_tile = a + j * BACKWARD_ROWS + begin;
      const float *b_tile = b + begin * b_stride + d;
      global float *c_tile = c + (size_t)j * c_stride + d;
      if (d < tiles_24 * 24) {
        tile_add_24(
            a_tile, BACKWARD_ROWS, b_tile, b_stride, depth, c_tile, c_stride, key_count - j,
            min(width - d, 24));
      } else {
        tile_add_16(
            a_tile, BACKWARD_ROWS, b_tile, b_stride, depth, c_tile, c_stride, key_count - j,
            min(width - d, 16));
      }
    }
  }
}

// Scores -> P and do.v -> dS in place for one strip; row_terms are do.o, logs the log-sum-exp in units of
// log 2.
static inline void softmax_gradient(
    float *scores, float *gradients, const float *cap_slopes, int from, int to, const float *logs,
    const float *row_terms) {
  const float8 l0 = vload8(0, logs), l1 = vload8(1, logs), l2 = vload8(2, logs);
  const float8 term0 = vload8(0, row_terms), term1 = vload8(1, row_terms), term2 = vload8(2, row_terms);
  for (int j = from; j < to; ++j) {
    float *s = scores + j * BACKWARD_ROWS;
    float *g = gradients + j * BACKWARD_ROWS;
    const float8 p0 = exp2_negative(vload8(0, s) - l0);
    const float8 p1 = exp2_negative(vload8(1, s) - l1);
    const float8 p2 = exp2_negative(vload8(2, s) - l2);
    float8 g0 = p0 * (vload8(0, g) - term0), g1 = p1 * (vload8(1, g) - term1),
           g2 = p2 * (vload8(2, g) - term2);
#if SOFTCAP
    g0 *= vload8(0, cap_slopes + j * STRIP);
    g1 *= vload8(1, cap_slopes + j * STRIP);
    g2 *= vload8(2, cap_slopes + j * STRIP);
#endif
    vstore8(p0, 0, s);
    vstore8(p1, 1, s);
    vstore8(p2, 2, s);
    vstore8(g0, 0, g);
    vstore8(g1, 1, g);
    vstore8(g2, 2, g);
  }
}

static inline float dot_rows(global const float *a, global const float *b) {
  float4 sum = 0.0f;
  for (int d = 0; d < DV; d += 4) {
    sum = fma(vload4(0, a + d), vload4(0, b + d), sum);
  }
  return (sum.x + sum.y) + (sum.z + sum.w);
}

// One work-item per (batch, key head, slice): it walks its query blocks and adds to the dk and dv rows it
// alone owns, so nothing is added by two work-items and no workspace is needed when slices = 1.
// dsinks_partial [slices, B, Hq].
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_backward(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global const float *restrict o,
    global const float *restrict lse, global const float *restrict output_gradient, global float *restrict dq,
    global float *restrict dk_partial, global float *restrict dv_partial,
    global float *restrict dsinks_partial, int batches, int query_time, int key_time, int key_capacity,
    int query_heads, int key_heads, float scale, float softcap, int causal, int window_left, int window_right,
    int slices, int accumulate) {
  float queries[BACKWARD_STRIPS * D * STRIP];
  float query_gradients[BACKWARD_STRIPS * D * STRIP];
  float output_gradients[BACKWARD_STRIPS * DV * STRIP];
  float query_rows[BACKWARD_ROWS * ROW_STRIDE_D];
  float gradient_rows[BACKWARD_ROWS * ROW_STRIDE_DV];
  float keys[BACKWARD_KEYS * KEY_STRIDE];
  float values[BACKWARD_KEYS * VALUE_STRIDE];
  float scores[BACKWARD_KEYS * BACKWARD_ROWS];
  float gradients[BACKWARD_KEYS * BACKWARD_ROWS];
  float logs[BACKWARD_ROWS], row_terms[BACKWARD_ROWS], factors[STRIP];
  int first_strips[BACKWARD_KEYS / 4], last_strips[BACKWARD_KEYS / 4];
#if SOFTCAP
  float cap_slopes[BACKWARD_KEYS * STRIP];
#else
  float *cap_slopes = 0;
#endif
#if DOCUMENTS
  int row_documents[BACKWARD_STRIPS * STRIP];
  int2 strip_documents[BACKWARD_STRIPS];
#endif
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const int item = (int)get_global_id(0);
  const int slice = item % slices;
  const int key_head = (item / slices) % key_heads;
  const size_t batch = (size_t)(item / slices / key_heads);
  const int group = query_heads / key_heads;
  const int blocks = (query_time + BACKWARD_ROWS - 1) / BACKWARD_ROWS;
  const size_t q_stride = (size_t)query_heads * D, o_stride = (size_t)query_heads * DV;
  const size_t k_stride = (size_t)key_heads * D, v_stride = (size_t)key_heads * DV;
  k += batch * key_capacity * k_stride + (size_t)key_head * D;
  v += batch * key_capacity * v_stride + (size_t)key_head * DV;
  dk_partial += ((size_t)slice * batches + batch) * key_capacity * k_stride + (size_t)key_head * D;
  dv_partial += ((size_t)slice * batches + batch) * key_capacity * v_stride + (size_t)key_head * DV;
#if DOCUMENTS
  documents += batch * key_time;
#endif
  for (int r = 0; r < STRIP; ++r) {
    factors[r] = scale;
  }
  if (!accumulate) {
    for (int j = 0; j < key_time; ++j) {
      for (int d = 0; d < D; d += 4) {
        vstore4((float4)(0.0f), 0, dk_partial + (size_t)j * k_stride + d);
      }
      for (int d = 0; d < DV; d += 4) {
        vstore4((float4)(0.0f), 0, dv_partial + (size_t)j * v_stride + d);
      }
    }
  }

  float sink_gradient = 0.0f;
  for (int n = 0; n < group * blocks; ++n) {
    const int turn = n / slices;
    const int owner = (turn & 1) ? slices - 1 - n % slices : n % slices;
    const int head = key_head * group + n / blocks;
#if SINKS
    const float sink = sinks[head] * LOG2_E;
    if (n % blocks == 0) {
      sink_gradient = 0.0f;
    }
#endif
    const int row0 = (n % blocks) * BACKWARD_ROWS;
    const int rows = min(BACKWARD_ROWS, query_time - row0);
    const int strips = (rows + STRIP - 1) / STRIP;
    if (owner == slice) {
#if ALIBI
      const float slope = slopes[head] * LOG2_E;
#else
      const float slope = 0.0f;
#endif
      global const float *q_block = q + (batch * query_time + row0) * q_stride + (size_t)head * D;
      global const float *o_block = o + (batch * query_time + row0) * o_stride + (size_t)head * DV;
      global const float *g_block =
          output_gradient + (batch * query_time + row0) * o_stride + (size_t)head * DV;
      global float *dq_block = dq + (batch * query_time + row0) * q_stride + (size_t)head * D;
      global const float *lse_block = lse + (batch * query_heads + head) * query_time + row0;
      for (int r = 0; r < strips * STRIP; ++r) {
        const float l = (r < rows) ? lse_block[min(r, rows - 1)] : MASKED;
        logs[r] = (l < -1.0e29f) ? -MASKED : l * LOG2_E; // a row without keys gets P = 0 everywhere
        row_terms[r] = 0.0f;
        if (r < rows) {
          row_terms[r] = dot_rows(g_block + (size_t)r * o_stride, o_block + (size_t)r * o_stride);
#if SINKS
          sink_gradient -= exp2(sink - logs[r]) * row_terms[r];
#endif
        }
      }
      for (int t = 0; t < strips; ++t) {
        const int strip_rows = min(STRIP, rows - t * STRIP);
        pack_transposed(
            q_block + (size_t)(t * STRIP) * q_stride, q_stride, strip_rows, D, score_factor(scale, softcap),
            queries + t * D * STRIP);
        pack_transposed(
            g_block + (size_t)(t * STRIP) * o_stride, o_stride, strip_rows, DV, 1.0f,
            output_gradients + t * DV * STRIP);
        for (int m = 0; m < D * STRIP; m += 8) {
          vstore8((float8)(0.0f), 0, query_gradients + t * D * STRIP + m);
        }
#if DOCUMENTS
        strip_documents[t] =
            load_row_documents(documents, reach, row0 + t * STRIP, row_documents + t * STRIP);
#endif
      }
      copy_rows(q_block, q_stride, rows, strips * STRIP, D, ROW_STRIDE_D, scale, query_rows, ROW_STRIDE_D);
      copy_rows(
          g_block, o_stride, rows, strips * STRIP, DV, ROW_STRIDE_DV, 1.0f, gradient_rows, ROW_STRIDE_DV);

      const int end = last_key(reach, row0 + rows - 1) + 1;
      for (int key0 = first_key(reach, row0); key0 < end; key0 += BACKWARD_KEYS) {
        const int count = min(BACKWARD_KEYS, end - key0);
        for (int j = 0; j < count; j += 4) {
          first_strips[j / 4] = strips;
          last_strips[j / 4] = -1;
        }
#if DOCUMENTS
        const int2 block_documents = document_range(documents + key0, count);
#endif
        int loaded = 0;
        for (int t = 0; t < strips; ++t) {
          const Strip strip = make_strip(reach, row0 + t * STRIP, key0, count);
          if (strip.from >= strip.to) {
            continue;
          }
          for (int j = strip.from; j < strip.to; j += 4) {
            first_strips[j / 4] = min(first_strips[j / 4], t);
            last_strips[j / 4] = t;
          }
          int visit = 1, test_documents = 0, test_mask = 0;
#if DOCUMENTS
          const int2 mine = strip_documents[t];
          visit = block_documents.y >= mine.x && block_documents.x <= mine.y;
          test_documents = block_documents.x != mine.y || block_documents.y != mine.x;
#endif
#if MASK
          const int coverage = mask_coverage(mask, reach, strip, key0);
          visit = visit && coverage != 0;
          test_mask = coverage == 1;
#endif
          float *s = scores + t * STRIP;
          float *g = gradients + t * STRIP;
          if (!visit) {
            for (int j = strip.from; j < strip.to; ++j) {
              for (int m = 0; m < 3; ++m) {
                vstore8((float8)(0.0f), m, s + j * BACKWARD_ROWS);
                vstore8((float8)(0.0f), m, g + j * BACKWARD_ROWS);
              }
            }
            continue;
          }
          if (!loaded) {
            const int padded = (count + 3) & ~3;
            copy_rows(k + (size_t)key0 * k_stride, k_stride, count, padded, D, D, 1.0f, keys, KEY_STRIDE);
            copy_rows(
                v + (size_t)key0 * v_stride, v_stride, count, padded, DV, DV, 1.0f, values, VALUE_STRIDE);
            loaded = 1;
          }
          for (int j = strip.from; j < strip.to; j += 4) {
            tile_scores(
                keys + j * KEY_STRIDE, KEY_STRIDE, queries + t * D * STRIP, D, s + j * BACKWARD_ROWS,
                BACKWARD_ROWS);
          }
          for (int j = strip.from; j < strip.to; j += 4) {
            tile_scores(
                values + j * VALUE_STRIDE, VALUE_STRIDE, output_gradients + t * DV * STRIP, DV,
                g + j * BACKWARD_ROWS, BACKWARD_ROWS);
          }
#if DOCUMENTS
          shape_scores(
              s, BACKWARD_ROWS, cap_slopes, reach, strip, key0, softcap, slope, test_documents,
              row_documents + t * STRIP, documents, test_mask, mask);
#else
          shape_scores(
              s, BACKWARD_ROWS, cap_slopes, reach, strip, key0, softcap, slope, 0, 0, documents, test_mask,
              mask);
#endif
          softmax_gradient(s, g, cap_slopes, strip.from, strip.to, logs + t * STRIP, row_terms + t * STRIP);
          for (int d = 0; d < D; d += 4) {
            tile_accumulate(
                keys + strip.from * KEY_STRIDE + d, KEY_STRIDE, g + strip.from * BACKWARD_ROWS, BACKWARD_ROWS,
                strip.to - strip.from, query_gradients + (t * D + d) * STRIP, 1.0f, 1.0f, 1.0f);
          }
        }
        if (loaded) {
          add_over_rows(
              scores, gradient_rows, ROW_STRIDE_DV, first_strips, last_strips, count,
              dv_partial + (size_t)key0 * v_stride, v_stride, DV, TILES_24(DV));
          add_over_rows(
              gradients, query_rows, ROW_STRIDE_D, first_strips, last_strips, count,
              dk_partial + (size_t)key0 * k_stride, k_stride, D, TILES_24(D));
        }
      }
      for (int t = 0; t < strips; ++t) {
        unpack_transposed(
            query_gradients + t * D * STRIP, factors, min(STRIP, rows - t * STRIP), D,
            dq_block + (size_t)(t * STRIP) * q_stride, q_stride);
      }
    }
#if SINKS
    if (n % blocks == blocks - 1) {
      dsinks_partial[((size_t)slice * batches + batch) * query_heads + head] = sink_gradient;
    }
#endif
  }
}

// out[i] = sum over parts of partials[part * count + i], in this order; one work-item per 1024 numbers.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_sum(
    global const float *restrict partials, global float *restrict out, ulong count, int parts) {
  const ulong begin = (ulong)get_global_id(0) * 1024, end = min(begin + 1024, count);
  ulong i = begin;
  for (; i + 8 <= end; i += 8) {
    float8 sum = vload8(0, partials + i);
    for (int part = 1; part < parts; ++part) {
      sum += vload8(0, partials + (ulong)part * count + i);
    }
    vstore8(sum, 0, out + i);
  }
  for (; i < end; ++i) {
    float sum = partials[i];
    for (int part = 1; part < parts; ++part) {
      sum += partials[(ulong)part * count + i];
    }
    out[i] = sum;
  }
}

// --------------------------------------------------------------------------------------------------- decode
// Few query rows against many keys is bound by reading k and v once: here vector lanes run along the head
// width and every query row that reads a key head uses the block of DECODE_KEYS keys while it is in the
// cache.

// Scores of 4 keys with one query row: keys 0 ... last exist, the others repeat the last.
static inline float4 decode_scores(const float *query, global const float *k, size_t stride, int last) {
  global const float *k0 = k;
  global const float *k1 = k + (size_t)min(1, last) * stride;
  global const float *k2 = k + (size_t)min(2, last) * stride;
  global const float *k3 = k + (size_t)min(3, last) * stride;
  float8 c0 = 0.0f, c1 = 0.0f, c2 = 0.0f, c3 = 0.0f;
#pragma unroll 4
  for (int d = 0; d + 8 <= D; d += 8) {
    const float8 x = vload8(0, query + d);
    c0 = fma(x, vload8(0, k0 + d), c0);
    c1 = fma(x, vload8(0, k1 + d), c1);
    c2 = fma(x, vload8(0, k2 + d), c2);
    c3 = fma(x, vload8(0, k3 + d), c3);
  }
  float4 s0 = c0.lo + c0.hi, s1 = c1.lo + c1.hi, s2 = c2.lo + c2.hi, s3 = c3.lo + c3.hi;
#if D % 8 != 0
  const float4 x = vload4(0, query + D - 4);
  s0 = fma(x, vload4(0, k0 + D - 4), s0);
  s1 = fma(x, vload4(0, k1 + D - 4), s1);
  s2 = fma(x, vload4(0, k2 + D - 4), s2);
  s3 = fma(x, vload4(0, k3 + D - 4), s3);
#endif
  transpose_4x4(&s0, &s1, &s2, &s3);
  return (s0 + s1) + (s2 + s3);
}

// Soft cap, position bias and masks for 8 keys of one row.
static inline float8 decode_shape(
    float8 scores, Reach reach, int row, int key0, float softcap, float slope, global const int *documents,
    global const uchar *mask) {
  const int position = row + reach.offset;
  const int8 key = key0 + lanes();
#if SOFTCAP
  scores = tanh_of_scaled(scores) * (softcap * LOG2_E);
#endif
#if ALIBI
  scores -= slope * convert_float8(abs(position - key));
#endif
  int8 outside = (key < first_key(reach, row)) | (key > last_key(reach, row));
#if DOCUMENTS || MASK
  int hidden[8];
  for (int n = 0; n < 8; ++n) {
    const int existing = min(key0 + n, reach.key_time - 1);
    hidden[n] = 0;
#if DOCUMENTS
    hidden[n] |= (documents[existing] != documents[max(position, 0)]) ? -1 : 0;
#endif
#if MASK
    hidden[n] |= (mask[(size_t)row * (size_t)reach.key_time + existing] == 0) ? -1 : 0;
#endif
  }
  outside |= vload8(0, hidden);
#endif
  return outside ? (float8)(MASKED) : scores;
}

static inline float largest_lane(float8 x) {
  const float4 a = (x.lo > x.hi) ? x.lo : x.hi;
  const float2 b = (a.lo > a.hi) ? a.lo : a.hi;
  return (b.x > b.y) ? b.x : b.y;
}

static inline float sum_lanes(float8 x) {
  const float4 a = x.lo + x.hi;
  const float2 b = a.lo + a.hi;
  return b.x + b.y;
}

// output [DV] = output * factor + weights [count] times rows of v; weights past count are 0.
static inline void decode_add_values(
    const float *weights, global const float *v, size_t stride, int count, float factor,
    global float *output) {
  float sums[DV];
  for (int d = 0; d < DV; d += 4) {
    vstore4(vload4(0, output + d) * factor, 0, sums + d);
  }
  for (int j = 0; j < count; j += 4) {
    const float p0 = weights[j], p1 = weights[j + 1], p2 = weights[j + 2], p3 = weights[j + 3];
    global const float *v0 = v + (size_t)j * stride;
    global const float *v1 = v + (size_t)min(j + 1, count - 1) * stride;
    global const float *v2 = v + (size_t)min(j + 2, count - 1) * stride;
    global const float *v3 = v + (size_t)min(j + 3, count - 1) * stride;
    for (int d = 0; d + 8 <= DV; d += 8) {
      float8 sum = vload8(0, sums + d);
      sum = fma((float8)(p0), vload8(0, v0 + d), sum);
      sum = fma((float8)(p1), vload8(0, v1 + d), sum);
      sum = fma((float8)(p2), vload8(0, v2 + d), sum);
      sum = fma((float8)(p3), vload8(0, v3 + d), sum);
      vstore8(sum, 0, sums + d);
    }
#if DV % 8 != 0
    float4 sum = vload4(0, sums + DV - 4);
    sum = fma((float4)(p0), vload4(0, v0 + DV - 4), sum);
    sum = fma((float4)(p1), vload4(0, v1 + DV - 4), sum);
    sum = fma((float4)(p2), vload4(0, v2 + DV - 4), sum);
    sum = fma((float4)(p3), vload4(0, v3 + DV - 4), sum);
    vstore4(sum, 0, sums + DV - 4);
#endif
  }
  for (int d = 0; d < DV; d += 4) {
    vstore4(vload4(0, sums + d), 0, output + d);
  }
}

// One block of keys for one query row: output and statistics (maximum, sum, moment) are updated.
static inline void decode_block(
    global const float *query, global const float *k, global const float *v, size_t k_stride, size_t v_stride,
    int count, Reach reach, int row, int key0, float factor, float softcap, float slope,
    global const int *documents, global const uchar *mask, global float *output, global float *statistics) {
  float weights[DECODE_KEYS];
  float scaled_query[D];
  for (int d = 0; d < D; d += 4) {
    vstore4(vload4(0, query + d) * factor, 0, scaled_query + d);
  }
  const float old_maximum = statistics[0];
  float maximum = old_maximum;
  for (int j = 0; j < count; j += 8) {
    const int next = min(j + 4, count - 1);
    const float8 raw =
        (float8)(decode_scores(scaled_query, k + (size_t)j * k_stride, k_stride, count - 1 - j),
                 decode_scores(scaled_query, k + (size_t)next * k_stride, k_stride, count - 1 - next));
    // Lanes past the block repeat its last key, which must not count twice.
    const float8 shaped = decode_shape(raw, reach, row, key0 + j, softcap, slope, documents, mask);
    const float8 scores = (j + lanes() >= count) ? (float8)(MASKED) : shaped;
    maximum = fmax(maximum, largest_lane(scores));
    vstore8(scores, 0, weights + j);
  }
  const float base = (maximum < -1.0e29f) ? 0.0f : maximum;
  const float shift = old_maximum - maximum;
  const float rescale = exp2_negative((float8)(shift)).s0;
  float8 sums = 0.0f, moments = 0.0f;
  for (int j = 0; j < count; j += 8) {
    const float8 x = vload8(0, weights + j) - base;
    const float8 p = exp2_negative(x);
    sums += p;
    moments = fma(p, x, moments);
    vstore8(p, 0, weights + j);
  }
  const float old_sum = statistics[1];
  statistics[2] = rescale * fma(old_sum, (old_sum > 0.0f) ? shift : 0.0f, statistics[2]) + sum_lanes(moments);
  statistics[1] = rescale * old_sum + sum_lanes(sums);
  statistics[0] = maximum;
  decode_add_values(weights, v, v_stride, count, rescale, output);
}

// One work-item per (batch, range of keys, share of the key heads). partial_outputs [B, splits, Hq, Tq,
// DV], partial_statistics [B, splits, Hq, Tq, 4]: maximum, sum and moment in units of log 2, not
// normalized.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_decode(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const int *restrict documents,
    global const uchar *restrict mask, global float *restrict partial_outputs,
    global float *restrict partial_statistics, int query_time, int key_time, int key_capacity,
    int query_heads, int key_heads, float scale, float softcap, int causal, int window_left, int window_right,
    int splits, int shares) {
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const int item = (int)get_global_id(0);
  const int share = item % shares;
  const int split = (item / shares) % splits;
  const size_t batch = (size_t)(item / shares / splits);
  const int group = query_heads / key_heads;
  const int first_head = (int)((long)key_heads * share / shares);
  const int end_head = (int)((long)key_heads * (share + 1) / shares);
  const size_t q_stride = (size_t)query_heads * D;
  const size_t k_stride = (size_t)key_heads * D, v_stride = (size_t)key_heads * DV;
  q += batch * query_time * q_stride;
  k += batch * key_capacity * k_stride;
  v += batch * key_capacity * v_stride;
#if DOCUMENTS
  documents += batch * key_time;
#endif
  const size_t rows0 = (batch * splits + split) * query_heads * query_time;
  for (int row = first_head * group * query_time; row < end_head * group * query_time; ++row) {
    global float *statistics = partial_statistics + (rows0 + row) * 4;
    vstore4((float4)(MASKED, 0.0f, 0.0f, 0.0f), 0, statistics);
    for (int d = 0; d < DV; d += 4) {
      vstore4((float4)(0.0f), 0, partial_outputs + (rows0 + row) * DV + d);
    }
  }
  const int first = first_key(reach, 0);
  const int total = max(last_key(reach, query_time - 1) + 1 - first, 0);
  const int blocks = (total + DECODE_KEYS - 1) / DECODE_KEYS;
  const int begin = (int)((long)blocks * split / splits), end = (int)((long)blocks * (split + 1) / splits);
  for (int block = begin; block < end; ++block) {
    const int key0 = first + block * DECODE_KEYS;
    const int count = min(DECODE_KEYS, first + total - key0);
    for (int key_head = first_head; key_head < end_head; ++key_head) {
      for (int member = 0; member < group * query_time; ++member) {
        const int head = key_head * group + member / query_time;
        const int row = member % query_time;
#if ALIBI
        const float slope = slopes[head] * LOG2_E;
#else
        const float slope = 0.0f;
#endif
        const size_t place = rows0 + (size_t)head * query_time + row;
        decode_block(
            q + (size_t)row * q_stride + (size_t)head * D, k + (size_t)key0 * k_stride + (size_t)key_head * D,
            v + (size_t)key0 * v_stride + (size_t)key_head * DV, k_stride, v_stride, count, reach, row, key0,
            score_factor(scale, softcap), softcap, slope, documents, mask, partial_outputs + place * DV,
            partial_statistics + place * 4);
      }
    }
  }
}

// One work-item per (batch, query head, query row).
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_decode_merge(
    global const float *restrict partial_outputs, global const float *restrict partial_statistics,
    global const float *restrict sinks, global float *restrict o, global float *restrict lse,
    global float *restrict entropy, int query_time, int query_heads, int splits) {
  const int item = (int)get_global_id(0);
  const int row = item % query_time;
  const int head = (item / query_time) % query_heads;
  const size_t batch = (size_t)(item / query_time / query_heads);
  const size_t rows = (size_t)query_heads * query_time;
  const size_t place0 = batch * splits * rows + (size_t)head * query_time + row;
  o += ((batch * query_time + row) * query_heads + head) * DV;
  float maximum = MASKED;
  for (int split = 0; split < splits; ++split) {
    maximum = fmax(maximum, partial_statistics[(place0 + split * rows) * 4]);
  }
#if SINKS
  const float sink = sinks[head] * LOG2_E;
  maximum = fmax(maximum, sink);
#endif
  float sum = 0.0f, moment = 0.0f;
  for (int split = 0; split < splits; ++split) {
    const float4 part = vload4(place0 + split * rows, partial_statistics);
    const float shift = part.x - maximum;
    const float factor = exp2(shift);
    sum = fma(factor, part.y, sum);
    moment = fma(factor, fma(part.y, (part.y > 0.0f) ? shift : 0.0f, part.z), moment);
  }
  float total = sum;
#if SINKS
  total += exp2(sink - maximum);
#endif
  const int dead = total <= 0.0f;
  const float safe = dead ? 1.0f : total;
  const float log_total = log2(safe);
  for (int d = 0; d < DV; d += 4) {
    float4 value = 0.0f;
    for (int split = 0; split < splits; ++split) {
      const float factor = exp2(partial_statistics[(place0 + split * rows) * 4] - maximum) / safe;
      value = fma(vload4(0, partial_outputs + (place0 + split * rows) * DV + d), factor, value);
    }
    vstore4(value, 0, o + d);
  }
  lse[(batch * query_heads + head) * query_time + row] = dead ? MASKED : (maximum + log_total) * LN_2;
#if ENTROPY
  entropy[(batch * query_heads + head) * query_time + row] =
      dead ? 0.0f : (sum * log_total - moment) * LN_2 / safe;
#endif
}
