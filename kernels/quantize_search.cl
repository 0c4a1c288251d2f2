// quantize_search.cl - the scales of VECTOR tiles or columns: from their largest magnitudes, or (SEARCH) by trial
//
// By trial: of some neighbours of the largest magnitude's scale the one with the least squared error. Errors are whole
// numbers, relative to the power of two below the block's largest magnitude: their sums are the same in any order. Among
// equals the first candidate wins, the largest magnitude's own. Included by quantize.cl and quantize_gradient.cl.
// Swift: NumberFormats/Scales/ScaleSearch.swift has the same steps for one block.

#ifndef QUANTIZE_SEARCH_CL
#define QUANTIZE_SEARCH_CL

#include "quantize_runs.cl"

#ifdef SEARCH

// Candidates as steps from the largest magnitude's scale.
static inline int candidate_count(const quantization *it) {
  return it->scaling == POWER_OF_TWO || it->scaling == FLOAT_POWER_OF_TWO ? 3 : 8;
}

static inline int candidate_step(const quantization *it, const int number) {
  if (candidate_count(it) == 3) return number == 2 ? -1 : number;
  // 0, -1, 1, -2, 2, 3, 4, 5
  if (number > 4) return number - 2;
  return (number & 1) ? -((number + 1) / 2) : number / 2;
}

// The scale with the code `step` above, behind that of a small float.
static inline void set_small_float_neighbours(const quantization *it, const block_scales *first, const int step,
                                              block_scales *scales) {
  const number_grid *grid = &it->scale;
  // What is stored is a whole number of quanta.
  const int_vector exponent = LARGER(AS_INT_VECTOR(first->stored) >> 23, INTS(grid->lowest));
  const vector quanta = first->stored * AS_VECTOR((INTS(254 + grid->mantissa) - exponent) << 23);
  const int_vector code = LARGER(quanta_code(CONVERT_INT_VECTOR(quanta), exponent, grid) + step, INTS(0));
  const int_vector binade = LARGER((code >> grid->mantissa) - 1, INTS(0));
  const int_vector bits = quanta_bits(code - (binade << grid->mantissa), binade + grid->lowest, grid);
  scales->stored = AS_VECTOR(SMALLER(bits, INTS(grid->above)));
  scales->decode = small_float_decode(it, scales->stored);
  scales->encode = small_float_encode(scales->decode);
}

// The neighbour `step` away from the largest magnitude's scale; what it is for broken blocks does not matter.
static inline void set_neighbours(const quantization *it, const block_scales *first, const int_vector largest,
                                  const int step, block_scales *scales) {
  if (it->scaling >= SMALL_FLOAT) {
    set_small_float_neighbours(it, first, step, scales);
    return;
  }
  if (it->scaling == FLOAT_SCALE) {
    const vector factor = (vector)(1.0f + (float)step / 8.0f);
    const vector wanted = AS_VECTOR(SMALLER(AS_INT_VECTOR(AS_VECTOR(largest) * factor), INTS(INFINITE - 1)));
    scales->encode = held_scale(quotient((vector)(it->divisor), wanted));
  } else {
    const int top = it->scaling == POWER_OF_TWO ? 254 : 253;
    const int_vector field = (AS_INT_VECTOR(first->encode) >> 23) - step;
    scales->encode = AS_VECTOR(SMALLER(LARGER(field, INTS(1)), INTS(top)) << 23);
  }
  scales->decode = quotient((vector)(1.0f), scales->encode);
  scales->stored = scales->decode;
}

// The squared errors of a vector of elements, as whole numbers.
static inline int_vector squared_errors(const quantization *it, const vector x, const vector encode,
                                        const vector decode, const vector unit) {
  const int_vector sign = AS_INT_VECTOR(x) & ~MAGNITUDE;
  const vector error = (x - nearest_elements(it, x * encode, sign) * decode) * unit;
  const int_vector limit = INTS((128 + it->search) << 23);
  const vector held = AS_VECTOR(SMALLER(AS_INT_VECTOR(error) & MAGNITUDE, limit));
  const int_vector whole = CONVERT_INT_VECTOR(held + 0.5f);
  return whole * whole;
}

// What errors are multiplied by; 0 for blocks that are not searched: too small, or not finite.
static inline vector error_unit(const quantization *it, const int_vector largest) {
  const int_vector unit = SMALLER(INTS(254 + it->search) - (largest >> 23), INTS(254)) << 23;
  return AS_VECTOR(unit & reaches(largest, INTS(64 << 23)) & below(largest, INTS(INFINITE)));
}

