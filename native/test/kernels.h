// Kernels called by hand: every kernel of an op at every instruction set, on buffers of exactly the size they may
// touch.
#pragma once
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/isa.h"
#include "test/check.h"

namespace athanor {
namespace test {

inline const OpKernels* find_kernels(const IsaLevel& level, const char* op) {
  for (int f = 0; f < level.n_families; ++f)
    for (const OpKernels* k = level.families[f]; k->op != nullptr; ++k)
      if (std::strcmp(k->op, op) == 0) return k;
  return nullptr;
}

/** A context that says it has `threads` threads and runs the items of a loop backwards: no result may depend on order.
 */
class TestContext : public Context {
 public:
  explicit TestContext(int n) {
    blas = nullptr;
    threads = n;
    Context::scratch = [](Context* c, size_t bytes) -> void* {
      auto& blocks = static_cast<TestContext*>(c)->blocks_;
      blocks.emplace_back(::operator new(bytes, std::align_val_t(64)));
      return blocks.back().get();
    };
    Context::mark = [](Context* c) { return static_cast<TestContext*>(c)->blocks_.size(); };
    Context::rewind = [](Context* c, size_t mark) { static_cast<TestContext*>(c)->blocks_.resize(mark); };
    Context::parallel = [](Context*, int64_t count, void* closure, void (*body)(void*, int64_t)) {
      for (int64_t i = count - 1; i >= 0; --i) body(closure, i);
    };
    Context::fail = report;
  }
  std::string failure;

 private:
  struct Free {
    void operator()(void* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  static void report(Context* c, const char* text, ...) { static_cast<TestContext*>(c)->failure = text; }
  std::vector<std::unique_ptr<void, Free>> blocks_;
};

/** Memory as a tensor in row-major order. */
inline View row_major(void* data, DType dtype, const std::vector<int64_t>& shape) {
  View v{};
  v.data = data;
  v.ndim = static_cast<int32_t>(shape.size());
  v.dtype = dtype;
  int64_t step = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    v.shape[d] = shape[static_cast<size_t>(d)];
    v.strides[d] = step;
    step *= v.shape[d];
  }
  return v;
}

/** A dense array that can be seen through views with permuted dimensions. */
template <class T>
struct Array {
  std::vector<int64_t> shape;
  std::vector<T> data;

  explicit Array(std::vector<int64_t> s, T value = T(0)) : shape(std::move(s)) {
    size_t n = 1;
    for (int64_t d : shape) n *= static_cast<size_t>(d);
    data.assign(n, value);
  }
  static Array random(std::vector<int64_t> s, unsigned seed) {
    Array a(std::move(s));
    std::minstd_rand generator(seed + 1);
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (T& x : a.data) x = static_cast<T>(uniform(generator));
    return a;
  }
  static DType dtype();
  View view() { return row_major(data.data(), dtype(), shape); }
};
template <>
inline DType Array<float>::dtype() {
  return DType::f32;
}
template <>
inline DType Array<double>::dtype() {
  return DType::f64;
}
template <>
inline DType Array<int32_t>::dtype() {
  return DType::i32;
}

template <>
inline DType Array<uint16_t>::dtype() {
  return DType::bf16;
}

/** The same numbers in bfloat16, to which those of `a` are cut off. */
inline Array<uint16_t> narrowed(Array<float>& a) {
  Array<uint16_t> out(a.shape);
  for (size_t i = 0; i < a.data.size(); ++i) {
    uint32_t bits;
    std::memcpy(&bits, &a.data[i], sizeof bits);
    bits &= 0xffff0000;
    std::memcpy(&a.data[i], &bits, sizeof bits);
    out.data[i] = static_cast<uint16_t>(bits >> 16);
  }
  return out;
}

inline View swapped(View v, int a, int b) {
  std::swap(v.shape[a], v.shape[b]);
  std::swap(v.strides[a], v.strides[b]);
  return v;
}

/** check(where) after every kernel of `op` that fits, at every instruction set; `reset` runs before each. */
inline void each_kernel(const char* op, const std::vector<View>& in, const View& out, const std::vector<double>& attrs,
                        int threads, const std::function<void()>& reset,
                        const std::function<void(const std::string&)>& check) {
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  for (int i = 0; i < count; ++i) {
    const OpKernels* kernels = find_kernels(*levels[i], op);
    CHECK(kernels != nullptr);
    for (int k = 0; k < kernels->count; ++k) {
      TestContext context(threads);
      const Call call{in.data(), &out, attrs.data(), static_cast<int>(in.size()), 1, static_cast<int>(attrs.size()),
                      &context};
      if (kernels->kernels[k].needs == Needs::bf16_dot && !has_bf16_dot()) continue;
      if (kernels->kernels[k].fits != nullptr && !kernels->kernels[k].fits(call)) continue;
      reset();
      kernels->kernels[k].run(call);
      CHECK_EQUAL(context.failure, "");
      check(std::string(levels[i]->name) + " " + op + "/" + kernels->kernels[k].name);
    }
  }
}

}  // namespace test
}  // namespace athanor
