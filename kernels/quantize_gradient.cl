// quantize_gradient.cl - gradients on their way through a rounding to a block format
//
//   gradient_values    one scale for all, by a given largest magnitude
//   gradient_tiles     tiles of any height and width
//   gradient_columns   tiles of one column: neighbouring columns in the lanes
//
//   x, dy, dx [rows, columns];   largest [1], where the tensor has a scale
//   dx = dy slope(x), and with FULL, where |x| is its block's largest magnitude (shared by equals),
//   + sum over the block of dy (q(x) - slope(x) x) / x: the scale follows that number
//
//   CLIPPED          slope 1 within the format, 0 where numbers saturate
//   DIFFERENTIABLE   |2 p - 1|^(1/5 - 1) / 5, at most 3, at the place p in [0, 1] between two neighbours of the format
//   FULL             the same slope
//
// Included as C by the host, too. Swift: Operations/Quantization/RoundingGradient.swift.

#include "quantize_search.cl"

#ifdef HOST_C
#define GRADIENT_GROUP
#else
#define GRADIENT_GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#endif

#define CLIPPED 1
#define DIFFERENTIABLE 2
#define FULL 3

// a^(-4/5) / 5 of 2^-10 <= a <= 1: Newton's iteration for a^(-1/5) from the bits of a, whose exponent is divided by -5.
static inline vector root_slope(const vector a) {
  const vector start = CONVERT_VECTOR(AS_INT_VECTOR(a)) * -0.2f + 1278423859.0f;
  vector root = AS_VECTOR(CONVERT_INT_VECTOR(start));
  for (int step = 0; step < 4; step++) {
    const vector square = root * root;
    root = root * (1.2f - 0.2f * a * square * square * root);
  }
  const vector square = root * root;
  return square * square * 0.2f;
}

// The slope at elements times their scale. What a product's rounding takes above the largest value does not saturate.
static inline vector slope_at(const quantization *it, const vector scaled, const int estimator) {
  const int_vector bits = AS_INT_VECTOR(scaled), magnitude = bits & MAGNITUDE;
  const int_vector inside = below(magnitude, it->element.above + ((bits >> 31) & it->element.deeper) + 5);
  if (estimator == CLIPPED) return chosen((vector)(0.0f), (vector)(1.0f), inside);
  const int_vector quantum = LARGER(magnitude >> 23, INTS(it->element.lowest)) - it->element.mantissa;
  const int_vector inverse = SMALLER(LARGER(INTS(254) - quantum, INTS(0)), INTS(254)) << 23;
  const vector quanta = AS_VECTOR(SMALLER(AS_INT_VECTOR(AS_VECTOR(magnitude) * AS_VECTOR(inverse)), INTS(150 << 23)));
  const vector position = quanta - CONVERT_VECTOR(CONVERT_INT_VECTOR(quanta));
  const int_vector distance = AS_INT_VECTOR(position + position - 1.0f) & MAGNITUDE;
  const vector slope = root_slope(AS_VECTOR(LARGER(distance, INTS((127 - 10) << 23))));
  const int_vector held = SMALLER(AS_INT_VECTOR(slope), AS_INT_VECTOR((vector)(3.0f)));
  return AS_VECTOR(held & inside);
}

// What a block's scale depends on, added up.
typedef struct {
  vector sum;       // of dy (q(x) - slope(x) x)
  int_vector count; // of the numbers with the largest magnitude, negative
} scale_terms;

static inline void add_terms(const quantization *it, scale_terms *terms, const vector x, const vector dy,
                             const vector encode, const vector decode, const int_vector largest, const uint element) {
  const vector rounded = rounded_elements(it, x, encode, element, it->stochastic) * decode;
  terms->sum += dy * (rounded - slope_at(it, x * encode, FULL) * x);
  terms->count += reaches(AS_INT_VECTOR(x) & MAGNITUDE, largest);
}

