// All mixers' kernels for one instruction set: included by mixers_*.c with VECTOR and VARIANT(name) defined.
#include "CHostMixers.h"
#include "mixers.h"
#include "opencl_words.h"

#define scalar_gate_forward VARIANT(scalar_gate_forward)
#define scalar_gate_backward VARIANT(scalar_gate_backward)
#define scalar_gate_step VARIANT(scalar_gate_step)
#include "../../kernels/scalar_gate.cl"

#define delta_rule_forward VARIANT(delta_rule_forward)
#define delta_rule_step VARIANT(delta_rule_step)
#define delta_rule_backward VARIANT(delta_rule_backward)
#include "../../kernels/delta_rule.cl"
#include "../../kernels/delta_rule_backward.cl"

#define vector_gate_forward VARIANT(vector_gate_forward)
#define vector_gate_backward VARIANT(vector_gate_backward)
#define vector_gate_step VARIANT(vector_gate_step)
#include "../../kernels/vector_gate.cl"
#include "../../kernels/vector_gate_backward.cl"

#define rwkv7_forward VARIANT(rwkv7_forward)
#define rwkv7_backward VARIANT(rwkv7_backward)
#define rwkv7_step VARIANT(rwkv7_step)
#include "../../kernels/rwkv7.cl"
#include "../../kernels/rwkv7_backward.cl"

#define s4d_discretize VARIANT(s4d_discretize)
#define s4d_forward VARIANT(s4d_forward)
#define s4d_backward VARIANT(s4d_backward)
#define s4d_finish VARIANT(s4d_finish)
#include "../../kernels/s4d.cl"
#include "../../kernels/s4d_backward.cl"

#define long_convolution VARIANT(long_convolution)
#define long_convolution_filter VARIANT(long_convolution_filter)
#include "../../kernels/long_convolution.cl"
