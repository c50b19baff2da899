// Normalisation: batchNorm (each channel of [N, C, ...]), layerNorm and rmsNorm (the last axes), groupNorm ([N, G, channels of a
// group, places]), their gradients, batchNormEval by given statistics, and moveRunning.
//
// What is normalised together is a set: a block walks it for its mean, for the squares of what deviates from that, and to write
// it, mostly from the second-level cache; short sets are a warp's. A gradient walks it for two means, then writes. The
// gradients of weight and bias are folded over the sets by rows of threads, a part of them a block, and the parts are
// added in their order. Sums are in float64. Reads and writes item size bytes an element, twice that backward, for about 8
// FLOPs: bound by bandwidth.
#include "cpu/dtypes.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/lines.h"

namespace athanor {
namespace cuda {
namespace {

enum class Kind { channels, lines, groups };

/** How the elements of dense memory make sets, and which parameter serves each. */
template <Kind K>
struct Sets {
  int64_t sets, size;              // how many, and their elements
  int64_t items, parameters;       // N of [N, ...], and how many weights there are
  int64_t plane;                   // elements of a channel that lie together
  int64_t channels;                // of a group

  /** The place of element i of a set. */
  __device__ __forceinline__ int64_t at(int64_t set, int64_t i) const {
    if (K == Kind::channels) return (i / plane * sets + set) * plane + i % plane;
    return set * size + i;
  }
  __device__ __forceinline__ int64_t parameter(int64_t set, int64_t i) const {
    if (K == Kind::channels) return set;
    if (K == Kind::lines) return i;
    return set % (parameters / channels) * channels + i / plane;
  }
  /** How many elements a parameter serves, and the set and place of the q-th of them. */
  __device__ __forceinline__ int64_t served() const {
    if (K == Kind::channels) return size;
    return K == Kind::lines ? sets : items * plane;
  }
  __device__ __forceinline__ void served_by(int64_t p, int64_t q, int64_t* set, int64_t* i) const {
    if (K == Kind::channels) {
      *set = p;
      *i = q;
    } else if (K == Kind::lines) {
      *set = q;
      *i = p;
    } else {
      *set = q / plane * (parameters / channels) + p / channels;
      *i = p % channels * plane + q % plane;
    }
  }
};

Sets<Kind::channels> channels_of(const View& x) {
  int64_t plane = 1;
  for (int d = 2; d < x.ndim; ++d) plane *= x.shape[d];
  return {x.shape[1], x.shape[0] * plane, x.shape[0], x.shape[1], plane, 1};
}
Sets<Kind::lines> lines_of(const View& x, int64_t length) {
  const int64_t sets = length > 0 ? numel(x) / length : 0;
  return {sets, length, sets, length, 1, 1};
}
Sets<Kind::groups> groups_of_channels(const View& x) {
  return {x.shape[0] * x.shape[1], x.shape[2] * x.shape[3], x.shape[0], x.shape[1] * x.shape[2], x.shape[3],
          x.shape[2]};
}

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

/** What a set's elements are made of: (x - mean) scale + shift is the same everywhere but in the factors. */
template <class T, Kind K>
struct Forward {
  Sets<K> sets;
  const T* x;
  Numbers<T> weight, bias;
  double eps;
  bool centred, relu;
  T *out, *mean, *variance;
};

template <class T, Kind K, int Threads>
__global__ void __launch_bounds__(kLineThreads) norm_forward(Forward<T, K> f) {
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const int64_t set = static_cast<int64_t>(blockIdx.x) * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (set >= f.sets.sets) return;  // whole warps, or the block
  const int64_t n = f.sets.size;
  double mean = 0;
  if (f.centred) {
    for (int64_t i = group.t; i < n; i += Threads) mean += static_cast<double>(f.x[f.sets.at(set, i)]);
    mean = group.all(mean, Add{}) / static_cast<double>(n);
  }
  double variance = 0;
  for (int64_t i = group.t; i < n; i += Threads) {
    const double d = static_cast<double>(f.x[f.sets.at(set, i)]) - mean;
    variance += d * d;
  }
  variance = group.all(variance, Add{}) / static_cast<double>(n);
  if (group.t == 0) {
    if (f.centred) f.mean[set] = static_cast<T>(mean);
    f.variance[set] = static_cast<T>(variance);
  }
  const T root = static_cast<T>(reciprocal_root(variance, f.eps)), origin = static_cast<T>(mean);
  for (int64_t i = group.t; i < n; i += Threads) {
    const int64_t at = f.sets.at(set, i), p = f.sets.parameter(set, i);
    T y = (f.x[at] - origin) * root * static_cast<T>(f.weight[p]);
    if (f.centred) y += static_cast<T>(f.bias[p]);
    f.out[at] = f.relu && y < 0 ? T(0) : y;
  }
}

template <class T, Kind K>
struct Backward {
  Sets<K> sets;
  const T *g, *x;
  Numbers<T> weight, bias, mean, variance;
  double eps;
  bool centred, relu;
  T* gx;

