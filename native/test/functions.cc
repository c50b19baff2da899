// The exact functions and the sweeps over their arguments.
#include "test/functions.h"

#include <thread>

namespace athanor {
namespace test {

namespace {

template <class E>
E normal_below(E x) {
  return E(0.5) * std::erfc(-x * std::sqrt(E(0.5)));
}
template <class E>
E logistic(E x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

/** One template, for double and for long double. */
#define FUNCTION(name, expression) \
  template <class E>               \
  E exact_##name(E x) {            \
    return expression;             \
  }
FUNCTION(exp, std::exp(x))
FUNCTION(exp2, std::exp2(x))
FUNCTION(expm1, std::expm1(x))
FUNCTION(log, std::log(x))
FUNCTION(log2, std::log2(x))
FUNCTION(log10, std::log10(x))
FUNCTION(log1p, std::log1p(x))
FUNCTION(sqrt, std::sqrt(x))
FUNCTION(rsqrt, 1 / std::sqrt(x))
FUNCTION(reciprocal, 1 / x)
FUNCTION(sin, std::sin(x))
FUNCTION(cos, std::cos(x))
FUNCTION(tan, std::tan(x))
FUNCTION(erf, std::erf(x))
FUNCTION(sigmoid, logistic(x))
FUNCTION(tanh, std::tanh(x))
FUNCTION(floor, std::floor(x))
FUNCTION(ceil, std::ceil(x))
FUNCTION(round, std::rint(x))
FUNCTION(trunc, std::trunc(x))
FUNCTION(silu, x* logistic(x))
FUNCTION(gelu, x* normal_below(x))
FUNCTION(elu, x > 0 ? x : std::expm1(x))
FUNCTION(cube, x * x * x)
FUNCTION(fourth, (x * x) * (x * x))
FUNCTION(root, std::pow(x, E(0.5)))
FUNCTION(inverse_root, std::pow(x, E(-0.5)))
FUNCTION(inverse_square, std::pow(x, E(-2)))
FUNCTION(inverse_root_cubed, std::pow(x, E(-1.5)))
FUNCTION(inverse_cube, std::pow(x, E(-3)))
FUNCTION(softplus, x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)))
#undef FUNCTION

#define POWER(exponent, name, float_ulp, double_ulp)                                     \
  {"powScalar", exact_##name<double>,  exact_##name<Exact>, float_ulp, double_ulp, 1, 1, \
   exponent,    "powScalar " #exponent}
#define ROW(name, ...) {#name, exact_##name<double>, exact_##name<Exact>, __VA_ARGS__}

Exact python_remainder(Exact a, Exact b) {
  const Exact rest = fmodl(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Exact whole_quotient(Exact a, Exact b) {
  if (b == 0 || !std::isfinite(a)) return std::isinf(a) && b != 0 ? NAN : a / b;
  if (std::isinf(b)) return a != 0 && (a < 0) != (b < 0) ? -1 : a / b;
  return rintl((a - python_remainder(a, b)) / b);
}

void refused(Context*, const char* text, ...) { fail(__FILE__, __LINE__, text); }

std::vector<const IsaLevel*> all_levels() {
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  return {levels, levels + count};
}

void keep_worst(Worst& worst, double ulp, double a, double b, double got, double exact) {
  if (ulp > worst.ulp) worst = {ulp, {a, b}, got, exact};
}

/** distance() of float32, where nothing is special, without a branch; the caller asks distance() for the rest. */
inline double near_distance(float got, double exact, double least) {
  uint64_t bits;
  std::memcpy(&bits, &exact, sizeof bits);
  bits &= 0x7ff0000000000000u;
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return std::fabs(got - exact) / std::max(power * 0x1p-23, least);
}

constexpr int64_t kBlock = 4096;  // patterns a call: a kernel's start costs nothing beside them

void sweep_part(const UnaryFunction& f, const std::vector<const IsaLevel*>& levels, uint64_t stride, uint64_t begin,
                uint64_t end, Worst* worst) {
  std::vector<float> x(kBlock), got(kBlock);
  std::vector<double> exact(kBlock);
  const double least = std::max(0x1p-149 * f.float_steps, 0x1p-149);
  for (uint64_t i = begin; i < end; i += kBlock) {
    const int64_t n = static_cast<int64_t>(std::min<uint64_t>(kBlock, end - i));
    for (int64_t k = 0; k < n; ++k) x[k] = from_bits<float>((i + static_cast<uint64_t>(k)) * stride);
    for (int64_t k = 0; k < n; ++k) exact[k] = f.wide(x[k]);
    for (size_t l = 0; l < levels.size(); ++l) {
      run<float>(*levels[l], f.op, n, got.data(), {x.data()}, f.parameter);
      for (int64_t k = 0; k < n; ++k) {
        const bool plain = std::fabs(exact[k]) < 3.4e38 && std::fabs(got[k]) < 3.4e38f;
        const double ulp =
            plain ? near_distance(got[k], exact[k], least) : distance<float>(got[k], exact[k], f.float_steps);
        if (ulp > worst[l].ulp) keep_worst(worst[l], ulp, x[k], 0, got[k], exact[k]);
      }
    }
  }
}

}  // namespace

const std::vector<UnaryFunction>& unary_functions() {
  static const std::vector<UnaryFunction> functions = {
      ROW(exp, 1.05, 1.05),
      ROW(exp2, 1.05, 1.05),
      ROW(expm1, 1.7, 2.0),
      ROW(log, 1.0, 1.0),
      ROW(log2, 0.51, 1.5),
      ROW(log10, 0.51, 2.0),
      ROW(log1p, 1.5, 1.5),
      ROW(sqrt, 0.501, 0.501),
      ROW(rsqrt, 1.5, 1.5),
      ROW(reciprocal, 0.501, 0.501),
      ROW(sin, 0.52, 0.6),
      ROW(cos, 0.52, 0.6),
      ROW(tan, 0.52, 0.7),
      ROW(erf, 2.0, 2.0),
      ROW(sigmoid, 2.5, 2.5),
      ROW(tanh, 2.4, 2.2),
      ROW(floor, 0, 0),
      ROW(ceil, 0, 0),
      ROW(round, 0, 0),
      ROW(trunc, 0, 0),
      ROW(silu, 3.5, 3.5, 256, 2048),
      ROW(gelu, 8.0, 8.0, 256, 2048),
      ROW(elu, 1.8, 2.0),
      ROW(softplus, 2.4, 2.4),
      POWER(3, cube, 0.501, 1.5),
      POWER(4, fourth, 0.501, 2.0),
      POWER(0.5, root, 0.501, 0.501),
      POWER(-0.5, inverse_root, 1.5, 1.5),
      POWER(-1.5, inverse_root_cubed, 2.5, 2.5),
      POWER(-2, inverse_square, 2.0, 2.0),
      POWER(-3, inverse_cube, 3.5, 3.5),
  };
  return functions;
}

const std::vector<BinaryFunction>& binary_functions() {
  static const std::vector<BinaryFunction> functions = {
      {"pow", powl, 0.51, 1.0},
      {"atan2", atan2l, 0.51, 1.0},
      {"remainder", python_remainder, 0.501, 0.501},
      {"floorDivide", whole_quotient, 0.501, 2.0},
  };
  return functions;
}

template <class T>
void run(const IsaLevel& level, const char* op, int64_t n, T* out, const std::vector<const T*>& inputs,
         double parameter) {
  Context context{};
  context.threads = 1;
  context.parallel = [](Context*, int64_t count, void* closure, void (*body)(void*, int64_t)) {
    for (int64_t i = 0; i < count; ++i) body(closure, i);
  };
  context.fail = refused;
  const auto view_of = [n](const T* x) {
    View v{};
    v.data = const_cast<T*>(x);
    v.shape[0] = n;
    v.strides[0] = 1;
    v.ndim = 1;
    v.dtype = sizeof(T) == 4 ? DType::f32 : DType::f64;
    return v;
  };
  std::vector<View> views;
  for (const T* x : inputs) views.push_back(view_of(x));
  const View result = view_of(out);
  const double attrs[] = {parameter};
  const Call call{views.data(), &result, attrs, static_cast<int>(views.size()), 1, 1, &context};
  for (int f = 0; f < level.n_families; ++f)
    for (const OpKernels* k = level.families[f]; k->op != nullptr; ++k)
      if (std::strcmp(k->op, op) == 0)
        for (int i = 0; i < k->count; ++i)
          if (k->kernels[i].fits == nullptr || k->kernels[i].fits(call)) return k->kernels[i].run(call);
  fail(__FILE__, __LINE__, std::string("no kernel for ") + op);
}
template void run<float>(const IsaLevel&, const char*, int64_t, float*, const std::vector<const float*>&, double);
template void run<double>(const IsaLevel&, const char*, int64_t, double*, const std::vector<const double*>&, double);

std::vector<Worst> sweep_float32(const UnaryFunction& f, uint64_t stride) {
  const std::vector<const IsaLevel*> levels = all_levels();
  const uint64_t count = (uint64_t{1} << 32) / stride, threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::vector<Worst>> found(threads, std::vector<Worst>(levels.size()));
  std::vector<std::thread> pool;
  for (uint64_t t = 0; t < threads; ++t)
    pool.emplace_back(
        [&, t] { sweep_part(f, levels, stride, count * t / threads, count * (t + 1) / threads, found[t].data()); });
  for (std::thread& thread : pool) thread.join();
  for (uint64_t t = 1; t < threads; ++t)
    for (size_t l = 0; l < levels.size(); ++l)
      if (found[t][l].ulp > found[0][l].ulp) found[0][l] = found[t][l];
  // A stride may step over the special values.
  const std::vector<float> x = special_values<float>();
  std::vector<float> got(x.size());
  for (size_t l = 0; l < levels.size(); ++l) {
    run<float>(*levels[l], f.op, static_cast<int64_t>(x.size()), got.data(), {x.data()}, f.parameter);
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = f.wide(x[i]);
      keep_worst(found[0][l], distance<float>(got[i], exact, f.float_steps), x[i], 0, got[i], exact);
    }
  }
  return found[0];
}

std::vector<Worst> sample_float64(const UnaryFunction& f, uint64_t count) {
  std::vector<double> x = special_values<double>();
  const uint64_t stride = std::numeric_limits<uint64_t>::max() / count | 1;
  for (uint64_t i = 0; i < count; ++i) x.push_back(from_bits<double>(i * stride));
  std::vector<Exact> exact;
  for (double v : x) exact.push_back(f.exact(v));
  std::vector<Worst> worst;
  std::vector<double> got(x.size());
  for (const IsaLevel* level : all_levels()) {
    run<double>(*level, f.op, static_cast<int64_t>(x.size()), got.data(), {x.data()}, f.parameter);
    worst.emplace_back();
    for (size_t i = 0; i < x.size(); ++i)
      keep_worst(worst.back(), distance<double>(got[i], exact[i], f.double_steps), x[i], 0, got[i],
                 static_cast<double>(exact[i]));
  }
  return worst;
}

template <class T>
std::vector<Worst> sample_pairs(const BinaryFunction& f, uint64_t count) {
  std::vector<T> a, b;
  for (T x : special_values<T>())
    for (T y : special_values<T>()) {
      a.push_back(x);
      b.push_back(y);
    }
  uint64_t state = 1;
  const auto random = [&] { return (state = state * 6364136223846793005u + 1442695040888963407u) >> 11; };
  for (uint64_t i = 0; i < count; ++i) {
    const T near = static_cast<T>(std::ldexp(static_cast<double>(random()), -53)),
            sign = random() % 2 == 0 ? T(1) : T(-1);
    a.push_back(i % 2 == 0 ? from_bits<T>(random() * 2049) : sign * near * T(1 + i % 64));
    b.push_back(i % 4 == 0 ? from_bits<T>(random() * 2049)
                           : (i % 3 == 0 ? T(1) : T(-1)) * (i % 8 < 4 ? T(i % 37) : near * T(i % 91)));
  }
  std::vector<Exact> exact;
  for (size_t i = 0; i < a.size(); ++i) exact.push_back(f.exact(a[i], b[i]));
  std::vector<Worst> worst;
  std::vector<T> got(a.size());
  for (const IsaLevel* level : all_levels()) {
    run<T>(*level, f.op, static_cast<int64_t>(a.size()), got.data(), {a.data(), b.data()});
    worst.emplace_back();
    for (size_t i = 0; i < a.size(); ++i)
      keep_worst(worst.back(), distance<T>(got[i], exact[i], 1), a[i], b[i], got[i], static_cast<double>(exact[i]));
  }
  return worst;
}
template std::vector<Worst> sample_pairs<float>(const BinaryFunction&, uint64_t);
template std::vector<Worst> sample_pairs<double>(const BinaryFunction&, uint64_t);

int print_accuracy(uint64_t stride, const char* op) {
  constexpr uint64_t kSamples = 1000000;
  const std::vector<const IsaLevel*> levels = all_levels();
  const auto print = [&](const char* name, const char* dtype, const std::string& over, double bound,
                         const std::vector<Worst>& worst) {
    std::printf("{\"op\": \"%s\", \"dtype\": \"%s\", \"over\": \"%s\", \"bound\": %g, \"ulp\": {", name, dtype,
                over.c_str(), bound);
    for (size_t l = 0; l < levels.size(); ++l)
      std::printf("%s\"%s\": %.4g", l == 0 ? "" : ", ", levels[l]->name, worst[l].ulp);
    std::printf("}}\n");
    std::fflush(stdout);
  };
  const std::string all = stride == 1 ? "all" : "every " + std::to_string(stride) + "th";
  const std::string sample = std::to_string(kSamples);
  const auto chosen = [&](const char* name) { return op == nullptr || std::strcmp(op, name) == 0; };
  for (const UnaryFunction& f : unary_functions())
    if (chosen(f.op)) print(f.name(), "float64", sample, f.double_ulp, sample_float64(f, kSamples));
  for (const BinaryFunction& f : binary_functions())
    if (chosen(f.op)) {
      print(f.op, "float64", sample, f.double_ulp, sample_pairs<double>(f, kSamples));
      print(f.op, "float32", sample, f.float_ulp, sample_pairs<float>(f, kSamples));
    }
  for (const UnaryFunction& f : unary_functions())
    if (chosen(f.op)) print(f.name(), "float32", all, f.float_ulp, sweep_float32(f, stride));
  return 0;
}

}  // namespace test
}  // namespace athanor
