// vector_gate_backward.cl - gradients of linear attention with one gate per key channel (GLA), in blocks
//
//   vector_gate_backward  operands of vector_gate_forward, do [B, T, H, V], d(final state)
//                         -> dq, dk, dgate [B, T, H, K], dv [B, T, H, V], d(initial state)
//
// With the names of vector_gate.cl and dS' = the gradient of the state behind the block:
//   dP = dO V^T;  dV = P^T dO + (K . e^{b_last - b}) dS'
//   dQ_r = e^{b_r} . (S dO_r) + sum_{s <= r} dP_rs K_s . e^{b_r - b_s}
//   dK_s = e^{b_last - b_s} . (dS' v_s) + sum_{r >= s} dP_rs Q_r . e^{b_r - b_s}   (first and second part)
//   dS = diag(e^{b_last}) dS' + (Q . e^b)^T dO
//   dg_t = e^{b_last} . rowsum(S . dS') + sum_{s < t} K_s . (first part of dK_s)
//          + sum_{u >= t} (Q_u . dQ_u - K_u . (second part of dK_u)), both without dP's diagonal
// The last is sum_{u >= t} (q dq - k dk) + rowsum(S' . dS') without what cancels in it.
// Swift: Operations/Recurrences/GatedLinearAttention.swift

#include "blocks.cl"

// The states in front of every chunk are made in a sweep forward and kept [chunks, K, V] per head; those in front of a
// chunk's blocks are made again before the chunk's blocks are walked backwards.

// What both sweeps need: [BLOCK, K] each, v [BLOCK, V], carry [K].
typedef struct {
  global float *gate, *factors, *from_start, *k, *v, *carry;
  global const float *key, *value, *gates;
  global const int *ids;
} Sweep;

static void touch_sweep(const Walk *w, const Sweep *p, int start, int end) {
  touch_rows(w, p->key, w->heads, w->width, start, end, p->carry);
  touch_rows(w, p->gates, w->heads, w->width, start, end, p->carry);
  touch_rows(w, p->value, w->heads, w->value_width, start, end, p->carry);
}

// The state behind the block at `token`.
static void sweep_block(const Walk *w, const Sweep *p, int token, int rows, int head, global const float *before,
                        global float *after) {
  const size_t source = row_of(w, token, head, w->heads, w->width);
  const size_t stride = (size_t)w->heads * w->width;
  load_block(p->key + source, stride, rows, w->width, 1.0f, p->k);
  load_block(p->gates + source, stride, rows, w->width, 1.0f, p->gate);
  load_block(p->value + row_of(w, token, head, w->heads, w->value_width), (size_t)w->heads * w->value_width, rows,
             w->value_width, 1.0f, p->v);
  make_factors(w->keys, p->gate, p->factors, p->from_start, p->carry);
  decay_to_end(w->keys, p->factors, p->k);
  advance_state(w->keys, w->values, BLOCK, is_reset(p->ids, token) ? 0 : before, p->carry, p->k, 1, w->keys, p->v, after);
}

// The states in front of every chunk.
static void sweep_chunks(const Walk *w, const Sweep *p, global const float *initial, global float *states,
                         size_t states_size) {
  const int size = w->keys * w->values;
  for (int h = 0; h < w->group_heads; h++) {
    load_state(initial ? initial + state_of(w, w->first_head + h) : 0, w->width, w->value_width, w->keys,
               states + h * states_size);
  }
  for (int start = 0; start + CHUNK < w->time; start += CHUNK) {
    touch_sweep(w, p, start, start + CHUNK);
    for (int h = 0; h < w->group_heads; h++) {
      global float *before = states + h * states_size + (size_t)(start / CHUNK) * size, *after = before + size;
      for (int token = start, rows = 0; token < start + CHUNK; token += rows) {
        rows = block_rows(p->ids, token, start + CHUNK);
        sweep_block(w, p, token, rows, w->first_head + h, token == start ? before : after, after);
      }
    }
  }
}

// The starts of a chunk's blocks, [CHUNK] places, and the states in front of those that no reset precedes: at most
// BLOCKS_PER_CHUNK, since each but the first follows a whole block. Returns the number of blocks.
static int sweep_chunk(const Walk *w, const Sweep *p, int start, int end, int head, global const float *before,
                       global int *starts, global float *states) {
  const int size = w->keys * w->values;
  int blocks = 0;
  for (int token = start, rows = 0; token < end; token += rows, blocks++) {
    rows = block_rows(p->ids, token, end);
    starts[blocks] = token;
    if (token == start) {
      copy(before, size, states);
    } else if (!is_reset(p->ids, token)) {
      states += size;
    }
    // Without a reset behind it the block is whole.
    if (token + rows < end && !is_reset(p->ids, token + rows)) {
      sweep_block(w, p, token, rows, head, states, states + size);
    }
  }
  return blocks;
}

