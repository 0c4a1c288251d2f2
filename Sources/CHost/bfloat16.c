// The upper halves of floats: what kernels/bfloat16.cl does, in loops that compilers vectorize.
#include <string.h>

#include "CHost.h"

#include "clones.h"

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

static inline uint32_t upper_half(uint32_t bits, uint32_t noise) {
  const uint32_t rounded = (bits + noise) >> 16, broken = bits >> 31 << 15 | 0x7FC0u;
  return (bits & 0x7FFFFFFFu) > 0x7F800000u ? broken : rounded;
}

static inline uint32_t nearest_noise(uint32_t bits) { return 0x7FFFu + (bits >> 16 & 1u); }

static inline uint32_t random_noise(uint32_t place, uint32_t first, uint32_t second) {
  uint32_t x = place ^ first;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  x = ((x ^ (x >> 15)) + second) * 0x735A2D97u;
  return (x ^ (x >> 15)) >> 16;
}

VARIANTS void nibble_round_bfloat16(const float *x, float *y, long count) {
  for (long i = 0; i < count; i++) {
    const uint32_t bits = bits_of(x[i]);
    y[i] = float_of(upper_half(bits, nearest_noise(bits)) << 16);
  }
}

VARIANTS void nibble_pack_bfloat16(const float *restrict x, uint16_t *restrict packed, long count) {
  for (long i = 0; i < count; i++) {
    const uint32_t bits = bits_of(x[i]);
    packed[i] = (uint16_t)upper_half(bits, nearest_noise(bits));
  }
}

VARIANTS void nibble_pack_bfloat16_by_chance(const float *restrict x, uint16_t *restrict packed, long count,
                                             uint32_t place, uint32_t first, uint32_t second) {
  for (long i = 0; i < count; i++) {
    packed[i] = (uint16_t)upper_half(bits_of(x[i]), random_noise(place + (uint32_t)i, first, second));
  }
}

VARIANTS void nibble_widen_bfloat16(const uint16_t *restrict packed, float *restrict x, long count) {
  for (long i = 0; i < count; i++) x[i] = float_of((uint32_t)packed[i] << 16);
}
