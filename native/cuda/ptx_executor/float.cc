// Floating-point arithmetic, after the chapter of that name in the PTX reference. All of it but what is called
// approximate is IEEE 754, so the processor's own arithmetic; this file must not be compiled with contraction.
#include <cmath>
#include <limits>

#include "cuda/ptx_executor/tables.h"

namespace athanor {
namespace ptx {
namespace {

template <class T>
struct Add {
  static T of(T a, T b) { return a + b; }
};
template <class T>
struct Subtract {
  static T of(T a, T b) { return a - b; }
};
template <class T>
struct Multiply {
  static T of(T a, T b) { return a * b; }
};
template <class T>
struct Divide {
  static T of(T a, T b) { return a / b; }
};
template <class T>
struct MultiplyAdd {
  static T of(T a, T b, T c) { return std::fma(a, b, c); }
};
template <class T>
struct Root {
  static T of(T a) { return std::sqrt(a); }
};
template <class T>
struct Reciprocal {
  static T of(T a) { return T{1} / a; }
};
template <class T>
struct Negate {
  static T of(T a) { return -a; }
};
template <class T>
struct Magnitude {
  static T of(T a) { return std::fabs(a); }
};
template <class T>
struct CopySign {
  static T of(T a, T b) { return std::copysign(b, a); }
};  // a's sign, b's value

/** Of two of which one is not a number, the other; with NaN asked for, not a number. +0 is larger than -0. */
template <class T, bool Larger, bool NaN>
struct Extreme {
  static T of(T a, T b) {
    if (a != a || b != b) {
      if (NaN || (a != a && b != b)) return std::numeric_limits<T>::quiet_NaN();
      return a != a ? b : a;
    }
    if (a == b) return std::signbit(a) == Larger ? b : a;
    return (a > b) == Larger ? a : b;
  }
};

// ---- approximate ones: what they give here is as near as it can be, which no GPU does better
float flushed(float a) { return std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(0.0f, a) : a; }
template <class F>
struct Flushing {
  static float of(float a) { return flushed(F::of(flushed(a))); }
};
struct Power2 {
  static float of(float a) { return static_cast<float>(std::exp2(static_cast<double>(a))); }
};
struct Logarithm2 {
  static float of(float a) { return static_cast<float>(std::log2(static_cast<double>(a))); }
};
struct Sine {
  static float of(float a) { return static_cast<float>(std::sin(static_cast<double>(a))); }
};
struct Cosine {
  static float of(float a) { return static_cast<float>(std::cos(static_cast<double>(a))); }
};
struct Tangent {
  static float of(float a) { return static_cast<float>(std::tanh(static_cast<double>(a))); }
};
struct RootReciprocal {
  static float of(float a) { return static_cast<float>(1 / std::sqrt(static_cast<double>(a))); }
};

/** rcp.approx.ftz.f64: of the high word alone, whose twenty bits of fraction are all that the result has. */
struct CoarseReciprocal {
  static double of(double a) {
    const auto high = [](double x) { return as<double>(word_of(x) & 0xffffffff00000000u); };
    const double in = high(a);
    if (std::fpclassify(in) == FP_SUBNORMAL) return std::copysign(std::numeric_limits<double>::infinity(), in);
    const double out = high(1 / in);
    return std::fpclassify(out) == FP_SUBNORMAL ? std::copysign(0.0, out) : out;
  }
};

Table make() {
  Table t;
  for_floats([&](auto value, const std::string& name) {
    using T = decltype(value);
    // Without a rounding it is to nearest; then ptxas may contract, which changes the last bit only.
    for (const std::string rounding : {"", ".rn"}) {
      t["add" + rounding + name] = two<T, Add<T>>;
      t["sub" + rounding + name] = two<T, Subtract<T>>;
      t["mul" + rounding + name] = two<T, Multiply<T>>;
    }
    t["div.rn" + name] = two<T, Divide<T>>;
    t["fma.rn" + name] = three<T, MultiplyAdd<T>>;
    t["sqrt.rn" + name] = one<T, Root<T>>;
    t["rcp.rn" + name] = one<T, Reciprocal<T>>;
    t["neg" + name] = one<T, Negate<T>>;
    t["abs" + name] = one<T, Magnitude<T>>;
    t["copysign" + name] = two<T, CopySign<T>>;
    t["min" + name] = two<T, Extreme<T, false, false>>;
    t["max" + name] = two<T, Extreme<T, true, false>>;
    t["min.NaN" + name] = two<T, Extreme<T, false, true>>;
    t["max.NaN" + name] = two<T, Extreme<T, true, true>>;
  });
  const auto approximate = [&](const std::string& name, Handler exact, Handler flushing) {
    t[name + ".approx.f32"] = exact;
    t[name + ".approx.ftz.f32"] = flushing;
  };
  approximate("ex2", one<float, Power2>, one<float, Flushing<Power2>>);
  approximate("lg2", one<float, Logarithm2>, one<float, Flushing<Logarithm2>>);
  approximate("sin", one<float, Sine>, one<float, Flushing<Sine>>);
  approximate("cos", one<float, Cosine>, one<float, Flushing<Cosine>>);
  approximate("rsqrt", one<float, RootReciprocal>, one<float, Flushing<RootReciprocal>>);
  approximate("rcp", one<float, Reciprocal<float>>, one<float, Flushing<Reciprocal<float>>>);
  approximate("sqrt", one<float, Root<float>>, one<float, Flushing<Root<float>>>);
  t["tanh.approx.f32"] = one<float, Tangent>;
  t["rcp.approx.ftz.f64"] = one<double, CoarseReciprocal>;
  return t;
}

}  // namespace

Meaning float_meaning(const Mods& mods) {
  static const Table& table = *new Table(make());  // used while the process ends, too
  return found_in(table, mods);
}

}  // namespace ptx
}  // namespace athanor
