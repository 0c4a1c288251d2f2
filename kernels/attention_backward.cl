// attention_backward.cl - the gradient of softmax attention
//
//   attention_backward      q, k, v, o, lse, do -> dq, partial sums of dk, dv [slices, ...] and dsinks
//   attention_sum           out[i] = sum over parts of partials[part, i]
//
//   dv_j = sum_i P_ij do_i;  dS_ij = P_ij (do_i.v_j - do_i.o_i)
//   dq_i = scale sum_j dS_ij k_j;  dk_j = scale sum_i dS_ij q_i
//
// One work-item per key/value head and slice, work-groups of one. Macros and method: attention_common.cl.
// Swift: Operations/Attention+OpenCL.swift

#include "attention_blocks.cl"

// Vectors of columns are covered by tiles of STRIP_VECTORS, then by tiles of one less; where tiles have
// three, never by a lone vector next to a whole tile.
#define VECTORS(WIDTH) (((WIDTH) + VECTOR - 1) / VECTOR)
#define WIDE_TILES(WIDTH) \
  (STRIP_VECTORS == 3 && VECTORS(WIDTH) % 3 == 1 ? (VECTORS(WIDTH) >= 4 ? VECTORS(WIDTH) / 3 - 1 : 0) \
                                                 : VECTORS(WIDTH) / STRIP_VECTORS)

// c [keys][width] += a b over the query rows: a [key][row], b [row][width]; group n of TILE keys meets the
// strips first_strips[n] ... last_strips[n].
static inline void add_over_rows(
    const float *a, const float *b, int b_stride, const int *first_strips, const int *last_strips,
    int key_count, global float *c, size_t c_stride, int width, int wide_tiles) {
  const int wide = wide_tiles * STRIP;
  for (int d = 0; d < width; d += (d < wide) ? STRIP : STRIP - VECTOR) {
    for (int j = 0; j < key_count; j += TILE) {
      const int begin = first_strips[j / TILE] * STRIP;
      const int depth = (last_strips[j / TILE] + 1) * STRIP - begin;
      if (depth <= 0) {
        continue;
      }
      const float *a_tile = a + j * ROWS + begin;
      const float *b_tile = b + begin * b_stride + d;
      global float *c_tile = c + (size_t)j * c_stride + d;
      if (d < wide) {
        tile_add(a_tile, ROWS, b_tile, b_stride, depth, c_tile, c_stride, key_count - j, width - d);
      } else {
        tile_add_narrow(a_tile, ROWS, b_tile, b_stride, depth, c_tile, c_stride, key_count - j, width - d);
      }
    }
  }
}

// Scores -> P and do.v -> dS in place for one strip; row_terms are do.o, logs the log-sum-exp in units of
// log 2.
static inline void softmax_gradient(
    float *scores, float *gradients, const float *cap_slopes, int from, int to, const float *logs,
    const float *row_terms) {
  for (int n = 0; n < STRIP_VECTORS; ++n) {
    const vector log_sum = VECTOR_AT(logs, n), term = VECTOR_AT(row_terms, n);
    for (int j = from; j < to; ++j) {
      float *s = scores + j * ROWS;
      float *g = gradients + j * ROWS;
      const vector p = exp2_negative(VECTOR_AT(s, n) - log_sum);
      vector gradient = p * (VECTOR_AT(g, n) - term);
#if SOFTCAP
      gradient *= VECTOR_AT(cap_slopes + j * STRIP, n);
#endif
      VECTOR_AT(s, n) = p;
      VECTOR_AT(g, n) = gradient;
    }
  }
}

static inline float dot_rows(global const float *a, global const float *b) {
  float4 even = 0.0f, odd = 0.0f;
  for (int d = 0; d + 8 <= DV; d += 8) {
    even = fma(vload4(0, a + d), vload4(0, b + d), even);
    odd = fma(vload4(1, a + d), vload4(1, b + d), odd);
  }
#if DV % 8 != 0
  even = fma(vload4(0, a + DV - 4), vload4(0, b + DV - 4), even);
#endif
  const float4 sum = even + odd;
  return (sum.x + sum.y) + (sum.z + sum.w);
}