  /** What arrives before a relu: nothing where that gave 0. */
  __device__ __forceinline__ double arriving(int64_t at, int64_t set, int64_t p) const {
    const double g_at = static_cast<double>(g[at]);
    if (!relu) return g_at;
    const T root = static_cast<T>(reciprocal_root(variance[set], eps)), origin = static_cast<T>(mean[set]);
    const T out = (x[at] - origin) * root * static_cast<T>(weight[p]) + static_cast<T>(bias[p]);
    return out > 0 ? g_at : 0;
  }
  __device__ __forceinline__ double normal(int64_t at, int64_t set) const {
    const double m = centred ? mean[set] : 0;
    return (static_cast<double>(x[at]) - m) * reciprocal_root(variance[set], eps);
  }
};

// With h = g weight and y = (x - mean) root: gx = (h - mean(h) - y mean(h y)) root.
template <class T, Kind K, int Threads>
__global__ void __launch_bounds__(kLineThreads) norm_backward(Backward<T, K> b) {
  const Group<Threads> group{static_cast<int>(threadIdx.x) % Threads};
  const int64_t set = static_cast<int64_t>(blockIdx.x) * (kLineThreads / Threads) + threadIdx.x / Threads;
  if (set >= b.sets.sets) return;
  const int64_t n = b.sets.size;
  double mean_h = 0, mean_hy = 0;
  for (int64_t i = group.t; i < n; i += Threads) {
    const int64_t at = b.sets.at(set, i), p = b.sets.parameter(set, i);
    const double y = b.normal(at, set), h = b.arriving(at, set, p) * b.weight[p];
    mean_h += h;
    mean_hy += h * y;
  }
  mean_h = b.centred ? group.all(mean_h, Add{}) / static_cast<double>(n) : 0;
  mean_hy = group.all(mean_hy, Add{}) / static_cast<double>(n);
  const double root = reciprocal_root(b.variance[set], b.eps);
  for (int64_t i = group.t; i < n; i += Threads) {
    const int64_t at = b.sets.at(set, i), p = b.sets.parameter(set, i);
    const double y = b.normal(at, set), h = b.arriving(at, set, p) * b.weight[p];
    b.gx[at] = static_cast<T>((h - mean_h - y * mean_hy) * root);
  }
}

constexpr int kColumns = 32, kRows = kLineThreads / kColumns;

struct PairOfSums {
  double weight, bias;
};
struct ColumnSums {
  PairOfSums of[kRows][kColumns];
};

/** gw = sum of g y, gb = sum of g over what each parameter serves: the part of it that is block y's. */
template <class T, Kind K>
__global__ void __launch_bounds__(kLineThreads) parameter_sums(Backward<T, K> b, PairOfSums* partial) {
  const int64_t p = static_cast<int64_t>(blockIdx.x) * kColumns + threadIdx.x, count = b.sets.served();
  PairOfSums sum{0, 0};
  if (p < b.sets.parameters) {
    for (int64_t q = static_cast<int64_t>(blockIdx.y) * kRows + threadIdx.y; q < count;
         q += static_cast<int64_t>(gridDim.y) * kRows) {
      int64_t set, i;
      b.sets.served_by(p, q, &set, &i);
      const int64_t at = b.sets.at(set, i);
      const double y = b.normal(at, set), g = b.arriving(at, set, p);
      sum.weight += g * y;
      sum.bias += g;
    }
  }
  ATHANOR_SHARED(ColumnSums, shared);
  shared.of[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || p >= b.sets.parameters) return;
  for (int row = 1; row < kRows; ++row) {
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

/** kernel<Threads> over all sets: a block each, or a warp where they are short. */
template <class J>
void launch_sets(const Call& c, int64_t sets, int64_t size, void (*by_blocks)(J), void (*by_warps)(J), const J& job) {
  if (sets == 0) return;
  constexpr int64_t warps = kLineThreads / kWarp;
  if (size >= kLongLine)
    launch(c, by_blocks, dim3(static_cast<unsigned>(sets)), dim3(kLineThreads), 0, job);
  else
    launch(c, by_warps, dim3(static_cast<unsigned>((sets + warps - 1) / warps)), dim3(kLineThreads), 0, job);
}

// in: x, weight, [bias]; out: out, [mean], (biased) variance or mean square
template <class T, Kind K>
void forward(const Call& c, const Sets<K>& sets, double eps, bool centred, bool relu) {
  const View x = dense_view(c, c.in[0]);
  const DenseOutput out(c, c.out[0]), means(c, c.out[1]), variances(c, c.out[centred ? 2 : 1]);
  const Forward<T, K> job{sets,
                          x.as<const T>(),
                          Numbers<T>(c.in[1]),
                          Numbers<T>(c.in[centred ? 2 : 1]),
                          eps,
                          centred,
                          relu,
                          out.dense.as<T>(),
                          means.dense.as<T>(),
                          variances.dense.as<T>()};
  launch_sets(c, sets.sets, sets.size, norm_forward<T, K, kLineThreads>, norm_forward<T, K, kWarp>, job);
  out.store(c);
  if (centred) means.store(c);
  variances.store(c);
}

// in: g, x, weight, [bias,] [mean,] variance; out: gx, gw, [gb]
template <class T, Kind K>
void backward(const Call& c, const Sets<K>& sets, double eps, bool centred, bool relu, bool has_bias) {
  const View g = dense_view(c, c.in[0]), x = dense_view(c, c.in[1]);
  const int statistics = has_bias ? 4 : 3;
  const View& mean = c.in[statistics];
  const View& variance = c.in[centred ? statistics + 1 : statistics];
  const DenseOutput out(c, c.out[0]);
  const Backward<T, K> job{sets,
                           g.as<const T>(),
                           x.as<const T>(),
                           Numbers<T>(c.in[2]),
                           Numbers<T>(c.in[has_bias ? 3 : 2]),
                           Numbers<T>(mean),
                           Numbers<T>(variance),
                           eps,
                           centred,
                           relu,
                           out.dense.as<T>()};
  launch_sets(c, sets.sets, sets.size, norm_backward<T, K, kLineThreads>, norm_backward<T, K, kWarp>, job);
  out.store(c);
  if (numel(c.out[1]) == 0) return;
  const int64_t columns = (sets.parameters + kColumns - 1) / kColumns;
  const int64_t served = sets.parameters > 0 ? sets.sets * sets.size / sets.parameters : 0;
  const int64_t wanted = 8 * static_cast<int64_t>(context_of(c).multiprocessors);
  const int64_t most = (served + 8 * kRows - 1) / (8 * kRows);
  int64_t parts = columns > 0 ? (wanted + columns - 1) / columns : 1;
  parts = parts < most ? parts : most;
  parts = parts < 1 ? 1 : parts;
  PairOfSums* partial = scratch_array<PairOfSums>(c, parts * sets.parameters);
  if (columns > 0)
    launch(c, parameter_sums<T, K>, dim3(static_cast<unsigned>(columns), static_cast<unsigned>(parts)),
           dim3(kColumns, kRows), 0, job, partial);
  const bool one = c.out[1].ndim == 0 && sets.parameters != 1;
  const bool biased = c.n_out > 2;
  for_each_number(c, numel(c.out[1]),
                  StoreSums<T>{partial, parts, sets.parameters, one, c.out[1].as<T>(),
                               biased ? c.out[2].as<T>() : nullptr, Locator(c.out[1]),
                               Locator(c.out[biased ? 2 : 1])});
}

#define NORM_KERNEL(name, ...)                                    \
  void name(const Call& c) {                                      \
    const bool known = with_floats(c.in[0].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                     \
      __VA_ARGS__;                                                \
    });                                                           \
    if (!known) refuse_dtype(c, c.in[0].dtype);                   \
  }
// attrs: eps, whether a relu follows
NORM_KERNEL(batch_norm, forward<T>(c, channels_of(c.in[0]), c.attrs[0], true, c.attrs[1] != 0))
NORM_KERNEL(batch_norm_grad, backward<T>(c, channels_of(c.in[1]), c.attrs[0], true, c.attrs[1] != 0, true))
// attrs: length, eps
NORM_KERNEL(layer_norm, forward<T>(c, lines_of(c.in[0], static_cast<int64_t>(c.attrs[0])), c.attrs[1], true, false))
NORM_KERNEL(layer_norm_grad,
            backward<T>(c, lines_of(c.in[1], static_cast<int64_t>(c.attrs[0])), c.attrs[1], true, false, false))
NORM_KERNEL(rms_norm, forward<T>(c, lines_of(c.in[0], static_cast<int64_t>(c.attrs[0])), c.attrs[1], false, false))
NORM_KERNEL(rms_norm_grad,
            backward<T>(c, lines_of(c.in[1], static_cast<int64_t>(c.attrs[0])), c.attrs[1], false, false, false))
// attrs: eps
NORM_KERNEL(group_norm, forward<T>(c, groups_of_channels(c.in[0]), c.attrs[0], true, false))
NORM_KERNEL(group_norm_grad, backward<T>(c, groups_of_channels(c.in[1]), c.attrs[0], true, false, false))
#undef NORM_KERNEL

// ---- by given statistics. in: x, mean, variance, weight, bias; attrs: eps, whether a relu follows
template <class T>
struct Eval {
  FastDivide plane, channels;
  const T* x;
  Locator from;
  Numbers<T> mean, variance, weight, bias;
  double eps;
  bool relu;
  T* out;
  Locator to;
  __device__ void operator()(uint32_t i) const {
    const uint32_t above = plane.quotient(i), c = above - channels.quotient(above) * channels.divisor;
    const T scale = static_cast<T>(reciprocal_root(variance[c], eps)) * static_cast<T>(weight[c]);
    const T y = (x[from.at(i)] - static_cast<T>(mean[c])) * scale + static_cast<T>(bias[c]);
    out[to.at(i)] = relu && y < 0 ? T(0) : y;
  }
};

void batch_norm_eval(const Call& c) {
  const View& x = c.in[0];
  if (numel(x) == 0) return;
  const bool known = with_floats(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto sets = channels_of(x);
    for_each_number(c, numel(x),
                    Eval<T>{FastDivide(static_cast<uint32_t>(sets.plane)), FastDivide(static_cast<uint32_t>(sets.sets)),
                            x.template as<const T>(), Locator(x), Numbers<T>(c.in[1]), Numbers<T>(c.in[2]),
                            Numbers<T>(c.in[3]), Numbers<T>(c.in[4]), c.attrs[0], c.attrs[1] != 0,
                            c.out[0].template as<T>(), Locator(c.out[0])});
  });
  if (!known) refuse_dtype(c, x.dtype);
}

// running += momentum (factor batch - running) for one or several statistics. in: momentum, the running ones, those of the
// batch; out: the running ones; attrs: each one's factor.
template <class T>
struct Move {
  const T* momentum;
  Numbers<T> running, batch;
  double factor;
  T* out;
  Locator to;
  __device__ void operator()(uint32_t i) const {
    const double from = running[i];
    out[to.at(i)] = static_cast<T>(from + static_cast<double>(*momentum) * (factor * batch[i] - from));
  }
};

void move_running(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int k = 0; k < c.n_out; ++k)
      for_each_number(c, numel(c.out[k]),
                      Move<T>{c.in[0].template as<const T>(), Numbers<T>(c.in[1 + k]), Numbers<T>(c.in[1 + c.n_out + k]),
                              c.attrs[k], c.out[k].template as<T>(), Locator(c.out[k])});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_batchNorm[] = {{"sets", nullptr, batch_norm}};
const Kernel kernels_batchNormEval[] = {{"elements", nullptr, batch_norm_eval}};
const Kernel kernels_batchNormGrad[] = {{"sets", nullptr, batch_norm_grad}};
const Kernel kernels_layerNorm[] = {{"sets", nullptr, layer_norm}};
const Kernel kernels_layerNormGrad[] = {{"sets", nullptr, layer_norm_grad}};
const Kernel kernels_rmsNorm[] = {{"sets", nullptr, rms_norm}};
const Kernel kernels_rmsNormGrad[] = {{"sets", nullptr, rms_norm_grad}};
const Kernel kernels_groupNorm[] = {{"sets", nullptr, group_norm}};
const Kernel kernels_groupNormGrad[] = {{"sets", nullptr, group_norm_grad}};
const Kernel kernels_moveRunning[] = {{"elements", nullptr, move_running}};

}  // namespace

const OpKernels norm[] = {ATHANOR_OP(batchNorm, kernels_batchNorm),
                          ATHANOR_OP(batchNormEval, kernels_batchNormEval),
                          ATHANOR_OP(batchNormGrad, kernels_batchNormGrad),
                          ATHANOR_OP(layerNorm, kernels_layerNorm),
                          ATHANOR_OP(layerNormGrad, kernels_layerNormGrad),
                          ATHANOR_OP(rmsNorm, kernels_rmsNorm),
                          ATHANOR_OP(rmsNormGrad, kernels_rmsNormGrad),
                          ATHANOR_OP(groupNorm, kernels_groupNorm),
                          ATHANOR_OP(groupNormGrad, kernels_groupNormGrad),
                          ATHANOR_OP(moveRunning, kernels_moveRunning),
                          {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
