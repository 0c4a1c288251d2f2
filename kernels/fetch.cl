// fetch.cl - asks for a cache line in front of its use, a hint
//
// PoCL's prefetch() does nothing, but its compiler has a builtin that does.

#ifndef FETCH
#ifdef POCL_DEVICE_ADDRESS_BITS
#define FETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define FETCH(address) prefetch(address, 16)
#endif
#endif
