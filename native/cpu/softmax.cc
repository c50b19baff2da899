// softmax, logSoftmax and their gradients along one axis. attrs: the axis.
// Forward: the maximum, then exp and its sum, then the scaling; a gradient: a dot product, then the rest. The first
// cache holds all but the longest lines between these passes. 2 (gradients 3) * item size bytes and an exp (gradient of
// softmax: none) per element: bound by bandwidth on large inputs. Split over lines.
#include "cpu/exp_rows.h"
#include "cpu/families.h"
#include "cpu/lines.h"
#include "cpu/move.h"
#include "cpu/slots.h"

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

/** each(first, k, max, sum) for the rows that exp takes at a time, k from `first` on, with room for what it finds. */
template <class T, class F>
ATHANOR_ALWAYS_INLINE void each_tile(int64_t rows, int64_t n, const F& each) {
  const int64_t together = rows_together<T>(n);
  T max[kExpTile<T>];
  double sum[kExpTile<T>];
  for (int64_t first = 0; first < rows; first += together) each(first, min_of(together, rows - first), max, sum);
}

struct Softmax {  // out = exp(x - max) / sum
  template <class T>
  static __attribute__((noinline)) void rows(int64_t rows, int64_t n, T* const* p, const int64_t* apart) {
    each_tile<T>(rows, n, [&](int64_t first, int64_t k, T* max, double* sum) {
      T* out = p[0] + first * apart[0];
      exp_rows(k, n, out, apart[0], static_cast<const T*>(p[1]) + first * apart[1], apart[1], max, sum);
      for (int64_t r = 0; r < k; ++r, out += apart[0]) {
        const Vec<T> scale = splat(static_cast<T>(1 / sum[r]));
        row_vectors<T>(
            n, [&](int64_t i, int lanes) { store_lanes_of(out + i, load_lanes_of(out + i, lanes) * scale, lanes); });
      }
    });
  }

  template <class T>
  static __attribute__((noinline)) void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
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
  template <class T>
  static __attribute__((noinline)) void rows(int64_t rows, int64_t n, T* const* p, const int64_t* apart) {
    each_tile<T>(rows, n, [&](int64_t first, int64_t k, T* max, double* sum) {
      T* out = p[0] + first * apart[0];
      const T* x = p[1] + first * apart[1];
      exp_rows<T>(k, n, nullptr, 0, x, apart[1], max, sum);
#pragma omp simd
      for (int64_t r = 0; r < k; ++r) sum[r] = m::log(sum[r]);
      for (int64_t r = 0; r < k; ++r, out += apart[0], x += apart[1]) {
        const Vec<T> high = splat(max[r]), low = splat(static_cast<T>(sum[r]));
        row_vectors<T>(
            n, [&](int64_t i, int lanes) { store_lanes_of(out + i, load_lanes_of(x + i, lanes) - high - low, lanes); });
      }
    });
  }

  template <class T>
  static __attribute__((noinline)) void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
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
  template <class T>
  static __attribute__((noinline)) void wide_row(int64_t n, T* gx, const T* g, const T* out) {
    double dot = 0;
    for (int64_t i = 0; i < n; ++i) dot += static_cast<double>(g[i]) * out[i];
    for (int64_t i = 0; i < n; ++i) gx[i] = static_cast<T>(out[i] * (g[i] - dot));
  }

  template <class T>
  static __attribute__((noinline)) void rows(int64_t rows, int64_t n, T* const* p, const int64_t* apart) {
    for (int64_t r = 0; r < rows; ++r) {
      T* gx = p[0] + r * apart[0];
      const T *g = p[1] + r * apart[1], *out = p[2] + r * apart[2];
      Vec<double> sum{};
      constexpr int64_t L = kLanes<T>;
      int64_t i = 0;
      const auto product = [&](int64_t at) { return load(g + at) * load(out + at); };
      for (; i + 4 * L <= n; i += 4 * L)
        add_wide<T>(sum, (product(i) + product(i + L)) + (product(i + 2 * L) + product(i + 3 * L)));
      row_vectors<T>(n - i, [&](int64_t j, int lanes) {
        add_wide<T>(sum, load_lanes_of(g + i + j, lanes) * load_lanes_of(out + i + j, lanes));
      });
      const T dot = static_cast<T>(sum_lanes<double>(sum));
      if (dot - dot != 0) {  // a product or a few left the range of T: all in float64
        wide_row(n, gx, g, out);
        continue;
      }
      const Vec<T> level = splat(dot);
      row_vectors<T>(n, [&](int64_t j, int lanes) {
        store_lanes_of(gx + j, load_lanes_of(out + j, lanes) * (load_lanes_of(g + j, lanes) - level), lanes);
      });
    }
  }

