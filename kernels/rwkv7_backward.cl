// rwkv7_backward.cl - gradients of RWKV-7's generalized delta rule, in blocks
//
//   rwkv7_backward  operands of rwkv7_forward, do [B, T, H, V], d(final state)
//                   -> dq, dw, dk, da, db [B, T, H, K], dv [B, T, H, V], d(initial state)
//
// With the names of rwkv7.cl and dS' = the gradient of the state behind the block:
//   dY = Q_b^T dO + (B . e^{c_last - c}) dS';  Z = (1 - A_b)^{-T} dY
//   dV = Q_k^T dO + (K . e^{c_last - c}) dS' + A_k^T Z
//   dQ_b = dO Y^T, dQ_k = dO V^T, dA_b = Z Y^T, dA_k = Z V^T, each on its side of the diagonal
//   dq_r = e^{c_r} . (S dO_r) + rows of dQ_b, dQ_k over the aged b, k;  da_r = e^{c'_r} . (S z_r) + the same of dA
//   db_s, dk_s = e^{c_last - c_s} . (dS' y_s, dS' v_s) (first part) + columns over the aged q, a (second part)
//   dS = diag(e^{c_last}) dS' + (Q . e^c)^T dO + (A . e^{c'})^T Z
//   dw_t = what passes through the decay of t: e^{c_last} . rowsum(S . dS') + sum_{s < t} (k . dk + b . db, first parts)
//          + sum_{r >= t} (q_r . dq_r + a_{r+1} . da_{r+1}, as far as they come from S and from rows s < t)
// The last is sum_{u >= t} (q . dq - k . dk - b . db) + sum_{u > t} a . da over second parts, without what cancels in it.
// Swift: Operations/Recurrences/RWKV7.swift

#include "rwkv7_sweep.cl"

// --------------------------------------------------------------------------------------------- inside a block

// As in blocks.cl, scores_rs with s < r only.

// dq_r, da_r += sum_{s < r} (q_scores, a_scores)_rs (b, k)_s f_{s+1} ... f_r, and to dgate_t for t <= r what of q . dq + a . da
// passes through t: it comes from S, which dq and da start with, or from rows s < t. The rows of b and k age. Scores have
// BLOCK columns for b, then as many for k.
static void add_earlier_to_two(int keys, global const float *q_scores, global const float *a_scores,
                               global const float *factors, global const float *q, global const float *a,
                               global float *b, global float *k, global float *dq, global float *da,
                               global float *dgate) {
  for (int j = 0; j < keys; j += VECTOR) {
    for (int r = 0; r < BLOCK; r++) {
      const int i = r * keys + j;
      const vector factor = LOAD(factors + i), query = LOAD(q + i), removal = LOAD(a + i);
      vector q_sum = LOAD(dq + i), a_sum = LOAD(da + i);
      for (int s = 0; s < r; s++) {
        const int e = s * keys + j;
        STORE(FMA(query, q_sum, FMA(removal, a_sum, LOAD(dgate + e))), dgate + e);
        const vector aged_b = LOAD(b + e) * factor, aged_k = LOAD(k + e) * factor;
        STORE(aged_b, b + e);
        STORE(aged_k, k + e);
        q_sum = FMA((vector)(q_scores[r * PAIR + s]), aged_b, q_sum);
        a_sum = FMA((vector)(a_scores[r * PAIR + s]), aged_b, a_sum);
        q_sum = FMA((vector)(q_scores[r * PAIR + BLOCK + s]), aged_k, q_sum);
        a_sum = FMA((vector)(a_scores[r * PAIR + BLOCK + s]), aged_k, a_sum);
      }
      STORE(FMA(query, q_sum, FMA(removal, a_sum, LOAD(dgate + i))), dgate + i);
      STORE(q_sum, dq + i);
      STORE(a_sum, da + i);
    }
  }
}

