// common.cl - what every family shares: sum and maximum over a work-group
//
// Included by `#include "common.cl"`; the host pastes it in. OpenCL C 1.2 core only.

// Sum of one value per work-item, the same in every run: a tree over local memory.
// `lanes` is a power of two and the work-group's size; `scratch` holds `lanes` floats.
// Every work-item gets the sum.
float group_sum(float value, local float *scratch, uint lane, uint lanes) {
  scratch[lane] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint width = lanes / 2; width > 0; width /= 2) {
    if (lane < width) scratch[lane] += scratch[lane + width];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  float sum = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return sum;
}

// The largest of one value per work-item, likewise.
static inline float group_max(float value, local float *scratch, uint lane, uint lanes) {
  scratch[lane] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint width = lanes / 2; width > 0; width /= 2) {
    if (lane < width) scratch[lane] = fmax(scratch[lane], scratch[lane + width]);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  float largest = scratch[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return largest;
}
