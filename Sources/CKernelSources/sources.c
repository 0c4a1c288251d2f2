#include "CKernelSources.h"

#include <stddef.h>

// A family is two lines here: its text and its row of the table.
static const char common_text[] = {
#embed "../../kernels/common.cl"
};
static const char parts_text[] = {
#embed "../../kernels/parts.cl"
};
static const char vectors_text[] = {
#embed "../../kernels/vectors.cl"
};
static const char matmul_text[] = {
#embed "../../kernels/matmul.cl"
};
static const char matmul_epilogue_text[] = {
#embed "../../kernels/matmul_epilogue.cl"
};
static const char matmul_tiled_text[] = {
#embed "../../kernels/matmul_tiled.cl"
};
static const char matmul_skinny_text[] = {
#embed "../../kernels/matmul_skinny.cl"
};
static const char attention_common_text[] = {
#embed "../../kernels/attention_common.cl"
};
static const char attention_blocks_text[] = {
#embed "../../kernels/attention_blocks.cl"
};
static const char attention_text[] = {
#embed "../../kernels/attention.cl"
};
static const char attention_backward_text[] = {
#embed "../../kernels/attention_backward.cl"
};
static const char attention_decode_text[] = {
#embed "../../kernels/attention_decode.cl"
};
static const char attention_rules_text[] = {
#embed "../../kernels/attention_rules.cl"
};
static const char attention_products_text[] = {
#embed "../../kernels/attention_products.cl"
};
static const char attention_tiles_text[] = {
#embed "../../kernels/attention_tiles.cl"
};
static const char attention_online_text[] = {
#embed "../../kernels/attention_online.cl"
};
static const char attention_tiled_text[] = {
#embed "../../kernels/attention_tiled.cl"
};
static const char attention_tiled_decode_text[] = {
#embed "../../kernels/attention_tiled_decode.cl"
};
static const char attention_tiled_backward_text[] = {
#embed "../../kernels/attention_tiled_backward.cl"
};
static const char attention_tiled_terms_text[] = {
#embed "../../kernels/attention_tiled_terms.cl"
};
static const char chunk_text[] = {
#embed "../../kernels/chunk.cl"
};
static const char chunk_tiles_text[] = {
#embed "../../kernels/chunk_tiles.cl"
};
static const char chunk_tiled_text[] = {
#embed "../../kernels/chunk_tiled.cl"
};
static const char decays_text[] = {
#embed "../../kernels/decays.cl"
};
static const char scalar_gate_text[] = {
#embed "../../kernels/scalar_gate.cl"
};
static const char scalar_gate_backward_text[] = {
#embed "../../kernels/scalar_gate_backward.cl"
};
static const char delta_solve_text[] = {
#embed "../../kernels/delta_solve.cl"
};
static const char delta_tiled_text[] = {
#embed "../../kernels/delta_tiled.cl"
};
static const char delta_rule_text[] = {
#embed "../../kernels/delta_rule.cl"
};
static const char delta_rule_backward_text[] = {
#embed "../../kernels/delta_rule_backward.cl"
};
static const char blocks_text[] = {
#embed "../../kernels/blocks.cl"
};
static const char vector_gate_tiled_text[] = {
#embed "../../kernels/vector_gate_tiled.cl"
};
static const char vector_gate_text[] = {
#embed "../../kernels/vector_gate.cl"
};
static const char vector_gate_backward_text[] = {
#embed "../../kernels/vector_gate_backward.cl"
};
static const char rwkv7_block_text[] = {
#embed "../../kernels/rwkv7_block.cl"
};
static const char rwkv7_text[] = {
#embed "../../kernels/rwkv7.cl"
};
static const char rwkv7_sweep_text[] = {
#embed "../../kernels/rwkv7_sweep.cl"
};
static const char rwkv7_backward_text[] = {
#embed "../../kernels/rwkv7_backward.cl"
};
static const char row_products_text[] = {
#embed "../../kernels/row_products.cl"
};
static const char norm_text[] = {
#embed "../../kernels/norm.cl"
};
static const char rope_text[] = {
#embed "../../kernels/rope.cl"
};
static const char bfloat16_text[] = {
#embed "../../kernels/bfloat16.cl"
};
static const char dynamic_blocks_text[] = {
#embed "../../kernels/dynamic_blocks.cl"
};
static const char unpack_blocks_text[] = {
#embed "../../kernels/unpack_blocks.cl"
};
static const char uniform_text[] = {
#embed "../../kernels/uniform.cl"
};
static const char dropout_text[] = {
#embed "../../kernels/dropout.cl"
};
static const char embedding_text[] = {
#embed "../../kernels/embedding.cl"
};
static const char cross_entropy_text[] = {
#embed "../../kernels/cross_entropy.cl"
};
static const char reduce_text[] = {
#embed "../../kernels/reduce.cl"
};
static const char columns_text[] = {
#embed "../../kernels/columns.cl"
};
static const char rows_text[] = {
#embed "../../kernels/rows.cl"
};
static const char causal_conv1d_common_text[] = {
#embed "../../kernels/causal_conv1d_common.cl"
};
static const char causal_conv1d_text[] = {
#embed "../../kernels/causal_conv1d.cl"
};
static const char causal_conv1d_backward_text[] = {
#embed "../../kernels/causal_conv1d_backward.cl"
};
static const char l2_normalize_text[] = {
#embed "../../kernels/l2_normalize.cl"
};
static const char gated_rms_norm_text[] = {
#embed "../../kernels/gated_rms_norm.cl"
};
static const char softmax_text[] = {
#embed "../../kernels/softmax.cl"
};
static const char hedgehog_text[] = {
#embed "../../kernels/hedgehog.cl"
};
static const char block_numbers_text[] = {
#embed "../../kernels/block_numbers.cl"
};
static const char swap_axes_text[] = {
#embed "../../kernels/swap_axes.cl"
};
static const char fetch_text[] = {
#embed "../../kernels/fetch.cl"
};
static const char channels_text[] = {
#embed "../../kernels/channels.cl"
};
static const char s4d_common_text[] = {
#embed "../../kernels/s4d_common.cl"
};
static const char s4d_backward_text[] = {
#embed "../../kernels/s4d_backward.cl"
};
static const char s4d_text[] = {
#embed "../../kernels/s4d.cl"
};
static const char long_convolution_text[] = {
#embed "../../kernels/long_convolution.cl"
};
static const char formats_text[] = {
#embed "../../kernels/formats.cl"
};
static const char format_codes_text[] = {
#embed "../../kernels/format_codes.cl"
};
static const char quantize_elements_text[] = {
#embed "../../kernels/quantize_elements.cl"
};
static const char quantize_gradient_text[] = {
#embed "../../kernels/quantize_gradient.cl"
};
static const char quantize_runs_text[] = {
#embed "../../kernels/quantize_runs.cl"
};
static const char quantize_search_text[] = {
#embed "../../kernels/quantize_search.cl"
};
static const char quantize_rotation_text[] = {
#embed "../../kernels/quantize_rotation.cl"
};
static const char quantize_scales_text[] = {
#embed "../../kernels/quantize_scales.cl"
};
static const char quantize_text[] = {
#embed "../../kernels/quantize.cl"
};
static const char roof_text[] = {
#embed "../../kernels/roof.cl"
};

