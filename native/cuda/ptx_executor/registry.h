// The kernels that nvcc's objects bring: each object hands over its fat binary, in which its PTX lies, and the names of
// its kernels.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/ptx_executor/build.h"

namespace athanor {
namespace ptx {

/** The PTX within what __cudaRegisterFatBinary is given. Throws Unsupported where there is none, or it is compressed.
 */
std::string_view text_in(const void* fat_binary);

struct Object {
  std::string_view text;
  std::mutex mutex;
  bool read = false;
  Module module;
  Globals globals;
};

struct Kernel {
  Object* object;
  std::string name;
  std::unique_ptr<Program> program;  // from the first launch on

  const Program& ready();
};

Object* add_object(const void* fat_binary);
Kernel* add_kernel(Object* object, const void* stub, const char* name);
/** Null: no stub of a kernel. */
Kernel* kernel_of(const void* stub);

}  // namespace ptx
}  // namespace athanor
