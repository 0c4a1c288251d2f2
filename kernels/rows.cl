// rows.cl - a row that the LANES work-items of a group share: its parts and sums over it
//
// Included by families that define LANES and reduce rows; a kernel declares SCRATCH first.

#include "common.cl"
#include "parts.cl"

#if LANES == 1
#define SCRATCH
#define ROW_SUM(value) (value)
#define ROW_MAX(value) (value)
#else
#define SCRATCH local float scratch[LANES];
#define ROW_SUM(value) group_sum(value, scratch, lane, LANES)
#define ROW_MAX(value) group_max(value, scratch, lane, LANES)
#endif

// A lane takes every LANES-th part of a row; the row's last part may be shorter. Loops run over whole parts and
// leave `i` at the short part for the one lane that has it, at or beyond `dim` for the others.
#define STEP (PART * LANES)

// A loop over a lane's parts, which start at `i` and have `count` values; `dim` is the row's length.
#define EACH_PART                                                            \
  for (uint i = lane * PART, count = min((uint)PART, dim - i); i < dim; \
       i += STEP, count = min((uint)PART, dim - i))
