// The recipes of recipes/, embedded in the program.
#ifndef NIBBLE_RECIPES_H
#define NIBBLE_RECIPES_H

/// Number of recipes.
long nibble_recipe_count(void);
/// The file's name without .yaml; NULL for an index outside.
const char *_Nullable nibble_recipe_name(long index);
/// The YAML, not terminated; NULL for an index outside.
const char *_Nullable nibble_recipe_text(long index);
/// Length of the text in bytes.
long nibble_recipe_length(long index);

#endif
