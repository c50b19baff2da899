// softmax, logSoftmax and their gradients along one axis. attrs: the axis.
// Forward: the maximum, then exp and its sum, then the scaling; a gradient: a dot product, then the rest. The first
// cache holds all but the longest lines between these passes. 2 (gradients 3) * item size bytes and an exp per element:
// bound by bandwidth where exp is vector code. Split over lines.
#include "cpu/families.h"
#include "cpu/lines.h"
#include "cpu/reduce.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** max[c] = maximum of line c of those taken together. */
template <class T>
void maxima(int64_t lines, int64_t n, const T* x, int64_t step, T* max) {
  for (int64_t c = 0; c < lines; ++c) max[c] = m::Limits<T>::low;
  for (int64_t i = 0; i < n; ++i, x += step) {
#pragma omp simd
    for (int64_t c = 0; c < lines; ++c) max[c] = m::maximum(max[c], x[c]);
  }
}

struct Softmax {  // out = exp(x - max) / sum
  template <class T, class S>
  static void line(int64_t n, T* const* p, const S& s) {
    T* out = p[0];
    const T* x = p[1];
    const T max = Fold<F_max, T>::row(x, n, s[1]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i * s[0]] = m::exp(x[i * s[1]] - max);
    const T scale = static_cast<T>(1 / Fold<F_sum, T>::row(out, n, s[0]));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i * s[0]] *= scale;
  }

  template <class T>
  static void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
    T max[kLinesTogether], scale[kLinesTogether];
    double sum[kLinesTogether];
    maxima<T>(lines, n, p[1], s[1], max);
    for (int64_t c = 0; c < lines; ++c) sum[c] = 0;
    for (int64_t i = 0; i < n; ++i) {
      T* out = p[0] + i * s[0];
      const T* x = p[1] + i * s[1];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) out[c] = m::exp(x[c] - max[c]);
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) sum[c] += out[c];
    }
    for (int64_t c = 0; c < lines; ++c) scale[c] = static_cast<T>(1 / sum[c]);
    for (int64_t i = 0; i < n; ++i) {
      T* out = p[0] + i * s[0];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) out[c] *= scale[c];
    }
  }
};

struct LogSoftmax {  // out = x - max - log(sum of exp(x - max))
  template <class T, class S>
  static void line(int64_t n, T* const* p, const S& s) {
    T* out = p[0];
    const T* x = p[1];
    const T max = Fold<F_max, T>::row(x, n, s[1]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i * s[0]] = m::exp(x[i * s[1]] - max);
    const T log = static_cast<T>(m::log(Fold<F_sum, T>::row(out, n, s[0])));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i * s[0]] = x[i * s[1]] - max - log;
  }

  template <class T>
  static void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
    T max[kLinesTogether], log[kLinesTogether];
    double sum[kLinesTogether];
    maxima<T>(lines, n, p[1], s[1], max);
    for (int64_t c = 0; c < lines; ++c) sum[c] = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T* x = p[1] + i * s[1];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) log[c] = m::exp(x[c] - max[c]);
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) sum[c] += log[c];
    }
    for (int64_t c = 0; c < lines; ++c) log[c] = static_cast<T>(m::log(sum[c]));
    for (int64_t i = 0; i < n; ++i) {
      T* out = p[0] + i * s[0];
      const T* x = p[1] + i * s[1];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) out[c] = x[c] - max[c] - log[c];
    }
  }
};

struct SoftmaxGrad {  // gx = out (g - sum(g out))
  template <class T, class S>
  static void line(int64_t n, T* const* p, const S& s) {
    T* gx = p[0];
    const T *g = p[1], *out = p[2];
    double dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < n; ++i) dot += static_cast<double>(g[i * s[1]]) * out[i * s[2]];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) gx[i * s[0]] = static_cast<T>(out[i * s[2]] * (g[i * s[1]] - dot));
  }

  template <class T>
  static void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
    double dot[kLinesTogether];
    for (int64_t c = 0; c < lines; ++c) dot[c] = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T *g = p[1] + i * s[1], *out = p[2] + i * s[2];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) dot[c] += static_cast<double>(g[c]) * out[c];
    }
    for (int64_t i = 0; i < n; ++i) {
      T* gx = p[0] + i * s[0];
      const T *g = p[1] + i * s[1], *out = p[2] + i * s[2];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) gx[c] = static_cast<T>(out[c] * (g[c] - dot[c]));
    }
  }
};

struct LogSoftmaxGrad {  // gx = g - exp(out) sum(g)
  template <class T, class S>
  static void line(int64_t n, T* const* p, const S& s) {
    T* gx = p[0];
    const T *g = p[1], *out = p[2];
    const double sum = Fold<F_sum, T>::row(g, n, s[1]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) gx[i * s[0]] = static_cast<T>(g[i * s[1]] - m::exp(out[i * s[2]]) * sum);
  }

  template <class T>
  static void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
    double sum[kLinesTogether];
    for (int64_t c = 0; c < lines; ++c) sum[c] = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T* g = p[1] + i * s[1];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) sum[c] += g[c];
    }
    for (int64_t i = 0; i < n; ++i) {
      T* gx = p[0] + i * s[0];
      const T *g = p[1] + i * s[1], *out = p[2] + i * s[2];
#pragma omp simd
      for (int64_t c = 0; c < lines; ++c) gx[c] = static_cast<T>(g[c] - m::exp(out[c]) * sum[c]);
    }
  }
};

constexpr int64_t kCost = 4;  // exp and three passes, against one streamed element

template <class K, class T>
void run_unary(const Call& c) {
  if (numel(c.out[0]) == 0) return;
  run_lines<K, T>(c.ctx, make_lines<2>({&c.out[0], &c.in[0]}, static_cast<int>(c.attrs[0])), kCost);
}
template <class K, class T>
void run_gradient(const Call& c) {
  if (numel(c.out[0]) == 0) return;
  run_lines<K, T>(c.ctx, make_lines<3>({&c.out[0], &c.in[0], &c.in[1]}, static_cast<int>(c.attrs[0])), kCost);
}

ATHANOR_FLOAT_KERNEL(softmax_lines, run_unary<Softmax, T>(c))
ATHANOR_FLOAT_KERNEL(log_softmax_lines, run_unary<LogSoftmax, T>(c))
ATHANOR_FLOAT_KERNEL(softmax_grad_lines, run_gradient<SoftmaxGrad, T>(c))
ATHANOR_FLOAT_KERNEL(log_softmax_grad_lines, run_gradient<LogSoftmaxGrad, T>(c))

const Kernel kernels_softmax[] = {{"lines", nullptr, softmax_lines}};
const Kernel kernels_logSoftmax[] = {{"lines", nullptr, log_softmax_lines}};
const Kernel kernels_softmaxGrad[] = {{"lines", nullptr, softmax_grad_lines}};
const Kernel kernels_logSoftmaxGrad[] = {{"lines", nullptr, log_softmax_grad_lines}};

}  // namespace

const OpKernels softmax[] = {ATHANOR_OP(softmax, kernels_softmax),
                             ATHANOR_OP(logSoftmax, kernels_logSoftmax),
                             ATHANOR_OP(softmaxGrad, kernels_softmaxGrad),
                             ATHANOR_OP(logSoftmaxGrad, kernels_logSoftmaxGrad),
                             {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
