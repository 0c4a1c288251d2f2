// What kernels compiled as C share: the work-group that the calling thread runs, and how a variant is chosen.
#ifndef NIBBLE_GROUPS_H
#define NIBBLE_GROUPS_H

extern _Thread_local unsigned long nibble_group;

#if defined(__x86_64__) && defined(__linux__)
// 4: AVX-512, 3: AVX2 and FMA.
static inline int nibble_level(void) {
  return __builtin_cpu_supports("x86-64-v4") ? 4 : __builtin_cpu_supports("x86-64-v3") ? 3 : 0;
}
#define DISPATCH_AS(type, name) \
  extern type name##_v4, name##_v3, name##_plain; \
  type *nibble_##name(void) { \
    return nibble_level() == 4 ? name##_v4 : nibble_level() == 3 ? name##_v3 : name##_plain; \
  }
#else
static inline int nibble_level(void) { return 0; }
#define DISPATCH_AS(type, name) \
  extern type name##_plain; \
  type *nibble_##name(void) { return name##_plain; }
#endif

#endif
