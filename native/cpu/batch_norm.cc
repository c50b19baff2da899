// Batch normalisation of [N, C, ...]: each channel by its own mean and variance (batchNorm), the same with a residual
// added to the result (batchNormAdd), by given ones (batchNormEval), and the gradients of the former two. attrs: eps,
// whether a relu follows.
// Threads share the items. Each goes through its own in the order of memory, adding to the sums of all channels, and in
// a second pass back, so that what is left in the caches comes first. (Channel by channel the second pass would find
// all in a cache, but planes that lie a power of two apart compete for few places there, and each plane is a new page:
// half as fast from 8x8 to 56x56.) Forward reads item size bytes an element twice and writes them once, backward reads
// twice that, also where a relu is fused: its mask is computed again from x. About 8 FLOPs: bound by bandwidth.
#include "cpu/batch_norm.h"

#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** each(number, part) for parts that hold a share of all channels' items, or of their planes where those are more. */
template <class F>
ATHANOR_ALWAYS_INLINE void by_shares(Context* ctx, const Planes& s, int64_t shares, const F& each) {
  const bool items = s.items >= shares;
  parallel_each(ctx, shares, [&](int64_t i) {
    const int64_t n = items ? s.items : s.plane, from = n * i / shares, to = n * (i + 1) / shares;
    each(i, items ? PlanePart{0, s.channels, from, to, 0, s.plane} : PlanePart{0, s.channels, 0, s.items, from, to});
  });
}

/** How many parts the work is cut into: each holds a share of every channel, and sums of its own. */
ATHANOR_ALWAYS_INLINE int64_t count_shares(const Context* ctx, const Planes& s) {
  return max_of<int64_t>(
      1, min_of<int64_t>(ctx->threads == 1 ? 1 : 4 * ctx->threads, s.items * s.plane * s.channels / kGrain));
}

/** Sums over each channel, know(channel, sums), then a second pass. */
template <class T, class Start, class Add, class Know, class Apply>
ATHANOR_ALWAYS_INLINE void two_passes(Context* ctx, const Planes& s, LaneSums<T>* sums, const Start& start,
                                      const Add& add, const Know& know, const Apply& apply) {
  const int64_t shares = count_shares(ctx, s);
  for (int64_t k = 0; k < s.channels; ++k) start(k);
  by_shares(ctx, s, shares, [&](int64_t i, const PlanePart& p) { add(p, sums + i * s.channels); });
  for (int64_t k = 0; k < s.channels; ++k) know(k, total_of(sums + k, s.channels, shares));
  by_shares(ctx, s, shares, [&](int64_t, const PlanePart& p) { apply(p); });
}

// in: x, weight, bias, and the residual where there is one; out: out, mean, (biased) variance
template <class T>
void batch_norm_of(const Call& c) {
  const Planes s(c.in[0]);
  const T* x = dense_view(c, c.in[0]).template as<const T>();
  const T *weight = dense_parameter<T>(c, c.in[1], s.channels), *bias = dense_parameter<T>(c, c.in[2], s.channels);
  const DenseOutput<T> out(c, c.out[0]), means(c, c.out[1]), variances(c, c.out[2]);
  T *to = out.data(), *mean = means.data(), *variance = variances.data();
  const T* const residual = c.n_in > 3 ? dense_view(c, c.in[3]).template as<const T>() : nullptr;
  const int64_t count = s.items * s.plane;
  T* origin = scratch_array<T>(c.ctx, s.channels);
  auto* affine = scratch_array<Affine<T>>(c.ctx, s.channels);
  const auto find_origin = [&](int64_t k) {
    origin[k] = count == 0 ? T(0) : origin_of(x + k * s.plane, s.items, s.channels * s.plane, s.plane);
  };
  const auto know = [&](int64_t k, const Sums& sums) {
    MeanVariance m = moments_of(sums, static_cast<double>(origin[k]), count);
    if (!is_finite(m.variance)) m = wide_moments(x + k * s.plane, s.items, s.channels * s.plane, s.plane, true);
    mean[k] = static_cast<T>(m.mean), variance[k] = static_cast<T>(m.variance);
    affine[k] = Affine<T>::of(mean[k], m.variance, weight[k], bias[k], c.attrs[0], c.attrs[1] != 0);
  };
  if (s.plane == 1 && residual == nullptr) {
    forward_columns<T>(c.ctx, s, to, x, origin, find_origin, know, affine);
  } else {
    auto* sums = scratch_array<LaneSums<T>>(c.ctx, s.channels * count_shares(c.ctx, s));
    const auto add = [&](const PlanePart& p, LaneSums<T>* of) {
      for (int64_t k = p.first; k < p.last; ++k) of[k].clear();
      p.rows(s, [&](int64_t k, int64_t at, int64_t n) { add_deviations(n, x + at, origin[k], of[k]); });
    };
    const auto apply = [&](const PlanePart& p) {
      if (residual == nullptr)
        p.rows_back(s, [&](int64_t k, int64_t at, int64_t n) { affine[k].row(n, to + at, x + at); });
      else
        p.rows_back(s, [&](int64_t k, int64_t at, int64_t n) {
          affine_sum_row(n, to + at, x + at, residual + at, Upstream<T>(affine[k]));
        });
    };
    two_passes(c.ctx, s, sums, find_origin, add, know, apply);
  }
  out.store(c.ctx), means.store(c.ctx), variances.store(c.ctx);
}

