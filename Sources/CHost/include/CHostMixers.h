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

/// A kernel with its arguments in order: pointers (null for absent operands), sizes, integers, the scale.
typedef void nibble_recurrence(
    void *_Nullable const *_Nonnull pointers, const unsigned long *_Nonnull sizes, const int *_Nonnull integers,
    float scale);

nibble_recurrence *_Nonnull nibble_scalar_gate_forward(void);
nibble_recurrence *_Nonnull nibble_scalar_gate_backward(void);
nibble_recurrence *_Nonnull nibble_scalar_gate_step(void);

nibble_recurrence *_Nonnull nibble_delta_rule_forward(void);
nibble_recurrence *_Nonnull nibble_delta_rule_backward(void);
nibble_recurrence *_Nonnull nibble_delta_rule_step(void);

nibble_recurrence *_Nonnull nibble_vector_gate_forward(void);
nibble_recurrence *_Nonnull nibble_vector_gate_backward(void);
nibble_recurrence *_Nonnull nibble_vector_gate_step(void);

nibble_recurrence *_Nonnull nibble_rwkv7_forward(void);
nibble_recurrence *_Nonnull nibble_rwkv7_backward(void);
nibble_recurrence *_Nonnull nibble_rwkv7_step(void);

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
