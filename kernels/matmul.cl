#ifndef VECTOR
#define VECTOR 16
#endif
#ifndef DEPTH
#define DEPTH 256
#endif
#if VECTOR == 16
#define TILE_ROWS 12
#define VEC float16
#define VLOAD vload16
#define VSTORE vstore16
#else
#define TILE_ROWS 6
#define VEC float8
#define VLOAD vload8
#define VSTORE vstore8
#endif
#define TILE_COLUMNS (2 * VECTOR)
#if TILE_ROWS == 12
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#else
#define EACH_ROW(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)
#endif

static inline void pack_t(const global float *b, size_t ldb, uint cols, uint depth, float *panel) {
  for (uint j = 0; j < TILE_COLUMNS; j += 4) {
    const global float *r0 = b + j * ldb, *r1 = r0 + ldb, *r2 = r1 + ldb, *r3 = r2 + ldb;
    uint p = 0;
    if (j + 4 <= cols)
      for (; p + 4 <= depth; p += 4) {
        float4 x = vload4(0, r0 + p), y = vload4(0, r1 + p), z = vload4(0, r2 + p), w = vload4(0, r3 + p);
        vstore4((float4)(x.s0, y.s0, z.s0, w.s0), 0, panel + p * TILE_COLUMNS + j);
        vstore4((float4)(x.s1, y.s1, z.s1, w.s1), 0, panel + (p + 1) * TILE_COLUMNS + j);
        vstore4((float4)(x.s2, y.s2, z.s2, w.s2), 0, panel + (p + 2) * TILE_COLUMNS + j);
        vstore4((float4)(x.s3, y.s3, z.s3, w.s3), 0, panel + (p + 3) * TILE_COLUMNS + j);
      }
    for (; p < depth; p++)
      for (uint i = j; i < j + 4; i++) panel[p * TILE_COLUMNS + i] = i < cols ? b[i * ldb + p] : 0.0f;
  }
}
#define DECL(r) VEC c##r##0 = 0, c##r##1 = 0; const global float *a##r = a + min(r##u, rows - 1) * lda;
#define STEP(r) { const VEC x = (VEC)(a##r[p]); c##r##0 = fma(x, b0, c##r##0); c##r##1 = fma(x, b1, c##r##1); }
#define PUT(r) { global float *q = c + r * ldc; \
  VSTORE(acc ? alpha * c##r##0 + VLOAD(0, q) : alpha * c##r##0, 0, q); \
  VSTORE(acc ? alpha * c##r##1 + VLOAD(0, q + VECTOR) : alpha * c##r##1, 0, q + VECTOR); }
#define EDGE(r) { VSTORE(c##r##0, 0, e + r * TILE_COLUMNS); VSTORE(c##r##1, 0, e + r * TILE_COLUMNS + VECTOR); }

#ifndef HOLD
#define HOLD static inline
#endif
HOLD void tile(const global float *restrict a, size_t lda, const float *restrict panel, uint depth,
                        global float *restrict c, size_t ldc, uint rows, uint cols, float alpha, int acc
#ifdef FORCE
, VEC dummy
#endif
) {
  EACH_ROW(DECL)
  for (uint p = 0; p < depth; p++) {
    const VEC b0 = VLOAD(0, panel + p * TILE_COLUMNS), b1 = VLOAD(0, panel + p * TILE_COLUMNS + VECTOR);
    EACH_ROW(STEP)
  }
  if (rows == TILE_ROWS && cols == TILE_COLUMNS) { EACH_ROW(PUT) }
  else {
    float e[TILE_ROWS * TILE_COLUMNS];
    EACH_ROW(EDGE)
    for (uint i = 0; i < rows; i++) for (uint j = 0; j < cols; j++) {
      float v = alpha * e[i * TILE_COLUMNS + j];
      c[i * ldc + j] = acc ? v + c[i * ldc + j] : v;
    }
  }
}

__attribute__((reqd_work_group_size(1, 1, 1)))
kernel void mm(const global float *restrict a, const global float *restrict b, global float *restrict c,
   uint m, uint n, uint k, uint lda, uint ldb, uint ldc, uint rows_per, float alpha, int beta) {
  float panel[DEPTH * TILE_COLUMNS] __attribute__((aligned(64)));
  uint j0 = get_global_id(0) * TILE_COLUMNS, i0 = get_global_id(1) * rows_per, i1 = min(m, i0 + rows_per);
  uint cols = min(n - j0, (uint)TILE_COLUMNS);
  for (uint p0 = 0; p0 < k; p0 += DEPTH) {
    uint depth = min(k - p0, (uint)DEPTH);
    pack_t(b + (size_t)j0 * ldb + p0, ldb, cols, depth, panel);
    for (uint i = i0; i < i1; i += TILE_ROWS)
      tile(a + (size_t)i * lda + p0, lda, panel, depth, c + (size_t)i * ldc + j0, ldc, min(i1 - i, (uint)TILE_ROWS), cols, alpha, beta || p0 > 0
#ifdef FORCE
  , (VEC)(0)
#endif
      );
  }
}
