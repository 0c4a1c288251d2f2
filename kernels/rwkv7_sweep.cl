// rwkv7_sweep.cl - the states that rwkv7_backward.cl walks over backwards
//
// A sweep forward makes the states in front of every chunk and behind the last and Y, kept [chunks + 1][K, V], then [T, V] per
// head; those in front of a chunk's blocks are made again before the chunk's blocks are walked backwards.

#ifndef RWKV7_SWEEP
#define RWKV7_SWEEP

#include "rwkv7_block.cl"

// Where Y starts among what is kept of a head.
static inline size_t y_place(const Walk *w) {
  return (size_t)((w->time + CHUNK - 1) / CHUNK + 1) * w->keys * w->values;
}

// The state behind a block whose writes are loaded and whose y is known.
static void write_pair(const Walk *w, PairBlock *p, global const float *before, global float *after) {
  decay_to_end(w->keys, p->factors, p->writes);
  decay_to_end(w->keys, p->factors, p->writes + BLOCK * w->keys);
  advance_state(w->keys, w->values, PAIR, before, p->carry, p->writes, 1, w->keys, READ_VALUES(p, w->values), after);
}

static void sweep_pair_block(const Walk *w, const Operands *from, PairBlock *p, int token, int rows, int head,
                             global const float *before, global float *after, global float *kept_y) {
  load_writes(w, from, p, token, rows, head);
  load_removals(w, from, p, token, rows, head);
  transpose(p->writes, PAIR, w->keys, p->writes_transposed);
  for (int write = 0; write < PAIR; write += BLOCK) {
    aged_scores(w->keys, LATER_REMOVALS(p, w->keys), p->factors, p->writes_transposed + write, PAIR,
                LATER_SCORES(p->scores) + write);
  }
  global float *y = READ_VALUES(p, w->values);
  if (is_reset(from->ids, token)) {
    before = 0;
    set_zero(y, BLOCK * w->values);
  } else {
    decay_removals(w, p);
    product(BLOCK, w->values, w->keys, FULL, REMOVALS(p, w->keys), w->keys, 1, before, w->values, 0.0f, y, w->values);
  }
  find_read_values(w, p);
  store_rows(y, rows, w->values, 1.0f, kept_y + (size_t)token * w->values, w->values);
  write_pair(w, p, before, after);
}

static void sweep_pair_chunks(const Walk *w, const Operands *from, PairBlock *p, global const float *initial,
                              global float *states, size_t states_size) {
  const int size = w->keys * w->values;
  for (int h = 0; h < w->group_heads; h++) {
    load_state(initial ? initial + state_of(w, w->first_head + h) : 0, w->width, w->value_width, w->keys,
               states + h * states_size);
  }
  for (int start = 0; start < w->time; start += CHUNK) {
    const int end = min(start + CHUNK, w->time);
    touch_operands(w, from, p, start, end);
    for (int h = 0; h < w->group_heads; h++) {
      global float *before = states + h * states_size + (size_t)(start / CHUNK) * size, *after = before + size;
      for (int token = start, rows = 0; token < end; token += rows) {
        rows = block_rows(from->ids, token, end);
        sweep_pair_block(w, from, p, token, rows, w->first_head + h, token == start ? before : after, after,
                         states + h * states_size + y_place(w));
      }
    }
  }
}

static void load_read_values(const Walk *w, PairBlock *p, global const float *kept_y, int token, int rows) {
  load_block(kept_y + (size_t)token * w->values, w->values, rows, w->values, 1.0f, READ_VALUES(p, w->values));
}

// The starts of a chunk's blocks and the states in front of those that no reset precedes; see sweep_chunk of
// vector_gate_backward.cl.
static int sweep_pair_chunk(const Walk *w, const Operands *from, PairBlock *p, int start, int end, int head,
                            global const float *before, global const float *kept_y, global int *starts,
                            global float *states) {
  const int size = w->keys * w->values;
  int blocks = 0;
  for (int token = start, rows = 0; token < end; token += rows, blocks++) {
    rows = block_rows(from->ids, token, end);
    starts[blocks] = token;
    if (token == start) {
      copy(before, size, states);
    } else if (!is_reset(from->ids, token)) {
      states += size;
    }
    if (token + rows < end && !is_reset(from->ids, token + rows)) {
      load_writes(w, from, p, token, rows, head);
      load_read_values(w, p, kept_y, token, rows);
      write_pair(w, p, is_reset(from->ids, token) ? 0 : states, states + size);
    }
  }
  return blocks;
}

#endif
