// All mixers' kernels for one instruction set: included by mixers_*.c with VECTOR and VARIANT(name) defined.
#include "CHostMixers.h"
#include "groups.h"
#include "opencl_words.h"

#include "../../kernels/scalar_gate.cl"
#include "../../kernels/scalar_gate_backward.cl"

#include "../../kernels/delta_rule.cl"
#include "../../kernels/delta_rule_backward.cl"

#include "../../kernels/vector_gate.cl"
#include "../../kernels/vector_gate_backward.cl"

#include "../../kernels/rwkv7.cl"
#include "../../kernels/rwkv7_backward.cl"

// The following are called as they are, under the variant's name.
#undef kernel
#define kernel
#define s4d_discretize VARIANT(s4d_discretize)
#define s4d_forward VARIANT(s4d_forward)
#define s4d_backward VARIANT(s4d_backward)
#define s4d_finish VARIANT(s4d_finish)
#include "../../kernels/s4d.cl"
#include "../../kernels/s4d_backward.cl"

#define long_convolution VARIANT(long_convolution)
#define long_convolution_filter VARIANT(long_convolution_filter)
#include "../../kernels/long_convolution.cl"

// The first arguments of a kind: so many pointers p, sizes s and integers i.
#define P8 p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
#define P9 P8, p[8]
#define P10 P9, p[9]
#define P11 P10, p[10]
#define P15 P11, p[11], p[12], p[13], p[14]
#define P17 P15, p[15], p[16]
#define P19 P17, p[17], p[18]
#define S0
#define S1 s[0],
#define S2 s[0], s[1],
#define I4 i[0], i[1], i[2], i[3]
#define I5 I4, i[4]
#define I6 I5, i[5]
#define I7 I6, i[6]

#define RECURRENCE(name, pointers, sizes, integers) \
  void VARIANT(name)(void *const *p, const unsigned long *s, const int *i, float scale) { \
    name(pointers, sizes integers, scale); \
  }

RECURRENCE(scalar_gate_forward, P9, S1, I7)
RECURRENCE(scalar_gate_step, P8, S0, I6)
RECURRENCE(scalar_gate_backward, P15, S2, I7)
RECURRENCE(delta_rule_forward, P10, S1, I6)
RECURRENCE(delta_rule_step, P9, S0, I5)
RECURRENCE(delta_rule_backward, P17, S2, I6)
RECURRENCE(vector_gate_forward, P9, S1, I5)
RECURRENCE(vector_gate_step, P8, S0, I4)
RECURRENCE(vector_gate_backward, P15, S2, I5)
RECURRENCE(rwkv7_forward, P11, S1, I5)
RECURRENCE(rwkv7_step, P10, S0, I4)
RECURRENCE(rwkv7_backward, P19, S2, I5)
