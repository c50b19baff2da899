// What a call of attention is, as all of its kernels see it: windows of the operands and of the gradients, of any
// layout. attention.cu has the ops and what fits every call; kernels with tiles in shared memory are exact
// (attention_tiles.cu) or on tensor cores (attention_mma.cu).
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

/** A window [N, L, H, E] of any layout. */
template <class T>
struct Heads {
  T* data;
  int64_t n, row, head, step;
  explicit Heads(const View& v)
      : data(v.as<T>()), n(v.strides[0]), row(v.strides[1]), head(v.strides[2]), step(v.strides[3]) {}
  __device__ __forceinline__ T* at(int64_t batch, int64_t h, int64_t l) const {
    return data + batch * n + h * head + l * row;
  }
};

/** Numbers [N, H, L] or [N, H, L, S], or one for all. */
template <class T>
struct Scores {
  const T* data;
  int64_t n, h, l, s;
  explicit Scores(const View& v) : data(v.as<const T>()), n(0), h(0), l(0), s(0) {
    if (v.ndim == 0) return;
    n = v.strides[0], h = v.strides[1], l = v.strides[2];
    if (v.ndim > 3) s = v.strides[3];
  }
  __device__ __forceinline__ T get(int64_t batch, int64_t head, int64_t query, int64_t key = 0) const {
    return data[batch * n + head * h + query * l + key * s];
  }
};

/** A call: windows of the operands, and sizes. */
template <class T>
struct Attention {
  int64_t batch, heads, queries, keys, width, value_width;  // N, H, L, S, E, D
  Heads<const T> q, k, v;
  Scores<T> mask;
  T scale;
  bool causal;

  Attention(const Call& c, const View& q_view, const View& k_view, const View& v_view, const View& mask_view)
      : batch(q_view.shape[0]),
        heads(q_view.shape[2]),
        queries(q_view.shape[1]),
        keys(k_view.shape[1]),
        width(q_view.shape[3]),
        value_width(v_view.shape[3]),
        q(q_view),
        k(k_view),
        v(v_view),
        mask(mask_view),
        scale(static_cast<T>(c.attrs[0])),
        causal(c.attrs[1] != 0) {}

  __device__ __forceinline__ int64_t seen(int64_t query) const { return causal && query + 1 < keys ? query + 1 : keys; }
};

/** What a gradient reads beside the operands. */
template <class T>
struct Incoming {
  Heads<const T> g, out;
  Scores<T> log_sums, g_log_sums;
};

/** A forward call's results. */
struct AttentionResults {
  Heads<float> out;
  float* log_sums;
};

/** A gradient call's results. */
struct AttentionGradients {
  Heads<float> q, k, v;
};

// ---- kernels with tiles in shared memory, of float32
/** Whether heads are of a width that tiles have, rows begin at multiples of 16 bytes, and queries fill a tile. */
bool fits_tiles(const Attention<float>& a, const AttentionResults& to);
bool fits_tiles(const Attention<float>& a, const Incoming<float>& in, const AttentionGradients& to);

void attend_exactly(const Call& c, const Attention<float>& a, const AttentionResults& to);
void differentiate_exactly(const Call& c, const Attention<float>& a, const Incoming<float>& in,
                           const AttentionGradients& to);
void attend_by_mma(const Call& c, const Attention<float>& a, const AttentionResults& to);
void differentiate_by_mma(const Call& c, const Attention<float>& a, const Incoming<float>& in,
                          const AttentionGradients& to);

}  // namespace cuda
}  // namespace athanor