static const struct {
  const char *name;
  const char *text;
  long length;
} sources[] = {
    {"common", common_text, sizeof common_text},
    {"parts", parts_text, sizeof parts_text},
    {"vectors", vectors_text, sizeof vectors_text},
    {"matmul", matmul_text, sizeof matmul_text},
    {"matmul_epilogue", matmul_epilogue_text, sizeof matmul_epilogue_text},
    {"matmul_tiled", matmul_tiled_text, sizeof matmul_tiled_text},
    {"matmul_skinny", matmul_skinny_text, sizeof matmul_skinny_text},
    {"attention_common", attention_common_text, sizeof attention_common_text},
    {"attention_blocks", attention_blocks_text, sizeof attention_blocks_text},
    {"attention", attention_text, sizeof attention_text},
    {"attention_backward", attention_backward_text, sizeof attention_backward_text},
    {"attention_decode", attention_decode_text, sizeof attention_decode_text},
    {"attention_rules", attention_rules_text, sizeof attention_rules_text},
    {"attention_products", attention_products_text, sizeof attention_products_text},
    {"attention_tiles", attention_tiles_text, sizeof attention_tiles_text},
    {"attention_online", attention_online_text, sizeof attention_online_text},
    {"attention_tiled", attention_tiled_text, sizeof attention_tiled_text},
    {"attention_tiled_decode", attention_tiled_decode_text, sizeof attention_tiled_decode_text},
    {"attention_tiled_backward", attention_tiled_backward_text, sizeof attention_tiled_backward_text},
    {"attention_tiled_terms", attention_tiled_terms_text, sizeof attention_tiled_terms_text},
    {"chunk", chunk_text, sizeof chunk_text},
    {"chunk_tiles", chunk_tiles_text, sizeof chunk_tiles_text},
    {"chunk_tiled", chunk_tiled_text, sizeof chunk_tiled_text},
    {"decays", decays_text, sizeof decays_text},
    {"scalar_gate", scalar_gate_text, sizeof scalar_gate_text},
    {"scalar_gate_backward", scalar_gate_backward_text, sizeof scalar_gate_backward_text},
    {"delta_solve", delta_solve_text, sizeof delta_solve_text},
    {"delta_tiled", delta_tiled_text, sizeof delta_tiled_text},
    {"delta_rule", delta_rule_text, sizeof delta_rule_text},
    {"delta_rule_backward", delta_rule_backward_text, sizeof delta_rule_backward_text},
    {"blocks", blocks_text, sizeof blocks_text},
    {"vector_gate_tiled", vector_gate_tiled_text, sizeof vector_gate_tiled_text},
    {"vector_gate", vector_gate_text, sizeof vector_gate_text},
    {"vector_gate_backward", vector_gate_backward_text, sizeof vector_gate_backward_text},
    {"rwkv7_block", rwkv7_block_text, sizeof rwkv7_block_text},
    {"rwkv7", rwkv7_text, sizeof rwkv7_text},
    {"rwkv7_sweep", rwkv7_sweep_text, sizeof rwkv7_sweep_text},
    {"rwkv7_backward", rwkv7_backward_text, sizeof rwkv7_backward_text},
    {"row_products", row_products_text, sizeof row_products_text},
    {"norm", norm_text, sizeof norm_text},
    {"rope", rope_text, sizeof rope_text},
    {"bfloat16", bfloat16_text, sizeof bfloat16_text},
    {"dynamic_blocks", dynamic_blocks_text, sizeof dynamic_blocks_text},
    {"unpack_blocks", unpack_blocks_text, sizeof unpack_blocks_text},
    {"uniform", uniform_text, sizeof uniform_text},
    {"dropout", dropout_text, sizeof dropout_text},
    {"embedding", embedding_text, sizeof embedding_text},
    {"cross_entropy", cross_entropy_text, sizeof cross_entropy_text},
    {"reduce", reduce_text, sizeof reduce_text},
    {"columns", columns_text, sizeof columns_text},
    {"rows", rows_text, sizeof rows_text},
    {"causal_conv1d_common", causal_conv1d_common_text, sizeof causal_conv1d_common_text},
    {"causal_conv1d", causal_conv1d_text, sizeof causal_conv1d_text},
    {"causal_conv1d_backward", causal_conv1d_backward_text, sizeof causal_conv1d_backward_text},
    {"l2_normalize", l2_normalize_text, sizeof l2_normalize_text},
    {"gated_rms_norm", gated_rms_norm_text, sizeof gated_rms_norm_text},
    {"softmax", softmax_text, sizeof softmax_text},
    {"hedgehog", hedgehog_text, sizeof hedgehog_text},
    {"block_numbers", block_numbers_text, sizeof block_numbers_text},
    {"swap_axes", swap_axes_text, sizeof swap_axes_text},
    {"fetch", fetch_text, sizeof fetch_text},
    {"channels", channels_text, sizeof channels_text},
    {"s4d_common", s4d_common_text, sizeof s4d_common_text},
    {"s4d_backward", s4d_backward_text, sizeof s4d_backward_text},
    {"s4d", s4d_text, sizeof s4d_text},
    {"long_convolution", long_convolution_text, sizeof long_convolution_text},
    {"formats", formats_text, sizeof formats_text},
    {"format_codes", format_codes_text, sizeof format_codes_text},
    {"quantize_elements", quantize_elements_text, sizeof quantize_elements_text},
    {"quantize_gradient", quantize_gradient_text, sizeof quantize_gradient_text},
    {"quantize_runs", quantize_runs_text, sizeof quantize_runs_text},
    {"quantize_search", quantize_search_text, sizeof quantize_search_text},
    {"quantize_rotation", quantize_rotation_text, sizeof quantize_rotation_text},
    {"quantize_scales", quantize_scales_text, sizeof quantize_scales_text},
    {"quantize", quantize_text, sizeof quantize_text},
    {"roof", roof_text, sizeof roof_text},
};

static int is_inside(long index) { return index >= 0 && index < nibble_kernel_source_count(); }

long nibble_kernel_source_count(void) { return sizeof sources / sizeof sources[0]; }
const char *nibble_kernel_source_name(long index) { return is_inside(index) ? sources[index].name : NULL; }
const char *nibble_kernel_source_text(long index) { return is_inside(index) ? sources[index].text : NULL; }
long nibble_kernel_source_length(long index) { return is_inside(index) ? sources[index].length : 0; }

// Shipped results of `nibble tune`.
static const char tuning_text[] = {
#embed "../../kernels/tuning.json"
};

const char *nibble_tuning_text(void) { return tuning_text; }
long nibble_tuning_length(void) { return sizeof tuning_text; }
