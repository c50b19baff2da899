// attention: out = softmax(scale q k^T + mask) v for every head, without the matrix of scores, and its gradient.
// packedAttention takes queries, keys and values as one window [N, L, 3, H, E]. attrs: scale, whether a query sees only
// keys up to its own place.
//
// A warp has a query and walks the keys 32 at a time: a lane makes one score, the softmax is kept up to date as keys
// come in (Milakov and Gimelshein, 2018), and then each lane adds the values of its own columns. What stays is the
// logarithm of the row's sum, from which the gradient makes the probabilities again (Dao et al., 2022): queries are
// walked by keys for gq, keys by queries for gk and gv, so nothing is added by two warps. 2 S (E + D) FLOPs a query on
// the ordinary units, and S (E + D) numbers from the caches: bound by those.
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/families.h"
#include "cuda/lines.h"
#include "math/folds.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int kWarps = kLineThreads / kWarp;
constexpr int kOwned = 4;  // columns of a lane
constexpr int kWide =
    kOwned * kWarp;  // columns of a warp; wider heads are shared by several, which make the scores again

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
  __device__ __forceinline__ T score(int64_t n, int64_t h, int64_t l, int64_t s) const {
    const T *a = q.at(n, h, l), *b = k.at(n, h, s);
    T sum = 0;
    for (int64_t e = 0; e < width; ++e) sum += a[e * q.step] * b[e * k.step];
    return sum * scale + mask.get(n, h, l, s);
  }
};

/** Which row (a query or a key of a head) this warp has: false where there is none. */
__device__ __forceinline__ bool row_of_warp(int64_t batch, int64_t heads, int64_t rows, int64_t* n, int64_t* h,
                                            int64_t* row) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (i >= batch * heads * rows) return false;
  *row = i % rows;
  *h = i / rows % heads;
  *n = i / rows / heads;
  return true;
}

template <class T>
__global__ void __launch_bounds__(kLineThreads) attend(Attention<T> a, Heads<T> out, T* log_sums) {
  int64_t n, h, l;
  if (!row_of_warp(a.batch, a.heads, a.queries, &n, &h, &l)) return;
  const Group<kWarp> group{static_cast<int>(threadIdx.x) % kWarp};
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kWide, seen = a.seen(l);
  T top = m::Limits<T>::low, sum = 0, sums[kOwned] = {};
  for (int64_t s0 = 0; s0 < seen; s0 += kWarp) {
    const bool sees = s0 + group.t < seen;
    const T score = sees ? a.score(n, h, l, s0 + group.t) : m::Limits<T>::low;
    const T highest = m::maximum(top, static_cast<T>(group.all(static_cast<double>(score), Maximum{})));
    const bool nothing = highest == m::Limits<T>::low;  // all that was seen so far is masked
    const T power = nothing || !sees ? T(0) : m::exp(score - highest);
    const T shrink = nothing ? T(1) : m::exp(top - highest);
    sum = sum * shrink + static_cast<T>(group.all(static_cast<double>(power), Add{}));
    top = highest;
#pragma unroll
    for (int r = 0; r < kOwned; ++r) sums[r] *= shrink;
    for (int j = 0; j < kWarp; ++j) {
      const T p = __shfl_sync(kFullMask, power, j);
      if (s0 + j >= seen) break;  // the same for all lanes
      const T* value = a.v.at(n, h, s0 + j);
#pragma unroll
      for (int r = 0; r < kOwned; ++r) {
        const int64_t d = first + r * kWarp + group.t;
        if (d < a.value_width) sums[r] += p * value[d * a.v.step];
      }
    }
  }
  T* to = out.at(n, h, l);
  const T over = 1 / sum;
  // A query that sees nothing gets zeros, and a sum so large that its probabilities come out as 0 again.
#pragma unroll
  for (int r = 0; r < kOwned; ++r) {
    const int64_t d = first + r * kWarp + group.t;
    if (d < a.value_width) to[d * out.step] = sum == 0 ? T(0) : sums[r] * over;
  }
  if (group.t == 0 && blockIdx.y == 0)
    log_sums[(n * a.heads + h) * a.queries + l] = sum == 0 ? m::Limits<T>::high : top + m::log(sum);
}

/** What a gradient reads beside the operands. */
template <class T>
struct Incoming {
  Heads<const T> g, out;
  Scores<T> log_sums, g_log_sums;
  const T* deltas;  // [N, H, L]: what the softmax takes from each slope
};

