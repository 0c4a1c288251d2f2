// vector_gate_tiled.cl - what a gate per key channel (GLA) adds to chunk_tiled.cl, for graphics processors
//
//   vector_decays          gates, q, k               -> b [B, T, H, K] in two floats, q e^b, k e^{b_last - b}, e^{b_last}
//   vector_scores          q, k, b                   -> scores [B, T, H, CHUNK], scale P of vector_gate.cl
//   vector_scan            states, e^{b_last}        -> states, each the one before, decayed, plus its own
//   vector_score_rows      score gradients, k or q   -> dq or dk: what other tokens of the chunk give
//   vector_gate_gradients  dq and dk in parts        -> dgate, dq, dk
//   vector_step            the forward token by token, for decoding
//
// b is the cumulative sum of a chunk's gates, kept in two floats as decays.cl does. The products with states are those of
// chunk_tiled.cl, on rows that are decayed beforehand; documents are told apart there. Scores make every decay between two
// tokens by itself, which is exact for any gates: as many exponentials as the product has terms.
// Paper: Yang et al. 2024 (GLA).   Swift: Operations/Recurrences/GatedLinearAttention+Graphics.swift

#include "chunk_tiles.cl"

#ifndef ITEMS
#define ITEMS 64 // work-items of the kernels without tiles
#endif
#define TILED __attribute__((reqd_work_group_size(LANES, 1, 1)))
#define GROUP __attribute__((reqd_work_group_size(ITEMS, 1, 1)))

// The first float of the chunk in [B, H, chunks, width].
static inline size_t carry_at(Place place, int width) {
  return (((size_t)place.batch * place.heads + place.head) * place.chunks + place.chunk) * width;
}

// Work-groups: (K / ITEMS, chunks, B H). An item owns a channel.
GROUP kernel void vector_decays(global const float *gates, global const float *query, global const float *key,
                                global float *sums, global float *rests, global float *from_start,
                                global float *to_end, global float *carries, int time, int heads, int width) {
  const Place place = place_of_group(time, heads);
  const int channel = (int)get_global_id(0);
  if (channel >= width) return;
  const size_t first = rows_at(place, heads, width) + channel, row = (size_t)heads * width;
  float sum = 0.0f, rest = 0.0f;
  for (int r = 0; r < place.rows; r++) {
    const size_t i = first + r * row;
    const float term = max(gates[i], LEAST_GATE) + rest, next = sum + term;
    rest = term - (next - sum);
    sum = next;
    sums[i] = sum;
    rests[i] = rest;
    from_start[i] = query[i] * exp(sum + rest);
  }
  for (int r = 0; r < place.rows; r++) {
    const size_t i = first + r * row;
    to_end[i] = key[i] * exp((sum - sums[i]) + (rest - rests[i]));
  }
  carries[carry_at(place, width) + channel] = exp(sum + rest);
}

#define MORE_TILE_MEMORY \
  local float a_sums[DEPTH * STRIDE] __attribute__((aligned(16))); \
  local float a_rests[DEPTH * STRIDE] __attribute__((aligned(16))); \
  local float b_sums[DEPTH * STRIDE] __attribute__((aligned(16))); \
  local float b_rests[DEPTH * STRIDE] __attribute__((aligned(16)));