// db_s, dk_s += sum_{r > s} scores_rs q_r f_{s+1} ... f_r; the rows of q age back.
static void add_later_to_two(int keys, global const float *scores, global const float *factors, global float *q,
                             global float *db, global float *dk) {
  for (int j = 0; j < keys; j += VECTOR) {
    for (int s = BLOCK - 2; s >= 0; s--) {
      const vector factor = LOAD(factors + (s + 1) * keys + j);
      vector b_sum = LOAD(db + s * keys + j), k_sum = LOAD(dk + s * keys + j);
      for (int r = s + 1; r < BLOCK; r++) {
        const vector aged = LOAD(q + r * keys + j) * factor;
        STORE(aged, q + r * keys + j);
        b_sum = FMA((vector)(scores[r * PAIR + s]), aged, b_sum);
        k_sum = FMA((vector)(scores[r * PAIR + BLOCK + s]), aged, k_sum);
      }
      STORE(b_sum, db + s * keys + j);
      STORE(k_sum, dk + s * keys + j);
    }
  }
}

// The gradients of a block's operands that are rows of keys.
typedef struct {
  global float *reads; // dq, da and a row of zeros [PAIR + 1, K]
  global float *writes; // db, dk [PAIR, K]
  global float *gate; // dw [BLOCK, K]
  global float *inherited; // e^{c_last} . rowsum(S . dS') [K]
} PairGradients;

// dw as far as it comes from the states: from the first parts of db and dk.
static void pair_gate_gradients_of_states(int keys, const PairBlock *p, const PairGradients *d) {
  for (int j = 0; j < keys; j += VECTOR) {
    vector earlier = LOAD(d->inherited + j);
    for (int i = j; i < BLOCK * keys; i += keys) {
      STORE(earlier, d->gate + i);
      earlier = FMA(LOAD(p->writes + i), LOAD(d->writes + i), earlier);
      earlier = FMA(LOAD(p->writes + BLOCK * keys + i), LOAD(d->writes + BLOCK * keys + i), earlier);
    }
  }
}

// `reads` and `writes` get what the diagonals of the scores' gradients ds give, which meet no decay; gates below the least
// have no gradient.
static void finish_pair_gradients(int keys, const PairBlock *p, const PairGradients *d, global const float *ds) {
  const int second = BLOCK * keys, shifted = second + keys;
  for (int r = 0; r < BLOCK; r++) {
    global const float *q_diagonal = ds + r * PAIR + r, *a_diagonal = LATER_SCORES(ds) + r * PAIR + r;
    for (int i = r * keys; i < (r + 1) * keys; i += VECTOR) {
      const vector q = LOAD(p->reads + i), a = LOAD(p->reads + shifted + i);
      const vector b = LOAD(p->writes + i), k = LOAD(p->writes + second + i);
      STORE(LOAD(d->reads + i) + b * q_diagonal[0] + k * q_diagonal[BLOCK], d->reads + i);
      STORE(LOAD(d->reads + shifted + i) + b * a_diagonal[0] + k * a_diagonal[BLOCK], d->reads + shifted + i);
      STORE(LOAD(d->writes + i) + q * q_diagonal[0] + a * a_diagonal[0], d->writes + i);
      STORE(LOAD(d->writes + second + i) + q * q_diagonal[BLOCK] + a * a_diagonal[BLOCK], d->writes + second + i);
      STORE(SELECT(LOAD(d->gate + i), (vector)(0.0f), LOAD(p->gate + i) < (vector)(LEAST_GATE)), d->gate + i);
    }
  }
}

// Gradients of the values: cotangents [3 BLOCK, V] = dO, then Z, then dV.
static void pair_value_gradients(const Walk *w, PairBlock *p, global const float *dstate, global float *cotangents) {
  global float *z = cotangents + BLOCK * w->values, *dv = z + BLOCK * w->values;
  product(PAIR, w->values, w->keys, FULL, p->writes_transposed, 1, PAIR, dstate, w->values, 0.0f, z, w->values);
  product(BLOCK, w->values, BLOCK, A_UPPER, p->scores, 1, PAIR, cotangents, w->values, 1.0f, z, w->values);
  product(BLOCK, w->values, BLOCK, A_UPPER, p->scores + BLOCK, 1, PAIR, cotangents, w->values, 1.0f, dv, w->values);
  // The transposed system, from the last row on.
  const int last = BLOCK - 1;
  substitute(w->values, REMOVAL_SCORES(p) + last * PAIR + last, -1, -PAIR, z + last * w->values, -w->values);
  product(BLOCK, w->values, BLOCK, A_UPPER, REMOVAL_SCORES(p) + BLOCK, 1, PAIR, z, w->values, 1.0f, dv, w->values);
}