// A block of query rows of one head in private memory: in strips for products with keys, in rows for sums
// over rows.
typedef struct {
  int row0, rows, strips;
  float *queries, *query_gradients, *output_gradients; // strips of [D], [TILED_D], [DV][STRIP]
  float *query_rows, *gradient_rows; // [ROWS][STRIDE_D], [ROWS][STRIDE_DV]
  float *logs, *terms; // log-sum-exp in units of log 2 and do.o of every row
  int *documents; // of every row
  int2 *strip_documents; // the least and the greatest
} QueryBlock;

// Scores and their gradients between a block of rows and a block of keys, [key][row].
typedef struct {
  float *keys, *values; // [KEYS][STRIDE_D], [KEYS][STRIDE_DV]
  float *scores, *gradients;
  float *cap_slopes; // of one strip
  int *first_strips, *last_strips; // that every TILE keys meet
} Pairs;

// Where the block's first row lies in global memory.
typedef struct {
  global const float *q, *o, *output_gradient, *lse;
  global float *dq;
  size_t q_stride, o_stride;
} QueryRows;

static inline QueryRows rows_of_head(
    global const float *q, global const float *o, global const float *output_gradient, global const float *lse,
    global float *dq, size_t batch, int query_time, int query_heads, int head, int row0) {
  const size_t row = batch * query_time + row0;
  QueryRows rows;
  rows.q_stride = (size_t)query_heads * D;
  rows.o_stride = (size_t)query_heads * DV;
  rows.q = q + row * rows.q_stride + (size_t)head * D;
  rows.dq = dq + row * rows.q_stride + (size_t)head * D;
  rows.o = o + row * rows.o_stride + (size_t)head * DV;
  rows.output_gradient = output_gradient + row * rows.o_stride + (size_t)head * DV;
  rows.lse = lse + (batch * query_heads + head) * query_time + row0;
  return rows;
}

// Statistics of a block's rows; returns what they add to the gradient of the sink.
static inline float load_statistics(const QueryBlock *block, const QueryRows *from, float sink) {
  float sink_gradient = 0.0f;
  for (int r = 0; r < block->strips * STRIP; ++r) {
    block->logs[r] = log_of_row((r < block->rows) ? from->lse[min(r, block->rows - 1)] : MASKED);
    block->terms[r] = 0.0f;
    if (r < block->rows) {
      const size_t place = (size_t)r * from->o_stride;
      block->terms[r] = dot_rows(from->output_gradient + place, from->o + place);
#if SINKS
      sink_gradient -= exp2(sink - block->logs[r]) * block->terms[r];
#endif
    }
  }
  return sink_gradient;
}

static inline void load_rows(const QueryBlock *block, const QueryRows *from, const Keys *keys, float scale) {
  for (int t = 0; t < block->strips; ++t) {
    const int rows = min(STRIP, block->rows - t * STRIP);
    pack_transposed(
        from->q + (size_t)(t * STRIP) * from->q_stride, from->q_stride, rows, D,
        score_factor(scale, keys->softcap), block->queries + t * D * STRIP);
    pack_transposed(
        from->output_gradient + (size_t)(t * STRIP) * from->o_stride, from->o_stride, rows, DV, 1.0f,
        block->output_gradients + t * DV * STRIP);
    for (int m = 0; m < TILED_D * STRIP; m += VECTOR) {
      VECTOR_AT(block->query_gradients + t * TILED_D * STRIP + m, 0) = 0.0f;
    }
#if DOCUMENTS
    block->strip_documents[t] = load_row_documents(
        keys->documents, keys->reach, block->row0 + t * STRIP, block->documents + t * STRIP);
#endif
  }
  const int padded = block->strips * STRIP;
  copy_rows(from->q, from->q_stride, block->rows, padded, D, scale, block->query_rows, STRIDE_D);
  copy_rows(
      from->output_gradient, from->o_stride, block->rows, padded, DV, 1.0f, block->gradient_rows, STRIDE_DV);
}

static inline void clear_strip(Strip strip, float *scores, float *gradients) {
  for (int j = strip.from; j < strip.to; ++j) {
    for (int m = 0; m < STRIP_VECTORS; ++m) {
      VECTOR_AT(scores + j * ROWS, m) = 0.0f;
      VECTOR_AT(gradients + j * ROWS, m) = 0.0f;
    }
  }
}

