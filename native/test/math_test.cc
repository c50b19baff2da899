// The functions of native/math through their kernels, at every instruction set, against libm in wider formats.
#include "test/functions.h"

using namespace athanor;
using namespace athanor::test;

namespace {

// All 2^32 patterns of float32 take an hour and are `npm run accuracy -- --all`; every 257th of them, a prime number so
// that no bit of a pattern stays the same, takes seconds. Sanitizers slow it down fifty times.
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kStride = 65537, kSamples = 5000;
#else
constexpr uint64_t kStride = 257, kSamples = 50000;
#endif

void check_bound(const char* op, const char* dtype, const std::vector<Worst>& worst, double bound) {
  int levels = 0;
  const IsaLevel* const* level = isa_levels(&levels);
  CHECK_EQUAL(worst.size(), static_cast<size_t>(levels));
  for (int l = 0; l < levels; ++l) {
    const Worst& w = worst[static_cast<size_t>(l)];
    if (w.ulp <= bound) continue;
    char text[256];
    std::snprintf(text, sizeof text, "%s %s %s(%.17g, %.17g) = %.17g, exact %.17g: %g ulp, allowed %g", level[l]->name,
                  dtype, op, w.at[0], w.at[1], w.got, w.exact, w.ulp, bound);
    fail(__FILE__, __LINE__, text);
  }
}

}  // namespace

TEST(math_float32_is_within_its_ulp_bounds) {
  for (const UnaryFunction& f : unary_functions()) check_bound(f.op, "float32", sweep_float32(f, kStride), f.float_ulp);
}
TEST(math_float64_is_within_its_ulp_bounds) {
  for (const UnaryFunction& f : unary_functions())
    check_bound(f.op, "float64", sample_float64(f, kSamples), f.double_ulp);
}
TEST(math_of_two_operands_is_within_its_ulp_bounds) {
  for (const BinaryFunction& f : binary_functions()) {
    check_bound(f.op, "float32", sample_pairs<float>(f, 2 * kSamples), f.float_ulp);
    check_bound(f.op, "float64", sample_pairs<double>(f, kSamples), f.double_ulp);
  }
}

TEST(math_keeps_the_sign_of_zero) {
  int levels = 0;
  const IsaLevel* const* level = isa_levels(&levels);
  const float zeros[] = {-0.0f, 0.0f};
  for (int l = 0; l < levels; ++l)
    for (const char* op :
         {"expm1", "log1p", "sqrt", "sin", "tan", "erf", "tanh", "floor", "ceil", "round", "trunc", "gelu", "relu"}) {
      float out[2];
      run<float>(*level[l], op, 2, out, {zeros});
      CHECK(out[0] == 0 && std::signbit(out[0]));
      CHECK(out[1] == 0 && !std::signbit(out[1]));
    }
}
