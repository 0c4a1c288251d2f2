// quantize_rotation.cl - the randomized Hadamard transform of neighbours in a row or in a column
//
//   y = (x signs) H / sqrt(n), H[i][j] = (-1)^popcount(i & j), n = 16, 32, 64 or 128
//
// Sums of pairs at distance 1, 2, 4, ...: the order is the same everywhere, so the bits are.

#ifndef QUANTIZE_ROTATION_CL
#define QUANTIZE_ROTATION_CL

#include "formats.cl"

#define LARGEST_ROTATION 128

static inline float rotation_scale(const int n) {
  // The floats nearest to 1 / sqrt(n).
  return n == 16 ? 0.25f : n == 32 ? 0.17677669529663687f : n == 64 ? 0.125f : 0.08838834764831843f;
}

// Sums and differences of lanes at a distance: a lane whose number has the distance's bit gets the difference.
#if VECTOR == 16
#define NEIGHBOURS(v) (v).s1032547698badcfe
#define PAIRS(v) (v).s23016745ab89efcd
#define FOURS(v) (v).s45670123cdef89ab
#define EIGHTS(v) (v).s89abcdef01234567
#elif VECTOR == 8
#define NEIGHBOURS(v) (v).s10325476
#define PAIRS(v) (v).s23016745
#define FOURS(v) (v).s45670123
#else
#define NEIGHBOURS(v) (v).s1032
#define PAIRS(v) (v).s2301
#endif

static inline vector butterfly(const vector value, const vector partner, const int distance) {
  // The sign bit where the lane's number has the distance's.
  const int_vector flip = AS_INT_VECTOR(LANE_COUNT * (0x80000000u / (uint)distance) & 0x80000000u);
  return partner + AS_VECTOR(AS_INT_VECTOR(value) ^ flip);
}

static inline vector rotated_lanes(vector v) {
  v = butterfly(v, NEIGHBOURS(v), 1);
  v = butterfly(v, PAIRS(v), 2);
#if VECTOR >= 8
  v = butterfly(v, FOURS(v), 4);
#endif
#if VECTOR == 16
  v = butterfly(v, EIGHTS(v), 8);
#endif
  return v;
}

// n neighbours in a row.
static inline void rotate_row(const global float *x, const global float *signs, global float *y, const int n) {
  vector parts[LARGEST_ROTATION / VECTOR];
  const int count = n / VECTOR;
  for (int i = 0; i < count; i++) {
    parts[i] = rotated_lanes(LOAD_VECTOR(0, x + i * VECTOR) * LOAD_VECTOR(0, signs + i * VECTOR));
  }
  for (int distance = 1; distance < count; distance *= 2) {
    for (int i = 0; i < count; i++) {
      if (i & distance) continue;
      const vector a = parts[i], b = parts[i + distance];
      parts[i] = a + b;
      parts[i + distance] = a - b;
    }
  }
  for (int i = 0; i < count; i++) STORE_VECTOR(parts[i] * rotation_scale(n), 0, y + i * VECTOR);
}

// Sixteen rows at distances 1, 2, 4 and 8, in registers: indices are constants.
#define EACH_SIXTEEN(DO) \
  DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define PAIR(i, j)                     \
  {                                    \
    const vector a = r[i], b = r[j];   \
    r[i] = a + b;                      \
    r[j] = a - b;                      \
  }
static inline void rotate_sixteen(const global float *x, const global float *signs, vector *to, const int columns,
                                  const int count) {
  vector r[16];
#define LOAD_ROW(i) r[i] = load_some(x + (size_t)i * (size_t)columns, count) * signs[i];
  EACH_SIXTEEN(LOAD_ROW)
  PAIR(0, 1) PAIR(2, 3) PAIR(4, 5) PAIR(6, 7) PAIR(8, 9) PAIR(10, 11) PAIR(12, 13) PAIR(14, 15)
  PAIR(0, 2) PAIR(1, 3) PAIR(4, 6) PAIR(5, 7) PAIR(8, 10) PAIR(9, 11) PAIR(12, 14) PAIR(13, 15)
  PAIR(0, 4) PAIR(1, 5) PAIR(2, 6) PAIR(3, 7) PAIR(8, 12) PAIR(9, 13) PAIR(10, 14) PAIR(11, 15)
  PAIR(0, 8) PAIR(1, 9) PAIR(2, 10) PAIR(3, 11) PAIR(4, 12) PAIR(5, 13) PAIR(6, 14) PAIR(7, 15)
#define KEEP_ROW(i) to[i] = r[i];
  EACH_SIXTEEN(KEEP_ROW)
}

// n rows from x on, columns left..<right.
static inline void rotate_columns(const global float *x, const global float *signs, global float *y, const int n,
                                  const int left, const int right, const int columns) {
  vector parts[LARGEST_ROTATION];
  for (int column = left; column < right; column += VECTOR) {
    const int count = right - column;
    for (int base = 0; base < n; base += 16) {
      rotate_sixteen(x + (size_t)base * (size_t)columns + column, signs + base, parts + base, columns, count);
    }
    for (int distance = 16; distance < n; distance *= 2) {
      for (int base = 0; base < n; base += 2 * distance) {
        for (int i = base; i < base + distance; i++) {
          const vector a = parts[i], b = parts[i + distance];
          parts[i] = a + b;
          parts[i + distance] = a - b;
        }
      }
    }
    for (int i = 0; i < n; i++) {
      store_some(parts[i] * rotation_scale(n), y + (size_t)i * (size_t)columns + column, count);
    }
  }
}

#endif
