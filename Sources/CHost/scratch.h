// Working memory of the calling thread, kept from call to call.
#ifndef NIBBLE_SCRATCH_H
#define NIBBLE_SCRATCH_H

// At least `count` floats, aligned to a cache line; valid until the thread's next call.
float *nibble_scratch(long count);

#endif
