// The OpenCL C sources of kernels/, embedded in the program.
#ifndef NIBBLE_KERNEL_SOURCES_H
#define NIBBLE_KERNEL_SOURCES_H

#include <stddef.h>

/// Number of embedded sources.
long nibble_kernel_source_count(void);
/// The family's name (file name without .cl); NULL for an index outside.
const char *_Nullable nibble_kernel_source_name(long index);
/// The text, not terminated; NULL for an index outside.
const char *_Nullable nibble_kernel_source_text(long index);
/// Length of the text in bytes.
long nibble_kernel_source_length(long index);

/// The shipped tuning database (kernels/tuning.json), JSON, not terminated.
const char *_Nonnull nibble_tuning_text(void);
/// Length of the text in bytes.
long nibble_tuning_length(void);

#endif
