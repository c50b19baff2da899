// Normalisation: batchNorm (each channel of [N, C, ...]; batchNormAdd with a residual added to the result), layerNorm
// and rmsNorm (the last axes), groupNorm ([N, G, channels of a group, places]), their gradients, batchNormEval by given
// statistics, and moveRunning.
//
// What is normalised together is a set: a block walks it for the sums of what deviates from its first element and of
// the squares, and to write it; short sets are a warp's. Lines and groups of up to 8192 elements are held in registers
// (norm_lines.h). Channels of more than a cache holds are cut into parts for all multiprocessors (norm_split.h), and
// have kernels of their own where they are neighbours in memory (norm_columns.h). A gradient walks a set for two means,
// then writes; of a channel the gradients of weight and bias are these means' sums. Of other sets they are folded over
// the sets, a part of them a block, and the parts are added in their order. Sums are in float64. Reads and writes item
// size bytes an element, twice that backward, for about 8 FLOPs: bound by bandwidth.
#include <initializer_list>

#include "cpu/dtypes.h"
#include "cuda/dense.h"
#include "cuda/families.h"
#include "cuda/norm_columns.h"
#include "cuda/norm_lines.h"
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

/** Elements of a batch norm that one launch walks twice: the second-level cache has them then. */
constexpr int64_t kCached = 1 << 18;

/** Whether channels are neighbours and all else follows in order. */
bool channels_last(const View& v) {
  View turned = v;
  for (int d = 2; d < v.ndim; ++d) turned.shape[d - 1] = v.shape[d], turned.strides[d - 1] = v.strides[d];
  turned.shape[v.ndim - 1] = v.shape[1], turned.strides[v.ndim - 1] = v.strides[1];
  return is_contiguous(turned);
}

/** Whether all of an op's images have channels last. */
bool all_channels_last(std::initializer_list<const View*> views) {
  for (const View* v : views)
    if (!channels_last(*v)) return false;
  return true;
}

bool all_aligned(std::initializer_list<const void*> operands) {
  for (const void* at : operands)
    if (!aligned(at, kVectorBytes)) return false;
  return true;
}

/** Whether all of an op's operands begin equally far from a multiple of 16 bytes. */
template <class T>
bool same_offset(std::initializer_list<const T*> operands) {
  for (const T* at : operands)
    if ((reinterpret_cast<uintptr_t>(at) - reinterpret_cast<uintptr_t>(*operands.begin())) % kVectorBytes != 0)
      return false;
  return true;
}

/** Whether one launch does: there are channels enough for a block each, and little of them. */
bool one_launch(const Call& c, const NormSets<NormKind::channels>& sets) {
  return sets.sets * sets.size <= kCached &&
         choose_norm_parts(sets.sets, sets.size, context_of(c).multiprocessors) == 1;
}

// in: x, weight, [bias, [residual]]; out: out, [mean], (biased) variance or mean square
template <class T, NormKind K>
void forward(const Call& c, const NormSets<K>& sets, double eps, bool centred, bool relu) {
  if (!fits(c, sets)) return;
  const bool adds = c.n_in > 3;
  const bool last = K == NormKind::channels && all_channels_last({&c.in[0], &c.out[0], &c.in[adds ? 3 : 0]});
  const auto dense = [&](const View& v) { return last ? v : dense_view(c, v); };
  const View x = dense(c.in[0]), residual = adds ? dense(c.in[3]) : x;
  const DenseOutput out(c, c.out[0], last), means(c, c.out[1]), variances(c, c.out[centred ? 2 : 1]);
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
  const bool wide = all_aligned({job.x, job.out, job.residual});
  bool done = false;
  if constexpr (K == NormKind::channels) {
    done = true;
    const int64_t plane = sets.plane.divisor;
    if (sets.size > 0 && (last || plane == 1)) {
      run_columns<T>(c, sets.size, sets.sets, wide, job);
    } else if (!one_launch(c, sets)) {
      constexpr int V = kVector<T>;
      const NormParts cut(c, sets.sets, sets.size, V);
      wide&& plane % V == 0 ? launch_parts(c, cut, job, sum_deviations<T, V>, normalise_parts<T, V>)
                            : launch_parts(c, cut, job, sum_deviations<T, 1>, normalise_parts<T, 1>);
    } else {
      done = false;
    }
  } else {
    const View weight = dense_view(c, c.in[1]), bias = dense_view(c, c.in[centred ? 2 : 1]);
    const NormParameters<T> parameters(weight, centred ? &bias : nullptr);
    done = launch_held<HeldForward>(c, job, parameters, same_offset<T>({job.x, job.out}));
  }
  if (!done) launch_sets(c, sets.sets, sets.size, norm_forward<T, K, kLineThreads>, norm_forward<T, K, kWarp>, job);
  out.store(c);
  if (centred) means.store(c);
  variances.store(c);
}

/** The sums of the parameters of all lines, in parts. */
template <class T>
const PairOfSums* sum_parts(const Call& c, const NormBackward<T, NormKind::lines>& job, int64_t* parts) {
  const NormSets<NormKind::lines>& sets = job.sets;
  const int64_t columns = (sets.parameters + kNormColumns - 1) / kNormColumns;
  const int64_t wanted = 8 * static_cast<int64_t>(context_of(c).multiprocessors);
  const int64_t most = (sets.sets + 8 * kNormRows - 1) / (8 * kNormRows), even = (wanted + columns - 1) / columns;
  *parts = even < most ? even : most;
  if (*parts < 1) *parts = 1;
  PairOfSums* const partial = scratch_array<PairOfSums>(c, *parts * sets.parameters);
  launch(c, sum_parameters<T>, dim3(static_cast<unsigned>(columns), static_cast<unsigned>(*parts)),
         dim3(kNormColumns, kNormRows), 0, job, partial);
  return partial;
}

