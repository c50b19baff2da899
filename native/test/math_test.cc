// The functions of native/math through their kernels, at every instruction set, against long double libm: samples of
// all floats (every exponent, both signs) and the special values. The bounds are in units in the last place (ulp) of
// the exact result, spaced evenly below the smallest normal number; the figures in native/math are stated from here.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/isa.h"
#include "test/check.h"

using namespace athanor;

namespace {

using Exact = long double;

struct Unary {
  const char* op;
  Exact (*exact)(Exact);
  double float_ulp, double_ulp;
  // Where a denormal factor is multiplied by x its own rounding grows: an ulp counts as at least so many denormal
  // steps.
  int float_steps = 1, double_steps = 1;
};

Exact normal_below(Exact x) { return 0.5L * erfcl(-x * sqrtl(0.5L)); }
Exact logistic(Exact x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }

const Unary kUnary[] = {
    {"exp", expl, 1.0, 1.0},
    {"expm1", expm1l, 1.5, 1.5},
    {"log", logl, 1.0, 1.0},
    {"log1p", log1pl, 1.5, 1.5},
    {"sqrt", sqrtl, 0.5, 0.5},
    {"rsqrt", [](Exact x) { return 1 / sqrtl(x); }, 1.5, 1.5},
    {"reciprocal", [](Exact x) { return 1 / x; }, 0.5, 0.5},
    {"sin", sinl, 0.52, 0.6},
    {"cos", cosl, 0.52, 0.6},
    {"erf", erfl, 1.5, 1.5},
    {"sigmoid", logistic, 2.0, 2.0},
    {"tanh", tanhl, 2.2, 2.2},
    {"floor", floorl, 0, 0},
    {"ceil", ceill, 0, 0},
    {"round", rintl, 0, 0},
    {"trunc", truncl, 0, 0},
    {"silu", [](Exact x) { return x * logistic(x); }, 3.0, 3.0, 256, 2048},
    {"gelu", [](Exact x) { return x * normal_below(x); }, 7.0, 12.0, 256, 2048},
    {"softplus", [](Exact x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }, 2.0, 2.0},
};

void refused(Context*, const char* text, ...) { test::fail(__FILE__, __LINE__, text); }

/** Runs an op of one dtype over flat arrays, on this thread. */
template <class T>
std::vector<T> run(const IsaLevel& level, const char* op, const std::vector<const std::vector<T>*>& inputs,
                   const std::vector<double>& attrs = {}) {
  Context context{};
  context.threads = 1;
  context.parallel = [](Context*, int64_t count, void* closure, void (*body)(void*, int64_t)) {
    for (int64_t i = 0; i < count; ++i) body(closure, i);
  };
  context.fail = refused;
  std::vector<T> out(inputs[0]->size());
  std::vector<View> views;
  const auto view_of = [&](const std::vector<T>& x) {
    View v{};
    v.data = const_cast<T*>(x.data());
    v.shape[0] = static_cast<int64_t>(x.size());
    v.strides[0] = 1;
    v.ndim = 1;
    v.dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
    return v;
  };
  for (const auto* x : inputs) views.push_back(view_of(*x));
  const View result = view_of(out);
  const Call call{
      views.data(), &result, attrs.data(), static_cast<int>(views.size()), 1, static_cast<int>(attrs.size()), &context};
  for (int f = 0; f < level.n_families; ++f)
    for (const OpKernels* k = level.families[f]; k->op != nullptr; ++k)
      if (std::strcmp(k->op, op) == 0) {
        k->kernels[k->count - 1].run(call);
        return out;
      }
  test::fail(__FILE__, __LINE__, std::string("no kernel for ") + op);
}

template <class T>
T from_bits(uint64_t bits) {
  T out;
  if (sizeof(T) == 4) {
    const auto low = static_cast<uint32_t>(bits);
    std::memcpy(&out, &low, sizeof out);
  } else {
    std::memcpy(&out, &bits, sizeof out);
  }
  return out;
}

template <class T>
std::vector<T> special_values() {
  using L = std::numeric_limits<T>;
  std::vector<T> out;
  for (T x : {T(0), L::denorm_min(), L::min(), L::epsilon(), T(0.5), T(1), T(1.5), T(2), T(2.5), T(3), T(10), T(100),
              L::max(), L::infinity(), L::quiet_NaN(), T(88.72283), T(-103.97208), T(709.78271289338397),
              T(-745.13321910194110)}) {
    for (T y : {x, -x, std::nextafter(x, T(0)), std::nextafter(x, L::max())}) out.push_back(y);
  }
  return out;
}

/** The special values, and `count` patterns that step evenly through all floats. */
template <class T>
std::vector<T> samples(uint64_t count) {
  std::vector<T> out = special_values<T>();
  const uint64_t stride = (sizeof(T) == 4 ? uint64_t{1} << 32 : std::numeric_limits<uint64_t>::max()) / count | 1;
  for (uint64_t i = 0; i < count; ++i) out.push_back(from_bits<T>(i * stride));
  return out;
}

/** How far `got` is from `exact`, in ulp; infinite where one is nan or infinite and the other is not. */
template <class T>
double distance(T got, Exact exact, int steps) {
  using L = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : L::infinity();
  const T rounded = static_cast<T>(exact);
  if (std::isinf(got) || std::isinf(rounded)) {
    // At the edge of overflow the next number beyond the largest is as far as one ulp.
    const bool edge = std::fabs(exact) > static_cast<Exact>(L::max()) * (1 - static_cast<Exact>(L::epsilon()));
    return got == rounded ? 0 : (edge && std::isinf(got) != std::isinf(rounded) ? 1 : L::infinity());
  }
  const int exponent = exact == 0 ? L::min_exponent - 1 : std::max(std::ilogb(exact), L::min_exponent - 1);
  const Exact ulp =
      std::max(std::ldexp(Exact(1), exponent - L::digits + 1), steps * static_cast<Exact>(L::denorm_min()));
  return static_cast<double>(std::fabs(static_cast<Exact>(got) - exact) / ulp);
}

template <class T>
void check_close(const char* level, const char* op, const std::vector<T>& got, const std::vector<Exact>& exact,
                 const std::vector<T>& a, const std::vector<T>& b, double bound, int steps = 1) {
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = distance(got[i], exact[i], steps);
    if (d > worst) {
      worst = d;
      at = i;
    }
  }
  if (std::getenv("ATHANOR_TEST_ULP") != nullptr)
    std::printf("%-12s %-9s %-7s %.3f ulp at %.9g, %.9g\n", op, level, sizeof(T) == 4 ? "float32" : "float64", worst,
                static_cast<double>(a[at]), static_cast<double>(b[at]));
  if (worst <= bound) return;
  char text[256];
  std::snprintf(text, sizeof text, "%s %s %s(%.17g, %.17g) = %.17g, exact %.17Lg: %g ulp, allowed %g", level,
                sizeof(T) == 4 ? "float32" : "float64", op, static_cast<double>(a[at]), static_cast<double>(b[at]),
                static_cast<double>(got[at]), exact[at], worst, bound);
  test::fail(__FILE__, __LINE__, text);
}