// Work-groups: (tiles of a chunk, chunks, B H). Those above the diagonal are 0: who reads them has other tiles.
TILED kernel void vector_scores(global const float *query, global const float *key, global const float *sums,
                                global const float *rests, global const float *decays, global float *scores, int time,
                                int heads, int width, float scale) {
  TILE_MEMORY
  MORE_TILE_MEMORY
  const Place place = place_of_group(time, heads);
  const int row0 = (int)get_group_id(0) / TILES(CHUNK) * TILE, column0 = (int)get_group_id(0) % TILES(CHUNK) * TILE;
  const size_t stride = (size_t)heads * width, first = rows_at(place, heads, width);
  for (int p = 0; column0 <= row0 && p < width; p += DEPTH) {
    const size_t a = first + row0 * stride + p, b = first + column0 * stride + p;
    load_tile(query + a, 1, stride, width - p, place.rows - row0, 0, 0, 0, a_tile);
    load_tile(sums + a, 1, stride, width - p, place.rows - row0, 0, 0, 0, a_sums);
    load_tile(rests + a, 1, stride, width - p, place.rows - row0, 0, 0, 0, a_rests);
    load_tile(key + b, 1, stride, width - p, place.rows - column0, 0, 0, 0, b_tile);
    load_tile(sums + b, 1, stride, width - p, place.rows - column0, 0, 0, 0, b_sums);
    load_tile(rests + b, 1, stride, width - p, place.rows - column0, 0, 0, 0, b_rests);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int q = 0; q < DEPTH; q++) {
      const float4 k = *(const local float4 *)(b_tile + q * STRIDE + across);
      const float4 sum = *(const local float4 *)(b_sums + q * STRIDE + across);
      const float4 rest = *(const local float4 *)(b_rests + q * STRIDE + across);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int place_of_row = q * STRIDE + down + i;
        const float4 between = (a_sums[place_of_row] - sum) + (a_rests[place_of_row] - rest);
        totals[i] = fma(a_tile[place_of_row] * k, exp(min(between, (float4)(0.0f))), totals[i]);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  decays += decays_at(place);
  scores += rows_at(place, heads, CHUNK);
  for (int i = 0; i < 4; i++) {
    const int r = row0 + down + i, s = column0 + across;
    if (r >= place.rows) break;
    const float4 seen = (float4)(decay_between(decays, r, s), decay_between(decays, r, s + 1),
                                 decay_between(decays, r, s + 2), decay_between(decays, r, s + 3));
    vstore4(totals[i] * seen * scale, 0, scores + (size_t)r * heads * CHUNK + s);
  }
}

// Work-groups: (K V / ITEMS, 1, B H). As chunk_scan, each row with its own decays.
GROUP kernel void vector_scan(global const float *given, global const float *decays, global const float *carries,
                              global float *states, global float *result, int time, int heads, int width,
                              int value_width, int reverse) {
  const Place place = place_of_group(time, heads);
  const int element = (int)get_global_id(0), size = width * value_width;
  if (element >= size) return;
  const size_t whole = ((size_t)place.batch * heads + place.head) * size + element;
  states += state_at(place, 0, size) + element;
  decays += decays_at(place) + FROM_START + CHUNK - 1;
  carries += carry_at(place, width) + element / value_width;
  float state = given ? given[whole] : 0.0f;
  states[reverse ? (size_t)place.chunks * size : 0] = state;
  for (int first = 0; first < place.chunks; first += AHEAD) {
    float own[AHEAD], decay[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      const int chunk = scanned_chunk(place, first + i, reverse);
      own[i] = states[(size_t)(reverse ? chunk : chunk + 1) * size];
      decay[i] = decays[(size_t)chunk * DECAY_FLOATS] * carries[(size_t)chunk * width];
    }
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      if (first + i >= place.chunks) break;
      const int chunk = scanned_chunk(place, first + i, reverse);
      state = fma(decay[i], state, own[i]);
      states[(size_t)(reverse ? chunk : chunk + 1) * size] = state;
    }
  }
  if (result) result[whole] = state;
}

