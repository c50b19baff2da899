// Losses over classes, fused: crossEntropy (from scores; attrs: reduction, ignored label, label smoothing) and nllLoss
// (from log-probabilities; attrs: reduction, ignored label), with their gradients. Scores are [N, C, ...].
//
// crossEntropy: a warp or, of many classes, a block a position walks its classes once, for the maximum and the sum of
// exp, and keeps the logarithm of the softmax denominator, from which the gradient makes the probabilities again, a
// thread an element. Where classes are not neighbours in memory, threads side by side have neighbouring positions. The
// positions are added up by blocks, and these by one. Item size bytes an element forward, twice that backward, one exp
// each. Sums are in float64.
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/exponentials.h"
#include "cuda/families.h"
#include "cuda/line_map.h"
#include "cuda/locate.h"
#include "cuda/report.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {
namespace {

/** How the losses of the positions become the result; lib/ops/loss.ts has the same numbers. */
enum class Reduction : int { none = 0, mean = 1, sum = 2 };

/** Weights of the classes; a single number serves all of them. */
template <class T>
struct ClassWeights {
  const T* data;
  int64_t step;
  explicit ClassWeights(const View& v) : data(v.as<const T>()), step(v.ndim == 0 ? 0 : v.strides[0]) {}
  __device__ __forceinline__ double operator[](int64_t c) const { return static_cast<double>(data[c * step]); }
};

/** The labels of the positions, in row-major order; a wrong one is complained about and then ignored. */
struct Labels {
  const int32_t* data;
  Locator where;
  int64_t classes;
  int32_t ignored;
  Complaints complaints;
  /** The class of a position, or -1. */
  __device__ __forceinline__ int64_t get(uint32_t i) const {
    const int32_t y = data[where.at(i)];
    if (y == ignored) return -1;
    if (y >= 0 && y < classes) return y;
    complaints.add(complaint_label, y, classes);
    return -1;
  }
};

Labels labels_of(const Call& c, const View& v, int64_t classes, double ignored) {
  return {v.as<const int32_t>(), Locator(v), classes, static_cast<int32_t>(ignored), complaints_of(c)};
}

template <class T>
struct Positions {
  const T* x;
  Locator where;  // of class 0
  int64_t step, classes;
  uint32_t count;
  Labels labels;
  ClassWeights<T> weight;
  double *losses, *weights;
};

/** Position i by the threads of a group, E classes of each at a time; nothing, where it is not `inside`. */
template <int E, int V, bool Smooth, class T, class G>
__device__ __forceinline__ void cross_entropy_position(const G& group, const Positions<T>& p, uint32_t i, bool inside,
                                                       double smoothing, double* lse) {
  using Share = LineShare<G::threads, E, V>;
  const T* const x = p.x + p.where.at(inside ? i : 0);
  const Share share{group.t, inside ? p.classes : 0, Share::off_of(x)};
  SumOfExponentials<T> line;
  double weighted = 0, all_weights = 0;
  for (int64_t first = 0; first < share.length + share.off; first += Share::all) {
    T scores[E];
    share.load(scores, x, p.step, first, m::Limits<T>::low);
    line.take(scores);
    if constexpr (Smooth) {
#pragma unroll
      for (int k = 0; k < E; ++k) {
        const int64_t c = share.index(first, k);
        if (!share.inside(c)) continue;
        weighted += p.weight[c] * static_cast<double>(scores[k]);
        all_weights += p.weight[c];
      }
    }
  }
  line.settle(group);
  if (Smooth) {
    weighted = group.all(weighted, Add{});
    all_weights = group.all(all_weights, Add{});
  }
  if (group.t != 0 || !inside) return;
  // Of an infinity or nan among the scores the logarithm is that itself.
  const double max = static_cast<double>(line.max), all = m::is_finite(max) ? max + m::log(line.sum) : max;
  lse[i] = all;
  const int64_t label = p.labels.get(i);
  double loss = 0, weight = 0;
  if (label >= 0) {
    weight = p.weight[label];
    loss = weight * (all - static_cast<double>(x[label * p.step]));
    if (Smooth)
      loss = (1 - smoothing) * loss + smoothing / static_cast<double>(p.classes) * (all_weights * all - weighted);
  }
  p.losses[i] = loss;
  p.weights[i] = weight;
}

/** Classes that are neighbours. */
template <class T, int Threads, bool Smooth>
__global__ void __launch_bounds__(kLineThreads, 2) cross_entropy_rows(Positions<T> p, double smoothing, double* lse) {
  const uint32_t i = blockIdx.x * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (i >= p.count) return;  // whole warps, or the block
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  cross_entropy_position<Threads == kWarp ? 8 : 16, kVector<T>, Smooth>(group, p, i, true, smoothing, lse);
}

template <class T, bool Smooth>
__global__ void __launch_bounds__(kLineThreads) cross_entropy_columns(Positions<T> p, double smoothing, double* lse) {
  const uint32_t i = blockIdx.x * kColumns + threadIdx.x;
  const ColumnGroup group{static_cast<int>(threadIdx.y), static_cast<int>(threadIdx.x)};
  cross_entropy_position<8, 1, Smooth>(group, p, i, i < p.count, smoothing, lse);
}

template <class T>
struct NllPosition {
  Positions<T> p;
  __device__ void operator()(uint32_t i) const {
    const int64_t label = p.labels.get(i);
    const double weight = label < 0 ? 0 : p.weight[label];
    p.weights[i] = weight;
    p.losses[i] = label < 0 ? 0 : -weight * static_cast<double>(p.x[p.where.at(i) + label * p.step]);
  }
};

/** What a block's stretch of the losses and the weights adds up to. */
__global__ void __launch_bounds__(kLineThreads)
    add_stretches(uint32_t n, const double* losses, const double* weights, double* of_losses, double* of_weights) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  double loss = 0, weight = 0;
#pragma unroll 4
  for (uint32_t i = blockIdx.x * kLineThreads + threadIdx.x; i < n; i += gridDim.x * kLineThreads) {
    loss += losses[i];
    weight += weights[i];
  }
  loss = group.all(loss, Add{});
  weight = group.all(weight, Add{});
  if (group.t != 0) return;
  of_losses[blockIdx.x] = loss;
  of_weights[blockIdx.x] = weight;
}