template <class T>
void check_unary(uint64_t count) {
  const std::vector<T> x = samples<T>(count);
  int levels = 0;
  const IsaLevel* const* level = isa_levels(&levels);
  for (const Unary& f : kUnary) {
    std::vector<Exact> exact;
    for (T v : x) exact.push_back(f.exact(v));
    for (int l = 0; l < levels; ++l)
      check_close<T>(level[l]->name, f.op, run<T>(*level[l], f.op, {&x}, {1.0}), exact, x, x,
                     sizeof(T) == 4 ? f.float_ulp : f.double_ulp, sizeof(T) == 4 ? f.float_steps : f.double_steps);
  }
}

struct Binary {
  const char* op;
  Exact (*exact)(Exact, Exact);
  double float_ulp, double_ulp;
};

Exact python_remainder(Exact a, Exact b) {
  const Exact rest = fmodl(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Exact whole_quotient(Exact a, Exact b) {
  if (b == 0 || !std::isfinite(a)) return std::isinf(a) && b != 0 ? NAN : a / b;
  if (std::isinf(b)) return a != 0 && (a < 0) != (b < 0) ? -1 : a / b;
  return rintl((a - python_remainder(a, b)) / b);
}

const Binary kBinary[] = {
    {"pow", powl, 0.51, 1.0},
    {"remainder", python_remainder, 0.5, 0.5},
    {"floorDivide", whole_quotient, 0.5, 1.0},
};

template <class T>
void check_binary(uint64_t count) {
  std::vector<T> a, b;
  for (T x : special_values<T>())
    for (T y : special_values<T>()) {
      a.push_back(x);
      b.push_back(y);
    }
  uint64_t state = 1;
  const auto random = [&] { return (state = state * 6364136223846793005u + 1442695040888963407u) >> 11; };
  for (uint64_t i = 0; i < count; ++i) {
    // Any number with any other, and numbers of ordinary size, both signs
    const T near = static_cast<T>(std::ldexp(static_cast<double>(random()), -53)),
            sign = random() % 2 == 0 ? T(1) : T(-1);
    a.push_back(i % 2 == 0 ? from_bits<T>(random() * 2049) : sign * near * T(1 + i % 64));
    b.push_back(i % 4 == 0 ? from_bits<T>(random() * 2049)
                           : (i % 3 == 0 ? T(1) : T(-1)) * (i % 8 < 4 ? T(i % 37) : near * T(i % 91)));
  }
  int levels = 0;
  const IsaLevel* const* level = isa_levels(&levels);
  for (const Binary& f : kBinary) {
    std::vector<Exact> exact;
    for (size_t i = 0; i < a.size(); ++i) exact.push_back(f.exact(a[i], b[i]));
    for (int l = 0; l < levels; ++l)
      check_close<T>(level[l]->name, f.op, run<T>(*level[l], f.op, {&a, &b}), exact, a, b,
                     sizeof(T) == 4 ? f.float_ulp : f.double_ulp);
  }
}

}  // namespace

TEST(math_float32_is_within_its_ulp_bounds) { check_unary<float>(200000); }
TEST(math_float64_is_within_its_ulp_bounds) { check_unary<double>(50000); }
TEST(math_of_two_operands_is_within_its_ulp_bounds) {
  check_binary<float>(100000);
  check_binary<double>(20000);
}

TEST(math_keeps_the_sign_of_zero) {
  int levels = 0;
  const IsaLevel* const* level = isa_levels(&levels);
  const std::vector<float> zeros = {-0.0f, 0.0f};
  for (int l = 0; l < levels; ++l)
    for (const char* op :
         {"expm1", "log1p", "sqrt", "sin", "erf", "tanh", "floor", "ceil", "round", "trunc", "gelu", "relu"}) {
      const std::vector<float> out = run<float>(*level[l], op, {&zeros});
      CHECK(out[0] == 0 && std::signbit(out[0]));
      CHECK(out[1] == 0 && !std::signbit(out[1]));
    }
}
