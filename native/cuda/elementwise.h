// The two kernels behind all elementwise ops, whatever their layout: `flat` for operands that are dense in the same
// order (or one number each), `strided` for the rest, broadcasting included. An op contributes a map from elements to
// an element. One thread takes 16 bytes of each operand (flat; twice that of a single one), or four elements a block
// apart, so that several loads are in flight. Bound by memory bandwidth: (inputs + 1) * item size bytes an element,
// against 1 FLOP for arithmetic and 15 to 50 for exp, tanh or gelu.
//
// A map M has: Out; N inputs; In<k>, the type of input k; and `Out operator()(const Inputs& x) const` on the device,
// where Inputs::get<k>() is an element.
#pragma once
#include "cpu/dtypes.h"
#include "cpu/iterate.h"
#include "cuda/fast_divide.h"
#include "cuda/vector.h"

namespace athanor {
namespace cuda {

constexpr int kThreads = 256;  // of a block: a multiprocessor holds eight of them

/** An input of a flat loop: elements one after another, or one for all. */
struct FlatInput {
  const void* data;  // null: `literal`
  bool repeats;
  alignas(8) unsigned char literal[8];
};

template <class T>
ATHANOR_ALWAYS_INLINE T literal_of(const unsigned char* bytes) {
  T out;
  memcpy(&out, bytes, sizeof out);
  return out;
}

template <class M, int V>
struct FlatInputs {
  FlatInput in[M::N];
};

template <class T, int V>
__device__ __forceinline__ Vector<T, V> load_flat(const FlatInput& in, int64_t i) {
  Vector<T, V> out;
  if (in.data == nullptr || in.repeats) {
    const T value = in.data == nullptr ? literal_of<T>(in.literal) : *static_cast<const T*>(in.data);
    for (int v = 0; v < V; ++v) out.at[v] = value;
    return out;
  }
  return load_vector<V>(static_cast<const T*>(in.data) + i);
}

/** Vectors that a thread loads before it computes: of one input two, so that enough bytes are on their way. */
template <class M>
constexpr int kFlatTogether = M::N == 1 ? 2 : 1;

template <class M, int V>
__global__ void __launch_bounds__(kThreads)
    elementwise_flat(int64_t n, M map, typename M::Out* out, FlatInputs<M, V> in) {
  using Out = typename M::Out;
  constexpr int U = kFlatTogether<M>;
  constexpr int64_t apart = kThreads * V;
  const int64_t step = gridDim.x * U * apart;
  for (int64_t first = blockIdx.x * U * apart + threadIdx.x * V; first < n; first += step) {
    decltype(map.template load<V>(in.in, 0)) x[U];
#pragma unroll
    for (int u = 0; u < U; ++u)
      if (first + u * apart + V <= n) x[u] = map.template load<V>(in.in, first + u * apart);
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64_t i = first + u * apart;
      if (i + V <= n) {
        Vector<Out, V> result;
#pragma unroll
        for (int v = 0; v < V; ++v) result.at[v] = map.apply(x[u], v);
        store_vector(out + i, result);
      } else {
        for (int64_t j = i; j < n; ++j) out[j] = map.apply(map.template load<1>(in.in, j), 0);
      }
    }
  }
}

/** What a strided loop over N inputs walks. */
template <int N>
struct StridedWalk {
  int ndim;
  FastDivide sizes[kMaxDims];
  int64_t strides[N + 1][kMaxDims];  // of the output, then of the inputs
  FlatInput in[N];
};

template <class M>
__global__ void __launch_bounds__(kThreads)
    elementwise_strided(uint32_t n, M map, typename M::Out* out, StridedWalk<M::N> walk) {
  constexpr int each = 4;
  decltype(map.load_at(walk.in, nullptr)) x[each];
  int64_t to[each];
  // All are read before the first is written, which the compiler could not bring about: it may be one memory.
#pragma unroll
  for (int u = 0; u < each; ++u) {
    const uint32_t i = (blockIdx.x * each + static_cast<uint32_t>(u)) * kThreads + threadIdx.x;
    if (i >= n) break;
    int64_t at[M::N + 1] = {};
    uint32_t rest = i;
    for (int d = walk.ndim - 1; d > 0; --d) {
      const uint32_t above = walk.sizes[d].quotient(rest), index = rest - above * walk.sizes[d].divisor;
      rest = above;
#pragma unroll
      for (int k = 0; k <= M::N; ++k) at[k] += index * walk.strides[k][d];
    }
#pragma unroll
    for (int k = 0; k <= M::N; ++k) at[k] += rest * walk.strides[k][0];
    to[u] = at[0];
    x[u] = map.load_at(walk.in, at + 1);
  }
#pragma unroll
  for (int u = 0; u < each; ++u)
    if ((blockIdx.x * each + static_cast<uint32_t>(u)) * kThreads + threadIdx.x < n) out[to[u]] = map.apply(x[u], 0);
}

/** The elements of a vector access: as many of the widest type as fit, so that all operands advance alike. */
template <class... T>
constexpr int vector_length() {
  size_t widest = 1;
  for (const size_t size : {sizeof(T)...}) widest = size > widest ? size : widest;
  return static_cast<int>(kVectorBytes / widest);
}

/** Runs the map over the call's output, broadcasting its inputs. */
template <class M>
void run_elementwise(const Call& c, const M& map) {
  constexpr int N = M::N, V = M::kVector;
  using Out = typename M::Out;
  const View* views[N + 1];
  views[0] = &c.out[0];
  for (int k = 0; k < N; ++k) views[k + 1] = &c.in[k];
  Walk<N + 1> w = make_walk<N + 1>(views);
  const int64_t n = w.elements();
  if (n == 0) return;

  FlatInput in[N];
  bool flat = w.ndim == 1 && (w.strides[0][0] == 1 || n == 1) && aligned(w.data[0], sizeof(Out) * V);
  for (int k = 0; k < N; ++k) {
    const View& v = c.in[k];
    const int64_t step = w.strides[k + 1][w.ndim - 1];
    in[k].data = v.literal ? nullptr : v.data;
    in[k].repeats = step == 0;
    if (v.literal) memcpy(in[k].literal, v.data, item_size(v.dtype));
    flat = flat && (step == 0 || (step == 1 && aligned(v.data, item_size(v.dtype) * V)));
  }
  if (flat) {
    FlatInputs<M, V> inputs;
    for (int k = 0; k < N; ++k) inputs.in[k] = in[k];
    // A few waves of blocks on each multiprocessor; then each goes on with what is left.
    const int64_t blocks =
        min_of<int64_t>(ceil_div(n, kThreads * V * kFlatTogether<M>), 32 * context_of(c).multiprocessors);
    launch(c, elementwise_flat<M, V>, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, n, map,
           static_cast<Out*>(w.data[0]), inputs);
    return;
  }

  // Indices of 31 bits divide quickly; larger walks are cut along their first dimension.
  constexpr int64_t most = int64_t{1} << 31;
  const int64_t inner = n / w.shape[0], slice = max_of<int64_t>(1, (most - 1) / inner);
  if (inner >= most) {
    c.ctx->fail(c.ctx, "2^31 elements or more behind the first dimension of a call that is not dense");
    return;
  }
  StridedWalk<N> walk;
  walk.ndim = w.ndim;
  for (int d = 0; d < w.ndim; ++d) {
    walk.sizes[d] = FastDivide(static_cast<uint32_t>(min_of(w.shape[d], most - 1)));
    for (int k = 0; k <= N; ++k) walk.strides[k][d] = w.strides[k][d];
  }
  Out* out = static_cast<Out*>(w.data[0]);
  for (int64_t first = 0; first < w.shape[0]; first += slice) {
    const int64_t count = min_of(slice, w.shape[0] - first) * inner;
    for (int k = 0; k < N; ++k) {
      walk.in[k] = in[k];
      if (in[k].data != nullptr)
        walk.in[k].data = static_cast<const char*>(in[k].data) +
                          first * w.strides[k + 1][0] * static_cast<int64_t>(item_size(c.in[k].dtype));
    }
    launch(c, elementwise_strided<M>, dim3(static_cast<unsigned>(ceil_div(count, 4 * kThreads))), dim3(kThreads), 0,
           static_cast<uint32_t>(count), map, out + first * w.strides[0][0], walk);
  }
}

template <class T>
__device__ __forceinline__ T load_strided(const FlatInput& in, int64_t at) {
  return in.data == nullptr ? literal_of<T>(in.literal) : static_cast<const T*>(in.data)[at];
}

/** Elements of one input of type T, of two of type T, or of a condition and two. */
template <class T, int V>
struct One {
  Vector<T, V> x;
};
template <class T, int V>
struct Two {
  Vector<T, V> a, b;
};
template <class T, int V>
struct Three {
  Vector<bool, V> c;
  Vector<T, V> a, b;
};

template <class T, class R>
struct UnaryMap {
  static constexpr int N = 1, kVector = vector_length<T, R>();
  using Out = R;
  template <int V>
  __device__ __forceinline__ One<T, V> load(const FlatInput* in, int64_t i) const {
    return {load_flat<T, V>(in[0], i)};
  }
  __device__ __forceinline__ One<T, 1> load_at(const FlatInput* in, const int64_t* at) const {
    return {{{load_strided<T>(in[0], at[0])}}};
  }
};
template <class T, class R>
struct BinaryMap {
  static constexpr int N = 2, kVector = vector_length<T, R>();
  using Out = R;
  template <int V>
  __device__ __forceinline__ Two<T, V> load(const FlatInput* in, int64_t i) const {
    return {load_flat<T, V>(in[0], i), load_flat<T, V>(in[1], i)};
  }
  __device__ __forceinline__ Two<T, 1> load_at(const FlatInput* in, const int64_t* at) const {
    return {{{load_strided<T>(in[0], at[0])}}, {{load_strided<T>(in[1], at[1])}}};
  }
};
template <class T>
struct TernaryMap {
  static constexpr int N = 3, kVector = vector_length<T>();
  using Out = T;
  template <int V>
  __device__ __forceinline__ Three<T, V> load(const FlatInput* in, int64_t i) const {
    return {load_flat<bool, V>(in[0], i), load_flat<T, V>(in[1], i), load_flat<T, V>(in[2], i)};
  }
  __device__ __forceinline__ Three<T, 1> load_at(const FlatInput* in, const int64_t* at) const {
    return {{{load_strided<bool>(in[0], at[0])}}, {{load_strided<T>(in[1], at[1])}}, {{load_strided<T>(in[2], at[2])}}};
  }
};

}  // namespace cuda
}  // namespace athanor
