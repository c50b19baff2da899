// The kernels of normalisation. What is normalised together is a set: channels of [N, C, ...], lines, or groups of
// channels.
#pragma once
#include "cuda/fast_divide.h"
#include "cuda/lines.h"
#include "cuda/locate.h"

namespace athanor {
namespace cuda {

enum class NormKind { channels, lines, groups };

/** How the elements of dense memory make sets, and which parameter serves each. */
template <NormKind K>
struct NormSets {
  int64_t sets, size;         // how many, and their elements
  int64_t items, parameters;  // N of [N, ...], and how many weights there are
  FastDivide plane;           // elements of a channel that lie together
  FastDivide channels;        // of a group
  FastDivide groups;          // of an item

  /** `size` is below 2^31, and of lines and groups their number too. */
  NormSets(int64_t items_of, int64_t groups_of, int64_t channels_of, int64_t plane_of)
      : sets(K == NormKind::channels ? channels_of : items_of * groups_of),
        size((K == NormKind::channels ? items_of : channels_of) * plane_of),
        items(items_of),
        parameters(K == NormKind::lines ? plane_of : groups_of * channels_of),
        plane(some(plane_of)),
        channels(some(channels_of)),
        groups(some(groups_of)) {}

  /** The place of element i of a set. */
  __device__ __forceinline__ int64_t at(int64_t set, uint32_t i) const {
    if (K != NormKind::channels) return set * size + i;
    const uint32_t item = plane.quotient(i);
    return (item * sets + set) * plane.divisor + (i - item * plane.divisor);
  }
  __device__ __forceinline__ int64_t parameter(int64_t set, uint32_t i) const {
    if (K == NormKind::channels) return set;
    if (K == NormKind::lines) return i;
    const uint32_t number = static_cast<uint32_t>(set);
    return (number - groups.quotient(number) * groups.divisor) * static_cast<int64_t>(channels.divisor) +
           plane.quotient(i);
  }
  /** How many elements a parameter serves, and the set and place of the q-th of them (of lines: p of line q). */
  ATHANOR_INLINE_MEMBER int64_t served() const { return K == NormKind::lines ? sets : items * plane.divisor; }
  __device__ __forceinline__ void served_by(uint32_t p, uint32_t q, int64_t* set, uint32_t* i) const {
    if (K == NormKind::channels) {
      *set = p;
      *i = q;
    } else {
      const uint32_t item = plane.quotient(q), group = channels.quotient(p);
      *set = static_cast<int64_t>(item) * groups.divisor + group;
      *i = (p - group * channels.divisor) * plane.divisor + (q - item * plane.divisor);
    }
  }

 private:
  static uint32_t some(int64_t n) { return n > 0 ? static_cast<uint32_t>(n) : 1; }
};

/** One number for each of something, or one for all. */
template <class T>
struct Numbers {
  const T* data;
  Locator where;
  explicit Numbers(const View& v) : data(v.as<const T>()), where(v) {}
  __device__ __forceinline__ double operator[](int64_t i) const {
    return static_cast<double>(data[where.at(static_cast<uint32_t>(i))]);
  }
};

__device__ __forceinline__ double reciprocal_root(double variance, double eps) { return 1 / ::sqrt(variance + eps); }

/** What becomes of the elements that one mean, variance, weight and bias serve, before the residual. */
template <class T>
struct Affine {
  T mean, root, weight, bias;
  Affine() = default;
  __device__ __forceinline__ Affine(double mean_of, double variance, double eps, double weight_of, double bias_of)
      : mean(static_cast<T>(mean_of)),
        root(static_cast<T>(reciprocal_root(variance, eps))),
        weight(static_cast<T>(weight_of)),
        bias(static_cast<T>(bias_of)) {}
  __device__ __forceinline__ T operator()(T x) const { return (x - mean) * root * weight + bias; }
};

/** What a set's elements are made of: (x - mean) scale + shift is the same everywhere but in the factors. */
template <class T, NormKind K>
struct NormForward {
  NormSets<K> sets;
  const T *x, *residual;  // the residual, added before the relu, or null
  Numbers<T> weight, bias;
  double eps;
  bool centred, relu;
  T *out, *mean, *variance;

