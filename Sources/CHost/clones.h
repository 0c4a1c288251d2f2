// VARIANTS compiles a function once per instruction set; the loader picks the best one for the processor.
#ifndef NIBBLE_CLONES_H
#define NIBBLE_CLONES_H

#if defined(__x86_64__) && defined(__linux__)
#define VARIANTS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VARIANTS
#endif

#endif
