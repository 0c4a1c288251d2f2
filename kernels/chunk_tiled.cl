// chunk_tiled.cl - linear attention with one decay per head and token in chunks, for graphics processors
//
//   chunk_decays          gates, documents                     -> the decays of every chunk
//   chunk_scores          x, y [B, T, heads, width]            -> scores [B, T, H, CHUNK] = scale (X Y^T) . M
//   chunk_outer           x [.., K], y [.., V]                 -> states: what every chunk adds, scale (F X)^T Y
//   chunk_scan            states                               -> states, each the one before, decayed, plus its own
//   chunk_rows            x, states, scores, y                 -> rows of tokens: scale E X S + P Y
//   chunk_gate_gradients  q, dq, k, dk, states, gradients      -> dgate [B, T, H]
//   chunk_step            the forward token by token, for decoding
//
// The mathematics and its names are those of scalar_gate.cl. There a work-item walks the chunks; here every launch works
// on all of them, and only the scan goes from chunk to chunk, on its own for each element of the states. The gradients
// are the same products with the operands exchanged and the scan from the last chunk to the first.
// Paper: Dao & Gu 2024 (SSD).   Swift: Operations/Recurrences/ChunkTiles*.swift, ScalarGate+Graphics.swift

#include "chunk_tiles.cl"

#ifndef ITEMS
#define ITEMS 64 // work-items of the kernels without tiles
#endif
#define TILED __attribute__((reqd_work_group_size(LANES, 1, 1)))
#define GROUP __attribute__((reqd_work_group_size(ITEMS, 1, 1)))

// Work-groups: (1, chunks, B H). Every item adds up all gates for itself: b is kept in two floats, and a tree of sums
// would need as many steps with a barrier each.
GROUP kernel void chunk_decays(global const float *gates, global const int *documents, global float *decays, int time,
                               int heads, int gates_by_token) {
  local float gate[CHUNK];
  local int starts[CHUNK]; // whether a document starts at the token
  const Place place = place_of_group(time, heads);
  const size_t first = (size_t)place.batch * time + (size_t)place.chunk * CHUNK;
  decays += decays_at(place);
  for (int r = (int)get_local_id(0); r < CHUNK; r += ITEMS) {
    const int exists = r < place.rows;
    const size_t source = gates_by_token ? (first + r) * heads + place.head : place.head;
    gate[r] = gates && exists ? max(gates[source], LEAST_GATE) : 0.0f;
    starts[r] = documents && exists && place.chunk + r > 0 && documents[first + r] != documents[first + r - 1];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int r = (int)get_local_id(0); r < CHUNK; r += ITEMS) {
    float sum = 0.0f, rest = 0.0f, own_sum = 0.0f, own_rest = 0.0f;
    int document = 0, own_document = 0;
    for (int s = 0; s < CHUNK; s++) {
      const float term = gate[s] + rest, next = sum + term;
      rest = term - (next - sum);
      sum = next;
      document += starts[s];
      if (s == r) {
        own_sum = sum;
        own_rest = rest;
        own_document = document;
      }
    }
    decays[r] = own_sum;
    decays[CHUNK + r] = own_rest;
    decays[FROM_START + r] = own_document == 0 ? exp(own_sum + own_rest) : 0.0f;
    decays[TO_END + r] = own_document == document ? exp((sum - own_sum) + (rest - own_rest)) : 0.0f;
    ((global int *)decays)[DOCUMENT_NUMBERS + r] = own_document;
  }
}