  /** The result of y, which is what Affine makes of an element. */
  __device__ __forceinline__ T finished(T y, T past) const {
    if (residual != nullptr) y += past;
    return relu && y < 0 ? T(0) : y;
  }
};

/** Mean and variance from the sums of what deviates from `first`, and of its squares. */
struct Deviations {
  double mean, variance;
  __device__ __forceinline__ Deviations(double sum, double squares, double first, double n) {
    const double off = sum / n, square = off * off;
    const double spread = squares / n - (m::is_finite(square) ? square : 0);  // what left the range stays infinite
    mean = first + off;
    variance = spread < 0 ? 0 : spread;  // nan stays
  }
};

template <class T, NormKind K, int Threads>
__global__ void __launch_bounds__(kLineThreads) norm_forward(NormForward<T, K> f) {
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const int64_t set = static_cast<int64_t>(blockIdx.x) * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (set >= f.sets.sets) return;  // whole warps, or the block
  const uint32_t n = static_cast<uint32_t>(f.sets.size);
  const double first = f.centred && n > 0 ? static_cast<double>(f.x[f.sets.at(set, 0)]) : 0;
  double sum = 0, squares = 0;
#pragma unroll 4
  for (uint32_t i = static_cast<uint32_t>(group.t); i < n; i += Threads) {
    const double d = static_cast<double>(f.x[f.sets.at(set, i)]) - first;
    sum += d;
    squares += d * d;
  }
  sum = f.centred ? group.all(sum, Add{}) : 0;
  squares = group.all(squares, Add{});
  const Deviations d(sum, squares, first, static_cast<double>(n));
  if (group.t == 0) {
    if (f.centred) f.mean[set] = static_cast<T>(d.mean);
    f.variance[set] = static_cast<T>(d.variance);
  }
  Affine<T> affine(f.centred ? d.mean : 0.0, d.variance, f.eps, 0.0, 0.0);
  for (uint32_t i = static_cast<uint32_t>(group.t); i < n; i += Threads) {
    const int64_t at = f.sets.at(set, i), p = f.sets.parameter(set, i);
    affine.weight = static_cast<T>(f.weight[p]);
    affine.bias = f.centred ? static_cast<T>(f.bias[p]) : T(0);
    f.out[at] = f.finished(affine(f.x[at]), f.residual != nullptr ? f.residual[at] : T(0));
  }
}

/** What the gradients of a weight and a bias come to. */
struct PairOfSums {
  double weight, bias;
};

/** What a set's elements are normalised by. */
struct Statistics {
  double mean, root;
  template <class T>
  __device__ __forceinline__ double of(T x) const {
    return (static_cast<double>(x) - mean) * root;
  }
};

template <class T, NormKind K>
struct NormBackward {
  NormSets<K> sets;
  const T *g, *x, *residual;  // the residual, or null
  Numbers<T> weight, bias, mean, variance;
  double eps;
  bool centred, relu;
  T *gx, *gr;         // gr, the gradient of the residual, or null
  PairOfSums* sums;   // of each channel, which is a set; of no use for other sets
  Statistics* known;  // of each set that is not a channel, for the sums of its weights

