// vector_gate.cl - linear attention whose state decays by one factor per key channel and token (GLA), in blocks
//
//   vector_gate_forward   q, k, gate [B, T, H, K], v [B, T, H, V], initial state -> o [B, T, H, V], final state
//   vector_gate_step      the forward token by token, for decoding
//   vector_gate_backward  in vector_gate_backward.cl
//
//   S_t = diag(e^{g_t}) S_{t-1} + k_t v_t^T [K, V],  o_t = scale S_t^T q_t
//
// Gates below -20 count as -20. With documents, ids [B, T], the state is 0 in front of a token whose id differs from its
// predecessor's. Absent operands are null pointers.
//
// In a block with rows r, s, b = cumulative sum of g, P_rs = sum_k q_rk k_sk e^{b_rk - b_sk} (s <= r):
//   O = (Q . e^b) S + P V;   S' = diag(e^{b_last}) S + (K . e^{b_last - b})^T V
//
// A block of 16 tokens meets the state at once: a third fewer operations than chunks of 64 with blocks inside them, at
// heads of 64. A work-item owns `group_heads` neighbouring heads of one sequence and walks chunks of CHUNK tokens, all its heads
// in every chunk: rows of neighbouring heads share pages and cache lines. Paper: Yang et al. 2024 (GLA).
// Swift: Operations/Recurrences/GatedLinearAttention.swift

#include "blocks.cl"

// ------------------------------------------------------------------------------------------------------- forward
// Scratch: gates, f, products of f, q, k [BLOCK, K], k^T [K, BLOCK], v, o [BLOCK, V], scores [BLOCK, BLOCK], carry [K],
// and a state [K, V] per head.

WORK_GROUP kernel void vector_gate_forward(
    global const float *query, global const float *key, global const float *value, global const float *gates,
    global const int *documents, global const float *initial, global float *output, global float *final_state,
    global float *scratch, ulong scratch_size, int time, int heads, int width, int value_width, int group_heads,
    float scale) {
  const Walk w = make_walk(time, heads, heads, width, value_width, group_heads);
  scratch += get_group_id(0) * scratch_size;
  const int matrix = BLOCK * w.keys, size = w.keys * w.values;
  global float *gate = scratch, *factors = gate + matrix, *from_start = factors + matrix, *q = from_start + matrix;
  global float *k = q + matrix, *k_transposed = k + matrix, *v = k_transposed + matrix, *o = v + BLOCK * w.values;
  global float *scores = o + BLOCK * w.values, *carry = scores + BLOCK * BLOCK, *states = carry + w.keys;
  const size_t stride = (size_t)heads * width, value_stride = (size_t)heads * value_width;
  global const int *ids = ids_of(&w, documents);
  for (int h = 0; h < group_heads; h++) {
    load_state(initial ? initial + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys, states + h * size);
  }
  for (int start = 0; start < time; start += CHUNK) {
    const int end = min(start + CHUNK, time);
    touch_rows(&w, query, heads, width, start, end, carry);
    touch_rows(&w, key, heads, width, start, end, carry);
    touch_rows(&w, gates, heads, width, start, end, carry);
    touch_rows(&w, value, heads, value_width, start, end, carry);
    for (int h = 0; h < group_heads; h++) {
      global float *state = states + h * size;
      for (int token = start, rows = 0; token < end; token += rows) {
        rows = block_rows(ids, token, end);
        const size_t source = row_of(&w, token, w.first_head + h, heads, width);
        const size_t target = row_of(&w, token, w.first_head + h, heads, value_width);
        load_block(query + source, stride, rows, width, scale, q);
        load_block(key + source, stride, rows, width, 1.0f, k);
        load_block(gates + source, stride, rows, width, 1.0f, gate);
        load_block(value + target, value_stride, rows, value_width, 1.0f, v);
        if (is_reset(ids, token)) set_zero(state, size);
        make_factors(w.keys, gate, factors, from_start, carry);
        transpose(k, BLOCK, w.keys, k_transposed);
        aged_scores(w.keys, q, factors, k_transposed, BLOCK, scores);
        multiply(q, from_start, matrix);
        product(BLOCK, w.values, w.keys, FULL, q, w.keys, 1, state, w.values, 0.0f, o, w.values);
        product(BLOCK, w.values, BLOCK, A_LOWER, scores, BLOCK, 1, v, w.values, 1.0f, o, w.values);
        store_rows(o, rows, value_width, 1.0f, output + target, value_stride);
        advance_state(w.keys, w.values, BLOCK, state, carry, k_transposed, BLOCK, 1, v, state);
      }
    }
  }
  for (int h = 0; h < group_heads; h++) {
    store_state(states + h * size, width, value_width, final_state + state_of(&w, w.first_head + h));
  }
}

