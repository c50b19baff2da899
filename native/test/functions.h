// The functions of native/math, their exact values and how far their kernels may be off: in units in the last place
// (ulp) of the exact result, spaced evenly below the smallest normal number. docs/accuracy.md is made from here.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/isa.h"
#include "test/check.h"

namespace athanor {
namespace test {

using Exact = long double;

struct UnaryFunction {
  const char* op;
  double (*wide)(double);  // exact enough for float32: off by 2^-28 of its ulp
  Exact (*exact)(Exact);
  double float_ulp, double_ulp;  // at most
  // Where a denormal factor is multiplied by x its own rounding grows: an ulp counts as at least so many denormal
  // steps.
  int float_steps = 1, double_steps = 1;
  double parameter = 1;         // the call's first attribute: alpha of elu, beta of softplus, the exponent of powScalar
  const char* label = nullptr;  // what the results are listed as, if not as the op

  const char* name() const { return label != nullptr ? label : op; }
};

struct BinaryFunction {
  const char* op;
  Exact (*exact)(Exact, Exact);
  double float_ulp, double_ulp;
};

/** The rows of the two tables. */
const std::vector<UnaryFunction>& unary_functions();
const std::vector<BinaryFunction>& binary_functions();

/** What is known of one function at one level. */
struct Worst {
  double ulp = 0;
  double at[2] = {0, 0}, got = 0, exact = 0;
};

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

/** Runs an op of one dtype over flat arrays of n elements, on this thread, with the first kernel that takes them. */
template <class T>
void run(const IsaLevel& level, const char* op, int64_t n, T* out, const std::vector<const T*>& inputs,
         double parameter = 1);

/** How far `got` is from `exact`, in ulp; infinite where one is nan or infinite and the other is not. */
template <class T, class E>
double distance(T got, E exact, int steps) {
  using L = std::numeric_limits<T>;
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : L::infinity();
  const T rounded = static_cast<T>(exact);
  if (std::isinf(got) || std::isinf(rounded)) {
    // At the edge of overflow the next number beyond the largest is as far as one ulp.
    const bool edge = std::fabs(exact) > static_cast<E>(L::max()) * (1 - static_cast<E>(L::epsilon()));
    return got == rounded ? 0 : (edge && std::isinf(got) != std::isinf(rounded) ? 1 : L::infinity());
  }
  const int exponent = exact == 0 ? L::min_exponent - 1 : std::max(std::ilogb(exact), L::min_exponent - 1);
  const E ulp = std::max(std::ldexp(E(1), exponent - L::digits + 1), steps * static_cast<E>(L::denorm_min()));
  return static_cast<double>(std::fabs(static_cast<E>(got) - exact) / ulp);
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

/** The largest distance of a function's kernel at each level of this machine (best first), over every `stride`-th of
 *  the 2^32 float32 patterns; stride is odd, so that all exponents, signs and last bits are met. */
std::vector<Worst> sweep_float32(const UnaryFunction& f, uint64_t stride);
/** The same over the special values and `count` patterns that step evenly through all float64. */
std::vector<Worst> sample_float64(const UnaryFunction& f, uint64_t count);
/** The same over pairs of special values, and `count` random pairs: any number with any other, and numbers of ordinary
 *  size. T is float or double. */
template <class T>
std::vector<Worst> sample_pairs(const BinaryFunction& f, uint64_t count);

/** athanor_native_test --accuracy STRIDE [op]: the sweeps of all functions, a line of JSON each. */
int print_accuracy(uint64_t stride, const char* op);

}  // namespace test
}  // namespace athanor