  template <class T>
  static __attribute__((noinline)) void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
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
  /** The sum in T where it is in its range, else all of the row in float64. */
  template <class T>
  static bool sum_of(int64_t n, T* gx, const T* g, const T* out, T* sum) {
    *sum = static_cast<T>(row_sum<T>(n, g));
    if (*sum - *sum == 0) return true;
    double total = 0;
    for (int64_t i = 0; i < n; ++i) total += g[i];
    for (int64_t i = 0; i < n; ++i) gx[i] = static_cast<T>(g[i] - m::exp(static_cast<double>(out[i])) * total);
    return false;
  }

  template <class T>
  static __attribute__((noinline)) void rows(int64_t rows, int64_t n, T* const* p, const int64_t* apart) {
    const auto at = [&](int operand, int64_t r) { return p[operand] + r * apart[operand]; };
    if (n < kExpBlock<T>) {
      exp_short_rows<T>(
          rows, n,
          [&](int64_t r, T* to) {
            row_vectors<T>(
                n, [&](int64_t i, int lanes) { store_lanes_of(to + i, load_lanes_of(at(2, r) + i, lanes), lanes); });
          },
          [&](int64_t r, const T* exps) {
            T total;
            if (!sum_of<T>(n, at(0, r), at(1, r), at(2, r), &total)) return;
            const Vec<T> sum = splat(total);
            row_vectors<T>(n, [&](int64_t i, int lanes) {
              const Vec<T> g = load_lanes_of(at(1, r) + i, lanes);
              store_lanes_of(at(0, r) + i, g - load_lanes_of(exps + i, lanes) * sum, lanes);
            });
          });
      return;
    }
    for (int64_t r = 0; r < rows; ++r) {
      T* gx = at(0, r);
      const T *g = at(1, r), *out = at(2, r);
      T sum;
      if (!sum_of<T>(n, gx, g, out, &sum)) continue;
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) gx[i] = g[i] - m::exp(out[i]) * sum;
    }
  }

  template <class T>
  static __attribute__((noinline)) void together(int64_t lines, int64_t n, T* const* p, const int64_t* s) {
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

/** Runs loops over lines of the output and the inputs; those that lie neither dense nor side by side are copied first.
 */
template <int N>
void run(const Call& c, const LineLoops& loops) {
  if (numel(c.out[0]) == 0) return;
  const int axis = static_cast<int>(c.attrs[0]);
  View copies[N];
  const View* views[N];
  for (int k = 0; k < N; ++k) views[k] = k == 0 ? &c.out[0] : &c.in[k - 1];
  Lines<N> lines = make_lines<N>(views, axis);
  if (!lines_fit(lines)) {
    const int64_t bytes = numel(c.out[0]) * static_cast<int64_t>(loops.item);
    for (int k = 0; k < N; ++k) {
      copies[k] = k > 0 ? dense_view(c, *views[k]) : dense_like(c.out[0], scratch_array<char>(c.ctx, bytes));
      views[k] = &copies[k];
    }
    lines = make_lines<N>(views, axis);
  }
  run_lines(c.ctx, lines, loops, kCost);
  if (views[0] != &c.out[0]) copy_view(c.ctx, c.out[0], copies[0]);
}

ATHANOR_FLOAT_KERNEL(softmax_lines, run<2>(c, loops_of<Softmax, T, 2>()))
ATHANOR_FLOAT_KERNEL(log_softmax_lines, run<2>(c, loops_of<LogSoftmax, T, 2>()))
ATHANOR_FLOAT_KERNEL(softmax_grad_lines, run<3>(c, loops_of<SoftmaxGrad, T, 3>()))
ATHANOR_FLOAT_KERNEL(log_softmax_grad_lines, run<3>(c, loops_of<LogSoftmaxGrad, T, 3>()))

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
