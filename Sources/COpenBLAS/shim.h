// OpenBLAS: the C interface of BLAS and the library's own thread control.
#ifndef NIBBLE_COPENBLAS_SHIM_H
#define NIBBLE_COPENBLAS_SHIM_H

#include <cblas.h>

#endif
