// attention_tiles.cl - tiles in local memory for the attention kernels of graphics processors
//
// Included by attention_online.cl and attention_tiled_backward.cl. OpenCL C 1.2 core only.
//
// A work-group of GROUP items owns ROWS rows of one side of the matrix of scores (query rows, or keys where dk
// and dv are made) and walks over the other side COLUMNS at a time. Items stand in a grid of GROUP / LANES by
// LANES: item (y, x) has the rows y, y + GROUP / LANES, ... and the columns x, x + LANES, ..., so that
// neighbours read neighbouring rows of local memory. Those are padded by one float4: eight of them then lie
// in 32 different banks. Operands pass through local memory DEPTH of their width at a time; rows that the
// group owns stay there where they are no wider than HELD.
// All memory is read in float4: widths are multiples of 4 and tensors start at multiples of 16 bytes.
// Swift: Operations/AttentionConfiguration.swift sets the sizes and counts the local memory.

#include "attention_rules.cl"

#ifndef ROWS
#define ROWS 32
#endif
#ifndef COLUMNS
#define COLUMNS 32         // multiple of LANES and of 4
#endif
#ifndef GROUP
#define GROUP 64
#endif
#ifndef LANES
#define LANES 8            // multiple of 4, divides GROUP
#endif
#ifndef DEPTH
#define DEPTH 32           // multiple of 4
#endif
#ifndef HELD
#define HELD 0             // multiple of 4
#endif

#define ROW_ITEMS (GROUP / LANES)
#define ITEM_ROWS (ROWS / ROW_ITEMS)
#define ITEM_COLUMNS (COLUMNS / LANES)
#define D4 (D / 4)
#define DV4 (DV / 4)
#define DEPTH4 ((DEPTH < WIDEST ? DEPTH : WIDEST) / 4)
#define STAYS (HELD >= WIDEST)        // the owned rows are staged once
#define STAGE_STRIDE (DEPTH4 + 1)
#define OWNED_STRIDE ((STAYS ? WIDEST / 4 : DEPTH4) + 1)
#define WEIGHT_STRIDE (COLUMNS / 4 + 1)

// An output row is split over LANES items in vectors: vector x, x + LANES, ... of it.
#define OUTPUT_VECTORS(WIDTH4) (((WIDTH4) + LANES - 1) / LANES)
#define WIDEST_OUTPUT (OUTPUT_VECTORS(WIDEST / 4) * LANES)

// Room for COLUMNS rows in chunks of DEPTH, and for at least 4 whole rows.
#define STAGE_SIZE \
  (COLUMNS * STAGE_STRIDE > 4 * WIDEST_OUTPUT ? COLUMNS * STAGE_STRIDE : 4 * WIDEST_OUTPUT)
// Whole rows staged at a time: COLUMNS, or a half, a quarter, ... of it, or 4.
#define WHOLE_ROWS(WIDTH4) \
  (STAGE_SIZE >= COLUMNS * (WIDTH4)                                  ? COLUMNS \
   : COLUMNS % 8 == 0 && STAGE_SIZE >= COLUMNS / 2 * (WIDTH4)        ? COLUMNS / 2 \
   : COLUMNS % 16 == 0 && STAGE_SIZE >= COLUMNS / 4 * (WIDTH4)       ? COLUMNS / 4 \
   : COLUMNS % 32 == 0 && STAGE_SIZE >= COLUMNS / 8 * (WIDTH4)       ? COLUMNS / 8 \
                                                                     : 4)

// target [tile_rows][tile_width] = columns from `column` on of `rows` rows of source; zero where there are none.
static inline void stage(
    global const float4 *source, size_t stride, int rows, int column, int width, int tile_rows, int tile_width,
    local float4 *target, int target_stride) {
  for (int n = (int)get_local_id(0); n < tile_rows * tile_width; n += GROUP) {
    const int r = n / tile_width, c = n % tile_width;
    float4 x = 0.0f;
    if (r < rows && column + c < width) {
      x = source[(size_t)r * stride + column + c];
    }
    target[r * target_stride + c] = x;
  }
}

// sums [ITEM_ROWS][ITEM_COLUMNS] += owned visited^T over `depth` vectors; y and x: the item's place in the grid.
static inline void multiply_staged(
    local const float4 *owned, local const float4 *visited, int depth, int y, int x, float *sums) {
  for (int p = 0; p < depth; ++p) {
    float4 left[ITEM_ROWS], right[ITEM_COLUMNS];
#pragma unroll
    for (int i = 0; i < ITEM_ROWS; ++i) {
      left[i] = owned[(y + ROW_ITEMS * i) * OWNED_STRIDE + p];
    }
#pragma unroll
    for (int j = 0; j < ITEM_COLUMNS; ++j) {
      right[j] = visited[(x + LANES * j) * STAGE_STRIDE + p];
    }
#pragma unroll
    for (int i = 0; i < ITEM_ROWS; ++i) {
#pragma unroll
      for (int j = 0; j < ITEM_COLUMNS; ++j) {
        float sum = sums[i * ITEM_COLUMNS + j];
        sum = fma(left[i].x, right[j].x, sum);
        sum = fma(left[i].y, right[j].y, sum);
        sum = fma(left[i].z, right[j].z, sum);
        sums[i * ITEM_COLUMNS + j] = fma(left[i].w, right[j].w, sum);
      }
    }
  }
}

