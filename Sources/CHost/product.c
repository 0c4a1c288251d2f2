// Matrix products on one thread: operands packed into panels, a register tile per instruction set.
#include <string.h>

#include "CHost.h"
#include "scratch.h"

#define JOINED(A, B) A##B
#define EXPANDED(A, B) JOINED(A, B)
#define VECTOR(WIDTH) EXPANDED(vector_of_, WIDTH)

#if defined(__x86_64__) && defined(__linux__)
#define NAME tile_v4
#define LANES 16
#define TILE_ROWS 12
#define TARGET __attribute__((target("arch=x86-64-v4"), min_vector_width(512)))
#include "product_tile.h"
#define NAME tile_v3
#define LANES 8
#define TILE_ROWS 6
#define TARGET __attribute__((target("arch=x86-64-v3")))
#include "product_tile.h"
#endif
#define NAME tile_plain
#define LANES 4
#define TILE_ROWS 8
#define TARGET
#include "product_tile.h"

typedef struct {
  long rows, columns;
  void (*run)(long k, const float *a, const float *b, float *c, long ldc, float alpha, float beta);
} tile_kernel;

int nibble_product_is_vectorized(void) {
#if defined(__x86_64__) && defined(__linux__)
  return __builtin_cpu_supports("x86-64-v3") != 0;
#else
  return 0;
#endif
}

static tile_kernel best_tile(void) {
#if defined(__x86_64__) && defined(__linux__)
  if (__builtin_cpu_supports("x86-64-v4")) return (tile_kernel){12, 32, tile_v4};
  if (__builtin_cpu_supports("x86-64-v3")) return (tile_kernel){6, 16, tile_v3};
#endif
  return (tile_kernel){8, 8, tile_plain};
}

#define LARGEST_TILE (12 * 32)

// Values of k per panel: a panel of b (32 columns) fills the first-level cache, a block of a the second.
#define DEPTH 256

typedef float quad __attribute__((vector_size(16), aligned(4)));

static inline __attribute__((always_inline)) void copy_columns(float *target, const float *source, long stride,
                                                               long width, long k) {
  for (long i = 0; i < k; i++) memcpy(target + i * width, source + i * stride, (size_t)width * sizeof(float));
}

// target[k][width] from a source whose values stand side by side along the panel. The widths of whole panels are
// constants here, so that a copy is some vector moves and no call.
static void pack_columns(float *target, const float *source, long stride, long count, long width, long k) {
  if (count == 32) return copy_columns(target, source, stride, 32, k);
  if (count == 16 && width == 16) return copy_columns(target, source, stride, 16, k);
  if (count == 12 && width == 12) return copy_columns(target, source, stride, 12, k);
  if (count == 6 && width == 6) return copy_columns(target, source, stride, 6, k);
  for (long i = 0; i < k; i++, target += width, source += stride)
    for (long j = 0; j < width; j++) target[j] = j < count ? source[j] : 0;
}

// target[k][width] from a source whose values stand side by side along k, transposed in blocks of 4 x 4.
static void pack_rows(float *target, const float *source, long stride, long count, long width, long k) {
  for (long j = 0; j < width; j += 4) {
    const float *s = source + j * stride;
    float *t = target + j;
    long i = 0;
    if (j + 4 <= count)
      for (; i + 4 <= k; i += 4) {
        const quad a = *(const quad *)(s + i), b = *(const quad *)(s + stride + i);
        const quad c = *(const quad *)(s + 2 * stride + i), d = *(const quad *)(s + 3 * stride + i);
        const quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
        const quad ef = __builtin_shufflevector(a, b, 2, 6, 3, 7), gh = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        *(quad *)(t + i * width) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
        *(quad *)(t + (i + 1) * width) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
        *(quad *)(t + (i + 2) * width) = __builtin_shufflevector(ef, gh, 0, 1, 4, 5);
        *(quad *)(t + (i + 3) * width) = __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
      }
    for (; i < k; i++)
      for (long lane = 0; lane < 4 && j + lane < width; lane++)
        t[i * width + lane] = j + lane < count ? s[lane * stride + i] : 0;
  }
}

// All panels of an operand: `count` rows or columns from `source`, k values of each.
static void pack(float *target, const float *source, long stride, int along_k, long count, long width, long k) {
  for (long first = 0; first < count; first += width, target += width * k) {
    const long part = count - first < width ? count - first : width;
    if (along_k) pack_rows(target, source + first * stride, stride, part, width, k);
    else pack_columns(target, source + first, stride, part, width, k);
  }
}

// A tile at the edge goes through a whole one, with the same arithmetic.
static void edge_tile(tile_kernel tile, long k, const float *a, const float *b, float *c, long ldc, float alpha,
                      float beta, long rows, long columns) {
  float whole[LARGEST_TILE] = {0};
  if (beta != 0)
    for (long i = 0; i < rows; i++)
      for (long j = 0; j < columns; j++) whole[i * tile.columns + j] = c[i * ldc + j];
  tile.run(k, a, b, whole, tile.columns, alpha, beta);
  for (long i = 0; i < rows; i++)
    for (long j = 0; j < columns; j++) c[i * ldc + j] = whole[i * tile.columns + j];
}

static void multiply_panels(tile_kernel tile, long m, long n, long k, const float *a, const float *b, float *c,
                            long ldc, float alpha, float beta) {
  for (long j = 0; j < n; j += tile.columns)
    for (long i = 0; i < m; i += tile.rows) {
      const long rows = m - i < tile.rows ? m - i : tile.rows;
      const long columns = n - j < tile.columns ? n - j : tile.columns;
      float *target = c + i * ldc + j;
      if (rows == tile.rows && columns == tile.columns)
        tile.run(k, a + i * k, b + j * k, target, ldc, alpha, beta);
      else edge_tile(tile, k, a + i * k, b + j * k, target, ldc, alpha, beta, rows, columns);
    }
}


void nibble_product(int transpose_a, int transpose_b, long m, long n, long k, float alpha, const float *a, long lda,
                    const float *b, long ldb, float beta, float *c, long ldc) {
  const tile_kernel tile = best_tile();
  if (k == 0)
    for (long i = 0; i < m; i++)
      for (long j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
  const long depth = k < DEPTH ? k : DEPTH;
  const long rows = (m + tile.rows - 1) / tile.rows * tile.rows;
  const long columns = (n + tile.columns - 1) / tile.columns * tile.columns;
  float *packed_a = nibble_scratch((rows + columns) * depth);
  float *packed_b = packed_a + rows * depth;
  for (long first = 0; first < k; first += DEPTH) {
    const long part = k - first < DEPTH ? k - first : DEPTH;
    pack(packed_a, transpose_a ? a + first * lda : a + first, lda, !transpose_a, m, tile.rows, part);
    pack(packed_b, transpose_b ? b + first : b + first * ldb, ldb, transpose_b, n, tile.columns, part);
    multiply_panels(tile, m, n, part, packed_a, packed_b, c, ldc, alpha, first == 0 ? beta : 1);
  }
}
