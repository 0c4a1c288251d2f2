// attention_rules.cl - what a score is and who sees whom: shared by all attention kernels
//
// Included by attention_common.cl (processors) and attention_tiles.cl (graphics). OpenCL C 1.2 core only.
//
//   s_ij = scale q_i.k_j; SOFTCAP: c tanh(s/c); ALIBI: - slope_h |p_i - j|; then the masks; p_i = i + Tk - Tq
//
// Scores are in units of log 2; a masked score is -1e30. Never build with -cl-fast-relaxed-math, which makes
// the comparisons with it undefined.

#ifndef D
#define D 64               // width of a query and key head, multiple of 4
#endif
#ifndef DV
#define DV D               // width of a value head, multiple of 4
#endif
#if D > DV
#define WIDEST D
#else
#define WIDEST DV
#endif

#ifndef SOFTCAP
#define SOFTCAP 0          // 1: scores pass through softcap * tanh(s / softcap)
#endif
#ifndef ALIBI
#define ALIBI 0            // 1: slopes [Hq] are given
#endif
#ifndef SINKS
#define SINKS 0            // 1: sinks [Hq] are given
#endif
#ifndef DOCUMENTS
#define DOCUMENTS 0        // 1: documents [B, Tk] are given
#endif
#ifndef MASK
#define MASK 0             // 1: mask [Tq, Tk] is given
#endif
#ifndef ENTROPY
#define ENTROPY 0          // 1: the entropy of every row is written
#endif

#define MASKED (-1.0e30f)
#define LOG2_E 1.4426950408889634f
#define LN_2 0.6931471805599453f

// What a row may see before documents and mask: keys position - left ... position + right, within 0 ...
// key_time - 1.
typedef struct {
  int query_time, key_time, offset, left, right;
} Reach;

static inline Reach make_reach(int query_time, int key_time, int causal, int window_left, int window_right) {
  const int unlimited = query_time + key_time;
  Reach reach;
  reach.query_time = query_time;
  reach.key_time = key_time;
  reach.offset = key_time - query_time;
  reach.left = (window_left < 0 || window_left > unlimited) ? unlimited : window_left;
  reach.right = (window_right < 0 || window_right > unlimited) ? unlimited : window_right;
  reach.right = (causal && reach.right > 0) ? 0 : reach.right;
  return reach;
}

// Rows are numbered within the sequence; a row without a position has no document and sees nothing.
static inline int first_key(Reach reach, int row) { return max(row + reach.offset - reach.left, 0); }

static inline int last_key(Reach reach, int row) {
  const int position = row + reach.offset;
#if DOCUMENTS
  if (position < 0) {
    return -1;
  }
#endif
  return min(position + reach.right, reach.key_time - 1);
}

// Queries are multiplied by this when packed: scores come out in units of log 2 (or, capped, as 2 s /
// (softcap ln 2)).
static inline float score_factor(float scale, float softcap) {
#if SOFTCAP
  return scale * (2.0f * LOG2_E / softcap);
#else
  return scale * LOG2_E;
#endif
}

// One score from what q.k times score_factor() gave; with SOFTCAP the cap's derivative goes to cap_slope.
static inline float shape_score(float x, int distance, float softcap, float slope, float *cap_slope) {
#if SOFTCAP
  const float e = exp2(-fabs(x));
  const float t = copysign((1.0f - e) / (1.0f + e), x);
  *cap_slope = 1.0f - t * t;
  x = t * (softcap * LOG2_E);
#endif
#if ALIBI
  x -= slope * (float)distance;
#endif
  return x;
}

// Whether a row sees a key; rows past the end see nothing.
static inline int sees(
    Reach reach, int row, int key, global const int *documents, global const uchar *mask) {
  int seen = row < reach.query_time && key >= first_key(reach, row) && key <= last_key(reach, row);
#if DOCUMENTS
  if (seen) {
    seen = documents[row + reach.offset] == documents[key];
  }
#endif
#if MASK
  if (seen) {
    seen = mask[(size_t)row * (size_t)reach.key_time + key] != 0;
  }
#endif
  return seen;
}

// The log-sum-exp in units of log 2; a row without keys gets P = 0 everywhere.
static inline float log_of_row(float lse) { return (lse < -1.0e29f) ? -MASKED : lse * LOG2_E; }