// What the block's rows of keys get from the states: db, dk from the one behind it, dq, da from the one in front (null for
// 0). `transposed` [V, PAIR] and writes_transposed are free.
static void pair_gradients_of_states(const Walk *w, PairBlock *p, const PairGradients *d, global const float *before,
                                     global const float *dstate, global const float *values_transposed,
                                     global const float *cotangents, global float *transposed) {
  const int matrix = BLOCK * w->keys;
  global float *product_transposed = p->writes_transposed;
  product(w->keys, PAIR, w->values, FULL, dstate, w->values, 1, values_transposed, PAIR, 0.0f, product_transposed, PAIR);
  transpose(product_transposed, w->keys, PAIR, d->writes);
  decay_to_end(w->keys, p->factors, d->writes);
  decay_to_end(w->keys, p->factors, d->writes + matrix);
  if (!before) {
    set_zero(d->reads, 2 * matrix);
    set_zero(d->inherited, w->keys);
    return;
  }
  transpose(cotangents, PAIR, w->values, transposed);
  product(w->keys, PAIR, w->values, FULL, before, w->values, 1, transposed, PAIR, 0.0f, product_transposed, PAIR);
  transpose(product_transposed, w->keys, PAIR, d->reads);
  multiply(d->reads, p->from_start, matrix);
  multiply(d->reads + matrix + w->keys, p->from_start, matrix - w->keys);
  for (int i = 0; i < w->keys; i++) {
    d->inherited[i] = p->carry[i] * dot_row(before + i * w->values, dstate + i * w->values, w->values);
  }
}

// The rest of it and dw, from the block's own scores, of which ds [PAIR + 1, PAIR] are the gradients; `aged` [PAIR, K] is
// free.
static void pair_gradients_of_scores(const Walk *w, PairBlock *p, const PairGradients *d, global const float *ds,
                                     global float *aged) {
  const int matrix = BLOCK * w->keys;
  pair_gate_gradients_of_states(w->keys, p, d);
  copy(p->reads, matrix, aged);
  add_later_to_two(w->keys, ds, p->factors, aged, d->writes, d->writes + matrix);
  copy(LATER_REMOVALS(p, w->keys), matrix, aged);
  add_later_to_two(w->keys, LATER_SCORES(ds), p->factors, aged, d->writes, d->writes + matrix);
  copy(p->writes, 2 * matrix, aged);
  add_earlier_to_two(w->keys, ds, LATER_SCORES(ds), p->factors, p->reads, LATER_REMOVALS(p, w->keys), aged, aged + matrix,
                     d->reads, d->reads + matrix + w->keys, d->gate);
  finish_pair_gradients(w->keys, p, d, ds);
}

