// softmax, logSoftmax and their gradients along one axis. attrs: the axis.
// Forward: the maximum and the sum of exp, then the result; a gradient: a dot product, then the rest. 2 (gradients 3) *
// item size bytes and two exps (gradient of softmax: none) per element: bound by bandwidth. Lines of up to 8192
// elements are read once, longer ones twice (line_map.h). Sums are in float64.
#include "cpu/dtypes.h"
#include "cuda/exponentials.h"
#include "cuda/families.h"
#include "cuda/line_map.h"

namespace athanor {
namespace cuda {
namespace {

template <class T>
struct OfExponentials {
  static constexpr int inputs = 1;
  SumOfExponentials<T> line;
  static __device__ __forceinline__ T nothing() { return m::Limits<T>::low; }
  template <int E>
  __device__ __forceinline__ void take(const T (&x)[1][E]) {
    line.take(x[0]);
  }
};

template <class T>
struct Softmax : OfExponentials<T> {  // out = exp(x - max) / sum
  T scale;
  template <class G>
  __device__ __forceinline__ void settle(const G& group) {
    this->line.settle(group);
    scale = static_cast<T>(1 / this->line.sum);
  }
  __device__ __forceinline__ T result(T x, T) const { return m::exp(x - this->line.max) * scale; }
};

template <class T>
struct LogSoftmax : OfExponentials<T> {  // out = x - max - log(sum of exp(x - max))
  T log;
  template <class G>
  __device__ __forceinline__ void settle(const G& group) {
    this->line.settle(group);
    log = static_cast<T>(m::log(this->line.sum));
  }
  __device__ __forceinline__ T result(T x, T) const { return x - this->line.max - log; }
};

template <class T>
struct OfGradients {
  static constexpr int inputs = 2;
  double sum = 0;
  static __device__ __forceinline__ T nothing() { return T(0); }
  template <class G>
  __device__ __forceinline__ void settle(const G& group) {
    sum = group.all(sum, Add{});
  }
};

template <class T>
struct SoftmaxGrad : OfGradients<T> {  // gx = out (g - sum(g out))
  template <int E>
  __device__ __forceinline__ void take(const T (&x)[2][E]) {
#pragma unroll
    for (int e = 0; e < E; ++e) this->sum += static_cast<double>(x[0][e]) * static_cast<double>(x[1][e]);
  }
  __device__ __forceinline__ T result(T g, T out) const {
    return static_cast<T>(static_cast<double>(out) * (static_cast<double>(g) - this->sum));
  }
};

template <class T>
struct LogSoftmaxGrad : OfGradients<T> {  // gx = g - exp(out) sum(g)
  template <int E>
  __device__ __forceinline__ void take(const T (&x)[2][E]) {
#pragma unroll
    for (int e = 0; e < E; ++e) this->sum += static_cast<double>(x[0][e]);
  }
  __device__ __forceinline__ T result(T g, T out) const {
    return static_cast<T>(static_cast<double>(g) - static_cast<double>(m::exp(out)) * this->sum);
  }
};

template <template <class> class K>
void run(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    run_line_map<K<T>, T>(c);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_softmax[] = {{"lines", nullptr, run<Softmax>}};
const Kernel kernels_logSoftmax[] = {{"lines", nullptr, run<LogSoftmax>}};
const Kernel kernels_softmaxGrad[] = {{"lines", nullptr, run<SoftmaxGrad>}};
const Kernel kernels_logSoftmaxGrad[] = {{"lines", nullptr, run<LogSoftmaxGrad>}};

}  // namespace

const OpKernels softmax[] = {ATHANOR_OP(softmax, kernels_softmax),
                             ATHANOR_OP(logSoftmax, kernels_logSoftmax),
                             ATHANOR_OP(softmaxGrad, kernels_softmaxGrad),
                             ATHANOR_OP(logSoftmaxGrad, kernels_logSoftmaxGrad),
                             {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
