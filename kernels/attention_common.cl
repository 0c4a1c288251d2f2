// attention_common.cl - what the attention kernels for processors share: sizes, exponential, masks
//
// Included by attention.cl, attention_backward.cl and attention_decode.cl. OpenCL C 1.2 core only.
//
// Rows go in strips of STRIP and keys in steps of TILE, so that edges of a mask and short sequences cost no
// more than that.
// The exponential needs (x + 12582912) - 12582912 as written: never build with -cl-fast-relaxed-math.
// Papers: Milakov & Gimelshein 2018; Dao 2023 (FlashAttention-2).   Swift: Operations/Attention+OpenCL.swift

#include "attention_rules.cl"

// Block sizes, set by AttentionBlock in Operations/AttentionBlock.swift; decode always has vectors of 8.
#ifndef ROWS
#define ROWS 96            // query rows per block, multiple of STRIP
#endif
#ifndef KEYS
#define KEYS 64            // keys per block, multiple of TILE; decode: multiple of 8
#endif
#ifndef VECTOR
#define VECTOR 8           // floats per vector: 8 (AVX2), 16 (AVX-512)
#endif

#include "vectors.cl"

// The register tile is TILE rows by STRIP_VECTORS vectors; its accumulators are separate variables, since an
// array of them would be spilled.
#if VECTOR == 16
#define STRIP_VECTORS 2
#define TILE 8
#define EACH_VECTOR(DO, ROW) DO(ROW, 0) DO(ROW, 1)
#define EACH_NARROW_VECTOR(DO, ROW) DO(ROW, 0)
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)
#elif VECTOR == 8
#define STRIP_VECTORS 3
#define TILE 4
#define EACH_VECTOR(DO, ROW) DO(ROW, 0) DO(ROW, 1) DO(ROW, 2)
#define EACH_NARROW_VECTOR(DO, ROW) DO(ROW, 0) DO(ROW, 1)
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3)
#else
#error "VECTOR must be 8 or 16"
#endif

#define STRIP (STRIP_VECTORS * VECTOR) // query rows in one strip
#define STRIPS (ROWS / STRIP)
#define WHOLE(WIDTH, STEP) (((WIDTH) + (STEP)-1) / (STEP) * (STEP))
#define TILED_D WHOLE(D, TILE) // rows of a transposed block in whole tiles
#define TILED_DV WHOLE(DV, TILE)
// Row of a copied block: whole vectors, zeros past D, and one more to spread the rows over the cache sets.
#define STRIDE_D (WHOLE(D, VECTOR) + VECTOR)
#define STRIDE_DV (WHOLE(DV, VECTOR) + VECTOR)
#define ALIGNED __attribute__((aligned(64))) // a vector of an aligned array lies in one cache line
// Vector n from a place in an aligned array that lies whole vectors from its beginning. PoCL 3.1 makes
// vload16() of single floats, of which LLVM does not always make a vector again.
#define VECTOR_AT(ARRAY, N) (((vector *)(ARRAY))[N])

// ---------------------------------------------------------------------------------------------- exponential

// 2^x for x <= 0 (exactly 0 below -127): degree 6 on [-1/2, 1/2], relative error 1.2e-7; NaN stays NaN.
static inline vector exp2_negative(vector x) {
  x = ((vector)(-127.0f) > x) ? (vector)(-127.0f) : x;
  const vector shifted = x + 12582912.0f;
  const vector f = x - (shifted - 12582912.0f);
  vector p = fma(f, (vector)(1.5353362e-4f), (vector)(1.3398874e-3f));
  p = fma(p, f, (vector)(9.6184373e-3f));
  p = fma(p, f, (vector)(5.5503324e-2f));
  p = fma(p, f, (vector)(2.4022648e-1f));
  p = fma(p, f, (vector)(6.9314720e-1f));
  p = fma(p, f, (vector)(1.0f));
  return AS_VECTOR(AS_INT_VECTOR(p) + (AS_INT_VECTOR(shifted) << 23));
}

