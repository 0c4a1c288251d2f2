// columns.cl - cutting column ranges out of matrices and putting them together
//
//   copy_columns   x [rows, x_columns] columns x_first..<x_first+width
//                  -> y [rows, y_columns] columns y_first..<y_first+width   (added when ACCUMULATE)
//
// Swift: Operations/Columns.swift

#ifndef LANES
#define LANES 1       // work-items per row: 1 on processors
#endif
#ifndef ACCUMULATE
#define ACCUMULATE 0  // 1: adds to what y holds
#endif

// One work-group per row.
kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void copy_columns(const global float *restrict x, global float *restrict y, const uint width, const uint x_columns,
                  const uint x_first, const uint y_columns, const uint y_first) {
  const size_t row = get_group_id(0);
  const global float *from = x + row * x_columns + x_first;
  global float *to = y + row * y_columns + y_first;
  uint i = (uint)get_local_id(0);
#if LANES == 1
  for (; i + 8 <= width; i += 8) {
    float8 value = vload8(0, from + i);
    if (ACCUMULATE) value += vload8(0, to + i);
    vstore8(value, 0, to + i);
  }
#endif
  for (; i < width; i += LANES) to[i] = ACCUMULATE ? to[i] + from[i] : from[i];
}
