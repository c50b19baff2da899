// Losses that compare numbers with numbers, reduced to one: mseLoss, l1Loss and bceLoss (of logits), the sum of f(x,
// target) divided by the first attribute, and their gradients by x, g f'(x, target) / divisor. Reads 2 * item size
// bytes an element, a gradient writes one more; 3 FLOPs, or an exp and a logarithm for bceLoss: bound by bandwidth.
// Blocks leave a sum each, in float64, which a last block adds in their order.
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/families.h"
#include "cuda/lines.h"
#include "cuda/locate.h"
#include "math/losses.h"

namespace athanor {
namespace cuda {
namespace {

template <class T>
struct Operand {
  const T* data;
  Locator where;
  explicit Operand(const View& v) : data(v.as<const T>()), where(v) {}
  __device__ __forceinline__ T operator[](uint32_t i) const { return data[where.at(i)]; }
};

/** A term; in float64 where it leaves the range of T: the mean of such terms may be within it. */
template <class F, class T>
__device__ __forceinline__ double term_of(T x, T target) {
  const T value = F::value(x, target);
  if (m::is_finite(value)) return static_cast<double>(value);
  return F::value(static_cast<double>(x), static_cast<double>(target));
}

template <class F, class T>
__global__ void __launch_bounds__(kLineThreads)
    sum_losses(uint32_t n, Operand<T> x, Operand<T> target, double* partial) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  double sum = 0;
#pragma unroll 4
  for (uint32_t i = blockIdx.x * kLineThreads + threadIdx.x; i < n; i += gridDim.x * kLineThreads)
    sum += term_of<F>(x[i], target[i]);
  sum = group.all(sum, Add{});
  if (group.t == 0) partial[blockIdx.x] = sum;
}

template <class T>
__global__ void __launch_bounds__(kLineThreads) add_sums(int count, const double* partial, double divisor, T* out) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  double sum = 0;
  for (int i = group.t; i < count; i += kLineThreads) sum += partial[i];
  sum = group.all(sum, Add{});
  if (group.t == 0) *out = static_cast<T>(sum / divisor);
}

// in: x, target; out: a scalar
template <class F>
void run_loss(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const int64_t n = numel(c.in[0]);
    if (n >= int64_t{1} << 31) {
      c.ctx->fail(c.ctx, "2^31 elements or more in one call");
      return;
    }
    const int64_t needed = (n + 4 * kLineThreads - 1) / (4 * kLineThreads), most = 8 * context_of(c).multiprocessors;
    const int blocks = static_cast<int>(needed < 1 ? 1 : needed < most ? needed : most);
    double* partial = scratch_array<double>(c, blocks);
    launch(c, sum_losses<F, T>, dim3(static_cast<unsigned>(blocks)), dim3(kLineThreads), 0, static_cast<uint32_t>(n),
           Operand<T>(c.in[0]), Operand<T>(c.in[1]), partial);
    launch(c, add_sums<T>, dim3(1), dim3(kLineThreads), 0, blocks, partial, c.attrs[0], c.out[0].template as<T>());
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

template <class F, class T>
struct Slope {
  Operand<T> x, target;
  const T* g;
  double divisor;
  T* out;
  Locator to;
  __device__ T value(uint32_t i) const {
    return static_cast<T>(static_cast<double>(*g) / divisor) * F::slope(x[i], target[i]);
  }
  __device__ void put(uint32_t i, T value) const { out[to.at(i)] = value; }
};

// in: g (a scalar), x, target
template <class F>
void run_loss_grad(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_each_value(c, numel(c.out[0]),
                   Slope<F, T>{Operand<T>(c.in[1]), Operand<T>(c.in[2]), c.in[0].template as<const T>(), c.attrs[0],
                               c.out[0].template as<T>(), Locator(c.out[0])});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_mseLoss[] = {{"blocks", nullptr, run_loss<m::Squared>}};
const Kernel kernels_mseLossGrad[] = {{"elements", nullptr, run_loss_grad<m::Squared>}};
const Kernel kernels_l1Loss[] = {{"blocks", nullptr, run_loss<m::Absolute>}};
const Kernel kernels_l1LossGrad[] = {{"elements", nullptr, run_loss_grad<m::Absolute>}};
const Kernel kernels_bceLoss[] = {{"blocks", nullptr, run_loss<m::BinaryEntropy>}};
const Kernel kernels_bceLossGrad[] = {{"elements", nullptr, run_loss_grad<m::BinaryEntropy>}};

}  // namespace

const OpKernels value_loss[] = {ATHANOR_OP(mseLoss, kernels_mseLoss),
                                ATHANOR_OP(mseLossGrad, kernels_mseLossGrad),
                                ATHANOR_OP(l1Loss, kernels_l1Loss),
                                ATHANOR_OP(l1LossGrad, kernels_l1LossGrad),
                                ATHANOR_OP(bceLoss, kernels_bceLoss),
                                ATHANOR_OP(bceLossGrad, kernels_bceLossGrad),
                                {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
