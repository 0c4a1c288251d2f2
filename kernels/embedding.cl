// embedding.cl - rows of a table by id, and the sum of rows by id
//
//   embedding_forward    ids [tokens], weight [vocabulary, dim]  -> y [tokens, dim]
//   embedding_backward   ids [tokens], dy [tokens, dim]          -> dweight [vocabulary, dim] (added to when ACCUMULATE)
//
// An id outside the vocabulary reads a row of zeros and receives no gradient.
// Backward: a work-item owns a rectangle of the table (some vocabulary rows, some columns), clears it, reads all ids
// and adds the rows whose id is in its range, in the order of the tokens: no atomics, no sorting. Processors take
// rectangles of a thousand rows, so that the ids are read a few times only; graphics processors four columns of some
// rows, neighbours beside each other.
// Swift: Operations/Embedding.swift

#ifndef LANES
#define LANES 1       // work-items per group, side by side in columns: 1 on processors
#endif
#ifndef ACCUMULATE
#define ACCUMULATE 0  // 1: embedding_backward adds to what dweight holds
#endif

static inline void add_row(global float *to, const global float *from, const uint count) {
  uint i = 0;
  for (; i + 32 <= count; i += 32) {
    const float16 a = vload16(0, to + i) + vload16(0, from + i);
    const float16 b = vload16(0, to + i + 16) + vload16(0, from + i + 16);
    vstore16(a, 0, to + i);
    vstore16(b, 0, to + i + 16);
  }
  for (; i + 8 <= count; i += 8) vstore8(vload8(0, to + i) + vload8(0, from + i), 0, to + i);
  for (; i + 4 <= count; i += 4) vstore4(vload4(0, to + i) + vload4(0, from + i), 0, to + i);
  for (; i < count; i++) to[i] += from[i];
}

static inline void copy_row(global float *to, const global float *from, const uint count) {
  uint i = 0;
  for (; i + 8 <= count; i += 8) vstore8(vload8(0, from + i), 0, to + i);
  for (; i + 4 <= count; i += 4) vstore4(vload4(0, from + i), 0, to + i);
  for (; i < count; i++) to[i] = from[i];
}

static inline void zero_row(global float *to, const uint count) {
  uint i = 0;
  for (; i + 8 <= count; i += 8) vstore8((float8)(0.0f), 0, to + i);
  for (; i + 4 <= count; i += 4) vstore4((float4)(0.0f), 0, to + i);
  for (; i < count; i++) to[i] = 0.0f;
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_forward(const global int *restrict ids, const global float *restrict weight,
                       global float *restrict y, const uint tokens, const uint vocabulary, const uint dim,
                       const uint item_columns, const uint item_rows) {
  const uint column = (uint)get_global_id(0) * item_columns;
  if (column >= dim) return;
  const uint width = min(item_columns, dim - column);
  const uint first = (uint)get_global_id(1) * item_rows, last = min(first + item_rows, tokens);
  for (uint token = first; token < last; token++) {
    const int id = ids[token];
    global float *to = y + (size_t)token * dim + column;
    if (id >= 0 && (uint)id < vocabulary) {
      copy_row(to, weight + (size_t)id * dim + column, width);
    } else {
      zero_row(to, width);
    }
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void embedding_backward(const global int *restrict ids, const global float *restrict dy,
                        global float *restrict dweight, const uint tokens, const uint vocabulary, const uint dim,
                        const uint item_columns, const uint item_rows) {
  const uint column = (uint)get_global_id(0) * item_columns;
  if (column >= dim) return;
  const uint width = min(item_columns, dim - column);
  const uint first = (uint)get_global_id(1) * item_rows, last = min(first + item_rows, vocabulary);
  if (!ACCUMULATE) {
    for (uint row = first; row < last; row++) zero_row(dweight + (size_t)row * dim + column, width);
  }
  for (uint token = 0; token < tokens; token++) {
    const int id = ids[token];
    if (id < 0 || (uint)id < first || (uint)id >= last) continue;
    add_row(dweight + (size_t)id * dim + column, dy + (size_t)token * dim + column, width);
  }
}