// tanh(x) where y = 2 x / ln 2: 1 - 2 / (2^y + 1), absolute error 1e-7.
static inline vector tanh_of_scaled(vector y) {
  const vector magnitude = fabs(y);
  const vector e = exp2_negative(-magnitude);
  return copysign((1.0f - e) / (1.0f + e), y);
}

static inline vector larger(vector a, vector b) { return (a > b) ? a : b; }

#include "attention_products.cl"

// -------------------------------------------------------------------------------------------- rows and keys

// One strip of query rows and the range of the current key block it visits, in steps of TILE keys.
typedef struct {
  int row; // first row
  int last_row; // last row that exists
  int from, to; // keys to visit, relative to the block
} Strip;

static inline Strip make_strip(Reach reach, int row, int key0, int keys) {
  Strip strip;
  strip.row = row;
  strip.last_row = min(row + STRIP, reach.query_time) - 1;
  strip.from = max(first_key(reach, row) - key0, 0) / TILE * TILE;
  strip.to = WHOLE(max(min(last_key(reach, strip.last_row) - key0 + 1, keys), 0), TILE);
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
    float *scores, int stride, int from, int to, int key0, const int_vector *first, const int_vector *last) {
  for (int j = from; j < to; ++j) {
    const int_vector key = (int_vector)(key0 + j);
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      float *s = scores + j * stride + VECTOR * n;
      const int_vector outside = (key < first[n]) | (key > last[n]);
      VECTOR_AT(s, 0) = outside ? (vector)(MASKED) : VECTOR_AT(s, 0);
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
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      float *s = scores + j * stride + VECTOR * n;
      vector x = VECTOR_AT(s, 0);
#if SOFTCAP
      const vector t = tanh_of_scaled(x);
      if (cap_slopes != 0) {
        VECTOR_AT(cap_slopes + j * STRIP + VECTOR * n, 0) = 1.0f - t * t;
      }
      x = t * (softcap * LOG2_E);
#endif
#if ALIBI
      const int_vector position = strip.row + reach.offset + VECTOR * n + LANE_NUMBERS;
      x -= slope * CONVERT_VECTOR(abs(position - (key0 + j)));
#endif
      VECTOR_AT(s, 0) = x;
    }
  }
#endif
  const int first_row_last_key = last_key(reach, strip.row),
            last_row_first_key = first_key(reach, strip.last_row);
  const int open_from = clamp(last_row_first_key - key0, strip.from, strip.to);
  const int open_to = clamp(first_row_last_key + 1 - key0, open_from, strip.to);
  if (open_from > strip.from || open_to < strip.to) {
    int_vector first[STRIP_VECTORS], last[STRIP_VECTORS];
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      const int_vector row = min(strip.row + VECTOR * n + LANE_NUMBERS, (int_vector)(strip.last_row));
      const int_vector position = row + reach.offset;
      first[n] = position - reach.left;
      last[n] = min(position + reach.right, (int_vector)(reach.key_time - 1));
#if DOCUMENTS
      last[n] = (position < 0) ? (int_vector)(-1) : last[n];
#endif
    }
    mask_outside_reach(scores, stride, strip.from, open_from, key0, first, last);
    mask_outside_reach(scores, stride, open_to, strip.to, key0, first, last);
  }
#if DOCUMENTS
  if (test_documents) {
    for (int j = strip.from; j < min(strip.to, reach.key_time - key0); ++j) {
      const int_vector document = (int_vector)(key_documents[key0 + j]);
      for (int n = 0; n < STRIP_VECTORS; ++n) {
        float *s = scores + j * stride + VECTOR * n;
        VECTOR_AT(s, 0) = (LOAD_VECTOR(n, row_documents) != document) ? (vector)(MASKED) : VECTOR_AT(s, 0);
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

