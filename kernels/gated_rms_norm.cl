// gated_rms_norm.cl - RMSNorm with a gate in one pass, before or after the norm, and all its gradients
//
//   gated_rms_norm            x, gate [rows, dim], weight [dim] -> y [rows, dim], rstd [rows]
//   gated_rms_norm_backward   x, gate, dy [rows, dim], weight [dim], rstd [rows]
//                             -> dx, dgate [rows, dim], dweight [blocks, dim] (sums over each block of rows)
//
//   a = silu(gate) or sigmoid(gate);   rstd = 1 / sqrt(<z^2> + epsilon)
//   norm, then gate:  z = x,    h = z rstd, y = h weight a;   u = dy weight a, dgate = dy weight h a', dweight = sum dy h a
//   gate, then norm:  z = x a,  h = z rstd, y = h weight;     u = dy weight,                           dweight = sum dy h
//   dz = rstd (u - h <u h>);  norm, then gate: dx = dz;  gate, then norm: dx = dz a, dgate = dz x a'
//
// Outputs hold what the second pass over a row needs, so that no exponential is computed twice.
// One work-group per block of rows, LANES work-items each; a work-item always meets the same columns.
// Swift: Operations/GatedRMSNorm.swift

#ifndef LANES
#define LANES 1       // work-items per row, a power of two: 1 on processors
#endif
#ifndef GATE_FIRST
#define GATE_FIRST 0  // 1: gate, then norm
#endif
#ifndef SILU
#define SILU 1        // 1: gate * sigmoid(gate), 0: sigmoid(gate)
#endif

#include "rows.cl"

// a of a gate, from its sigmoid s.
#define GATED(gate, s) (SILU ? (gate) * (s) : (s))
// a'
#define SLOPE(gate, s) (SILU ? (s) * (1.0f + (gate) * (1.0f - (s))) : (s) * (1.0f - (s)))

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void gated_rms_norm(const global float *restrict x, const global float *restrict gate,
                    const global float *restrict weight, global float *restrict y, global float *restrict rstd,
                    const float epsilon, const uint rows, const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  for (uint row = first; row < last; row++) {
    const size_t start = (size_t)row * dim;
    part_t squares = 0.0f;
    EACH_PART {
      part_t z = load_part(x + start + i, count);
      if (GATE_FIRST) {
        const part_t g = load_part(gate + start + i, count), s = sigmoid(g);
        z *= GATED(g, s);
        store_part(z, y + start + i, count);
      }
      squares += z * z;
    }
    const float r = 1.0f / sqrt(ROW_SUM(part_sum(squares)) / dim + epsilon);
    EACH_PART {
      part_t value = r * load_part(weight + i, count);
      if (GATE_FIRST) {
        value *= load_part(y + start + i, count);
      } else {
        const part_t g = load_part(gate + start + i, count), s = sigmoid(g);
        value *= load_part(x + start + i, count) * GATED(g, s);
      }
      store_part(value, y + start + i, count);
    }
    if (lane == 0) rstd[row] = r;
  }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void gated_rms_norm_backward(const global float *restrict x, const global float *restrict gate,
                             const global float *restrict weight, const global float *restrict rstd,
                             const global float *restrict dy, global float *restrict dx,
                             global float *restrict dgate, global float *restrict dweight, const uint rows,
                             const uint dim, const uint block) {
  SCRATCH
  const uint lane = (uint)get_local_id(0);
  const uint first = (uint)get_group_id(0) * block, last = min(first + block, rows);
  global float *sums = dweight + (size_t)get_group_id(0) * dim;
  for (uint row = first; row < last; row++) {
    const size_t start = (size_t)row * dim;
    const float r = rstd[row];
    part_t products = 0.0f;
    EACH_PART {
      const part_t value = load_part(x + start + i, count), g = load_part(gate + start + i, count), s = sigmoid(g);
      const part_t d = load_part(dy + start + i, count), u = d * load_part(weight + i, count);
      const part_t known = row == first ? (part_t)(0.0f) : load_part(sums + i, count);
      const part_t a = GATED(g, s), h = value * r;
      products += u * h * a;
      store_part(known + d * h * a, sums + i, count);
      store_part(GATE_FIRST ? a : u * a, dx + start + i, count);
      store_part((GATE_FIRST ? value : u * h) * SLOPE(g, s), dgate + start + i, count);
    }
    const float along = ROW_SUM(part_sum(products)) / dim;
    EACH_PART {
      const part_t value = load_part(x + start + i, count), kept = load_part(dx + start + i, count);
      if (GATE_FIRST) {
        const part_t u = load_part(dy + start + i, count) * load_part(weight + i, count);
        const part_t dz = r * (u - value * kept * (r * along));
        store_part(dz * kept, dx + start + i, count);
        store_part(dz * load_part(dgate + start + i, count), dgate + start + i, count);
      } else {
        store_part(r * (kept - value * (r * along)), dx + start + i, count);
      }
    }
  }
}
