// quantize_runs.cl - the tiles and columns that a pass takes together, and their largest magnitudes
//
// Included by quantize_search.cl.

#ifndef QUANTIZE_RUNS_CL
#define QUANTIZE_RUNS_CL

#include "quantize_elements.cl"

// A run of tiles side by side in one band of rows.
typedef struct {
  int row, rows;      // first row and height
  int column, width;  // first column and width of a tile
  int tiles;          // at most VECTOR
  int columns;        // of the matrix: the last tile may end there
} tile_run;

static inline int tile_end(const tile_run *run, const int tile) {
  const int end = run->column + (tile + 1) * run->width;
  return end < run->columns ? end : run->columns;
}

// Whether all tiles are whole vectors wide.
static inline int is_even(const tile_run *run) {
  return run->width % VECTOR == 0 && run->column + run->tiles * run->width <= run->columns;
}

static inline int_vector largest_of_tiles(const tile_run *run, const global float *x) {
  int_vector found[VECTOR];
  for (int tile = 0; tile < VECTOR; tile++) found[tile] = INTS(0);
  for (int row = run->row; row < run->row + run->rows; row++) {
    const global float *from = x + (size_t)row * (size_t)run->columns;
    for (int tile = 0; tile < run->tiles; tile++) {
      const int end = tile_end(run, tile);
      int_vector largest = found[tile];
      for (int i = run->column + tile * run->width; i < end; i += VECTOR) {
        largest = LARGER(largest, AS_INT_VECTOR(load_some(from + i, end - i)) & MAGNITUDE);
      }
      found[tile] = largest;
    }
  }
  return largest_lanes(found);
}

static inline int_vector largest_of_even_tiles(const tile_run *run, const global float *x) {
  int_vector found[VECTOR];
  for (int tile = 0; tile < VECTOR; tile++) found[tile] = INTS(0);
  for (int row = run->row; row < run->row + run->rows; row++) {
    const global float *from = x + (size_t)row * (size_t)run->columns + run->column;
    for (int tile = 0; tile < run->tiles; tile++) {
      int_vector largest = found[tile];
      for (int i = 0; i < run->width; i += VECTOR, from += VECTOR) {
        largest = LARGER(largest, AS_INT_VECTOR(LOAD_VECTOR(0, from)) & MAGNITUDE);
      }
      found[tile] = largest;
    }
  }
  return largest_lanes(found);
}

static inline int_vector largest_of_run(const tile_run *run, const global float *x) {
  return is_even(run) ? largest_of_even_tiles(run, x) : largest_of_tiles(run, x);
}

// Of each of `count` columns.
static inline int_vector largest_of_columns(const global float *x, const int rows, const int count,
                                            const int columns) {
  int_vector largest = INTS(0);
  for (int row = 0; row < rows; row++) {
    largest = LARGER(largest, AS_INT_VECTOR(load_some(x + (size_t)row * (size_t)columns, count)) & MAGNITUDE);
  }
  return largest;
}

#endif