/** One block: what all of them add up to. */
template <class T>
__global__ void __launch_bounds__(kLineThreads)
    reduce_losses(Reduction how, uint32_t n, const double* losses, const double* weights, T* out, T* total) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  double loss = 0, weight = 0;
#pragma unroll 4
  for (uint32_t i = threadIdx.x; i < n; i += kLineThreads) {
    loss += losses[i];
    weight += weights[i];
  }
  loss = group.all(loss, Add{});
  weight = group.all(weight, Add{});
  if (group.t != 0) return;
  const double divisor = how == Reduction::mean ? weight : 1;
  *total = static_cast<T>(divisor);
  if (how != Reduction::none) *out = static_cast<T>(loss / divisor);
}

/** Each position's own loss. */
template <class T>
struct StoreLosses {
  const double* losses;
  T* out;
  Locator to;
  __device__ void operator()(uint32_t i) const { out[to.at(i)] = static_cast<T>(losses[i]); }
};

template <class T>
Positions<T> positions_of(const Call& c, double ignored) {
  const View &x = c.in[0], &labels = c.in[1];
  const int64_t n = numel(labels);
  double* sums = scratch_array<double>(c, 2 * n);
  return {x.as<const T>(),
          Locator(without_axis(x, 1)),
          x.strides[1],
          x.shape[1],
          static_cast<uint32_t>(n),
          labels_of(c, labels, x.shape[1], ignored),
          ClassWeights<T>(c.in[2]),
          sums,
          sums + n};
}

template <class T>
void reduce_positions(const Call& c, const Positions<T>& p, const View& total) {
  const auto how = static_cast<Reduction>(static_cast<int>(c.attrs[0]));
  if (how == Reduction::none)
    for_each_number(c, p.count, StoreLosses<T>{p.losses, c.out[0].as<T>(), Locator(c.out[0])});
  const double *losses = p.losses, *weights = p.weights;
  uint32_t count = p.count;
  constexpr uint32_t stretch = 16 * kLineThreads;  // what one block adds up as quickly as it starts
  if (count > stretch) {
    const uint32_t most = 4 * static_cast<uint32_t>(context_of(c).multiprocessors);
    const uint32_t blocks = count / stretch < most ? count / stretch : most;
    double* const sums = scratch_array<double>(c, 2 * static_cast<int64_t>(blocks));
    launch(c, add_stretches, dim3(blocks), dim3(kLineThreads), 0, count, losses, weights, sums, sums + blocks);
    losses = sums;
    weights = sums + blocks;
    count = blocks;
  }
  launch(c, reduce_losses<T>, dim3(1), dim3(kLineThreads), 0, how, count, losses, weights, c.out[0].as<T>(),
         total.as<T>());
}

