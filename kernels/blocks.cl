// blocks.cl - blocks of 16 tokens whose state decays by one factor per key channel and token
//
// Included by vector_gate.cl and rwkv7*.cl. f = e^g [BLOCK, K] are the factors of a block's rows; from row s to row r a
// channel decays by f_{s+1} ... f_r. The decays e^{b_r - b_s} of cumulative sums b would either be made one by one or
// overflow (e^{-b}); here keys age instead: in every row all earlier keys are multiplied by its factors once. That costs
// what the products themselves cost, is exact to rounding for any gates and needs no exponential but f.
//
// A block ends where a document does, so nothing inside it is masked.

#ifndef BLOCKS
#define BLOCKS

#include "decays.cl"

#define BLOCK 16 // tokens per block, a multiple of VECTOR
#define BLOCKS_PER_CHUNK ((CHUNK + BLOCK - 1) / BLOCK)

// Whether the state is reset in front of `token`; `ids` of the sequence or null.
static inline int is_reset(global const int *ids, int token) {
  return ids && token > 0 && ids[token] != ids[token - 1];
}

// Tokens of the block that starts at `token`, before `end`.
static inline int block_rows(global const int *ids, int token, int end) {
  const int last = min(token + BLOCK, end);
  int next = token + 1;
  while (next < last && !is_reset(ids, next)) next++;
  return next - token;
}

static inline global const int *ids_of(const Walk *w, global const int *documents) {
  return documents ? documents + (size_t)w->batch * w->time : 0;
}

static void load_block(global const float *from, size_t stride, int rows, int width, float factor, global float *to) {
  load_padded(from, stride, rows, BLOCK, width, factor, to);
}

static void set_zero(global float *x, int count) {
  for (int i = 0; i < count; i += VECTOR) STORE((vector)(0.0f), x + i);
}

static void copy(global const float *from, int count, global float *to) {
  for (int i = 0; i < count; i += VECTOR) STORE(LOAD(from + i), to + i);
}

// factors = f of the gates [BLOCK, keys]; from_start = the product of f up to and with the row, carry [keys] = the product
// of all.
static void make_factors(int keys, global const float *gates, global float *factors, global float *from_start,
                         global float *carry) {
  const vector least = (vector)(LEAST_GATE);
  for (int j = 0; j < keys; j += VECTOR) {
    vector product = (vector)(1.0f), sum = (vector)(0.0f);
    for (int r = 0; r < BLOCK; r++) {
      const vector given = LOAD(gates + r * keys + j);
      const vector gate = SELECT(given, least, given < least);
      const vector factor = exp_negative(gate);
      STORE(factor, factors + r * keys + j);
      product *= factor;
      STORE(product, from_start + r * keys + j);
      sum += gate;
    }
    // Not the product: a gate near 0 loses digits in its factor, and the state meets very many of them.
    STORE(exp_negative(sum), carry + j);
  }
}

// f of the channels [first, first + VECTOR) of one token, 1 behind its `width` gates; for the kernels that walk token by
// token.
static inline void token_factors(global const float *gates, int first, int width, float *factors) {
  for (int e = 0; e < VECTOR; e++) factors[e] = first + e < width ? gates[first + e] : 0.0f;
  const vector given = LOAD(factors), least = (vector)(LEAST_GATE);
  STORE(exp_negative(SELECT(given, least, given < least)), factors);
}

// x [BLOCK, keys] is multiplied by the factors of all rows behind its own.
static void decay_to_end(int keys, global const float *factors, global float *x) {
  for (int j = 0; j < keys; j += VECTOR) {
    vector product = (vector)(1.0f);
    for (int r = BLOCK - 2; r >= 0; r--) {
      product *= LOAD(factors + (r + 1) * keys + j);
      STORE(LOAD(x + r * keys + j) * product, x + r * keys + j);
    }
  }
}

