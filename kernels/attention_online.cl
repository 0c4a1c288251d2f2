// attention_online.cl - the online softmax of the attention kernels for graphics processors
//
// Included by attention_tiled.cl and attention_tiled_decode.cl. OpenCL C 1.2 core only.
//
// An item keeps its rows' maxima, its share of their outputs, and the sums of its own columns only: those are
// added up over the LANES items of a row at the end.

#include "attention_tiles.cl"

#define OUTPUTS OUTPUT_VECTORS(DV4)

typedef struct {
  float maximum[ITEM_ROWS], sum[ITEM_ROWS], moment[ITEM_ROWS]; // moment: sum of p log2 p, for the entropy
} RowStates;

// numbers [ITEM_ROWS] = their sum over the LANES items of each row, the same for all of them. A macro, because
// PoCL 3.1 makes one array for all work-groups of a local array whose address two calls of a function take.
#define SUM_OVER_LANES(NUMBERS, EXCHANGE, Y, X) \
  { \
    barrier(CLK_LOCAL_MEM_FENCE); \
    _Pragma("unroll") for (int i = 0; i < ITEM_ROWS; ++i) { \
      ((local float *)(EXCHANGE))[((Y) + ROW_ITEMS * i) * LANES + (X)] = (NUMBERS)[i]; \
    } \
    barrier(CLK_LOCAL_MEM_FENCE); \
    _Pragma("unroll") for (int i = 0; i < ITEM_ROWS; ++i) { \
      float4 sum = 0.0f; \
      for (int n = 0; n < LANES / 4; ++n) { \
        sum += (EXCHANGE)[((Y) + ROW_ITEMS * i) * (LANES / 4) + n]; \
      } \
      (NUMBERS)[i] = (sum.x + sum.y) + (sum.z + sum.w); \
    } \
  }

// Scores -> exp2(score - maximum) as weights in local memory; states and outputs follow the new maxima. The
// weights are not yet visible to other items.
static inline void online_softmax(
    const float *scores, RowStates *states, float4 *outputs, local float4 *exchange, local float4 *weights, int y,
    int x) {
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    float highest = scores[i * ITEM_COLUMNS];
#pragma unroll
    for (int j = 1; j < ITEM_COLUMNS; ++j) {
      highest = fmax(highest, scores[i * ITEM_COLUMNS + j]);
    }
    ((local float *)exchange)[(y + ROW_ITEMS * i) * LANES + x] = highest;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    float4 all = exchange[(y + ROW_ITEMS * i) * (LANES / 4)];
    for (int n = 1; n < LANES / 4; ++n) {
      all = fmax(all, exchange[(y + ROW_ITEMS * i) * (LANES / 4) + n]);
    }
    const float highest = fmax(states->maximum[i], fmax(fmax(all.x, all.y), fmax(all.z, all.w)));
    const float shift = states->maximum[i] - highest;
    const float factor = exp2(shift);
    states->moment[i] =
        factor * fma(states->sum[i], (states->sum[i] > 0.0f) ? shift : 0.0f, states->moment[i]);
    states->sum[i] *= factor;
    states->maximum[i] = highest;
    // A row that has met no visible key yet must get 0, not exp2(MASKED - MASKED).
    const float base = (highest < -1.0e29f) ? 0.0f : highest;
#pragma unroll
    for (int j = 0; j < ITEM_COLUMNS; ++j) {
      const float shifted = scores[i * ITEM_COLUMNS + j] - base;
      const float p = exp2(shifted);
      states->sum[i] += p;
#if ENTROPY
      states->moment[i] = fma(p, shifted, states->moment[i]);
#endif
      ((local float *)weights)[(y + ROW_ITEMS * i) * (WEIGHT_STRIDE * 4) + x + LANES * j] = p;
    }
#pragma unroll
    for (int n = 0; n < OUTPUTS; ++n) {
      outputs[i * OUTPUTS + n] *= factor;
    }
  }
}

// What a work-group has in local memory.
typedef struct {
  local float4 *queries, *keys, *weights, *exchange;
  local int4 *votes;
} Tile;

