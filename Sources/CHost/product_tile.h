// One register tile of a matrix product for one instruction set: c = alpha a b + beta c of TILE_ROWS x 2 LANES.
// Included once per instruction set with NAME, LANES, TILE_ROWS and TARGET defined.

typedef float VECTOR(LANES) __attribute__((vector_size(4 * LANES), aligned(4)));

// `a` is packed [k][TILE_ROWS], `b` [k][2 LANES]. Every element is one chain of fused additions over k, so the
// result does not depend on how the matrix was cut into tiles.
TARGET static void NAME(long k, const float *restrict a, const float *restrict b, float *restrict c, long ldc,
                        float alpha, float beta) {
  VECTOR(LANES) sum[TILE_ROWS][2] = {0};
  for (long i = 0; i < k; i++, a += TILE_ROWS, b += 2 * LANES) {
    const VECTOR(LANES) left = *(const VECTOR(LANES) *)b, right = *(const VECTOR(LANES) *)(b + LANES);
#pragma clang loop unroll(full)
    for (int row = 0; row < TILE_ROWS; row++) {
      sum[row][0] += a[row] * left;
      sum[row][1] += a[row] * right;
    }
  }
#pragma clang loop unroll(full)
  for (int row = 0; row < TILE_ROWS; row++, c += ldc) {
    VECTOR(LANES) *target = (VECTOR(LANES) *)c, *next = (VECTOR(LANES) *)(c + LANES);
    if (beta == 0) {
      *target = alpha * sum[row][0];
      *next = alpha * sum[row][1];
    } else {
      *target = alpha * sum[row][0] + beta * *target;
      *next = alpha * sum[row][1] + beta * *next;
    }
  }
}

#undef NAME
#undef LANES
#undef TILE_ROWS
#undef TARGET
