// attention_common.cl - what the attention kernels for processors share: sizes, exponential, products
//
// Included by attention_blocks.cl and attention_decode.cl. OpenCL C 1.2 core only.
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
