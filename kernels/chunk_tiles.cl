// chunk_tiles.cl - tiles of the matrices of one chunk in local memory: what the linear mixers' kernels for graphics
// processors share
//
// Included by chunk_tiled.cl and its relatives. OpenCL C 1.2 core only.
//
// All chunks of all heads are worked on at once: the third index of a work-group is the head of a sequence, the second the
// chunk. A matrix is either rows of tokens [B, T, heads, width], read in place, or the states of a head [chunks + 1]
// [K, V], where state n stands in front of chunk n. A work-group makes TILE x TILE elements of a result, a work-item 4 x 4
// of them.

#ifndef CHUNK_TILES
#define CHUNK_TILES

#ifndef CHUNK
#define CHUNK 64 // tokens per chunk, a multiple of TILE
#endif
#ifndef TILE
#define TILE 64 // rows and columns of a result per work-group, a multiple of 4
#endif
#define ACROSS (TILE / 4)       // work-items side by side
#define LANES (ACROSS * ACROSS) // the work-group
#define DEPTH 16                // terms of a sum per step
#define STRIDE (TILE + 4)       // floats from one term to the next in local memory; the 4 spread the banks
#define TILES(count) (((count) + TILE - 1) / TILE)

#define LEAST_GATE -20.0f

// The chunk and head of a work-group.
typedef struct {
  int time, heads, batch, head, chunk, chunks;
  int rows; // tokens of the chunk
} Place;

static inline Place place_of_group(int time, int heads) {
  Place place;
  place.time = time;
  place.heads = heads;
  place.batch = (int)get_group_id(2) / heads;
  place.head = (int)get_group_id(2) % heads;
  place.chunk = (int)get_group_id(1);
  place.chunks = (time + CHUNK - 1) / CHUNK;
  place.rows = min(CHUNK, time - place.chunk * CHUNK);
  return place;
}

// The first float of the chunk's rows in [B, T, heads, width]; rows lie `heads * width` apart.
static inline size_t rows_at(Place place, int heads, int width) {
  const size_t token = (size_t)place.batch * place.time + (size_t)place.chunk * CHUNK;
  return (token * heads + place.head * heads / place.heads) * width;
}

#define AHEAD 8 // chunks that a scan reads before it writes: the reads do not wait for each other

// The chunk that a scan meets at `index`; behind the last it meets it again.
static inline int scanned_chunk(Place place, int index, int reverse) {
  const int last = place.chunks - 1;
  return reverse ? last - min(index, last) : min(index, last);
}

// The first float of state `index` of the head, `size` floats each.
static inline size_t state_at(Place place, int index, size_t size) {
  return (((size_t)place.batch * place.heads + place.head) * (place.chunks + 1) + index) * size;
}

// Decays of a chunk, with b = the cumulative sum of its gates: b, what rounding took from it, e^b, e^{b_last - b} and the
// number of the document counted from the one in front of the chunk, CHUNK each (decays.cl).
#define DECAY_FLOATS (5 * CHUNK)
#define FROM_START (2 * CHUNK)
#define TO_END (3 * CHUNK)
#define DOCUMENT_NUMBERS (4 * CHUNK)

static inline size_t decays_at(Place place) {
  return (((size_t)place.batch * place.heads + place.head) * place.chunks + place.chunk) * DECAY_FLOATS;
}

// By what the state decays from token s to token r of a chunk; 0 for s > r.
static inline float decay_between(global const float *decays, int r, int s) {
  global const int *documents = (global const int *)(decays + DOCUMENT_NUMBERS);
  if (s > r || documents[s] != documents[r]) return 0.0f;
  return exp(min((decays[r] - decays[s]) + (decays[CHUNK + r] - decays[CHUNK + s]), 0.0f));
}

// tile [DEPTH][STRIDE] = x(p, i) for p < depth and i < count, 0 elsewhere; multiplied by p_factors[p], `factor_stride` apart,
// and i_factors[i], where there are such. Neighbouring work-items read along the axis without gaps.
static inline void load_tile(global const float *x, size_t p_stride, size_t i_stride, int depth, int count,
                             global const float *p_factors, int factor_stride, global const float *i_factors,
                             local float *tile) {
  for (int e = (int)get_local_id(0); e < DEPTH * TILE; e += LANES) {
    const int p = p_stride == 1 ? e % DEPTH : e / TILE, i = p_stride == 1 ? e / DEPTH : e % TILE;
    float value = 0.0f;
    if (p < depth && i < count) {
      value = x[p * p_stride + i * i_stride];
      if (p_factors) value *= p_factors[p * factor_stride];
      if (i_factors) value *= i_factors[i];
    }
    tile[p * STRIDE + i] = value;
  }
}

// sums [4] of four columns each += the terms of two tiles for rows down ... down + 3 and columns across ... across + 3.
static inline void multiply_tiles(const local float *a, const local float *b, int down, int across, float4 *sums) {
#pragma unroll
  for (int p = 0; p < DEPTH; p++) {
    const float4 x = *(const local float4 *)(a + p * STRIDE + down);
    const float4 y = *(const local float4 *)(b + p * STRIDE + across);
    sums[0] = fma((float4)(x.s0), y, sums[0]);
    sums[1] = fma((float4)(x.s1), y, sums[1]);
    sums[2] = fma((float4)(x.s2), y, sums[2]);
    sums[3] = fma((float4)(x.s3), y, sums[3]);
  }
}

// The first `count` of four numbers, 0 behind them.
static inline float4 load_columns(global const float *from, int count) {
  return (float4)(count > 0 ? from[0] : 0.0f, count > 1 ? from[1] : 0.0f, count > 2 ? from[2] : 0.0f,
                  count > 3 ? from[3] : 0.0f);
}

// The first `count` of four numbers, added to what is there or instead of it.
static inline void store_columns(float4 value, int adds, global float *target, int count) {
  const float4 old = (float4)(adds && count > 0 ? target[0] : 0.0f, adds && count > 1 ? target[1] : 0.0f,
                              adds && count > 2 ? target[2] : 0.0f, adds && count > 3 ? target[3] : 0.0f);
  value += old;
  if (count > 0) target[0] = value.s0;
  if (count > 1) target[1] = value.s1;
  if (count > 2) target[2] = value.s2;
  if (count > 3) target[3] = value.s3;
}

#define TILE_MEMORY \
  local float a_tile[DEPTH * STRIDE] __attribute__((aligned(16))); \
  local float b_tile[DEPTH * STRIDE] __attribute__((aligned(16))); \
  const int down = (int)get_local_id(0) / ACROSS * 4, across = (int)get_local_id(0) % ACROSS * 4; \
  float4 totals[4] = {(float4)(0.0f), (float4)(0.0f), (float4)(0.0f), (float4)(0.0f)};

#endif
