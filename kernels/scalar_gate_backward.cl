// scalar_gate_backward.cl - gradients of linear attention whose state decays by one factor per head and token
//
//   scalar_gate_backward  operands of scalar_gate_forward, do [B, T, H, V], d(final state)
//                         -> dq, dk [B, T, H, K] (one per head of v), dv, dgate [B, T, H], d(initial state)
//
// With the names of scalar_gate.cl:
//   dP = (dO V^T) . M;  dQ = E dO S^T + dP K;  dK = dP^T Q + F V dS'^T;  dV = ((Q K^T) . M)^T dO + F K dS'
//   db_r = q_r dq_r - k_r dk_r;  dg_r = sum_{u >= r} db_u + <S', dS'>;  dS = e^{b_last} dS' + (E Q)^T dO
//
// The states at the chunks' starts are made again in a sweep forward and kept transposed [chunks + 1][V, K] per head.
// Swift: Operations/Recurrences/ScalarGatedLinearAttention.swift

#include "decays.cl"

// The transposed states in front of every chunk and behind the last.
static void sweep_states(const Walk *w, Decays d, global const float *key, global const float *value,
                         global const float *gates, int gates_by_token, global const int *documents,
                         global const float *initial, global float *k, global float *v, global float *states, size_t states_size) {
  const int size = w->keys * w->values;
  for (int h = 0; h < w->group_heads; h++) {
    // The place of the second state is free.
    global float *first = states + h * states_size;
    load_state(initial ? initial + state_of(w, w->first_head + h) : 0, w->width, w->value_width, w->keys, first + size);
    transpose(first + size, w->keys, w->values, first);
  }
  for (int token = 0; token < w->time; token += CHUNK) {
    const int rows = min(CHUNK, w->time - token);
    touch_rows(w, key, w->key_heads, w->width, token, token + rows, k);
    touch_rows(w, value, w->heads, w->value_width, token, token + rows, k);
    for (int h = 0; h < w->group_heads; h++) {
      const int head = w->first_head + h;
      global float *state = states + h * states_size + (size_t)(token / CHUNK) * size;
      chunk_decays(w, d, token, rows, head, gates, gates_by_token, documents);
      load_rows(key + row_of(w, token, key_head(w, head), w->key_heads, w->width), (size_t)w->key_heads * w->width,
                rows, w->width, 1.0f, k);
      load_rows(value + row_of(w, token, head, w->heads, w->value_width), (size_t)w->heads * w->value_width, rows,
                w->value_width, 1.0f, v);
      scale_rows(k, CHUNK, w->keys, d.to_end);
      for (int i = 0; i < size; i += VECTOR) STORE(LOAD(state + i), state + size + i);
      product(w->values, w->keys, CHUNK, FULL, v, 1, w->values, k, w->keys, CARRY(d), state + size, w->keys);
    }
  }
}

