// The linear mixers' kernels in the instruction set that everything is compiled for.
#define VECTOR 4
#define VARIANT(name) name##_plain
#include "mixers_variant.h"