// in: x, mean, variance, weight, bias; out: out
template <class T>
void batch_norm_eval_of(const Call& c) {
  const Planes s(c.in[0]);
  const T* x = dense_view(c, c.in[0]).template as<const T>();
  const T *mean = dense_parameter<T>(c, c.in[1], s.channels), *variance = dense_parameter<T>(c, c.in[2], s.channels);
  const T *weight = dense_parameter<T>(c, c.in[3], s.channels), *bias = dense_parameter<T>(c, c.in[4], s.channels);
  const DenseOutput<T> out(c, c.out[0]);
  T* to = out.data();
  auto* affine = scratch_array<Affine<T>>(c.ctx, s.channels);
  for (int64_t k = 0; k < s.channels; ++k)
    affine[k] = Affine<T>::of(mean[k], variance[k], weight[k], bias[k], c.attrs[0], c.attrs[1] != 0);
  if (s.plane == 1) {
    parallel_for(c.ctx, s.items, ceil_div(kGrain, max_of<int64_t>(1, s.channels)),
                 [&](int64_t begin, int64_t end) { affine_columns<T>(s, begin, end, 0, s.channels, to, x, affine); });
  } else {
    const int64_t grain = ceil_div(kGrain, max_of<int64_t>(1, s.plane));
    parallel_for(c.ctx, s.items * s.channels, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin, k = begin % s.channels; r < end; ++r, k = k + 1 == s.channels ? 0 : k + 1)
        affine[k].row(s.plane, to + r * s.plane, x + r * s.plane);
    });
  }
  out.store(c.ctx);
}

/** The same without a relu. */
template <class T>
const Affine<T>* without_floor(Context* ctx, const Affine<T>* affine, int64_t channels) {
  auto* const plain = scratch_array<Affine<T>>(ctx, channels);
  for (int64_t k = 0; k < channels; ++k)
    plain[k] = {affine[k].mean, affine[k].scale, affine[k].shift, floor_of<T>(false)};
  return plain;
}

