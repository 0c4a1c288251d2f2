// The words of OpenCL C in which kernels/chunk.cl and the kernels on top of it are written, for a C compiler with
// vector extensions: the host runs the same text, one work-item per work-group.
#ifndef NIBBLE_OPENCL_WORDS_H
#define NIBBLE_OPENCL_WORDS_H

#include <math.h>
#include <stddef.h>

#include <string.h>

#define HOST_C
#define global
#define kernel static
#define constant static const
#define WORK_GROUP
#define get_group_id(dimension) nibble_group
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define exp(x) expf(x)
#define expm1(x) expm1f(x)
#define sin(x) sinf(x)

typedef unsigned long ulong;
typedef unsigned int uint;

#define VECTORS(count) \
  typedef float float##count __attribute__((ext_vector_type(count))); \
  typedef int int##count __attribute__((ext_vector_type(count))); \
  typedef unsigned uint##count __attribute__((ext_vector_type(count))); \
  typedef float loose##count __attribute__((ext_vector_type(count), aligned(4)));
VECTORS(4)
VECTORS(8)
VECTORS(16)

#define vload4(index, p) (*(const loose4 *)(p))
#define vload8(index, p) (*(const loose8 *)(p))
#define vload16(index, p) (*(const loose16 *)(p))
#define vstore4(value, index, p) (*(loose4 *)(p) = (value))
#define vstore8(value, index, p) (*(loose8 *)(p) = (value))
#define vstore16(value, index, p) (*(loose16 *)(p) = (value))
#define as_int4(x) ((int4)(x))
#define as_int8(x) ((int8)(x))
#define as_int16(x) ((int16)(x))
#define as_uint4(x) ((uint4)(x))
#define as_uint8(x) ((uint8)(x))
#define as_uint16(x) ((uint16)(x))
#define as_float4(x) ((float4)(x))
#define as_float8(x) ((float8)(x))
#define as_float16(x) ((float16)(x))
#define convert_float4(x) __builtin_convertvector(x, float4)
#define convert_float8(x) __builtin_convertvector(x, float8)
#define convert_float16(x) __builtin_convertvector(x, float16)
#define convert_int4(x) __builtin_convertvector(x, int4)
#define convert_int8(x) __builtin_convertvector(x, int8)
#define convert_int16(x) __builtin_convertvector(x, int16)
#define SMALLER(a, b) __builtin_elementwise_min(a, b)
#define LARGER(a, b) __builtin_elementwise_max(a, b)
#define FLOAT4(a, b, c, d) ((float4){a, b, c, d})
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define SELECT(no, yes, condition) AS_FLOATS(((condition) & AS_INTEGERS(yes)) | (~(condition) & AS_INTEGERS(no)))

static inline float as_float(unsigned bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline int as_int(float value) {
  int bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

#endif
