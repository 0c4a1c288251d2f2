// delta_rule.cl - linear attention that replaces what its state says of a key: delta rule and gated delta rule, in chunks
//
//   delta_rule_forward    q, k [B, T, G, K], v [B, T, H, V], beta [B, T, H], gate, initial state -> o [B, T, H, V],
//                         final state
//   delta_rule_step       the same token by token, for decoding
//   delta_rule_backward   in delta_rule_backward.cl
//
//   S = e^{g_t} S_{t-1} [K, V],  u_t = beta_t (v_t - S^T k_t),  S_t = S + k_t u_t^T,  o_t = scale S_t^T q_t
//
// Head h of v reads head h G / H of q and k. Gates [B, T, H] are absent (the plain delta rule) or at most 0; gates below
// -20 count as -20. With documents, ids [B, T], the state is 0 in front of a token whose id differs from its
// predecessor's. Absent operands are null pointers. Keys of length 1 at most and beta in [0, 2] keep the state bounded.
//
// In a chunk, with M, E, F of decays.cl and stril the part strictly below the diagonal:
//   (1 + stril(diag(beta) (K K^T) . M)) U = diag(beta) (V - E K S)   (U replaces the values)
//   O = E Q S + ((Q K^T) . M) U;   S' = e^{b_last} S + (F K)^T U
//
// A work-item owns `group_heads` neighbouring heads of one sequence and walks the chunks, all its heads in every chunk.
// Papers: Yang et al. 2024 (DeltaNet in chunks); Yang et al. 2025 (gated). Here the system is solved for U itself, by
// substitution: neither the inverse nor the WY factors are needed where chunks come one after the other.
// Swift: Operations/Recurrences/GatedDeltaRule.swift

#include "delta_solve.cl"

// Scratch: decays, betas, q [CHUNK, K], k [CHUNK, K], k^T [K, CHUNK], diag(-beta) K [CHUNK, K], u, o [CHUNK, V],
// scores [CHUNK, CHUNK], and a state [K, V] per head.
WORK_GROUP kernel void delta_rule_forward(
    global const float *query, global const float *key, global const float *value, global const float *betas,
    global const float *gates, global const int *documents, global const float *initial, global float *output,
    global float *final_state, global float *scratch, ulong scratch_size, int time, int heads, int key_heads, int width,
    int value_width, int group_heads, float scale) {
  const Walk w = make_walk(time, heads, key_heads, width, value_width, group_heads);
  scratch += get_group_id(0) * scratch_size;
  const Decays d = decays_at(scratch, gates != 0, documents != 0);
  global float *beta = scratch + DECAY_FLOATS, *q = beta + BETA_FLOATS, *k = q + CHUNK * w.keys;
  global float *k_transposed = k + CHUNK * w.keys, *read = k_transposed + CHUNK * w.keys;
  global float *u = read + CHUNK * w.keys, *o = u + CHUNK * w.values, *scores = o + CHUNK * w.values;
  global float *states = scores + CHUNK * CHUNK;
  for (int h = 0; h < group_heads; h++) {
    load_state(initial ? initial + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys,
               states + h * w.keys * w.values);
  }
  for (int token = 0; token < time; token += CHUNK) {
    const int rows = min(CHUNK, time - token);
    touch_rows(&w, query, key_heads, width, token, token + rows, scores);
    touch_rows(&w, key, key_heads, width, token, token + rows, scores);
    touch_rows(&w, value, heads, value_width, token, token + rows, scores);
    for (int h = 0; h < group_heads; h++) {
      const int head = w.first_head + h;
      global float *state = states + h * w.keys * w.values;
      const size_t source = row_of(&w, token, key_head(&w, head), key_heads, width);
      const size_t target = row_of(&w, token, head, heads, value_width);
      chunk_decays(&w, d, token, rows, head, gates, 1, documents);
      load_betas(betas + row_of(&w, token, head, heads, 1), heads, rows, beta);
      load_rows(query + source, (size_t)key_heads * width, rows, width, scale, q);
      load_rows(key + source, (size_t)key_heads * width, rows, width, 1.0f, k);
      load_rows(value + target, (size_t)heads * value_width, rows, value_width, 1.0f, u);
      transpose(k, CHUNK, w.keys, k_transposed);
      // U
      scaled_rows(k, w.keys, beta + CHUNK, read);
      product(CHUNK, CHUNK, w.keys, C_LOWER, read, w.keys, 1, k_transposed, CHUNK, 0.0f, scores, CHUNK);
      decay_scores(d, scores);
      scale_rows(read, CHUNK, w.keys, d.from_start);
      scale_rows(u, CHUNK, w.values, beta);
      product(CHUNK, w.values, w.keys, FULL, read, w.keys, 1, state, w.values, 1.0f, u, w.values);
      solve(scores, CHUNK, 1, w.values, u, w.values);
      // O
      product(CHUNK, CHUNK, w.keys, C_LOWER, q, w.keys, 1, k_transposed, CHUNK, 0.0f, scores, CHUNK);
      decay_scores(d, scores);
      scale_rows(q, CHUNK, w.keys, d.from_start);
      product(CHUNK, w.values, w.keys, FULL, q, w.keys, 1, state, w.values, 0.0f, o, w.values);
      product(CHUNK, w.values, CHUNK, A_LOWER, scores, CHUNK, 1, u, w.values, 1.0f, o, w.values);
      store_rows(o, rows, value_width, 1.0f, output + target, (size_t)heads * value_width);
      // S'
      scale_rows(k, CHUNK, w.keys, d.to_end);
      product(w.keys, w.values, CHUNK, FULL, k, 1, w.keys, u, w.values, CARRY(d), state, w.values);
    }
  }
  for (int h = 0; h < group_heads; h++) {
    store_state(states + h * w.keys * w.values, width, value_width, final_state + state_of(&w, w.first_head + h));
  }
}