template <bool Smooth, class T>
void launch_positions(const Call& c, const Positions<T>& p) {
  const auto blocks = [&](uint32_t together) { return dim3((p.count + together - 1) / together); };
  constexpr uint32_t warps = kLineThreads / kWarp;
  double* const lse = c.out[1].template as<double>();
  const dim3 line(kLineThreads), columns(kColumns, kColumnRows);
  if (p.count == 0) return;
  if (p.step != 1)
    launch(c, cross_entropy_columns<T, Smooth>, blocks(kColumns), columns, 0, p, c.attrs[2], lse);
  else if (p.classes < kLongLine)
    launch(c, cross_entropy_rows<T, kWarp, Smooth>, blocks(warps), line, 0, p, c.attrs[2], lse);
  else
    launch(c, cross_entropy_rows<T, kLineThreads, Smooth>, blocks(1), line, 0, p, c.attrs[2], lse);
}

void run_cross_entropy(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Positions<T> p = positions_of<T>(c, c.attrs[1]);
    c.attrs[2] > 0 ? launch_positions<true>(c, p) : launch_positions<false>(c, p);
    reduce_positions(c, p, c.out[2]);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

void run_nll(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const Positions<T> p = positions_of<T>(c, c.attrs[1]);
    for_each_number(c, p.count, NllPosition<T>{p});
    reduce_positions(c, p, c.out[1]);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

// ---- gradients: an element a thread

/** From the number of an element of [N, C, ...] to those of its position and class. */
struct ClassPlace {
  FastDivide classes, inner;
  explicit ClassPlace(const View& x) : classes(static_cast<uint32_t>(x.shape[1])) {
    int64_t n = 1;
    for (int d = 2; d < x.ndim; ++d) n *= x.shape[d];
    inner = FastDivide(static_cast<uint32_t>(n));
  }
  ATHANOR_INLINE_MEMBER void split(uint32_t i, uint32_t* position, int64_t* label) const {
    const uint32_t above = inner.quotient(i), rest = i - above * inner.divisor, n = classes.quotient(above);
    *position = n * inner.divisor + rest;
    *label = above - n * classes.divisor;
  }
};

// gx = (q S + h) softmax(x) - q t, where t is the target distribution with its weights and S its sum; q = g / total is
// the gradient of the position's loss and h that of its lse.
template <class T>
struct CrossEntropyGrad {
  ClassPlace place;
  const T* x;
  Locator from;
  Labels labels;
  ClassWeights<T> weight;
  const double* lse;
  Locator of_lse;
  const T* total;
  const T* g;
  Locator of_g;
  const T* h;
  Locator of_h;
  double smoothing;
  const double* all_weights;
  T* gx;
  Locator to;

  __device__ T value(uint32_t i) const {
    uint32_t position;
    int64_t c;
    place.split(i, &position, &c);
    const int64_t label = labels.get(position);
    const double spread = smoothing / static_cast<double>(labels.classes);
    const double target = label < 0 ? 0 : (1 - smoothing) * weight[label] + (smoothing > 0 ? spread * *all_weights : 0);
    const double scale = static_cast<double>(g[of_g.at(position)] / *total);
    const double factor = target * scale + static_cast<double>(h[of_h.at(position)]);
    const double known = lse[of_lse.at(position)];
    double out = 0;  // exactly, whatever the scores are, where nothing depends on them
    if (label >= 0 || factor != 0) {
      const T shift = static_cast<T>(known);
      const double low = known - static_cast<double>(shift);  // what rounding took from it; nan of an infinite one
      out = factor * static_cast<double>(m::exp((x[from.at(i)] - shift) - static_cast<T>(low == low ? low : 0.0)));
    }
    if (label >= 0) {
      if (smoothing > 0) out -= scale * spread * weight[c];
      if (label == c) out -= scale * (1 - smoothing) * weight[c];
    }
    return static_cast<T>(out);
  }
  __device__ void put(uint32_t i, T value) const { gx[to.at(i)] = value; }
};

template <class T>
struct SumWeights {
  ClassWeights<T> weight;
  int64_t classes;
  double* out;
  __device__ void operator()(uint32_t) const {
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += weight[c];
    *out = sum;
  }
};

// in: x, labels, weight, lse, total, g, h; attrs: ignored label, label smoothing.
void run_cross_entropy_grad(const Call& c) {
  const View &x = c.in[0], &labels = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const bool known = with_floats(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const ClassWeights<T> weight(c.in[2]);
    double* all_weights = scratch_array<double>(c, 1);
    if (c.attrs[1] > 0) for_each_number(c, 1, SumWeights<T>{weight, x.shape[1], all_weights});
    const auto repeated = [&](const View& v) {  // g and h may be one number for all positions
      View full = labels;
      for (int d = 0; d < full.ndim; ++d) {
        const int own = d - (full.ndim - v.ndim);
        full.strides[d] = own < 0 || v.shape[own] == 1 ? 0 : v.strides[own];
      }
      return Locator(full);
    };
    for_each_value(
        c, numel(out),
        CrossEntropyGrad<T>{ClassPlace(x), x.template as<const T>(), Locator(x),
                            labels_of(c, labels, x.shape[1], c.attrs[0]), weight, c.in[3].template as<const double>(),
                            repeated(c.in[3]), c.in[4].template as<const T>(), c.in[5].template as<const T>(),
                            repeated(c.in[5]), c.in[6].template as<const T>(), repeated(c.in[6]), c.attrs[1],
                            all_weights, out.template as<T>(), Locator(out)});
  });
  if (!known) refuse_dtype(c, x.dtype);
}

// gx = -g / total weight[label] at the label of each position, 0 elsewhere.
template <class T>
struct NllGrad {
  ClassPlace place;
  Labels labels;
  ClassWeights<T> weight;
  const T* total;
  const T* g;
  Locator of_g;
  T* gx;
  Locator to;
  __device__ void operator()(uint32_t i) const {
    uint32_t position;
    int64_t c;
    place.split(i, &position, &c);
    const bool here = labels.get(position) == c;
    gx[to.at(i)] = here ? static_cast<T>(-(g[of_g.at(position)] / *total) * static_cast<T>(weight[c])) : T(0);
  }
};

// in: g, total, labels, weight; attrs: ignored label.
void run_nll_grad(const Call& c) {
  const View &labels = c.in[2], &out = c.out[0], &g = c.in[0];
  if (numel(out) == 0) return;
  const bool known = with_floats(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    View full = labels;
    for (int d = 0; d < full.ndim; ++d) {
      const int own = d - (full.ndim - g.ndim);
      full.strides[d] = own < 0 || g.shape[own] == 1 ? 0 : g.strides[own];
    }
    for_each_number(c, numel(out),
                    NllGrad<T>{ClassPlace(out), labels_of(c, labels, out.shape[1], c.attrs[0]),
                               ClassWeights<T>(c.in[3]), c.in[1].template as<const T>(), g.template as<const T>(),
                               Locator(full), out.template as<T>(), Locator(out)});
  });
  if (!known) refuse_dtype(c, out.dtype);
}

const Kernel kernels_crossEntropy[] = {{"warps", nullptr, run_cross_entropy}};
const Kernel kernels_crossEntropyGrad[] = {{"elements", nullptr, run_cross_entropy_grad}};
const Kernel kernels_nllLoss[] = {{"positions", nullptr, run_nll}};
const Kernel kernels_nllLossGrad[] = {{"elements", nullptr, run_nll_grad}};

}  // namespace

const OpKernels loss[] = {ATHANOR_OP(crossEntropy, kernels_crossEntropy),
                          ATHANOR_OP(crossEntropyGrad, kernels_crossEntropyGrad),
                          ATHANOR_OP(nllLoss, kernels_nllLoss),
                          ATHANOR_OP(nllLossGrad, kernels_nllLossGrad),
                          {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
