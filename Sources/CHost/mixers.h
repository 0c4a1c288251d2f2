// What the variants of the mixers' kernels share.
#ifndef NIBBLE_MIXERS_H
#define NIBBLE_MIXERS_H

extern _Thread_local unsigned long nibble_group;

#endif
