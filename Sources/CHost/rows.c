// Rows of tables by id.
#include "CHost.h"

#include "clones.h"

VARIANTS void nibble_add_rows(const int32_t *ids, const float *dy, float *table, long tokens, long first, long last,
                              long dim, long column, long width) {
  for (long token = 0; token < tokens; token++) {
    const long id = ids[token];
    if (id < first || id >= last) continue;
    float *restrict sum = table + id * dim + column;
    const float *restrict row = dy + token * dim + column;
    for (long i = 0; i < width; i++) sum[i] += row[i];
  }
}
