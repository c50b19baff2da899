// Losses that compare numbers with numbers, reduced to one: mseLoss, l1Loss and bceLoss (of logits), the sum of
// f(x, target) divided by the first attribute, and their gradients by x, g f'(x, target) / divisor.
// Reads 2 * item size bytes an element, a gradient writes one more; 3 FLOPs, or an exp and a logarithm for bceLoss:
// bound by bandwidth. A sum is split over pieces of the elements, which are added in float64 in their order.
#include "cpu/exp_rows.h"
#include "cpu/families.h"
#include "cpu/move.h"
#include "cpu/slots.h"
#include "cpu/streaming.h"
#include "math/functions.h"
#include "math/losses.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

// Sums of so many terms are added to a sum of sums: a long sum rounds each term at the size of all before it.
constexpr int64_t kTerms = 64;

// in: x, target; out: a scalar
template <class F, class T>
void loss_of(const Call& c) {
  const T *x = dense_view(c, c.in[0]).template as<const T>(), *y = dense_view(c, c.in[1]).template as<const T>();
  const int64_t n = numel(c.in[0]), pieces = chunk_count(c.ctx, n, kGrain);
  double* sums = scratch_array<double>(c.ctx, pieces);
  parallel_each(c.ctx, pieces, [&](int64_t piece) {
    constexpr int64_t L = kLanes<T>, kBlock = kExpBlock<T>;
    const int64_t end = n * (piece + 1) / pieces;
    Vec<double> total{}, sum{};
    int64_t terms = 0;
    for (int64_t i = n * piece / pieces; i < end; i += kBlock) {
      T block[kBlock];
      if (end - i >= kBlock) {
#pragma omp simd
        for (int64_t j = 0; j < kBlock; ++j) block[j] = F::value(x[i + j], y[i + j]);
      } else {
        for (int64_t j = 0; j < kBlock; ++j) block[j] = i + j < end ? F::value(x[i + j], y[i + j]) : T(0);
      }
      add_wide<T>(sum, (load(block) + load(block + L)) + (load(block + 2 * L) + load(block + 3 * L)));
      if (++terms % kTerms == 0) total += sum, sum = Vec<double>{};
    }
    sums[piece] = sum_lanes<double>(total + sum);
  });
  double total = 0;
  for (int64_t piece = 0; piece < pieces; ++piece) total += sums[piece];
  if (total - total != 0) {  // a few left the range of T: all in float64
    total = 0;
    for (int64_t i = 0; i < n; ++i) total += F::value(static_cast<double>(x[i]), static_cast<double>(y[i]));
  }
  *c.out[0].as<T>() = static_cast<T>(total / c.attrs[0]);
}

// in: g, x, target; out: the gradient of x
template <class F, class T>
void loss_gradient(const Call& c) {
  const T *x = dense_view(c, c.in[1]).template as<const T>(), *y = dense_view(c, c.in[2]).template as<const T>();
  const int64_t n = numel(c.in[1]);
  const View out = is_contiguous(c.out[0]) ? c.out[0] : dense_like(c.out[0], scratch_array<T>(c.ctx, n));
  const T scale = static_cast<T>(static_cast<double>(*c.in[0].as<const T>()) / c.attrs[0]);
  const bool streams = streams_to(out, c.in, c.n_in);
  parallel_for(c.ctx, n, kGrain, [&](int64_t begin, int64_t end) {
    const T *xs = x + begin, *ys = y + begin;
    write_elements(
        end - begin, out.as<T>() + begin, streams,
        [=](int64_t i) __attribute__((always_inline)) { return F::slope(xs[i], ys[i]) * scale; }, xs, ys);
    if (streams) store_fence();
  });
  if (out.data != c.out[0].data) copy_view(c.ctx, c.out[0], out);
}

ATHANOR_FLOAT_KERNEL(mse, loss_of<m::Squared, T>(c))
ATHANOR_FLOAT_KERNEL(mse_grad, loss_gradient<m::Squared, T>(c))
ATHANOR_FLOAT_KERNEL(l1, loss_of<m::Absolute, T>(c))
ATHANOR_FLOAT_KERNEL(l1_grad, loss_gradient<m::Absolute, T>(c))
ATHANOR_FLOAT_KERNEL(bce, loss_of<m::BinaryEntropy, T>(c))
ATHANOR_FLOAT_KERNEL(bce_grad, loss_gradient<m::BinaryEntropy, T>(c))

const Kernel kernels_mse[] = {{"pieces", nullptr, mse}};
const Kernel kernels_mse_grad[] = {{"flat", nullptr, mse_grad}};
const Kernel kernels_l1[] = {{"pieces", nullptr, l1}};
const Kernel kernels_l1_grad[] = {{"flat", nullptr, l1_grad}};
const Kernel kernels_bce[] = {{"pieces", nullptr, bce}};
const Kernel kernels_bce_grad[] = {{"flat", nullptr, bce_grad}};

}  // namespace

const OpKernels value_loss[] = {ATHANOR_OP(mseLoss, kernels_mse),
                                ATHANOR_OP(mseLossGrad, kernels_mse_grad),
                                ATHANOR_OP(l1Loss, kernels_l1),
                                ATHANOR_OP(l1LossGrad, kernels_l1_grad),
                                ATHANOR_OP(bceLoss, kernels_bce),
                                ATHANOR_OP(bceLossGrad, kernels_bce_grad),
                                {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
