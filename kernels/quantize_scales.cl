// quantize_scales.cl - what a quantization is made of, and the scales of VECTOR blocks at a time
//
// Included by quantize.cl. Swift: NumberFormats/Blocks/BlockFormat.swift has the same steps for one block.

#ifndef QUANTIZE_SCALES_CL
#define QUANTIZE_SCALES_CL

#include "formats.cl"

#define UNSCALED 0
#define POWER_OF_TWO 1       // UE8M0
#define FLOAT_SCALE 2        // a float
#define FLOAT_POWER_OF_TWO 3 // a float whose reciprocal is rounded down to a power of two
#define SMALL_FLOAT 4        // another format
#define SMALL_FLOAT_ONE 5    // the same, zero means one

// Swift: QuantizationParameters packs it.
typedef struct {
  number_grid element, scale;
  int scaling;
  int addend, largest_exponent; // of powers of two: what rounds a magnitude, and the element's emax
  float divisor;                // what a block's largest magnitude is divided by
  float target;                 // 0, or the scale that the tensor's largest magnitude gets
  int stochastic;
  int search;                   // 0, or the binary digits of an error that count where scales are searched
  int sign_bit;                 // where the sign of codes is; 0: two's complement
  int rotation;                 // 0, or the size of the Hadamard transform
  uint first, second;           // the key of the random bits
  float tensor_encode, tensor_decode;
} quantization;

// The scales of VECTOR blocks.
typedef struct {
  vector encode; // elements are multiplied by this
  vector decode; // and rounded ones by this
  vector stored; // decode without the tensor's scale
} block_scales;

static inline quantization unpack(PARAMETERS p) {
  quantization it;
  it.element.mantissa = (int)p.s0;
  it.element.lowest = (int)p.s1;
  it.element.above = (int)p.s2;
  it.element.deeper = (int)p.s3;
  it.scaling = (int)p.s4;
  it.addend = (int)p.s5;
  it.largest_exponent = (int)p.s6;
  it.divisor = as_float(p.s7);
  it.target = as_float(p.s8);
  it.scale.mantissa = (int)(p.s9 & 255);
  it.scale.lowest = (int)(p.s9 >> 8);
  it.scale.above = (int)p.sa;
  it.scale.deeper = 0;
  it.first = p.sb;
  it.second = p.sc;
  it.stochastic = (int)(p.sd & 1);
  it.search = (int)(p.sd >> 8);
  it.sign_bit = (int)p.se;
  it.rotation = (int)p.sf;
  it.tensor_encode = 1.0f;
  it.tensor_decode = 1.0f;
  return it;
}

// The tensor's own scale from its largest magnitude (TensorScale).
static inline void set_tensor_scale(quantization *it, const float largest) {
  const int bits = as_int(largest) & MAGNITUDE;
  if (it->target == 0.0f || bits < LEADING_ONE) return;
  float parts[VECTOR];
  STORE_VECTOR(quotient((vector)(it->target), (vector)(largest)), 0, parts);
  it->tensor_encode = parts[0];
  STORE_VECTOR(quotient((vector)(largest), (vector)(it->target * it->divisor)), 0, parts);
  it->tensor_decode = parts[0];
  if (bits >= INFINITE) it->tensor_decode = it->tensor_encode = NAN;
}

static inline block_scales power_of_two_scales(const quantization *it, const int_vector largest) {
  const int_vector field = (largest + it->addend) >> 23;
  const int_vector exponent = SMALLER(LARGER(field - (127 + it->largest_exponent), INTS(-127)), INTS(127));
  block_scales scales;
  // 2^-127 has no leading one.
  scales.decode = AS_VECTOR(LARGER((exponent + 127) << 23, INTS(LEADING_ONE / 2)));
  scales.encode = AS_VECTOR(LARGER((127 - exponent) << 23, INTS(LEADING_ONE / 2)));
  scales.stored = scales.decode;
  return scales;
}

// Encode scales are held below 2^126: the reciprocals of larger ones are subnormal.
static inline vector held_scale(const vector scale) {
  return AS_VECTOR(SMALLER(AS_INT_VECTOR(scale), INTS(0x7E800000)));
}

static inline block_scales float_scales(const quantization *it, const int_vector largest) {
  const int_vector none = below(largest, INTS(1));
  const vector value = chosen(AS_VECTOR(largest), (vector)(1.0f), none);
  block_scales scales;
  scales.encode = held_scale(quotient((vector)(it->divisor), value));
  if (it->scaling == FLOAT_POWER_OF_TWO) scales.encode = AS_VECTOR(AS_INT_VECTOR(scales.encode) & INFINITE);
  scales.encode = chosen(scales.encode, (vector)(1.0f), none);
  scales.decode = quotient((vector)(1.0f), scales.encode);
  scales.stored = scales.decode;
  return scales;
}

// What stored scales of a small float stand for, and what elements are multiplied by.
static inline vector small_float_decode(const quantization *it, const vector stored) {
  vector meant = stored;
  if (it->scaling == SMALL_FLOAT_ONE) meant = chosen(meant, (vector)(1.0f), below(AS_INT_VECTOR(meant), INTS(1)));
  return it->target != 0.0f ? meant * it->tensor_decode : meant;
}

static inline vector small_float_encode(const vector decode) {
  const int_vector none = below(AS_INT_VECTOR(decode), INTS(LEADING_ONE));
  const vector encode = held_scale(quotient((vector)(1.0f), chosen(decode, (vector)(1.0f), none)));
  return chosen(encode, (vector)(0.0f), none);
}

static inline block_scales small_float_scales(const quantization *it, const int_vector largest) {
  const vector value = AS_VECTOR(largest);
  const vector wanted =
      it->target != 0.0f ? value * it->tensor_encode : quotient(value, (vector)(it->divisor));
  const placed_magnitude at = place(held_magnitude(AS_INT_VECTOR(wanted), &it->scale), &it->scale);
  block_scales scales;
  scales.stored = AS_VECTOR(quanta_bits(nearest_quanta(at), at.exponent, &it->scale));
  scales.decode = small_float_decode(it, scales.stored);
  scales.encode = small_float_encode(scales.decode);
  return scales;
}

// The scales of VECTOR blocks by the bits of their largest magnitudes; NaN where one is not finite.
static inline block_scales scales_of(const quantization *it, const int_vector magnitudes) {
  block_scales scales;
  scales.encode = scales.decode = scales.stored = (vector)(1.0f);
  if (it->scaling == UNSCALED) return scales;
  // Subnormal magnitudes count as zero.
  const int_vector largest = magnitudes & reaches(magnitudes, INTS(LEADING_ONE));
  if (it->scaling == POWER_OF_TWO) scales = power_of_two_scales(it, largest);
  else if (it->scaling <= FLOAT_POWER_OF_TWO) scales = float_scales(it, largest);
  else scales = small_float_scales(it, largest);
  const int tensor = as_int(it->tensor_decode) & MAGNITUDE;
  const int_vector broken = reaches(LARGER(largest, INTS(tensor)), INTS(INFINITE));
  const vector not_a_number = (vector)(NAN);
  scales.encode = chosen(scales.encode, not_a_number, broken);
  scales.decode = chosen(scales.decode, not_a_number, broken);
  scales.stored = chosen(scales.stored, not_a_number, broken);
  return scales;
}

#endif