// dgate, and dq and dk from their parts: dq without the diagonal of the scores' gradients ds, dk's first part, and `own`, its
// second without the diagonal; `inherited` [K] = e^{b_last} . rowsum(S . dS'). The diagonal meets no gate: with strong gates
// it would drown the rest.
static void gate_gradients(int keys, global const float *gate, global const float *ds, global const float *q,
                           global const float *k, global const float *own, global const float *inherited,
                           global float *dq, global float *dk, global float *dgate) {
  const vector zero = (vector)(0.0f);
  for (int j = 0; j < keys; j += VECTOR) {
    vector earlier = LOAD(inherited + j), later = zero;
    for (int i = j; i < BLOCK * keys; i += keys) {
      STORE(earlier, dgate + i);
      earlier = FMA(LOAD(k + i), LOAD(dk + i), earlier);
    }
    for (int r = BLOCK - 1; r >= 0; r--) {
      const int i = r * keys + j;
      const vector diagonal = (vector)(ds[r * BLOCK + r]), query = LOAD(q + i), key = LOAD(k + i);
      later += query * LOAD(dq + i) - key * LOAD(own + i);
      STORE(SELECT(LOAD(dgate + i) + later, zero, LOAD(gate + i) < (vector)(LEAST_GATE)), dgate + i);
      STORE(FMA(diagonal, key, LOAD(dq + i)), dq + i);
      STORE(FMA(diagonal, query, LOAD(dk + i) + LOAD(own + i)), dk + i);
    }
  }
}

