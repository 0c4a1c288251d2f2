// The kernels of number formats for processors with AVX-512. Not `arch=x86-64-v4`, which prefers vectors of half the width.
#if defined(__x86_64__) && defined(__linux__)
#define VECTOR 16
#define VARIANT(name) name##_v4
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,fma,bmi,bmi2"))), apply_to = function)
#include "formats_variant.h"
#pragma clang attribute pop
#endif
