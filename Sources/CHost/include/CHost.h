// Host loops over float arrays that need the processor's vector instructions. Each is compiled for several
// instruction sets and the best is chosen when the program is loaded.
#ifndef NIBBLE_HOST_H
#define NIBBLE_HOST_H

#include <stdint.h>

#include "CHostFormats.h"
#include "CHostMixers.h"

typedef enum {
  NIBBLE_NEGATE, NIBBLE_EXP, NIBBLE_LOG, NIBBLE_LOG1P, NIBBLE_TANH, NIBBLE_ERF, NIBBLE_SQRT, NIBBLE_ABS,
  NIBBLE_ADD, NIBBLE_SUBTRACT, NIBBLE_MULTIPLY, NIBBLE_DIVIDE, NIBBLE_MAXIMUM, NIBBLE_MINIMUM, NIBBLE_LESS,
  NIBBLE_SELECT,  // a != 0 ? b : c
  NIBBLE_COPY
} nibble_function;

/// target = function(a, b, c), by numbers of registers; operands that a function does not have are 0.
typedef struct {
  nibble_function function;
  int32_t target, a, b, c;
} nibble_instruction;

/// Runs a straight line of instructions over `count` elements; each register points to as many.
void nibble_pointwise_run(const nibble_instruction *_Nonnull instructions, long length,
                          float *_Nonnull const *_Nonnull registers, long count);

/// The sum of squares, in a fixed order of additions.
double nibble_sum_of_squares(const float *_Nonnull x, long count);
/// y[i] += the sum over rows of x[row * stride + i], row after row
void nibble_add_all_rows(const float *_Nonnull x, float *_Nonnull y, long rows, long stride, long width);

/// What one row of attention scores on the host is masked by. Scores stand for keys first_key, first_key + 1, ...
typedef struct {
  float slope;                          // ALiBi: subtracts slope * |position - key|
  long position;                        // of the query
  long first_key;
  long begin, end;                      // scores begin..<end may be seen
  const int32_t *_Nullable documents;   // document of each key, NULL for none
  int document_known;                   // 0: the query has no document and sees nothing
  int32_t document;                     // of the query
  const uint8_t *_Nullable mask;        // 1 where a key may be seen, NULL for all
} nibble_attention_row;

/// A masked score.
#define NIBBLE_MASKED (-1e30f)

/// s[j] = cap * tanh(s[j] / cap)
void nibble_attention_cap(float *_Nonnull s, long count, float cap);
/// Bias and masks of one row of scores.
void nibble_attention_mask(float *_Nonnull s, long count, const nibble_attention_row *_Nonnull row);
/// The largest score, at least NIBBLE_MASKED.
float nibble_row_maximum(const float *_Nonnull s, long count);
/// s[j] = exp(s[j] - maximum), exactly 0 where masked; returns the sum.
float nibble_row_exponentials(float *_Nonnull s, long count, float maximum);
/// x[j] *= factor
void nibble_row_scale(float *_Nonnull x, long count, float factor);
/// Levels of a grid: codes from `smallest` to `largest` stand for (code + offset) times a scale.
typedef struct {
  float smallest, largest, offset;
} nibble_uniform_grid;

/// What becomes of `count` numbers with one scale.
void nibble_uniform_values(const float *_Nonnull x, float *_Nonnull y, long count, float scale,
                           const nibble_uniform_grid *_Nonnull grid);
/// Their codes.
void nibble_uniform_codes(const float *_Nonnull x, float *_Nonnull y, long count, float scale,
                          const nibble_uniform_grid *_Nonnull grid);
/// 1 where a threshold between two codes is within `radius` steps, else 0.
void nibble_uniform_near(const float *_Nonnull x, float *_Nonnull y, long count, float scale,
                         const nibble_uniform_grid *_Nonnull grid, float radius);
/// The gradient of the values, offset 0; returns that of the scale.
float nibble_uniform_gradient(const float *_Nonnull x, const float *_Nonnull dy, float *_Nonnull dx, long count,
                              float scale, const nibble_uniform_grid *_Nonnull grid);
/// sum of |x[j]|, in a fixed order
float nibble_sum_of_magnitudes(const float *_Nonnull x, long count);
/// sum of a[j] * b[j], in a fixed order
float nibble_dot(const float *_Nonnull a, const float *_Nonnull b, long count);
/// dp[j] = p[j] * (dp[j] - delta), times the soft cap's slope where `capped` scores are given
void nibble_score_gradient(float *_Nonnull dp, const float *_Nonnull p, const float *_Nullable capped, float cap,
                           float delta, long count);
/// sum of e[j] * (s[j] - maximum) over exponentials e of scores s
float nibble_row_moment(const float *_Nonnull e, const float *_Nonnull s, long count, float maximum);
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

/// Channels and taps that one block of a short causal convolution can have.
#define NIBBLE_CONVOLUTION_CHANNELS 256
#define NIBBLE_CONVOLUTION_WIDTH 16

/// Tokens first..<last and `count` channels of one sequence. Addresses are those of its first token and channel.
typedef struct {
  const float *_Nonnull x;
  const float *_Nonnull weight;         // [channels, width]
  const float *_Nullable bias;
  const float *_Nullable state;         // [channels, width - 1]: the inputs before the first token
  const int32_t *_Nullable documents;   // [time]
  long time, first, last, stride, count, width;
  int silu;
} nibble_convolution;

/// y, and with the sequence's last token final_state [channels, width - 1].
void nibble_convolution_forward(const nibble_convolution *_Nonnull block, float *_Nonnull y,
                                float *_Nonnull final_state);

