// Sums over arrays of floats and over rows.
#include "CHost.h"

#include "clones.h"

// Sixteen interleaved chains in single precision over stretches of 4,096 values, the stretches in double.
VARIANTS static float stretch_of_squares(const float *x, long count) {
  float chains[16] = {0};
  long i = 0;
  for (; i + 16 <= count; i += 16)
    for (int lane = 0; lane < 16; lane++) chains[lane] += x[i + lane] * x[i + lane];
  float sum = 0;
  for (; i < count; i++) sum += x[i] * x[i];
  for (int lane = 0; lane < 16; lane++) sum += chains[lane];
  return sum;
}

double nibble_sum_of_squares(const float *x, long count) {
  double sum = 0;
  for (long start = 0; start < count; start += 4096)
    sum += stretch_of_squares(x + start, count - start < 4096 ? count - start : 4096);
  return sum;
}

VARIANTS void nibble_add_all_rows(const float *x, float *y, long rows, long stride, long width) {
  for (long row = 0; row < rows; row++, x += stride)
    for (long i = 0; i < width; i++) y[i] += x[i];
}