// What each of a block's largest numbers gets, for positive ones; 0 of blocks of zeros.
static inline vector scale_share(const vector sum, const int_vector count, const int_vector largest) {
  const int_vector some = reaches(largest, INTS(LEADING_ONE));
  const vector divisor = AS_VECTOR(where(AS_INT_VECTOR((vector)(1.0f)), largest, some));
  return AS_VECTOR(AS_INT_VECTOR(sum / CONVERT_VECTOR(LARGER(0 - count, INTS(1))) / divisor) & some);
}

static inline vector passed(const quantization *it, const vector x, const vector dy, const vector encode,
                            const vector share, const int_vector largest, const int estimator) {
  const vector gradient = dy * slope_at(it, x * encode, estimator);
  if (estimator != FULL) return gradient;
  const int_vector bits = AS_INT_VECTOR(x);
  const int_vector extra = AS_INT_VECTOR(share) ^ (bits & ~MAGNITUDE);
  return gradient + AS_VECTOR(extra & reaches(bits & MAGNITUDE, largest));
}

kernel GRADIENT_GROUP
void gradient_values(const global float *x, const global float *dy, const global float *largest, global float *dx,
                     const uint count, const uint range, const int estimator, PARAMETERS parameters) {
  const quantization it = unpack(parameters);
  const uint group = (uint)get_group_id(0);
  const uint first = group * range, last = min(count, first + range);
  const block_scales scale = scales_of(&it, INTS(as_int(largest[0]) & MAGNITUDE));
  for (uint i = first; i < last; i += VECTOR) {
    const int part = (int)min(last - i, (uint)VECTOR);
    const vector value = load_some(x + i, part);
    store_some(load_some(dy + i, part) * slope_at(&it, value * scale.encode, estimator), dx + i, part);
  }
}

static inline float sum_of_lanes(const vector value) {
  float parts[VECTOR];
  STORE_VECTOR(value, 0, parts);
  float sum = 0.0f;
  for (int k = 0; k < VECTOR; k++) sum += parts[k];
  return sum;
}

// One tile: rows from..<to, columns left..<right.
typedef struct {
  int from, to, left, right, columns;
} gradient_tile;

static inline vector tile_share(const quantization *it, const gradient_tile *tile, const global float *x,
                                const global float *dy, const vector encode, const vector decode,
                                const int_vector largest) {
  scale_terms terms;
  terms.sum = (vector)(0.0f);
  terms.count = INTS(0);
  for (int row = tile->from; row < tile->to; row++) {
    const size_t start = (size_t)row * (size_t)tile->columns;
    for (int i = tile->left; i < tile->right; i += VECTOR) {
      const size_t at = start + (size_t)i;
      const int part = tile->right - i;
      add_terms(it, &terms, load_some(x + at, part), load_some(dy + at, part), encode, decode, largest, (uint)at);
    }
  }
  const int count = (int)sum_of_lanes(CONVERT_VECTOR(terms.count));
  return scale_share((vector)(sum_of_lanes(terms.sum)), INTS(count), largest);
}

static inline void pass_tile(const quantization *it, const gradient_tile *tile, const global float *x,
                             const global float *dy, global float *dx, const vector encode, const vector decode,
                             const int_vector largest, const int estimator) {
  vector share = (vector)(0.0f);
  if (estimator == FULL) share = tile_share(it, tile, x, dy, encode, decode, largest);
  for (int row = tile->from; row < tile->to; row++) {
    const size_t start = (size_t)row * (size_t)tile->columns;
    for (int i = tile->left; i < tile->right; i += VECTOR) {
      const size_t at = start + (size_t)i;
      const int part = tile->right - i;
      const vector gradient = load_some(dy + at, part);
      store_some(passed(it, load_some(x + at, part), gradient, encode, share, largest, estimator), dx + at, part);
    }
  }
}

