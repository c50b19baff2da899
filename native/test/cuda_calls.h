// Calls of CUDA kernels by hand, on the simulator: views of host memory, a context that stands for the engine.
#pragma once
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/families.h"
#include "cuda/simulator/schedules.h"
#include "test/check.h"

extern "C" const athanor::DeviceModule* athanor_device_module();

namespace athanor {
namespace test {

/** The table of a family's kernels for an op. Throws when there is none. */
inline const OpKernels& cuda_kernels(const OpKernels* family, const char* op) {
  for (const OpKernels* k = family; k->op != nullptr; ++k)
    if (std::strcmp(k->op, op) == 0) return *k;
  throw CheckFailed(std::string("no kernels of ") + op);
}

class CudaContext : public DeviceContext {
 public:
  explicit CudaContext(int on = 0) {
    Context::blas = nullptr;
    Context::threads = 1;
    Context::parallel = nullptr;
    Context::fail = refuse;
    Context::scratch = [](Context* c, size_t bytes) -> void* {
      auto& blocks = static_cast<CudaContext*>(c)->blocks_;
      blocks.emplace_back(new char[bytes]);
      std::memset(blocks.back().get(), 0xff, bytes);
      return blocks.back().get();
    };
    athanor_device_module()->open_queue(on, &queue);
    static auto& queues = *new std::vector<void*>;  // a module closes none: here they stay in reach, at exit too
    queues.push_back(queue);
    report = &report_;
    op = 0;
    sequence = 1;
    device = on;
    multiprocessors = 4;
    float32_precision = Float32Precision::exact;
  }
  void synchronize() {
    const DeviceModule& module = *athanor_device_module();
    const int code = module.synchronize(queue);
    if (code != 0) throw CheckFailed(module.describe(code));
    if (!failure.empty()) throw CheckFailed(failure);
  }
  std::string failure;

 private:
  static void refuse(Context* c, const char* text, ...) { static_cast<CudaContext*>(c)->failure = text; }
  DeviceReport report_{};
  std::vector<std::unique_ptr<char[]>> blocks_;
};

/** Throws unless a float32 result is what float64 gives, but for a few roundings. */
inline void is_near(float found, double expected, const std::string& what = "a number") {
  if (std::fabs(found - expected) <= 2e-5 * (1 + std::fabs(expected))) return;
  throw CheckFailed(what + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
}

}  // namespace test
}  // namespace athanor
