// Results that are large enough to be written past the caches: the same bits as in small pieces, which are not, and
// nothing before or behind, whatever the alignment.
#include <cstring>

#include "test/kernels.h"

using namespace athanor;
using namespace athanor::test;

namespace {

constexpr int64_t kLarge = (int64_t{24} << 20) / 4 + 37;  // float32 elements, above the limit in cpu/streaming.h
constexpr int64_t kSmall = 100003, kGuard = 32;
constexpr float kUntouched = -77;

View window(Array<float>& a, int64_t first, int64_t n) {
  View v = a.view();
  v.data = a.data.data() + first;
  v.shape[0] = n;
  return v;
}

/** Runs an op over the windows of `in` that start at `shift`, at once and in pieces, and compares. Of input `repeated`
 *  the first element stands for all. */
void check_streamed(const char* op, std::vector<Array<float>>& in, int64_t shift, const std::vector<double>& attrs = {},
                    int repeated = -1) {
  Array<float> out({kLarge + 2 * kGuard}), expected({kLarge});
  std::vector<View> views;
  for (Array<float>& a : in) views.push_back(window(a, shift, kLarge));
  if (repeated >= 0) views[static_cast<size_t>(repeated)].strides[0] = 0;
  const auto reset = [&] { out.data.assign(out.data.size(), kUntouched); };
  each_kernel(op, views, window(out, kGuard + shift, kLarge), attrs, 3, reset, [&](const std::string& where) {
    for (int64_t at = 0; at < kLarge; at += kSmall) {
      const int64_t n = std::min(kSmall, kLarge - at);
      std::vector<View> pieces;
      for (Array<float>& a : in) pieces.push_back(window(a, shift + at, n));
      if (repeated >= 0) pieces[static_cast<size_t>(repeated)] = views[static_cast<size_t>(repeated)];
      const IsaLevel* level = nullptr;
      int levels = 0;
      const IsaLevel* const* all = isa_levels(&levels);
      for (int l = 0; l < levels; ++l)
        if (where.rfind(std::string(all[l]->name) + " ", 0) == 0) level = all[l];
      TestContext context(1);
      const View piece = window(expected, at, n);
      const Call call{
          pieces.data(), &piece, attrs.data(), static_cast<int>(pieces.size()), 1, static_cast<int>(attrs.size()),
          &context};
      const OpKernels* kernels = find_kernels(*level, op);
      kernels->kernels[kernels->count - 1].run(call);
    }
    const float* got = out.data.data();
    if (std::memcmp(got + kGuard + shift, expected.data.data(), kLarge * sizeof(float)) != 0)
      test::fail(__FILE__, __LINE__, where + " differs from its result in pieces");
    for (int64_t i = 0; i < kGuard + shift; ++i) CHECK_EQUAL(got[i], kUntouched);
    for (int64_t i = kGuard + shift + kLarge; i < kLarge + 2 * kGuard; ++i) CHECK_EQUAL(got[i], kUntouched);
  });
}

}  // namespace

TEST(large_results_are_the_same_as_small_ones) {
  for (int64_t shift : {0, 1, 7, 16}) {
    std::vector<Array<float>> one, two;
    one.push_back(Array<float>::random({kLarge + kGuard}, 1));
    two = one;
    two.push_back(Array<float>::random({kLarge + kGuard}, 2));
    check_streamed("copy", one, shift);
    check_streamed("tanh", one, shift);
    check_streamed("sin", one, shift);
    check_streamed("clamp", one, shift, {-0.5, 0.25});
    check_streamed("mul", two, shift);
    check_streamed("geluGrad", two, shift);
    for (int repeated : {0, 1}) check_streamed("sub", two, shift, {}, repeated);
  }
  std::vector<Array<float>> none;
  check_streamed("fill", none, 3, {2.5});
}
