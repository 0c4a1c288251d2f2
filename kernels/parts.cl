// parts.cl - the vectors in which a row is read by the LANES work-items that share it
//
// Included by families that define LANES. One work-item per row (processors) reads vectors as wide as the machine's;
// several read so narrow ones that neighbours leave no gaps between them.

#if LANES == 1
#define PART 8
typedef float8 part_t;
#define LOAD_PART(p) vload8(0, p)
#define STORE_PART(value, p) vstore8(value, 0, p)
#else
#define PART 4
typedef float4 part_t;
#define LOAD_PART(p) vload4(0, p)
#define STORE_PART(value, p) vstore4(value, 0, p)
#endif

static inline float part_sum(const part_t value) {
#if PART == 8
  const float4 four = value.lo + value.hi;
#else
  const float4 four = value;
#endif
  return (four.x + four.y) + (four.z + four.w);
}

static inline float part_max(const part_t value) {
#if PART == 8
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