// to = diag(carry) from + a b: the state [keys, values] behind a block, with b [rows, values] and a [keys, rows] through
// two strides. `from` may be `to`, and null for a state of 0.
static void advance_state(int keys, int values, int rows, global const float *from, global const float *carry,
                          global const float *a, int a_row, int a_column, global const float *b, global float *to) {
  for (int i = 0; from && i < keys; i++) {
    for (int j = i * values; j < (i + 1) * values; j += VECTOR) STORE(LOAD(from + j) * carry[i], to + j);
  }
  product(keys, values, rows, FULL, a, a_row, a_column, b, values, from ? 1.0f : 0.0f, to, values);
}

static void multiply(global float *x, global const float *y, int count) {
  for (int i = 0; i < count; i += VECTOR) STORE(LOAD(x + i) * LOAD(y + i), x + i);
}

// The first lanes of a vector: 1 in the lanes [0, count), 0 in the others; count up to BLOCK.
constant float ones_then_zeros[2 * BLOCK] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
#define FIRST_LANES(count) (LOAD(ones_then_zeros + BLOCK - (count)) > (vector)(0.5f))

// scores_rs = sum_k q_rk k_sk f_{s+1} ... f_r for s <= r, 0 above the diagonal. The columns of k^T [keys, BLOCK] age to the
// block's last row on the way. The rows of k^T and of the scores lie `stride` apart.
static void aged_scores(int keys, global const float *q, global const float *factors, global float *k_transposed,
                        int stride, global float *scores) {
  for (int first = 0; first < BLOCK; first += TILE_ROWS) {
    for (int column = 0; column < first + TILE_ROWS; column += VECTOR) {
      global const float *row = q + first * keys, *factor = factors + first * keys;
      global float *k = k_transposed + column, *target = scores + first * stride + column;
#define START(r) \
  vector s##r = (vector)(0.0f); \
  const integers earlier##r = FIRST_LANES(first + r - column);
      EACH_ROW(START)
      for (int i = 0; i < keys; i++, k += stride) {
        vector aged = LOAD(k);
#define STEP(r) \
  aged = SELECT(aged, aged * factor[r * keys + i], earlier##r); \
  s##r = FMA((vector)(row[r * keys + i]), aged, s##r);
        EACH_ROW(STEP)
        STORE(aged, k);
      }
#define WRITE(r) STORE(SELECT((vector)(0.0f), s##r, FIRST_LANES(first + r - column + 1)), target + r * stride);
      EACH_ROW(WRITE)
#undef START
#undef STEP
#undef WRITE
    }
  }
}

// The gradients of a block's scores, scores_rs with s < r; the diagonal meets no decay and is left to the caller.

// out_r += sum_{s < r} scores_rs k_s f_{s+1} ... f_r; the rows of k [BLOCK, keys] age to the block's last.
static void add_earlier(int keys, global const float *scores, global const float *factors, global float *k,
                        global float *out) {
  for (int j = 0; j < keys; j += VECTOR) {
    for (int r = 1; r < BLOCK; r++) {
      const vector factor = LOAD(factors + r * keys + j);
      global const float *score = scores + r * BLOCK;
      vector sum = LOAD(out + r * keys + j);
      for (int s = 0; s < r; s++) {
        const vector aged = LOAD(k + s * keys + j) * factor;
        STORE(aged, k + s * keys + j);
        sum = FMA((vector)(score[s]), aged, sum);
      }
      STORE(sum, out + r * keys + j);
    }
  }
}

// out_s = sum_{r > s} scores_rs q_r f_{s+1} ... f_r; the rows of q [BLOCK, keys] age back to the row behind the first.
static void gather_later(int keys, global const float *scores, global const float *factors, global float *q,
                         global float *out) {
  for (int j = 0; j < keys; j += VECTOR) {
    STORE((vector)(0.0f), out + (BLOCK - 1) * keys + j);
    for (int s = BLOCK - 2; s >= 0; s--) {
      const vector factor = LOAD(factors + (s + 1) * keys + j);
      vector sum = (vector)(0.0f);
      for (int r = s + 1; r < BLOCK; r++) {
        const vector aged = LOAD(q + r * keys + j) * factor;
        STORE(aged, q + r * keys + j);
        sum = FMA((vector)(scores[r * BLOCK + s]), aged, sum);
      }
      STORE(sum, out + s * keys + j);
    }
  }
}

#endif