// in: g, x, weight, bias, mean, variance, and the residual where there is one; out: gx, and the gradients of weight and
// bias, one number where they are one, and that of the residual
template <class T>
void batch_norm_gradient(const Call& c) {
  const Planes s(c.in[1]);
  const T *g = dense_view(c, c.in[0]).template as<const T>(), *x = dense_view(c, c.in[1]).template as<const T>();
  const T *weight = dense_parameter<T>(c, c.in[2], s.channels), *bias = dense_parameter<T>(c, c.in[3], s.channels);
  const T *mean = dense_parameter<T>(c, c.in[4], s.channels), *variance = dense_parameter<T>(c, c.in[5], s.channels);
  const bool adds = c.n_in > 6;
  const T* const residual = adds ? dense_view(c, c.in[6]).template as<const T>() : nullptr;
  const DenseOutput<T> out(c, c.out[0]), past(c, c.out[adds ? 3 : 0]);
  T *const gx = out.data(), *const gr = past.data();
  const double count = static_cast<double>(s.items * s.plane);
  double *gw = scratch_array<double>(c.ctx, s.channels), *gb = scratch_array<double>(c.ctx, s.channels);
  auto* back = scratch_array<BackAffine<T>>(c.ctx, s.channels);
  auto* affine = scratch_array<Affine<T>>(c.ctx, s.channels);
  for (int64_t k = 0; k < s.channels; ++k)
    affine[k] = Affine<T>::of(mean[k], variance[k], weight[k], bias[k], c.attrs[0], c.attrs[1] != 0);
  const auto know = [&](int64_t k, const Sums& sums) {
    const T root = reciprocal_root<T>(variance[k], c.attrs[0]);
    const double w = weight[k];
    back[k] = BackAffine<T>::of({w * sums.first / count, w * sums.second / count}, root, weight[k]);
    gb[k] = sums.first;
    gw[k] = sums.second * root;
  };
  if (s.plane == 1 && !adds) {
    backward_columns<T>(c.ctx, s, gx, g, x, know, affine, back);
  } else {
    auto* sums = scratch_array<LaneSums<T>>(c.ctx, s.channels * count_shares(c.ctx, s));
    // Behind a residual the relu's part is done once, into the gradient of the residual.
    const T* const from = adds ? gr : g;
    const Affine<T>* const mask = adds ? without_floor(c.ctx, affine, s.channels) : affine;
    const auto add = [&](const PlanePart& p, LaneSums<T>* of) {
      for (int64_t k = p.first; k < p.last; ++k) of[k].clear();
      p.rows(s, [&](int64_t k, int64_t at, int64_t n) {
        if (adds) masked_row(n, gr + at, g + at, x + at, residual + at, Upstream<T>(affine[k]));
        add_gradients<T>(n, from + at, x + at, Upstream<T>(mask[k]), of[k]);
      });
    };
    const auto apply = [&](const PlanePart& p) {
      p.rows_back(s, [&](int64_t k, int64_t at, int64_t n) {
        back[k].row(n, gx + at, from + at, x + at, Upstream<T>(mask[k]));
      });
    };
    two_passes(c.ctx, s, sums, [](int64_t) {}, add, know, apply);
  }
  out.store(c.ctx);
  if (adds) past.store(c.ctx);
  store_parameter_gradient<T>(c.out[1], s.channels, gw);
  store_parameter_gradient<T>(c.out[2], s.channels, gb);
}

ATHANOR_FLOAT_KERNEL(batch_norm_channels, batch_norm_of<T>(c))
ATHANOR_FLOAT_KERNEL(batch_norm_eval_channels, batch_norm_eval_of<T>(c))
ATHANOR_FLOAT_KERNEL(batch_norm_grad_channels, batch_norm_gradient<T>(c))

// running += momentum (factor batch - running) for one or several statistics. in: momentum, the running ones, those of
// the batch; out: the running ones; attrs: each one's factor.
template <class T>
void move_running_of(const Call& c) {
  const double momentum = *c.in[0].as<const T>();
  for (int i = 0; i < c.n_out; ++i) {
    const View &running = c.in[1 + i], &batch = c.in[1 + c.n_out + i], &out = c.out[i];
    for (int64_t k = 0; k < out.shape[0]; ++k) {
      const double from = running.as<const T>()[k * running.strides[0]];
      const double to = c.attrs[i] * static_cast<double>(batch.as<const T>()[k * batch.strides[0]]);
      out.as<T>()[k * out.strides[0]] = static_cast<T>(from + momentum * (to - from));
    }
  }
}
ATHANOR_FLOAT_KERNEL(move_running, move_running_of<T>(c))

const Kernel kernels_batchNorm[] = {{"channels", nullptr, batch_norm_channels}};
const Kernel kernels_batchNormEval[] = {{"channels", nullptr, batch_norm_eval_channels}};
const Kernel kernels_batchNormGrad[] = {{"channels", nullptr, batch_norm_grad_channels}};
const Kernel kernels_batchNormAdd[] = {{"channels", nullptr, batch_norm_channels}};
const Kernel kernels_batchNormAddGrad[] = {{"channels", nullptr, batch_norm_grad_channels}};
const Kernel kernels_moveRunning[] = {{"vectors", nullptr, move_running}};

}  // namespace

const OpKernels batch_norm[] = {ATHANOR_OP(batchNorm, kernels_batchNorm),
                                ATHANOR_OP(batchNormEval, kernels_batchNormEval),
                                ATHANOR_OP(batchNormGrad, kernels_batchNormGrad),
                                ATHANOR_OP(batchNormAdd, kernels_batchNormAdd),
                                ATHANOR_OP(batchNormAddGrad, kernels_batchNormAddGrad),
                                ATHANOR_OP(moveRunning, kernels_moveRunning),
                                {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
