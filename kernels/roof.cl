// roof.cl - what a device can do at most: independent chains of fused multiply-adds, a copy, an empty launch
//
// GROUP   work-items of a group: 1 on processors, 64 on graphics processors
// VECTOR  floats of one value in a chain: the native vector on processors, 1 on graphics processors

#ifndef GROUP
#define GROUP 1
#endif
#ifndef VECTOR
#define VECTOR 16
#endif

#if VECTOR == 1
typedef float vector;
#elif VECTOR == 4
typedef float4 vector;
#elif VECTOR == 8
typedef float8 vector;
#else
typedef float16 vector;
#endif

// Twelve chains hide the latency of the multiply-add and fit the registers of every device.
#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define START(i) vector x##i = (vector)(start + 0.0625f * i);
#define STEP(i) x##i = fma(x##i, factors, addends);
#define COLLECT(i) sum += x##i;

// y[item] = the sum of twelve chains of `rounds` steps x = factor x + addend. The numbers come from outside, so that
// nothing is known when the kernel is built.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void roof_fma(global float *y, const uint rounds, const float start, const float factor,
              const float addend) {
  const vector factors = (vector)(factor), addends = (vector)(addend);
  EACH_CHAIN(START)
  for (uint round = 0; round < rounds; round++) { EACH_CHAIN(STEP) }
  vector sum = (vector)(0.0f);
  EACH_CHAIN(COLLECT)
  ((global vector *)y)[get_global_id(0)] = sum;
}

// y = x for `count` values of four floats. A processor's work-item has `block` consecutive values; the items of a
// larger group read neighbours.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void roof_copy(const global float4 *restrict x, global float4 *restrict y, const ulong count, const uint block) {
  const ulong first = (ulong)get_group_id(0) * block * GROUP + get_local_id(0);
  const ulong last = min(first + (ulong)block * GROUP, count);
  for (ulong i = first; i < last; i += GROUP) y[i] = x[i];
}

// Nothing: what remains is the cost of a launch.
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void roof_empty(global float *y) {}
