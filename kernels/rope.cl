// rope.cl - rotary position embedding; its gradient is the rotation by the negative angle
//
//   rope   x [tokens, heads, dim], cosine, sine [table_rows, pairs], positions [tokens] or null  -> y like x
//
//   (a, b) -> (a cos - b sin, b cos + a sin) with direction 1, by the negative angle with direction -1
//   half:        a = x[m], b = x[m + pairs];   interleaved:  a = x[2 m], b = x[2 m + 1];   0 <= m < pairs
//   The values from 2 pairs on pass. position = offset + (positions[token], or the token's place in its sequence).
//
// A position outside the table gives NaN: neither a read out of bounds nor a plausible result.
// Paper: Su et al. 2021.   Swift: Operations/RoPE.swift

#ifndef LANES
#define LANES 1  // work-items per group: 1 on processors
#endif

static inline long position_of(const global int *positions, const uint token, const uint time, const uint offset) {
  return (long)offset + (positions ? (long)positions[token] : (long)(token % time));
}

#if LANES == 1

// One work-item per `block` heads.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void rope(const global float *restrict x, const global float *restrict cosine, const global float *restrict sine,
          const global int *restrict positions, global float *restrict y, const uint tokens, const uint heads,
          const uint dim, const uint pairs, const uint time, const uint offset, const uint table_rows,
          const uint interleaved, const float direction, const uint block) {
  const ulong units = (ulong)tokens * heads;
  const ulong first = (ulong)get_global_id(0) * block, last = min(first + block, units);
  for (ulong unit = first; unit < last; unit++) {
    const uint token = (uint)(unit / heads);
    const long position = position_of(positions, token, time, offset);
    const global float *from = x + unit * dim;
    global float *to = y + unit * dim;
    for (uint i = 2 * pairs; i < dim; i++) to[i] = from[i];
    if (position < 0 || position >= (long)table_rows) {
      for (uint i = 0; i < 2 * pairs; i++) to[i] = NAN;
      continue;
    }
    const global float *c = cosine + (size_t)position * pairs, *s = sine + (size_t)position * pairs;
    uint m = 0;
    if (interleaved) {
      for (; m + 8 <= pairs; m += 8) {
        const float16 v = vload16(0, from + 2 * m);
        const float8 a = v.even, b = v.odd, cm = vload8(0, c + m), sm = vload8(0, s + m) * direction;
        float16 rotated;
        rotated.even = a * cm - b * sm;
        rotated.odd = b * cm + a * sm;
        vstore16(rotated, 0, to + 2 * m);
      }
      for (; m < pairs; m++) {
        const float a = from[2 * m], b = from[2 * m + 1], sm = s[m] * direction;
        to[2 * m] = a * c[m] - b * sm;
        to[2 * m + 1] = b * c[m] + a * sm;
      }
    } else {
      for (; m + 8 <= pairs; m += 8) {
        const float8 a = vload8(0, from + m), b = vload8(0, from + pairs + m);
        const float8 cm = vload8(0, c + m), sm = vload8(0, s + m) * direction;
        vstore8(a * cm - b * sm, 0, to + m);
        vstore8(b * cm + a * sm, 0, to + pairs + m);
      }
      for (; m < pairs; m++) {
        const float a = from[m], b = from[pairs + m], sm = s[m] * direction;
        to[m] = a * c[m] - b * sm;
        to[pairs + m] = b * c[m] + a * sm;
      }
    }
  }
}

#else

// One work-item per pair, or per value that passes, so that neighbours take neighbours; one head has dim - pairs of
// them. `block` is not used: every work-item has one.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void rope(const global float *restrict x, const global float *restrict cosine, const global float *restrict sine,
          const global int *restrict positions, global float *restrict y, const uint tokens, const uint heads,
          const uint dim, const uint pairs, const uint time, const uint offset, const uint table_rows,
          const uint interleaved, const float direction, const uint block) {
  const uint slots = dim - pairs;
  const uint place = (uint)get_global_id(0), token = (uint)get_group_id(1);
  if (place >= heads * slots) return;
  const uint head = place / slots, m = place % slots;
  const size_t start = ((size_t)token * heads + head) * dim;
  if (m >= pairs) {
    y[start + pairs + m] = x[start + pairs + m];
    return;
  }
  const size_t first = start + (interleaved ? 2 * m : m), second = interleaved ? first + 1 : first + pairs;
  const long position = position_of(positions, token, time, offset);
  const bool is_inside = position >= 0 && position < (long)table_rows;
  const size_t entry = is_inside ? (size_t)position * pairs + m : 0;
  const float c = is_inside ? cosine[entry] : NAN, s = is_inside ? sine[entry] * direction : NAN;
  const float a = x[first], b = x[second];
  y[first] = a * c - b * s;
  y[second] = b * c + a * s;
}

#endif