// Probabilities and gradients of the scores between strip t and the keys of a block; dq of the strip follows.
static inline void visit_strip(
    const QueryBlock *block, int t, const Keys *from, KeyBlock *key_block, const Pairs *pairs) {
  const Strip strip = make_strip(from->reach, block->row0 + t * STRIP, key_block->key0, key_block->count);
  if (strip.from >= strip.to) {
    return;
  }
  for (int j = strip.from; j < strip.to; j += TILE) {
    pairs->first_strips[j / TILE] = min(pairs->first_strips[j / TILE], t);
    pairs->last_strips[j / TILE] = t;
  }
  float *scores = pairs->scores + t * STRIP;
  float *gradients = pairs->gradients + t * STRIP;
  const Visit visit = make_visit(from, key_block, strip, STRIP_DOCUMENTS(block, t));
  if (!visit.any) {
    clear_strip(strip, scores, gradients);
    return;
  }
  load_key_block(from, key_block, pairs->keys, pairs->values);
  strip_scores(strip, pairs->keys, STRIDE_D, block->queries + t * D * STRIP, D, scores, ROWS);
  strip_scores(
      strip, pairs->values, STRIDE_DV, block->output_gradients + t * DV * STRIP, DV, gradients, ROWS);
  shape_scores(
      scores, ROWS, pairs->cap_slopes, from, strip, key_block->key0, visit, ROW_DOCUMENTS(block, t));
  softmax_gradient(
      scores, gradients, pairs->cap_slopes, strip.from, strip.to, block->logs + t * STRIP,
      block->terms + t * STRIP);
  vector ones[STRIP_VECTORS];
  for (int n = 0; n < STRIP_VECTORS; ++n) {
    ones[n] = 1.0f;
  }
  for (int d = 0; d < D; d += TILE) {
    tile_accumulate(
        pairs->keys + strip.from * STRIDE_D + d, STRIDE_D, gradients + strip.from * ROWS, ROWS,
        strip.to - strip.from, block->query_gradients + (t * TILED_D + d) * STRIP, ones);
  }
}

// A block of rows meets the keys from key0 on; dk, dv: the gradients of all keys.
static inline void visit_keys(
    const QueryBlock *block, const Keys *from, int key0, int count, const Pairs *pairs, global float *dk,
    global float *dv) {
  for (int j = 0; j < count; j += TILE) {
    pairs->first_strips[j / TILE] = block->strips;
    pairs->last_strips[j / TILE] = -1;
  }
  KeyBlock key_block = make_key_block(from, key0, count);
  for (int t = 0; t < block->strips; ++t) {
    visit_strip(block, t, from, &key_block, pairs);
  }
  if (!key_block.is_loaded) {
    return;
  }
  add_over_rows(
      pairs->scores, block->gradient_rows, STRIDE_DV, pairs->first_strips, pairs->last_strips, count,
      dv + (size_t)key0 * from->v_stride, from->v_stride, DV, WIDE_TILES(DV));
  add_over_rows(
      pairs->gradients, block->query_rows, STRIDE_D, pairs->first_strips, pairs->last_strips, count,
      dk + (size_t)key0 * from->k_stride, from->k_stride, D, WIDE_TILES(D));
}

static inline void store_query_gradients(const QueryBlock *block, const QueryRows *to, float scale) {
  float factors[STRIP];
  for (int r = 0; r < STRIP; ++r) {
    factors[r] = scale;
  }
  for (int t = 0; t < block->strips; ++t) {
    unpack_transposed(
        block->query_gradients + t * TILED_D * STRIP, factors, min(STRIP, block->rows - t * STRIP), D,
        to->dq + (size_t)(t * STRIP) * to->q_stride, to->q_stride);
  }
}

static inline void clear_rows(global float *rows, size_t stride, int count, int width) {
  for (int j = 0; j < count; ++j) {
    for (int d = 0; d < width; d += 4) {
      vstore4((float4)(0.0f), 0, rows + (size_t)j * stride + d);
    }
  }
}

