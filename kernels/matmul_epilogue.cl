// matmul_epilogue.cl - what follows a matrix product, for whole and partial vectors of columns
//
//   C = activation(sums + beta * C + bias) + residual,   beta = 0 (C is not read) or 1
//
// Included by matmul.cl and matmul_tiled.cl, so that a flag means the same in both. OpenCL C 1.2 core only.

#ifndef VECTOR
#define VECTOR 4 // floats per vector: 4, 8 or 16
#endif

#include "vectors.cl"

// A whole vector of C, bias or residual. A family whose rows start at multiples of a vector says so here.
#ifndef LOAD_ROW
#define LOAD_ROW(source) LOAD_VECTOR(0, source)
#define STORE_ROW(value, target) STORE_VECTOR(value, 0, target)
#endif

// Values of `activation`.
#define ACTIVATION_NONE 0
#define ACTIVATION_RELU 1
#define ACTIVATION_RELU_SQUARED 2
#define ACTIVATION_SILU 3
#define ACTIVATION_GELU 4      // x * Phi(x) with erf
#define ACTIVATION_GELU_TANH 5 // the tanh approximation
#define ACTIVATION_SIGMOID 6

// Bits of `flags`.
#define FLAG_ACCUMULATE 1 // beta = 1: add to what C holds
#define FLAG_BIAS 2       // add bias[n] before the activation
#define FLAG_RESIDUAL 4   // add residual[m, n] after the activation

static inline vector activate(vector x, uint activation) {
  switch (activation) {
  case ACTIVATION_RELU:
    return fmax(x, (vector)(0.0f));
  case ACTIVATION_RELU_SQUARED:
    x = fmax(x, (vector)(0.0f));
    return x * x;
  case ACTIVATION_SILU:
    return x / ((vector)(1.0f) + exp(-x));
  case ACTIVATION_SIGMOID:
    return (vector)(1.0f) / ((vector)(1.0f) + exp(-x));
  case ACTIVATION_GELU:
    return (vector)(0.5f) * x * ((vector)(1.0f) + erf(x * (vector)(0.70710678118654752f)));
  case ACTIVATION_GELU_TANH:
    return (vector)(0.5f) * x
           * ((vector)(1.0f) + tanh((vector)(0.79788456080286536f) * (x + (vector)(0.044715f) * x * x * x)));
  default:
    return x;
  }
}

// The first `count` elements at `source`, the rest zero.
static inline vector load_columns(const global float *source, uint count) {
  if (count >= VECTOR) return LOAD_ROW(source);
  float part[VECTOR];
  for (uint j = 0; j < VECTOR; j++) part[j] = j < count ? source[j] : 0.0f;
  return LOAD_VECTOR(0, part);
}

static inline void store_columns(vector value, global float *target, uint count) {
  if (count >= VECTOR) {
    STORE_ROW(value, target);
    return;
  }
  float part[VECTOR];
  STORE_VECTOR(value, 0, part);
  for (uint j = 0; j < count; j++) target[j] = part[j];
}

// Finishes up to a vector of sums, `count` of them: the three pointers are at the first element; bias and
// residual are only read when their flag is set.
static inline void finish_columns(vector sums, uint count, uint flags, uint activation,
                                  const global float *bias, const global float *residual, global float *c) {
  vector value = sums;
  if (flags & FLAG_ACCUMULATE) value += load_columns(c, count);
  if (flags & FLAG_BIAS) value += load_columns(bias, count);
  if (activation != ACTIVATION_NONE) value = activate(value, activation);
  if (flags & FLAG_RESIDUAL) value += load_columns(residual, count);
  store_columns(value, c, count);
}
