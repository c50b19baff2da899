// The lines of ops.def with two or three operands, broadcast: a functor, a loop for each of its dtypes, a kernel and a
// table entry.
#include "cpu/elementwise.h"
#include "cpu/families.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

/** out = F(a, b, p, q), where the op has that many parameters. */
template <class F, class T, class R, int Parameters>
void binary_loop(int64_t n, const double* attrs, void* to, const void* const* in, bool streams) {
  const InMemory<T>*a = static_cast<const InMemory<T>*>(in[0]), *b = static_cast<const InMemory<T>*>(in[1]);
  const T p = Parameters > 0 ? static_cast<T>(attrs[0]) : T(0), q = Parameters > 1 ? static_cast<T>(attrs[1]) : T(0);
  write_elements(
      n, static_cast<InMemory<R>*>(to), streams,
      [&](int64_t i) __attribute__((always_inline)) {
        return F::template apply<T>(static_cast<T>(a[i]), static_cast<T>(b[i]), p, q);
      },
      a, b);
}

/** The same where operand `Repeated` is one number for all elements: it stays in a register. */
template <class F, class T, int Repeated>
void repeating_loop(int64_t n, const double*, void* to, const void* const* in, bool streams) {
  const T* x = static_cast<const T*>(in[1 - Repeated]);
  const T one = *static_cast<const T*>(in[Repeated]);
  write_elements(
      n, static_cast<T*>(to), streams,
      [&](int64_t i) __attribute__((always_inline)) {
        return Repeated == 0 ? F::template apply<T>(one, x[i], T(0), T(0))
                             : F::template apply<T>(x[i], one, T(0), T(0));
      },
      x);
}

/**
 * out = F(a, b) in blocks: in one with pairs that are not usual these are computed by F's other expression. A block is
 * made beside `out`, which may be the memory of a or b, so that one loop divides and looks for such pairs.
 */
template <class F, class T>
void divide_loop(int64_t n, const double*, void* to, const void* const* in, bool streams) {
  const T *a = static_cast<const T*>(in[0]), *b = static_cast<const T*>(in[1]);
  alignas(64) T block[kBlock];
  for (int64_t begin = 0; begin < n; begin += kBlock, a += kBlock, b += kBlock) {
    const int64_t count = min_of(n - begin, kBlock);
    int unusual = 0;
#pragma omp simd reduction(| : unusual)
    for (int64_t i = 0; i < count; ++i) {
      block[i] = F::apply(a[i], b[i]);
      unusual |= F::usual(a[i], b[i]) ? 0 : 1;
    }
    if (unusual != 0)
      for (int64_t i = 0; i < count; ++i)
        if (!F::usual(a[i], b[i])) block[i] = F::rare(a[i], b[i]);
    T* const out = static_cast<T*>(to) + begin;
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (streams)
      stream_bytes(out, block, static_cast<int64_t>(bytes));
    else
      __builtin_memcpy(out, block, bytes);
  }
}

/** out = F(c, a, b) with c a bool. */
template <class F, class T>
void ternary_loop(int64_t n, const double*, void* to, const void* const* in, bool streams) {
  const uint8_t* c = static_cast<const uint8_t*>(in[0]);  // as bool the compiler would not make a vector mask of it
  const T *a = static_cast<const T*>(in[1]), *b = static_cast<const T*>(in[2]);
  write_elements(
      n, static_cast<T*>(to), streams,
      [&](int64_t i) __attribute__((always_inline)) { return F::template apply<T>(c[i] != 0, a[i], b[i]); }, c, a, b);
}

/** Whether an integer operand holds a 0; false for floats, which have a result for it. */
bool holds_zero(Context* ctx, const View& v) {
  if (v.dtype == DType::f32 || v.dtype == DType::f64) return false;
  const Walk<1> w = make_walk<1>({&v});
  const int64_t step = w.strides[0][w.ndim - 1];
  bool found = false;
  with_all(v.dtype, [&](auto tag) {
    const auto* x = static_cast<const typename decltype(tag)::type*>(w.data[0]);
    for_rows(ctx, w, kGrain, [&](int64_t n, const int64_t* at) {
      int zeros = 0;
      for (int64_t i = 0; i < n; ++i) zeros |= x[at[0] + i * step] == 0 ? 1 : 0;
      if (zeros != 0) __atomic_store_n(&found, true, __ATOMIC_RELAXED);
    });
  });
  return found;
}

/** The loops of floats that repeat, which are a layer's bias or scale, or a plain number. */
template <class F, class T>
constexpr Loop kRepeating[2] = {repeating_loop<F, T, 0>, repeating_loop<F, T, 1>};

// All operands have one dtype but a ternary's condition, which comes first: the last one's decides.
#define KERNEL(name, dtypes, operands, loop)                                   \
  void k_##name(const Call& c) {                                               \
    const bool known = with_##dtypes(c.in[operands - 1].dtype, [&](auto tag) { \
      using T = typename decltype(tag)::type;                                  \
      run_elementwise<operands>(c, loop);                                      \
    });                                                                        \
    if (!known) refuse_dtype(c, c.in[operands - 1].dtype);                     \
  }

#define FUNCTOR(name, expression, Result)                                                      \
  struct F_##name {                                                                            \
    template <class T>                                                                         \
    ATHANOR_ALWAYS_INLINE Result apply(T a, T b, [[maybe_unused]] T p, [[maybe_unused]] T q) { \
      return static_cast<Result>(expression);                                                  \
    }                                                                                          \
  };
