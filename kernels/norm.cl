// norm.cl - RMSNorm and LayerNorm over the last axis with a fused residual addition, and their gradients
//
//   norm_forward   x, residual [rows, dim], weight, bias [dim]  -> y, sum [rows, dim], mean, rstd [rows]
//   norm_backward  x, dy, dsum [rows, dim], mean, rstd, dmean, drstd [rows], weight [dim]
//                  -> dx [rows, dim], dweight, dbias [blocks, dim] (sums over each block of rows)
//
//   z = x + residual;  h = (z - mean) rstd;  y = h (weight + offset) + bias;  rstd = 1 / sqrt(<(z - mean)^2> + epsilon)
//   g = dy (weight + offset);  dx = rstd (g - <g> - h <g h>) + dsum;  dweight = sum dy h;  dbias = sum dy
//
// Absent operands are null pointers; RMSNorm is the form without mean (mean = 0, no <g>). The variance is taken
// round the mean in a pass of its own: <z^2> - mean^2 cancels where the mean is large.
// One work-group per block of rows, LANES work-items each; a work-item always meets the same columns, so that only
// the row sums are shared. No atomics, a fixed order of additions.
// Paper: Ba et al. 2016, Zhang & Sennrich 2019.   Swift: Operations/Normalization.swift

#ifndef LANES
#define LANES 1  // work-items per row, a power of two: 1 on processors
#endif

#include "rows.cl"

// weight + offset, or 1 without a weight.
static inline part_t gain_part(const global float *weight, const float offset, const uint i, const uint count) {
  return weight ? load_part(weight + i, count) + offset : (part_t)(1.0f);
}

// sum = a + b; returns this lane's share of the sum of squares, as the values are at hand.
static inline float add_rows(const global float *a, const global float *b, global float *sum, const uint dim,
                             const uint lane) {
  part_t squares = 0.0f;
  uint i = lane * PART;
  for (; i + PART <= dim; i += STEP) {
    const part_t value = LOAD_PART(a + i) + LOAD_PART(b + i);
    STORE_PART(value, sum + i);
    squares += value * value;
  }
  if (i < dim) {
    const part_t value = load_part(a + i, dim - i) + load_part(b + i, dim - i);
    store_part(value, sum + i, dim - i);
    squares += value * value;
  }
  return part_sum(squares);
}

// This lane's share of the sum of a row, in two chains.
static inline float row_sum(const global float *z, const uint dim, const uint lane) {
  part_t chain0 = 0.0f, chain1 = 0.0f;
  uint i = lane * PART;
  for (; i + STEP + PART <= dim; i += 2 * STEP) {
    chain0 += LOAD_PART(z + i);
    chain1 += LOAD_PART(z + i + STEP);
  }
  for (; i < dim; i += STEP) chain0 += load_part(z + i, min((uint)PART, dim - i));
  return part_sum(chain0 + chain1);
}

// This lane's share of the sum of (z - center)^2.
static inline float row_squares(const global float *z, const float center, const uint dim, const uint lane) {
  part_t chain0 = 0.0f, chain1 = 0.0f;
  uint i = lane * PART;
  for (; i + STEP + PART <= dim; i += 2 * STEP) {
    const part_t d0 = LOAD_PART(z + i) - center, d1 = LOAD_PART(z + i + STEP) - center;
    chain0 += d0 * d0;
    chain1 += d1 * d1;
  }
  for (; i + PART <= dim; i += STEP) {
    const part_t d = LOAD_PART(z + i) - center;
    chain0 += d * d;
  }
  float sum = part_sum(chain0 + chain1);
  // The short part, if this lane has it: less than PART columns are left.
  for (; i < dim; i++) sum += (z[i] - center) * (z[i] - center);
  return sum;
}

