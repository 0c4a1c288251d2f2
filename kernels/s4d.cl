// s4d.cl - diagonal state spaces: every channel filters its input through N complex states
//
//   s4d_discretize  log_dt [H], log_a_real, a_imag, c_real, c_imag [H, N] -> system (E - 1, F, 2 C of every state)
//   s4d_forward     u [B, T, H], documents [B, T], system, d [H], initial states [B, H, N]
//                   -> y [B, T, H], final states [B, H, N]
//
//   A = -exp(log_a_real) + i a_imag;  dt = exp(log_dt);  E = exp(dt A);  F = (E - 1) / A  (zero-order hold)
//   x_t = E x_{t-1} + F u_t;   y_t = 2 Re sum_n C_n x_tn + d u_t
//
// A work-item walks down one sequence with its channels, TILE tokens at a time, one pair of states after the other.
// Powers of E are never formed, so that long phases keep their digits. With documents, the state is 0 in front of a
// token whose id differs from its predecessor's. Absent operands are null pointers. Paper: Gu et al. 2022.
// Swift: Operations/S4D*.swift

#include "s4d_common.cl"

// E - 1 without loss of digits where dt A is small.
static inline void exponential_minus_one(float a, float b, float *real, float *imaginary) {
  const float half_sine = sin(0.5f * b), rise = expm1(a);
  *real = rise - 2.0f * half_sine * half_sine * (rise + 1.0f);
  *imaginary = (rise + 1.0f) * sin(b);
}

// (exp(z) - 1) / z from exp(z) - 1: its series where the parts of the quotient would cancel.
static inline void input_factor(float zr, float zi, float er, float ei, float *real, float *imaginary) {
  const float norm = zr * zr + zi * zi;
  if (norm < 0.25f) {
    exponential_series(zr, zi, 1, real, imaginary);
    return;
  }
  *real = (er * zr + ei * zi) / norm;
  *imaginary = (ei * zr - er * zi) / norm;
}

// A group has one state of a block of channels.
CHANNEL_GROUP kernel void s4d_discretize(
    const global float *log_dt, const global float *log_a_real, const global float *a_imag,
    const global float *c_real, const global float *c_imag, global float *system, int channels, int states) {
  const int padded = PADDED_STATES(states), group = (int)get_group_id(0), n = group % padded;
  const int first = group / padded * GROUP_CHANNELS + CHANNEL_LANE * WIDE;
  global float *to = system + (size_t)group * SYSTEM * GROUP_CHANNELS + CHANNEL_LANE * WIDE;
  for (int k = 0; k < WIDE; k++) {
    float values[SYSTEM];
    for (int i = 0; i < SYSTEM; i++) values[i] = 0.0f;
    if (first + k < channels && n < states) {
      const size_t place = (size_t)(first + k) * states + n;
      const float dt = exp(log_dt[first + k]), a = -exp(log_a_real[place]), b = a_imag[place];
      float real, imaginary, factor_real, factor_imaginary;
      exponential_minus_one(dt * a, dt * b, &real, &imaginary);
      input_factor(dt * a, dt * b, real, imaginary, &factor_real, &factor_imaginary);
      values[0] = real;
      values[1] = imaginary;
      values[2] = dt * factor_real;
      values[3] = dt * factor_imaginary;
      values[4] = 2.0f * c_real[place];
      values[5] = 2.0f * c_imag[place];
    }
    for (int i = 0; i < SYSTEM; i++) to[i * GROUP_CHANNELS + k] = values[i];
  }
}

// Scratch: the states [N, 2].
CHANNEL_GROUP kernel void s4d_forward(
    const global float *u, const global int *documents, const global float *system, const global float *d,
    const global float *initial_real, const global float *initial_imag, global float *y, global float *final_real,
    global float *final_imag, global float *scratch, int time, int channels, int states) {
  const Place at = place_of(channels);
  if (at.lanes == 0) return;
  const int padded = PADDED_STATES(states), lane = CHANNEL_LANE * WIDE;
  const size_t start = (size_t)at.sequence * time * channels + at.channel;
  const size_t place = ((size_t)at.sequence * channels + at.channel) * states;
  global float *x = scratch + (size_t)get_group_id(0) * 2 * padded * GROUP_CHANNELS + lane;
  system += (size_t)at.block * SYSTEM * padded * GROUP_CHANNELS + lane;
  if (documents) documents += (size_t)at.sequence * time;
  load_states(x, 0, initial_real ? initial_real + place : initial_real, at.lanes, states);
  load_states(x, 1, initial_imag ? initial_imag + place : initial_imag, at.lanes, states);
  const channels_t skip = load_channels(d + at.channel, at.lanes);
  for (int first = 0; first < time;) {
    const int next = document_end(documents, first, min(first + TILE, time)), rows = next - first;
    channels_t in[TILE], out[TILE];
    if (starts_document(documents, first)) clear_states(x, states);
    for (int t = 0; t < rows; t++) {
      in[t] = load_channels(u + start + (size_t)(first + t) * channels, at.lanes);
      out[t] = skip * in[t];
    }
    advance(system, x, in, out, rows, states);
    for (int t = 0; t < rows; t++) store_channels(out[t], y + start + (size_t)(first + t) * channels, at.lanes);
    first = next;
  }
  store_states(x, 0, final_real + place, at.lanes, states);
  store_states(x, 1, final_imag + place, at.lanes, states);
}
