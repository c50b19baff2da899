// Folds whose states are more than a number: argmax and argmin (attrs: the axis, as a bit), variance and std (attrs:
// the axes as bits, the correction), logSumExp (attrs: the axes as bits).
#include "cpu/dtypes.h"
#include "cuda/families.h"
#include "cuda/fold.h"
#include "math/functions.h"
#include "math/reductions.h"

namespace athanor {
namespace cuda {
namespace {

// ---- argmax, argmin: the first of the largest (smallest) elements, and the first nan where there is one

template <class T>
struct Best {
  T value;
  int32_t index;
};

template <bool Largest, class T>
struct Place {
  using In = T;
  using Out = int32_t;
  using State = Best<T>;

  static __device__ __forceinline__ bool beats(const State& a, const State& b) {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan | b_nan) return a_nan && (!b_nan || a.index < b.index);
    if (a.value == b.value) return a.index < b.index;
    return Largest ? a.value > b.value : a.value < b.value;
  }
  __device__ __forceinline__ State start() const {
    return {Largest ? T(m::Limits<T>::low) : T(m::Limits<T>::high), INT32_MAX};
  }
  __device__ __forceinline__ void take(State& s, T x, int64_t i) const { join(s, {x, static_cast<int32_t>(i)}); }
  static __device__ __forceinline__ void join(State& a, const State& b) {
    if (beats(b, a)) a = b;
  }
  static __device__ __forceinline__ State shuffle(State s, int lanes) {
    return {static_cast<T>(__shfl_xor_sync(kFullMask, s.value, lanes)), __shfl_xor_sync(kFullMask, s.index, lanes)};
  }
  __device__ __forceinline__ void write(int32_t* out, State s, int64_t) const { *out = s.index; }
};

template <bool Largest>
void run_place(const Call& c) {
  const bool known = with_all(c.in[0].dtype, [&](auto tag) {
    using T = typename Readable<typename decltype(tag)::type>::type;
    run_fold(c, static_cast<unsigned>(c.attrs[0]), Place<Largest, T>{});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

// ---- variance, std: mean and sum of squared deviations in one pass (Welford 1962), joined as Chan, Golub and LeVeque
// (1979) do. In float64, so a large mean costs no digits.

struct Moments {
  double n, mean, m2;
};

template <class T, bool Root>
struct Spread {
  using In = T;
  using Out = T;
  using State = Moments;
  double correction;

  __device__ __forceinline__ State start() const { return {0, 0, 0}; }
  __device__ __forceinline__ void take(State& s, T x, int64_t) const {
    s.n += 1;
    const double delta = static_cast<double>(x) - s.mean;
    s.mean += delta / s.n;
    s.m2 += delta * (static_cast<double>(x) - s.mean);
  }
  static __device__ __forceinline__ void join(State& a, const State& b) {
    if (b.n == 0) return;
    if (a.n == 0) {
      a = b;
      return;
    }
    const double n = a.n + b.n, delta = b.mean - a.mean;
    a = {n, a.mean + delta * (b.n / n), a.m2 + b.m2 + delta * delta * (a.n * b.n / n)};
  }
  static __device__ __forceinline__ State shuffle(State s, int lanes) {
    return {__shfl_xor_sync(kFullMask, s.n, lanes), __shfl_xor_sync(kFullMask, s.mean, lanes),
            __shfl_xor_sync(kFullMask, s.m2, lanes)};
  }
  __device__ __forceinline__ void write(T* out, State s, int64_t n) const {
    const double room = static_cast<double>(n) - correction, variance = s.m2 / (room > 0 ? room : 0);
    *out = static_cast<T>(Root ? ::sqrt(variance) : variance);
  }
};

template <bool Root>
void run_spread(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    run_fold(c, static_cast<unsigned>(c.attrs[0]), Spread<typename decltype(tag)::type, Root>{c.attrs[1]});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

// ---- logSumExp: the maximum so far, and the sum of exp(x - maximum)

struct Exponentials {
  double max, sum;
};

template <class T>
struct LogSumExp {
  using In = T;
  using Out = T;
  using State = Exponentials;

  __device__ __forceinline__ State start() const { return {m::Limits<double>::low, 0}; }
  __device__ __forceinline__ void take(State& s, T x, int64_t) const { join(s, {static_cast<double>(x), 1}); }
  static __device__ __forceinline__ void join(State& a, const State& b) {
    const double max = m::maximum(a.max, b.max);
    // Of infinities and nan the result is the maximum itself, whatever the sum is.
    const double shift = m::is_finite(max) ? max : 0.0;
    a = {max, a.sum * term(a.max, shift) + b.sum * term(b.max, shift)};
  }
  static __device__ __forceinline__ double term(double max, double shift) {
    return m::is_finite(max) ? m::exp(static_cast<T>(max - shift)) : 0.0;
  }
  static __device__ __forceinline__ State shuffle(State s, int lanes) {
    return {__shfl_xor_sync(kFullMask, s.max, lanes), __shfl_xor_sync(kFullMask, s.sum, lanes)};
  }
  __device__ __forceinline__ void write(T* out, State s, int64_t) const {
    *out = static_cast<T>(m::is_finite(s.max) ? s.max + m::log(s.sum) : s.max);
  }
};

void run_log_sum_exp(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    run_fold(c, static_cast<unsigned>(c.attrs[0]), LogSumExp<typename decltype(tag)::type>{});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_argmax[] = {{"fold", nullptr, run_place<true>}};
const Kernel kernels_argmin[] = {{"fold", nullptr, run_place<false>}};
const Kernel kernels_variance[] = {{"moments", nullptr, run_spread<false>}};
const Kernel kernels_std[] = {{"moments", nullptr, run_spread<true>}};
const Kernel kernels_logSumExp[] = {{"online", nullptr, run_log_sum_exp}};

}  // namespace

const OpKernels statistics[] = {ATHANOR_OP(argmax, kernels_argmax),       ATHANOR_OP(argmin, kernels_argmin),
                                ATHANOR_OP(variance, kernels_variance),   ATHANOR_OP(std, kernels_std),
                                ATHANOR_OP(logSumExp, kernels_logSumExp), {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
