// Batch norm of memory in which channels are neighbours: [N, C], and images with channels last. A warp's threads have
// 16 bytes of channels each, side by side; the rows of a block share its places, and blocks their parts of all places.
// Their sums are joined in their order by a warp a channel, which leaves what a second pass needs: two reads (a
// gradient four) and a write of each element. Sums are in float64, of what deviates from the channel's first element.
#pragma once
#include "cuda/norm.h"
#include "cuda/vector.h"

namespace athanor {
namespace cuda {

/** [places, channels] in row-major order, cut into parts of the places. */
struct NormColumns {
  int64_t places, channels, part;
  uint32_t parts;
};

/** What a block's threads sum: V channels each, rows of threads apart. */
struct ColumnSums {
  PairOfSums of[kLineThreads * kVectorBytes / sizeof(float)];
};

/** The thread's channels, and its places. */
template <int V>
struct ColumnShare {
  int64_t channel, begin, end, step;
  bool inside;
  __device__ __forceinline__ explicit ColumnShare(const NormColumns& columns)
      : channel((static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * V),
        begin(blockIdx.y * columns.part + threadIdx.y),
        step(blockDim.y),
        inside(channel < columns.channels) {
    const int64_t past = (blockIdx.y + int64_t{1}) * columns.part;
    end = past < columns.places ? past : columns.places;
    if (!inside) end = begin;
  }
};

/** Adds up the rows of a block, and leaves the sums of its channels: partial[channel][part]. */
template <int V>
__device__ __forceinline__ void store_columns(const NormColumns& columns, const PairOfSums (&sums)[V],
                                              PairOfSums* partial) {
  ATHANOR_SHARED(ColumnSums, shared);
  const uint32_t wide = blockDim.x * V;  // channels of a block
#pragma unroll
  for (uint32_t v = 0; v < V; ++v) shared.of[threadIdx.y * wide + threadIdx.x * V + v] = sums[v];
#ifndef ATHANOR_FAULT_NORM_COLUMNS  // a test leaves this barrier out, and must see wrong results
  __syncthreads();
#endif
  const uint32_t t = threadIdx.y * blockDim.x + threadIdx.x;
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * wide + t;
  if (t >= wide || channel >= columns.channels) return;
  PairOfSums all{0, 0};
  for (uint32_t row = 0; row < blockDim.y; ++row) {
    all.weight += shared.of[row * wide + t].weight;
    all.bias += shared.of[row * wide + t].bias;
  }
  partial[channel * columns.parts + blockIdx.y] = all;
}

/** What all parts of a channel come to, to all lanes of a warp. */
__device__ __forceinline__ PairOfSums join_columns(const NormColumns& columns, const PairOfSums* partial,
                                                   int64_t channel) {
  const Group<kWarp> group{static_cast<int>(threadIdx.x) % kWarp};
  PairOfSums all{0, 0};
  for (uint32_t p = static_cast<uint32_t>(group.t); p < columns.parts; p += kWarp) {
    all.weight += partial[channel * columns.parts + p].weight;
    all.bias += partial[channel * columns.parts + p].bias;
  }
  all.weight = group.all(all.weight, Add{});
  all.bias = group.all(all.bias, Add{});
  return all;
}

/** The channel of a warp. */
__device__ __forceinline__ int64_t channel_of_warp() {
  return static_cast<int64_t>(blockIdx.x) * (kLineThreads / kWarp) + threadIdx.x / kWarp;
}

// ---- forward

template <class T, int V>
__global__ void __launch_bounds__(kLineThreads)
    sum_column_deviations(NormForward<T, NormKind::channels> f, NormColumns columns, PairOfSums* partial) {
  const ColumnShare<V> own(columns);
  PairOfSums sums[V] = {};
  if (own.inside) {
    const Vector<T, V> first = load_vector<V>(f.x + own.channel);
#pragma unroll 4
    for (int64_t i = own.begin; i < own.end; i += own.step) {
      const Vector<T, V> x = load_vector<V>(f.x + i * columns.channels + own.channel);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const double d = static_cast<double>(x.at[v]) - static_cast<double>(first.at[v]);
        sums[v].bias += d;
        sums[v].weight += d * d;
      }
    }
  }
  store_columns(columns, sums, partial);
}

template <class T>
__global__ void __launch_bounds__(kLineThreads)
    join_column_deviations(NormForward<T, NormKind::channels> f, NormColumns columns, const PairOfSums* partial,
                           Affine<T>* affine) {
  const int64_t channel = channel_of_warp();
  if (channel >= columns.channels) return;  // whole warps
  const PairOfSums all = join_columns(columns, partial, channel);
  if (threadIdx.x % kWarp != 0) return;
  const Deviations d(all.bias, all.weight, static_cast<double>(f.x[channel]), static_cast<double>(columns.places));
  f.mean[channel] = static_cast<T>(d.mean);
  f.variance[channel] = static_cast<T>(d.variance);
  affine[channel] = Affine<T>(d.mean, d.variance, f.eps, f.weight[channel], f.bias[channel]);
}

template <class T, int V>
__global__ void __launch_bounds__(kLineThreads)
    normalise_columns(NormForward<T, NormKind::channels> f, NormColumns columns, const Affine<T>* affine) {
  const ColumnShare<V> own(columns);
  if (!own.inside) return;
  Affine<T> each[V];
#pragma unroll
  for (int v = 0; v < V; ++v) each[v] = affine[own.channel + v];
  for (int64_t i = own.begin; i < own.end; i += own.step) {
    const int64_t at = i * columns.channels + own.channel;
    Vector<T, V> x = load_vector<V>(f.x + at);
    Vector<T, V> past{};
    if (f.residual != nullptr) past = load_vector<V>(f.residual + at);
#pragma unroll
    for (int v = 0; v < V; ++v) x.at[v] = f.finished(each[v](x.at[v]), past.at[v]);
    store_vector(f.out + at, x);
  }
}

// ---- backward

template <class T, int V>
__global__ void __launch_bounds__(kLineThreads)
    sum_column_gradients(NormBackward<T, NormKind::channels> b, NormColumns columns, PairOfSums* partial) {
  const ColumnShare<V> own(columns);
  PairOfSums sums[V] = {};
  if (own.inside) {
    Statistics each[V];
    Affine<T> affine[V];
#pragma unroll
    for (int v = 0; v < V; ++v) {
      each[v] = b.statistics(own.channel + v);
      affine[v] = b.affine_of(own.channel + v);
    }
#pragma unroll 2
    for (int64_t i = own.begin; i < own.end; i += own.step) {
      const int64_t at = i * columns.channels + own.channel;
      const Vector<T, V> g = load_vector<V>(b.g + at), x = load_vector<V>(b.x + at);
      Vector<T, V> past{};
      if (b.relu && b.residual != nullptr) past = load_vector<V>(b.residual + at);
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const double up = b.arriving(g.at[v], x.at[v], past.at[v], affine[v]);
        sums[v].bias += up;
        sums[v].weight += up * each[v].of(x.at[v]);
      }
    }
  }
  store_columns(columns, sums, partial);
}

template <class T>
__global__ void __launch_bounds__(kLineThreads)
    join_column_gradients(NormBackward<T, NormKind::channels> b, NormColumns columns, const PairOfSums* partial,
                          ChannelGradient<T>* gradients) {
  const int64_t channel = channel_of_warp();
  if (channel >= columns.channels) return;
  const PairOfSums all = join_columns(columns, partial, channel);
  if (threadIdx.x % kWarp != 0) return;
  b.sums[channel] = all;
  gradients[channel] = ChannelGradient<T>(b, channel, all);
}

template <class T, int V>
__global__ void __launch_bounds__(kLineThreads)
    send_back_columns(NormBackward<T, NormKind::channels> b, NormColumns columns, const ChannelGradient<T>* gradients) {
  const ColumnShare<V> own(columns);
  if (!own.inside) return;
  ChannelGradient<T> each[V];
#pragma unroll
  for (int v = 0; v < V; ++v) each[v] = gradients[own.channel + v];
  for (int64_t i = own.begin; i < own.end; i += own.step) {
    const int64_t at = i * columns.channels + own.channel;
    Vector<T, V> g = load_vector<V>(b.g + at), x = load_vector<V>(b.x + at);
    Vector<T, V> past{};
    if (b.relu && b.residual != nullptr) past = load_vector<V>(b.residual + at);
#pragma unroll
    for (int v = 0; v < V; ++v) each[v].of(b, g.at[v], x.at[v], past.at[v], &x.at[v], &g.at[v]);
    store_vector(b.gx + at, x);
    if (b.gr != nullptr) store_vector(b.gr + at, g);
  }
}

// ---- launches

/** A block's threads, so many side by side as channels need, and the grid of the parts. */
struct ColumnLaunch {
  NormColumns columns;
  dim3 grid, block;

