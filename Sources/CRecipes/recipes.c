#include "CRecipes.h"

#include <stddef.h>

// A recipe is two lines here: its text and its row of the table.
static const char fp8_hybrid[] = {
#embed "../../recipes/fp8-hybrid.yaml"
};
static const char fp8_delayed[] = {
#embed "../../recipes/fp8-delayed.yaml"
};
static const char fp8_block[] = {
#embed "../../recipes/fp8-block.yaml"
};
static const char mxfp8[] = {
#embed "../../recipes/mxfp8.yaml"
};
static const char mxfp6[] = {
#embed "../../recipes/mxfp6.yaml"
};
static const char mxfp4[] = {
#embed "../../recipes/mxfp4.yaml"
};
static const char mxfp4_hadamard_sr[] = {
#embed "../../recipes/mxfp4-hadamard-sr.yaml"
};
static const char nvfp4[] = {
#embed "../../recipes/nvfp4.yaml"
};
static const char ue5m3_fp4[] = {
#embed "../../recipes/ue5m3-fp4.yaml"
};
static const char int8[] = {
#embed "../../recipes/int8.yaml"
};
static const char int4[] = {
#embed "../../recipes/int4.yaml"
};
static const char qat_int4[] = {
#embed "../../recipes/qat-int4.yaml"
};
static const char qat_int2[] = {
#embed "../../recipes/qat-int2.yaml"
};
static const char bf16[] = {
#embed "../../recipes/bf16.yaml"
};

static const struct {
  const char *name, *text;
  long length;
} recipes[] = {
    {"bf16", bf16, sizeof bf16},
    {"fp8-hybrid", fp8_hybrid, sizeof fp8_hybrid},
    {"fp8-delayed", fp8_delayed, sizeof fp8_delayed},
    {"fp8-block", fp8_block, sizeof fp8_block},
    {"mxfp8", mxfp8, sizeof mxfp8},
    {"mxfp6", mxfp6, sizeof mxfp6},
    {"mxfp4", mxfp4, sizeof mxfp4},
    {"mxfp4-hadamard-sr", mxfp4_hadamard_sr, sizeof mxfp4_hadamard_sr},
    {"nvfp4", nvfp4, sizeof nvfp4},
    {"ue5m3-fp4", ue5m3_fp4, sizeof ue5m3_fp4},
    {"int8", int8, sizeof int8},
    {"int4", int4, sizeof int4},
    {"qat-int4", qat_int4, sizeof qat_int4},
    {"qat-int2", qat_int2, sizeof qat_int2},
};

static int is_inside(long index) { return index >= 0 && index < nibble_recipe_count(); }

long nibble_recipe_count(void) { return sizeof recipes / sizeof recipes[0]; }
const char *nibble_recipe_name(long index) { return is_inside(index) ? recipes[index].name : NULL; }
const char *nibble_recipe_text(long index) { return is_inside(index) ? recipes[index].text : NULL; }
long nibble_recipe_length(long index) { return is_inside(index) ? recipes[index].length : 0; }
