// Norms whose sums run over planes: batch norm of images with channels first, and the weights of a group norm. What one
// weight serves is cut into parts, a block each, as many as fill the device. A pass over them makes the parts' sums,
// which are joined in their order, and a second one writes: two reads (a gradient four) and a write of each element, 16
// bytes a thread where planes are whole vectors. Sums are in float64, of what deviates from the channel's first
// element, so that a large mean costs no digits.
#pragma once
#include "cuda/each.h"
#include "cuda/norm.h"
#include "cuda/vector.h"

namespace athanor {
namespace cuda {

/** The parts that channels of `size` elements are cut into. */
ATHANOR_HOST_INLINE int64_t choose_norm_parts(int64_t channels, int64_t size, int multiprocessors) {
  constexpr int64_t least = 16 * kLineThreads;  // elements of a part: less is mostly a block's beginning and end
  const int64_t full = 8 * static_cast<int64_t>(multiprocessors);  // blocks that run at once
  if (channels <= 0 || channels >= full) return 1;
  const int64_t parts = full / channels;
  return parts < size / least ? parts : size / least > 1 ? size / least : 1;
}

/** Where a block's part is of what a parameter serves, V neighbours a thread. */
template <int V>
struct NormPart {
  int64_t parameter;
  uint32_t begin, end;
  __device__ __forceinline__ NormPart(uint32_t size, uint32_t part) : parameter(blockIdx.x), begin(blockIdx.y * part) {
    end = size - begin < part ? size : begin + part;
  }
  /** body(i) for the first of each V neighbours of this thread. */
  template <class F>
  __device__ __forceinline__ void each(const F& body) const {
#pragma unroll 4
    for (uint32_t i = begin + threadIdx.x * V; i < end; i += kLineThreads * V) body(i);
  }
};

template <class T>
using ChannelForward = NormForward<T, NormKind::channels>;
template <class T>
using ChannelBackward = NormBackward<T, NormKind::channels>;

template <int V, class T>
__device__ __forceinline__ Vector<T, V> load_or_nothing(const T* from, int64_t at) {
  if (from != nullptr) return load_vector<V>(from + at);
  return {};
}

/** The sums of deviations from a channel's first element, and of their squares: of the part that is block y's. */
template <class T, int V>
__global__ void __launch_bounds__(kLineThreads) sum_deviations(ChannelForward<T> f, uint32_t part, PairOfSums* sums) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  const NormPart<V> own(static_cast<uint32_t>(f.sets.size), part);
  const double first = static_cast<double>(f.x[f.sets.at(own.parameter, 0)]);
  double sum = 0, squares = 0;
  own.each([&](uint32_t i) {
    const Vector<T, V> x = load_vector<V>(f.x + f.sets.at(own.parameter, i));
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const double d = static_cast<double>(x.at[v]) - first;
      sum += d;
      squares += d * d;
    }
  });
  sum = group.all(sum, Add{});
  squares = group.all(squares, Add{});
  if (group.t == 0) sums[static_cast<int64_t>(blockIdx.y) * f.sets.sets + own.parameter] = {squares, sum};
}

/** What all parts of a channel come to. */
__device__ __forceinline__ PairOfSums join_parts(const PairOfSums* sums, int64_t sets, int64_t set, int64_t parts) {
  PairOfSums all{0, 0};
  for (int64_t p = 0; p < parts; ++p) {
    all.weight += sums[p * sets + set].weight;
    all.bias += sums[p * sets + set].bias;
  }
  return all;
}

template <class T, int V>
__global__ void __launch_bounds__(kLineThreads)
    normalise_parts(ChannelForward<T> f, uint32_t part, const PairOfSums* sums) {
  const NormPart<V> own(static_cast<uint32_t>(f.sets.size), part);
  const int64_t set = own.parameter;
  const PairOfSums all = join_parts(sums, f.sets.sets, set, gridDim.y);
  const Deviations d(all.bias, all.weight, static_cast<double>(f.x[f.sets.at(set, 0)]),
                     static_cast<double>(f.sets.size));
  if (threadIdx.x == 0 && blockIdx.y == 0) {
    f.mean[set] = static_cast<T>(d.mean);
    f.variance[set] = static_cast<T>(d.variance);
  }
  const Affine<T> affine(d.mean, d.variance, f.eps, f.weight[set], f.bias[set]);
  own.each([&](uint32_t i) {
    const int64_t at = f.sets.at(set, i);
    Vector<T, V> x = load_vector<V>(f.x + at);
    const Vector<T, V> past = load_or_nothing<V>(f.residual, at);
#pragma unroll
    for (int v = 0; v < V; ++v) x.at[v] = f.finished(affine(x.at[v]), past.at[v]);
    store_vector(f.out + at, x);
  });
}

