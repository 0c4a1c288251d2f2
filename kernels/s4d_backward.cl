// s4d_backward.cl - all gradients of diagonal state spaces (s4d.cl)
//
//   s4d_backward   u, dy [B, T, H], documents [B, T], system, d [H], initial states, d(final states) [B, H, N]
//                  -> du [B, T, H], d(initial states) [B, H, N], sums (dE, dF, dC of every state and dd, per sequence)
//   s4d_finish     log_dt [H], log_a_real, a_imag [H, N], system, sums
//                  -> dlog_dt, dd [H], dlog_a_real, da_imag, dc_real, dc_imag [H, N]
//
//   l_t = conj(E) l_{t+1} + 2 conj(C) dy_t;   du_t = Re sum_n conj(F) l_t + d dy_t;   dx_0 = conj(E) l_1
//   dC = sum 2 conj(x_t) dy_t;  dE = sum l_t conj(x_{t-1});  dF = sum l_t u_t    (dL = Re(conj(dz) dz'))
//
// s4d_backward first walks forward and keeps the states in front of every tile; those within a tile are made again.
// Swift: Operations/S4DGradient*.swift

#include "s4d_common.cl"

// One state over `rows` tokens from the state `before` them, 0 without. Adds to du and to the state's sums; `behind` is
// conj(E) l of the token behind them, and becomes that of the first one.
static inline void state_backward(const global float *system, const global float *before, global float *behind,
                                  global float *sums, const channels_t *in, const channels_t *dy, channels_t *du,
                                  int rows) {
  const channels_t er = AT(system, 0), ei = AT(system, 1), fr = AT(system, 2), fi = AT(system, 3);
  const channels_t cr = AT(system, 4), ci = AT(system, 5);
  channels_t xr[TILE + 1], xi[TILE + 1];
  channels_t real = (channels_t)(0.0f), imag = real;
  if (before) {
    real = AT(before, 0);
    imag = AT(before, 1);
  }
  for (int t = 0; t < rows; t++) {
    xr[t] = real;
    xi[t] = imag;
    ADVANCE(er, ei, fr, fi, real, imag, in[t])
  }
  xr[rows] = real;
  xi[rows] = imag;
  channels_t br = AT(behind, 0), bi = AT(behind, 1), der = AT(sums, 0), dei = AT(sums, 1);
  channels_t dfr = AT(sums, 2), dfi = AT(sums, 3), dcr = AT(sums, 4), dci = AT(sums, 5);
  for (int t = rows - 1; t >= 0; t--) {
    const channels_t lr = FMA(cr, dy[t], br), li = FMA(-ci, dy[t], bi);
    du[t] += FMA(fr, lr, fi * li);
    dcr = FMA(xr[t + 1], dy[t], dcr);
    dci = FMA(-xi[t + 1], dy[t], dci);
    der = FMA(li, xi[t], FMA(lr, xr[t], der));
    dei = FMA(-lr, xi[t], FMA(li, xr[t], dei));
    dfr = FMA(lr, in[t], dfr);
    dfi = FMA(li, in[t], dfi);
    br = FMA(er, lr, FMA(ei, li, lr));
    bi = FMA(er, li, FMA(-ei, lr, li));
  }
  PUT(br, behind, 0);
  PUT(bi, behind, 1);
  PUT(der, sums, 0);
  PUT(dei, sums, 1);
  PUT(dfr, sums, 2);
  PUT(dfi, sums, 3);
  PUT(dcr, sums, 4);
  PUT(dci, sums, 5);
}

