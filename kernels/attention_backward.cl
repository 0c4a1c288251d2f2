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

#include "attention_common.cl"

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

// One work-item per (batch, key head, slice): it walks its query blocks and adds to the dk and dv rows it
// alone owns, so nothing is added by two work-items and no workspace is needed when slices = 1.
// dsinks_partial [slices, B, Hq].
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void attention_backward(
    global const float *restrict q, global const float *restrict k, global const float *restrict v,
    global const float *restrict slopes, global const float *restrict sinks,
    global const int *restrict documents, global const uchar *restrict mask, global const float *restrict o,
    global const float *restrict lse, global const float *restrict output_gradient, global float *restrict dq,
    global float *restrict dk_partial, global float *restrict dv_partial,
    global float *restrict dsinks_partial, int batches, int query_time, int key_time, int key_capacity,
    int query_heads, int key_heads, float scale, float softcap, int causal, int window_left, int window_right,
    int slices, int accumulate) {
  float queries[STRIPS * D * STRIP] ALIGNED;
  float query_gradients[STRIPS * TILED_D * STRIP] ALIGNED;
  float output_gradients[STRIPS * DV * STRIP] ALIGNED;
  float query_rows[ROWS * STRIDE_D] ALIGNED;
  float gradient_rows[ROWS * STRIDE_DV] ALIGNED;
  float keys[KEYS * STRIDE_D] ALIGNED;
  float values[KEYS * STRIDE_DV] ALIGNED;
  float scores[KEYS * ROWS] ALIGNED;
  float gradients[KEYS * ROWS] ALIGNED;
  float logs[ROWS] ALIGNED, row_terms[ROWS] ALIGNED, factors[STRIP];
  int first_strips[KEYS / TILE], last_strips[KEYS / TILE];
  vector ones[STRIP_VECTORS];
#if SOFTCAP
  float cap_slopes[KEYS * STRIP] ALIGNED;
#else
  float *cap_slopes = 0;
#endif
#if DOCUMENTS
  int row_documents[STRIPS * STRIP];
  int2 strip_documents[STRIPS];
#endif
  const Reach reach = make_reach(query_time, key_time, causal, window_left, window_right);
  const int item = (int)get_global_id(0);
  const int slice = item % slices;
  const int key_head = (item / slices) % key_heads;
  const size_t batch = (size_t)(item / slices / key_heads);
  const int group = query_heads / key_heads;
  const int blocks = (query_time + ROWS - 1) / ROWS;
  const size_t q_stride = (size_t)query_heads * D, o_stride = (size_t)query_heads * DV;
  const size_t k_stride = (size_t)key_heads * D, v_stride = (size_t)key_heads * DV;
  k += batch * key_capacity * k_stride + (size_t)key_head * D;
  v += batch * key_capacity * v_stride + (size_t)key_head * DV;
  dk_partial += ((size_t)slice * batches + batch) * key_capacity * k_stride + (size_t)key_head * D;
  dv_partial += ((size_t)slice * batches + batch) * key_capacity * v_stride + (size_t)key_head * DV;
#if DOCUMENTS
  documents += batch * key_time;
#endif
  for (int r = 0; r < STRIP; ++r) {
    factors[r] = scale;
  }
  for (int n = 0; n < STRIP_VECTORS; ++n) {
    ones[n] = 1.0f;
  }
  if (!accumulate) {
    for (int j = 0; j < key_time; ++j) {
      for (int d = 0; d < D; d += 4) {
        vstore4((float4)(0.0f), 0, dk_partial + (size_t)j * k_stride + d);
      }
      for (int d = 0; d < DV; d += 4) {
        vstore4((float4)(0.0f), 0, dv_partial + (size_t)j * v_stride + d);
      }
    }
  }

  float sink_gradient = 0.0f;
  for (int n = 0; n < group * blocks; ++n) {
    const int turn = n / slices;
    const int owner = (turn & 1) ? slices - 1 - n % slices : n % slices;
    const int head = key_head * group + n / blocks;
#if SINKS
    const float sink = sinks[head] * LOG2_E;
    if (n % blocks == 0) {
      sink_gradient = 0.0f;
    }
#endif
    const int row0 = (n % blocks) * ROWS;
    const int rows = min(ROWS, query_time - row0);
    const int strips = (rows + STRIP - 1) / STRIP;
    if (owner == slice) {
#if ALIBI
      const float slope = slopes[head] * LOG2_E;
#else
      const float slope = 0.0f;
#endif
      global const float *q_block = q + (batch * query_time + row0) * q_stride + (size_t)head * D;
      global const float *o_block = o + (batch * query_time + row0) * o_stride + (size_t)head * DV;
      global const float *g_block =
          output_gradient + (batch * query_time + row0) * o_stride + (size_t)head * DV;
      global float *dq_block = dq + (batch * query_time + row0) * q_stride + (size_t)head * D;
      global const float *lse_block = lse + (batch * query_heads + head) * query_time + row0;
      for (int r = 0; r < strips * STRIP; ++r) {
        const float l = (r < rows) ? lse_block[min(r, rows - 1)] : MASKED;
        logs[r] = (l < -1.0e29f) ? -MASKED : l * LOG2_E; // a row without keys gets P = 0 everywhere
        row_terms[r] = 0.0f;
        if (r < rows) {
          row_terms[r] = dot_rows(g_block + (size_t)r * o_stride, o_block + (size_t)r * o_stride);
#if SINKS
          sink_gradient -= exp2(sink - logs[r]) * row_terms[r];
#endif
        }
      }
      for (int t = 0; t < strips; ++t) {
        const int strip_rows = min(STRIP, rows - t * STRIP);
        pack_transposed(
            q_block + (size_t)(t * STRIP) * q_stride, q_stride, strip_rows, D, score_factor(scale, softcap),
            queries + t * D * STRIP);
        pack_transposed(
            g_block + (size_t)(t * STRIP) * o_stride, o_stride, strip_rows, DV, 1.0f,
            output_gradients + t * DV * STRIP);
        for (int m = 0; m < TILED_D * STRIP; m += VECTOR) {
          VECTOR_AT(query_gradients + t * TILED_D * STRIP + m, 0) = 0.0f;
        }
#if DOCUMENTS
        strip_documents[t] =
            load_row_documents(documents, reach, row0 + t * STRIP, row_documents + t * STRIP);
#endif
      }
      copy_rows(q_block, q_stride, rows, strips * STRIP, D, scale, query_rows, STRIDE_D);
      copy_rows(g_block, o_stride, rows, strips * STRIP, DV, 1.0f, gradient_rows, STRIDE_DV);

      const int end = last_key(reach, row0 + rows - 1) + 1;
      for (int key0 = first_key(reach, row0); key0 < end; key0 += KEYS) {
        const int count = min(KEYS, end - key0);
        for (int j = 0; j < count; j += TILE) {
          first_strips[j / TILE] = strips;
          last_strips[j / TILE] = -1;
        }
#if DOCUMENTS
        const int2 block_documents = document_range(documents + key0, count);
#endif
        int loaded = 0;
        for (int t = 0; t < strips; ++t) {
          const Strip strip = make_strip(reach, row0 + t * STRIP, key0, count);
          if (strip.from >= strip.to) {
            continue;
          }
          for (int j = strip.from; j < strip.to; j += TILE) {
            first_strips[j / TILE] = min(first_strips[j / TILE], t);
            last_strips[j / TILE] = t;
          }
          int visit = 1, test_documents = 0, test_mask = 0;
#if DOCUMENTS
          const int2 mine = strip_documents[t];
          visit = block_documents.y >= mine.x && block_documents.x <= mine.y;
          test_documents = block_documents.x != mine.y || block_documents.y != mine.x;
#endif
#if MASK
          const int coverage = mask_coverage(mask, reach, strip, key0);
          visit = visit && coverage != 0;
          test_mask = coverage == 1;
#endif
          float *s = scores + t * STRIP;
          float *g = gradients + t * STRIP;
          if (!visit) {
            for (int j = strip.from; j < strip.to; ++j) {
              for (int m = 0; m < STRIP_VECTORS; ++m) {
                VECTOR_AT(s + j * ROWS, m) = 0.0f;
                VECTOR_AT(g + j * ROWS, m) = 0.0f;
              }
            }
            continue;
          }
          if (!loaded) {
            const int padded = WHOLE(count, TILE);
            copy_rows(k + (size_t)key0 * k_stride, k_stride, count, padded, D, 1.0f, keys, STRIDE_D);
            copy_rows(v + (size_t)key0 * v_stride, v_stride, count, padded, DV, 1.0f, values, STRIDE_DV);
            loaded = 1;
          }
          for (int j = strip.from; j < strip.to; j += TILE) {
            tile_scores(
                keys + j * STRIDE_D, STRIDE_D, queries + t * D * STRIP, D, s + j * ROWS,
                ROWS);
          }
          for (int j = strip.from; j < strip.to; j += TILE) {
            tile_scores(
                values + j * STRIDE_DV, STRIDE_DV, output_gradients + t * DV * STRIP, DV,
                g + j * ROWS, ROWS);
          }
#if DOCUMENTS
          shape_scores(
              s, ROWS, cap_slopes, reach, strip, key0, softcap, slope, test_documents,
              row_documents + t * STRIP, documents, test_mask, mask);
#else
          shape_scores(
              s, ROWS, cap_slopes, reach, strip, key0, softcap, slope, 0, 0, documents, test_mask,
              mask);
#endif
          softmax_gradient(s, g, cap_slopes, strip.from, strip.to, logs + t * STRIP, row_terms + t * STRIP);
          for (int d = 0; d < D; d += TILE) {
            tile_accumulate(
                keys + strip.from * STRIDE_D + d, STRIDE_D, g + strip.from * ROWS, ROWS,
                strip.to - strip.from, query_gradients + (t * TILED_D + d) * STRIP, ones);
          }
        }
        if (loaded) {
          add_over_rows(
              scores, gradient_rows, STRIDE_DV, first_strips, last_strips, count,
              dv_partial + (size_t)key0 * v_stride, v_stride, DV, WIDE_TILES(DV));
          add_over_rows(
              gradients, query_rows, STRIDE_D, first_strips, last_strips, count,
              dk_partial + (size_t)key0 * k_stride, k_stride, D, WIDE_TILES(D));
        }
      }
      for (int t = 0; t < strips; ++t) {
        unpack_transposed(
            query_gradients + t * TILED_D * STRIP, factors, min(STRIP, rows - t * STRIP), D,
            dq_block + (size_t)(t * STRIP) * q_stride, q_stride);
      }
    }
#if SINKS
    if (n % blocks == blocks - 1) {
      dsinks_partial[((size_t)slice * batches + batch) * query_heads + head] = sink_gradient;
    }
#endif
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