  /** What arrives before a relu: nothing where that gave 0. */
  __device__ __forceinline__ double arriving(T g_at, T x_at, T past, const Affine<T>& affine) const {
    if (!relu) return static_cast<double>(g_at);
    T out = affine(x_at);
    if (residual != nullptr) out += past;
    return out <= 0 ? 0.0 : static_cast<double>(g_at);
  }
  /** The same for an element in memory, of the channel that `affine` is of. */
  __device__ __forceinline__ double arriving(int64_t at, const Affine<T>& affine) const {
    return relu ? arriving(g[at], x[at], residual != nullptr ? residual[at] : T(0), affine)
                : static_cast<double>(g[at]);
  }
  /** Of a channel; only there a relu follows. */
  __device__ __forceinline__ Affine<T> affine_of(int64_t set) const {
    if (K != NormKind::channels || !relu) return {};
    return {mean[set], variance[set], eps, weight[set], bias[set]};
  }
  __device__ __forceinline__ Statistics statistics(int64_t set) const {
    return {centred ? mean[set] : 0, reciprocal_root(variance[set], eps)};
  }
  __device__ __forceinline__ double normal(int64_t at, const Statistics& s) const { return s.of(x[at]); }
};

/** What a channel's elements get, after the sums of all of them are known. */
template <class T>
struct ChannelGradient {
  Statistics own;
  Affine<T> affine;
  double weight, mean_h, mean_hy;
  ChannelGradient() = default;
  __device__ __forceinline__ ChannelGradient(const NormBackward<T, NormKind::channels>& b, int64_t set,
                                             const PairOfSums& all)
      : own(b.statistics(set)), affine(b.affine_of(set)), weight(b.weight[set]) {
    const double share = weight / static_cast<double>(b.sets.size);
    mean_h = all.bias * share;
    mean_hy = all.weight * share;
  }
  /** From what arrives at an element: the gradients of the element and of its residual, which may lie where g does. */
  __device__ __forceinline__ void of(const NormBackward<T, NormKind::channels>& b, T g, T x, T past, T* gx,
                                     T* gr) const {
    const double up = b.arriving(g, x, past, affine), y = own.of(x);
    *gx = static_cast<T>((up * weight - mean_h - y * mean_hy) * own.root);
    *gr = static_cast<T>(up);
  }
};

// With h = g weight and y = (x - mean) root: gx = (h - mean(h) - y mean(h y)) root.
template <class T, NormKind K, int Threads>
__global__ void __launch_bounds__(kLineThreads) norm_backward(NormBackward<T, K> b) {
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const int64_t set = static_cast<int64_t>(blockIdx.x) * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (set >= b.sets.sets) return;
  const uint32_t n = static_cast<uint32_t>(b.sets.size);
  constexpr bool channels = K == NormKind::channels;  // one weight serves all of a set
  const Statistics own = b.statistics(set);
  const Affine<T> affine = b.affine_of(set);
  double sum_h = 0, sum_hy = 0;
#pragma unroll 4
  for (uint32_t i = static_cast<uint32_t>(group.t); i < n; i += Threads) {
    const int64_t at = b.sets.at(set, i), p = b.sets.parameter(set, i);
    const double y = b.normal(at, own), h = b.arriving(at, affine) * (channels ? 1.0 : b.weight[p]);
    sum_h += h;
    sum_hy += h * y;
  }
  sum_h = b.centred ? group.all(sum_h, Add{}) : 0;
  sum_hy = group.all(sum_hy, Add{});
  if (group.t == 0) {
    if (channels)
      b.sums[set] = {sum_hy, sum_h};
    else
      b.known[set] = own;
  }
  const double share = (channels ? b.weight[set] : 1.0) / static_cast<double>(n);
  const double mean_h = sum_h * share, mean_hy = sum_hy * share;
  for (uint32_t i = static_cast<uint32_t>(group.t); i < n; i += Threads) {
    const int64_t at = b.sets.at(set, i), p = b.sets.parameter(set, i);
    const double y = b.normal(at, own), g = b.arriving(at, affine), h = g * b.weight[p];
    b.gx[at] = static_cast<T>((h - mean_h - y * mean_hy) * own.root);
    if (b.gr != nullptr) b.gr[at] = static_cast<T>(g);
  }
}

constexpr int kNormColumns = 32, kNormRows = kLineThreads / kNormColumns;

struct ParameterSums {
  PairOfSums of[kNormRows][kNormColumns];
};

/** gw = sum of g y, gb = sum of g of lines over what each parameter serves: the part of it that is block y's. */
template <class T>
__global__ void __launch_bounds__(kLineThreads)
    sum_parameters(NormBackward<T, NormKind::lines> b, PairOfSums* partial) {
  const uint32_t p = blockIdx.x * kNormColumns + threadIdx.x, count = static_cast<uint32_t>(b.sets.served());
  PairOfSums sum{0, 0};
  if (p < b.sets.parameters) {
#pragma unroll 4
    for (uint32_t q = blockIdx.y * kNormRows + threadIdx.y; q < count; q += gridDim.y * kNormRows) {
      const int64_t at = b.sets.at(q, p);
      const double y = b.normal(at, b.known[q]), g = static_cast<double>(b.g[at]);
      sum.weight += g * y;
      sum.bias += g;
    }
  }
  ATHANOR_SHARED(ParameterSums, shared);
  shared.of[threadIdx.y][threadIdx.x] = sum;
#ifndef ATHANOR_FAULT_NORM  // a test leaves this barrier out, and must see wrong results
  __syncthreads();
#endif
  if (threadIdx.y != 0 || p >= b.sets.parameters) return;
  for (int row = 1; row < kNormRows; ++row) {
    sum.weight += shared.of[row][threadIdx.x].weight;
    sum.bias += shared.of[row][threadIdx.x].bias;
  }
  partial[static_cast<int64_t>(blockIdx.y) * b.sets.parameters + p] = sum;
}

/** The parts of a parameter's sums, added in their order; all parameters', where one number served them. */
template <class T>
struct StoreSums {
  const PairOfSums* partial;
  int64_t parts, parameters;
  bool one;
  T *gw, *gb;  // gb may be null
  Locator to_gw, to_gb;
  __device__ void operator()(uint32_t i) const {
    PairOfSums sum{0, 0};
    for (int64_t p = one ? 0 : i; p < (one ? parameters : i + 1); ++p)
      for (int64_t part = 0; part < parts; ++part) {
        sum.weight += partial[part * parameters + p].weight;
        sum.bias += partial[part * parameters + p].bias;
      }
    gw[to_gw.at(i)] = static_cast<T>(sum.weight);
    if (gb != nullptr) gb[to_gb.at(i)] = static_cast<T>(sum.bias);
  }
};

}  // namespace cuda
}  // namespace athanor
