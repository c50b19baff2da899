// Norms of lines and of groups of channels that are held in registers: each element is read once, by a warp or a block
// a set. Longer sets are walked twice (norm.h).
#pragma once
#include "cuda/line_share.h"
#include "cuda/norm.h"

namespace athanor {
namespace cuda {

constexpr int64_t kHeld = 32 * kLineThreads;  // elements of a set that fit the registers of a block

/** A weight and a bias for each element of a line or channel of a group, dense (step 1), or one for all (step 0). */
template <class T>
struct NormParameters {
  const T *weight, *bias;  // a bias may be null
  int64_t weight_step, bias_step;
  bool whole;  // both are dense and lie at multiples of 16 bytes

  NormParameters(const View& w, const View* b)
      : weight(w.as<const T>()),
        bias(b == nullptr ? nullptr : b->as<const T>()),
        weight_step(numel(w) == 1 ? 0 : 1),
        bias_step(b == nullptr || numel(*b) == 1 ? 0 : 1) {
    whole = weight_step == 1 && aligned(weight, kVectorBytes) && (b == nullptr || bias_step == 1) &&
            aligned(bias, kVectorBytes);
  }
};

/** The parameters of V neighbours of a set. */
template <class T, NormKind K, int V>
struct OwnParameters {
  Vector<T, V> weight, bias;

