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

// Vectors of 8 columns are covered by tiles of 24 and then tiles of 16; never by a lone 8 next to a 24.
#define VECTORS(WIDTH) (((WIDTH) + 7) / 8)
#define TILES_24(WIDTH) \
  (VECTORS(WIDTH) % 3 == 1 ? (VECTORS(WIDTH) >= 4 ? VECTORS(WIDTH) / 3 - 1 : 0) : VECTORS(WIDTH) / 3)

// c [keys][width] += a b over the query rows: a [key][row], b [row][width]; group n of four keys meets the
// strips first_strips[n] ... last_strips[n].
static inline void add_over_rows(
    const float *a, const float *b, int b_stride, const int *first_strips, const int *last_strips,
    int key_count, global float *c, size_t c_stride, int width, int tiles_24) {
  for (int d = 0; d < width; d += (d < tiles_24 * 24) ? 24 : 16) {
    for (int j = 0; j < key_count; j += 4) {
      const int begin = first_strips[j / 4] * STRIP;
      const int depth = (last_strips[j / 4] + 1) * STRIP - begin;
      if (depth <= 0) {
        continue;
      }
      const float *a_tile = a + j * ROWS + begin;
      const float *b_tile = b + begin * b_stride + d;
      global float *c_tile = c + (size_t)j * c_stride + d;
      if (d < tiles_24 * 24) {
        tile_add_24(
            a_tile, ROWS, b_tile, b_stride, depth, c_tile, c_stride, key_count - j,
            min(width - d, 24));
      } else {
        tile_add_16(
            a_tile, ROWS, b_tile, b_stride, depth, c_tile, c_stride, key_count - j,
            min(width - d, 16));
      }
    }
  }
}

// Scores -> P and do.v -> dS in place for one strip; row_terms are do.o, logs the log-sum-exp in units of
// log 2.
static inline void softmax_gradient(
    float *scores, float *gradients, const float *cap_slopes, int from, int to, const float *logs,
    const float *row_terms) {
  const float8 l0 = vload8(0, logs), l1 = vload8(1, logs), l2 = vload8(2, logs);
  const float8 term0 = vload8(0, row_terms), term1 = vload8(1, row_terms), term2 = vload8(2, row_terms);
  for (int j = from; j < to; ++j) {
    float *s = scores + j * ROWS;
    float *g = gradients + j * ROWS;
    const float8 p0 = exp2_negative(vload8(0, s) - l0);
    const float8 p1 = exp2_negative(vload8(1, s) - l1);
    const float8 p2 = exp2_negative(vload8(2, s) - l2);
    float8 g0 = p0 * (vload8(0, g) - term0), g1 = p1 * (vload8(1, g) - term1),
           g2 = p2 * (vload8(2, g) - term2);
#if SOFTCAP
    g0 *= vload8(0, cap_slopes + j * STRIP);
    g1 *= vload8(1, cap_slopes + j * STRIP);
    g2 *= vload8(2, cap_slopes + j * STRIP);
#endif
    vstore8(p0, 0, s);
    vstore8(p1, 1, s);
    vstore8(p2, 2, s);
    vstore8(g0, 0, g);
    vstore8(g1, 1, g);
    vstore8(g2, 2, g);
  }
}

static inline float dot_rows(global const float *a, global const float *b) {
  float4 sum = 0.0f;
  for (int d = 0; d < DV; d += 4) {
    sum = fma(vload4(0, a + d), vload4(0, b + d), sum);
  }
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
  float queries[STRIPS * D * STRIP];
  float query_gradients[STRIPS * D * STRIP];
  float output_gradients[STRIPS * DV * STRIP];
  float query_rows[ROWS * ROW_STRIDE_D];
  float gradient_rows[ROWS * ROW_STRIDE_DV];
  float keys[KEYS * KEY_STRIDE];
  float values[KEYS * VALUE_STRIDE];
  float scores[KEYS * ROWS];
  float gradients[KEYS * ROWS];
  float logs[ROWS], row_terms[ROWS], factors[STRIP];
  int first_strips[KEYS / 4], last_strips[KEYS / 4];
#if SOFTCAP
  float cap_slopes[KEYS * STRIP];
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
        for (int m = 0; m < D * STRIP; m += 8) {
          vstore8((float8)(0.0f), 0, query_gradients + t * D * STRIP + m);
        }
#if DOCUMENTS
        strip_documents[t] =
            load_row_documents(documents, reach, row0 + t * STRIP, row_documents + t * STRIP);
#endif
      }
      copy_rows(q_block, q_stride, rows, strips * STRIP, D, ROW_STRIDE_D, scale, query_rows, ROW_STRIDE_D);
      copy_rows(
          g_block, o_stride, rows, strips * STRIP, DV, ROW_STRIDE_DV, 1.0f, gradient_rows, ROW_STRIDE_DV);

      const int end = last_key(reach, row0 + rows - 1) + 1;
      for (int key0 = first_key(reach, row0); key0 < end; key0 += KEYS) {
        const int count = min(KEYS, end - key0);
        for (int j = 0; j < count; j += 4) {
          first_strips[j / 4] = strips;
          last_strips[j / 4] = -1;
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
          for (int j = strip.from; j < strip.to; j += 4) {
            first_strips[j / 4] = min(first_strips[j / 4], t);
            last_strips[j / 4] = t;
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
              for (int m = 0; m < 3; ++m) {
                vstore8((float8)(0.0f), m, s + j * ROWS);
                vstore8((float8)(0.0f), m, g + j * ROWS);
              }
            }
            continue;
          }
          if (!loaded) {
            const int padded = (count + 3) & ~3;
            copy_rows(k + (size_t)key0 * k_stride, k_stride, count, padded, D, D, 1.0f, keys, KEY_STRIDE);
            copy_rows(
                v + (size_t)key0 * v_stride, v_stride, count, padded, DV, DV, 1.0f, values, VALUE_STRIDE);
            loaded = 1;
          }
          for (int j = strip.from; j < strip.to; j += 4) {
            tile_scores(
                keys + j * KEY_STRIDE, KEY_STRIDE, queries + t * D * STRIP, D, s + j * ROWS,
                ROWS);
          }
          for (int j = strip.from; j < strip.to; j += 4) {
            tile_scores(
                values + j * VALUE_STRIDE, VALUE_STRIDE, output_gradients + t * DV * STRIP, DV,
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
          for (int d = 0; d < D; d += 4) {
            tile_accumulate(
                keys + strip.from * KEY_STRIDE + d, KEY_STRIDE, g + strip.from * ROWS, ROWS,
                strip.to - strip.from, query_gradients + (t * D + d) * STRIP, 1.0f, 1.0f, 1.0f);
          }
        }
        if (loaded) {
          add_over_rows(
              scores, gradient_rows, ROW_STRIDE_DV, first_strips, last_strips, count,
              dv_partial + (size_t)key0 * v_stride, v_stride, DV, TILES_24(DV));
          add_over_rows(
              gradients, query_rows, ROW_STRIDE_D, first_strips, last_strips, count,
              dk_partial + (size_t)key0 * k_stride, k_stride, D, TILES_24(D));
        }
      }
      for (int t = 0; t < strips; ++t) {
        unpack_transposed(
            query_gradients + t * D * STRIP, factors, min(STRIP, rows - t * STRIP), D,
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
