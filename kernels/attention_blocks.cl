// attention_blocks.cl - a block of query rows against a block of keys: who visits what, masks and biases
//
// Included by attention.cl and attention_backward.cl. OpenCL C 1.2 core only.

#include "attention_common.cl"

// -------------------------------------------------------------------------------------------- rows and keys

// One strip of query rows and the range of the current key block it visits, in steps of TILE keys.
typedef struct {
  int row; // first row
  int last_row; // last row that exists
  int from, to; // keys to visit, relative to the block
} Strip;

static inline Strip make_strip(Reach reach, int row, int key0, int keys) {
  Strip strip;
  strip.row = row;
  strip.last_row = min(row + STRIP, reach.query_time) - 1;
  strip.from = max(first_key(reach, row) - key0, 0) / TILE * TILE;
  strip.to = WHOLE(max(min(last_key(reach, strip.last_row) - key0 + 1, keys), 0), TILE);
  return strip;
}

#if DOCUMENTS
// The document of each row of a strip (rows without one, and rows past the end, repeat the last row's).
static inline int2 load_row_documents(global const int *documents, Reach reach, int row, int *target) {
  int lowest = INT_MAX, highest = INT_MIN;
  for (int r = 0; r < STRIP; ++r) {
    const int position = max(min(row + r, reach.query_time - 1) + reach.offset, 0);
    const int document = documents[position];
    target[r] = document;
    lowest = min(lowest, document);
    highest = max(highest, document);
  }
  return (int2)(lowest, highest);
}

static inline int2 document_range(global const int *documents, int keys) {
  int lowest = documents[0], highest = documents[0];
  for (int j = 1; j < keys; ++j) {
    lowest = min(lowest, documents[j]);
    highest = max(highest, documents[j]);
  }
  return (int2)(lowest, highest);
}
#endif

#if MASK
// 0: the mask allows nothing between the strip and these keys; 1: some; 2: everything.
static inline int mask_coverage(global const uchar *mask, Reach reach, Strip strip, int key0) {
  const int begin = key0 + strip.from, end = min(key0 + strip.to, reach.key_time);
  int some = 0, all_of_them = 1;
  for (int row = strip.row; row <= strip.last_row; ++row) {
    global const uchar *line = mask + (size_t)row * (size_t)reach.key_time;
    for (int j = begin; j < end; ++j) {
      const int allowed = line[j] != 0;
      some |= allowed;
      all_of_them &= allowed;
    }
  }
  return some + (some & all_of_them);
}
#endif

// ------------------------------------------------------------------------------------------- a block of keys

// Keys and values of one key head, and what makes scores with them.
typedef struct {
  global const float *k, *v;
  size_t k_stride, v_stride;
  Reach reach;
  float softcap, slope;
  global const int *documents; // of the sequence
  global const uchar *mask;
} Keys;

static inline Keys keys_of_head(
    global const float *k, global const float *v, global const int *documents, global const uchar *mask,
    Reach reach, size_t batch, int key_head, int key_heads, float softcap, float slope) {
  Keys keys;
  keys.k_stride = (size_t)key_heads * D;
  keys.v_stride = (size_t)key_heads * DV;
  keys.k = k + batch * reach.key_time * keys.k_stride + (size_t)key_head * D;
  keys.v = v + batch * reach.key_time * keys.v_stride + (size_t)key_head * DV;
  keys.reach = reach;
  keys.softcap = softcap;
  keys.slope = slope;
  keys.documents = DOCUMENTS ? documents + batch * reach.key_time : documents;
  keys.mask = mask;
  return keys;
}

// A block of keys and values that lies in private memory, once a strip asks for it.
typedef struct {
  int key0, count;
  int2 documents; // the least and the greatest
  int is_loaded;
} KeyBlock;

static inline KeyBlock make_key_block(const Keys *from, int key0, int count) {
  KeyBlock block;
  block.key0 = key0;
  block.count = count;
  block.is_loaded = 0;
#if DOCUMENTS
  block.documents = document_range(from->documents + key0, count);
#endif
  return block;
}

static inline void load_key_block(const Keys *from, KeyBlock *block, float *keys, float *values) {
  if (block->is_loaded) {
    return;
  }
  const int padded = WHOLE(block->count, TILE);
  copy_rows(
      from->k + (size_t)block->key0 * from->k_stride, from->k_stride, block->count, padded, D, 1.0f, keys,
      STRIDE_D);
  copy_rows(
      from->v + (size_t)block->key0 * from->v_stride, from->v_stride, block->count, padded, DV, 1.0f, values,
      STRIDE_DV);
  block->is_loaded = 1;
}

// What documents and mask leave of the scores between a strip and a block of keys.
typedef struct {
  int any; // 0: nothing
  int test_documents, test_mask; // whether they decide key by key
} Visit;

static inline Visit make_visit(const Keys *keys, const KeyBlock *block, Strip strip, int2 strip_documents) {
  Visit visit;
  visit.any = 1;
  visit.test_documents = 0;
  visit.test_mask = 0;
#if DOCUMENTS
  visit.any = block->documents.y >= strip_documents.x && block->documents.x <= strip_documents.y;
  visit.test_documents =
      block->documents.x != strip_documents.y || block->documents.y != strip_documents.x;
#endif
#if MASK
  const int coverage = visit.any ? mask_coverage(keys->mask, keys->reach, strip, block->key0) : 0;
  visit.any = coverage != 0;
  visit.test_mask = coverage == 1;
#endif
  return visit;
}

