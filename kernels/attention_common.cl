// attention_common.cl - what the attention kernels for processors share: sizes, exponential, masks
//
// Included by attention.cl, attention_backward.cl and attention_decode.cl. OpenCL C 1.2 core only.
//
// Rows go in strips of 24 and keys in steps of 4, so that edges of a mask and short sequences cost no more
// than that. Measured on 2 cores with AVX-512 (PoCL 3.1, T 1024-2048, D 64, causal): 75-81 GFLOP per
// CPU-second forward and 75-85 backward; keys packed and transposed with 6 x 16 tiles gave 47-60 and 52-62.
// The exponential needs (x + 12582912) - 12582912 as written: never build with -cl-fast-relaxed-math.
// Papers: Milakov & Gimelshein 2018; Dao 2023 (FlashAttention-2).   Swift: Operations/Attention+OpenCL.swift

#include "attention_rules.cl"

// Block sizes, set by AttentionBlock in Operations/AttentionConfiguration.swift.
#ifndef ROWS
#define ROWS 96            // query rows per block, multiple of 24
#endif
#ifndef KEYS
#define KEYS 64            // keys per block, multiple of 4; decode: multiple of 8
#endif

#define STRIP 24                      // query rows in one strip: three float8
#define STRIPS (ROWS / STRIP)
#define KEY_STRIDE (D + 4)            // row of a copied key block; +4 spreads the rows over the cache sets
#define VALUE_STRIDE (DV + 4)
#define ROW_STRIDE_D ((D + 7) / 8 * 8 + 8)    // row of a copied query block, padded to whole vectors
#define ROW_STRIDE_DV ((DV + 7) / 8 * 8 + 8)

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

#include "attention_products.cl"

// -------------------------------------------------------------------------------------------- rows and keys

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

