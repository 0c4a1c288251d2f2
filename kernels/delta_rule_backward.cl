// delta_rule_backward.cl - gradients of the delta rule and the gated delta rule (delta_rule.cl), in chunks
//
//   delta_rule_backward   q, k, v, beta, gate, documents, initial state, do [B, T, H, V], d(final state)
//                         -> dq, dk [B, T, H, K] (one per head of v), dv, dbeta and dgate [B, T, H], d(initial state)
//
// With U = diag(beta) W, W the errors of prediction, and A = stril(diag(beta) (K K^T) . M):
//   (1 + stril((K K^T) . M) diag(beta)) W = V - E K S
//   P = (Q K^T) . M;  (1 + A)^T Z = P^T dO + F K dS'
//   dV = diag(beta) Z;  dbeta_r = z_r w_r;  dP = (dO U^T) . M;  G = -stril(diag(beta) (Z U^T) . M)
//   dQ = E dO S^T + dP K;   dK = read + write
//   read = -diag(beta) E Z S^T + G K;   write = dP^T Q + F U dS'^T + G^T K
//   db_r = q_r dq_r + k_r (read_r - write_r);  dg_r = sum_{u >= r} db_u + <S', dS'>
//   dS = e^{b_last} dS' + (E Q)^T dO - (diag(beta) E K)^T Z
// No division by beta: it may be 0. The WY factors of the published kernels cancel.
//
// The states at the chunks' starts are made again in a sweep forward and kept transposed, with the errors: per head
// [chunks + 1][V, K], then [chunks][CHUNK, V]. Solving for the errors a second time instead would cost as much as the
// solve for Z and its right-hand side.

#include "delta_solve.cl"

// The transposed states in front of every chunk and behind the last, and the errors of all chunks. Scratch: k, read
// [CHUNK, K], read^T [K, CHUNK], u [CHUNK, V], scores [CHUNK, CHUNK], and a state [K, V] per head.
static void sweep_errors(const Walk *w, Decays d, global float *beta, global const float *key,
                         global const float *value, global const float *betas, global const float *gates,
                         global const int *documents, global const float *initial, global float *k, global float *read,
                         global float *read_transposed, global float *u, global float *scores, global float *running,
                         global float *states, size_t states_size) {
  const int size = w->keys * w->values;
  const size_t error_place = (size_t)((w->time + CHUNK - 1) / CHUNK + 1) * size;
  for (int h = 0; h < w->group_heads; h++) {
    load_state(initial ? initial + state_of(w, w->first_head + h) : 0, w->width, w->value_width, w->keys,
               running + h * size);
    transpose(running + h * size, w->keys, w->values, states + h * states_size);
  }
  for (int token = 0; token < w->time; token += CHUNK) {
    const int rows = min(CHUNK, w->time - token);
    touch_rows(w, key, w->key_heads, w->width, token, token + rows, scores);
    touch_rows(w, value, w->heads, w->value_width, token, token + rows, scores);
    for (int h = 0; h < w->group_heads; h++) {
      const int head = w->first_head + h;
      global float *state = running + h * size, *kept = states + h * states_size;
      global float *error = kept + error_place + (size_t)token * w->values;
      chunk_decays(w, d, token, rows, head, gates, 1, documents);
      load_betas(betas + row_of(w, token, head, w->heads, 1), w->heads, rows, beta);
      // Everything is made of -K: L = (-K) (diag(beta) K)^T, V + E (-K) S, and (F (-K))^T (-U).
      load_rows(key + row_of(w, token, key_head(w, head), w->key_heads, w->width), (size_t)w->key_heads * w->width,
                rows, w->width, -1.0f, k);
      load_rows(value + row_of(w, token, head, w->heads, w->value_width), (size_t)w->heads * w->value_width, rows,
                w->value_width, 1.0f, error);
      scaled_rows(k, w->keys, beta + CHUNK, read);
      transpose(read, CHUNK, w->keys, read_transposed);
      product(CHUNK, CHUNK, w->keys, C_LOWER, k, w->keys, 1, read_transposed, CHUNK, 0.0f, scores, CHUNK);
      decay_scores(d, scores);
      scaled_rows(k, w->keys, d.from_start, read);
      product(CHUNK, w->values, w->keys, FULL, read, w->keys, 1, state, w->values, 1.0f, error, w->values);
      solve(scores, CHUNK, 1, w->values, error, w->values);
      scaled_rows(error, w->values, beta + CHUNK, u);
      scale_rows(k, CHUNK, w->keys, d.to_end);
      product(w->keys, w->values, CHUNK, FULL, k, 1, w->keys, u, w->values, CARRY(d), state, w->values);
      transpose(state, w->keys, w->values, kept + (size_t)(token / CHUNK + 1) * size);
    }
  }
}

