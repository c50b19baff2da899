// Group normalisation of [N, G, C / G, plane]: the channels of each group of each item by their own mean and variance,
// with a weight and a bias for each channel, and its gradients. attrs: eps.
// A group of an item is summed and then normalised by one thread, so that the second pass finds it in its cache. Reads
// and writes item size bytes an element, twice that backward, for about 8 FLOPs: bound by bandwidth. Split over groups
// of items; the gradients of weight and bias are summed over a piece, then over pieces in their order.
#include "cpu/families.h"
#include "cpu/norm.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

struct Groups {
  int64_t items, groups, channels, plane;  // channels of a group

  explicit Groups(const View& v) : items(v.shape[0]), groups(v.shape[1]), channels(v.shape[2]), plane(v.shape[3]) {}
  int64_t size() const { return channels * plane; }
  int64_t grain() const { return ceil_div(kGrain / 2, max_of<int64_t>(1, size())); }
};

// in: x, weight, bias; out: out, mean, (biased) variance
template <class T>
void group_norm_of(const Call& c) {
  const Groups s(c.in[0]);
  const T* x = dense_view(c, c.in[0]).template as<const T>();
  const int64_t parameters = s.groups * s.channels;
  const T *weight = dense_parameter<T>(c, c.in[1], parameters), *bias = dense_parameter<T>(c, c.in[2], parameters);
  const DenseOutput<T> out(c, c.out[0]), means(c, c.out[1]), variances(c, c.out[2]);
  parallel_for(c.ctx, s.items * s.groups, s.grain(), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* from = x + r * s.size();
      LaneSums<T> sums;
      sums.clear();
      const T origin = s.size() > 0 ? origin_of(from, 1, 0, s.size()) : T(0);
      add_deviations(s.size(), from, origin, sums);
      MeanVariance m = moments_of(sums.total(), static_cast<double>(origin), s.size());
      if (!is_finite(m.variance)) m = wide_moments(from, 1, 0, s.size(), true);
      const T mean = means.data()[r] = static_cast<T>(m.mean);
      variances.data()[r] = static_cast<T>(m.variance);
      for (int64_t k = 0; k < s.channels; ++k) {
        const int64_t p = r % s.groups * s.channels + k;
        Affine<T>::of(mean, m.variance, weight[p], bias[p], c.attrs[0], false)
            .row(s.plane, out.data() + r * s.size() + k * s.plane, from + k * s.plane);
      }
    }
  });
  out.store(c.ctx), means.store(c.ctx), variances.store(c.ctx);
}

// in: g, x, weight, mean, variance; out: gx, and the gradients of weight and bias, one number each where weight is one
template <class T>
void group_norm_gradient(const Call& c) {
  const Groups s(c.in[1]);
  const T *g = dense_view(c, c.in[0]).template as<const T>(), *x = dense_view(c, c.in[1]).template as<const T>();
  const int64_t parameters = s.groups * s.channels, rows = s.items * s.groups;
  const T* weight = dense_parameter<T>(c, c.in[2], parameters);
  const T *means = dense_view(c, c.in[3]).template as<const T>(),
          *variances = dense_view(c, c.in[4]).template as<const T>();
  const DenseOutput<T> out(c, c.out[0]);
  const int64_t pieces = chunk_count(c.ctx, rows, s.grain());
  double* sums = scratch_array<double>(c.ctx, 2 * pieces * parameters);
  parallel_each(c.ctx, pieces, [&](int64_t piece) {
    double *gw = sums + 2 * piece * parameters, *gb = gw + parameters;
    for (int64_t i = 0; i < 2 * parameters; ++i) gw[i] = 0;
    for (int64_t r = rows * piece / pieces; r < rows * (piece + 1) / pieces; ++r) {
      const int64_t first = r % s.groups * s.channels, at = r * s.size();
      const T root = reciprocal_root<T>(variances[r], c.attrs[0]);
      const Upstream<T> up(Affine<T>{means[r], root, T(0), floor_of<T>(false)});
      Sums mean = {0, 0};
      for (int64_t k = 0; k < s.channels; ++k) {
        LaneSums<T> channel;
        channel.clear();
        add_gradients(s.plane, g + at + k * s.plane, x + at + k * s.plane, up, channel);
        const Sums total = channel.total();
        const double w = weight[first + k];
        mean = mean + Sums{w * total.first, w * total.second};
        gb[first + k] += total.first;
        gw[first + k] += total.second * root;
      }
      const double n = static_cast<double>(s.size());
      mean.first /= n, mean.second /= n;
      for (int64_t k = 0; k < s.channels; ++k)
        BackAffine<T>::of(mean, root, weight[first + k])
            .row(s.plane, out.data() + at + k * s.plane, g + at + k * s.plane, x + at + k * s.plane, up);
    }
  });
  for (int64_t piece = 1; piece < pieces; ++piece)
    for (int64_t i = 0; i < 2 * parameters; ++i) sums[i] += sums[2 * piece * parameters + i];
  out.store(c.ctx);
  store_parameter_gradient<T>(c.out[1], parameters, sums);
  store_parameter_gradient<T>(c.out[2], parameters, sums + parameters);
}

ATHANOR_FLOAT_KERNEL(group_norm_groups, group_norm_of<T>(c))
ATHANOR_FLOAT_KERNEL(group_norm_grad_groups, group_norm_gradient<T>(c))

const Kernel kernels_groupNorm[] = {{"groups", nullptr, group_norm_groups}};
const Kernel kernels_groupNormGrad[] = {{"groups", nullptr, group_norm_grad_groups}};

}  // namespace

const OpKernels group_norm[] = {
    ATHANOR_OP(groupNorm, kernels_groupNorm), ATHANOR_OP(groupNormGrad, kernels_groupNormGrad), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
