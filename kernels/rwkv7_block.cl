// rwkv7_block.cl - what the forward and the backward of rwkv7*.cl share: one block and what its removals read
//
// A block's two reads and two writes per token are kept one behind the other: receptances q and removals a, replacements b
// and keys k. A removal reads the state in front of its token and of the token's decay, which is what the token before left:
// shifted up by one row, `later_removals`, it is a read like the receptance, and the same keys age for both.

#ifndef RWKV7_BLOCK
#define RWKV7_BLOCK

#include "blocks.cl"

#define PAIR (2 * BLOCK) // rows of a pair of matrices

// The operands in global memory.
typedef struct {
  global const float *receptance, *decay, *key, *removal, *replacement, *value;
  global const int *ids;
} Operands;

static inline Operands make_operands(const Walk *w, global const float *receptance, global const float *decay,
                                     global const float *key, global const float *removal,
                                     global const float *replacement, global const float *value,
                                     global const int *documents) {
  Operands p;
  p.receptance = receptance;
  p.decay = decay;
  p.key = key;
  p.removal = removal;
  p.replacement = replacement;
  p.value = value;
  p.ids = ids_of(w, documents);
  return p;
}

// A block in scratch memory.
typedef struct {
  global float *gate, *factors, *from_start; // [BLOCK, K]
  global float *carry; // [K]
  global float *reads; // q, a and a row of zeros [PAIR + 1, K]
  global float *writes; // b, k [PAIR, K]
  global float *writes_transposed; // [K, PAIR]
  global float *outputs; // o, then `values`: y (what the removals read) and v; [3 BLOCK, V]
  global float *scores; // of q and a [PAIR + 1] with b and k [PAIR]; 0 on and above a's diagonals
} PairBlock;

#define PAIR_BLOCK_FLOATS(keys, values) \
  ((3 * BLOCK + PAIR + 1 + 2 * PAIR + 1) * (keys) + 3 * BLOCK * (values) + (PAIR + 1) * PAIR)

static inline PairBlock pair_block_at(global float *scratch, int keys, int values) {
  PairBlock p;
  p.gate = scratch;
  p.factors = p.gate + BLOCK * keys;
  p.from_start = p.factors + BLOCK * keys;
  p.carry = p.from_start + BLOCK * keys;
  p.reads = p.carry + keys;
  p.writes = p.reads + (PAIR + 1) * keys;
  p.writes_transposed = p.writes + PAIR * keys;
  p.outputs = p.writes_transposed + PAIR * keys;
  p.scores = p.outputs + 3 * BLOCK * values;
  return p;
}

// Zeros that nothing writes: the row behind the reads, and some places on and above the diagonals of the scores. Apart from
// pair_block_at(): inlining a function that returns a struct and writes elsewhere, compilers note what may not overlap, by an
// intrinsic that Oclgrind 21.10 does not know.
static inline void clear_pair_block(PairBlock *p, int keys) {
  set_zero(p->reads + PAIR * keys, keys);
  set_zero(p->scores, (PAIR + 1) * PAIR);
}

#define REMOVALS(p, keys) ((p)->reads + BLOCK * (keys))
#define LATER_REMOVALS(p, keys) ((p)->reads + (BLOCK + 1) * (keys))
#define READ_VALUES(p, values) ((p)->outputs + BLOCK * (values)) // y
#define VALUES(p, values) ((p)->outputs + PAIR * (values)) // v
#define REMOVAL_SCORES(p) ((p)->scores + BLOCK * PAIR)
#define LATER_SCORES(scores) ((scores) + (BLOCK + 1) * PAIR)

static void load_writes(const Walk *w, const Operands *from, PairBlock *p, int token, int rows, int head) {
  const size_t stride = (size_t)w->heads * w->width, source = row_of(w, token, head, w->heads, w->width);
  load_block(from->decay + source, stride, rows, w->width, 1.0f, p->gate);
  load_block(from->replacement + source, stride, rows, w->width, 1.0f, p->writes);
  load_block(from->key + source, stride, rows, w->width, 1.0f, p->writes + BLOCK * w->keys);
  load_block(from->value + row_of(w, token, head, w->heads, w->value_width), (size_t)w->heads * w->value_width, rows,
             w->value_width, 1.0f, VALUES(p, w->values));
  make_factors(w->keys, p->gate, p->factors, p->from_start, p->carry);
}