/** The probability of a key, and how the loss moves with its score. */
template <class T>
__device__ __forceinline__ void probability(const Attention<T>& a, const Incoming<T>& in, int64_t n, int64_t h,
                                            int64_t l, int64_t s, T* p, T* slope) {
  *p = m::exp(a.score(n, h, l, s) - in.log_sums.get(n, h, l));
  const T *g = in.g.at(n, h, l), *value = a.v.at(n, h, s);
  T sum = -in.deltas[(n * a.heads + h) * a.queries + l];
  for (int64_t d = 0; d < a.value_width; ++d) sum += g[d * in.g.step] * value[d * a.v.step];
  *slope = *p * sum * a.scale;
}

template <class T>
struct Deltas {
  Incoming<T> in;
  int64_t heads, queries, width;
  T* out;
  __device__ void operator()(uint32_t i) const {
    const int64_t l = i % queries, h = i / queries % heads, n = i / queries / heads;
    const T *g = in.g.at(n, h, l), *result = in.out.at(n, h, l);
    T sum = 0;
    for (int64_t d = 0; d < width; ++d) sum += g[d * in.g.step] * result[d * in.out.step];
    out[i] = sum - in.g_log_sums.get(n, h, l);
  }
};

/** gq: a warp a query, over the keys that it sees. */
template <class T>
__global__ void __launch_bounds__(kLineThreads) query_gradient(Attention<T> a, Incoming<T> in, Heads<T> gq) {
  int64_t n, h, l;
  if (!row_of_warp(a.batch, a.heads, a.queries, &n, &h, &l)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kWide, seen = a.seen(l);
  T sums[kOwned] = {};
  for (int64_t s0 = 0; s0 < seen; s0 += kWarp) {
    T p = 0, slope = 0;
    if (s0 + lane < seen) probability(a, in, n, h, l, s0 + lane, &p, &slope);
    for (int j = 0; j < kWarp; ++j) {
      const T factor = __shfl_sync(kFullMask, slope, j);
      if (s0 + j >= seen) break;
      const T* key = a.k.at(n, h, s0 + j);
#pragma unroll
      for (int r = 0; r < kOwned; ++r) {
        const int64_t e = first + r * kWarp + lane;
        if (e < a.width) sums[r] += factor * key[e * a.k.step];
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kOwned; ++r) {
    const int64_t e = first + r * kWarp + lane;
    if (e < a.width) gq.at(n, h, l)[e * gq.step] = sums[r];
  }
}

/** gk and gv: a warp a key, over the queries that see it. */
template <class T>
__global__ void __launch_bounds__(kLineThreads) key_gradient(Attention<T> a, Incoming<T> in, Heads<T> gk, Heads<T> gv) {
  int64_t n, h, s;
  if (!row_of_warp(a.batch, a.heads, a.keys, &n, &h, &s)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kWide;
  T keys[kOwned] = {}, values[kOwned] = {};
  for (int64_t l0 = a.causal ? s / kWarp * kWarp : 0; l0 < a.queries; l0 += kWarp) {
    T p = 0, slope = 0;
    if (l0 + lane < a.queries && s < a.seen(l0 + lane)) probability(a, in, n, h, l0 + lane, s, &p, &slope);
    const int here = static_cast<int>(a.queries - l0 < kWarp ? a.queries - l0 : kWarp);
    for (int j = 0; j < here; ++j) {
      const T share = __shfl_sync(kFullMask, p, j), factor = __shfl_sync(kFullMask, slope, j);
      // A query that does not see the key has a share and a slope of 0; what it holds may be infinite.
      const bool sees = s < a.seen(l0 + j);
      const T *query = a.q.at(n, h, l0 + j), *g = in.g.at(n, h, l0 + j);
#pragma unroll
      for (int r = 0; r < kOwned; ++r) {
        const int64_t i = first + r * kWarp + lane;
        if (sees && i < a.width) keys[r] += factor * query[i * a.q.step];
        if (sees && i < a.value_width) values[r] += share * g[i * in.g.step];
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kOwned; ++r) {
    const int64_t i = first + r * kWarp + lane;
    if (i < a.width) gk.at(n, h, s)[i * gk.step] = keys[r];
    if (i < a.value_width) gv.at(n, h, s)[i * gv.step] = values[r];
  }
}

/** A grid of a warp a row, and as many along y as the columns need. */
dim3 grid_of_rows(int64_t rows, int64_t columns) {
  const int64_t wide = (columns + kWide - 1) / kWide;
  return dim3(static_cast<unsigned>((rows + kWarps - 1) / kWarps), static_cast<unsigned>(wide < 1 ? 1 : wide));
}

template <class T>
void run_attend(const Call& c, const Attention<T>& a) {
  const int64_t rows = a.batch * a.heads * a.queries;
  if (rows == 0) return;
  launch(c, attend<T>, grid_of_rows(rows, a.value_width), dim3(kLineThreads), 0, a, Heads<T>(c.out[0]),
         c.out[1].as<T>());
}

// in, from `at` on: out, logSums, g, gLogSums
template <class T>
void run_gradient(const Call& c, const Attention<T>& a, int at, const View& gq, const View& gk, const View& gv) {
  const int64_t rows = a.batch * a.heads * a.queries, keys = a.batch * a.heads * a.keys;
  T* deltas = scratch_array<T>(c, rows);
  const Incoming<T> in{Heads<const T>(c.in[at + 2]), Heads<const T>(c.in[at]), Scores<T>(c.in[at + 1]),
                       Scores<T>(c.in[at + 3]), deltas};
  for_each_number(c, rows, Deltas<T>{in, a.heads, a.queries, a.value_width, deltas});
  if (rows > 0 && a.width > 0)
    launch(c, query_gradient<T>, grid_of_rows(rows, a.width), dim3(kLineThreads), 0, a, in, Heads<T>(gq));
  const int64_t columns = a.width > a.value_width ? a.width : a.value_width;
  if (keys > 0 && columns > 0)
    launch(c, key_gradient<T>, grid_of_rows(keys, columns), dim3(kLineThreads), 0, a, in, Heads<T>(gk), Heads<T>(gv));
}

/** Queries (0), keys (1) or values (2) of a window [N, L, 3, H, E]. */
View part_of(const View& packed, int part) {
  View out = packed;
  out.ndim = 4;
  for (int d = 2; d < 4; ++d) {
    out.shape[d] = packed.shape[d + 1];
    out.strides[d] = packed.strides[d + 1];
  }
  out.data = packed.as<char>() + part * packed.strides[2] * static_cast<int64_t>(item_size(packed.dtype));
  return out;
}

#define ATTENTION_KERNEL(name, ...)                               \
  void name(const Call& c) {                                      \
    const bool known = with_floats(c.in[0].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                     \
      __VA_ARGS__;                                                \
    });                                                           \
    if (!known) refuse_dtype(c, c.in[0].dtype);                   \
  }
ATTENTION_KERNEL(run_attention, run_attend(c, Attention<T>(c, c.in[0], c.in[1], c.in[2], c.in[3])))
ATTENTION_KERNEL(run_packed, const View& x = c.in[0];
                 run_attend(c, Attention<T>(c, part_of(x, 0), part_of(x, 1), part_of(x, 2), c.in[1])))
ATTENTION_KERNEL(run_attention_grad,
                 run_gradient(c, Attention<T>(c, c.in[0], c.in[1], c.in[2], c.in[3]), 4, c.out[0], c.out[1], c.out[2]))
ATTENTION_KERNEL(run_packed_grad, const View& x = c.in[0], &gx = c.out[0];
                 run_gradient(c, Attention<T>(c, part_of(x, 0), part_of(x, 1), part_of(x, 2), c.in[1]), 2,
                              part_of(gx, 0), part_of(gx, 1), part_of(gx, 2)))
#undef ATTENTION_KERNEL

const Kernel kernels_attention[] = {{"warps", nullptr, run_attention}};
const Kernel kernels_attentionGrad[] = {{"warps", nullptr, run_attention_grad}};
const Kernel kernels_packedAttention[] = {{"warps", nullptr, run_packed}};
const Kernel kernels_packedAttentionGrad[] = {{"warps", nullptr, run_packed_grad}};

}  // namespace

const OpKernels attention[] = {ATHANOR_OP(attention, kernels_attention),
                               ATHANOR_OP(attentionGrad, kernels_attentionGrad),
                               ATHANOR_OP(packedAttention, kernels_packedAttention),
                               ATHANOR_OP(packedAttentionGrad, kernels_packedAttentionGrad),
                               {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