// Scratch: a block, dq, da [PAIR + 1, K], db, dk [PAIR, K], dw [BLOCK, K], inherited [K], aged rows [PAIR, K],
// do, z, dv [3 BLOCK, V], transposes of y, v and of do, z [V, PAIR], ds [PAIR + 1, PAIR], starts [CHUNK],
// states [BLOCKS_PER_CHUNK, K, V], a state's gradient [K, V] per head.
WORK_GROUP kernel void rwkv7_backward(
    global const float *receptance, global const float *decay, global const float *key, global const float *removal,
    global const float *replacement, global const float *value, global const int *documents,
    global const float *initial, global const float *output_gradient, global const float *final_gradient,
    global float *receptance_gradient, global float *decay_gradient, global float *key_gradient,
    global float *removal_gradient, global float *replacement_gradient, global float *value_gradient,
    global float *initial_gradient, global float *scratch, global float *states, ulong scratch_size, ulong states_size,
    int time, int heads, int width, int value_width, int group_heads, float scale) {
  const Walk w = make_walk(time, heads, heads, width, value_width, group_heads);
  const Operands from = make_operands(&w, receptance, decay, key, removal, replacement, value, documents);
  const int matrix = BLOCK * w.keys, value_matrix = BLOCK * w.values, size = w.keys * w.values;
  scratch += get_group_id(0) * scratch_size;
  states += get_group_id(0) * group_heads * states_size;
  PairBlock p = pair_block_at(scratch, w.keys, w.values);
  clear_pair_block(&p, w.keys);
  PairGradients d;
  d.reads = scratch + PAIR_BLOCK_FLOATS(w.keys, w.values);
  d.writes = d.reads + 2 * matrix + w.keys;
  d.gate = d.writes + 2 * matrix;
  d.inherited = d.gate + matrix;
  global float *aged = d.inherited + w.keys, *cotangents = aged + 2 * matrix;
  global float *values_transposed = cotangents + 3 * value_matrix, *transposed = values_transposed + 2 * value_matrix;
  global float *ds = transposed + 2 * value_matrix;
  global int *starts = (global int *)(ds + (PAIR + 1) * PAIR);
  global float *block_states = ds + (PAIR + 1) * PAIR + CHUNK, *dstates = block_states + BLOCKS_PER_CHUNK * size;
  const size_t stride = (size_t)heads * width, value_stride = (size_t)heads * value_width;
  set_zero(d.reads + 2 * matrix, w.keys);
  set_zero(ds + PAIR * PAIR, PAIR);
  sweep_pair_chunks(&w, &from, &p, initial, states, states_size);
  for (int h = 0; h < group_heads; h++) {
    load_state(final_gradient ? final_gradient + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys,
               dstates + h * size);
  }
  for (int start = (time - 1) / CHUNK * CHUNK; start >= 0; start -= CHUNK) {
    const int end = min(start + CHUNK, time);
    touch_operands(&w, &from, &p, start, end);
    touch_rows(&w, receptance, heads, width, start, end, p.carry);
    touch_rows(&w, output_gradient, heads, value_width, start, end, p.carry);
    for (int h = 0; h < group_heads; h++) {
      const int head = w.first_head + h;
      global float *dstate = dstates + h * size;
      global const float *head_y = states + h * states_size + y_place(&w);
      const int blocks = sweep_pair_chunk(&w, &from, &p, start, end, head,
                                          states + h * states_size + (size_t)(start / CHUNK) * size, head_y, starts,
                                          block_states);
      int kept = 0;
      for (int b = 1; b < blocks; b++) kept += !is_reset(from.ids, starts[b]);
      for (int b = blocks - 1; b >= 0; b--) {
        const int token = starts[b], rows = (b + 1 < blocks ? starts[b + 1] : end) - token;
        const int reset = is_reset(from.ids, token), empty = reset || (token == 0 && !initial);
        global const float *before = empty ? 0 : block_states + kept * size;
        if (!reset) kept--;
        const size_t source = row_of(&w, token, head, heads, width);
        const size_t target = row_of(&w, token, head, heads, value_width);
        load_writes(&w, &from, &p, token, rows, head);
        load_removals(&w, &from, &p, token, rows, head);
        load_receptances(&w, &from, &p, token, rows, head, scale);
        load_read_values(&w, &p, head_y, token, rows);
        load_block(output_gradient + target, value_stride, rows, value_width, 1.0f, cotangents);
        pair_scores(&w, &p);
        pair_value_gradients(&w, &p, dstate, cotangents);
        store_rows(cotangents + 2 * value_matrix, rows, value_width, 1.0f, value_gradient + target, value_stride);
        transpose(READ_VALUES(&p, w.values), PAIR, w.values, values_transposed);
        product(PAIR, PAIR, w.values, FULL, cotangents, w.values, 1, values_transposed, PAIR, 0.0f, ds, PAIR);
        pair_gradients_of_states(&w, &p, &d, before, dstate, values_transposed, cotangents, transposed);
        pair_gradients_of_scores(&w, &p, &d, ds, aged);
        if (empty) set_zero(d.gate, w.keys);
        store_rows(d.reads, rows, width, scale, receptance_gradient + source, stride);
        store_rows(d.gate, rows, width, 1.0f, decay_gradient + source, stride);
        store_rows(d.writes + matrix, rows, width, 1.0f, key_gradient + source, stride);
        store_rows(d.reads + matrix, rows, width, 1.0f, removal_gradient + source, stride);
        store_rows(d.writes, rows, width, 1.0f, replacement_gradient + source, stride);
        // dS
        multiply(p.reads, p.from_start, matrix);
        decay_removals(&w, &p);
        advance_state(w.keys, w.values, PAIR, dstate, p.carry, p.reads, 1, w.keys, cotangents, dstate);
        if (reset) set_zero(dstate, size);
      }
    }
  }
  for (int h = 0; initial_gradient && h < group_heads; h++) {
    store_state(dstates + h * size, width, value_width, initial_gradient + state_of(&w, w.first_head + h));
  }
}
