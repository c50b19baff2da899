// Vector tails and memory bounds at every instruction set of this machine: sizes around the vector width, at addresses
// that are not aligned, with guards on both sides.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/isa.h"
#include "core/table.h"
#include "test/check.h"

using namespace athanor;

namespace {

constexpr int kGuard = 16;

const OpKernels* find(const IsaLevel& level, const char* op) {
  for (int f = 0; f < level.n_families; ++f)
    for (const OpKernels* k = level.families[f]; k->op != nullptr; ++k)
      if (std::strcmp(k->op, op) == 0) return k;
  return nullptr;
}

Context serial_context() {
  Context context{};
  context.threads = 1;
  context.parallel = [](Context*, int64_t count, void* closure, void (*body)(void*, int64_t)) {
    for (int64_t i = 0; i < count; ++i) body(closure, i);
  };
  return context;
}

View view_of(float* data, int64_t n, int64_t stride) {
  View v{};
  v.data = data;
  v.shape[0] = n;
  v.strides[0] = stride;
  v.ndim = 1;
  v.dtype = DType::f32;
  return v;
}

void check_add(const IsaLevel& level, int n, int shift, int stride) {
  const int reach = std::max(1, std::abs(stride));
  const size_t span = static_cast<size_t>(2 * kGuard + shift + (n + 1) * reach);
  std::vector<float> a(span), b(span), out(static_cast<size_t>(2 * kGuard + shift + n), -1.0f);
  for (size_t i = 0; i < span; ++i) {
    a[i] = static_cast<float>(i);
    b[i] = 0.5f;
  }
  const size_t start = static_cast<size_t>(kGuard + shift);
  const size_t first = stride < 0 ? start + static_cast<size_t>(-stride * n) : start;
  const View in[2] = {view_of(a.data() + first, n, stride), view_of(b.data() + start, n, 1)};
  const View result = view_of(out.data() + start, n, 1);
  Context context = serial_context();
  const Call call{in, &result, nullptr, 2, 1, 0, &context};
  const OpKernels* add = find(level, "add");
  CHECK(add != nullptr);
  for (int k = 0; k < add->count; ++k) {
    if (add->kernels[k].fits != nullptr && !add->kernels[k].fits(call)) continue;
    std::fill(out.begin(), out.end(), -1.0f);
    add->kernels[k].run(call);
    for (size_t i = 0; i < out.size(); ++i) {
      const bool inside = i >= start && i < start + static_cast<size_t>(n);
      const auto step = static_cast<std::ptrdiff_t>(i - start) * stride;
      CHECK_EQUAL(out[i], inside ? a[static_cast<size_t>(static_cast<std::ptrdiff_t>(first) + step)] + 0.5f : -1.0f);
    }
  }
}

}  // namespace

TEST(kernels_touch_what_is_theirs_at_every_level) {
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  CHECK(count >= 1);
  CHECK_EQUAL(std::string(levels[count - 1]->name), "baseline");
  for (int i = 0; i < count; ++i)
    for (int n = 0; n <= 70; ++n)
      for (int shift : {0, 1, 3})
        for (int stride : {1, 2, 0, -1}) check_add(*levels[i], n, shift, stride);
}

TEST(every_level_has_a_last_kernel_that_fits_everything) {
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  for (int i = 0; i < count; ++i) {
    for (int op = 0; op < Table::instance().size(); ++op) {
      const OpKernels* k = find(*levels[i], Table::instance().entry(op).name);
      if (k == nullptr) test::fail(__FILE__, __LINE__, std::string(levels[i]->name) + " lacks an op");
      CHECK(k->count >= 1);
      CHECK(k->kernels[k->count - 1].fits == nullptr);
    }
  }
}