// Where keys and values of one key head lie, and who sees them.
typedef struct {
  global const float4 *k, *v;
  size_t k_stride, v_stride;
  Reach reach;
  global const int *documents;
  global const uchar *mask;
} Keys;

// The query rows of an item, numbered within the sequence, and the slopes of their heads.
typedef struct {
  int row[ITEM_ROWS];
  float slope[ITEM_ROWS];
} ItemRows;

static inline void start_rows(RowStates *states, float4 *outputs) {
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
    states->maximum[i] = MASKED;
    states->sum[i] = 0.0f;
    states->moment[i] = 0.0f;
#pragma unroll
    for (int n = 0; n < OUTPUTS; ++n) {
      outputs[i * OUTPUTS + n] = 0.0f;
    }
  }
}

// Takes the sink in, normalizes and writes one row's statistics; returns what the output must be multiplied by.
static inline float finish_row(
    float maximum, float sum, float moment, float sink, int writes, global float *lse, global float *entropy) {
  float total = sum, factor = 1.0f;
#if SINKS
  const float highest = fmax(sink, maximum), shift = maximum - highest;
  factor = exp2(shift);
  moment = factor * fma(sum, (sum > 0.0f) ? shift : 0.0f, moment);
  sum *= factor;
  total = sum + exp2(sink - highest);
  maximum = highest;
#endif
  const int dead = total <= 0.0f;
  const float safe = dead ? 1.0f : total;
  const float log_total = log2(safe);
  if (writes) {
    *lse = dead ? MASKED : (maximum + log_total) * LN_2;
#if ENTROPY
    *entropy = dead ? 0.0f : (sum * log_total - moment) * LN_2 / safe;
#endif
  }
  return dead ? 0.0f : factor / safe;
}


// Adds keys key0 ... key0 + count - 1 to the outputs and states of the tile's rows, which are query rows
// first_row ... last_row. q: the tile's rows, unless they are held.
static inline void attend(
    Tile tile, Keys keys, ItemRows mine, int first_row, int last_row, global const float4 *q, size_t q_stride,
    int q_count, int key0, int count, float scale, float softcap, int y, int x, RowStates *states,
    float4 *outputs) {
  int key[ITEM_COLUMNS];
#pragma unroll
  for (int j = 0; j < ITEM_COLUMNS; ++j) {
    key[j] = key0 + x + LANES * j;
  }
  uint bits = ~0u;
  if (DOCUMENTS || MASK || !sees_whole(keys.reach, first_row, last_row, key0, key0 + COLUMNS - 1)) {
    bits = visible_pairs(
        keys.reach, mine.row, ITEM_ROWS, ITEM_COLUMNS, key, ITEM_COLUMNS, 1, keys.documents, keys.mask);
  }
#if DOCUMENTS || MASK
  if (!any_visible(bits, tile.votes)) {
    return;
  }
#endif
  float scores[ITEM_ROWS * ITEM_COLUMNS];
  multiply_rows(
      q, q_stride, q_count, tile.queries, keys.k + (size_t)key0 * keys.k_stride, keys.k_stride, count, tile.keys,
      D4, y, x, scores);
#pragma unroll
  for (int i = 0; i < ITEM_ROWS; ++i) {
#pragma unroll
    for (int j = 0; j < ITEM_COLUMNS; ++j) {
      float unused;
      const int n = i * ITEM_COLUMNS + j;
      const float score = shape_score(
          scores[n] * score_factor(scale, softcap), abs(mine.row[i] + keys.reach.offset - key[j]), softcap,
          mine.slope[i], &unused);
      scores[n] = ((bits >> n) & 1u) ? score : MASKED;
    }
  }
  online_softmax(scores, states, outputs, tile.exchange, tile.weights, y, x);
  accumulate_rows(
      tile.weights, keys.v + (size_t)key0 * keys.v_stride, keys.v_stride, count, tile.keys, DV4,
      WHOLE_ROWS(OUTPUTS * LANES), OUTPUTS, y, x, outputs);
}
