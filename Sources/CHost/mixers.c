// Chooses the linear mixers' kernels for this processor.
#include "CHostMixers.h"
#include "groups.h"

_Thread_local unsigned long nibble_group;

void nibble_select_group(unsigned long group) { nibble_group = group; }

int nibble_mixer_vector(void) { return nibble_level() == 4 ? 16 : nibble_level() == 3 ? 8 : 4; }

#define DISPATCH(name) DISPATCH_AS(nibble_recurrence, name)

DISPATCH(scalar_gate_forward)
DISPATCH(scalar_gate_backward)
DISPATCH(scalar_gate_step)
DISPATCH(delta_rule_forward)
DISPATCH(delta_rule_backward)
DISPATCH(delta_rule_step)
DISPATCH(vector_gate_forward)
DISPATCH(vector_gate_backward)
DISPATCH(vector_gate_step)
DISPATCH(rwkv7_forward)
DISPATCH(rwkv7_backward)
DISPATCH(rwkv7_step)
DISPATCH_AS(nibble_s4d_discretize_kernel, s4d_discretize)
DISPATCH_AS(nibble_s4d_forward_kernel, s4d_forward)
DISPATCH_AS(nibble_s4d_backward_kernel, s4d_backward)
DISPATCH_AS(nibble_s4d_finish_kernel, s4d_finish)
DISPATCH_AS(nibble_long_convolution_kernel, long_convolution)
DISPATCH_AS(nibble_long_convolution_filter_kernel, long_convolution_filter)
