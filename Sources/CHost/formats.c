// Chooses the kernels of number formats for this processor.
#include "CHostFormats.h"
#include "groups.h"

DISPATCH_AS(nibble_format_kernel, encode_format)
DISPATCH_AS(nibble_format_kernel, decode_format)
DISPATCH_AS(nibble_largest_magnitude_kernel, largest_magnitude)
DISPATCH_AS(nibble_quantize_kernel, quantize_values)
DISPATCH_AS(nibble_quantize_kernel, quantize_tiles)
DISPATCH_AS(nibble_quantize_kernel, quantize_columns)
DISPATCH_AS(nibble_gradient_kernel, gradient_values)
DISPATCH_AS(nibble_gradient_kernel, gradient_tiles)
DISPATCH_AS(nibble_gradient_kernel, gradient_columns)