// Scratch: decays, dots [CHUNK + V], q, k, dq, dk [CHUNK, K], k^T [K, CHUNK], v, do, dv [CHUNK, V], v^T [V, CHUNK], scores
// and their gradients [CHUNK, CHUNK], the transposed gradient of a state [V, K], a state's gradient [K, V] per head.
WORK_GROUP kernel void scalar_gate_backward(
    global const float *query, global const float *key, global const float *value, global const float *gates,
    global const int *documents, global const float *initial, global const float *output_gradient,
    global const float *final_gradient, global float *query_gradient, global float *key_gradient,
    global float *value_gradient, global float *gate_gradient, global float *initial_gradient, global float *scratch,
    global float *states, ulong scratch_size, ulong states_size, int time, int heads, int key_heads, int width,
    int value_width, int group_heads, int gates_by_token, float scale) {
  const Walk w = make_walk(time, heads, key_heads, width, value_width, group_heads);
  scratch += get_group_id(0) * scratch_size;
  states += get_group_id(0) * group_heads * states_size;
  const int size = w.keys * w.values;
  const Decays d = decays_at(scratch, gates != 0, documents != 0);
  global float *dots = scratch + DECAY_FLOATS, *q = dots + CHUNK + w.values, *k = q + CHUNK * w.keys;
  global float *dq = k + CHUNK * w.keys, *dk = dq + CHUNK * w.keys, *k_transposed = dk + CHUNK * w.keys;
  global float *v = k_transposed + CHUNK * w.keys, *g = v + CHUNK * w.values, *dv = g + CHUNK * w.values;
  global float *v_transposed = dv + CHUNK * w.values, *scores = v_transposed + CHUNK * w.values;
  global float *ds = scores + CHUNK * CHUNK, *dstate_transposed = ds + CHUNK * CHUNK;
  global float *dstates = dstate_transposed + size;
  sweep_states(&w, d, key, value, gates, gates_by_token, documents, initial, k, v, states, states_size);
  for (int h = 0; h < group_heads; h++) {
    load_state(final_gradient ? final_gradient + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys,
               dstates + h * size);
  }
  for (int token = (time - 1) / CHUNK * CHUNK; token >= 0; token -= CHUNK) {
    const int rows = min(CHUNK, time - token);
    touch_rows(&w, query, key_heads, width, token, token + rows, scores);
    touch_rows(&w, key, key_heads, width, token, token + rows, scores);
    touch_rows(&w, value, heads, value_width, token, token + rows, scores);
    touch_rows(&w, output_gradient, heads, value_width, token, token + rows, scores);
    for (int h = 0; h < group_heads; h++) {
      const int head = w.first_head + h;
      global float *dstate = dstates + h * size;
      global const float *before = states + h * states_size + (size_t)(token / CHUNK) * size;
      const size_t source = row_of(&w, token, key_head(&w, head), key_heads, width);
      const size_t values = row_of(&w, token, head, heads, value_width);
      const size_t target = row_of(&w, token, head, heads, width);
      const size_t key_stride = (size_t)key_heads * width, value_stride = (size_t)heads * value_width;
      chunk_decays(&w, d, token, rows, head, gates, gates_by_token, documents);
      load_rows(query + source, key_stride, rows, width, scale, q);
      load_rows(key + source, key_stride, rows, width, 1.0f, k);
      load_rows(value + values, value_stride, rows, value_width, 1.0f, v);
      load_rows(output_gradient + values, value_stride, rows, value_width, 1.0f, g);
      transpose(k, CHUNK, w.keys, k_transposed);
      transpose(v, CHUNK, w.values, v_transposed);
      transpose(dstate, w.keys, w.values, dstate_transposed);
      product(CHUNK, CHUNK, w.keys, C_LOWER, q, w.keys, 1, k_transposed, CHUNK, 0.0f, scores, CHUNK);
      decay_scores(d, scores);
      product(CHUNK, CHUNK, w.values, C_LOWER, g, w.values, 1, v_transposed, CHUNK, 0.0f, ds, CHUNK);
      decay_scores(d, ds);
      // dQ = E dO S^T + dP K
      product(CHUNK, w.keys, w.values, FULL, g, w.values, 1, before, w.keys, 0.0f, dq, w.keys);
      scale_rows(dq, CHUNK, w.keys, d.from_start);
      product(CHUNK, w.keys, CHUNK, A_LOWER, ds, CHUNK, 1, k, w.keys, 1.0f, dq, w.keys);
      // dK = F V dS'^T + dP^T Q
      product(CHUNK, w.keys, w.values, FULL, v, w.values, 1, dstate_transposed, w.keys, 0.0f, dk, w.keys);
      scale_rows(dk, CHUNK, w.keys, d.to_end);
      product(CHUNK, w.keys, CHUNK, A_UPPER, ds, 1, CHUNK, q, w.keys, 1.0f, dk, w.keys);
      // dV = F K dS' + P^T dO
      product(CHUNK, w.values, w.keys, FULL, k, w.keys, 1, dstate, w.values, 0.0f, dv, w.values);
      scale_rows(dv, CHUNK, w.values, d.to_end);
      product(CHUNK, w.values, CHUNK, A_UPPER, scores, 1, CHUNK, g, w.values, 1.0f, dv, w.values);
      if (gate_gradient) {
        store_gate_gradients(&w, d, rows, token == 0 && !initial, q, dq, k, dk, before + size, dstate_transposed,
                             gate_of(&w, token, head, gates, gates_by_token), gates_by_token * heads, dots,
                             gate_gradient + row_of(&w, token, head, heads, 1));
      }
      store_rows(dq, rows, width, scale, query_gradient + target, (size_t)heads * width);
      store_rows(dk, rows, width, 1.0f, key_gradient + target, (size_t)heads * width);
      store_rows(dv, rows, value_width, 1.0f, value_gradient + values, value_stride);
      // dS = e^{b_last} dS' + (E Q)^T dO
      scale_rows(g, CHUNK, w.values, d.from_start);
      product(w.keys, w.values, CHUNK, FULL, q, 1, w.keys, g, w.values, CARRY(d), dstate, w.values);
    }
  }
  if (initial_gradient) {
    for (int h = 0; h < group_heads; h++) {
      store_state(dstates + h * size, width, value_width, initial_gradient + state_of(&w, w.first_head + h));
    }
  }
}