  ColumnLaunch(int64_t places, int64_t channels, int wide, int multiprocessors) {
    unsigned across = 1;
    while (across < kWarp && across * wide < channels) across *= 2;
    block = dim3(across, kLineThreads / across);
    const int64_t strips = (channels + across * wide - 1) / (across * wide);
    const int64_t full = 4 * static_cast<int64_t>(multiprocessors);  // blocks that run at once
    const int64_t least = 16 * static_cast<int64_t>(block.y);        // places of a part: less is mostly its joining
    int64_t parts = (full + strips - 1) / strips;
    if (parts > (places + least - 1) / least) parts = (places + least - 1) / least;
    if (parts < 1) parts = 1;
    const int64_t part = (places + parts - 1) / parts;
    columns = {places, channels, part, static_cast<uint32_t>((places + part - 1) / part)};
    grid = dim3(static_cast<unsigned>(strips), columns.parts);
  }
  PairOfSums* partial(const Call& c) const { return scratch_array<PairOfSums>(c, columns.channels * columns.parts); }
  dim3 joining() const {
    constexpr int64_t warps = kLineThreads / kWarp;
    return dim3(static_cast<unsigned>((columns.channels + warps - 1) / warps));
  }
};

template <int V, class T>
void launch_columns(const Call& c, const ColumnLaunch& l, const NormForward<T, NormKind::channels>& job) {
  PairOfSums* const partial = l.partial(c);
  Affine<T>* const affine = scratch_array<Affine<T>>(c, l.columns.channels);
  launch(c, sum_column_deviations<T, V>, l.grid, l.block, 0, job, l.columns, partial);
  launch(c, join_column_deviations<T>, l.joining(), dim3(kLineThreads), 0, job, l.columns, partial, affine);
  launch(c, normalise_columns<T, V>, l.grid, l.block, 0, job, l.columns, affine);
}

template <int V, class T>
void launch_columns(const Call& c, const ColumnLaunch& l, const NormBackward<T, NormKind::channels>& job) {
  PairOfSums* const partial = l.partial(c);
  ChannelGradient<T>* const gradients = scratch_array<ChannelGradient<T>>(c, l.columns.channels);
  launch(c, sum_column_gradients<T, V>, l.grid, l.block, 0, job, l.columns, partial);
  launch(c, join_column_gradients<T>, l.joining(), dim3(kLineThreads), 0, job, l.columns, partial, gradients);
  launch(c, send_back_columns<T, V>, l.grid, l.block, 0, job, l.columns, gradients);
}

/** Runs a job whose memory is [places, channels]; `wide`: all of it lies at multiples of 16 bytes. */
template <class T, class J>
void run_columns(const Call& c, int64_t places, int64_t channels, bool wide, const J& job) {
  constexpr int V = kVector<T>;
  if (places == 0 || channels == 0) return;
  const bool vectors = wide && channels % V == 0;
  const ColumnLaunch l(places, channels, vectors ? V : 1, context_of(c).multiprocessors);
  vectors ? launch_columns<V>(c, l, job) : launch_columns<1>(c, l, job);
}

}  // namespace cuda
}  // namespace athanor
