// channels.cl - neighbouring channels side by side: in the lanes of a vector, or in the work-items of a group
//
// Included by families whose channels do not touch each other (s4d_common.cl, long_convolution.cl), and compiled as C
// for the host (CHost/mixers_variant.h). On processors a work-item has WIDE channels in one vector; elsewhere every
// work-item of LANES has one, and neighbours read neighbouring addresses.

#ifndef CHANNELS_CL
#define CHANNELS_CL

#ifndef LANES
#define LANES 1 // work-items per group: 1 on processors
#endif

#ifdef HOST_C
#define CHANNEL_GROUP
#define CHANNEL_LANE 0
#else
#define CHANNEL_GROUP __attribute__((reqd_work_group_size(LANES, 1, 1)))
#define CHANNEL_LANE (int)get_local_id(0)
#endif

#ifdef HOST_C
#define WIDE VECTOR
#else
#define FMA(a, b, c) fma(a, b, c)
#ifndef WIDE
#define WIDE 16 // channels per work-item: 16 or 8 on processors, else 1
#endif
#endif

#if WIDE == 16
typedef float16 channels_t;
#define LOAD_CHANNELS(p) vload16(0, p)
#define STORE_CHANNELS(value, p) vstore16(value, 0, p)
#elif WIDE == 8
typedef float8 channels_t;
#define LOAD_CHANNELS(p) vload8(0, p)
#define STORE_CHANNELS(value, p) vstore8(value, 0, p)
#elif WIDE == 4
typedef float4 channels_t;
#define LOAD_CHANNELS(p) vload4(0, p)
#define STORE_CHANNELS(value, p) vstore4(value, 0, p)
#else
typedef float channels_t;
#define LOAD_CHANNELS(p) (*(p))
#define STORE_CHANNELS(value, p) (*(p) = (value))
#endif

// Channels of a work-group, which are also the floats between two slots of its scratch memory.
#define GROUP_CHANNELS (LANES * WIDE)

// The first `count` channels at p, zeros behind them.
static inline channels_t load_channels(const global float *p, int count) {
  if (count >= WIDE) return LOAD_CHANNELS(p);
#if WIDE > 1
  float part[WIDE];
  for (int k = 0; k < WIDE; k++) part[k] = k < count ? p[k] : 0.0f;
  return LOAD_CHANNELS(part);
#else
  return 0.0f;
#endif
}

static inline void store_channels(channels_t value, global float *p, int count) {
  if (count >= WIDE) {
    STORE_CHANNELS(value, p);
    return;
  }
#if WIDE > 1
  float part[WIDE];
  STORE_CHANNELS(value, part);
  for (int k = 0; k < count; k++) p[k] = part[k];
#endif
}

#endif