static inline void clear(float *numbers, int count) {
#pragma unroll
  for (int n = 0; n < count; ++n) {
    numbers[n] = 0.0f;
  }
}

static inline void clear_vectors(float4 *vectors, int count) {
#pragma unroll
  for (int n = 0; n < count; ++n) {
    vectors[n] = 0.0f;
  }
}

// sums = owned rows times visited rows, transposed, over `width` vectors. Where the owned rows stay in local
// memory, `owned` is not read. Ends with a barrier.
static inline void multiply_rows(
    global const float4 *owned, size_t owned_stride, int owned_rows, local float4 *owned_stage,
    global const float4 *visited, size_t visited_stride, int visited_rows, local float4 *visited_stage,
    int width, int y, int x, float *sums) {
  clear(sums, ITEM_ROWS * ITEM_COLUMNS);
  for (int column = 0; column < width; column += DEPTH4) {
#if !STAYS
    stage(owned, owned_stride, owned_rows, column, width, ROWS, DEPTH4, owned_stage, OWNED_STRIDE);
#endif
    stage(visited, visited_stride, visited_rows, column, width, COLUMNS, DEPTH4, visited_stage, STAGE_STRIDE);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply_staged(
        owned_stage + (STAYS ? column : 0), visited_stage, min(DEPTH4, width - column), y, x, sums);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
}

// outputs [ITEM_ROWS][vectors] += weights [ROWS][first ... first + count] times staged whole rows.
static inline void accumulate_staged(
    local const float4 *weights, local const float4 *whole_rows, int first, int count, int vectors, int y,
    int x, float4 *outputs) {
  for (int j = 0; j < count; j += 4) {
    float4 weight[ITEM_ROWS];
#pragma unroll
    for (int i = 0; i < ITEM_ROWS; ++i) {
      weight[i] = weights[(y + ROW_ITEMS * i) * WEIGHT_STRIDE + (first + j) / 4];
    }
#pragma unroll
    for (int n = 0; n < vectors; ++n) {
      local const float4 *row = whole_rows + j * (vectors * LANES) + n * LANES + x;
      const float4 v0 = row[0], v1 = row[vectors * LANES], v2 = row[2 * vectors * LANES],
                   v3 = row[3 * vectors * LANES];
#pragma unroll
      for (int i = 0; i < ITEM_ROWS; ++i) {
        float4 sum = outputs[i * vectors + n];
        sum = fma((float4)(weight[i].x), v0, sum);
        sum = fma((float4)(weight[i].y), v1, sum);
        sum = fma((float4)(weight[i].z), v2, sum);
        outputs[i * vectors + n] = fma((float4)(weight[i].w), v3, sum);
      }
    }
  }
}

// outputs += weights times the `rows` visited rows of `width` vectors; at_once rows pass through local memory
// at a time. The weights may have been written just before; ends with a barrier.
static inline void accumulate_rows(
    local const float4 *weights, global const float4 *visited, size_t stride, int rows,
    local float4 *visited_stage, int width, int at_once, int vectors, int y, int x, float4 *outputs) {
  for (int first = 0; first < COLUMNS; first += at_once) {
    stage(
        visited + (size_t)first * stride, stride, rows - first, 0, width, at_once, vectors * LANES,
        visited_stage, vectors * LANES);
    barrier(CLK_LOCAL_MEM_FENCE);
    accumulate_staged(weights, visited_stage, first, at_once, vectors, y, x, outputs);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
}

// Which pairs of `row_count` query rows and `key_count` keys are visible, as bits: row n and key m have bit
// n * row_step + m * key_step.
static inline uint visible_pairs(
    Reach reach, const int *rows, int row_count, int row_step, const int *keys, int key_count, int key_step,
    global const int *documents, global const uchar *mask) {
  uint bits = 0;
#pragma unroll
  for (int n = 0; n < row_count; ++n) {
#pragma unroll
    for (int m = 0; m < key_count; ++m) {
      if (sees(reach, rows[n], keys[m], documents, mask)) {
        bits |= 1u << (n * row_step + m * key_step);
      }
    }
  }
  return bits;
}

// Whether every query row of a block sees every key of a block by the reach alone.
static inline int sees_whole(Reach reach, int first_row, int last_row, int first, int last) {
  return last_row < reach.query_time && first_key(reach, last_row) <= first &&
         last_key(reach, first_row) >= last;
}

// Whether any item of the work-group has a bit. `votes` [GROUP / 4]; ends with a barrier.
static inline int any_visible(uint bits, local int4 *votes) {
  ((local int *)votes)[get_local_id(0)] = bits != 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  int4 any = 0;
  for (int n = 0; n < GROUP / 4; ++n) {
    any |= votes[n];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return any.x | any.y | any.z | any.w;
}
