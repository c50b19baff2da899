// Losses over classes, fused: crossEntropy (from scores; attrs: reduction, ignored label, label smoothing) and nllLoss
// (from log-probabilities; attrs: reduction, ignored label), with their gradients.
//
// crossEntropy reads the scores twice from the first cache and keeps only the logarithm of the softmax denominator of
// each position, from which its gradient makes the probabilities again: item size bytes an element forward, twice that
// backward, one exp each. Split over positions; sums over positions are taken in their order.
#include "cpu/class_loss.h"
#include "cpu/exp_rows.h"
#include "cpu/families.h"
#include "cpu/log_sum_exp.h"
#include "cpu/move.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

constexpr int64_t kTile = 256;  // positions at a time: their classes, side by side in memory or not

/** Positions as a walk over lse (or out), x without its classes and the labels, in this order. */
struct Positions {
  int64_t classes, step;  // of x
  Walk<3> walk;
  View rest;

  Positions(const View& full, const View& x, const View& labels)
      : classes(x.shape[1]), step(x.strides[1]), rest(without_axis(x, 1)) {
    walk = make_walk<3>({&full, &rest, &labels});
  }
  int64_t apart(int operand) const { return walk.strides[operand][walk.ndim - 1]; }
};

/** The maximum of each of k <= kTile neighbouring columns of n elements, `step` apart, and the sum of exp(x - maximum).
 */
template <class T>
void exp_columns(int64_t k, int64_t n, const T* x, int64_t step, T* max, double* sum) {
  T exps[kTile];
  for (int64_t i = 0; i < k; ++i) max[i] = m::Limits<T>::low, sum[i] = 0;
  for (int64_t j = 0; j < n; ++j) {
    const T* row = x + j * step;
#pragma omp simd
    for (int64_t i = 0; i < k; ++i) max[i] = row[i] > max[i] ? row[i] : max[i];
  }
  for (int64_t j = 0; j < n; ++j) {
    const T* row = x + j * step;
#pragma omp simd
    for (int64_t i = 0; i < k; ++i) exps[i] = m::exp(row[i] - max[i]);
#pragma omp simd
    for (int64_t i = 0; i < k; ++i) sum[i] += exps[i];
  }
}

/** The logarithms of the softmax denominators of at most kTile positions, `apart` elements from each to the next. */
template <class T>
void position_lse(int64_t k, const Positions& p, const FoldPlan& over_classes, const T* from, int64_t apart,
                  double* lse) {
  using K = LogSumExp<T>;
  if (p.step == 1 || apart == 1) {
    T max[kTile];
    double sum[kTile];
    if (p.step == 1) {
      exp_rows<T>(k, p.classes, nullptr, 0, from, apart, max, sum);
    } else {
      exp_columns<T>(k, p.classes, from, p.step, max, sum);
    }
#pragma omp simd
    for (int64_t i = 0; i < k; ++i) sum[i] = m::log(sum[i]);
    for (int64_t i = 0; i < k; ++i) lse[i] = static_cast<double>(max[i]) + sum[i];
    bool known = true;
    for (int64_t i = 0; i < k; ++i) known = known && lse[i] - lse[i] == 0;
    if (known) return;  // else some scores are infinite or nan
  }
  typename K::State states[kTile];
  if (p.step != 1 && apart == 1) {
    K::columns(over_classes, from, k, 1, states);
  } else {
    for (int64_t i = 0; i < k; ++i) states[i] = K::row(from + i * apart, p.classes, p.step);
  }
  for (int64_t i = 0; i < k; ++i) lse[i] = K::finish(states[i]);
}

template <class T>
void cross_entropy_of(const Call& c) {
  const View &x = c.in[0], &labels = c.in[1];
  const ClassWeights<T> weight(c.in[2]);
  const auto how = static_cast<Reduction>(static_cast<int>(c.attrs[0]));
  const int32_t ignored = static_cast<int32_t>(c.attrs[1]);
  const double smoothing = c.attrs[2];
  const Positions p(c.out[1], x, labels);
  if (!labels_fit(c, labels, p.classes, ignored)) return;

  const int64_t n = numel(labels);
  double* lse = c.out[1].template as<double>();
  auto* losses = static_cast<double*>(c.ctx->scratch(c.ctx, static_cast<size_t>(2 * n) * sizeof(double)));
  double* weights = losses + n;
  const double all_weights = smoothing > 0 ? weight.sum(p.classes) : 0;
  const T* scores = x.as<const T>();
  const int32_t* label = labels.as<const int32_t>();
  const int64_t sx = p.apart(1), sy = p.apart(2);
  FoldPlan over_classes;  // of positions taken together
  over_classes.folded[0] = {p.classes, p.step, 0};
  over_classes.n_folded = 1;
  over_classes.count = p.classes;

  for_rows(c.ctx, p.walk, max_of<int64_t>(1, kGrain / 4 / max_of<int64_t>(1, p.classes)),
           [&](int64_t run, const int64_t* at) {
             for (int64_t first = 0; first < run; first += kTile) {
               const int64_t k = min_of(kTile, run - first);
               const T* from = scores + at[1] + first * sx;
               const int32_t* y = label + at[2] + first * sy;
               const int64_t to = at[0] + first;  // lse is new, so its offset is the position's number
               position_lse(k, p, over_classes, from, sx, lse + to);
               for (int64_t i = 0; i < k; ++i) {
                 const double all = lse[to + i];
                 const int32_t class_ = y[i * sy];
                 losses[to + i] = weights[to + i] = 0;
                 if (class_ == ignored) continue;
                 const double w = weights[to + i] = weight[class_];
                 losses[to + i] = w * (all - from[i * sx + class_ * p.step]);
                 if (smoothing > 0) {
                   const double others = all_weights * all - weight.weigh(from + i * sx, p.step, p.classes);
                   losses[to + i] =
                       (1 - smoothing) * losses[to + i] + smoothing / static_cast<double>(p.classes) * others;
                 }
               }
             }
           });
  reduce_losses(how, n, losses, weights, c.out[0].template as<T>(), c.out[2].template as<T>());
}

