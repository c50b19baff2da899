#include "cuda/ptx_executor/registry.h"

#include <cstdio>
#include <cstdlib>
#include <unordered_map>

namespace athanor {
namespace ptx {
namespace {

// The format is nvcc's own; `cuobjdump` and debuggers read it so.
struct Wrapper {
  uint32_t magic, version;
  const char* data;
  const void* more;
};
constexpr uint32_t kWrapperMagic = 0x466243b1, kDataMagic = 0xba55ed50;
struct Header {
  uint32_t magic;
  uint16_t version, bytes;
  uint64_t rest;  // what follows this header
};
struct Entry {
  uint16_t kind, version;
  uint32_t header_bytes;
  uint64_t payload_bytes;
  uint32_t compressed_bytes;
};
constexpr uint16_t kPtx = 1;

template <class T>
T read(const char* from) {
  T out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<Object>> objects;
  std::unordered_map<const void*, std::unique_ptr<Kernel>> kernels;  // by stub

  ~Registry() { tell(); }
  /** ATHANOR_PTX_COVERAGE: a file that gets a line for each kernel: how many of its instructions were executed, how
   * many it has, and its name; of one that cannot be executed, what is not known of it. */
  void tell() {
    const char* path = std::getenv("ATHANOR_PTX_COVERAGE");
    std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "a");
    if (file == nullptr) return;
    for (const auto& [stub, kernel] : kernels) {
      try {
        size_t done = 0;
        const Program& program = kernel->ready();
        for (const Instruction& i : program.code) done += i.executed ? 1 : 0;
        std::fprintf(file, "%zu %zu %s\n", done, program.code.size(), kernel->name.c_str());
      } catch (const std::exception& e) {
        std::fprintf(file, "? ? %s\n", e.what());
      }
    }
    std::fclose(file);
  }
};

Registry& registry() {
  static Registry instance;  // told when the process ends
  return instance;
}

}  // namespace

std::string_view text_in(const void* fat_binary) {
  const auto wrapper = read<Wrapper>(static_cast<const char*>(fat_binary));
  if (wrapper.magic != kWrapperMagic) throw Unsupported("what was registered is no fat binary");
  const auto header = read<Header>(wrapper.data);
  if (header.magic != kDataMagic) throw Unsupported("a fat binary of another format");
  const char *at = wrapper.data + header.bytes, *end = at + header.rest;
  while (at < end) {
    const auto entry = read<Entry>(at);
    if (entry.kind == kPtx) {
      if (entry.compressed_bytes != 0) throw Unsupported("the PTX is compressed: compile with -no-compress");
      const char* text = at + entry.header_bytes;
      return {text, strnlen(text, entry.payload_bytes)};
    }
    at += entry.header_bytes + entry.payload_bytes;
  }
  throw Unsupported("a fat binary without PTX");
}

const Program& Kernel::ready() {
  std::lock_guard<std::mutex> lock(object->mutex);
  if (!object->read) {
    object->module = read_module(object->text);
    object->globals = make_globals(object->module);
    object->read = true;
  }
  if (program == nullptr) program = build_program(object->module, object->globals, name);
  return *program;
}

Object* add_object(const void* fat_binary) {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  r.objects.emplace_back(new Object);
  r.objects.back()->text = text_in(fat_binary);
  return r.objects.back().get();
}

Kernel* add_kernel(Object* object, const void* stub, const char* name) {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  auto& kernel = r.kernels[stub];
  kernel.reset(new Kernel{object, name, nullptr});
  return kernel.get();
}

Kernel* kernel_of(const void* stub) {
  Registry& r = registry();
  std::lock_guard<std::mutex> lock(r.mutex);
  const auto at = r.kernels.find(stub);
  return at == r.kernels.end() ? nullptr : at->second.get();
}

}  // namespace ptx
}  // namespace athanor