// All states over at most TILE tokens of one document; addresses are those of the first one. Returns dd.
static inline channels_t tile_backward(const global float *system, const global float *before, global float *behind,
                                       global float *sums, const channels_t skip, const global float *u,
                                       const global float *dy, global float *du, int rows, int channels, int lanes,
                                       int states) {
  channels_t in[TILE], cotangent[TILE], out[TILE], sum = (channels_t)(0.0f);
  for (int t = 0; t < rows; t++) {
    in[t] = load_channels(u + (size_t)t * channels, lanes);
    cotangent[t] = load_channels(dy + (size_t)t * channels, lanes);
    out[t] = skip * cotangent[t];
    sum = FMA(in[t], cotangent[t], sum);
  }
  for (int n = 0; n < states; n++)
    state_backward(system + SYSTEM * n * GROUP_CHANNELS, before ? before + 2 * n * GROUP_CHANNELS : before,
                   behind + 2 * n * GROUP_CHANNELS, sums + SYSTEM * n * GROUP_CHANNELS, in, cotangent, out, rows);
  for (int t = 0; t < rows; t++) store_channels(out[t], du + (size_t)t * channels, lanes);
  return sum;
}

// Walks forward from the states at x and keeps those in front of every tile at kept [tiles, N, 2].
static inline void keep_states(const global float *system, global float *x, global float *kept, const global float *u,
                               const global int *documents, int time, int channels, int lanes, int states) {
  const int count = 2 * PADDED_STATES(states);
  for (int first = 0; first < time; first += TILE) {
    for (int i = 0; i < count; i++) PUT(AT(x, i), kept, i);
    kept += (size_t)count * GROUP_CHANNELS;
    const int end = min(first + TILE, time);
    channels_t in[TILE];
    for (int t = first; t < end; t++) in[t - first] = load_channels(u + (size_t)t * channels, lanes);
    for (int t = first; t < end;) {
      const int next = document_end(documents, t, end);
      if (starts_document(documents, t)) clear_states(x, states);
      advance(system, x, in + (t - first), 0, next - t, states);
      t = next;
    }
  }
}

// Scratch: the states [N, 2], what comes from behind [N, 2], kept states [tiles, N, 2].
CHANNEL_GROUP kernel void s4d_backward(
    const global float *u, const global int *documents, const global float *system, const global float *d,
    const global float *initial_real, const global float *initial_imag, const global float *dy,
    const global float *dfinal_real, const global float *dfinal_imag, global float *du, global float *dinitial_real,
    global float *dinitial_imag, global float *sums, global float *scratch, int time, int channels, int states) {
  const Place at = place_of(channels);
  if (at.lanes == 0) return;
  const int padded = PADDED_STATES(states), lane = CHANNEL_LANE * WIDE, tiles = (time + TILE - 1) / TILE;
  const size_t start = (size_t)at.sequence * time * channels + at.channel;
  const size_t place = ((size_t)at.sequence * channels + at.channel) * states, group = get_group_id(0);
  const int stride = 2 * padded * GROUP_CHANNELS;
  global float *x = scratch + group * (size_t)stride * (2 + tiles) + lane, *behind = x + stride, *kept = behind + stride;
  sums += group * (SYSTEM * padded + 1) * GROUP_CHANNELS + lane;
  system += (size_t)at.block * SYSTEM * padded * GROUP_CHANNELS + lane;
  if (documents) documents += (size_t)at.sequence * time;
  load_states(x, 0, initial_real ? initial_real + place : initial_real, at.lanes, states);
  load_states(x, 1, initial_imag ? initial_imag + place : initial_imag, at.lanes, states);
  load_states(behind, 0, dfinal_real ? dfinal_real + place : dfinal_real, at.lanes, states);
  load_states(behind, 1, dfinal_imag ? dfinal_imag + place : dfinal_imag, at.lanes, states);
  for (int i = 0; i < SYSTEM * padded; i++) PUT((channels_t)(0.0f), sums, i);
  keep_states(system, x, kept, u + start, documents, time, channels, at.lanes, states);
  const channels_t skip = load_channels(d + at.channel, at.lanes);
  channels_t skip_gradient = (channels_t)(0.0f);
  for (int tile = tiles - 1; tile >= 0; tile--) {
    const int first = tile * TILE;
    for (int end = min(first + TILE, time), begin; end > first; end = begin) {
      begin = end - 1;
      while (begin > first && !starts_document(documents, begin)) begin--;
      const int resets = starts_document(documents, begin);
      const size_t row = start + (size_t)begin * channels;
      skip_gradient += tile_backward(system, resets ? 0 : kept + (size_t)stride * tile, behind, sums, skip, u + row,
                                     dy + row, du + row, end - begin, channels, at.lanes, states);
      if (resets) clear_states(behind, states);
    }
  }
  PUT(skip_gradient, sums, SYSTEM * padded);
  store_states(behind, 0, dinitial_real ? dinitial_real + place : dinitial_real, at.lanes, states);
  store_states(behind, 1, dinitial_imag ? dinitial_imag + place : dinitial_imag, at.lanes, states);
}

