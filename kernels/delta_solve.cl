// delta_solve.cl - what the delta rule adds to a chunk: its writing strengths and its triangular systems
//
// Included by delta_rule.cl and delta_rule_backward.cl.

#ifndef DELTA_SOLVE
#define DELTA_SOLVE

#include "decays.cl"

// The pairs (i, j) of a strip's rows with j < i, by j: row j is complete when the rows below it use it.
#if TILE_ROWS == 8
#define EACH_PAIR(DO) \
  DO(1, 0) DO(2, 0) DO(3, 0) DO(4, 0) DO(5, 0) DO(6, 0) DO(7, 0) \
  DO(2, 1) DO(3, 1) DO(4, 1) DO(5, 1) DO(6, 1) DO(7, 1) \
  DO(3, 2) DO(4, 2) DO(5, 2) DO(6, 2) DO(7, 2) \
  DO(4, 3) DO(5, 3) DO(6, 3) DO(7, 3) \
  DO(5, 4) DO(6, 4) DO(7, 4) \
  DO(6, 5) DO(7, 5) \
  DO(7, 6)
#else
#define EACH_PAIR(DO) DO(1, 0) DO(2, 0) DO(3, 0) DO(2, 1) DO(3, 1) DO(3, 2)
#endif

// One strip of `solve`, two vectors of columns: x from its first row on, `a` from the strip's first row on, the strip's
// own columns from `before` on.
static inline void solve_two(global const float *a, int a_row, int a_column, int before, global float *x, int x_row) {
  global float *strip = x + before * x_row;
#define READ(r) vector s##r = LOAD(strip + r * x_row), t##r = LOAD(strip + r * x_row + VECTOR);
  EACH_ROW(READ)
#undef READ
  for (int p = 0; p < before; p++, a += a_column, x += x_row) {
    const vector b0 = LOAD(x), b1 = LOAD(x + VECTOR);
#define STEP(r) \
  s##r = FMA((vector)(a[r * a_row]), b0, s##r); \
  t##r = FMA((vector)(a[r * a_row]), b1, t##r);
    EACH_ROW(STEP)
  }
#undef STEP
#define SUBSTITUTE(i, j) \
  s##i = FMA((vector)(a[i * a_row + j * a_column]), s##j, s##i); \
  t##i = FMA((vector)(a[i * a_row + j * a_column]), t##j, t##i);
  EACH_PAIR(SUBSTITUTE)
#undef SUBSTITUTE
#define WRITE(r) \
  STORE(s##r, strip + r * x_row); \
  STORE(t##r, strip + r * x_row + VECTOR);
  EACH_ROW(WRITE)
#undef WRITE
}

// The same with one vector of columns.
static inline void solve_one(global const float *a, int a_row, int a_column, int before, global float *x, int x_row) {
  global float *strip = x + before * x_row;
#define READ(r) vector s##r = LOAD(strip + r * x_row);
  EACH_ROW(READ)
#undef READ
  for (int p = 0; p < before; p++, a += a_column, x += x_row) {
    const vector b0 = LOAD(x);
#define STEP(r) s##r = FMA((vector)(a[r * a_row]), b0, s##r);
    EACH_ROW(STEP)
  }
#undef STEP
#define SUBSTITUTE(i, j) s##i = FMA((vector)(a[i * a_row + j * a_column]), s##j, s##i);
  EACH_PAIR(SUBSTITUTE)
#undef SUBSTITUTE
#define WRITE(r) STORE(s##r, strip + r * x_row);
  EACH_ROW(WRITE)
#undef WRITE
}

// Solves (1 - L) X = X' in place, L the part of `a` [CHUNK][CHUNK] strictly below the diagonal, X [CHUNK][n], n a
// multiple of VECTOR: forward substitution by strips of TILE_ROWS rows.
static void solve(global const float *a, int a_row, int a_column, int n, global float *x, int x_row) {
  for (int r = 0; r < CHUNK; r += TILE_ROWS, a += TILE_ROWS * a_row) {
    for (int j = 0; j < n; j += 2 * VECTOR) {
      if (j + VECTOR < n) {
        solve_two(a, a_row, a_column, r, x + j, x_row);
      } else {
        solve_one(a, a_row, a_column, r, x + j, x_row);
      }
    }
  }
}

// Solves (1 - L)^T X = X': the same from the last row to the first.
static void solve_transposed(global const float *a, int n, global float *x, int x_row) {
  solve(a + CHUNK * CHUNK - 1, -1, -CHUNK, n, x + (CHUNK - 1) * x_row, -x_row);
}

// betas [CHUNK] of (token, head) with 0 from `rows` on, and behind them their negatives.
static void load_betas(global const float *from, int stride, int rows, global float *betas) {
  for (int r = 0; r < CHUNK; r++) {
    const float beta = r < rows ? from[r * stride] : 0.0f;
    betas[r] = beta;
    betas[CHUNK + r] = -beta;
  }
}
#define BETA_FLOATS (2 * CHUNK)

// to = from [CHUNK][columns], row r multiplied by factors[r]; columns a multiple of VECTOR.
static void scaled_rows(global const float *from, int columns, global const float *factors, global float *to) {
  for (int r = 0; r < CHUNK; r++, from += columns, to += columns) {
    for (int j = 0; j < columns; j += VECTOR) STORE(LOAD(from + j) * factors[r], to + j);
  }
}

#endif