/** The sums of g y and of g, of a part of what a channel's weight serves. */
template <class T, NormKind K, int V>
__global__ void __launch_bounds__(kLineThreads) sum_gradients(NormBackward<T, K> b, uint32_t part, PairOfSums* sums) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  const NormPart<V> own(static_cast<uint32_t>(b.sets.served()), part);
  Statistics s{0, 0};
  if (K == NormKind::channels) s = b.statistics(own.parameter);
  const Affine<T> affine = b.affine_of(own.parameter);
  double sum = 0, weighted = 0;
  own.each([&](uint32_t q) {
    int64_t set;
    uint32_t i;
    b.sets.served_by(static_cast<uint32_t>(own.parameter), q, &set, &i);
    const int64_t at = b.sets.at(set, i);
    const Vector<T, V> g = load_vector<V>(b.g + at), x = load_vector<V>(b.x + at);
    const Vector<T, V> past = b.relu ? load_or_nothing<V>(b.residual, at) : Vector<T, V>{};
    if (K != NormKind::channels) s = b.known[set];
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const double up = b.arriving(g.at[v], x.at[v], past.at[v], affine);
      sum += up;
      weighted += up * s.of(x.at[v]);
    }
  });
  sum = group.all(sum, Add{});
  weighted = group.all(weighted, Add{});
  if (group.t == 0) sums[static_cast<int64_t>(blockIdx.y) * b.sets.parameters + own.parameter] = {weighted, sum};
}

template <class T, int V>
__global__ void __launch_bounds__(kLineThreads)
    send_back_parts(ChannelBackward<T> b, uint32_t part, const PairOfSums* sums) {
  const NormPart<V> own(static_cast<uint32_t>(b.sets.size), part);
  const int64_t set = own.parameter;
  const PairOfSums all = join_parts(sums, b.sets.sets, set, gridDim.y);
  if (threadIdx.x == 0 && blockIdx.y == 0) b.sums[set] = all;
  const ChannelGradient<T> gradient(b, set, all);
  own.each([&](uint32_t i) {
    const int64_t at = b.sets.at(set, i);
    Vector<T, V> g = load_vector<V>(b.g + at), x = load_vector<V>(b.x + at);
    const Vector<T, V> past = b.relu ? load_or_nothing<V>(b.residual, at) : Vector<T, V>{};
#pragma unroll
    for (int v = 0; v < V; ++v) gradient.of(b, g.at[v], x.at[v], past.at[v], &x.at[v], &g.at[v]);
    store_vector(b.gx + at, x);
    if (b.gr != nullptr) store_vector(b.gr + at, g);
  });
}

/** How what a parameter serves is cut: a block for each part. */
struct NormParts {
  int64_t parameters;
  uint32_t part, parts;
  /** `size` elements a parameter, a multiple of `wide`. */
  NormParts(const Call& c, int64_t count, int64_t size, int64_t wide) : parameters(count) {
    const int64_t wanted = choose_norm_parts(count, size, context_of(c).multiprocessors);
    const int64_t even = (size + wanted - 1) / wanted;
    part = static_cast<uint32_t>(size > 0 ? (even + wide - 1) / wide * wide : wide);
    parts = static_cast<uint32_t>(size > 0 ? (size + part - 1) / part : 1);
  }
  dim3 grid() const { return dim3(static_cast<unsigned>(parameters), parts); }
};

/** one(job, part, sums), then two(job, part, sums): a block for each part of each channel. */
template <class J>
void launch_parts(const Call& c, const NormParts& cut, const J& job, void (*one)(J, uint32_t, PairOfSums*),
                  void (*two)(J, uint32_t, const PairOfSums*)) {
  PairOfSums* const sums = scratch_array<PairOfSums>(c, cut.parameters * cut.parts);
  launch(c, one, cut.grid(), dim3(kLineThreads), 0, job, cut.part, sums);
  launch(c, two, cut.grid(), dim3(kLineThreads), 0, job, cut.part, static_cast<const PairOfSums*>(sums));
}

}  // namespace cuda
}  // namespace athanor