// gx = (q S + h) softmax(x) - q t, where t is the target distribution with its weights and S its sum; q = g / total is
// the gradient of the position's loss and h that of its lse. in: x, labels, weight, lse, total, g, h; attrs: ignored
// label, label smoothing.
template <class T>
void cross_entropy_gradient(const Call& c) {
  const View &x = c.in[0], &labels = c.in[1], &out = c.out[0];
  const ClassWeights<T> weight(c.in[2]);
  const int32_t ignored = static_cast<int32_t>(c.attrs[0]);
  const int64_t classes = x.shape[1], step = x.strides[1], out_step = out.strides[1];
  if (numel(out) == 0 || !labels_fit(c, labels, classes, ignored)) return;
  const double smoothing = c.attrs[1], spread = smoothing / static_cast<double>(classes);
  const double all_weights = smoothing > 0 ? weight.sum(classes) : 0;
  const View rest_out = without_axis(out, 1), rest_x = without_axis(x, 1);
  const Walk<6> walk = make_walk<6>({&rest_out, &rest_x, &labels, &c.in[3], &c.in[5], &c.in[6]});
  const T total = *c.in[4].template as<const T>();
  int64_t apart[6];
  for (int k = 0; k < 6; ++k) apart[k] = walk.strides[k][walk.ndim - 1];

  for_rows(c.ctx, walk, max_of<int64_t>(1, kGrain / 2 / classes), [&](int64_t run, const int64_t* at) {
    T* gx = out.as<T>() + at[0];
    const T* from = x.as<const T>() + at[1];
    const int32_t* y = labels.as<const int32_t>() + at[2];
    const double* lse = c.in[3].template as<const double>() + at[3];
    const T *g = c.in[5].template as<const T>() + at[4], *h = c.in[6].template as<const T>() + at[5];
    T shift[kTile], low[kTile], factor[kTile], scales[kTile];
    for (int64_t first = 0; first < run; first += kTile) {
      const int64_t k = min_of(kTile, run - first);
      for (int64_t i = 0; i < k; ++i) {
        const int64_t q = first + i;
        const int32_t class_ = y[q * apart[2]];
        const double target = class_ == ignored ? 0 : (1 - smoothing) * weight[class_] + spread * all_weights;
        shift[i] = static_cast<T>(lse[q * apart[3]]);
        low[i] = static_cast<T>(lse[q * apart[3]] - static_cast<double>(shift[i]));  // what rounding took from it
        if (!(low[i] == low[i])) low[i] = 0;                                         // of an infinite one
        scales[i] = g[q * apart[4]] / total;
        factor[i] = static_cast<T>(target * scales[i] + h[q * apart[5]]);
      }
      if (step != 1 && apart[0] == 1 && apart[1] == 1) {
        for (int64_t j = 0; j < classes; ++j) {
          T* to = gx + first + j * out_step;
          const T* row = from + first + j * step;
#pragma omp simd
          for (int64_t i = 0; i < k; ++i) to[i] = factor[i] * m::exp((row[i] - shift[i]) - low[i]);
        }
      } else if (step == 1 && out_step == 1 && classes < kExpBlock<T>) {
        exp_short_rows<T>(
            k, classes,
            [&](int64_t i, T* to) {
              const T* row = from + (first + i) * apart[1];
              const Vec<T> high = splat(shift[i]), rest = splat(low[i]);
              row_vectors<T>(classes, [&](int64_t j, int lanes) {
                store_lanes_of(to + j, (load_lanes_of(row + j, lanes) - high) - rest, lanes);
              });
            },
            [&](int64_t i, const T* exps) {
              T* to = gx + (first + i) * apart[0];
              const Vec<T> f = splat(factor[i]);
              row_vectors<T>(classes, [&](int64_t j, int lanes) {
                store_lanes_of(to + j, f * load_lanes_of(exps + j, lanes), lanes);
              });
            });
      } else {
        for (int64_t i = 0; i < k; ++i) {
          T* to = gx + (first + i) * apart[0];
          const T* row = from + (first + i) * apart[1];
          const T f = factor[i], high = shift[i], rest = low[i];
          if (step == 1 && out_step == 1) {
#pragma omp simd
            for (int64_t j = 0; j < classes; ++j) to[j] = f * m::exp((row[j] - high) - rest);
          } else {
            for (int64_t j = 0; j < classes; ++j) to[j * out_step] = f * m::exp((row[j * step] - high) - rest);
          }
        }
      }
      for (int64_t i = 0; i < k; ++i) {
        const int64_t q = first + i;
        T* to = gx + q * apart[0];
        const int32_t class_ = y[q * apart[2]];
        if (class_ == ignored) {
          if (factor[i] == 0)  // exactly, whatever the scores are
            for (int64_t j = 0; j < classes; ++j) to[j * out_step] = 0;
          continue;
        }
        const double scale = scales[i];
        if (smoothing > 0)
          for (int64_t j = 0; j < classes; ++j) to[j * out_step] -= static_cast<T>(scale * spread * weight[j]);
        to[class_ * out_step] -= static_cast<T>(scale * (1 - smoothing) * weight[class_]);
      }
    }
  });
}

