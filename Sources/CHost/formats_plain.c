// The kernels of number formats in the instruction set that everything is compiled for.
#define VECTOR 4
#define VARIANT(name) name##_plain
#include "formats_variant.h"
