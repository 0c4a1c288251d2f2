// The OpenCL API as Swift sees it. Cast macros are not imported, so they stand here as inline functions.
#ifndef NIBBLE_COPENCL_SHIM_H
#define NIBBLE_COPENCL_SHIM_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#endif
