// The kernels of number formats for one instruction set: included by formats_*.c with VECTOR and VARIANT(name) defined.
#include "CHostFormats.h"
#include "groups.h"
#include "opencl_words.h"

#pragma clang fp contract(off)

#define SEARCH
#include "../../kernels/format_codes.cl"
#include "../../kernels/quantize.cl"
#include "../../kernels/quantize_gradient.cl"

// Parameters are 16 numbers at any address.
static inline parameter_list parameters_at(const uint32_t *p) {
  parameter_list parameters;
  memcpy(&parameters, p, sizeof parameters);
  return parameters;
}

void VARIANT(encode_format)(const void *from, void *to, uint32_t count, uint32_t range, const uint32_t *p) {
  encode_format(from, to, count, range, parameters_at(p));
}

void VARIANT(decode_format)(const void *from, void *to, uint32_t count, uint32_t range, const uint32_t *p) {
  decode_format(from, to, count, range, parameters_at(p));
}

void VARIANT(largest_magnitude)(const float *x, float *parts, uint32_t count, uint32_t range) {
  largest_magnitude(x, parts, count, range);
}

void VARIANT(quantize_values)(const nibble_quantize_operands *o, const int32_t *s, const uint32_t *p) {
  quantize_values(o->x, o->largest, o->y, o->codes, o->scales, s[0], s[1], parameters_at(p));
}

void VARIANT(quantize_tiles)(const nibble_quantize_operands *o, const int32_t *s, const uint32_t *p) {
  quantize_tiles(o->x, o->largest, o->signs, o->y, o->codes, o->scales, s[0], s[1], s[2], s[3], s[4], s[5], s[6],
                 parameters_at(p));
}

void VARIANT(quantize_columns)(const nibble_quantize_operands *o, const int32_t *s, const uint32_t *p) {
  quantize_columns(o->x, o->largest, o->signs, o->y, o->codes, o->scales, s[0], s[1], s[2], s[3], s[4], s[5],
                   parameters_at(p));
}

void VARIANT(gradient_values)(const nibble_gradient_operands *o, const int32_t *s, const uint32_t *p) {
  gradient_values(o->x, o->dy, o->largest, o->dx, s[0], s[1], s[2], parameters_at(p));
}

void VARIANT(gradient_tiles)(const nibble_gradient_operands *o, const int32_t *s, const uint32_t *p) {
  gradient_tiles(o->x, o->dy, o->largest, o->dx, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], parameters_at(p));
}

void VARIANT(gradient_columns)(const nibble_gradient_operands *o, const int32_t *s, const uint32_t *p) {
  gradient_columns(o->x, o->dy, o->largest, o->dx, s[0], s[1], s[2], s[3], s[4], s[5], parameters_at(p));
}