// Work-groups: (tiles up to a chunk's diagonal, chunks, B H). `strict`: 0 on the diagonal, too.
TILED kernel void chunk_scores(global const float *x, global const float *y, global const float *decays,
                               global float *scores, int time, int heads, int x_heads, int y_heads, int width,
                               int strict, float scale) {
  TILE_MEMORY
  const Place place = place_of_group(time, heads);
  int row0 = 0, column0 = (int)get_group_id(0) * TILE;
  for (; column0 > row0; row0 += TILE) column0 -= row0 + TILE;
  const size_t x_stride = (size_t)x_heads * width, y_stride = (size_t)y_heads * width;
  x += rows_at(place, x_heads, width) + row0 * x_stride;
  y += rows_at(place, y_heads, width) + column0 * y_stride;
  for (int p = 0; p < width; p += DEPTH) {
    load_tile(x + p, 1, x_stride, width - p, place.rows - row0, 0, 0, 0, a_tile);
    load_tile(y + p, 1, y_stride, width - p, place.rows - column0, 0, 0, 0, b_tile);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply_tiles(a_tile, b_tile, down, across, totals);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  decays += decays_at(place);
  scores += rows_at(place, heads, CHUNK);
  for (int i = 0; i < 4; i++) {
    const int r = row0 + down + i, s = column0 + across;
    if (r >= place.rows) break;
    const float4 factors = (float4)(decay_between(decays, r, s), decay_between(decays, r, s + 1),
                                    decay_between(decays, r, s + 2), decay_between(decays, r, s + 3));
    const int4 diagonal = (int4)(s, s + 1, s + 2, s + 3) == (int4)(strict ? r : -1);
    vstore4(totals[i] * select(factors, (float4)(0.0f), diagonal) * scale, 0, scores + (size_t)r * heads * CHUNK + s);
  }
}

// Work-groups: (tiles of [K, V], chunks, B H). What a chunk adds to the state behind it, rows decayed to the chunk's end;
// `earlier`: to the gradient of the state in front of it, rows decayed from the chunk's start. Rows of y are multiplied by
// `weights` [B, T, H], if there are such. `adds`: to what is there.
TILED kernel void chunk_outer(global const float *x, global const float *y, global const float *weights,
                              global const float *decays, global float *states, int time, int heads, int x_heads,
                              int y_heads, int width, int value_width, int earlier, int adds, float scale) {
  TILE_MEMORY
  const Place place = place_of_group(time, heads);
  const int row0 = (int)get_group_id(0) / TILES(value_width) * TILE;
  const int column0 = (int)get_group_id(0) % TILES(value_width) * TILE;
  const size_t x_stride = (size_t)x_heads * width, y_stride = (size_t)y_heads * value_width;
  x += rows_at(place, x_heads, width) + row0;
  y += rows_at(place, y_heads, value_width) + column0;
  if (weights) weights += rows_at(place, heads, 1);
  decays += decays_at(place) + (earlier ? FROM_START : TO_END);
  for (int p = 0; p < place.rows; p += DEPTH) {
    load_tile(x + p * x_stride, x_stride, 1, place.rows - p, width - row0, decays + p, 1, 0, a_tile);
    load_tile(y + p * y_stride, y_stride, 1, place.rows - p, value_width - column0, weights ? weights + p * heads : 0,
              heads, 0, b_tile);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply_tiles(a_tile, b_tile, down, across, totals);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  states += state_at(place, place.chunk + (earlier ? 0 : 1), (size_t)width * value_width);
  for (int i = 0; i < 4; i++) {
    const int r = row0 + down + i, j = column0 + across;
    if (r < width) store_columns(totals[i] * scale, adds, states + (size_t)r * value_width + j, value_width - j);
  }
}

// Work-groups: (K V / ITEMS, 1, B H). From the first state, which is `given` (null: 0), to the last, `result`;
// `reverse`: from the last to the first.
GROUP kernel void chunk_scan(global const float *given, global const float *decays, global float *states,
                             global float *result, int time, int heads, int size, int reverse) {
  const Place place = place_of_group(time, heads);
  const int element = (int)get_global_id(0);
  if (element >= size) return;
  const size_t whole = ((size_t)place.batch * heads + place.head) * size + element;
  states += state_at(place, 0, size) + element;
  decays += decays_at(place) + FROM_START + CHUNK - 1;
  float state = given ? given[whole] : 0.0f;
  states[reverse ? (size_t)place.chunks * size : 0] = state;
  for (int first = 0; first < place.chunks; first += AHEAD) {
    float own[AHEAD], decay[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++) {
      const int chunk = scanned_chunk(place, first + i, reverse);
      own[i] = states[(size_t)(reverse ? chunk : chunk + 1) * size];
      decay[i] = decays[(size_t)chunk * DECAY_FLOATS];
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

// Work-groups: (tiles of [CHUNK, out_width], chunks, B H). out = scale E X S + P Y, S the state in front of the chunk; `later`:
// scale F X S' + P^T Y, S' the state behind it. `transposed`: S^T, S'^T. A term without states or scores is left out; without
// decays E and F are 1. `adds`: to what is there.
TILED kernel void chunk_rows(global const float *x, global const float *states, global const float *scores,
                             global const float *y, global const float *decays, global float *out, int time, int heads,
                             int x_heads, int y_heads, int width, int out_width, int later, int transposed,
                             int adds, float scale) {
  TILE_MEMORY
  const Place place = place_of_group(time, heads);
  const int row0 = (int)get_group_id(0) / TILES(out_width) * TILE;
  const int column0 = (int)get_group_id(0) % TILES(out_width) * TILE;
  const int rows = place.rows - row0, columns = out_width - column0;
  const size_t x_stride = (size_t)x_heads * width, y_stride = (size_t)y_heads * out_width;
  // From one term of the sum to the next, and from one row or column of the result to the next.
  const size_t state_step = transposed ? 1 : (size_t)out_width, state_stride = transposed ? (size_t)width : 1;
  const size_t score_row = (size_t)heads * CHUNK;
  const size_t score_step = later ? score_row : 1, score_stride = later ? 1 : score_row;
  x += rows_at(place, x_heads, width) + row0 * x_stride;
  y += rows_at(place, y_heads, out_width) + column0;
  if (states) states += state_at(place, place.chunk + later, (size_t)width * out_width) + column0 * state_stride;
  if (scores) scores += rows_at(place, heads, CHUNK) + row0 * score_stride;
  if (decays) decays += decays_at(place) + (later ? TO_END : FROM_START) + row0;
  // Of the scores only rows up to the tile's last matter, or from its first on.
  const int begin = later ? row0 : 0, end = later ? place.rows : min(row0 + TILE, place.rows);
  for (int term = 0; term < 2; term++) {
    const int last = term == 0 ? (states ? width : 0) : scores ? end : 0;
    for (int p = term == 0 ? 0 : begin; p < last; p += DEPTH) {
      global const float *a = term == 0 ? x + p : scores + p * score_step;
      global const float *b = term == 0 ? states + p * state_step : y + p * y_stride;
      load_tile(a, term == 0 ? 1 : score_step, term == 0 ? x_stride : score_stride, last - p, rows, 0,
                0, term == 0 ? decays : 0, a_tile);
      load_tile(b, term == 0 ? state_step : y_stride, term == 0 ? state_stride : 1, last - p, columns, 0, 0, 0,
                b_tile);
      barrier(CLK_LOCAL_MEM_FENCE);
      multiply_tiles(a_tile, b_tile, down, across, totals);
      barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; term == 0 && i < 4; i++) totals[i] *= scale;
  }
  out += rows_at(place, heads, out_width) + column0 + across;
  for (int i = 0; i < 4; i++) {
    const int r = down + i;
    if (r < rows) store_columns(totals[i], adds, out + (size_t)(row0 + r) * heads * out_width, columns - across);
  }
}

#define PARTS 8 // work-items that share a row

// sum + rest += term; `rest` is what rounding took.
static inline void add_exactly(float term, float *sum, float *rest) {
  const float next = *sum + term, part = next - *sum;
  *rest += (*sum - (next - part)) + (term - part);
  *sum = next;
}

// parts [ITEMS]: products of a state and its gradient, to be added up.
static inline void state_products(global const float *state, global const float *gradient, int size,
                                  local float *parts) {
  float sum = 0.0f;
  for (int e = (int)get_local_id(0); e < size; e += ITEMS) sum = fma(state[e], gradient[e], sum);
  parts[get_local_id(0)] = sum;
}

// Work-groups: (1, chunks, B H). With c_u = q_u dq_u - k_u dk_u, the states S and S' in front of the chunk and behind it:
// dg_r = <S', dS'> + sum_{u >= r} c_u = <S, dS> - sum_{u < r} c_u, whichever sum is shorter, and in two floats: it cancels.
// A gate in front of which there is no state, where a document starts or nothing is `given`, has no gradient.
GROUP kernel void chunk_gate_gradients(
    global const float *query, global const float *query_gradient, global const float *key,
    global const float *key_gradient, global const float *states, global const float *state_gradients,
    global const float *gates, global const float *decays, global const float *given, global float *gate_gradient,
    int time, int heads, int key_heads, int width, int size, int gates_by_token) {
  local float parts[CHUNK * PARTS], dots[CHUNK], in_front[ITEMS], behind[ITEMS];
  const Place place = place_of_group(time, heads);
  const int lane = (int)get_local_id(0);
  const size_t source = rows_at(place, key_heads, width), target = rows_at(place, heads, width);
  for (int e = lane; e < CHUNK * PARTS; e += ITEMS) {
    const size_t from = source + (size_t)(e / PARTS) * key_heads * width;
    const size_t made = target + (size_t)(e / PARTS) * heads * width;
    float sum = 0.0f;
    for (int i = e % PARTS; e / PARTS < place.rows && i < width; i += PARTS) {
      sum += query[from + i] * query_gradient[made + i] - key[from + i] * key_gradient[made + i];
    }
    parts[e] = sum;
  }
  const size_t first = state_at(place, place.chunk, size), next = first + size;
  state_products(states + first, state_gradients + first, size, in_front);
  state_products(states + next, state_gradients + next, size, behind);
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int r = lane; r < CHUNK; r += ITEMS) {
    float sum = 0.0f;
    for (int i = 0; i < PARTS; i++) sum += parts[r * PARTS + i];
    dots[r] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const size_t scalars = rows_at(place, heads, 1);
  global const int *numbers = (global const int *)(decays + decays_at(place) + DOCUMENT_NUMBERS);
  for (int r = lane; r < place.rows; r += ITEMS) {
    const int earlier = 2 * r < place.rows;
    float sum = 0.0f, rest = 0.0f;
    for (int i = 0; i < ITEMS; i++) add_exactly(earlier ? in_front[i] : behind[i], &sum, &rest);
    for (int u = 0; earlier && u < r; u++) add_exactly(-dots[u], &sum, &rest);
    for (int u = place.rows - 1; !earlier && u >= r; u--) add_exactly(dots[u], &sum, &rest);
    const int is_first = place.chunk + r == 0 && !given;
    const int starts = numbers[r] != (r > 0 ? numbers[r - 1] : 0);
    const float gate = gates[gates_by_token ? scalars + (size_t)r * heads : place.head];
    gate_gradient[scalars + (size_t)r * heads] = gate < LEAST_GATE || is_first || starts ? 0.0f : sum + rest;
  }
}

// Work-groups: (V / ITEMS, 1, B H). An item owns one column of a head's state and reads and writes it once per token.
GROUP kernel void chunk_step(global const float *query, global const float *key, global const float *value,
                             global const float *gates, global const int *documents, global const float *initial,
                             global float *output, global float *final_state, int time, int heads, int key_heads,
                             int width, int value_width, int gates_by_token, float scale) {
  const int column = (int)get_global_id(0);
  if (column >= value_width) return;
  const int head = (int)get_group_id(2) % heads;
  const size_t sequence = get_group_id(2) / heads;
  const size_t first = (sequence * heads + head) * width * value_width + column;
  for (int t = 0; t < time; t++) {
    const size_t token = sequence * time + t;
    const size_t source = (token * key_heads + head * key_heads / heads) * width;
    const size_t target = (token * heads + head) * value_width + column;
    global const float *from = t == 0 ? initial : final_state;
    float decay = gates ? exp(max(gates[gates_by_token ? token * heads + head : head], LEAST_GATE)) : 1.0f;
    if (documents && t > 0 && documents[token] != documents[token - 1]) decay = 0.0f;
    float sum = 0.0f;
    for (int i = 0; i < width; i++) {
      const size_t place = first + (size_t)i * value_width;
      const float state = fma(from ? from[place] : 0.0f, decay, value[target] * key[source + i]);
      final_state[place] = state;
      sum = fma(state, query[source + i], sum);
    }
    output[target] = sum * scale;
  }
}
