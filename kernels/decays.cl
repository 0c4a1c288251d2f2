// decays.cl - decays by one factor per head and token inside a chunk, and the walk of a work-item over its heads
//
// Included by scalar_gate.cl and delta_rule*.cl. In a chunk with rows r, s and b = the cumulative sum of the gates g:
// M_rs = e^{b_r - b_s} (r >= s), E = diag(e^{b_r}), F = diag(e^{b_last - b_r}).

#ifndef DECAYS
#define DECAYS

#include "chunk.cl"

#define LEAST_GATE -20.0f

// The decays of one chunk in scratch memory.
typedef struct {
  global float *sums; // b [CHUNK]
  global float *rests; // what rounding took from it [CHUNK]
  global float *from_start; // E [CHUNK]
  global float *to_end; // F [CHUNK]
  global int *documents; // [CHUNK]
  int has_gates, has_documents;
} Decays;

static inline Decays decays_at(global float *scratch, int has_gates, int has_documents) {
  Decays d;
  d.sums = scratch;
  d.rests = scratch + CHUNK;
  d.from_start = scratch + 2 * CHUNK;
  d.to_end = scratch + 3 * CHUNK;
  d.documents = (global int *)(scratch + 4 * CHUNK);
  d.has_gates = has_gates;
  d.has_documents = has_documents;
  return d;
}
#define DECAY_FLOATS (5 * CHUNK)
#define CARRY(d) ((d).from_start[CHUNK - 1]) // what is left of the state in front of the chunk

// Gates [rows] with `stride` between tokens; `documents` of the sequence from the chunk's first token on, `is_first`
// where no token stands in front of it.
static void make_decays(Decays d, int rows, global const float *gates, int stride, global const int *documents,
                        int is_first) {
  // The sum in two floats: a decay within the chunk is a difference of sums that may be much larger.
  float sum = 0.0f, rest = 0.0f;
  // Documents are counted: an id may come again behind another. 0 is the one in front of the chunk.
  int document = documents && !is_first && documents[0] != documents[-1];
  for (int r = 0; r < CHUNK; r++) {
    if (gates && r < rows) {
      const float gate = max(gates[r * stride], LEAST_GATE) + rest;
      const float next = sum + gate;
      rest = gate - (next - sum);
      sum = next;
    }
    d.sums[r] = sum;
    d.rests[r] = rest;
    if (documents) {
      if (r > 0 && r < rows && documents[r] != documents[r - 1]) document++;
      d.documents[r] = document;
    }
  }
  for (int r = 0; r < CHUNK; r += VECTOR) {
    const vector sums = LOAD(d.sums + r), rests = LOAD(d.rests + r);
    STORE(exp_negative(sums + rests), d.from_start + r);
    STORE(exp_negative((d.sums[CHUNK - 1] - sums) + (d.rests[CHUNK - 1] - rests)), d.to_end + r);
  }
  if (documents) {
    for (int r = 0; r < CHUNK; r++) {
      if (d.documents[r] != 0) d.from_start[r] = 0.0f;
      if (d.documents[r] != d.documents[CHUNK - 1]) d.to_end[r] = 0.0f;
    }
  }
}

// scores . M, up to the diagonal tiles; 0 above the diagonal.
static void decay_scores(Decays d, global float *scores) {
  for (int r = 0; r < CHUNK; r++) {
    const int end = PADDED(r + 1);
    global float *row = scores + r * CHUNK;
    for (int s = 0; d.has_gates && s < end; s += VECTOR) {
      // Above the diagonal the difference may be positive: it is masked before the exponential.
      const vector difference = (d.sums[r] - LOAD(d.sums + s)) + (d.rests[r] - LOAD(d.rests + s));
      const vector zero = (vector)(0.0f);
      STORE(LOAD(row + s) * exp_negative(SELECT(difference, zero, difference > zero)), row + s);
    }
    for (int s = 0; d.has_documents && s <= r; s++) {
      if (d.documents[s] != d.documents[r]) row[s] = 0.0f;
    }
    for (int s = r + 1; s < end; s++) row[s] = 0.0f;
  }
}

// What a work-item works on.
typedef struct {
  int time, heads, key_heads, width, value_width; // T, H, G, K, V
  int keys, values; // K and V padded
  int batch, first_head, group_heads;
} Walk;

