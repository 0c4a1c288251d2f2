// delta_tiled.cl - what the delta rule adds to chunk_tiled.cl, for graphics processors
//
//   delta_solve           scores, rows            -> rows X with (1 + L) X = rows, or with the transpose
//   delta_scan            what chunks add, transitions -> states, each from the one before
//   delta_scale           rows, beta              -> rows of tokens times beta
//   delta_beta_gradients  errors, z               -> dbeta [B, T, H]
//   delta_key_gradients   read, write             -> their sum and their difference
//   delta_step            the forward token by token, for decoding
//
// With the names of delta_rule.cl and delta_rule_backward.cl, A = stril((K K^T) . M) and L = A diag(beta):
//   W = W0 - WK S,  (1 + L) W0 = V,  (1 + L) WK = E K          (W: the errors of prediction)
//   S' = R S + (F K)^T diag(beta) W0,  R = e^{b_last} - (F K)^T diag(beta) WK
//   Z = Z0 + ZK dS',  (1 + L^T) Z0 = P^T dO,  (1 + L^T) ZK = F K,  with L^T = A^T diag(beta)
//   dS = R^T dS' + scale (E Q)^T dO - (E K)^T diag(beta) Z0
// so that everything but the scan over the states is a product or a solve of all chunks at once. The scan goes from chunk
// to chunk, on its own for every head and four columns.
// Paper: Yang et al. 2024 (DeltaNet in chunks).   Swift: Operations/Recurrences/GatedDeltaRule+Graphics.swift

#include "chunk_tiles.cl"

#ifndef ITEMS
#define ITEMS 64 // work-items per work-group
#endif
#ifndef WIDTH
#define WIDTH 64 // width of keys
#endif
#define GROUP __attribute__((reqd_work_group_size(ITEMS, 1, 1)))

// Work-groups: (width / ITEMS, chunks, B H). An item solves for one column, of rows times E (`later`: F), if there are
// decays; x_r = y_r - sum_{s < r} A_rs beta_s x_s, `transposed`: y_r - sum_{s > r} A_sr beta_s x_s.
GROUP kernel void delta_solve(global const float *scores, global const float *betas, global const float *from,
                              global const float *decays, global float *to, int time, int heads, int from_heads,
                              int width, int later, int transposed) {
  local float solved[CHUNK * ITEMS]; // beta x
  const Place place = place_of_group(time, heads);
  const int lane = (int)get_local_id(0), column = (int)get_global_id(0);
  if (column >= width) return;
  scores += rows_at(place, heads, CHUNK);
  betas += rows_at(place, heads, 1);
  from += rows_at(place, from_heads, width) + column;
  to += rows_at(place, heads, width) + column;
  if (decays) decays += decays_at(place) + (later ? TO_END : FROM_START);
  const size_t row = (size_t)heads * CHUNK;
  for (int i = 0; i < place.rows; i++) {
    const int r = transposed ? place.rows - 1 - i : i;
    const int begin = transposed ? r + 1 : 0, end = transposed ? place.rows : r;
    float x = from[(size_t)r * from_heads * width] * (decays ? decays[r] : 1.0f);
    for (int s = begin; s < end; s++) {
      x = fma(-(transposed ? scores[s * row + r] : scores[r * row + s]), solved[s * ITEMS + lane], x);
    }
    to[(size_t)r * heads * width] = x;
    solved[r * ITEMS + lane] = betas[r * heads] * x;
  }
}