template <class T>
void nll_of(const Call& c) {
  const View &x = c.in[0], &labels = c.in[1];
  const ClassWeights<T> weight(c.in[2]);
  const int32_t ignored = static_cast<int32_t>(c.attrs[1]);
  const int64_t n = numel(labels);
  auto* losses = static_cast<double*>(c.ctx->scratch(c.ctx, static_cast<size_t>(2 * n) * sizeof(double)));
  double* weights = losses + n;
  const View full = dense_like(labels, nullptr);  // the positions, for their numbers alone
  const Positions p(full, x, labels);
  if (!labels_fit(c, labels, p.classes, ignored)) return;
  const T* scores = x.as<const T>();
  const int32_t* label = labels.as<const int32_t>();
  const int64_t sx = p.apart(1), sy = p.apart(2);
  for_rows(c.ctx, p.walk, kGrain, [&](int64_t run, const int64_t* at) {
    for (int64_t i = 0; i < run; ++i) {
      const int32_t class_ = label[at[2] + i * sy];
      const bool counts = class_ != ignored;
      const double w = weights[at[0] + i] = counts ? static_cast<double>(weight[class_]) : 0;
      losses[at[0] + i] = counts ? -w * scores[at[1] + i * sx + class_ * p.step] : 0;
    }
  });
  reduce_losses(static_cast<Reduction>(static_cast<int>(c.attrs[0])), n, losses, weights, c.out[0].template as<T>(),
                c.out[1].template as<T>());
}

// gx = -g / total weight[label] at the label of each position, 0 elsewhere. in: g, total, labels, weight; attrs:
// ignored label.
template <class T>
void nll_gradient(const Call& c) {
  const View &labels = c.in[2], &out = c.out[0];
  const ClassWeights<T> weight(c.in[3]);
  const T total = *c.in[1].template as<const T>();
  const int32_t ignored = static_cast<int32_t>(c.attrs[0]);
  T* gx = out.as<T>();
  parallel_for(c.ctx, numel(out), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) gx[i] = 0;
  });
  if (numel(out) == 0 || !labels_fit(c, labels, out.shape[1], ignored)) return;
  const View rest = without_axis(out, 1);
  const Walk<3> w = make_walk<3>({&rest, &labels, &c.in[0]});
  const int64_t so = w.strides[0][w.ndim - 1], sy = w.strides[1][w.ndim - 1], sg = w.strides[2][w.ndim - 1];
  for_rows(c.ctx, w, kGrain, [&](int64_t run, const int64_t* at) {
    const int32_t* y = labels.as<const int32_t>() + at[1];
    const T* g = c.in[0].template as<const T>() + at[2];
    for (int64_t i = 0; i < run; ++i) {
      const int32_t class_ = y[i * sy];
      if (class_ != ignored) gx[at[0] + i * so + class_ * out.strides[1]] = -(g[i * sg] / total) * weight[class_];
    }
  });
}

ATHANOR_FLOAT_KERNEL(cross_entropy, cross_entropy_of<T>(c))
ATHANOR_FLOAT_KERNEL(cross_entropy_grad, cross_entropy_gradient<T>(c))
ATHANOR_FLOAT_KERNEL(nll, nll_of<T>(c))
ATHANOR_FLOAT_KERNEL(nll_grad, nll_gradient<T>(c))

const Kernel kernels_crossEntropy[] = {{"online", nullptr, cross_entropy}};
const Kernel kernels_crossEntropyGrad[] = {{"positions", nullptr, cross_entropy_grad}};
const Kernel kernels_nllLoss[] = {{"positions", nullptr, nll}};
const Kernel kernels_nllLossGrad[] = {{"scatter", nullptr, nll_grad}};

}  // namespace

const OpKernels loss[] = {ATHANOR_OP(crossEntropy, kernels_crossEntropy),
                          ATHANOR_OP(crossEntropyGrad, kernels_crossEntropyGrad),
                          ATHANOR_OP(nllLoss, kernels_nllLoss),
                          ATHANOR_OP(nllLossGrad, kernels_nllLossGrad),
                          {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
