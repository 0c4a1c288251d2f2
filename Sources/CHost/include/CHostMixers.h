/// The linear mixers' kernels (kernels/scalar_gate.cl and its relatives) on the host: the same text, compiled for
/// several instruction sets.
///
/// A kernel is one work-group; `nibble_select_group` says which one the calling thread runs next.
#ifndef NIBBLE_CHOST_MIXERS_H
#define NIBBLE_CHOST_MIXERS_H

#include <stdint.h>

/// Floats per vector of the kernels that this processor runs: sizes of scratch memory depend on it.
int nibble_mixer_vector(void);
/// The work-group that the kernels called by this thread run.
void nibble_select_group(unsigned long group);

typedef void nibble_scalar_gate_forward_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nullable gates,
    const int *_Nullable documents, const float *_Nullable initial, float *_Nonnull output, float *_Nonnull final_state,
    float *_Nonnull scratch, unsigned long scratch_size, int time, int heads, int key_heads, int width,
    int value_width, int group_heads, int gates_by_token, float scale);
nibble_scalar_gate_forward_kernel *_Nonnull nibble_scalar_gate_forward(void);

typedef void nibble_scalar_gate_backward_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nullable gates,
    const int *_Nullable documents, const float *_Nullable initial, const float *_Nonnull output_gradient,
    const float *_Nullable final_gradient, float *_Nonnull query_gradient, float *_Nonnull key_gradient,
    float *_Nonnull value_gradient, float *_Nullable gate_gradient, float *_Nullable initial_gradient,
    float *_Nonnull scratch, unsigned long scratch_size, float *_Nonnull states, unsigned long states_size, int time,
    int heads, int key_heads, int width, int value_width, int group_heads, int gates_by_token, float scale);
nibble_scalar_gate_backward_kernel *_Nonnull nibble_scalar_gate_backward(void);

typedef void nibble_scalar_gate_step_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nullable gates,
    const int *_Nullable documents, const float *_Nullable initial, float *_Nonnull output, float *_Nonnull final_state,
    int batch, int time, int heads, int key_heads, int width, int value_width, int gates_by_token, float scale);
nibble_scalar_gate_step_kernel *_Nonnull nibble_scalar_gate_step(void);

typedef void nibble_delta_rule_forward_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nonnull betas,
    const float *_Nullable gates, const int *_Nullable documents, const float *_Nullable initial,
    float *_Nonnull output, float *_Nonnull final_state, float *_Nonnull scratch, unsigned long scratch_size, int time,
    int heads, int key_heads, int width, int value_width, int group_heads, float scale);
nibble_delta_rule_forward_kernel *_Nonnull nibble_delta_rule_forward(void);

typedef void nibble_delta_rule_backward_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nonnull betas,
    const float *_Nullable gates, const int *_Nullable documents, const float *_Nullable initial,
    const float *_Nonnull output_gradient, const float *_Nullable final_gradient, float *_Nonnull query_gradient,
    float *_Nonnull key_gradient, float *_Nonnull value_gradient, float *_Nonnull beta_gradient,
    float *_Nullable gate_gradient, float *_Nullable initial_gradient, float *_Nonnull scratch,
    unsigned long scratch_size, float *_Nonnull states, unsigned long states_size, int time, int heads, int key_heads,
    int width, int value_width, int group_heads, float scale);
nibble_delta_rule_backward_kernel *_Nonnull nibble_delta_rule_backward(void);

typedef void nibble_delta_rule_step_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nonnull betas,
    const float *_Nullable gates, const int *_Nullable documents, const float *_Nullable initial,
    float *_Nonnull output, float *_Nonnull final_state, int time, int heads, int key_heads, int width,
    int value_width, float scale);
nibble_delta_rule_step_kernel *_Nonnull nibble_delta_rule_step(void);
typedef void nibble_vector_gate_forward_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nonnull gates,
    const int *_Nullable documents, const float *_Nullable initial, float *_Nonnull output, float *_Nonnull final_state,
    float *_Nonnull scratch, unsigned long scratch_size, int time, int heads, int width, int value_width,
    int group_heads, float scale);
nibble_vector_gate_forward_kernel *_Nonnull nibble_vector_gate_forward(void);

typedef void nibble_vector_gate_backward_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nonnull gates,
    const int *_Nullable documents, const float *_Nullable initial, const float *_Nonnull output_gradient,
    const float *_Nullable final_gradient, float *_Nonnull query_gradient, float *_Nonnull key_gradient,
    float *_Nonnull value_gradient, float *_Nonnull gate_gradient, float *_Nullable initial_gradient,
    float *_Nonnull scratch, unsigned long scratch_size, float *_Nonnull states, unsigned long states_size, int time,
    int heads, int width, int value_width, int group_heads, float scale);
nibble_vector_gate_backward_kernel *_Nonnull nibble_vector_gate_backward(void);

typedef void nibble_vector_gate_step_kernel(
    const float *_Nonnull query, const float *_Nonnull key, const float *_Nonnull value, const float *_Nonnull gates,
    const int *_Nullable documents, const float *_Nullable initial, float *_Nonnull output, float *_Nonnull final_state,
    int time, int heads, int width, int value_width, float scale);
