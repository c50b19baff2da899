// Gradient clipping over all gradients at once.
//   totalNorm   (sum over all tensors of |x|^p)^(1/p), or the largest |x|; item size bytes and 2 FLOPs per element
//   clipScale   x * min(1, limit / (norm + 1e-6)) for each tensor; 2 * item size bytes and 1 FLOP per element
// Both are bound by memory. A block folds a stretch of a tensor in float64, and the last block all stretches, in an
// order that depends on the sizes alone. The norm stays on the device: nobody waits for it.
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/families.h"
#include "cuda/lines.h"
#include "cuda/locate.h"
#include "cuda/report.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int64_t kStretch = 32 * kLineThreads;  // elements of a block

enum class Norm { one, two, largest, general };

template <Norm N>
struct Join {
  __device__ __forceinline__ double operator()(double a, double b) const {
    return N == Norm::largest ? m::maximum(a, b) : a + b;  // nan wins
  }
};

template <Norm N>
__device__ __forceinline__ double term_of(double x, double p) {
  const double size = m::abs(x);
  if (N == Norm::two) return size * size;
  return N == Norm::general ? ::pow(size, p) : size;
}

template <Norm N, class T>
__global__ void __launch_bounds__(kLineThreads)
    fold_stretch(uint32_t n, const T* x, Locator where, double p, double* sums) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kStretch;
  double sum = 0;
#pragma unroll 8
  for (int64_t i = first + threadIdx.x; i < first + kStretch && i < n; i += kLineThreads)
    sum = Join<N>{}(sum, term_of<N>(static_cast<double>(x[where.at(static_cast<uint32_t>(i))]), p));
  sum = group.all(sum, Join<N>{});
  if (group.t == 0) sums[blockIdx.x] = sum;
}

template <Norm N, class T>
__global__ void __launch_bounds__(kLineThreads) fold_sums(int64_t count, const double* sums, double p, T* out) {
  const Group<kLineThreads> group{static_cast<int>(threadIdx.x)};
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kLineThreads) sum = Join<N>{}(sum, sums[i]);
  sum = group.all(sum, Join<N>{});
  if (group.t != 0) return;
  if (N == Norm::two) sum = ::sqrt(sum);
  if (N == Norm::general) sum = ::pow(sum, 1 / p);
  *out = static_cast<T>(sum);
}

template <Norm N, class T>
void norm_of(const Call& c) {
  const double p = c.attrs[0];
  int64_t blocks = 0;
  for (int k = 0; k < c.n_in; ++k) blocks += (numel(c.in[k]) + kStretch - 1) / kStretch;
  double* sums = scratch_array<double>(c, blocks);
  int64_t first = 0;
  for (int k = 0; k < c.n_in; ++k) {
    const int64_t n = numel(c.in[k]), own = (n + kStretch - 1) / kStretch;
    if (n >= int64_t{1} << 31) {
      c.ctx->fail(c.ctx, "2^31 elements or more in one tensor");
      return;
    }
    if (n > 0)
      launch(c, fold_stretch<N, T>, dim3(static_cast<unsigned>(own)), dim3(kLineThreads), 0, static_cast<uint32_t>(n),
             c.in[k].as<const T>(), Locator(c.in[k]), p, sums + first);
    first += own;
  }
  launch(c, fold_sums<N, T>, dim3(1), dim3(kLineThreads), 0, blocks, sums, p, c.out[0].as<T>());
}

void total_norm(const Call& c) {
  const double p = c.attrs[0];
  const bool known = with_floats(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (p == 2) return norm_of<Norm::two, T>(c);
    if (p == 1) return norm_of<Norm::one, T>(c);
    if (__builtin_isinf(p)) return norm_of<Norm::largest, T>(c);
    norm_of<Norm::general, T>(c);
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// in: the norm, the tensors; attrs: limit, whether a norm that is not finite is refused
template <class T>
struct Scale {
  const T* norm;
  T limit;
  bool finite;
  const T* x;
  Locator from;
  T* out;
  Locator to;
  Complaints complaints;
  __device__ T value(uint32_t i) const {
    T factor = limit / (*norm + T(1e-6));
    factor = factor > T(1) ? T(1) : factor;  // a nan norm stays nan
    if (finite && !m::is_finite(*norm)) {
      if (i == 0) complaints.add(complaint_norm);
      factor = T(1);
    }
    return x[from.at(i)] * factor;
  }
  __device__ void put(uint32_t i, T value) const { out[to.at(i)] = value; }
};

void clip_scale(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int k = 0; k < c.n_out; ++k)
      for_each_value(c, numel(c.out[k]),
                     Scale<T>{c.in[0].template as<const T>(), static_cast<T>(c.attrs[0]), c.attrs[1] != 0,
                              c.in[1 + k].template as<const T>(), Locator(c.in[1 + k]), c.out[k].template as<T>(),
                              Locator(c.out[k]), complaints_of(c)});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_totalNorm[] = {{"stretches", nullptr, total_norm}};
const Kernel kernels_clipScale[] = {{"elements", nullptr, clip_scale}};

}  // namespace

const OpKernels clip[] = {
    ATHANOR_OP(totalNorm, kernels_totalNorm), ATHANOR_OP(clipScale, kernels_clipScale), {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
