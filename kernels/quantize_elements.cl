// quantize_elements.cl - the elements of blocks rounded under their scales
//
// Included by quantize_runs.cl.

#ifndef QUANTIZE_ELEMENTS_CL
#define QUANTIZE_ELEMENTS_CL

#include "quantize_scales.cl"

// Elements times their scale, rounded; zeros have the sign of the element.
static inline vector nearest_elements(const quantization *it, const vector scaled, const int_vector sign) {
  const int_vector magnitude = held_magnitude(AS_INT_VECTOR(scaled), &it->element);
  if (it->scaling == UNSCALED) {
    const placed_magnitude at = place(magnitude, &it->element);
    return AS_VECTOR(quanta_bits(nearest_quanta(at), at.exponent, &it->element) | sign);
  }
  return AS_VECTOR(AS_INT_VECTOR(nearest_value(magnitude, &it->element)) | sign);
}

// The same, stochastic: elements are numbered from `element` on.
static inline vector random_elements(const quantization *it, const vector scaled, const int_vector sign,
                                     const uint element) {
  const placed_magnitude at = place(held_magnitude(AS_INT_VECTOR(scaled), &it->element), &it->element);
  const int_vector quanta = random_quanta(at, rounding_bits(LANE_COUNT + element, it->first, it->second));
  return AS_VECTOR(quanta_bits(quanta, at.exponent, &it->element) | sign);
}

static inline vector rounded_elements(const quantization *it, const vector x, const vector encode,
                                      const uint element, const int random) {
  const int_vector sign = AS_INT_VECTOR(x) & ~MAGNITUDE;
  return random ? random_elements(it, x * encode, sign, element) : nearest_elements(it, x * encode, sign);
}

// The codes of rounded elements.
static inline void store_codes(const quantization *it, const vector rounded, const vector scaled,
                               global int *codes, const int count) {
  const int_vector bits = AS_INT_VECTOR(rounded), magnitude = bits & MAGNITUDE, negative = bits >> 31;
  const placed_magnitude at = place(magnitude, &it->element);
  const int_vector code =
      quanta_code(nearest_quanta(at), at.exponent, &it->element) & reaches(magnitude, INTS(LEADING_ONE));
  const int_vector coded =
      it->sign_bit > 0 ? code | (negative & (1 << it->sign_bit)) : (code ^ negative) - negative;
  float parts[VECTOR];
  // NaN has the code 0.
  STORE_VECTOR(AS_VECTOR(coded & reaches(INTS(INFINITE), AS_INT_VECTOR(scaled) & MAGNITUDE)), 0, parts);
  for (int k = 0; k < VECTOR && k < count; k++) codes[k] = as_int(parts[k]);
}

// One vector of elements, the first with number `element`.
static inline vector quantized(const quantization *it, const vector x, const vector encode, const vector decode,
                               const uint element, global int *codes, const int count) {
  const vector rounded = rounded_elements(it, x, encode, element, it->stochastic);
  if (codes) store_codes(it, rounded, x * encode, codes, count);
  return rounded * decode;
}

// Without a scale nothing tells that a number is not finite but itself; subnormal ones become zero.
static inline vector unscaled(const vector x, const vector rounded) {
  const int_vector magnitude = AS_INT_VECTOR(x) & MAGNITUDE;
  const int_vector bits = AS_INT_VECTOR(rounded);
  const vector held = AS_VECTOR(where(bits, bits & ~MAGNITUDE, below(magnitude, INTS(LEADING_ONE))));
  return chosen(held, (vector)(NAN), reaches(magnitude, INTS(INFINITE)));
}

#endif
