// quantize.cl - matrices rounded to block formats and back, in one pass over memory
//
//   largest_magnitude   x [count] -> parts [groups]: of each range, whole vectors first
//   quantize_tiles      tiles of any height and width, VECTOR of them share the arithmetic of their scales
//   quantize_columns    tiles of one column: neighbouring columns in the lanes
//   quantize_values     one scale for all, by a given largest magnitude; or none
//
//   x, y, codes [rows, columns];   largest [1], the tensor's, where it has a scale;   signs [rotation], +-1;
//   scales [tiles down, tiles across];   y = element(x' encode) decode, x' = x or its Hadamard transform
//
// `codes` and `scales` may be absent. Included as C by the host, too. Swift: Operations/Quantization.

#include "quantize_search.cl"
#include "quantize_rotation.cl"

#ifdef HOST_C
#define QUANTIZE_GROUP
#else
#define QUANTIZE_GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#endif

kernel QUANTIZE_GROUP
void largest_magnitude(const global float *x, global float *parts, const uint count, const uint range) {
  const uint group = (uint)get_group_id(0);
  const uint first = group * range, last = min(count, first + range);
  int_vector largest = INTS(0);
  for (uint i = first; i < last; i += VECTOR) {
    const vector value = load_some(x + i, (int)min(last - i, (uint)VECTOR));
    largest = LARGER(largest, AS_INT_VECTOR(value) & MAGNITUDE);
  }
  parts[group] = as_float(largest_lane(largest));
}

kernel QUANTIZE_GROUP
void quantize_values(const global float *x, const global float *largest, global float *y, global int *codes,
                     global float *scales, const uint count, const uint range, PARAMETERS parameters) {
  quantization it = unpack(parameters);
  const uint group = (uint)get_group_id(0);
  const uint first = group * range, last = min(count, first + range);
  const block_scales scale = scales_of(&it, INTS(largest ? as_int(largest[0]) & MAGNITUDE : 0));
  if (scales && group == 0) {
    float parts[VECTOR];
    STORE_VECTOR(scale.stored, 0, parts);
    scales[0] = parts[0];
  }
  for (uint i = first; i < last; i += VECTOR) {
    const int part = (int)min(last - i, (uint)VECTOR);
    const vector value = load_some(x + i, part);
    vector rounded = quantized(&it, value, scale.encode, scale.decode, i, codes ? codes + i : 0, part);
    if (it.scaling == UNSCALED) rounded = unscaled(value, rounded);
    store_some(rounded, y + i, part);
  }
}

// No codes, whole vectors: what training does. `random` is a constant where it is called.
static inline void round_even_tiles(const quantization *it, const tile_run *run, const global float *x,
                                    global float *y, const float *encode, const float *decode, const int random) {
  for (int row = run->row; row < run->row + run->rows; row++) {
    const size_t start = (size_t)row * (size_t)run->columns + (size_t)run->column;
    const global float *from = x + start;
    global float *to = y + start;
    uint element = (uint)start;
    for (int tile = 0; tile < run->tiles; tile++) {
      const vector up = (vector)(encode[tile]), down = (vector)(decode[tile]);
      for (int i = 0; i < run->width; i += VECTOR, from += VECTOR, to += VECTOR, element += VECTOR) {
        const vector value = LOAD_VECTOR(0, from);
        STORE_VECTOR(rounded_elements(it, value, up, element, random) * down, 0, to);
      }
    }
  }
}

static inline void round_tiles(const quantization *it, const tile_run *run, const global float *x,
                               global float *y, global int *codes, const float *encode, const float *decode) {
  for (int row = run->row; row < run->row + run->rows; row++) {
    const size_t start = (size_t)row * (size_t)run->columns;
    for (int tile = 0; tile < run->tiles; tile++) {
      const int end = tile_end(run, tile);
      const vector up = (vector)(encode[tile]), down = (vector)(decode[tile]);
      for (int i = run->column + tile * run->width; i < end; i += VECTOR) {
        const size_t at = start + (size_t)i;
        const vector value = load_some(x + at, end - i);
        store_some(quantized(it, value, up, down, (uint)at, codes ? codes + at : 0, end - i), y + at, end - i);
      }
    }
  }
}

static inline void quantize_run(const quantization *it, const tile_run *run, const global float *x, global float *y,
                                global int *codes, global float *scales) {
  const int even = is_even(run);
  const block_scales scale = scales_of_tiles(it, run, x, largest_of_run(run, x));
  float encode[VECTOR], decode[VECTOR];
  STORE_VECTOR(scale.encode, 0, encode);
  STORE_VECTOR(scale.decode, 0, decode);
  if (even && !codes && it->stochastic) round_even_tiles(it, run, x, y, encode, decode, 1);
  else if (even && !codes) round_even_tiles(it, run, x, y, encode, decode, 0);
  else round_tiles(it, run, x, y, codes, encode, decode);
  if (scales) store_some(scale.stored, scales, run->tiles);
}