// ---------------------------------------------------------------------------------------------------------- step
// A work-item owns VECTOR columns of one head's state and reads and writes them once per token: [K] rows of VECTOR.

// One token in VECTOR columns; `from` null for a state of 0.
static inline void step_gated_columns(global const float *q, global const float *k, global const float *v,
                                      global const float *gates, global const float *from, global float *to, int width,
                                      int stride, float scale, global float *o) {
  float factors[VECTOR];
  vector sum = (vector)(0.0f);
  const vector write = LOAD(v);
  for (int first = 0; first < width; first += VECTOR) {
    token_factors(gates, first, width, factors);
    for (int i = first; i < min(first + VECTOR, width); i++) {
      const size_t row = (size_t)i * stride;
      const vector old = from ? LOAD(from + row) : (vector)(0.0f);
      const vector new = FMA(old, (vector)(factors[i - first]), write * k[i]);
      STORE(new, to + row);
      sum = FMA(new, (vector)(q[i]), sum);
    }
  }
  STORE(sum * scale, o);
}

// The same in one column.
static inline void step_gated_column(global const float *q, global const float *k, global const float *v,
                                     global const float *gates, global const float *from, global float *to, int width,
                                     int stride, float scale, global float *o) {
  float factors[VECTOR];
  float sum = 0.0f;
  for (int first = 0; first < width; first += VECTOR) {
    token_factors(gates, first, width, factors);
    for (int i = first; i < min(first + VECTOR, width); i++) {
      const size_t row = (size_t)i * stride;
      const float new = (from ? from[row] : 0.0f) * factors[i - first] + v[0] * k[i];
      to[row] = new;
      sum += new * q[i];
    }
  }
  o[0] = sum * scale;
}

WORK_GROUP kernel void vector_gate_step(
    global const float *query, global const float *key, global const float *value, global const float *gates,
    global const int *documents, global const float *initial, global float *output, global float *final_state, int time,
    int heads, int width, int value_width, float scale) {
  const int pieces = (value_width + VECTOR - 1) / VECTOR, item = (int)get_group_id(0);
  const int first = item % pieces * VECTOR, columns = min(VECTOR, value_width - first);
  const int head = item / pieces % heads, sequence = item / pieces / heads;
  const size_t place = ((size_t)sequence * heads + head) * width * value_width + first;
  for (int t = 0; t < time; t++) {
    const size_t row = ((size_t)sequence * time + t) * heads + head;
    const size_t source = row * width, target = row * value_width + first;
    global const float *before = t > 0 ? final_state : initial;
    if (is_reset(documents ? documents + (size_t)sequence * time : 0, t)) before = 0;
    global const float *from = before ? before + place : 0;
    if (columns == VECTOR) {
      step_gated_columns(query + source, key + source, value + target, gates + source, from, final_state + place, width,
                         value_width, scale, output + target);
      continue;
    }
    for (int j = 0; j < columns; j++) {
      step_gated_column(query + source, key + source, value + target + j, gates + source, from ? from + j : 0,
                        final_state + place + j, width, value_width, scale, output + target + j);
    }
  }
}
