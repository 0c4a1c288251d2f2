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

#endif
