// attention: out = softmax(scale q k^T + mask) v for every head, without the matrix of scores, and its gradient.
// packedAttention takes queries, keys and values as one window [N, L, 3, H, E]. attrs: scale, whether a query sees only
// keys up to its own place.
//
// Three kernels an op: tiles on tensor cores, where float32 may be rounded to tf32; tiles in exact float32; and the one
// of this file, for every layout, width and dtype.
//
// Here a warp has a query and walks the keys 32 at a time: a lane makes one score, the softmax is kept up to date as
// keys come in (Milakov and Gimelshein, 2018), and then each lane adds the values of its own columns. What stays is the
// logarithm of the row's sum, from which the gradient makes the probabilities again (Dao et al., 2022): queries are
// walked by keys for gq, keys by queries for gk and gv, so nothing is added by two warps. 2 S (E + D) FLOPs a query on
// the ordinary units, and S (E + D) numbers from the caches: bound by those.
#include "cuda/attention.h"

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

/** How a query and a key are alike. */
template <class T>
__device__ __forceinline__ T score_of(const Attention<T>& a, int64_t n, int64_t h, int64_t l, int64_t s) {
  const T *q = a.q.at(n, h, l), *k = a.k.at(n, h, s);
  T sum = 0;
  for (int64_t e = 0; e < a.width; ++e) sum += q[e * a.q.step] * k[e * a.k.step];
  return sum * a.scale + a.mask.get(n, h, l, s);
}

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
    const T score = sees ? score_of(a, n, h, l, s0 + group.t) : m::Limits<T>::low;
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

