// scalar_gate.cl - linear attention whose state decays by one factor per head and token, in chunks
//
//   scalar_gate_forward   q, k [B, T, G, K], v [B, T, H, V], gate, initial state     -> o [B, T, H, V], final state
//   scalar_gate_step      the forward token by token, for decoding
//   scalar_gate_backward  in scalar_gate_backward.cl
//
//   S_t = e^{g_t} S_{t-1} + k_t v_t^T [K, V],  o_t = scale S_t^T q_t;  head h of v reads head h G / H of q and k
//
// Gates are absent (g = 0), one per head [H] (gates_by_token = 0) or [B, T, H]. Gates below -20 count as -20: e^-20 is
// below the resolution of 1, and sums of larger gates would cost the small ones their digits. With documents, ids [B, T],
// the state is 0 in front of a token whose id differs from its predecessor's. Absent operands are null pointers.
//
// In a chunk with rows r, s, b = cumulative sum of g, M_rs = e^{b_r - b_s} (r >= s), E = diag(e^{b_r}),
// F = diag(e^{b_last - b_r}):
//   O = E Q S + ((Q K^T) . M) V;   S' = e^{b_last} S + (F K)^T V
//
// A work-item owns `group_heads` neighbouring heads of one sequence and walks the chunks, all its heads in every chunk: rows of
// neighbouring heads share pages and cache lines. Papers: Dao & Gu 2024 (SSD); Qin et al. 2024 (Lightning Attention-2).
// Swift: Operations/Recurrences/ScalarGatedLinearAttention.swift

#include "decays.cl"

// ------------------------------------------------------------------------------------------------------- forward
// Scratch: decays, q [CHUNK, K], k^T [K, CHUNK], k [CHUNK, K], v [CHUNK, V], scores [CHUNK, CHUNK], o [CHUNK, V],
// and a state [K, V] per head.

WORK_GROUP kernel void scalar_gate_forward(
    global const float *query, global const float *key, global const float *value, global const float *gates,
    global const int *documents, global const float *initial, global float *output, global float *final_state,
    global float *scratch, ulong scratch_size, int time, int heads, int key_heads, int width, int value_width,
    int group_heads, int gates_by_token, float scale) {
  const Walk w = make_walk(time, heads, key_heads, width, value_width, group_heads);
  scratch += get_group_id(0) * scratch_size;
  const Decays d = decays_at(scratch, gates != 0, documents != 0);
  global float *q = scratch + DECAY_FLOATS, *k_transposed = q + CHUNK * w.keys, *k = k_transposed + CHUNK * w.keys;
  global float *v = k + CHUNK * w.keys, *scores = v + CHUNK * w.values, *o = scores + CHUNK * CHUNK;
  global float *states = o + CHUNK * w.values;
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
      const int head = w.first_head + h, shared_head = key_head(&w, head);
      global float *state = states + h * w.keys * w.values;
      const size_t source = row_of(&w, token, shared_head, key_heads, width);
      const size_t target = row_of(&w, token, head, heads, value_width);
      chunk_decays(&w, d, token, rows, head, gates, gates_by_token, documents);
      load_rows(query + source, (size_t)key_heads * width, rows, width, scale, q);
      load_rows(key + source, (size_t)key_heads * width, rows, width, 1.0f, k);
      load_rows(value + target, (size_t)heads * value_width, rows, value_width, 1.0f, v);
      transpose(k, CHUNK, w.keys, k_transposed);
      product(CHUNK, CHUNK, w.keys, C_LOWER, q, w.keys, 1, k_transposed, CHUNK, 0.0f, scores, CHUNK);
      decay_scores(d, scores);
      scale_rows(q, CHUNK, w.keys, d.from_start);
      product(CHUNK, w.values, w.keys, FULL, q, w.keys, 1, state, w.values, 0.0f, o, w.values);
      product(CHUNK, w.values, CHUNK, A_LOWER, scores, CHUNK, 1, v, w.values, 1.0f, o, w.values);
      store_rows(o, rows, value_width, 1.0f, output + target, (size_t)heads * value_width);
      scale_rows(k, CHUNK, w.keys, d.to_end);
      product(w.keys, w.values, CHUNK, FULL, k, 1, w.keys, v, w.values, CARRY(d), state, w.values);
    }
  }
  for (int h = 0; h < group_heads; h++) {
    store_state(states + h * w.keys * w.values, width, value_width, final_state + state_of(&w, w.first_head + h));
  }
}

// ---------------------------------------------------------------------------------------------------------- step
// A work-item owns VECTOR columns of one head's state and reads and writes them once per token: [K] rows of VECTOR.

WORK_GROUP kernel void scalar_gate_step(
    global const float *query, global const float *key, global const float *value, global const float *gates,
    global const int *documents, global const float *initial, global float *output, global float *final_state,
    int time, int heads, int key_heads, int width, int value_width, int gates_by_token, float scale) {
  const int pieces = (value_width + VECTOR - 1) / VECTOR;
  const int item = (int)get_group_id(0);
  const int first = item % pieces * VECTOR, columns = min(VECTOR, value_width - first);
  const int head = item / pieces % heads, sequence = item / pieces / heads;
  const size_t place = ((size_t)sequence * heads + head) * width * value_width + first;
  for (int t = 0; t < time; t++) {
    const size_t token = (size_t)sequence * time + t;
    const size_t source = (token * key_heads + head * key_heads / heads) * width;
    const size_t target = (token * heads + head) * value_width + first;
    global const float *from = t == 0 ? initial : final_state;
    float decay = gates ? exp(max(gates[gates_by_token ? token * heads + head : head], LEAST_GATE)) : 1.0f;
    if (documents && t > 0 && documents[token] != documents[token - 1]) decay = 0.0f;
    if (columns == VECTOR) {
      const vector v = LOAD(value + target);
      vector o = (vector)(0.0f);
      for (int i = 0; i < width; i++) {
        const size_t row = place + (size_t)i * value_width;
        const vector old = from ? LOAD(from + row) : (vector)(0.0f);
        const vector new = FMA(old, (vector)(decay), v * key[source + i]);
        STORE(new, final_state + row);
        o = FMA(new, (vector)(query[source + i]), o);
      }
      STORE(o * scale, output + target);
      continue;
    }
    for (int j = 0; j < columns; j++) {
      float o = 0.0f;
      for (int i = 0; i < width; i++) {
        const size_t row = place + (size_t)i * value_width + j;
        const float old = from ? from[row] : 0.0f;
        const float new = old * decay + value[target + j] * key[source + i];
        final_state[row] = new;
        o += new * query[source + i];
      }
      output[target + j] = o * scale;
    }
  }
}
