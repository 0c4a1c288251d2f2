// dropout.cl - elements become zero by chance, the others grow by as much
//
//   dropout   x [...] -> y [...]: y[i] = bits(i) < threshold ? 0 : x[i] * factor
//
// The bits are a function of (first, second, i) alone (NumberFormats/Core/RoundingBits.swift), so that the backward makes the
// same mask again. A processor's work-item does `block` elements, elsewhere every work-item one.
// Swift: Operations/Dropout.swift

#ifndef LANES
#define LANES 1  // work-items per group: 1 on processors
#endif

#if LANES == 1
static inline uint8 random_bits8(const uint place, const uint first, const uint second) {
  uint8 x = (place + (uint8)(0, 1, 2, 3, 4, 5, 6, 7)) ^ first;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  x = ((x ^ (x >> 15)) + second) * 0x735A2D97u;
  return x ^ (x >> 15);
}
#endif

static inline uint random_bits(const uint place, const uint first, const uint second) {
  uint x = place ^ first;
  x = (x ^ (x >> 16)) * 0x21F0AAADu;
  x = ((x ^ (x >> 15)) + second) * 0x735A2D97u;
  return x ^ (x >> 15);
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void dropout(const global float *restrict x, global float *restrict y, const ulong total, const uint first,
             const uint second, const uint threshold, const float factor, const uint block) {
#if LANES == 1
  const ulong begin = (ulong)get_group_id(0) * block, end = min(begin + block, total);
  ulong i = begin;
  for (; i + 8 <= end; i += 8) {
    const int8 dropped = random_bits8((uint)i, first, second) < (uint8)threshold;
    vstore8(select(vload8(0, x + i) * factor, (float8)0.0f, dropped), 0, y + i);
  }
  for (; i < end; i++) y[i] = random_bits((uint)i, first, second) < threshold ? 0.0f : x[i] * factor;
#else
  const ulong i = (ulong)get_global_id(0);
  if (i < total) y[i] = random_bits((uint)i, first, second) < threshold ? 0.0f : x[i] * factor;
#endif
}