// Group: `bands` bands of tiles (down) in one of `strips` strips of `across` tiles.
kernel GRADIENT_GROUP
void gradient_tiles(const global float *x, const global float *dy, const global float *largest, global float *dx,
                    const int rows, const int columns, const int height, const int width, const int bands,
                    const int strips, const int across, const int estimator, PARAMETERS parameters) {
  quantization it = unpack(parameters);
  if (largest) set_tensor_scale(&it, largest[0]);
  const int strip = (int)get_group_id(0) % strips, band = (int)get_group_id(0) / strips * bands;
  const int tiles = (columns + width - 1) / width;
  const int first = strip * across, last = min(tiles, first + across);
  const int end = min((rows + height - 1) / height, band + bands);
  for (int down = band; down < end; down++) {
    tile_run run;
    run.row = down * height;
    run.rows = min(height, rows - run.row);
    run.width = width;
    run.columns = columns;
    for (int tile = first; tile < last; tile += VECTOR) {
      run.column = tile * width;
      run.tiles = min(VECTOR, last - tile);
      const int_vector found = largest_of_run(&run, x);
      const block_scales scale = scales_of_tiles(&it, &run, x, found);
      float encode[VECTOR], decode[VECTOR], magnitude[VECTOR];
      STORE_VECTOR(scale.encode, 0, encode);
      STORE_VECTOR(scale.decode, 0, decode);
      STORE_VECTOR(AS_VECTOR(found), 0, magnitude);
      for (int k = 0; k < run.tiles; k++) {
        gradient_tile one;
        one.from = run.row;
        one.to = run.row + run.rows;
        one.left = run.column + k * width;
        one.right = tile_end(&run, k);
        one.columns = columns;
        pass_tile(&it, &one, x, dy, dx, (vector)(encode[k]), (vector)(decode[k]), INTS(as_int(magnitude[k])),
                  estimator);
      }
    }
  }
}

// Up to VECTOR columns, the first element with the number `element`.
static inline void pass_columns(const quantization *it, const global float *x, const global float *dy, global float *dx,
                                const int rows, const int count, const int columns, const uint element,
                                const int estimator) {
  const int_vector largest = largest_of_columns(x, rows, count, columns);
  const block_scales scale = scales_of_columns(it, x, rows, count, columns, largest);
  vector share = (vector)(0.0f);
  if (estimator == FULL) {
    scale_terms terms;
    terms.sum = (vector)(0.0f);
    terms.count = INTS(0);
    for (int row = 0; row < rows; row++) {
      const size_t at = (size_t)row * (size_t)columns;
      add_terms(it, &terms, load_some(x + at, count), load_some(dy + at, count), scale.encode, scale.decode, largest,
                element + (uint)at);
    }
    share = scale_share(terms.sum, terms.count, largest);
  }
  for (int row = 0; row < rows; row++) {
    const size_t at = (size_t)row * (size_t)columns;
    const vector gradient = load_some(dy + at, count);
    store_some(passed(it, load_some(x + at, count), gradient, scale.encode, share, largest, estimator), dx + at, count);
  }
}

// Group: one band of `height` rows in one of `strips` strips of columns.
kernel GRADIENT_GROUP
void gradient_columns(const global float *x, const global float *dy, const global float *largest, global float *dx,
                      const int rows, const int columns, const int height, const int strips, const int across,
                      const int estimator, PARAMETERS parameters) {
  quantization it = unpack(parameters);
  if (largest) set_tensor_scale(&it, largest[0]);
  const int strip = (int)get_group_id(0) % strips, row = (int)get_group_id(0) / strips * height;
  const int high = min(rows, row + height) - row;
  const int left = strip * across, right = min(columns, left + across);
  for (int column = left; column < right; column += VECTOR) {
    const size_t at = (size_t)row * (size_t)columns + (size_t)column;
    pass_columns(&it, x + at, dy + at, dx + at, high, right - column, columns, (uint)at, estimator);
  }
}