// p'(z) of p(z) = (exp(z) - 1) / z, from exp(z) - 1: its series where the quotient would cancel.
static inline void input_slope(float zr, float zi, float er, float ei, float *real, float *imaginary) {
  const float norm = zr * zr + zi * zi;
  if (norm >= 0.25f) {
    // exp(z) - p, divided by z
    const float pr = er + 1.0f - (er * zr + ei * zi) / norm, pi = ei - (ei * zr - er * zi) / norm;
    *real = (pr * zr + pi * zi) / norm;
    *imaginary = (pi * zr - pr * zi) / norm;
    return;
  }
  exponential_series(zr, zi, 2, real, imaginary);
}

// A group has a block of channels: adds up the sequences, and chains through E and F to the parameters.
CHANNEL_GROUP kernel void s4d_finish(
    const global float *log_dt, const global float *log_a_real, const global float *a_imag,
    const global float *system, const global float *sums, global float *dlog_dt, global float *dlog_a_real,
    global float *da_imag, global float *dc_real, global float *dc_imag, global float *dd, int batch, int channels,
    int states) {
  const Place at = place_of(channels);
  const int padded = PADDED_STATES(states), across = (channels + GROUP_CHANNELS - 1) / GROUP_CHANNELS;
  const size_t sequence = (size_t)across * (SYSTEM * padded + 1) * GROUP_CHANNELS;
  for (int k = 0; k < at.lanes; k++) {
    const int channel = at.channel + k, lane = CHANNEL_LANE * WIDE + k;
    const global float *own = sums + (size_t)at.block * (SYSTEM * padded + 1) * GROUP_CHANNELS + lane;
    const float dt = exp(log_dt[channel]);
    float total = 0.0f, skip = 0.0f;
    for (int b = 0; b < batch; b++) skip += own[b * sequence + SYSTEM * padded * GROUP_CHANNELS];
    for (int n = 0; n < states; n++) {
      const size_t place = (size_t)channel * states + n;
      const global float *e = system + ((size_t)at.block * padded + n) * SYSTEM * GROUP_CHANNELS + lane;
      const float a = -exp(log_a_real[place]), b = a_imag[place], er = e[0] + 1.0f, ei = e[GROUP_CHANNELS];
      float s[SYSTEM], wr, wi;
      for (int i = 0; i < SYSTEM; i++) {
        s[i] = 0.0f;
        for (int j = 0; j < batch; j++) s[i] += own[j * sequence + (SYSTEM * n + i) * GROUP_CHANNELS];
      }
      input_slope(dt * a, dt * b, e[0], ei, &wr, &wi);
      // dE conj(E) is the gradient of dt A; dF / dA = dt^2 p'(dt A); dF / d(dt) = E.
      const float zr = s[0] * er + s[1] * ei, zi = s[1] * er - s[0] * ei;
      total += zr * a + zi * b + s[2] * er + s[3] * ei;
      dlog_a_real[place] = a * dt * (zr + dt * (s[2] * wr + s[3] * wi));
      da_imag[place] = dt * (zi + dt * (s[3] * wr - s[2] * wi));
      dc_real[place] = 2.0f * s[4];
      dc_imag[place] = 2.0f * s[5];
    }
    dlog_dt[channel] = dt * total;
    dd[channel] = skip;
  }
}
