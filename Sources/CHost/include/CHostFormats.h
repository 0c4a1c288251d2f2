/// The kernels of kernels/format_codes.cl and quantize.cl on the host: the same text, compiled for several instruction
/// sets. `nibble_select_group` (CHostMixers.h) says which work-group the calling thread runs next.
#ifndef NIBBLE_CHOST_FORMATS_H
#define NIBBLE_CHOST_FORMATS_H

#include <stdint.h>

/// Codes of numbers, and numbers of codes; `parameters` are 16 numbers.
typedef void nibble_format_kernel(
    const void *_Nonnull from, void *_Nonnull to, uint32_t count, uint32_t range, const uint32_t *_Nonnull parameters);
nibble_format_kernel *_Nonnull nibble_encode_format(void);
nibble_format_kernel *_Nonnull nibble_decode_format(void);

/// parts[group] = the largest magnitude of x[group * range..]
typedef void nibble_largest_magnitude_kernel(
    const float *_Nonnull x, float *_Nonnull parts, uint32_t count, uint32_t range);
nibble_largest_magnitude_kernel *_Nonnull nibble_largest_magnitude(void);

/// What a quantization reads and writes.
typedef struct {
  const float *_Nonnull x;
  const float *_Nullable largest;  // [1]
  const float *_Nullable signs;    // [rotation]
  float *_Nonnull y;
  int32_t *_Nullable codes;
  float *_Nullable scales;
} nibble_quantize_operands;

/// `sizes` are the kernel's whole numbers in order.
typedef void nibble_quantize_kernel(
    const nibble_quantize_operands *_Nonnull operands, const int32_t *_Nonnull sizes,
    const uint32_t *_Nonnull parameters);
nibble_quantize_kernel *_Nonnull nibble_quantize_values(void);
nibble_quantize_kernel *_Nonnull nibble_quantize_tiles(void);
nibble_quantize_kernel *_Nonnull nibble_quantize_columns(void);

/// What a gradient's way through a rounding reads and writes.
typedef struct {
  const float *_Nonnull x;
  const float *_Nonnull dy;
  const float *_Nullable largest;  // [1]
  float *_Nonnull dx;
} nibble_gradient_operands;

typedef void nibble_gradient_kernel(
    const nibble_gradient_operands *_Nonnull operands, const int32_t *_Nonnull sizes,
    const uint32_t *_Nonnull parameters);
nibble_gradient_kernel *_Nonnull nibble_gradient_values(void);
nibble_gradient_kernel *_Nonnull nibble_gradient_tiles(void);
nibble_gradient_kernel *_Nonnull nibble_gradient_columns(void);

#endif
