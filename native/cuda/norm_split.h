// Batch norm of channels that are too few to give every multiprocessor a block: each channel's elements are cut into
// parts, a block each. A pass over them makes the parts' sums, which are joined in their order, and a second one
// writes: item size bytes more are read than where a block has a channel and finds it in the second-level cache, by all
// multiprocessors instead of some. Sums are in float64, of what deviates from the channel's first element, so that a
// large mean costs no digits.
#pragma once
#include "cuda/each.h"
#include "cuda/norm.h"

namespace athanor {
namespace cuda {

/** The parts that channels of `size` elements are cut into: 1 where blocks are enough as they are. */
ATHANOR_HOST_INLINE int64_t choose_norm_parts(int64_t channels, int64_t size, int multiprocessors) {
  constexpr int64_t least = 16 * kLineThreads;  // elements of a part: less is mostly a block's beginning and end
  const int64_t full = 8 * static_cast<int64_t>(multiprocessors);  // blocks that run at once
  if (channels <= 0 || 4 * channels >= full) return 1;
  const int64_t parts = full / channels;
  return parts < size / least ? parts : size / least > 1 ? size / least : 1;
}

/** Where a block's part of its channel is. */
struct NormPart {
  int64_t set;
  uint32_t begin, end;
  __device__ __forceinline__ explicit NormPart(const NormSets<NormKind::channels>& sets, uint32_t part)
      : set(blockIdx.x), begin(blockIdx.y * part) {
    const uint32_t size = static_cast<uint32_t>(sets.size);
    end = size - begin < part ? size : begin + part;
  }
};

template <class T>
using ChannelForward = NormForward<T, NormKind::channels>;
template <class T>
using ChannelBackward = NormBackward<T, NormKind::channels>;

/** The sums of deviations from a channel's first element, and of their squares: of the part that is block y's. */
template <class T>
__global__ void __launch_bounds__(kLineThreads) sum_deviations(ChannelForward<T> f, uint32_t part, PairOfSums* sums) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  const NormPart own(f.sets, part);
  const double first = static_cast<double>(f.x[f.sets.at(own.set, 0)]);
  double sum = 0, squares = 0;
#pragma unroll 4
  for (uint32_t i = own.begin + threadIdx.x; i < own.end; i += kLineThreads) {
    const double d = static_cast<double>(f.x[f.sets.at(own.set, i)]) - first;
    sum += d;
    squares += d * d;
  }
  sum = group.all(sum, Add{});
  squares = group.all(squares, Add{});
  if (group.t == 0) sums[static_cast<int64_t>(blockIdx.y) * f.sets.sets + own.set] = {squares, sum};
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

template <class T>
__global__ void __launch_bounds__(kLineThreads)
    normalise_parts(ChannelForward<T> f, uint32_t part, const PairOfSums* sums) {
  const NormPart own(f.sets, part);
  const PairOfSums all = join_parts(sums, f.sets.sets, own.set, gridDim.y);
  const double n = static_cast<double>(f.sets.size), off = all.bias / n;
  const double mean = static_cast<double>(f.x[f.sets.at(own.set, 0)]) + off, spread = all.weight / n - off * off;
  const double variance = spread < 0 ? 0 : spread;  // nan stays
  if (threadIdx.x == 0 && blockIdx.y == 0) {
    f.mean[own.set] = static_cast<T>(mean);
    f.variance[own.set] = static_cast<T>(variance);
  }
  const double weight = f.weight[own.set], bias = f.bias[own.set];
#pragma unroll 4
  for (uint32_t i = own.begin + threadIdx.x; i < own.end; i += kLineThreads) {
    const int64_t at = f.sets.at(own.set, i);
    T y = normalised(f.x[at], mean, variance, f.eps, weight, bias);
    if (f.residual != nullptr) y += f.residual[at];
    f.out[at] = f.relu && y < 0 ? T(0) : y;
  }
}

/** The sums of g y and of g of a part. */
template <class T>
__global__ void __launch_bounds__(kLineThreads) sum_gradients(ChannelBackward<T> b, uint32_t part, PairOfSums* sums) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  const NormPart own(b.sets, part);
  const Statistics s = b.statistics(own.set);
  double sum = 0, weighted = 0;
#pragma unroll 4
  for (uint32_t i = own.begin + threadIdx.x; i < own.end; i += kLineThreads) {
    const int64_t at = b.sets.at(own.set, i);
    const double g = b.arriving(at, own.set, own.set);
    sum += g;
    weighted += g * b.normal(at, s);
  }
  sum = group.all(sum, Add{});
  weighted = group.all(weighted, Add{});
  if (group.t == 0) sums[static_cast<int64_t>(blockIdx.y) * b.sets.sets + own.set] = {weighted, sum};
}

template <class T>
__global__ void __launch_bounds__(kLineThreads)
    send_back_parts(ChannelBackward<T> b, uint32_t part, const PairOfSums* sums) {
  const NormPart own(b.sets, part);
  const PairOfSums all = join_parts(sums, b.sets.sets, own.set, gridDim.y);
  if (threadIdx.x == 0 && blockIdx.y == 0) b.sums[own.set] = all;
  const Statistics s = b.statistics(own.set);
  const double weight = b.weight[own.set], share = weight / static_cast<double>(b.sets.size);
  const double mean_h = all.bias * share, mean_hy = all.weight * share;
#pragma unroll 4
  for (uint32_t i = own.begin + threadIdx.x; i < own.end; i += kLineThreads) {
    const int64_t at = b.sets.at(own.set, i);
    const double g = b.arriving(at, own.set, own.set);
    b.gx[at] = static_cast<T>((g * weight - mean_h - b.normal(at, s) * mean_hy) * s.root);
    if (b.gr != nullptr) b.gr[at] = static_cast<T>(g);
  }
}

/** one(job, part, sums), then two(job, part, sums): a block for each part of each channel. */
template <class J>
void launch_parts(const Call& c, int64_t sets, int64_t size, int64_t parts, const J& job,
                  void (*one)(J, uint32_t, PairOfSums*), void (*two)(J, uint32_t, const PairOfSums*)) {
  const int64_t part = (size + parts - 1) / parts;
  const dim3 grid(static_cast<unsigned>(sets), static_cast<unsigned>((size + part - 1) / part));
  PairOfSums* const sums = scratch_array<PairOfSums>(c, sets * grid.y);
  launch(c, one, grid, dim3(kLineThreads), 0, job, static_cast<uint32_t>(part), sums);
  launch(c, two, grid, dim3(kLineThreads), 0, job, static_cast<uint32_t>(part), static_cast<const PairOfSums*>(sums));
}

}  // namespace cuda
}  // namespace athanor
