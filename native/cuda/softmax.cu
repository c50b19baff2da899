// softmax, logSoftmax and their gradients along one axis. attrs: the axis.
// Forward: the maximum, then the sum of exp, then the result; a gradient: a dot product, then the rest. 2 (gradients 3)
// * item size bytes and two exps (gradient of softmax: none) per element: bound by bandwidth, as long as the second
// pass finds a line in the caches. Sums are in float64.
#include "cpu/dtypes.h"
#include "cuda/families.h"
#include "cuda/lines.h"
#include "math/folds.h"
#include "math/functions.h"

namespace athanor {
namespace cuda {
namespace {

/** The maximum of a line and the sum of exp(x - maximum). */
template <class T, int Threads>
__device__ __forceinline__ void exponentials(const Group<Threads>& group, int64_t n, const T* x, int64_t step, T* max,
                                             double* sum) {
  T most = m::Limits<T>::low;
#pragma unroll 4
  for (int64_t i = group.t; i < n; i += Threads) most = m::maximum(most, x[i * step]);
  most = static_cast<T>(group.all(static_cast<double>(most), Maximum{}));
  double total = 0;
#pragma unroll 4
  for (int64_t i = group.t; i < n; i += Threads) total += static_cast<double>(m::exp(x[i * step] - most));
  *max = most;
  *sum = group.all(total, Add{});
}

struct Softmax {  // out = exp(x - max) / sum
  template <class T, int Threads>
  static __device__ void line(const Group<Threads>& group, int64_t n, T* out, int64_t out_step, const T* const* in,
                              const int64_t* steps) {
    T max;
    double sum;
    exponentials(group, n, in[0], steps[0], &max, &sum);
    const T scale = static_cast<T>(1 / sum);
#pragma unroll 4
    for (int64_t i = group.t; i < n; i += Threads) out[i * out_step] = m::exp(in[0][i * steps[0]] - max) * scale;
  }
};

struct LogSoftmax {  // out = x - max - log(sum of exp(x - max))
  template <class T, int Threads>
  static __device__ void line(const Group<Threads>& group, int64_t n, T* out, int64_t out_step, const T* const* in,
                              const int64_t* steps) {
    T max;
    double sum;
    exponentials(group, n, in[0], steps[0], &max, &sum);
    const T log = static_cast<T>(m::log(sum));
#pragma unroll 4
    for (int64_t i = group.t; i < n; i += Threads) out[i * out_step] = in[0][i * steps[0]] - max - log;
  }
};

struct SoftmaxGrad {  // gx = out (g - sum(g out))
  template <class T, int Threads>
  static __device__ void line(const Group<Threads>& group, int64_t n, T* gx, int64_t gx_step, const T* const* in,
                              const int64_t* steps) {
    const T *g = in[0], *out = in[1];
    double dot = 0;
#pragma unroll 4
    for (int64_t i = group.t; i < n; i += Threads) dot += static_cast<double>(g[i * steps[0]]) * out[i * steps[1]];
    dot = group.all(dot, Add{});
#pragma unroll 4
    for (int64_t i = group.t; i < n; i += Threads)
      gx[i * gx_step] = static_cast<T>(out[i * steps[1]] * (g[i * steps[0]] - dot));
  }
};

struct LogSoftmaxGrad {  // gx = g - exp(out) sum(g)
  template <class T, int Threads>
  static __device__ void line(const Group<Threads>& group, int64_t n, T* gx, int64_t gx_step, const T* const* in,
                              const int64_t* steps) {
    const T *g = in[0], *out = in[1];
    double sum = 0;
#pragma unroll 4
    for (int64_t i = group.t; i < n; i += Threads) sum += static_cast<double>(g[i * steps[0]]);
    sum = group.all(sum, Add{});
#pragma unroll 4
    for (int64_t i = group.t; i < n; i += Threads)
      gx[i * gx_step] = static_cast<T>(g[i * steps[0]] - static_cast<double>(m::exp(out[i * steps[1]])) * sum);
  }
};

template <class K, int N>
void run(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) { run_line_map<K, typename decltype(tag)::type, N>(c); });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_softmax[] = {{"lines", nullptr, run<Softmax, 2>}};
const Kernel kernels_logSoftmax[] = {{"lines", nullptr, run<LogSoftmax, 2>}};
const Kernel kernels_softmaxGrad[] = {{"lines", nullptr, run<SoftmaxGrad, 3>}};
const Kernel kernels_logSoftmaxGrad[] = {{"lines", nullptr, run<LogSoftmaxGrad, 3>}};

}  // namespace

const OpKernels softmax[] = {ATHANOR_OP(softmax, kernels_softmax),
                             ATHANOR_OP(logSoftmax, kernels_logSoftmax),
                             ATHANOR_OP(softmaxGrad, kernels_softmaxGrad),
                             ATHANOR_OP(logSoftmaxGrad, kernels_logSoftmaxGrad),
                             {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
