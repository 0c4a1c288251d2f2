// bfloat16.cl - the upper halves of floats, rounded and widened
//
//   round_bfloat16   x [...] -> y [...] = nearest BF16 (ties to even), packed [...] likewise; packed may be absent
//   pack_bfloat16    x [...] -> packed [...]: to nearest even, or up by chance: the bits below are added to random ones
//   widen_bfloat16   packed [...] -> x [...]
//
// Integer arithmetic on bit patterns alone, the same on every device; NaN becomes the quiet NaN of its sign. Random bits are a
// function of (first, second, i) (NumberFormats/Core/RoundingBits.swift). A processor's work-item does `block` elements,
// elsewhere every work-item one. Swift: Operations/BFloat16Storage.swift

#ifndef LANES
#define LANES 1  // work-items per group: 1 on processors
#endif

static inline uint upper_half(const uint bits, const uint noise) {
  const uint rounded = (bits + noise) >> 16;
  return (bits & 0x7FFFFFFFu) > 0x7F800000u ? (bits >> 31 << 15 | 0x7FC0u) : rounded;
}

static inline uint nearest_noise(const uint bits) { return 0x7FFFu + (bits >> 16 & 1u); }

static inline uint random_noise(const uint place, const uint first, const uint second) {
  uint x = place ^ first;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  x = ((x ^ (x >> 15)) + second) * 0x735A2D97u;
  return (x ^ (x >> 15)) >> 16;
}

#if LANES == 1
static inline uint16 upper_halves(const uint16 bits, const uint16 noise) {
  const uint16 rounded = (bits + noise) >> 16, broken = (bits >> 31 << 15) | 0x7FC0u;
  return select(rounded, broken, (bits & 0x7FFFFFFFu) > (uint16)0x7F800000u);
}

static inline uint16 nearest_noises(const uint16 bits) { return 0x7FFFu + (bits >> 16 & 1u); }

static inline uint16 random_noises(const uint place, const uint first, const uint second) {
  uint16 x = (place + (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)) ^ first;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  x = ((x ^ (x >> 15)) + second) * 0x735A2D97u;
  return (x ^ (x >> 15)) >> 16;
}
#endif

// y may be x.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void round_bfloat16(const global float *x, global float *y, global ushort *packed, const ulong total, const uint block) {
#if LANES == 1
  const ulong begin = (ulong)get_group_id(0) * block, end = min(begin + block, total);
  ulong i = begin;
  for (; i + 16 <= end; i += 16) {
    const uint16 bits = as_uint16(vload16(0, x + i));
    const uint16 upper = upper_halves(bits, nearest_noises(bits));
    vstore16(as_float16(upper << 16), 0, y + i);
    if (packed) vstore16(convert_ushort16(upper), 0, packed + i);
  }
#else
  const ulong end = min((ulong)get_global_id(0) + 1, total);
  ulong i = get_global_id(0);
#endif
  for (; i < end; i++) {
    const uint bits = as_uint(x[i]), upper = upper_half(bits, nearest_noise(bits));
    y[i] = as_float(upper << 16);
    if (packed) packed[i] = (ushort)upper;
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void pack_bfloat16(const global float *x, global ushort *packed, const ulong total, const uint by_chance, const uint first,
                   const uint second, const uint block) {
#if LANES == 1
  const ulong begin = (ulong)get_group_id(0) * block, end = min(begin + block, total);
  ulong i = begin;
  for (; i + 16 <= end; i += 16) {
    const uint16 bits = as_uint16(vload16(0, x + i));
    const uint16 noise = by_chance ? random_noises((uint)i, first, second) : nearest_noises(bits);
    vstore16(convert_ushort16(upper_halves(bits, noise)), 0, packed + i);
  }
#else
  const ulong end = min((ulong)get_global_id(0) + 1, total);
  ulong i = get_global_id(0);
#endif
  for (; i < end; i++) {
    const uint bits = as_uint(x[i]), noise = by_chance ? random_noise((uint)i, first, second) : nearest_noise(bits);
    packed[i] = (ushort)upper_half(bits, noise);
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void widen_bfloat16(const global ushort *packed, global float *x, const ulong total, const uint block) {
#if LANES == 1
  const ulong begin = (ulong)get_group_id(0) * block, end = min(begin + block, total);
  ulong i = begin;
  for (; i + 16 <= end; i += 16) {
    vstore16(as_float16(convert_uint16(vload16(0, packed + i)) << 16), 0, x + i);
  }
#else
  const ulong end = min((ulong)get_global_id(0) + 1, total);
  ulong i = get_global_id(0);
#endif
  for (; i < end; i++) x[i] = as_float((uint)packed[i] << 16);
}
