// parts.cl - the vectors in which a row is read by the LANES work-items that share it
//
// Included by families that define LANES. One work-item per row (processors) reads vectors as wide as the machine's;
// several read so narrow ones that neighbours leave no gaps between them.

#ifndef PART
#define PART (LANES == 1 ? 8 : 4) // floats per vector: 8 or 16 on processors, else 4
#endif

#if LANES == 1 && PART == 16
typedef float16 part_t;
#define LOAD_PART(p) vload16(0, p)
#define STORE_PART(value, p) vstore16(value, 0, p)
#define AS_PART(x) as_float16(x)
#define AS_INTEGERS(x) as_int16(x)
#elif LANES == 1
typedef float8 part_t;
#define LOAD_PART(p) vload8(0, p)
#define STORE_PART(value, p) vstore8(value, 0, p)
#define AS_PART(x) as_float8(x)
#define AS_INTEGERS(x) as_int8(x)
#else
typedef float4 part_t;
#define LOAD_PART(p) vload4(0, p)
#define STORE_PART(value, p) vstore4(value, 0, p)
#endif

static inline float part_sum(const part_t value) {
#if PART == 16
  const float8 eight = value.lo + value.hi;
  const float4 four = eight.lo + eight.hi;
#elif PART == 8
  const float4 four = value.lo + value.hi;
#else
  const float4 four = value;
#endif
  return (four.x + four.y) + (four.z + four.w);
}

static inline float part_max(const part_t value) {
#if PART == 16
  const float8 eight = fmax(value.lo, value.hi);
  const float4 four = fmax(eight.lo, eight.hi);
#elif PART == 8
  const float4 four = fmax(value.lo, value.hi);
#else
  const float4 four = value;
#endif
  return fmax(fmax(four.x, four.y), fmax(four.z, four.w));
}

// The first `count` values of a part, `fill` behind them.
static inline part_t load_filled(const global float *p, const uint count, const float fill) {
  if (count >= PART) return LOAD_PART(p);
  float part[PART];
  for (uint k = 0; k < PART; k++) part[k] = k < count ? p[k] : fill;
  return LOAD_PART(part);
}

static inline part_t load_part(const global float *p, const uint count) { return load_filled(p, count, 0.0f); }

static inline void store_part(const part_t value, global float *p, const uint count) {
  if (count >= PART) {
    STORE_PART(value, p);
    return;
  }
  float part[PART];
  STORE_PART(value, part);
  for (uint k = 0; k < count; k++) p[k] = part[k];
}

// ------------------------------------------------------------------------------------------------------- exponentials
// On processors a polynomial of our own: a driver's exp() takes twice as many instructions. It needs its rounding: never
// build with -cl-fast-relaxed-math.

static inline part_t held(const part_t x, const float low, const float high) {
  const part_t above = ((part_t)(low) > x) ? (part_t)(low) : x;
  return ((part_t)(high) < above) ? (part_t)(high) : above;
}

// e^x for x from -87.3 to 88.7; NaN stays NaN.
static inline part_t exponential_within(const part_t x) {
#if LANES == 1
  const part_t scale = (part_t)(1.44269502f), shifted = fma(x, scale, (part_t)(12582912.0f));
  // log2(e) in two floats, so that the fraction keeps its digits for large x.
  const part_t f = fma(x, (part_t)(1.92596303e-8f), fma(x, scale, -(shifted - 12582912.0f)));
  // 2^f, degree 6 on [-1/2, 1/2]
  part_t p = fma(f, (part_t)(1.5353362e-4f), (part_t)(1.3398874e-3f));
  p = fma(p, f, (part_t)(9.6184373e-3f));
  p = fma(p, f, (part_t)(5.5503324e-2f));
  p = fma(p, f, (part_t)(2.4022648e-1f));
  p = fma(p, f, (part_t)(6.9314720e-1f));
  p = fma(p, f, (part_t)(1.0f));
  return AS_PART(AS_INTEGERS(p) + (AS_INTEGERS(shifted) << 23));
#else
  return exp(x);
#endif
}

// e^x: 0 below -87.3, infinite above 88.7.
static inline part_t exponential(const part_t x) {
#if LANES == 1
  const part_t value = exponential_within(held(x, -87.3f, 88.7f));
  return select(select(value, (part_t)(0.0f), x < -87.3f), (part_t)(INFINITY), x > 88.7f);
#else
  return exp(x);
#endif
}

static inline part_t sigmoid(const part_t x) { return 1.0f / (1.0f + exponential_within(held(-x, -87.0f, 87.0f))); }