// Work-groups: (tiles of [CHUNK, K], chunks, B H). out_r = e^{b_r} base_r + sum_{s < r} scores_rs y_s e^{b_r - b_s}, all of
// them but the scores [.., K]; `later`: out_s = e^{b_last - b_s} base_s, and instead of adding to it others_s =
// sum_{r > s} scores_rs y_r e^{b_r - b_s}.
TILED kernel void vector_score_rows(global const float *scores, global const float *y, global const float *sums,
                                    global const float *rests, global float *out, global float *others, int time,
                                    int heads, int width, int later) {
  TILE_MEMORY
  local float b_sums[DEPTH * STRIDE] __attribute__((aligned(16)));
  local float b_rests[DEPTH * STRIDE] __attribute__((aligned(16)));
  const Place place = place_of_group(time, heads);
  const int row0 = (int)get_group_id(0) / TILES(width) * TILE, column0 = (int)get_group_id(0) % TILES(width) * TILE;
  const int rows = place.rows - row0, columns = width - column0;
  const size_t stride = (size_t)heads * width, first = rows_at(place, heads, width) + column0;
  const size_t score_row = (size_t)heads * CHUNK;
  scores += rows_at(place, heads, CHUNK) + row0 * (later ? 1 : score_row);
  float4 own_sums[4], own_rests[4];
  for (int i = 0; i < 4; i++) {
    const size_t row = first + (size_t)(row0 + down + i) * stride + across;
    const int count = down + i < rows ? columns - across : 0;
    own_sums[i] = load_columns(sums + row, count);
    own_rests[i] = load_columns(rests + row, count);
  }
  const int begin = later ? row0 : 0, end = later ? place.rows : min(row0 + TILE, place.rows);
  for (int p = begin; p < end; p += DEPTH) {
    const size_t b = first + (size_t)p * stride;
    load_tile(scores + p * (later ? score_row : 1), later ? score_row : 1, later ? 1 : score_row, end - p, rows, 0, 0, 0,
              a_tile);
    load_tile(y + b, stride, 1, end - p, columns, 0, 0, 0, b_tile);
    load_tile(sums + b, stride, 1, end - p, columns, 0, 0, 0, b_sums);
    load_tile(rests + b, stride, 1, end - p, columns, 0, 0, 0, b_rests);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int q = 0; q < DEPTH; q++) {
      const float4 value = *(const local float4 *)(b_tile + q * STRIDE + across);
      const float4 sum = *(const local float4 *)(b_sums + q * STRIDE + across);
      const float4 rest = *(const local float4 *)(b_rests + q * STRIDE + across);
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const float4 between = (own_sums[i] - sum) + (own_rests[i] - rest);
        const float score = p + q == row0 + down + i ? 0.0f : a_tile[q * STRIDE + down + i];
        totals[i] = fma(score * value, exp(min(later ? -between : between, (float4)(0.0f))), totals[i]);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const size_t last = first + (size_t)(place.rows - 1) * stride + across;
  const float4 last_sums = load_columns(sums + last, columns - across);
  const float4 last_rests = load_columns(rests + last, columns - across);
  for (int i = 0; i < 4; i++) {
    if (down + i >= rows) break;
    const size_t row = first + (size_t)(row0 + down + i) * stride + across;
    const float4 base = load_columns(out + row, columns - across);
    const float4 decay =
        exp(later ? (last_sums - own_sums[i]) + (last_rests - own_rests[i]) : own_sums[i] + own_rests[i]);
    store_columns(later ? base * decay : fma(base, decay, totals[i]), 0, out + row, columns - across);
    if (later) store_columns(totals[i], 0, others + row, columns - across);
  }
}

// Work-groups: (K / ITEMS, chunks, B H). An item owns a channel: dgate, and dq and dk from their parts, as in
// vector_gate_backward.cl; dk comes as what the state behind the chunk gives, `own` as what the chunk's tokens give.
GROUP kernel void vector_gate_gradients(
    global const float *query, global const float *key, global const float *gates, global const float *scores,
    global const float *decays, global const float *carries, global const float *states,
    global const float *state_gradients, global const float *own, global float *query_gradient,
    global float *key_gradient, global float *gate_gradient, int time, int heads, int width, int value_width,
    int has_initial) {
  const Place place = place_of_group(time, heads);
  const int channel = (int)get_global_id(0);
  if (channel >= width) return;
  const size_t first = rows_at(place, heads, width) + channel, row = (size_t)heads * width;
  const size_t size = (size_t)width * value_width, score_row = (size_t)heads * CHUNK;
  global const int *documents = (global const int *)(decays + decays_at(place) + DOCUMENT_NUMBERS);
  scores += rows_at(place, heads, CHUNK);
  states += state_at(place, place.chunk, size) + channel * value_width;
  state_gradients += state_at(place, place.chunk + 1, size) + channel * value_width;
  float earlier = 0.0f, later = 0.0f;
  for (int j = 0; j < value_width; j++) earlier = fma(states[j], state_gradients[j], earlier);
  earlier *= carries[carry_at(place, width) + channel] * decays[decays_at(place) + FROM_START + CHUNK - 1];
  for (int r = 0; r < place.rows; r++) {
    const size_t i = first + r * row;
    gate_gradient[i] = earlier;
    earlier = fma(key[i], key_gradient[i], earlier);
  }
  for (int r = place.rows - 1; r >= 0; r--) {
    const size_t i = first + r * row;
    const float diagonal = scores[r * score_row + r], q = query[i], k = key[i];
    later += q * query_gradient[i] - k * own[i];
    // In front of a document nothing is kept, so that its first gate has no gradient.
    const int resets = r > 0 ? documents[r] != documents[r - 1] : documents[0] != 0 || (place.chunk == 0 && !has_initial);
    gate_gradient[i] = resets || gates[i] < LEAST_GATE ? 0.0f : gate_gradient[i] + later;
    query_gradient[i] = fma(diagonal, k, query_gradient[i]);
    key_gradient[i] = fma(diagonal, q, key_gradient[i] + own[i]);
  }
}

// Work-groups: (V / ITEMS, 1, B H). An item owns one column of a head's state and reads and writes it once per token.
GROUP kernel void vector_step(global const float *query, global const float *key, global const float *value,
                              global const float *gates, global const int *documents, global const float *initial,
                              global float *output, global float *final_state, int time, int heads, int width,
                              int value_width, float scale) {
  const int column = (int)get_global_id(0);
  if (column >= value_width) return;
  const int head = (int)get_group_id(2) % heads;
  const size_t sequence = get_group_id(2) / heads;
  const size_t first = (sequence * heads + head) * width * value_width + column;
  for (int t = 0; t < time; t++) {
    const size_t token = sequence * time + t, source = (token * heads + head) * width;
    const size_t target = (token * heads + head) * value_width + column;
    const int resets = documents && t > 0 && documents[token] != documents[token - 1];
    global const float *from = resets ? 0 : t == 0 ? initial : final_state;
    float sum = 0.0f;
    for (int i = 0; i < width; i++) {
      const size_t place = first + (size_t)i * value_width;
      const float decay = exp(max(gates[source + i], LEAST_GATE));
      const float state = fma(from ? from[place] : 0.0f, decay, value[target] * key[source + i]);
      final_state[place] = state;
      sum = fma(state, query[source + i], sum);
    }
    output[target] = sum * scale;
  }
}
