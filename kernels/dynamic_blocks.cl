// dynamic_blocks.cl - numbers of eight bits on a dynamic map, blocks of 256 with a float scale (states of optimizers)
//
//   quantize_dynamic     x [count], levels, thresholds -> codes [count], scales [blocks]: a block's largest magnitude and the place of each
//                        element's share of it among the values of the map
//   dequantize_dynamic   codes, scales, map [256] -> x: x[i] = map[codes[i]] * scales[i / 256]
//
// For every upper half of a float from 2^-23 to 1 `levels` has the level (a magnitude's place) at its lower end, `thresholds` the
// one number above it from which on it is the next. Integer arithmetic, single products and comparisons: the same
// bits on every device. Swift: Operations/Quantization/DynamicBlocks.swift

#pragma OPENCL FP_CONTRACT OFF

#ifndef LANES
#define LANES 1  // work-items per block: 1 on processors
#endif

#define BLOCK 256
#define FIRST_STEP 0x3400

// The nearest float to 1 / scale from its bits, by whole numbers, since devices may divide less than exactly; 0 of zero, of
// subnormal numbers and of those from 2^126 on.
static inline float reciprocal_of(const uint bits) {
  const uint exponent = bits >> 23, mantissa = (bits & 0x7FFFFFu) | 0x800000u;
  if (exponent == 0 || exponent > 252) return 0.0f;
  if (mantissa == 0x800000u) return as_float((254 - exponent) << 23);
  const uint quotient = (uint)(((1ul << 47) + mantissa / 2) / mantissa);
  return as_float(((253 - exponent) << 23) + (quotient - 0x800000u));
}

// What codes are multiplied with: 0 where the largest magnitude is too small to divide by, NaN where it is too large.
static inline float stored_scale(const uint bits, const uint sign) {
  return bits < 0x800000u ? 0.0f : bits >> 23 > 252 ? NAN : as_float(bits | sign);
}

// The map has 1 but not -1, so the scale takes the sign of the largest magnitude; of both signs the positive one.
static inline uint sign_of_largest(const uint positive, const uint negative, const uint has_sign) {
  return has_sign && negative > positive ? 0x80000000u : 0u;
}

static inline uchar level_code(const uint bits, const float factor, const uint sign, const global int *levels,
                               const global float *thresholds, const uint has_sign) {
  const uint magnitude = bits & 0x7FFFFFFFu;
  const float product = as_float(magnitude) * factor, share = product < 1.0f ? product : 1.0f;
  const int step = max((int)(as_uint(share) >> 16) - FIRST_STEP, 0);
  const int level = levels[step] + (share > thresholds[step] ? 1 : 0);
  // Without a sign nothing but zero becomes zero: quotients by it would have no bound.
  if (!has_sign) return (uchar)(magnitude != 0 && factor != 0.0f ? max(level, 1) : 0);
  return (uchar)((bits ^ sign) >> 31 ? 127 - min(level, 127) : 127 + level);
}

// `blocks` of a processor's work-item; elsewhere every work-group does one.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void quantize_dynamic(const global float *restrict x, const global int *restrict levels,
                      const global float *restrict thresholds, global uchar *restrict codes,
                      global float *restrict scales, const ulong count, const uint has_sign, const uint blocks) {
#if LANES == 1
  const ulong begin = (ulong)get_group_id(0) * blocks * BLOCK, end = min(begin + (ulong)blocks * BLOCK, count);
  for (ulong first = begin; first < end; first += BLOCK) {
    const global float *from = x + first;
    global uchar *to = codes + first;
    const uint width = (uint)min((ulong)BLOCK, end - first);
    int positive = 0;
    uint any = 0;
    for (uint i = 0; i < width; i++) {
      positive = max(positive, as_int(from[i]));
      any = max(any, as_uint(from[i]));
    }
    const uint negative = any >> 31 ? any & 0x7FFFFFFFu : 0u, largest = max((uint)positive, negative);
    const uint sign = sign_of_largest((uint)positive, negative, has_sign);
    const float factor = reciprocal_of(largest);
    scales[first / BLOCK] = stored_scale(largest, sign);
    for (uint i = 0; i < width; i++) {
      to[i] = level_code(as_uint(from[i]), factor, sign, levels, thresholds, has_sign);
    }
  }
#else
  local int positives[LANES];
  local uint all[LANES];
  const ulong first = (ulong)get_group_id(0) * BLOCK;
  const uint lane = (uint)get_local_id(0), width = (uint)min((ulong)BLOCK, count - first);
  int mine = 0;
  uint any = 0;
  for (uint i = lane; i < width; i += LANES) {
    mine = max(mine, as_int(x[first + i]));
    any = max(any, as_uint(x[first + i]));
  }
  positives[lane] = mine;
  all[lane] = any;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint half_width = LANES / 2; half_width > 0; half_width /= 2) {
    if (lane < half_width) {
      positives[lane] = max(positives[lane], positives[lane + half_width]);
      all[lane] = max(all[lane], all[lane + half_width]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const uint positive = (uint)positives[0], negative = all[0] >> 31 ? all[0] & 0x7FFFFFFFu : 0u;
  const uint largest = max(positive, negative), sign = sign_of_largest(positive, negative, has_sign);
  const float factor = reciprocal_of(largest);
  if (lane == 0) scales[get_group_id(0)] = stored_scale(largest, sign);
  for (uint i = lane; i < width; i += LANES) {
    codes[first + i] = level_code(as_uint(x[first + i]), factor, sign, levels, thresholds, has_sign);
  }
#endif
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void dequantize_dynamic(const global uchar *restrict codes, const global float *restrict scales,
                        const global float *restrict map, global float *restrict x, const ulong count, const uint blocks) {
#if LANES == 1
  const ulong begin = (ulong)get_group_id(0) * blocks * BLOCK, end = min(begin + (ulong)blocks * BLOCK, count);
  for (ulong first = begin; first < end; first += BLOCK) {
    const global uchar *from = codes + first;
    global float *to = x + first;
    const uint width = (uint)min((ulong)BLOCK, end - first);
    const float scale = scales[first / BLOCK];
    for (uint i = 0; i < width; i++) to[i] = map[from[i]] * scale;
  }
#else
  const ulong first = (ulong)get_group_id(0) * BLOCK;
  const uint width = (uint)min((ulong)BLOCK, count - first);
  for (uint i = (uint)get_local_id(0); i < width; i += LANES) {
    x[first + i] = map[codes[first + i]] * scales[get_group_id(0)];
  }
#endif
}