static inline void normalize_part(const global float *z, const float center, const float r,
                                  const global float *weight, const float offset, const global float *bias,
                                  global float *y, const uint i, const uint count) {
  part_t value = (load_part(z + i, count) - center) * r * gain_part(weight, offset, i, count);
  if (bias) value += load_part(bias + i, count);
  store_part(value, y + i, count);
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void norm_forward(const global float *restrict x, const global float *restrict residual,
                  const global float *restrict weight, const global float *restrict bias,
                  global float *restrict y, global float *restrict sum, global float *restrict mean,
                  global float *restrict rstd, const float epsilon, const float offset, const uint rows,
                  const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const size_t start = (size_t)row * dim;
    const global float *z = x + start;
    float squares = 0.0f;
    if (residual) {
      squares = add_rows(x + start, residual + start, sum + start, dim, lane);
      z = sum + start;
    }
    const float center = mean ? ROW_SUM(row_sum(z, dim, lane)) / dim : 0.0f;
    if (mean || !residual) squares = row_squares(z, center, dim, lane);
    const float r = 1.0f / sqrt(ROW_SUM(squares) / dim + epsilon);
    uint i = lane * PART;
    for (; i + PART <= dim; i += STEP) normalize_part(z, center, r, weight, offset, bias, y + start, i, PART);
    if (i < dim) normalize_part(z, center, r, weight, offset, bias, y + start, i, dim - i);
    if (lane == 0) {
      rstd[row] = r;
      if (mean) mean[row] = center;
    }
  }
}

// What all rows of a block share in the backward, and one row's x, dy, statistics and running sums.
typedef struct {
  const global float *weight;
  float offset;
  const global float *x, *dy;
  float center, r;
  part_t dot, total;
} Row;

static inline part_t normalized_part(const Row *row, const uint i, const uint count) {
  return (load_part(row->x + i, count) - row->center) * row->r;
}

// Adds to the sums of g and g h.
static inline void products_part(Row *row, const uint i, const uint count) {
  const part_t g = load_part(row->dy + i, count) * gain_part(row->weight, row->offset, i, count);
  row->dot += g * normalized_part(row, i, count);
  row->total += g;
}

// Where a block of rows sums up the gradients of the parameters; its first row starts the sums.
typedef struct {
  global float *dweight, *dbias;
  int is_first;
} Sums;

static inline void sum_part(global float *sums, const part_t value, const int is_first, const uint i,
                            const uint count) {
  const part_t known = is_first ? (part_t)(0.0f) : load_part(sums + i, count);
  store_part(known + value, sums + i, count);
}

// dx, and the row's share of the parameters' gradients, as dy and h are at hand.
static inline void gradient_part(const Row *row, const Sums *sums, const float along, const float shift,
                                 const global float *dsum, global float *dx, const uint i, const uint count) {
  const part_t d = load_part(row->dy + i, count), h = normalized_part(row, i, count);
  part_t value = row->r * (d * gain_part(row->weight, row->offset, i, count) - h * along) - shift;
  if (dsum) value += load_part(dsum + i, count);
  store_part(value, dx + i, count);
  if (sums->dweight) sum_part(sums->dweight, d * h, sums->is_first, i, count);
  if (sums->dbias) sum_part(sums->dbias, d, sums->is_first, i, count);
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void norm_backward(const global float *restrict x, const global float *restrict mean,
                   const global float *restrict rstd, const global float *restrict dy,
                   const global float *restrict weight, const global float *restrict dsum,
                   const global float *restrict dmean, const global float *restrict drstd,
                   global float *restrict dx, global float *restrict dweight, global float *restrict dbias,
                   const float offset, const uint rows, const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  const size_t partial = (size_t)get_group_id(0) * dim;
  Sums sums = {dweight ? dweight + partial : dweight, dbias ? dbias + partial : dbias, 1};
  for (uint number = first; number < last; number++) {
    const size_t start = (size_t)number * dim;
    Row row = {weight, offset, x + start, dy + start, mean ? mean[number] : 0.0f, rstd[number], 0.0f, 0.0f};
    uint i = lane * PART;
    for (; i + PART <= dim; i += STEP) products_part(&row, i, PART);
    if (i < dim) products_part(&row, i, dim - i);
    const float along = (ROW_SUM(part_sum(row.dot)) + (drstd ? drstd[number] * row.r : 0.0f)) / dim;
    float shift = 0.0f;
    if (mean) shift = (row.r * ROW_SUM(part_sum(row.total)) - (dmean ? dmean[number] : 0.0f)) / dim;
    const global float *other = dsum ? dsum + start : dsum;
    for (i = lane * PART; i + PART <= dim; i += STEP) {
      gradient_part(&row, &sums, along, shift, other, dx + start, i, PART);
    }
    if (i < dim) gradient_part(&row, &sums, along, shift, other, dx + start, i, dim - i);
    sums.is_first = 0;
  }
}