// Work-groups: (V / 4, 1, B H). From the first state, `given` (null: 0), to the last, `result`; `reverse`: from the last
// to the first. Behind chunk n of `transitions` stands the part of R^T [K, K] that is not on the diagonal, of R where reverse.
GROUP kernel void delta_scan(global const float *given, global const float *decays, global const float *transitions,
                             global float *states, global float *result, int time, int heads, int value_width,
                             int reverse) {
  local float4 state[2 * WIDTH];
  const Place place = place_of_group(time, heads);
  const int lane = (int)get_local_id(0), column = (int)get_group_id(0) * 4, columns = value_width - column;
  const size_t size = (size_t)WIDTH * value_width;
  const size_t own = ((size_t)place.batch * heads + place.head) * size + column;
  states += state_at(place, 0, size) + column;
  transitions += state_at(place, 0, WIDTH * WIDTH);
  decays += decays_at(place) + FROM_START + CHUNK - 1;
  for (int i = lane; i < WIDTH; i += ITEMS) {
    state[i] = given ? load_columns(given + own + i * value_width, columns) : (float4)(0.0f);
    store_columns(state[i], 0, states + (reverse ? place.chunks * size : 0) + i * value_width, columns);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int n = 0; n < place.chunks; n++) {
    const int chunk = reverse ? place.chunks - 1 - n : n;
    const local float4 *now = state + n % 2 * WIDTH;
    local float4 *next = state + (n + 1) % 2 * WIDTH;
    global const float *transition = transitions + (size_t)(chunk + 1) * WIDTH * WIDTH;
    global float *target = states + (reverse ? chunk : chunk + 1) * size;
    for (int i = lane; i < WIDTH; i += ITEMS) {
      float4 sum = fma((float4)(decays[(size_t)chunk * DECAY_FLOATS]), now[i], load_columns(target + i * value_width, columns));
      for (int p = 0; p < WIDTH; p++) sum = fma((float4)(transition[p * WIDTH + i]), now[p], sum);
      next[i] = sum;
      store_columns(sum, 0, target + i * value_width, columns);
      if (result && n == place.chunks - 1) store_columns(sum, 0, result + own + i * value_width, columns);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
}

// to [rows, width] = from, row r times betas[r]; one item per element.
GROUP kernel void delta_scale(global const float *from, global const float *betas, global float *to, ulong count,
                              int width) {
  const size_t place = get_global_id(0);
  if (place < count) to[place] = from[place] * betas[place / width];
}

#define PARTS 8 // work-items that share a row

// Work-groups: (1, chunks, B H). The products of the rows of x and y [B, T, H, width].
GROUP kernel void delta_beta_gradients(global const float *x, global const float *y, global float *gradient, int time,
                                       int heads, int width) {
  local float parts[CHUNK * PARTS];
  const Place place = place_of_group(time, heads);
  const size_t first = rows_at(place, heads, width);
  for (int e = (int)get_local_id(0); e < CHUNK * PARTS; e += ITEMS) {
    const size_t row = first + (size_t)(e / PARTS) * heads * width;
    float sum = 0.0f;
    for (int i = e % PARTS; e / PARTS < place.rows && i < width; i += PARTS) sum = fma(x[row + i], y[row + i], sum);
    parts[e] = sum;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (int r = (int)get_local_id(0); r < place.rows; r += ITEMS) {
    float sum = 0.0f;
    for (int i = 0; i < PARTS; i++) sum += parts[r * PARTS + i];
    gradient[rows_at(place, heads, 1) + (size_t)r * heads] = sum;
  }
}

// read = read + write and write = write - read, one item per element.
GROUP kernel void delta_key_gradients(global float *read, global float *write, ulong count) {
  const size_t place = get_global_id(0);
  if (place >= count) return;
  const float a = read[place], b = write[place];
  read[place] = a + b;
  write[place] = b - a;
}

// Work-groups: (V / ITEMS, 1, B H). An item owns one column of a head's state and passes over it twice per token: to read
// and to write.
GROUP kernel void delta_step(global const float *query, global const float *key, global const float *value,
                             global const float *betas, global const float *gates, global const int *documents,
                             global const float *initial, global float *output, global float *final_state, int time,
                             int heads, int key_heads, int width, int value_width, float scale) {
  const int column = (int)get_global_id(0);
  if (column >= value_width) return;
  const int head = (int)get_group_id(2) % heads;
  const size_t sequence = get_group_id(2) / heads;
  const size_t first = (sequence * heads + head) * width * value_width + column;
  for (int t = 0; t < time; t++) {
    const size_t token = sequence * time + t, scalar = token * heads + head;
    const size_t source = (token * key_heads + head * key_heads / heads) * width;
    global const float *from = t == 0 ? initial : final_state;
    float decay = gates ? exp(max(gates[scalar], LEAST_GATE)) : 1.0f;
    if (documents && t > 0 && documents[token] != documents[token - 1]) decay = 0.0f;
    float read = 0.0f, sum = 0.0f;
    for (int i = 0; from && i < width; i++) read = fma(from[first + (size_t)i * value_width], key[source + i], read);
    const float write = (value[scalar * value_width + column] - read * decay) * betas[scalar];
    for (int i = 0; i < width; i++) {
      const size_t place = first + (size_t)i * value_width;
      const float state = fma(from ? from[place] : 0.0f, decay, write * key[source + i]);
      final_state[place] = state;
      sum = fma(state, query[source + i], sum);
    }
    output[scalar * value_width + column] = sum * scale;
  }
}