// Scratch: a block's gates, f, products of f, q, k, aged rows, dq, dk, its second part, dgate [BLOCK, K], a
// transpose [K, BLOCK], v, do, dv [BLOCK, V] and the transposes of two [V, BLOCK], scores and their gradients
// [BLOCK, BLOCK], carry, inherited [K], starts [CHUNK], states [BLOCKS_PER_CHUNK, K, V], a state's gradient [K, V] per head.
WORK_GROUP kernel void vector_gate_backward(
    global const float *query, global const float *key, global const float *value, global const float *gates,
    global const int *documents, global const float *initial, global const float *output_gradient,
    global const float *final_gradient, global float *query_gradient, global float *key_gradient,
    global float *value_gradient, global float *gate_gradient, global float *initial_gradient, global float *scratch,
    global float *states, ulong scratch_size, ulong states_size, int time, int heads, int width, int value_width,
    int group_heads, float scale) {
  const Walk w = make_walk(time, heads, heads, width, value_width, group_heads);
  scratch += get_group_id(0) * scratch_size;
  states += get_group_id(0) * group_heads * states_size;
  const int matrix = BLOCK * w.keys, value_matrix = BLOCK * w.values, size = w.keys * w.values;
  Sweep p;
  p.key = key;
  p.value = value;
  p.gates = gates;
  p.ids = ids_of(&w, documents);
  p.gate = scratch;
  p.factors = p.gate + matrix;
  p.from_start = p.factors + matrix;
  p.k = p.from_start + matrix;
  p.v = p.k + matrix;
  p.carry = p.v + value_matrix;
  global float *q = p.carry + w.keys, *aged = q + matrix, *dq = aged + matrix, *dk = dq + matrix, *own = dk + matrix;
  global float *dgate = own + matrix, *transposed = dgate + matrix, *g = transposed + matrix, *dv = g + value_matrix;
  global float *v_transposed = dv + value_matrix, *g_transposed = v_transposed + value_matrix;
  global float *scores = g_transposed + value_matrix, *ds = scores + BLOCK * BLOCK, *inherited = ds + BLOCK * BLOCK;
  global int *starts = (global int *)(inherited + w.keys);
  global float *block_states = inherited + w.keys + CHUNK, *dstates = block_states + BLOCKS_PER_CHUNK * size;
  const size_t stride = (size_t)heads * width, value_stride = (size_t)heads * value_width;
  sweep_chunks(&w, &p, initial, states, states_size);
  for (int h = 0; h < group_heads; h++) {
    load_state(final_gradient ? final_gradient + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys,
               dstates + h * size);
  }
  for (int start = (time - 1) / CHUNK * CHUNK; start >= 0; start -= CHUNK) {
    const int end = min(start + CHUNK, time);
    touch_sweep(&w, &p, start, end);
    touch_rows(&w, query, heads, width, start, end, p.carry);
    touch_rows(&w, output_gradient, heads, value_width, start, end, p.carry);
    for (int h = 0; h < group_heads; h++) {
      const int head = w.first_head + h;
      global float *dstate = dstates + h * size;
      const int blocks = sweep_chunk(&w, &p, start, end, head, states + h * states_size + (size_t)(start / CHUNK) * size,
                                     starts, block_states);
      int kept = 0;
      for (int b = 1; b < blocks; b++) kept += !is_reset(p.ids, starts[b]);
      for (int b = blocks - 1; b >= 0; b--) {
        const int token = starts[b], rows = (b + 1 < blocks ? starts[b + 1] : end) - token;
        const int reset = is_reset(p.ids, token), empty = reset || (token == 0 && !initial);
        global const float *before = block_states + kept * size;
        if (!reset) kept--;
        const size_t source = row_of(&w, token, head, heads, width);
        const size_t target = row_of(&w, token, head, heads, value_width);
        load_block(query + source, stride, rows, width, scale, q);
        load_block(key + source, stride, rows, width, 1.0f, p.k);
        load_block(gates + source, stride, rows, width, 1.0f, p.gate);
        load_block(value + target, value_stride, rows, value_width, 1.0f, p.v);
        load_block(output_gradient + target, value_stride, rows, value_width, 1.0f, g);
        make_factors(w.keys, p.gate, p.factors, p.from_start, p.carry);
        transpose(p.k, BLOCK, w.keys, transposed);
        transpose(p.v, BLOCK, w.values, v_transposed);
        transpose(g, BLOCK, w.values, g_transposed);
        aged_scores(w.keys, q, p.factors, transposed, BLOCK, scores);
        product(BLOCK, BLOCK, w.values, C_LOWER, g, w.values, 1, v_transposed, BLOCK, 0.0f, ds, BLOCK);
        // dV
        product(BLOCK, w.values, w.keys, FULL, transposed, 1, BLOCK, dstate, w.values, 0.0f, dv, w.values);
        product(BLOCK, w.values, BLOCK, A_UPPER, scores, 1, BLOCK, g, w.values, 1.0f, dv, w.values);
        // dK
        product(w.keys, BLOCK, w.values, FULL, dstate, w.values, 1, v_transposed, BLOCK, 0.0f, transposed, BLOCK);
        transpose(transposed, w.keys, BLOCK, dk);
        decay_to_end(w.keys, p.factors, dk);
        copy(q, matrix, aged);
        gather_later(w.keys, ds, p.factors, aged, own);
        // dQ
        if (empty) {
          set_zero(dq, matrix);
          set_zero(inherited, w.keys);
        } else {
          product(w.keys, BLOCK, w.values, FULL, before, w.values, 1, g_transposed, BLOCK, 0.0f, transposed, BLOCK);
          transpose(transposed, w.keys, BLOCK, dq);
          multiply(dq, p.from_start, matrix);
          for (int i = 0; i < w.keys; i++) {
            inherited[i] = p.carry[i] * dot_row(before + i * w.values, dstate + i * w.values, w.values);
          }
        }
        copy(p.k, matrix, aged);
        add_earlier(w.keys, ds, p.factors, aged, dq);
        gate_gradients(w.keys, p.gate, ds, q, p.k, own, inherited, dq, dk, dgate);
        if (empty) set_zero(dgate, w.keys);
        store_rows(dq, rows, width, scale, query_gradient + source, stride);
        store_rows(dk, rows, width, 1.0f, key_gradient + source, stride);
        store_rows(dgate, rows, width, 1.0f, gate_gradient + source, stride);
        store_rows(dv, rows, value_width, 1.0f, value_gradient + target, value_stride);
        // dS
        multiply(q, p.from_start, matrix);
        advance_state(w.keys, w.values, BLOCK, dstate, p.carry, q, 1, w.keys, g, dstate);
        if (reset) set_zero(dstate, size);
      }
    }
  }
  for (int h = 0; initial_gradient && h < group_heads; h++) {
    store_state(dstates + h * size, width, value_width, initial_gradient + state_of(&w, w.first_head + h));
  }
}
