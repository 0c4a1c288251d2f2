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

/// RMSNorm (without `mean`) or LayerNorm of `rows` rows; `gain` is weight + offset. `sum` = x + residual comes with
/// `residual` and is what is normalized then.
void nibble_norm_forward(const float *_Nonnull x, const float *_Nullable residual, const float *_Nonnull gain,
                         const float *_Nullable bias, float *_Nonnull y, float *_Nullable sum, float *_Nullable mean,
                         float *_Nonnull rstd, float epsilon, long rows, long dim);
/// The gradient of the same, with cotangents of `sum`, `mean` and `rstd` where they exist; `dweight` and `dbias` [dim]
/// become the sums over these rows.
void nibble_norm_backward(const float *_Nonnull x, const float *_Nullable mean, const float *_Nonnull rstd,
                          const float *_Nonnull dy, const float *_Nonnull gain, const float *_Nullable dsum,
                          const float *_Nullable dmean, const float *_Nullable drstd, float *_Nonnull dx,
                          float *_Nullable dweight, float *_Nullable dbias, long rows, long dim);

/// Rotates the first `pairs` pairs of each head of one token, by the negative angle when `direction` is -1; the
/// values behind them pass.
void nibble_rotate(const float *_Nonnull x, const float *_Nonnull cosine, const float *_Nonnull sine,
                   float *_Nonnull y, int interleaved, float direction, long heads, long dim, long pairs);

/// Adds the rows of dy [tokens, dim] whose id lies in first..<last to the table's rows of those ids, in the order of
/// the tokens; columns column..<column+width only.
void nibble_add_rows(const int32_t *_Nonnull ids, const float *_Nonnull dy, float *_Nonnull table, long tokens,
                     long first, long last, long dim, long column, long width);

#endif
