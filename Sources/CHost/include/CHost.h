// Host loops over float arrays that need the processor's vector instructions. Each is compiled for several
// instruction sets and the best is chosen when the program is loaded.
#ifndef NIBBLE_HOST_H
#define NIBBLE_HOST_H

#include <stdint.h>

typedef enum {
  NIBBLE_NEGATE, NIBBLE_EXP, NIBBLE_LOG, NIBBLE_TANH, NIBBLE_ERF, NIBBLE_SQRT, NIBBLE_ABS
} nibble_unary;

typedef enum {
  NIBBLE_ADD, NIBBLE_SUBTRACT, NIBBLE_MULTIPLY, NIBBLE_DIVIDE, NIBBLE_MAXIMUM, NIBBLE_MINIMUM, NIBBLE_LESS
} nibble_binary;

/// y[i] = function(x[i])
void nibble_vector_unary(nibble_unary function, float *_Nonnull y, const float *_Nonnull x, long count);
/// y[i] = function(a[i], b[i])
void nibble_vector_binary(nibble_binary function, float *_Nonnull y, const float *_Nonnull a,
                          const float *_Nonnull b, long count);
/// y[i] = condition[i] != 0 ? a[i] : b[i]
void nibble_vector_select(float *_Nonnull y, const float *_Nonnull condition, const float *_Nonnull a,
                          const float *_Nonnull b, long count);

/// The sum of squares, in a fixed order of additions.
double nibble_sum_of_squares(const float *_Nonnull x, long count);

/// What the softmax of a row needs. With a cap, l = cap * tanh(x / cap), else l = x.
typedef struct {
  float maximum;  // of l
  float sum;      // of exp(l - maximum)
  float shifted;  // sum of l - maximum
} nibble_row_statistics;

nibble_row_statistics nibble_softmax_statistics(const float *_Nonnull x, long count, float cap);
/// d[i] = (factor * exp(l[i] - maximum) - uniform) * dl/dx[i]; d may be x
void nibble_cross_entropy_gradient(float *_Nonnull d, const float *_Nonnull x, long count, float cap,
                                   float maximum, float factor, float uniform);

#endif