nibble_vector_gate_step_kernel *_Nonnull nibble_vector_gate_step(void);

typedef void nibble_rwkv7_forward_kernel(
    const float *_Nonnull receptance, const float *_Nonnull decay, const float *_Nonnull key,
    const float *_Nonnull removal, const float *_Nonnull replacement, const float *_Nonnull value,
    const int *_Nullable documents, const float *_Nullable initial, float *_Nonnull output, float *_Nonnull final_state,
    float *_Nonnull scratch, unsigned long scratch_size, int time, int heads, int width, int value_width,
    int group_heads, float scale);
nibble_rwkv7_forward_kernel *_Nonnull nibble_rwkv7_forward(void);

typedef void nibble_rwkv7_backward_kernel(
    const float *_Nonnull receptance, const float *_Nonnull decay, const float *_Nonnull key,
    const float *_Nonnull removal, const float *_Nonnull replacement, const float *_Nonnull value,
    const int *_Nullable documents, const float *_Nullable initial, const float *_Nonnull output_gradient,
    const float *_Nullable final_gradient, float *_Nonnull receptance_gradient, float *_Nonnull decay_gradient,
    float *_Nonnull key_gradient, float *_Nonnull removal_gradient, float *_Nonnull replacement_gradient,
    float *_Nonnull value_gradient, float *_Nullable initial_gradient, float *_Nonnull scratch,
    unsigned long scratch_size, float *_Nonnull states, unsigned long states_size, float *_Nonnull kept_y, int time,
    int heads, int width, int value_width, int group_heads, float scale);
nibble_rwkv7_backward_kernel *_Nonnull nibble_rwkv7_backward(void);

typedef void nibble_rwkv7_step_kernel(
    const float *_Nonnull receptance, const float *_Nonnull decay, const float *_Nonnull key,
    const float *_Nonnull removal, const float *_Nonnull replacement, const float *_Nonnull value,
    const int *_Nullable documents, const float *_Nullable initial, float *_Nonnull output, float *_Nonnull final_state,
    int time, int heads, int width, int value_width, float scale);
nibble_rwkv7_step_kernel *_Nonnull nibble_rwkv7_step(void);

/// The kernels of s4d*.cl and long_convolution.cl work on as many channels side by side as a vector has floats.
typedef void nibble_s4d_discretize_kernel(
    const float *_Nonnull log_dt, const float *_Nonnull log_a_real, const float *_Nonnull a_imag,
    const float *_Nonnull c_real, const float *_Nonnull c_imag, float *_Nonnull system, int channels, int states);
nibble_s4d_discretize_kernel *_Nonnull nibble_s4d_discretize(void);

typedef void nibble_s4d_forward_kernel(
    const float *_Nonnull u, const int *_Nullable documents, const float *_Nonnull system, const float *_Nonnull d,
    const float *_Nullable initial_real, const float *_Nullable initial_imag, float *_Nonnull y,
    float *_Nonnull final_real, float *_Nonnull final_imag, float *_Nonnull scratch, int time, int channels, int states);
nibble_s4d_forward_kernel *_Nonnull nibble_s4d_forward(void);

typedef void nibble_s4d_backward_kernel(
    const float *_Nonnull u, const int *_Nullable documents, const float *_Nonnull system, const float *_Nonnull d,
    const float *_Nullable initial_real, const float *_Nullable initial_imag, const float *_Nonnull dy,
    const float *_Nullable dfinal_real, const float *_Nullable dfinal_imag, float *_Nonnull du,
    float *_Nullable dinitial_real, float *_Nullable dinitial_imag, float *_Nonnull sums, float *_Nonnull scratch,
    int time, int channels, int states);
nibble_s4d_backward_kernel *_Nonnull nibble_s4d_backward(void);

typedef void nibble_s4d_finish_kernel(
    const float *_Nonnull log_dt, const float *_Nonnull log_a_real, const float *_Nonnull a_imag,
    const float *_Nonnull system, const float *_Nonnull sums, float *_Nonnull dlog_dt, float *_Nonnull dlog_a_real,
    float *_Nonnull da_imag, float *_Nonnull dc_real, float *_Nonnull dc_imag, float *_Nonnull dd, int batch,
    int channels, int states);
nibble_s4d_finish_kernel *_Nonnull nibble_s4d_finish(void);

typedef void nibble_long_convolution_kernel(
    const float *_Nonnull x, const float *_Nonnull filter, float *_Nonnull y, int time, int channels, int block,
    int reversed);
nibble_long_convolution_kernel *_Nonnull nibble_long_convolution(void);

typedef void nibble_long_convolution_filter_kernel(
    const float *_Nonnull x, const float *_Nonnull dy, float *_Nonnull dfilter, int batch, int time, int channels,
    int block);
nibble_long_convolution_filter_kernel *_Nonnull nibble_long_convolution_filter(void);

#endif
