// unpack_blocks.cl - weights of four bits become floats
//
//   unpack_blocks   bytes, tables -> w: w[i] = tables[code(i)] * scale(i / block_size)
//
// Two codes a byte, the first in the lower half; behind them a byte for every block: its scale is tables[16 + byte] *
// tables[273 + block / blocks_per_factor] + tables[272]. A processor's work-item does `block` bytes, elsewhere every work-item one.
// Swift: Operations/Quantization/UnpackBlocks.swift

#pragma OPENCL FP_CONTRACT OFF

#ifndef LANES
#define LANES 1  // work-items per group: 1 on processors
#endif

kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
void unpack_blocks(const global uchar *restrict codes, const global float *restrict tables, global float *restrict w,
                   const ulong total, const uint block_size, const uint blocks_per_factor, const uint block) {
  const global uchar *scales = codes + (total + 1) / 2;
  const global float *groups = tables + 273;
#if LANES == 1
  const ulong bytes = total / 2, begin = (ulong)get_group_id(0) * block, end = min(begin + block, bytes);
  for (ulong first = begin; first < end;) {
    const ulong number = 2 * first / block_size, last = min(end, (number + 1) * block_size / 2);
    const float product = tables[16 + scales[number]] * groups[number / blocks_per_factor];
    const float scale = product + tables[272];
    for (ulong i = first; i < last; i++) {
      const uint code = codes[i];
      w[2 * i] = tables[code & 15u] * scale;
      w[2 * i + 1] = tables[code >> 4] * scale;
    }
    first = last;
  }
  // An odd element is the last one, alone in its byte.
  const bool is_last = (total & 1u) != 0 && begin <= bytes && bytes < begin + block;
  if (is_last) {
    const ulong number = (total - 1) / block_size;
    const float product = tables[16 + scales[number]] * groups[number / blocks_per_factor];
    w[total - 1] = tables[codes[bytes] & 15u] * (product + tables[272]);
  }
#else
  const ulong i = (ulong)get_global_id(0);
  if (2 * i < total) {
    const ulong number = 2 * i / block_size;
    const float product = tables[16 + scales[number]] * groups[number / blocks_per_factor];
    const float scale = product + tables[272];
    const uint code = codes[i];
    w[2 * i] = tables[code & 15u] * scale;
    if (2 * i + 1 < total) w[2 * i + 1] = tables[code >> 4] * scale;
  }
#endif
}