/// Cotangents and gradients of a block; dweight and dbias become the sums over its tokens.
typedef struct {
  const float *_Nonnull dy;
  const float *_Nullable dfinal;
  float *_Nonnull dx;
  float *_Nonnull dweight;
  float *_Nullable dbias;
  float *_Nullable dstate;
} nibble_convolution_gradient;

void nibble_convolution_backward(const nibble_convolution *_Nonnull block,
                                 const nibble_convolution_gradient *_Nonnull gradient);

/// Rows scaled to unit length; factor [rows] is 1 / sqrt(sum x^2 + epsilon), clamped 1 / max(norm, epsilon).
void nibble_l2_forward(const float *_Nonnull x, float *_Nonnull y, float *_Nonnull factor, int clamped, float epsilon,
                       long rows, long dim);
void nibble_l2_backward(const float *_Nonnull y, const float *_Nonnull factor, const float *_Nonnull dy,
                        float *_Nonnull dx, int clamped, float epsilon, long rows, long dim);

/// RMSNorm of rows with a gate through SiLU or the sigmoid, before or after the norm.
void nibble_gated_norm_forward(const float *_Nonnull x, const float *_Nonnull gate, const float *_Nonnull weight,
                               float *_Nonnull y, float *_Nonnull rstd, int gate_first, int silu, float epsilon,
                               long rows, long dim);
/// The gradients of the same; dweight [dim] becomes the sum over these rows.
void nibble_gated_norm_backward(const float *_Nonnull x, const float *_Nonnull gate, const float *_Nonnull weight,
                                const float *_Nonnull rstd, const float *_Nonnull dy, float *_Nonnull dx,
                                float *_Nonnull dgate, float *_Nonnull dweight, int gate_first, int silu, long rows,
                                long dim);

/// Softmax of rows, and its gradient from its result.
void nibble_softmax_forward(const float *_Nonnull x, float *_Nonnull y, long rows, long dim);
void nibble_softmax_backward(const float *_Nonnull y, const float *_Nonnull dy, float *_Nonnull dx, long rows,
                             long dim);

typedef enum { NIBBLE_EXP_PLAIN, NIBBLE_EXP_SHIFTED, NIBBLE_SOFTMAX_HALVES, NIBBLE_SOFTMAX_JOINT } nibble_hedgehog;

/// Hedgehog's features z [rows, 2 dim] of y [rows, dim].
void nibble_hedgehog_forward(const float *_Nonnull y, float *_Nonnull z, nibble_hedgehog kind, long rows, long dim);
/// The gradient; scratch [dim].
void nibble_hedgehog_backward(const float *_Nonnull y, const float *_Nonnull z, const float *_Nonnull dz,
                              float *_Nonnull dy, float *_Nonnull scratch, nibble_hedgehog kind, long rows, long dim);

/// Adds the rows of dy [tokens, dim] whose id lies in first..<last to the table's rows of those ids, in the order of
/// the tokens; columns column..<column+width only.
void nibble_add_rows(const int32_t *_Nonnull ids, const float *_Nonnull dy, float *_Nonnull table, long tokens,
                     long first, long last, long dim, long column, long width);
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

/// Twelve independent chains of `rounds` multiply-adds on vectors of 8 floats, x = factor x + addend; y [8] becomes the
/// sum of all chains.
void nibble_fma_chains_8(float *_Nonnull y, long rounds, float start, float factor, float addend);
/// The same on vectors of 16 floats; y [16].
void nibble_fma_chains_16(float *_Nonnull y, long rounds, float start, float factor, float addend);

/// c = alpha op(a) op(b) + beta c on the calling thread, row-major: op(a) is m x k, op(b) k x n. An element's bits
/// depend on k alone, not on the rest of the matrix, so a product may be cut into blocks of c in any way.
void nibble_product(int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *_Nonnull a,
                    long lda, const float *_Nonnull b, long ldb, float beta, float *_Nonnull c, long ldc);

/// Whether nibble_product has a register tile for this processor (AVX2 or AVX-512); BLAS is faster without one.
int nibble_product_is_vectorized(void);

/// y[i] = the nearest BF16, ties to even; y may be x.
void nibble_round_bfloat16(const float *_Nonnull x, float *_Nonnull y, long count);
/// The upper halves of the same.
void nibble_pack_bfloat16(const float *_Nonnull x, uint16_t *_Nonnull packed, long count);
/// Rounded stochastically; `place` is the number of x[0], of which the random bits are a function.
void nibble_pack_bfloat16_by_chance(const float *_Nonnull x, uint16_t *_Nonnull packed, long count, uint32_t place,
                                    uint32_t first, uint32_t second);
/// The values of upper halves.
void nibble_widen_bfloat16(const uint16_t *_Nonnull packed, float *_Nonnull x, long count);

/// Blocks of 256 numbers as codes and a scale each; the tables are those of kernels/dynamic_blocks.cl.
void nibble_quantize_dynamic(const float *_Nonnull x, const int32_t *_Nonnull levels, const float *_Nonnull thresholds,
                             uint8_t *_Nonnull codes, float *_Nonnull scales, long count, int has_sign);
/// x[i] = map[codes[i]] * scales[i / 256]
void nibble_dequantize_dynamic(const uint8_t *_Nonnull codes, const float *_Nonnull scales, const float *_Nonnull map,
                               float *_Nonnull x, long count);

/// Processors that the scheduler may put this process on (`taskset` and the like are respected).
long nibble_usable_processors(void);

#endif