// One work-item per (batch, key head, slice): it walks its query blocks and adds to the dk and dv rows it
// alone owns, so nothing is added by two work-items and no workspace is needed when slices = 1.
// dsinks_partial [slices, B, Hq].
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_backward(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global const float *restrict o,
    global const float *restrict lse, global const float *restrict output_gradient, global float *restrict dq,
    global float *restrict dk_partial, global float *restrict dv_partial,
    global float *restrict dsinks_partial, int batches, int query_time, int key_time, int query_heads,
    int key_heads, float scale, float softcap, int causal, int window_left, int window_right, int slices) {
  float queries[STRIPS * D * STRIP] ALIGNED;
  float query_gradients[STRIPS * TILED_D * STRIP] ALIGNED;
  float output_gradients[STRIPS * DV * STRIP] ALIGNED;
  float query_rows[ROWS * STRIDE_D] ALIGNED;
  float gradient_rows[ROWS * STRIDE_DV] ALIGNED;
  float keys[KEYS * STRIDE_D] ALIGNED;
  float values[KEYS * STRIDE_DV] ALIGNED;
  float scores[KEYS * ROWS] ALIGNED;
  float gradients[KEYS * ROWS] ALIGNED;
  float logs[ROWS] ALIGNED, terms[ROWS] ALIGNED;
  int first_strips[KEYS / TILE], last_strips[KEYS / TILE];
  Pairs pairs = {keys, values, scores, gradients, 0, first_strips, last_strips};
  QueryBlock block = {
      0, 0, 0, queries, query_gradients, output_gradients, query_rows, gradient_rows, logs, terms, 0, 0};
#if SOFTCAP
  float cap_slopes[KEYS * STRIP] ALIGNED;
  pairs.cap_slopes = cap_slopes;
#endif
#if DOCUMENTS
  int row_documents[STRIPS * STRIP];
  int2 strip_documents[STRIPS];
  block.documents = row_documents;
  block.strip_documents = strip_documents;
#endif
  const int item = (int)get_global_id(0);
  const int slice = item % slices;
  const int key_head = (item / slices) % key_heads;
  const size_t batch = (size_t)(item / slices / key_heads);
  const int group = query_heads / key_heads;
  const int blocks = (query_time + ROWS - 1) / ROWS;
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  Keys from = keys_of_head(k, v, documents, mask, reach, batch, key_head, key_heads, softcap, 0.0f);
  const size_t partial = ((size_t)slice * batches + batch) * key_time;
  global float *dk = dk_partial + partial * from.k_stride + (size_t)key_head * D;
  global float *dv = dv_partial + partial * from.v_stride + (size_t)key_head * DV;
  clear_rows(dk, from.k_stride, key_time, D);
  clear_rows(dv, from.v_stride, key_time, DV);

  float sink_gradient = 0.0f;
  for (int n = 0; n < group * blocks; ++n) {
    const int turn = n / slices;
    const int owner = (turn & 1) ? slices - 1 - n % slices : n % slices;
    const int head = key_head * group + n / blocks;
    if (n % blocks == 0) {
      sink_gradient = 0.0f;
    }
    if (owner == slice) {
      block.row0 = (n % blocks) * ROWS;
      block.rows = min(ROWS, query_time - block.row0);
      block.strips = (block.rows + STRIP - 1) / STRIP;
      from.slope = ALIBI ? slopes[head] * LOG2_E : 0.0f;
      const QueryRows rows = rows_of_head(
          q, o, output_gradient, lse, dq, batch, query_time, query_heads, head, block.row0);
      sink_gradient += load_statistics(&block, &rows, SINKS ? sinks[head] * LOG2_E : 0.0f);
      load_rows(&block, &rows, &from, scale);
      const int end = last_key(reach, block.row0 + block.rows - 1) + 1;
      for (int key0 = first_key(reach, block.row0); key0 < end; key0 += KEYS) {
        visit_keys(&block, &from, key0, min(KEYS, end - key0), &pairs, dk, dv);
      }
      store_query_gradients(&block, &rows, scale);
    }
    if (SINKS && n % blocks == blocks - 1) {
      dsinks_partial[((size_t)slice * batches + batch) * query_heads + head] = sink_gradient;
    }
  }
}

// out[i] = sum over parts of partials[part * count + i], in this order; one work-item per 1024 numbers.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_sum(
    global const float *restrict partials, global float *restrict out, ulong count, int parts) {
  const ulong begin = (ulong)get_global_id(0) * 1024, end = min(begin + 1024, count);
  ulong i = begin;
  for (; i + 8 <= end; i += 8) {
    float8 sum = vload8(0, partials + i);
    for (int part = 1; part < parts; ++part) {
      sum += vload8(0, partials + (ulong)part * count + i);
    }
    vstore8(sum, 0, out + i);
  }
  for (; i < end; ++i) {
    float sum = partials[i];
    for (int part = 1; part < parts; ++part) {
      sum += partials[(ulong)part * count + i];
    }
    out[i] = sum;
  }
}
