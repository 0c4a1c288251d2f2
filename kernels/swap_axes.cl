// swap_axes.cl - exchanges the two middle axes
//
//   swap_axes   x [batch, rows, columns, dim] -> y [batch, columns, rows, dim]
//
// A processor's work-item copies `block` rows of y, elsewhere every work-item one element.
// Swift: Operations/SwapAxes.swift

#ifndef LANES
#define LANES 1  // work-items per group: 1 on processors
#endif

// The row of x that becomes row `row` of y.
static inline ulong source_row(const ulong row, const uint rows, const uint columns) {
  const ulong line = row / rows;
  return (line / columns * rows + row % rows) * columns + line % columns;
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void swap_axes(const global float *restrict x, global float *restrict y, const ulong total, const uint rows,
               const uint columns, const uint dim, const uint block) {
#if LANES == 1
  const ulong first = (ulong)get_group_id(0) * block, last = min(first + block, total);
  for (ulong row = first; row < last; row++) {
    const global float *from = x + source_row(row, rows, columns) * dim;
    global float *to = y + row * dim;
    uint i = 0;
    for (; i + 8 <= dim; i += 8) vstore8(vload8(0, from + i), 0, to + i);
    for (; i < dim; i++) to[i] = from[i];
  }
#else
  const ulong place = (ulong)get_global_id(0), row = place / dim;
  if (row < total) y[place] = x[source_row(row, rows, columns) * dim + place % dim];
#endif
}