// sum = a + b and difference = b - a in place of them; count a multiple of VECTOR.
static void add_and_subtract(global float *a, global float *b, int count) {
  for (int i = 0; i < count; i += VECTOR) {
    const vector x = LOAD(a + i), y = LOAD(b + i);
    STORE(x + y, a + i);
    STORE(y - x, b + i);
  }
}

// Scratch: decays, betas, dots [CHUNK + V], q, k, dq, read, write [CHUNK, K], k^T [K, CHUNK], do, z, u [CHUNK, V],
// u^T [V, CHUNK], P, dP, A [CHUNK, CHUNK], the transposed gradient of a state [V, K], a state's gradient [K, V] per head.
WORK_GROUP kernel void delta_rule_backward(
    global const float *query, global const float *key, global const float *value, global const float *betas,
    global const float *gates, global const int *documents, global const float *initial,
    global const float *output_gradient, global const float *final_gradient, global float *query_gradient,
    global float *key_gradient, global float *value_gradient, global float *beta_gradient, global float *gate_gradient,
    global float *initial_gradient, global float *scratch, global float *states, ulong scratch_size, ulong states_size,
    int time, int heads, int key_heads, int width, int value_width, int group_heads, float scale) {
  const Walk w = make_walk(time, heads, key_heads, width, value_width, group_heads);
  scratch += get_group_id(0) * scratch_size;
  states += get_group_id(0) * group_heads * states_size;
  const int size = w.keys * w.values;
  const size_t error_place = (size_t)((time + CHUNK - 1) / CHUNK + 1) * size;
  const Decays d = decays_at(scratch, gates != 0, documents != 0);
  global float *beta = scratch + DECAY_FLOATS, *dots = beta + BETA_FLOATS, *q = dots + CHUNK + w.values;
  global float *k = q + CHUNK * w.keys, *dq = k + CHUNK * w.keys, *read = dq + CHUNK * w.keys;
  global float *write = read + CHUNK * w.keys, *k_transposed = write + CHUNK * w.keys;
  global float *g = k_transposed + CHUNK * w.keys, *z = g + CHUNK * w.values, *u = z + CHUNK * w.values;
  global float *u_transposed = u + CHUNK * w.values, *scores = u_transposed + CHUNK * w.values;
  global float *ds = scores + CHUNK * CHUNK, *system = ds + CHUNK * CHUNK;
  global float *dstate_transposed = system + CHUNK * CHUNK, *dstates = dstate_transposed + size;
  sweep_errors(&w, d, beta, key, value, betas, gates, documents, initial, k, read, k_transposed, u, scores, dstates,
               states, states_size);
  for (int h = 0; h < group_heads; h++) {
    load_state(final_gradient ? final_gradient + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys,
               dstates + h * size);
  }
  for (int token = (time - 1) / CHUNK * CHUNK; token >= 0; token -= CHUNK) {
    const int rows = min(CHUNK, time - token);
    touch_rows(&w, query, key_heads, width, token, token + rows, scores);
    touch_rows(&w, key, key_heads, width, token, token + rows, scores);
    touch_rows(&w, output_gradient, heads, value_width, token, token + rows, scores);
    for (int h = 0; h < group_heads; h++) {
      const int head = w.first_head + h;
      global float *dstate = dstates + h * size;
      global const float *before = states + h * states_size + (size_t)(token / CHUNK) * size;
      global const float *errors = states + h * states_size + error_place + (size_t)token * w.values;
      const size_t source = row_of(&w, token, key_head(&w, head), key_heads, width);
      const size_t values = row_of(&w, token, head, heads, value_width), scalars = row_of(&w, token, head, heads, 1);
      const size_t target = row_of(&w, token, head, heads, width), value_stride = (size_t)heads * value_width;
      chunk_decays(&w, d, token, rows, head, gates, 1, documents);
      load_betas(betas + scalars, heads, rows, beta);
      load_rows(query + source, (size_t)key_heads * width, rows, width, scale, q);
      load_rows(key + source, (size_t)key_heads * width, rows, width, 1.0f, k);
      load_rows(output_gradient + values, value_stride, rows, value_width, 1.0f, g);
      scaled_rows(errors, w.values, beta, u);
      transpose(k, CHUNK, w.keys, k_transposed);
      transpose(u, CHUNK, w.values, u_transposed);
      transpose(dstate, w.keys, w.values, dstate_transposed);
      product(CHUNK, CHUNK, w.keys, C_LOWER, q, w.keys, 1, k_transposed, CHUNK, 0.0f, scores, CHUNK);
      decay_scores(d, scores);
      product(CHUNK, CHUNK, w.values, C_LOWER, g, w.values, 1, u_transposed, CHUNK, 0.0f, ds, CHUNK);
      decay_scores(d, ds);
      scaled_rows(k, w.keys, beta + CHUNK, read);
      product(CHUNK, CHUNK, w.keys, C_LOWER, read, w.keys, 1, k_transposed, CHUNK, 0.0f, system, CHUNK);
      decay_scores(d, system);
      // Z, then dV = diag(beta) Z; from there on z is -diag(beta) Z
      product(CHUNK, w.values, w.keys, FULL, k, w.keys, 1, dstate, w.values, 0.0f, z, w.values);
      scale_rows(z, CHUNK, w.values, d.to_end);
      product(CHUNK, w.values, CHUNK, A_UPPER, scores, 1, CHUNK, g, w.values, 1.0f, z, w.values);
      solve_transposed(system, w.values, z, w.values);
      for (int r = 0; r < rows; r++) {
        beta_gradient[scalars + r * heads] = dot_row(z + r * w.values, errors + r * w.values, w.values);
      }
      scale_rows(z, CHUNK, w.values, beta + CHUNK);
      store_rows(z, rows, value_width, -1.0f, value_gradient + values, value_stride);
      // G
      product(CHUNK, CHUNK, w.values, C_LOWER, z, w.values, 1, u_transposed, CHUNK, 0.0f, system, CHUNK);
      decay_scores(d, system);
      for (int r = 0; r < CHUNK; r++) system[r * CHUNK + r] = 0.0f;
      scale_rows(g, CHUNK, w.values, d.from_start);
      scale_rows(z, CHUNK, w.values, d.from_start);
      scale_rows(u, CHUNK, w.values, d.to_end);
      product(CHUNK, w.keys, w.values, FULL, g, w.values, 1, before, w.keys, 0.0f, dq, w.keys);
      product(CHUNK, w.keys, CHUNK, A_LOWER, ds, CHUNK, 1, k, w.keys, 1.0f, dq, w.keys);
      product(CHUNK, w.keys, w.values, FULL, z, w.values, 1, before, w.keys, 0.0f, read, w.keys);
      product(CHUNK, w.keys, CHUNK, A_LOWER, system, CHUNK, 1, k, w.keys, 1.0f, read, w.keys);
      product(CHUNK, w.keys, w.values, FULL, u, w.values, 1, dstate_transposed, w.keys, 0.0f, write, w.keys);
      product(CHUNK, w.keys, CHUNK, A_UPPER, ds, 1, CHUNK, q, w.keys, 1.0f, write, w.keys);
      product(CHUNK, w.keys, CHUNK, A_UPPER, system, 1, CHUNK, k, w.keys, 1.0f, write, w.keys);
      add_and_subtract(read, write, CHUNK * w.keys);
      if (gate_gradient) {
        store_gate_gradients(&w, d, rows, token == 0 && !initial, q, dq, k, write, before + size, dstate_transposed,
                             gates + scalars, heads, dots, gate_gradient + scalars);
      }
      store_rows(dq, rows, width, scale, query_gradient + target, (size_t)heads * width);
      store_rows(read, rows, width, 1.0f, key_gradient + target, (size_t)heads * width);
      // dS
      product(w.keys, w.values, CHUNK, FULL, q, 1, w.keys, g, w.values, CARRY(d), dstate, w.values);
      product(w.keys, w.values, CHUNK, FULL, k, 1, w.keys, z, w.values, 1.0f, dstate, w.values);
    }
  }
  if (initial_gradient) {
    for (int h = 0; h < group_heads; h++) {
      store_state(dstates + h * size, width, value_width, initial_gradient + state_of(&w, w.first_head + h));
    }
  }
}