static inline void keep_better(block_scales *best, int_vector *least, const block_scales *scale,
                               const int_vector error, const vector unit) {
  const int_vector better = below(error, *least) & reaches(AS_INT_VECTOR(unit), INTS(1));
  best->encode = chosen(best->encode, scale->encode, better);
  best->decode = chosen(best->decode, scale->decode, better);
  best->stored = chosen(best->stored, scale->stored, better);
  *least = where(*least, error, better);
}

// The sum of the lanes of each of VECTOR vectors, which are overwritten.
static inline int_vector sums_of_lanes(int_vector *found) {
  for (int count = VECTOR / 2; count > 0; count /= 2) {
    for (int k = 0; k < count; k++) {
      const int_vector a = found[2 * k], b = found[2 * k + 1];
      found[k] = EVEN_LANES(a, b) + ODD_LANES(a, b);
    }
  }
  return found[0];
}

static inline int_vector tile_errors(const quantization *it, const tile_run *run, const global float *x,
                                     const block_scales *scale, const vector unit) {
  float encode[VECTOR], decode[VECTOR], factor[VECTOR];
  STORE_VECTOR(scale->encode, 0, encode);
  STORE_VECTOR(scale->decode, 0, decode);
  STORE_VECTOR(unit, 0, factor);
  int_vector sums[VECTOR];
  for (int tile = 0; tile < VECTOR; tile++) sums[tile] = INTS(0);
  for (int row = run->row; row < run->row + run->rows; row++) {
    const global float *from = x + (size_t)row * (size_t)run->columns;
    for (int tile = 0; tile < run->tiles; tile++) {
      const vector up = (vector)(encode[tile]), down = (vector)(decode[tile]), by = (vector)(factor[tile]);
      const int end = tile_end(run, tile);
      int_vector sum = sums[tile];
      for (int i = run->column + tile * run->width; i < end; i += VECTOR) {
        sum += squared_errors(it, load_some(from + i, end - i), up, down, by);
      }
      sums[tile] = sum;
    }
  }
  return sums_of_lanes(sums);
}

static inline void search_tiles(const quantization *it, const tile_run *run, const global float *x,
                                const int_vector largest, block_scales *best) {
  const block_scales first = *best;
  const vector unit = error_unit(it, largest);
  int_vector least = tile_errors(it, run, x, best, unit);
  for (int number = 1; number < candidate_count(it); number++) {
    block_scales scale;
    set_neighbours(it, &first, largest, candidate_step(it, number), &scale);
    const int_vector error = tile_errors(it, run, x, &scale, unit);
    keep_better(best, &least, &scale, error, unit);
  }
}

static inline int_vector column_errors(const quantization *it, const global float *x, const int rows, const int count,
                                       const int columns, const block_scales *scale, const vector unit) {
  int_vector sum = INTS(0);
  for (int row = 0; row < rows; row++) {
    const vector value = load_some(x + (size_t)row * (size_t)columns, count);
    sum += squared_errors(it, value, scale->encode, scale->decode, unit);
  }
  return sum;
}

static inline void search_columns(const quantization *it, const global float *x, const int rows, const int count,
                                  const int columns, const int_vector largest, block_scales *best) {
  const block_scales first = *best;
  const vector unit = error_unit(it, largest);
  int_vector least = column_errors(it, x, rows, count, columns, best, unit);
  for (int number = 1; number < candidate_count(it); number++) {
    block_scales scale;
    set_neighbours(it, &first, largest, candidate_step(it, number), &scale);
    const int_vector error = column_errors(it, x, rows, count, columns, &scale, unit);
    keep_better(best, &least, &scale, error, unit);
  }
}

#endif

static inline block_scales scales_of_tiles(const quantization *it, const tile_run *run, const global float *x,
                                           const int_vector largest) {
  block_scales scales = scales_of(it, largest);
#ifdef SEARCH
  if (it->search > 0) search_tiles(it, run, x, largest, &scales);
#endif
  return scales;
}

static inline block_scales scales_of_columns(const quantization *it, const global float *x, const int rows,
                                             const int count, const int columns, const int_vector largest) {
  block_scales scales = scales_of(it, largest);
#ifdef SEARCH
  if (it->search > 0) search_columns(it, x, rows, count, columns, largest, &scales);
#endif
  return scales;
}

#endif
