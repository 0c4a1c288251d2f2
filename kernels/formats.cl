// formats.cl - numbers rounded to small formats, in integer arithmetic on the bits of floats
//
// Included by quantize.cl, and compiled as C for the host (CHost/formats_variant.h). Every device gives the same bits: what
// is not integer arithmetic here is single additions and products, which OpenCL rounds like IEEE 754, and quotients
// are corrected to the nearest float. Swift: NumberFormats/Core/BinaryGrid.swift has the same steps for one number.

#ifndef FORMATS_CL
#define FORMATS_CL

// Sixteen numbers that say what to do; each kernel lists its own.
#ifdef HOST_C
typedef struct { uint s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, sa, sb, sc, sd, se, sf; } parameter_list;
#define PARAMETERS const parameter_list
#else
#define PARAMETERS const uint16
#pragma OPENCL FP_CONTRACT OFF
#define SMALLER(a, b) min(a, b)
#define LARGER(a, b) max(a, b)
#endif

#include "vectors.cl"

#if VECTOR == 16
typedef uint16 uint_vector;
#define AS_UINT_VECTOR as_uint16
#define CONVERT_INT_VECTOR convert_int16
#elif VECTOR == 8
typedef uint8 uint_vector;
#define AS_UINT_VECTOR as_uint8
#define CONVERT_INT_VECTOR convert_int8
#else
typedef uint4 uint_vector;
#define AS_UINT_VECTOR as_uint4
#define CONVERT_INT_VECTOR convert_int4
#endif

#ifdef HOST_C
#if VECTOR == 16
#define LANE_INTS ((int_vector){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#elif VECTOR == 8
#define LANE_INTS ((int_vector){0, 1, 2, 3, 4, 5, 6, 7})
#else
#define LANE_INTS ((int_vector){0, 1, 2, 3})
#endif
#else
#define LANE_INTS LANE_NUMBERS
#endif
#define LANE_COUNT AS_UINT_VECTOR(LANE_INTS)

#define INTS(value) ((int_vector)(value))
#define MAGNITUDE 0x7FFFFFFF
#define INFINITE 0x7F800000
#define LEADING_ONE 0x800000

// Conditions: -1 where they hold, else 0, of numbers at least 0. None is ever negated: Oclgrind gets that wrong.
static inline int_vector below(const int_vector a, const int_vector b) { return (a - b) >> 31; }
static inline int_vector reaches(const int_vector a, const int_vector b) { return (b - 1 - a) >> 31; }
static inline int_vector where(const int_vector no, const int_vector yes, const int_vector condition) {
  return ((yes ^ no) & condition) ^ no;
}
static inline vector chosen(const vector no, const vector yes, const int_vector condition) {
  return AS_VECTOR(where(AS_INT_VECTOR(no), AS_INT_VECTOR(yes), condition));
}

// The magnitudes of a format (BinaryGrid): multiples of one quantum up to twice 2^lowest, then as many in every binade.
typedef struct {
  int mantissa; // bits behind the leading one
  int lowest;   // the smallest normal exponent, as a float's exponent field
  int above;    // bits of the largest value
  int deeper;   // by how much the bits of the smallest value's magnitude are larger
} number_grid;

// ------------------------------------------------------------------------------------------------------------ rounding

// Magnitudes, held within the format.
static inline int_vector held_magnitude(const int_vector bits, const number_grid *grid) {
  return SMALLER(bits & MAGNITUDE, grid->above + ((bits >> 31) & grid->deeper));
}

// Where a magnitude lies: the quanta of its binade, and how many bits of its mantissa are below one.
typedef struct {
  int_vector exponent; // of the binade
  int_vector mantissa; // of the magnitude, with its leading one
  int_vector below;
} placed_magnitude;

static inline placed_magnitude place(const int_vector magnitude, const number_grid *grid) {
  placed_magnitude it;
  const int_vector own = magnitude >> 23;
  it.exponent = LARGER(own, INTS(grid->lowest));
  it.below = it.exponent - own + (23 - grid->mantissa);
  it.mantissa = (magnitude & (LEADING_ONE - 1)) | LEADING_ONE;
  return it;
}

// The nearest number of quanta, from the middle the even one. From 25 bits on nothing reaches half a quantum.
static inline int_vector nearest_quanta(const placed_magnitude it) {
  const int_vector shift = SMALLER(it.below, INTS(25));
  const int_vector odd = (it.mantissa >> shift) & 1;
  return (it.mantissa + (INTS(1) << (shift - 1)) - 1 + odd) >> shift;
}

// One of the two neighbours, the upper one as often as the magnitude is near to it. 30 random bits at most.
static inline int_vector random_quanta(const placed_magnitude it, const uint_vector random) {
  const int_vector shift = SMALLER(it.below, INTS(30));
  const int_vector kept = it.mantissa >> SMALLER(it.below - shift, INTS(31));
  return (kept + AS_INT_VECTOR(random >> AS_UINT_VECTOR(32 - shift))) >> shift;
}

// The same in two additions, which every device rounds alike: to a float so large that its last digit is a quantum, and
// back. For magnitudes within the format, of formats with smaller exponents than a float's.
static inline vector nearest_value(const int_vector magnitude, const number_grid *grid) {
  const int_vector binade = LARGER(magnitude & INFINITE, INTS(grid->lowest << 23));
  const vector large = AS_VECTOR(binade + ((23 - grid->mantissa) << 23));
  return (AS_VECTOR(magnitude) + large) - large;
}