// ---------------------------------------------------------------------------------------------------------- step
// A work-item owns VECTOR columns of one head's state, [K] rows of VECTOR, and passes over them twice per token: to read
// and to write.

// One token in VECTOR columns; `from` null for a state of 0.
static inline void step_columns(global const float *q, global const float *k, global const float *v,
                                global const float *from, global float *to, int width, int stride, float decay,
                                float beta, float scale, global float *o) {
  vector read = (vector)(0.0f), sum = (vector)(0.0f);
  for (int i = 0; from && i < width; i++) read = FMA(LOAD(from + (size_t)i * stride), (vector)(k[i]), read);
  const vector u = (LOAD(v) - read * decay) * beta;
  for (int i = 0; i < width; i++) {
    const vector old = from ? LOAD(from + (size_t)i * stride) : (vector)(0.0f);
    const vector new = FMA(old, (vector)(decay), u * k[i]);
    STORE(new, to + (size_t)i * stride);
    sum = FMA(new, (vector)(q[i]), sum);
  }
  STORE(sum * scale, o);
}

// The same in one column.
static inline void step_column(global const float *q, global const float *k, global const float *v,
                               global const float *from, global float *to, int width, int stride, float decay,
                               float beta, float scale, global float *o) {
  float read = 0.0f, sum = 0.0f;
  for (int i = 0; from && i < width; i++) read += from[(size_t)i * stride] * k[i];
  const float u = (v[0] - read * decay) * beta;
  for (int i = 0; i < width; i++) {
    const float old = from ? from[(size_t)i * stride] : 0.0f;
    const float new = old * decay + u * k[i];
    to[(size_t)i * stride] = new;
    sum += new * q[i];
  }
  o[0] = sum * scale;
}

WORK_GROUP kernel void delta_rule_step(
    global const float *query, global const float *key, global const float *value, global const float *betas,
    global const float *gates, global const int *documents, global const float *initial, global float *output,
    global float *final_state, int time, int heads, int key_heads, int width, int value_width, float scale) {
  const int pieces = (value_width + VECTOR - 1) / VECTOR;
  const int item = (int)get_group_id(0);
  const int first = item % pieces * VECTOR, columns = min(VECTOR, value_width - first);
  const int head = item / pieces % heads, sequence = item / pieces / heads;
  const size_t place = ((size_t)sequence * heads + head) * width * value_width + first;
  for (int t = 0; t < time; t++) {
    const size_t token = (size_t)sequence * time + t;
    global const float *q = query + (token * key_heads + head * key_heads / heads) * width;
    global const float *k = key + (token * key_heads + head * key_heads / heads) * width;
    const size_t target = (token * heads + head) * value_width + first;
    global const float *from = t > 0 ? final_state : initial;
    if (from) from += place;
    float decay = gates ? exp(max(gates[token * heads + head], LEAST_GATE)) : 1.0f;
    if (documents && t > 0 && documents[token] != documents[token - 1]) decay = 0.0f;
    const float beta = betas[token * heads + head];
    if (columns == VECTOR) {
      step_columns(q, k, value + target, from, final_state + place, width, value_width, decay, beta, scale,
                   output + target);
      continue;
    }
    for (int j = 0; j < columns; j++) {
      step_column(q, k, value + target + j, from ? from + j : 0, final_state + place + j, width, value_width, decay,
                  beta, scale, output + target + j);
    }
  }
}