/** Those of the channels of all groups. */
template <class T>
const PairOfSums* sum_parts(const Call& c, const NormBackward<T, NormKind::groups>& job, int64_t* parts) {
  constexpr int V = kVector<T>;
  const bool vectors = all_aligned({job.g, job.x}) && job.sets.plane.divisor % V == 0;
  const NormParts cut(c, job.sets.parameters, job.sets.served(), V);
  *parts = cut.parts;
  PairOfSums* const partial = scratch_array<PairOfSums>(c, cut.parts * cut.parameters);
  launch(c, vectors ? sum_gradients<T, NormKind::groups, V> : sum_gradients<T, NormKind::groups, 1>, cut.grid(),
         dim3(kLineThreads), 0, job, cut.part, partial);
  return partial;
}

// in: g, x, weight, [bias,] [mean,] variance, [residual]; out: gx, gw, [gb], [gradient of the residual]
template <class T, NormKind K>
void backward(const Call& c, const NormSets<K>& sets, double eps, bool centred, bool relu, bool has_bias) {
  if (!fits(c, sets)) return;
  constexpr bool channels = K == NormKind::channels;
  const bool adds = c.n_in > 6;
  const bool last =
      channels && all_channels_last({&c.in[0], &c.in[1], &c.out[0], &c.in[adds ? 6 : 0], &c.out[adds ? 3 : 0]});
  const auto dense = [&](const View& v) { return last ? v : dense_view(c, v); };
  const View g = dense(c.in[0]), x = dense(c.in[1]), residual = adds ? dense(c.in[6]) : x;
  const int statistics = has_bias ? 4 : 3;
  const View& mean = c.in[statistics];
  const View& variance = c.in[centred ? statistics + 1 : statistics];
  const DenseOutput out(c, c.out[0], last), past(c, c.out[adds ? 3 : 0], last);
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
                               channels ? scratch_array<PairOfSums>(c, sets.sets) : nullptr,
                               channels ? nullptr : scratch_array<Statistics>(c, sets.sets)};
  bool done = false;
  if constexpr (channels) {
    done = true;
    const int64_t plane = sets.plane.divisor;
    const bool wide = all_aligned({job.g, job.x, job.residual, job.gx, job.gr});
    if (sets.size > 0 && (last || plane == 1)) {
      run_columns<T>(c, sets.size, sets.sets, wide, job);
    } else if (!one_launch(c, sets)) {
      constexpr int V = kVector<T>;
      const NormParts cut(c, sets.sets, sets.size, V);
      wide&& plane % V == 0 ? launch_parts(c, cut, job, sum_gradients<T, K, V>, send_back_parts<T, V>)
                            : launch_parts(c, cut, job, sum_gradients<T, K, 1>, send_back_parts<T, 1>);
    } else {
      done = false;
    }
  } else {
    const View weight = dense_view(c, c.in[2]);
    done =
        launch_held<HeldBackward>(c, job, NormParameters<T>(weight, nullptr), same_offset<T>({job.x, job.g, job.gx}));
  }
  if (!done) launch_sets(c, sets.sets, sets.size, norm_backward<T, K, kLineThreads>, norm_backward<T, K, kWarp>, job);
  out.store(c);
  if (adds) past.store(c);
  if (numel(c.out[1]) == 0) return;
  int64_t parts = 1;
  const PairOfSums* partial = job.sums;
  if constexpr (!channels) partial = sum_parts(c, job, &parts);
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

/** What a channel's elements are made of, once for all of them: (x - mean) scale + bias. */
template <class T>
struct Scaling {
  T mean, scale, bias;
};
template <class T>
struct MakeScaling {
  Numbers<T> mean, variance, weight, bias;
  double eps;
  Scaling<T>* out;
  __device__ void operator()(uint32_t c) const {
    const T root = static_cast<T>(reciprocal_root(variance[c], eps));
    out[c] = {static_cast<T>(mean[c]), root * static_cast<T>(weight[c]), static_cast<T>(bias[c])};
  }
};

template <class T>
struct Eval {
  FastDivide plane, channels;
  const T* x;
  Locator from;
  const Scaling<T>* scaling;
  bool relu;
  T* out;
  Locator to;
  __device__ T value(uint32_t i) const {
    const uint32_t above = plane.quotient(i), c = above - channels.quotient(above) * channels.divisor;
    const Scaling<T> own = scaling[c];
    const T y = (x[from.at(i)] - own.mean) * own.scale + own.bias;
    return relu && y < 0 ? T(0) : y;
  }
  __device__ void put(uint32_t i, T value) const { out[to.at(i)] = value; }
};

void batch_norm_eval(const Call& c) {
  const View& x = c.in[0];
  if (numel(x) == 0) return;
  const bool known = with_floats(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto sets = channels_of(x);
    Scaling<T>* const scaling = scratch_array<Scaling<T>>(c, sets.sets);
    for_each_number(c, sets.sets,
                    MakeScaling<T>{Numbers<T>(c.in[1]), Numbers<T>(c.in[2]), Numbers<T>(c.in[3]), Numbers<T>(c.in[4]),
                                   c.attrs[0], scaling});
    for_each_value(c, numel(x),
                   Eval<T>{sets.plane, FastDivide(static_cast<uint32_t>(sets.sets)), x.template as<const T>(),
                           Locator(x), scaling, c.attrs[1] != 0, c.out[0].template as<T>(), Locator(c.out[0])});
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
