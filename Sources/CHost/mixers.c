// Chooses the linear mixers' kernels for this processor.
#include "CHostMixers.h"
#include "mixers.h"

_Thread_local unsigned long nibble_group;

void nibble_select_group(unsigned long group) { nibble_group = group; }

#if defined(__x86_64__) && defined(__linux__)
static int level(void) {
  return __builtin_cpu_supports("x86-64-v4") ? 4 : __builtin_cpu_supports("x86-64-v3") ? 3 : 0;
}
#define DISPATCH(name) \
  extern nibble_recurrence name##_v4, name##_v3, name##_plain; \
  nibble_recurrence *nibble_##name(void) { \
    return level() == 4 ? name##_v4 : level() == 3 ? name##_v3 : name##_plain; \
  }
int nibble_mixer_vector(void) { return level() == 4 ? 16 : level() == 3 ? 8 : 4; }
#else
#define DISPATCH(name) \
  extern nibble_recurrence name##_plain; \
  nibble_recurrence *nibble_##name(void) { return name##_plain; }
int nibble_mixer_vector(void) { return 4; }
#endif

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