  __device__ __forceinline__ void load(const NormParameters<T>& all, const NormSets<K>& sets, int64_t set, int64_t i,
                                       bool vectors) {
    if (K == NormKind::lines && vectors) {
      weight = load_vector<V>(all.weight + i);
      if (all.bias != nullptr) bias = load_vector<V>(all.bias + i);
      return;
    }
#pragma unroll
    for (int v = 0; v < V; ++v) {
      weight.at[v] = bias.at[v] = T(0);
      if (i + v < 0 || i + v >= sets.size) continue;
      const int64_t p = sets.parameter(set, static_cast<uint32_t>(i + v));
      weight.at[v] = all.weight[p * all.weight_step];
      if (all.bias != nullptr) bias.at[v] = all.bias[p * all.bias_step];
    }
  }
};

template <class T, NormKind K, int Threads, int E, int V>
__global__ void __launch_bounds__(kLineThreads, held_blocks(E * sizeof(T), V))
    norm_held(NormForward<T, K> f, NormParameters<T> parameters) {
  using Share = LineShare<Threads, E, V>;
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const int64_t set = static_cast<int64_t>(blockIdx.x) * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (set >= f.sets.sets) return;  // whole warps, or the block
  const int64_t n = f.sets.size;
  const T* const line = f.x + set * n;
  const Share share{group.t, n, Share::off_of(line)};
  T x[E];
  share.load(x, line, 1, 0, T(0));
  double mean = 0, squares = 0;
  if (f.centred) {
#pragma unroll
    for (int k = 0; k < E; ++k) mean += static_cast<double>(x[k]);
    mean = group.all(mean, Add{}) / static_cast<double>(n);
  }
  // From here on x is what deviates from the rounded mean: float64 of it would not fit the registers.
  const T middle = static_cast<T>(mean);
#pragma unroll
  for (int k = 0; k < E; ++k) {
    x[k] = share.inside(share.index(0, k)) ? x[k] - middle : T(0);
    squares += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  }
  const double off = m::is_finite(middle) ? mean - static_cast<double>(middle) : 0;
  const double spread = group.all(squares, Add{}) / static_cast<double>(n) - off * off;
  const double variance = spread < 0 ? 0 : spread;  // nan stays
  if (group.t == 0) {
    if (f.centred) f.mean[set] = static_cast<T>(mean);
    f.variance[set] = static_cast<T>(variance);
  }
  const T root = static_cast<T>(reciprocal_root(variance, f.eps));
  OwnParameters<T, K, V> own{};
  share.store(
      f.out + set * n, 1, 0, [&](int k) { return x[k] * root * own.weight.at[k % V] + own.bias.at[k % V]; },
      [&](int64_t i, bool whole) {
        own.load(parameters, f.sets, set, i, whole && parameters.whole && share.off == 0);
      });
}

template <class T, NormKind K, int Threads, int E, int V>
__global__ void __launch_bounds__(kLineThreads) norm_back_held(NormBackward<T, K> b, NormParameters<T> parameters) {
  using Share = LineShare<Threads, E, V>;
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const int64_t set = static_cast<int64_t>(blockIdx.x) * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (set >= b.sets.sets) return;
  const int64_t n = b.sets.size;
  const Share share{group.t, n, Share::off_of(b.x + set * n)};
  const Statistics s = b.statistics(set);
  T h[E], x[E];
  share.load(h, b.g + set * n, 1, 0, T(0));
  share.load(x, b.x + set * n, 1, 0, T(0));
  double sum_h = 0, sum_hy = 0;
  OwnParameters<T, K, V> own{};
#pragma unroll
  for (int q = 0; q < E / V; ++q) {  // h = g weight
    const int64_t i = share.place(0, q);
    own.load(parameters, b.sets, set, i, i >= 0 && i + V <= n && parameters.whole && share.off == 0);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const int k = q * V + v;
      h[k] *= own.weight.at[v];
      sum_h += static_cast<double>(h[k]);
      sum_hy += static_cast<double>(h[k]) * s.of(x[k]);
    }
  }
  const double mean_h = b.centred ? group.all(sum_h, Add{}) / static_cast<double>(n) : 0;
  const double mean_hy = group.all(sum_hy, Add{}) / static_cast<double>(n);
  if (group.t == 0) b.known[set] = s;
  share.store(b.gx + set * n, 1, 0, [&](int k) {
    return static_cast<T>((static_cast<double>(h[k]) - mean_h - s.of(x[k]) * mean_hy) * s.root);
  });
}

/**
 * Starts whichever of the kernels holds sets of `size`; false where none does. Of float64 only short ones are held:
 * long ones take twice the registers, and much of the module's text for a type that few compute in here. `V`-wide
 * accesses where `vectors`.
 */
template <template <int, int, int> class Kernels, class T, class J>
bool launch_held(const Call& c, const J& job, const NormParameters<T>& parameters, bool vectors) {
  constexpr int V = kVector<T>;
  constexpr bool few = sizeof(T) == 8;
  const int64_t sets = job.sets.sets, room = job.sets.size + (vectors ? V - 1 : 0);
  if (room > (few ? 8 * kWarp : kHeld)) return false;
  if (sets == 0) return true;
  const auto start = [&](void (*kernel)(J, NormParameters<T>), int threads) {
    const int64_t together = kLineThreads / threads;
    launch(c, kernel, dim3(static_cast<unsigned>((sets + together - 1) / together)), dim3(kLineThreads), 0, job,
           parameters);
    return true;
  };
  if constexpr (few) {
    return start(vectors ? Kernels<kWarp, 8, V>::of(job) : Kernels<kWarp, 8, 1>::of(job), kWarp);
  } else {
    if (vectors && room <= 8 * kWarp) return start(Kernels<kWarp, 8, V>::of(job), kWarp);
    if (room <= 32 * kWarp)
      return start(vectors ? Kernels<kWarp, 32, V>::of(job) : Kernels<kWarp, 32, 1>::of(job), kWarp);
    return start(vectors ? Kernels<kLineThreads, 32, V>::of(job) : Kernels<kLineThreads, 32, 1>::of(job), kLineThreads);
  }
}

template <int Threads, int E, int V>
struct HeldForward {
  template <class T, NormKind K>
  static auto of(const NormForward<T, K>&) {
    return norm_held<T, K, Threads, E, V>;
  }
};
template <int Threads, int E, int V>
struct HeldBackward {
  template <class T, NormKind K>
  static auto of(const NormBackward<T, K>&) {
    return norm_back_held<T, K, Threads, E, V>;
  }
};

}  // namespace cuda
}  // namespace athanor