static inline Walk make_walk(int time, int heads, int key_heads, int width, int value_width, int group_heads) {
  Walk w;
  w.time = time;
  w.heads = heads;
  w.key_heads = key_heads;
  w.width = width;
  w.value_width = value_width;
  w.keys = PADDED(width);
  w.values = PADDED(value_width);
  w.group_heads = group_heads;
  const int groups = heads / group_heads;
  w.batch = (int)get_group_id(0) / groups;
  w.first_head = (int)get_group_id(0) % groups * group_heads;
  return w;
}

// The first float of (token, head) in [B, T, heads, width].
static inline size_t row_of(const Walk *w, int token, int head, int heads, int width) {
  return (((size_t)w->batch * w->time + token) * heads + head) * width;
}

static inline size_t state_of(const Walk *w, int head) {
  return ((size_t)w->batch * w->heads + head) * w->width * w->value_width;
}

static inline int key_head(const Walk *w, int head) { return head * w->key_heads / w->heads; }

// Reads the rows of a work-item's heads from `token` to `end` once, in the order of memory; `rows` have so many heads.
// Processors fetch such a stream ahead, but not one head's rows, which lie apart: without it a forward at 8 heads of 64 takes
// 1.4 times as long. `sink` keeps the reads from being dropped.
static void touch_rows(const Walk *w, global const float *rows, int heads, int width, int token, int end,
                       global float *sink) {
  const int first = w->first_head * heads / w->heads, last = (w->first_head + w->group_heads - 1) * heads / w->heads;
  const int count = (last - first + 1) * width;
  float sum = 0.0f;
  for (; token < end; token++) {
    global const float *row = rows + row_of(w, token, first, heads, width);
    for (int i = 0; i < count; i += 64 / (int)sizeof(float)) sum += row[i];
  }
  sink[0] = sum;
}

// The gate of (token, head); null without gates.
static inline global const float *gate_of(const Walk *w, int token, int head, global const float *gates,
                                          int gates_by_token) {
  return !gates ? 0 : gates_by_token ? gates + row_of(w, token, head, w->heads, 1) : gates + head;
}

static void chunk_decays(const Walk *w, Decays d, int token, int rows, int head, global const float *gates,
                         int gates_by_token, global const int *documents) {
  global const int *ids = documents ? documents + (size_t)w->batch * w->time + token : 0;
  make_decays(d, rows, gate_of(w, token, head, gates, gates_by_token), gates_by_token * w->heads, ids, token == 0);
}

// sum + rest += term; `rest` is what rounding took.
static inline void add_exactly(float term, float *sum, float *rest) {
  const float next = *sum + term, part = next - *sum;
  *rest += (*sum - (next - part)) + (term - part);
  *sum = next;
}

// Gradients of the gates [rows] of a chunk: dg_r = sum_{u >= r} (q_u dq_u - k_u dk_u) + <S', dS'>, where dk is what k
// gets for writing minus what it gets for reading; the sum in two floats: it cancels. `after` and its gradient are the state
// behind the chunk [V, K], `dots` [CHUNK + V] is free. A gate in front of which there is no state, where a document starts
// or the sequence (`is_first`), has no gradient.
static void store_gate_gradients(const Walk *w, Decays d, int rows, int is_first, global const float *q,
                                 global const float *dq, global const float *k, global const float *dk,
                                 global const float *after, global const float *after_gradient,
                                 global const float *gates, int gate_stride, global float *dots, global float *target) {
  for (int r = 0; r < CHUNK; r++) {
    dots[r] = dot_row(q + r * w->keys, dq + r * w->keys, w->keys) - dot_row(k + r * w->keys, dk + r * w->keys, w->keys);
  }
  for (int j = 0; j < w->values; j++) {
    dots[CHUNK + j] = dot_row(after + j * w->keys, after_gradient + j * w->keys, w->keys);
  }
  float sum = 0.0f, rest = 0.0f;
  for (int j = 0; j < w->values; j++) add_exactly(dots[CHUNK + j], &sum, &rest);
  for (int r = rows - 1; r >= 0; r--) {
    add_exactly(dots[r], &sum, &rest);
    const int starts = d.has_documents && d.documents[r] != (r > 0 ? d.documents[r - 1] : 0);
    target[r * w->heads] = gates[r * gate_stride] < LEAST_GATE || starts || (is_first && r == 0) ? 0.0f : sum + rest;
  }
}

#endif