/** The probability of a key, and how the loss moves with its score. */
template <class T>
__device__ __forceinline__ void probability(const Attention<T>& a, const Incoming<T>& in, const T* deltas, int64_t n,
                                            int64_t h, int64_t l, int64_t s, T* p, T* slope) {
  *p = m::exp(score_of(a, n, h, l, s) - in.log_sums.get(n, h, l));
  const T *g = in.g.at(n, h, l), *value = a.v.at(n, h, s);
  T sum = -deltas[(n * a.heads + h) * a.queries + l];
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
__global__ void __launch_bounds__(kLineThreads)
    query_gradient(Attention<T> a, Incoming<T> in, const T* deltas, Heads<T> gq) {
  int64_t n, h, l;
  if (!row_of_warp(a.batch, a.heads, a.queries, &n, &h, &l)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kWide, seen = a.seen(l);
  T sums[kOwned] = {};
  for (int64_t s0 = 0; s0 < seen; s0 += kWarp) {
    T p = 0, slope = 0;
    if (s0 + lane < seen) probability(a, in, deltas, n, h, l, s0 + lane, &p, &slope);
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
__global__ void __launch_bounds__(kLineThreads)
    key_gradient(Attention<T> a, Incoming<T> in, const T* deltas, Heads<T> gk, Heads<T> gv) {
  int64_t n, h, s;
  if (!row_of_warp(a.batch, a.heads, a.keys, &n, &h, &s)) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * kWide;
  T keys[kOwned] = {}, values[kOwned] = {};
  for (int64_t l0 = a.causal ? s / kWarp * kWarp : 0; l0 < a.queries; l0 += kWarp) {
    T p = 0, slope = 0;
    if (l0 + lane < a.queries && s < a.seen(l0 + lane)) probability(a, in, deltas, n, h, l0 + lane, s, &p, &slope);
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

/** The operands of a call and what follows them, or the results of a gradient. */
struct Separate {
  static constexpr int operands = 4;
  static View in(const Call& c, int part) { return c.in[part]; }
  static const View& mask(const Call& c) { return c.in[3]; }
  static View out(const Call& c, int part) { return c.out[part]; }
};
struct Packed {
  static constexpr int operands = 2;
  static View in(const Call& c, int part) { return part_of(c.in[0], part); }
  static const View& mask(const Call& c) { return c.in[1]; }
  static View out(const Call& c, int part) { return part_of(c.out[0], part); }
};

template <class T, class Operands>
Attention<T> attention_of(const Call& c) {
  return Attention<T>(c, Operands::in(c, 0), Operands::in(c, 1), Operands::in(c, 2), Operands::mask(c));
}

/** After the operands: out, logSums, g, gLogSums. */
template <class T, class Operands>
Incoming<T> incoming_of(const Call& c) {
  const View* const v = c.in + Operands::operands;
  return {Heads<const T>(v[2]), Heads<const T>(v[0]), Scores<T>(v[1]), Scores<T>(v[3])};
}

AttentionResults results_of(const Call& c) { return {Heads<float>(c.out[0]), c.out[1].as<float>()}; }

template <class Operands>
AttentionGradients gradients_of(const Call& c) {
  return {Heads<float>(Operands::out(c, 0)), Heads<float>(Operands::out(c, 1)), Heads<float>(Operands::out(c, 2))};
}

template <class T, class Operands>
void attend_by_warps(const Call& c) {
  const Attention<T> a = attention_of<T, Operands>(c);
  const int64_t rows = a.batch * a.heads * a.queries;
  if (rows == 0) return;
  launch(c, attend<T>, grid_of_rows(rows, a.value_width), dim3(kLineThreads), 0, a, Heads<T>(c.out[0]),
         c.out[1].as<T>());
}

template <class T, class Operands>
void differentiate_by_warps(const Call& c) {
  const Attention<T> a = attention_of<T, Operands>(c);
  const Incoming<T> in = incoming_of<T, Operands>(c);
  const int64_t rows = a.batch * a.heads * a.queries, keys = a.batch * a.heads * a.keys;
  T* deltas = scratch_array<T>(c, rows);
  for_each_number(c, rows, Deltas<T>{in, a.heads, a.queries, a.value_width, deltas});
  if (rows > 0 && a.width > 0)
    launch(c, query_gradient<T>, grid_of_rows(rows, a.width), dim3(kLineThreads), 0, a, in, deltas,
           Heads<T>(Operands::out(c, 0)));
  const int64_t columns = a.width > a.value_width ? a.width : a.value_width;
  if (keys > 0 && columns > 0)
    launch(c, key_gradient<T>, grid_of_rows(keys, columns), dim3(kLineThreads), 0, a, in, deltas,
           Heads<T>(Operands::out(c, 1)), Heads<T>(Operands::out(c, 2)));
}

template <class Operands, bool Gradient>
void run_warps(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (Gradient)
      differentiate_by_warps<T, Operands>(c);
    else
      attend_by_warps<T, Operands>(c);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

template <class Operands, bool Gradient>
bool fits_exact(const Call& c) {
  if (c.in[0].dtype != DType::f32) return false;
  const Attention<float> a = attention_of<float, Operands>(c);
  if constexpr (Gradient)
    return fits_tiles(a, incoming_of<float, Operands>(c), gradients_of<Operands>(c));
  else
    return fits_tiles(a, results_of(c));
}

template <class Operands, bool Gradient>
bool fits_tf32(const Call& c) {
  return context_of(c).float32_precision == Float32Precision::tf32 && fits_exact<Operands, Gradient>(c);
}

template <class Operands, bool Gradient>
void run_exact(const Call& c) {
  const Attention<float> a = attention_of<float, Operands>(c);
  if constexpr (Gradient)
    differentiate_exactly(c, a, incoming_of<float, Operands>(c), gradients_of<Operands>(c));
  else
    attend_exactly(c, a, results_of(c));
}

template <class Operands, bool Gradient>
void run_tf32(const Call& c) {
  const Attention<float> a = attention_of<float, Operands>(c);
  if constexpr (Gradient)
    differentiate_by_mma(c, a, incoming_of<float, Operands>(c), gradients_of<Operands>(c));
  else
    attend_by_mma(c, a, results_of(c));
}

#define ATHANOR_ATTENTION_KERNELS(...)                            \
  {                                                               \
      {"mma", fits_tf32<__VA_ARGS__>, run_tf32<__VA_ARGS__>},     \
      {"tiles", fits_exact<__VA_ARGS__>, run_exact<__VA_ARGS__>}, \
      {"warps", nullptr, run_warps<__VA_ARGS__>},                 \
  }

const Kernel kernels_attention[] = ATHANOR_ATTENTION_KERNELS(Separate, false);
const Kernel kernels_attentionGrad[] = ATHANOR_ATTENTION_KERNELS(Separate, true);
const Kernel kernels_packedAttention[] = ATHANOR_ATTENTION_KERNELS(Packed, false);
const Kernel kernels_packedAttentionGrad[] = ATHANOR_ATTENTION_KERNELS(Packed, true);

}  // namespace

const OpKernels attention[] = {ATHANOR_OP(attention, kernels_attention),
                               ATHANOR_OP(attentionGrad, kernels_attentionGrad),
                               ATHANOR_OP(packedAttention, kernels_packedAttention),
                               ATHANOR_OP(packedAttentionGrad, kernels_packedAttentionGrad),
                               {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