// The bits of so many quanta; below 2^-126 zero, whatever a device does with subnormal floats.
static inline int_vector quanta_bits(const int_vector quanta, const int_vector exponent, const number_grid *grid) {
  const int_vector bits = AS_INT_VECTOR(CONVERT_VECTOR(quanta)) + ((exponent - (127 + grid->mantissa)) << 23);
  return LARGER(bits, INTS(0));
}

// The place of the magnitude among all of the format: its exponent and mantissa fields, read as one number.
static inline int_vector quanta_code(const int_vector quanta, const int_vector exponent, const number_grid *grid) {
  return quanta + ((exponent - grid->lowest) << grid->mantissa);
}

// 32 random bits for each element, by its number (NumberFormats/Core/RoundingBits.swift).
static inline uint_vector rounding_bits(const uint_vector element, const uint first, const uint second) {
  uint_vector x = element ^ first;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  x = ((x ^ (x >> 15)) + second) * 0x735A2D97u;
  return x ^ (x >> 15);
}

// ----------------------------------------------------------------------------------------------------------- quotients

// The bits of a / b, rounded to nearest, of positive normal floats; 0 of zero or where it would be subnormal.
// Devices may divide floats less than exactly: such a quotient is only the start, from which whole mantissas are
// divided with a remainder.
static inline int_vector quotient_bits(const int_vector a, const int_vector b) {
#ifdef HOST_C
  // C divides exactly.
  const int_vector exact = AS_INT_VECTOR(AS_VECTOR(a) / AS_VECTOR(b));
  return SMALLER(exact & reaches(exact, INTS(LEADING_ONE)), INTS(INFINITE));
#else
  const int_vector divisor = (b & (LEADING_ONE - 1)) | LEADING_ONE;
  int_vector dividend = (a & (LEADING_ONE - 1)) | LEADING_ONE;
  const int_vector smaller = below(dividend, divisor); // -1 where the quotient would be below 1
  dividend += dividend & smaller;
  // At most 2.5 units from the quotient, so too large by 0 to 5 here. Conditions
  // are only added, as Oclgrind gets wrong what compilers make of subtracting them.
  int_vector quotient = CONVERT_INT_VECTOR(CONVERT_VECTOR(dividend) / CONVERT_VECTOR(divisor) * 8388608.0f) + 2;
  // Differences are small: they are right although the products overflow.
  int_vector rest =
      AS_INT_VECTOR((AS_UINT_VECTOR(dividend) << 23) - AS_UINT_VECTOR(quotient) * AS_UINT_VECTOR(divisor));
  for (int step = 0; step < 5; step++) {
    const int_vector negative = rest >> 31;
    quotient += negative;
    rest += negative & divisor;
  }
  // Up to the next, and back where this one is nearer; none lies on the middle between two floats.
  quotient += below(rest + rest - divisor, INTS(1)) + 1;
  const int_vector exponent = SMALLER((a >> 23) - (b >> 23) + 127 + smaller, INTS(255));
  const int_vector bits = (exponent << 23) + (quotient - LEADING_ONE);
  const int_vector kept = ((-exponent) >> 31) & ((-a) >> 31); // a and the exponent are above 0
  return SMALLER(bits & kept, INTS(INFINITE));
#endif
}

static inline vector quotient(const vector a, const vector b) {
  return AS_VECTOR(quotient_bits(AS_INT_VECTOR(a), AS_INT_VECTOR(b)));
}

// --------------------------------------------------------------------------------------------------------- whole vectors

// The first `count` values at p, zeros behind them.
static inline vector load_some(const global float *p, const int count) {
  if (count >= VECTOR) return LOAD_VECTOR(0, p);
  float part[VECTOR];
  for (int k = 0; k < VECTOR; k++) part[k] = k < count ? p[k] : 0.0f;
  return LOAD_VECTOR(0, part);
}

static inline void store_some(const vector value, global float *p, const int count) {
  if (count >= VECTOR) {
    STORE_VECTOR(value, 0, p);
    return;
  }
  float part[VECTOR];
  STORE_VECTOR(value, 0, part);
  for (int k = 0; k < count; k++) p[k] = part[k];
}

// Every second lane of two vectors.
#ifndef HOST_C
#if VECTOR == 16
#define EVEN_LANES(a, b) ((int16)((a).even, (b).even))
#define ODD_LANES(a, b) ((int16)((a).odd, (b).odd))
#elif VECTOR == 8
#define EVEN_LANES(a, b) ((int8)((a).even, (b).even))
#define ODD_LANES(a, b) ((int8)((a).odd, (b).odd))
#else
#define EVEN_LANES(a, b) ((int4)((a).even, (b).even))
#define ODD_LANES(a, b) ((int4)((a).odd, (b).odd))
#endif
#elif VECTOR == 16
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif VECTOR == 8
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#else
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#endif

// The largest lane of each of VECTOR vectors, which are overwritten.
static inline int_vector largest_lanes(int_vector *found) {
  for (int count = VECTOR / 2; count > 0; count /= 2) {
    for (int k = 0; k < count; k++) {
      const int_vector a = found[2 * k], b = found[2 * k + 1];
      found[k] = LARGER(EVEN_LANES(a, b), ODD_LANES(a, b));
    }
  }
  return found[0];
}

static inline int largest_lane(const int_vector value) {
#if VECTOR == 16
  const int8 eight = LARGER(value.lo, value.hi);
  const int4 four = LARGER(eight.lo, eight.hi);
#elif VECTOR == 8
  const int4 four = LARGER(value.lo, value.hi);
#else
  const int4 four = value;
#endif
  const int a = four.x > four.y ? four.x : four.y, b = four.z > four.w ? four.z : four.w;
  return a > b ? a : b;
}

#endif
