// s4d_common.cl - what the kernels of diagonal state spaces share: their layout in memory, and the walk over tokens
//
// Included by s4d.cl and s4d_backward.cl. Numbers of a state are kept for a block of GROUP_CHANNELS channels side by
// side, real part first. States are padded to an even number with zeros, since two of them are worked on at once.

#ifndef S4D_COMMON_CL
#define S4D_COMMON_CL

#include "channels.cl"

#ifndef TILE
#define TILE 64 // tokens that are walked one state after the other
#endif

#define PADDED_STATES(states) (((states) + 1) / 2 * 2)
#define AT(p, number) LOAD_CHANNELS((p) + (size_t)(number) * GROUP_CHANNELS)
#define PUT(value, p, number) STORE_CHANNELS(value, (p) + (size_t)(number) * GROUP_CHANNELS)

// Numbers of the discretized system per state: E - 1, F and 2 C.
#define SYSTEM 6

// Which channels of which sequence a work-item has.
typedef struct {
  int sequence, block, channel, lanes; // `lanes` channels from `channel` on; none behind the last
} Place;

static inline Place place_of(int channels) {
  const int across = (channels + GROUP_CHANNELS - 1) / GROUP_CHANNELS, group = (int)get_group_id(0);
  Place place;
  place.sequence = group / across;
  place.block = group % across;
  place.channel = place.block * GROUP_CHANNELS + CHANNEL_LANE * WIDE;
  place.lanes = max(0, min(WIDE, channels - place.channel));
  return place;
}

// Whether the state is 0 in front of token t: its document is another than its predecessor's.
static inline int starts_document(const global int *documents, int t) {
  return documents && t > 0 && documents[t] != documents[t - 1];
}

// The first token behind t that starts a document, at most `end`.
static inline int document_end(const global int *documents, int t, int end) {
  if (!documents) return end;
  for (t++; t < end && !starts_document(documents, t);) t++;
  return t;
}

// One part of the states [channels, states] in memory to x, zeros without `from`; and back.
static inline void load_states(global float *x, int part, const global float *from, int lanes, int states) {
  for (int n = 0; n < PADDED_STATES(states); n++)
    for (int k = 0; k < WIDE; k++)
      x[(2 * n + part) * GROUP_CHANNELS + k] = from && k < lanes && n < states ? from[(size_t)k * states + n] : 0.0f;
}

static inline void store_states(const global float *x, int part, global float *to, int lanes, int states) {
  for (int n = 0; to && n < states; n++)
    for (int k = 0; k < lanes; k++) to[(size_t)k * states + n] = x[(2 * n + part) * GROUP_CHANNELS + k];
}

static inline void clear_states(global float *x, int states) {
  for (int i = 0; i < 2 * PADDED_STATES(states); i++) PUT((channels_t)(0.0f), x, i);
}

// sum_j z^j / (j! (j + offset)) for |z| <= 1/2: (exp(z) - 1) / z for offset 1, its slope for 2.
static inline void exponential_series(float zr, float zi, int offset, float *real, float *imaginary) {
  float tr = 1.0f, ti = 0.0f, sr = 1.0f / offset, si = 0.0f;
  for (int j = 1; j < 10; j++) {
    const float next = (tr * zr - ti * zi) / j;
    ti = (tr * zi + ti * zr) / j;
    tr = next;
    sr += tr / (j + offset);
    si += ti / (j + offset);
  }
  *real = sr;
  *imaginary = si;
}

// x = E x + F u, from E - 1: where E is near 1, the rounding of E itself would grow with every step.
#define ADVANCE(er, ei, fr, fi, xr, xi, u) \
  { \
    const channels_t next = FMA(er, xr, fr * (u)) + FMA(-ei, xi, xr); \
    xi = FMA(er, xi, fi * (u)) + FMA(ei, xr, xi); \
    xr = next; \
  }

// Walks all states at x over `rows` inputs; adds 2 Re(C x) to out where there is one.
static inline void advance(const global float *system, global float *x, const channels_t *in, channels_t *out, int rows,
                           int states) {
  for (int n = 0; n < states; n += 2) {
    const channels_t er = AT(system, 0), ei = AT(system, 1), fr = AT(system, 2), fi = AT(system, 3);
    const channels_t cr = AT(system, 4), ci = AT(system, 5);
    const channels_t er2 = AT(system, 6), ei2 = AT(system, 7), fr2 = AT(system, 8), fi2 = AT(system, 9);
    const channels_t cr2 = AT(system, 10), ci2 = AT(system, 11);
    channels_t xr = AT(x, 0), xi = AT(x, 1), xr2 = AT(x, 2), xi2 = AT(x, 3);
    for (int t = 0; t < rows; t++) {
      const channels_t u = in[t];
      ADVANCE(er, ei, fr, fi, xr, xi, u)
      ADVANCE(er2, ei2, fr2, fi2, xr2, xi2, u)
      if (out) out[t] += FMA(cr, xr, -ci * xi) + FMA(cr2, xr2, -ci2 * xi2);
    }
    PUT(xr, x, 0);
    PUT(xi, x, 1);
    PUT(xr2, x, 2);
    PUT(xi2, x, 3);
    system += 2 * SYSTEM * GROUP_CHANNELS;
    x += 4 * GROUP_CHANNELS;
  }
}

#endif
