// Blocks of 256 numbers on a dynamic map: what kernels/dynamic_blocks.cl does.
#include <math.h>
#include <string.h>

#include "CHost.h"

#include "clones.h"

enum { block_size = 256, first_step = 0x3400 };

static inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

VARIANTS void nibble_quantize_dynamic(const float *restrict x, const int32_t *restrict levels, const float *restrict thresholds,
                                      uint8_t *restrict codes, float *restrict scales, long count, int has_sign) {
  for (long first = 0; first < count; first += block_size) {
    const float *restrict from = x + first;
    uint8_t *restrict to = codes + first;
    const long width = count - first < block_size ? count - first : block_size;
    int32_t positive = 0;
    uint32_t any = 0;
    for (long i = 0; i < width; i++) {
      const uint32_t bits = bits_of(from[i]);
      positive = (int32_t)bits > positive ? (int32_t)bits : positive;
      any = bits > any ? bits : any;
    }
    // The map has 1 but not -1, so the scale takes the sign of the largest magnitude; of both signs the positive one.
    const uint32_t negative = any >> 31 ? any & 0x7FFFFFFFu : 0;
    const uint32_t largest = negative > (uint32_t)positive ? negative : (uint32_t)positive;
    const uint32_t sign = has_sign && negative > (uint32_t)positive ? 0x80000000u : 0;
    const uint32_t exponent = largest >> 23;
    const float factor = exponent == 0 || exponent > 252 ? 0.0f : 1.0f / float_of(largest);
    scales[first / block_size] = exponent == 0 ? 0.0f : exponent > 252 ? NAN : float_of(largest | sign);
    for (long i = 0; i < width; i++) {
      const uint32_t bits = bits_of(from[i]), magnitude = bits & 0x7FFFFFFFu;
      const float product = float_of(magnitude) * factor, share = product < 1.0f ? product : 1.0f;
      const int32_t place = (int32_t)(bits_of(share) >> 16) - first_step, step = place > 0 ? place : 0;
      const int32_t level = levels[step] + (share > thresholds[step] ? 1 : 0);
      const int32_t least = magnitude != 0 && factor != 0.0f ? 1 : 0;
      const int32_t above = (bits ^ sign) >> 31 ? 127 - (level < 127 ? level : 127) : 127 + level;
      to[i] = (uint8_t)(has_sign ? above : level > least ? level : least);
    }
  }
}

VARIANTS void nibble_dequantize_dynamic(const uint8_t *restrict codes, const float *restrict scales,
                                        const float *restrict map, float *restrict x, long count) {
  for (long first = 0; first < count; first += block_size) {
    const long width = count - first < block_size ? count - first : block_size;
    const float scale = scales[first / block_size];
    for (long i = 0; i < width; i++) x[first + i] = map[codes[first + i]] * scale;
  }
}