// The documents of strip t of a block of rows, where there are documents.
#if DOCUMENTS
#define STRIP_DOCUMENTS(BLOCK, T) (BLOCK)->strip_documents[T]
#define ROW_DOCUMENTS(BLOCK, T) ((BLOCK)->documents + (T) * STRIP)
#else
#define STRIP_DOCUMENTS(BLOCK, T) (int2)(0)
#define ROW_DOCUMENTS(BLOCK, T) 0
#endif

// c [key][row] = the rows of a strip [width][STRIP] times the keys (or values) that it visits.
static inline void strip_scores(
    Strip strip, const float *keys, int keys_stride, const float *rows, int width, float *c, int c_stride) {
  for (int j = strip.from; j < strip.to; j += TILE) {
    tile_scores(keys + j * keys_stride, keys_stride, rows, width, c + j * c_stride, c_stride);
  }
}

// Soft cap and position bias. With SOFTCAP the derivative of the cap goes to cap_slopes unless that is null.
static inline void cap_and_bias(
    float *scores, int stride, float *cap_slopes, const Keys *keys, Strip strip, int key0) {
#if SOFTCAP || ALIBI
  for (int j = strip.from; j < strip.to; ++j) {
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      float *s = scores + j * stride + VECTOR * n;
      vector x = VECTOR_AT(s, 0);
#if SOFTCAP
      const vector t = tanh_of_scaled(x);
      if (cap_slopes != 0) {
        VECTOR_AT(cap_slopes + j * STRIP + VECTOR * n, 0) = 1.0f - t * t;
      }
      x = t * (keys->softcap * LOG2_E);
#endif
#if ALIBI
      const int_vector position = strip.row + keys->reach.offset + VECTOR * n + LANE_NUMBERS;
      x -= keys->slope * CONVERT_VECTOR(abs(position - (key0 + j)));
#endif
      VECTOR_AT(s, 0) = x;
    }
  }
#endif
}

static inline void mask_outside_reach(
    float *scores, int stride, int from, int to, int key0, const int_vector *first, const int_vector *last) {
  for (int j = from; j < to; ++j) {
    const int_vector key = (int_vector)(key0 + j);
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      float *s = scores + j * stride + VECTOR * n;
      const int_vector outside = (key < first[n]) | (key > last[n]);
      VECTOR_AT(s, 0) = outside ? (vector)(MASKED) : VECTOR_AT(s, 0);
    }
  }
}

// Only keys at an edge of the reach are tested one by one.
static inline void mask_edges(float *scores, int stride, Reach reach, Strip strip, int key0) {
  const int open_from = clamp(first_key(reach, strip.last_row) - key0, strip.from, strip.to);
  const int open_to = clamp(last_key(reach, strip.row) + 1 - key0, open_from, strip.to);
  if (open_from == strip.from && open_to == strip.to) {
    return;
  }
  int_vector first[STRIP_VECTORS], last[STRIP_VECTORS];
  for (int n = 0; n < STRIP_VECTORS; ++n) {
    const int_vector row = min(strip.row + VECTOR * n + LANE_NUMBERS, (int_vector)(strip.last_row));
    const int_vector position = row + reach.offset;
    first[n] = position - reach.left;
    last[n] = min(position + reach.right, (int_vector)(reach.key_time - 1));
#if DOCUMENTS
    last[n] = (position < 0) ? (int_vector)(-1) : last[n];
#endif
  }
  mask_outside_reach(scores, stride, strip.from, open_from, key0, first, last);
  mask_outside_reach(scores, stride, open_to, strip.to, key0, first, last);
}

// Raw scores [key][row] -> soft cap, position bias, masks.
static inline void shape_scores(
    float *scores, int stride, float *cap_slopes, const Keys *keys, Strip strip, int key0, Visit visit,
    const int *row_documents) {
  cap_and_bias(scores, stride, cap_slopes, keys, strip, key0);
  mask_edges(scores, stride, keys->reach, strip, key0);
#if DOCUMENTS
  const int documents_end = visit.test_documents ? min(strip.to, keys->reach.key_time - key0) : 0;
  for (int j = strip.from; j < documents_end; ++j) {
    const int_vector document = (int_vector)(keys->documents[key0 + j]);
    for (int n = 0; n < STRIP_VECTORS; ++n) {
      float *s = scores + j * stride + VECTOR * n;
      VECTOR_AT(s, 0) = (LOAD_VECTOR(n, row_documents) != document) ? (vector)(MASKED) : VECTOR_AT(s, 0);
    }
  }
#endif
#if MASK
  for (int row = strip.row; visit.test_mask && row <= strip.last_row; ++row) {
    global const uchar *line = keys->mask + (size_t)row * (size_t)keys->reach.key_time;
    float *s = scores + (row - strip.row);
    for (int j = strip.from; j < min(strip.to, keys->reach.key_time - key0); ++j) {
      s[j * stride] = (line[key0 + j] != 0) ? s[j * stride] : MASKED;
    }
  }
#endif
}
