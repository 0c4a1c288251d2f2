// rwkv7.cl - RWKV-7's generalized delta rule: a state with a diagonal and a rank-one transition, in blocks
//
//   rwkv7_forward   receptance q, log decay w, key k, removal a, replacement b [B, T, H, K], v [B, T, H, V], initial state
//                   -> o [B, T, H, V], final state
//   rwkv7_step      the same token by token, for decoding
//   rwkv7_backward  in rwkv7_backward.cl
//
//   S_t = diag(e^{w_t}) S_{t-1} + b_t (a_t^T S_{t-1}) + k_t v_t^T [K, V],  o_t = scale S_t^T q_t
//
// Log decays below -20 count as -20. With documents, ids [B, T], the state is 0 in front of a token whose id differs from
// its predecessor's. Absent operands are null pointers.
//
// In a block with rows r, s, c = cumulative sum of w, c' = c - w, and scores as in vector_gate.cl, Q_b, Q_k of q with
// exponents c_r - c_s (s <= r), A_b, A_k of a with exponents c'_r - c_s (s < r):
//   (1 - A_b) Y = (A . e^{c'}) S + A_k V   (what the removals read; unit triangular)
//   O = (Q . e^c) S + Q_b Y + Q_k V;   S' = diag(e^{c_last}) S + (B . e^{c_last - c})^T Y + (K . e^{c_last - c})^T V
//
// A work-item owns `group_heads` neighbouring heads of one sequence, as in vector_gate.cl. Source: Peng et al. 2025
// (RWKV-7). Swift: Operations/Recurrences/RWKV7.swift

#include "rwkv7_block.cl"

// Scratch: a block and a state [K, V] per head.
WORK_GROUP kernel void rwkv7_forward(
    global const float *receptance, global const float *decay, global const float *key, global const float *removal,
    global const float *replacement, global const float *value, global const int *documents,
    global const float *initial, global float *output, global float *final_state, global float *scratch,
    ulong scratch_size, int time, int heads, int width, int value_width, int group_heads, float scale) {
  const Walk w = make_walk(time, heads, heads, width, value_width, group_heads);
  const Operands from = make_operands(&w, receptance, decay, key, removal, replacement, value, documents);
  scratch += get_group_id(0) * scratch_size;
  PairBlock p = pair_block_at(scratch, w.keys, w.values);
  clear_pair_block(&p, w.keys);
  global float *states = scratch + PAIR_BLOCK_FLOATS(w.keys, w.values);
  global float *o = p.outputs, *y = READ_VALUES(&p, w.values), *v = VALUES(&p, w.values);
  const int size = w.keys * w.values;
  for (int h = 0; h < group_heads; h++) {
    load_state(initial ? initial + state_of(&w, w.first_head + h) : 0, width, value_width, w.keys, states + h * size);
  }
  for (int start = 0; start < time; start += CHUNK) {
    const int end = min(start + CHUNK, time);
    touch_operands(&w, &from, &p, start, end);
    touch_rows(&w, receptance, heads, width, start, end, p.carry);
    for (int h = 0; h < group_heads; h++) {
      const int head = w.first_head + h;
      global float *state = states + h * size;
      for (int token = start, rows = 0; token < end; token += rows) {
        rows = block_rows(from.ids, token, end);
        load_writes(&w, &from, &p, token, rows, head);
        load_removals(&w, &from, &p, token, rows, head);
        load_receptances(&w, &from, &p, token, rows, head, scale);
        if (is_reset(from.ids, token)) set_zero(state, size);
        pair_scores(&w, &p);
        multiply(p.reads, p.from_start, BLOCK * w.keys);
        decay_removals(&w, &p);
        product(PAIR, w.values, w.keys, FULL, p.reads, w.keys, 1, state, w.values, 0.0f, o, w.values);
        find_read_values(&w, &p);
        product(BLOCK, w.values, BLOCK, A_LOWER, p.scores, PAIR, 1, y, w.values, 1.0f, o, w.values);
        product(BLOCK, w.values, BLOCK, A_LOWER, p.scores + BLOCK, PAIR, 1, v, w.values, 1.0f, o, w.values);
        store_rows(o, rows, value_width, 1.0f, output + row_of(&w, token, head, heads, value_width),
                   (size_t)heads * value_width);
        advance_state(w.keys, w.values, PAIR, state, p.carry, p.writes_transposed, PAIR, 1, y, state);
      }
    }
  }
  for (int h = 0; h < group_heads; h++) {
    store_state(states + h * size, width, value_width, final_state + state_of(&w, w.first_head + h));
  }
}

// ---------------------------------------------------------------------------------------------------------- step
// A work-item owns VECTOR columns of one head's state, [K] rows of VECTOR, and passes over them twice per token: for what
// the removal reads, then to write.

// The operands of one token.
typedef struct {
  global const float *q, *decay, *k, *a, *b, *v;
} Token;

// One token in VECTOR columns; `from` null for a state of 0.
static inline void step_pair_columns(const Token *p, global const float *from, global float *to, int width, int stride,
                                     float scale, global float *o) {
  float factors[VECTOR];
  vector read = (vector)(0.0f), sum = (vector)(0.0f);
  for (int i = 0; from && i < width; i++) read = FMA(LOAD(from + (size_t)i * stride), (vector)(p->a[i]), read);
  const vector write = LOAD(p->v);
  for (int first = 0; first < width; first += VECTOR) {
    token_factors(p->decay, first, width, factors);
    for (int i = first; i < min(first + VECTOR, width); i++) {
      const size_t row = (size_t)i * stride;
      const vector old = from ? LOAD(from + row) : (vector)(0.0f);
      const vector new = FMA(old, (vector)(factors[i - first]), FMA(read, (vector)(p->b[i]), write * p->k[i]));
      STORE(new, to + row);
      sum = FMA(new, (vector)(p->q[i]), sum);
    }
  }
  STORE(sum * scale, o);
}

// The same in one column, `column` numbers behind the first.
static inline void step_pair_column(const Token *p, int column, global const float *from, global float *to, int width,
                                    int stride, float scale, global float *o) {
  float factors[VECTOR];
  float read = 0.0f, sum = 0.0f;
  for (int i = 0; from && i < width; i++) read += from[(size_t)i * stride] * p->a[i];
  for (int first = 0; first < width; first += VECTOR) {
    token_factors(p->decay, first, width, factors);
    for (int i = first; i < min(first + VECTOR, width); i++) {
      const size_t row = (size_t)i * stride;
      const float new = (from ? from[row] : 0.0f) * factors[i - first] + read * p->b[i] + p->v[column] * p->k[i];
      to[row] = new;
      sum += new * p->q[i];
    }
  }
  o[0] = sum * scale;
}

WORK_GROUP kernel void rwkv7_step(
    global const float *receptance, global const float *decay, global const float *key, global const float *removal,
    global const float *replacement, global const float *value, global const int *documents,
    global const float *initial, global float *output, global float *final_state, int time, int heads, int width,
    int value_width, float scale) {
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
    Token p;
    p.q = receptance + source;
    p.decay = decay + source;
    p.k = key + source;
    p.a = removal + source;
    p.b = replacement + source;
    p.v = value + target;
    if (columns == VECTOR) {
      step_pair_columns(&p, from, final_state + place, width, value_width, scale, output + target);
      continue;
    }
    for (int j = 0; j < columns; j++) {
      step_pair_column(&p, j, from ? from + j : 0, final_state + place + j, width, value_width, scale,
                       output + target + j);
    }
  }
}
