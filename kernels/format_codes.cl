// format_codes.cl - codes of single numbers: every pattern in, every code out
//
//   encode_format   x [count] -> codes [count]
//   decode_format   codes [count] -> x [count]
//
// NaN, infinities, subnormal floats and both zeros are kept exactly. Swift: Operations/Quantization/FormatCodes.swift

#include "formats.cl"

#ifdef HOST_C
#define FORMAT_GROUP
#else
#define FORMAT_GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#endif

#define NEAREST_EVEN 0
#define NEAREST_AWAY 1
#define STOCHASTIC 2

static inline int_vector load_bits(const global int *p, const int count) {
  float part[VECTOR];
  for (int k = 0; k < VECTOR; k++) part[k] = as_float(k < count ? p[k] : 0);
  return AS_INT_VECTOR(LOAD_VECTOR(0, part));
}

static inline void store_bits(const int_vector value, global int *p, const int count) {
  float part[VECTOR];
  STORE_VECTOR(AS_VECTOR(value), 0, part);
  for (int k = 0; k < VECTOR && k < count; k++) p[k] = as_int(part[k]);
}

// parameters: mantissa, lowest, largest code, bits of a magnitude, has a sign, code of overflow, code of NaN, rounding,
// key of the random bits
static inline int_vector encoded(const int_vector bits, PARAMETERS p, const uint element) {
  number_grid grid;
  grid.mantissa = (int)p.s0;
  grid.lowest = (int)p.s1;
  const int_vector magnitude = bits & MAGNITUDE;
  placed_magnitude at = place(magnitude, &grid);
  // Subnormal floats have the exponent 1 and no leading one.
  const int_vector subnormal = below(magnitude, INTS(LEADING_ONE));
  at.mantissa = where(at.mantissa, magnitude, subnormal);
  at.below += subnormal;
  int_vector quanta;
  if (p.s7 == STOCHASTIC) {
    quanta = random_quanta(at, rounding_bits(LANE_COUNT + element, p.s8, p.s9));
  } else if (p.s7 == NEAREST_AWAY) {
    const int_vector shift = SMALLER(at.below, INTS(25));
    quanta = (at.mantissa + (INTS(1) << (shift - 1))) >> shift;
  } else {
    quanta = nearest_quanta(at);
  }
  int_vector code = quanta_code(quanta, at.exponent, &grid);
  code = where(code, INTS((int)p.s5), below(INTS((int)p.s2), code));
  const int_vector broken = below(INTS(INFINITE), magnitude);
  code = where(code, INTS((int)p.s6), broken);
  const int_vector negative = bits >> 31;
  if (p.s4 == 0) return where(code, code & broken, negative);
  return code | (negative & (1 << p.s3));
}

kernel FORMAT_GROUP
void encode_format(const global float *x, global int *codes, const uint count, const uint range,
                   PARAMETERS parameters) {
  const uint first = (uint)get_group_id(0) * range, last = min(count, first + range);
  for (uint i = first; i < last; i += VECTOR) {
    const int part = (int)min(last - i, (uint)VECTOR);
    store_bits(encoded(load_bits((const global int *)x + i, part), parameters, i), codes + i, part);
  }
}

static inline int_vector decoded(const int_vector codes, PARAMETERS p) {
  const int_vector magnitude = codes & ((1 << p.s3) - 1);
  const int_vector bits = magnitude << (23 - (int)p.s0);
  const int lowest = (int)p.s1;
  int_vector value = bits;
  if (lowest > 1) {
    // Subnormal ones behind a leading one, which is then taken away.
    const vector one = AS_VECTOR(INTS(lowest << 23));
    const vector small = AS_VECTOR(bits + (lowest << 23)) - one;
    value = where(bits + ((lowest - 1) << 23), AS_INT_VECTOR(small), below(magnitude, INTS(1 << p.s0)));
  }
  const int_vector special = where(INTS(0x7FC00000), INTS(INFINITE), below(magnitude, INTS((int)p.s5 + 1)));
  value = where(value, special, below(INTS((int)p.s2), magnitude));
  return p.s4 == 0 ? value : value | ((codes >> p.s3) << 31);
}

// parameters as above; the code of overflow is that of infinity, or the largest where there is none
kernel FORMAT_GROUP
void decode_format(const global int *codes, global float *x, const uint count, const uint range,
                   PARAMETERS parameters) {
  const uint first = (uint)get_group_id(0) * range, last = min(count, first + range);
  for (uint i = first; i < last; i += VECTOR) {
    const int part = (int)min(last - i, (uint)VECTOR);
    store_bits(decoded(load_bits(codes + i, part), parameters), (global int *)x + i, part);
  }
}
