// vectors.cl - the vector of VECTOR floats (4, 8 or 16) that a kernel works with, under one name
//
// Included by matmul_epilogue.cl and attention_common.cl, which say what VECTOR is. OpenCL C 1.2 core only.

#if VECTOR == 16
typedef float16 vector;
typedef int16 int_vector;
#define LOAD_VECTOR vload16
#define STORE_VECTOR vstore16
#define AS_VECTOR as_float16
#define AS_INT_VECTOR as_int16
#define CONVERT_VECTOR convert_float16
#define LANE_NUMBERS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif VECTOR == 8
typedef float8 vector;
typedef int8 int_vector;
#define LOAD_VECTOR vload8
#define STORE_VECTOR vstore8
#define AS_VECTOR as_float8
#define AS_INT_VECTOR as_int8
#define CONVERT_VECTOR convert_float8
#define LANE_NUMBERS (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#elif VECTOR == 4
typedef float4 vector;
typedef int4 int_vector;
#define LOAD_VECTOR vload4
#define STORE_VECTOR vstore4
#define AS_VECTOR as_float4
#define AS_INT_VECTOR as_int4
#define CONVERT_VECTOR convert_float4
#define LANE_NUMBERS (int4)(0, 1, 2, 3)
#else
#error "VECTOR must be 4, 8 or 16"
#endif