static void load_removals(const Walk *w, const Operands *from, PairBlock *p, int token, int rows, int head) {
  load_block(from->removal + row_of(w, token, head, w->heads, w->width), (size_t)w->heads * w->width, rows, w->width,
             1.0f, REMOVALS(p, w->keys));
}

static void load_receptances(const Walk *w, const Operands *from, PairBlock *p, int token, int rows, int head,
                             float scale) {
  load_block(from->receptance + row_of(w, token, head, w->heads, w->width), (size_t)w->heads * w->width, rows, w->width,
             scale, p->reads);
}

// See touch_rows; the receptances are not read by every pass.
static void touch_operands(const Walk *w, const Operands *from, const PairBlock *p, int start, int end) {
  touch_rows(w, from->decay, w->heads, w->width, start, end, p->carry);
  touch_rows(w, from->key, w->heads, w->width, start, end, p->carry);
  touch_rows(w, from->removal, w->heads, w->width, start, end, p->carry);
  touch_rows(w, from->replacement, w->heads, w->width, start, end, p->carry);
  touch_rows(w, from->value, w->heads, w->value_width, start, end, p->carry);
}

// The removals' decays from the block's start: up to the row in front of their own.
static void decay_removals(const Walk *w, PairBlock *p) {
  multiply(LATER_REMOVALS(p, w->keys), p->from_start, (BLOCK - 1) * w->keys);
}

// y_i += sum_{p < i} a_ip y_p over BLOCK rows, one after the other: y of (1 - strictly lower a) y = given y.
static void substitute(int values, global const float *a, int a_row, int a_column, global float *y, int y_row) {
  for (int j = 0; j < values; j += VECTOR) {
    for (int i = 1; i < BLOCK; i++) {
      vector sum = LOAD(y + i * y_row + j);
      for (int p = 0; p < i; p++) sum = FMA((vector)(a[i * a_row + p * a_column]), LOAD(y + p * y_row + j), sum);
      STORE(sum, y + i * y_row + j);
    }
  }
}

// y: what the removals read of the state, given in y, and of the block's own writes.
static void find_read_values(const Walk *w, PairBlock *p) {
  global float *y = READ_VALUES(p, w->values);
  product(BLOCK, w->values, BLOCK, A_LOWER, REMOVAL_SCORES(p) + BLOCK, PAIR, 1, VALUES(p, w->values), w->values, 1.0f, y,
          w->values);
  substitute(w->values, REMOVAL_SCORES(p), PAIR, 1, y, w->values);
}

// Scores of two reads with the same aging keys; see aged_scores.
static void aged_scores_of_two(int keys, global const float *q, global const float *a, global const float *factors,
                               global float *k_transposed, int stride, global float *q_scores,
                               global float *a_scores) {
  for (int first = 0; first < BLOCK; first += TILE_ROWS) {
    for (int column = 0; column < first + TILE_ROWS; column += VECTOR) {
      global const float *row = q + first * keys, *second = a + first * keys, *factor = factors + first * keys;
      global float *k = k_transposed + column;
#define START(r) \
  vector s##r = (vector)(0.0f), t##r = (vector)(0.0f); \
  const integers earlier##r = FIRST_LANES(first + r - column);
      EACH_ROW(START)
      for (int i = 0; i < keys; i++, k += stride) {
        vector aged = LOAD(k);
#define STEP(r) \
  aged = SELECT(aged, aged * factor[r * keys + i], earlier##r); \
  s##r = FMA((vector)(row[r * keys + i]), aged, s##r); \
  t##r = FMA((vector)(second[r * keys + i]), aged, t##r);
        EACH_ROW(STEP)
        STORE(aged, k);
      }
#define WRITE(r) \
  STORE(SELECT((vector)(0.0f), s##r, FIRST_LANES(first + r - column + 1)), q_scores + (first + r) * stride + column); \
  STORE(SELECT((vector)(0.0f), t##r, FIRST_LANES(first + r - column + 1)), a_scores + (first + r) * stride + column);
      EACH_ROW(WRITE)
#undef START
#undef STEP
#undef WRITE
    }
  }
}

// All four scores; writes_transposed ages to the block's last row.
static void pair_scores(const Walk *w, PairBlock *p) {
  transpose(p->writes, PAIR, w->keys, p->writes_transposed);
  for (int write = 0; write < PAIR; write += BLOCK) {
    aged_scores_of_two(w->keys, p->reads, LATER_REMOVALS(p, w->keys), p->factors, p->writes_transposed + write, PAIR,
                       p->scores + write, LATER_SCORES(p->scores) + write);
  }
}

#endif