// Group: `bands` bands of tiles (down) in one of `strips` strips of `across` tiles.
kernel QUANTIZE_GROUP
void quantize_tiles(const global float *x, const global float *largest, const global float *signs, global float *y,
                    global int *codes, global float *scales, const int rows, const int columns, const int height,
                    const int width, const int bands, const int strips, const int across,
                    PARAMETERS parameters) {
  quantization it = unpack(parameters);
  if (largest) set_tensor_scale(&it, largest[0]);
  const int strip = (int)get_group_id(0) % strips, band = (int)get_group_id(0) / strips * bands;
  const int tiles = (columns + width - 1) / width;
  const int first = strip * across, last = min(tiles, first + across);
  // Few large tiles at a time: the second pass over them finds them in a cache.
  const int together = min(VECTOR, max(1, 65536 / (height * width)));
  const int end = min((rows + height - 1) / height, band + bands);
  for (int down = band; down < end; down++) {
    tile_run run;
    run.row = down * height;
    run.rows = min(height, rows - run.row);
    run.width = width;
    run.columns = columns;
    if (it.rotation > 0) {
      for (int row = run.row; row < run.row + run.rows; row++) {
        const size_t start = (size_t)row * (size_t)columns;
        const int from = first * width, to = min(columns, last * width);
        for (int i = from; i < to; i += it.rotation) rotate_row(x + start + i, signs, y + start + i, it.rotation);
      }
    }
    for (int tile = first; tile < last; tile += together) {
      run.column = tile * width;
      run.tiles = min(together, last - tile);
      quantize_run(&it, &run, it.rotation > 0 ? y : x, y, codes,
                   scales ? scales + (size_t)down * (size_t)tiles + tile : 0);
    }
  }
}

// The vectors of columns that a pass takes side by side: few stay in registers; many make runs long enough for columns
// so tall that every row is a page of its own.
#define SIDE 8
#define TALL_SIDE 32
#define TALL 256

// `side` whole vectors of columns (a constant where it is called), the first element with the number `element`.
static inline void quantize_even_columns(const quantization *it, const global float *x, global float *y,
                                         const int rows, const int columns, const uint element, const int side,
                                         const int random) {
  int_vector largest[TALL_SIDE];
  for (int k = 0; k < side; k++) largest[k] = INTS(0);
  for (int row = 0; row < rows; row++) {
    const global float *from = x + (size_t)row * (size_t)columns;
    for (int k = 0; k < side; k++) {
      largest[k] = LARGER(largest[k], AS_INT_VECTOR(LOAD_VECTOR(0, from + k * VECTOR)) & MAGNITUDE);
    }
  }
  vector encode[TALL_SIDE], decode[TALL_SIDE];
  for (int k = 0; k < side; k++) {
    const block_scales scale = scales_of(it, largest[k]);
    encode[k] = scale.encode;
    decode[k] = scale.decode;
  }
  for (int row = 0; row < rows; row++) {
    const size_t start = (size_t)row * (size_t)columns;
    for (int k = 0; k < side; k++) {
      const vector value = LOAD_VECTOR(0, x + start + k * VECTOR);
      const uint at = element + (uint)start + (uint)k * VECTOR;
      STORE_VECTOR(rounded_elements(it, value, encode[k], at, random) * decode[k], 0, y + start + k * VECTOR);
    }
  }
}

// One vector of columns, or what is left of them.
static inline void quantize_some_columns(const quantization *it, const global float *x, global float *y,
                                         global int *codes, global float *scales, const int rows, const int count,
                                         const int columns, const uint element) {
  const block_scales scale =
      scales_of_columns(it, x, rows, count, columns, largest_of_columns(x, rows, count, columns));
  if (scales) store_some(scale.stored, scales, count);
  for (int row = 0; row < rows; row++) {
    const size_t at = (size_t)row * (size_t)columns;
    const vector value = load_some(x + at, count);
    store_some(quantized(it, value, scale.encode, scale.decode, element + (uint)at, codes ? codes + at : 0, count),
               y + at, count);
  }
}

// Group: one band of `height` rows (rotated: of as many tiles as a rotation has) in one of `strips` strips of columns.
kernel QUANTIZE_GROUP
void quantize_columns(const global float *x, const global float *largest, const global float *signs, global float *y,
                      global int *codes, global float *scales, const int rows, const int columns, const int height,
                      const int band, const int strips, const int across, PARAMETERS parameters) {
  quantization it = unpack(parameters);
  if (largest) set_tensor_scale(&it, largest[0]);
  const int strip = (int)get_group_id(0) % strips, first = (int)get_group_id(0) / strips * band;
  const int last = min(rows, first + band);
  const int left = strip * across, right = min(columns, left + across);
  if (it.rotation > 0) {
    for (int row = first; row < last; row += it.rotation) {
      const size_t start = (size_t)row * (size_t)columns;
      rotate_columns(x + start, signs, y + start, it.rotation, left, right, columns);
    }
  }
  const global float *from = it.rotation > 0 ? y : x;
  for (int row = first; row < last; row += height) {
    const int high = min(last, row + height) - row;
    const size_t start = (size_t)row * (size_t)columns;
    int column = left;
    if (!codes && !scales && it.search == 0) {
      const int wide = high > TALL ? TALL_SIDE : SIDE;
      for (; column + wide * VECTOR <= right; column += wide * VECTOR) {
        const size_t at = start + (size_t)column;
        if (wide == TALL_SIDE) {
          quantize_even_columns(&it, from + at, y + at, high, columns, (uint)at, TALL_SIDE, it.stochastic);
        } else if (it.stochastic) {
          quantize_even_columns(&it, from + at, y + at, high, columns, (uint)at, SIDE, 1);
        } else {
          quantize_even_columns(&it, from + at, y + at, high, columns, (uint)at, SIDE, 0);
        }
      }
    }
    for (; column < right; column += VECTOR) {
      const size_t at = start + (size_t)column;
      quantize_some_columns(&it, from + at, y + at, codes ? codes + at : 0,
                            scales ? scales + (size_t)(row / height) * (size_t)columns + column : 0, high,
                            right - column, columns, (uint)at);
    }
  }
}