#define BINARY_AS(name, dtypes, expression, Result, parameters)           \
  FUNCTOR(name, expression, Result)                                       \
  KERNEL(name, dtypes, 2, (binary_loop<F_##name, T, Result, parameters>)) \
  TABLE(name, k_##name)

#define BINARY(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T, 0)
#define ARITHMETIC(name, dtypes, expression)                                          \
  FUNCTOR(name, expression, T)                                                        \
  KERNEL(name, dtypes, 2, (binary_loop<F_##name, T, T, 0>))                           \
  void repeating_##name(const Call& c) {                                              \
    const bool floats = with_floats(c.in[0].dtype, [&](auto tag) {                    \
      using T = typename decltype(tag)::type;                                         \
      run_elementwise<2>(c, binary_loop<F_##name, T, T, 0>, kRepeating<F_##name, T>); \
    });                                                                               \
    if (!floats) k_##name(c);                                                         \
  }                                                                                   \
  TABLE(name, repeating_##name)
#define BINARY1(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T, 1)
#define BINARY2(name, dtypes, expression) BINARY_AS(name, dtypes, expression, T, 2)
#define COMPARE(name, dtypes, expression) BINARY_AS(name, dtypes, expression, bool, 0)
#define DIVIDE(name, dtypes, expression, condition, otherwise)  \
  struct F_##name {                                             \
    template <class T>                                          \
    ATHANOR_ALWAYS_INLINE T apply(T a, T b) {                   \
      return expression;                                        \
    }                                                           \
    template <class T>                                          \
    ATHANOR_ALWAYS_INLINE bool usual(T a, T b) {                \
      return condition;                                         \
    }                                                           \
    template <class T>                                          \
    ATHANOR_ALWAYS_INLINE T rare(T a, T b) {                    \
      return otherwise;                                         \
    }                                                           \
  };                                                            \
  KERNEL(name, dtypes, 2, (divide_loop<F_##name, T>))           \
  void checked_##name(const Call& c) {                          \
    if (holds_zero(c.ctx, c.in[1])) {                           \
      c.ctx->fail(c.ctx, "integers cannot be divided by zero"); \
      return;                                                   \
    }                                                           \
    k_##name(c);                                                \
  }                                                             \
  TABLE(name, checked_##name)
#define TERNARY(name, dtypes, expression)              \
  struct F_##name {                                    \
    template <class T>                                 \
    ATHANOR_ALWAYS_INLINE T apply(bool c, T a, T b) {  \
      return expression;                               \
    }                                                  \
  };                                                   \
  KERNEL(name, dtypes, 3, (ternary_loop<F_##name, T>)) \
  TABLE(name, k_##name)
#define TABLE(name, run) const Kernel kernels_##name[] = {{"flat", nullptr, run}};
#include "ops.def"

// ---- powScalar. attrs: the exponent

template <class T, T (*power)(T)>
void power_loop(int64_t n, const double*, void* to, const void* const* in, bool streams) {
  const T* x = static_cast<const T*>(in[0]);
  write_elements(
      n, static_cast<T*>(to), streams, [&](int64_t i) __attribute__((always_inline)) { return power(x[i]); }, x);
}

/** The loop of an exponent for which a few products, a quotient or a root do. The second half are the gradients' of the
 *  first. Squares and 1 / x are ops of their own. */
template <class T>
Loop short_power(double exponent) {
  if (exponent == 3) return power_loop<T, m::cube<T>>;
  if (exponent == 4) return power_loop<T, m::fourth_power<T>>;
  if (exponent == 0.5) return power_loop<T, m::root<T>>;
  if (exponent == -0.5) return power_loop<T, m::inverse_root<T>>;
  if (exponent == -2) return power_loop<T, m::inverse_square<T>>;
  if (exponent == -1.5) return power_loop<T, m::inverse_root_cubed<T>>;
  if (exponent == -3) return power_loop<T, m::inverse_cube<T>>;
  return nullptr;
}
bool has_short_power(const Call& c) { return short_power<float>(c.attrs[0]) != nullptr; }

void k_short_power(const Call& c) {
  const bool known = with_floats(
      c.in[0].dtype, [&](auto tag) { run_elementwise<1>(c, short_power<typename decltype(tag)::type>(c.attrs[0])); });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

// As an operand that repeats: with an exponent that is known to be one for all, the compiler makes scalar loops of the
// power's special cases.
void k_power(const Call& c) {
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T exponent = static_cast<T>(c.attrs[0]);
    View in[2] = {c.in[0], c.in[0]};
    in[1].data = &exponent;
    for (int d = 0; d < in[1].ndim; ++d) in[1].strides[d] = 0;
    Call power = c;
    power.in = in;
    power.n_in = 2;
    k_pow(power);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}
const Kernel kernels_powScalar[] = {{"short", has_short_power, k_short_power}, {"flat", nullptr, k_power}};

}  // namespace

const OpKernels binary[] = {ATHANOR_OP(powScalar, kernels_powScalar),
#define BINARY(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define BINARY1(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define BINARY2(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define COMPARE(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#define DIVIDE(name, dtypes, expression, condition, otherwise) ATHANOR_OP(name, kernels_##name),
#define TERNARY(name, dtypes, expression) ATHANOR_OP(name, kernels_##name),
#include "ops.def"
                            {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
