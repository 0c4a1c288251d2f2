// The kernels of number formats for processors with AVX2 and FMA.
#if defined(__x86_64__) && defined(__linux__)
#define VECTOR 8
#define VARIANT(name) name##_v3
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#include "formats_variant.h"
#pragma clang attribute pop
#endif
