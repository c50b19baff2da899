// Normalisation: batchNorm (each channel of [N, C, ...]; batchNormAdd with a residual added to the result), layerNorm
// and rmsNorm (the last axes), groupNorm ([N, G, channels of a group, places]), their gradients, batchNormEval by given
// statistics, and moveRunning.
//
// What is normalised together is a set (few channels of a batch norm are cut into parts: norm_split.h): a block walks
// it for its mean, for the squares of what deviates from that, and to write it, mostly from the second-level cache;
// short sets are a warp's. A gradient walks it for two means, then writes; of a channel the gradients of weight and
// bias are these means' sums. Of other sets they are folded over the sets by rows of threads, a part of them a block,
// and the parts are added in their order. Sums are in float64. Reads and writes item size bytes an element, twice that
// backward, for about 8 FLOPs: bound by bandwidth.
#include "cpu/dtypes.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/norm_split.h"

namespace athanor {
namespace cuda {
namespace {

NormSets<NormKind::channels> channels_of(const View& x) {
  int64_t plane = 1;
  for (int d = 2; d < x.ndim; ++d) plane *= x.shape[d];
  return {x.shape[0], 1, x.shape[1], plane};
}
/** As many lines as there are statistics: those of an empty line are nan. */
NormSets<NormKind::lines> lines_of(const View& statistics, double length) {
  return {numel(statistics), 1, 1, static_cast<int64_t>(length)};
}
NormSets<NormKind::groups> groups_of_channels(const View& x) {
  return {x.shape[0], x.shape[1], x.shape[2], x.shape[3]};
}

/** Places within a set, and numbers of sets that are counted through, have 31 bits. */
template <NormKind K>
bool fits(const Call& c, const NormSets<K>& sets) {
  constexpr int64_t most = int64_t{1} << 31;
  const bool fit = sets.size < most && (K == NormKind::channels || sets.sets < most) && sets.served() < most;
  if (!fit) c.ctx->fail(c.ctx, "2^31 or more elements have one mean or one weight");
  return fit;
}

int64_t parts_of(const Call& c, int64_t channels, int64_t size) {
  return choose_norm_parts(channels, size, context_of(c).multiprocessors);
}

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

// in: x, weight, [bias, [residual]]; out: out, [mean], (biased) variance or mean square
template <class T, NormKind K>
void forward(const Call& c, const NormSets<K>& sets, double eps, bool centred, bool relu) {
  if (!fits(c, sets)) return;
  const View x = dense_view(c, c.in[0]);
  const DenseOutput out(c, c.out[0]), means(c, c.out[1]), variances(c, c.out[centred ? 2 : 1]);
  const bool adds = c.n_in > 3;
  const View residual = adds ? dense_view(c, c.in[3]) : x;
  const NormForward<T, K> job{sets,
                              x.as<const T>(),
                              adds ? residual.as<const T>() : nullptr,
                              Numbers<T>(c.in[1]),
                              Numbers<T>(c.in[centred ? 2 : 1]),
                              eps,
                              centred,
                              relu,
                              out.dense.as<T>(),
                              means.dense.as<T>(),
                              variances.dense.as<T>()};
  const int64_t parts = K == NormKind::channels ? parts_of(c, sets.sets, sets.size) : 1;
  if constexpr (K == NormKind::channels)
    if (parts > 1) launch_parts(c, sets.sets, sets.size, parts, job, sum_deviations<T>, normalise_parts<T>);
  if (parts == 1)
    launch_sets(c, sets.sets, sets.size, norm_forward<T, K, kLineThreads>, norm_forward<T, K, kWarp>, job);
  out.store(c);
  if (centred) means.store(c);
  variances.store(c);
}

/** The sums of all parameters, in parts. */
template <class T, NormKind K>
const PairOfSums* sum_parts(const Call& c, const NormBackward<T, K>& job, int64_t* parts) {
  const NormSets<K>& sets = job.sets;
  const int64_t columns = (sets.parameters + kNormColumns - 1) / kNormColumns;
  if (columns == 0) return nullptr;
  const int64_t served = sets.sets * sets.size / sets.parameters;
  const int64_t wanted = 8 * static_cast<int64_t>(context_of(c).multiprocessors);
  const int64_t most = (served + 8 * kNormRows - 1) / (8 * kNormRows), even = (wanted + columns - 1) / columns;
  *parts = even < most ? even : most;
  if (*parts < 1) *parts = 1;
  PairOfSums* const partial = scratch_array<PairOfSums>(c, *parts * sets.parameters);
  launch(c, sum_parameters<T, K>, dim3(static_cast<unsigned>(columns), static_cast<unsigned>(*parts)),
         dim3(kNormColumns, kNormRows), 0, job, partial);
  return partial;
}

// in: g, x, weight, [bias,] [mean,] variance, [residual]; out: gx, gw, [gb], [gradient of the residual]
template <class T, NormKind K>
void backward(const Call& c, const NormSets<K>& sets, double eps, bool centred, bool relu, bool has_bias) {
  if (!fits(c, sets)) return;
  const View g = dense_view(c, c.in[0]), x = dense_view(c, c.in[1]);
  const int statistics = has_bias ? 4 : 3;
  const View& mean = c.in[statistics];
  const View& variance = c.in[centred ? statistics + 1 : statistics];
  const bool adds = c.n_in > 6;
  const View residual = adds ? dense_view(c, c.in[6]) : x;
  const DenseOutput out(c, c.out[0]), past(c, c.out[adds ? 3 : 0]);
  const NormBackward<T, K> job{sets,
                               g.as<const T>(),
                               x.as<const T>(),
                               adds ? residual.as<const T>() : nullptr,
                               Numbers<T>(c.in[2]),
                               Numbers<T>(c.in[has_bias ? 3 : 2]),
                               Numbers<T>(mean),
                               Numbers<T>(variance),
                               eps,
                               centred,
                               relu,
                               out.dense.as<T>(),
                               adds ? past.dense.as<T>() : nullptr,
                               K == NormKind::channels ? scratch_array<PairOfSums>(c, sets.sets) : nullptr};
  const int64_t cut = K == NormKind::channels ? parts_of(c, sets.sets, sets.size) : 1;
  if constexpr (K == NormKind::channels)
    if (cut > 1) launch_parts(c, sets.sets, sets.size, cut, job, sum_gradients<T>, send_back_parts<T>);
  if (cut == 1)
    launch_sets(c, sets.sets, sets.size, norm_backward<T, K, kLineThreads>, norm_backward<T, K, kWarp>, job);
  out.store(c);
  if (adds) past.store(c);
  if (numel(c.out[1]) == 0) return;
  int64_t parts = 1;
  const PairOfSums* partial = job.sums;
  if constexpr (K != NormKind::channels) partial = sum_parts(c, job, &parts);
  const bool one = c.out[1].ndim == 0 && sets.parameters != 1;
  const bool biased = c.n_out > 2;
  for_each_number(c, numel(c.out[1]),
                  StoreSums<T>{partial, parts, sets.parameters, one, c.out[1].as<T>(),
                               biased ? c.out[2].as<T>() : nullptr, Locator(c.out[1]), Locator(c.out[biased ? 2 : 1])});
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
NORM_KERNEL(layer_norm, forward<T>(c, lines_of(c.out[1], c.attrs[0]), c.attrs[1], true, false))
NORM_KERNEL(layer_norm_grad, backward<T>(c, lines_of(c.in[3], c.attrs[0]), c.attrs[1], true, false, false))
NORM_KERNEL(rms_norm, forward<T>(c, lines_of(c.out[1], c.attrs[0]), c.attrs[1], false, false))
NORM_KERNEL(rms_norm_grad, backward<T>(c, lines_of(c.in[3], c.attrs[0]), c.attrs[1], false, false, false))
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
    for_each_number(
        c, numel(x),
        Eval<T>{sets.plane, FastDivide(static_cast<uint32_t>(sets.sets)), x.template as<const T>(), Locator(x),
                Numbers<T>(c.in[1]), Numbers<T>(c.in[2]), Numbers<T>(c.in[3]), Numbers<T>(c.in[4]), c.attrs[0],
                c.attrs[1] != 0, c.out[0].template as<T>(), Locator(c.out[0])});
  });
  if (!known) refuse_dtype(c, x.dtype);
}

// running += momentum (factor batch - running) for one or several statistics. in: momentum, the running ones, those of
// the batch; out: the running ones; attrs: each one's factor.
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
      for_each_number(
          c, numel(c.out[k]),
          Move<T>{c.in[0].template as<const T>(), Numbers<T>(c.in[1 + k]), Numbers<T>(c.in[1 + c.n_out + k]),
                  c.attrs[k], c.out[k].template as<T>(), Locator(c.out[k])});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_batchNorm[] = {{"sets", nullptr, batch_norm}};
const Kernel kernels_batchNormAdd[] = {{"sets", nullptr, batch_norm}};
const Kernel kernels_batchNormAddGrad[] = {{"sets", nullptr, batch_norm_grad}};
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
                          ATHANOR_OP(batchNormAdd, kernels_batchNormAdd),
                          ATHANOR_OP(batchNormAddGrad, kernels_batchNormAddGrad),
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
