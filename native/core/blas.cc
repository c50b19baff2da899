#include "core/blas.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace athanor {
namespace {

// ---- libraries of this system

struct Known {
  const char* name;
  std::vector<const char*>
      files;  // tried in order: the version that was built against first, then what developers have
};

const std::vector<Known>& known() {
  static const std::vector<Known> list = {
#if defined(_WIN32)
      {"openblas", {"libopenblas.dll", "openblas.dll"}},
      {"mkl", {"mkl_rt.2.dll", "mkl_rt.1.dll", "mkl_rt.dll"}},
      {"blis", {"libblis.dll", "blis.dll"}},
      {"accelerate", {}},
#elif defined(__APPLE__)
      {"openblas",
       {"libopenblas.dylib", "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
        "/usr/local/opt/openblas/lib/libopenblas.dylib"}},
      {"mkl", {"libmkl_rt.2.dylib", "libmkl_rt.dylib"}},
      {"blis", {"libblis.4.dylib", "libblis.dylib", "/opt/homebrew/opt/blis/lib/libblis.dylib"}},
      {"accelerate", {"/System/Library/Frameworks/Accelerate.framework/Accelerate"}},
#else
      {"openblas", {"libopenblas.so.0", "libopenblas.so"}},
      {"mkl", {"libmkl_rt.so.2", "libmkl_rt.so", "/opt/intel/oneapi/mkl/latest/lib/libmkl_rt.so.2"}},
      {"blis", {"libblis.so.4", "libblis.so", "libblis-mt.so"}},
      {"accelerate", {}},
#endif
  };
  return list;
}

#ifdef _WIN32
void* open_library(const char* file, std::string* why) {
  HMODULE library = LoadLibraryA(file);
  if (library == nullptr) *why = format("%s: error %lu", file, GetLastError());
  return library;
}
void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}
std::string file_of(void* library, void*, const char* fallback) {
  char file[MAX_PATH];
  const DWORD length = GetModuleFileNameA(static_cast<HMODULE>(library), file, MAX_PATH);
  return length == 0 ? fallback : std::string(file, length);
}
#else
void* open_library(const char* file, std::string* why) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) *why = dlerror();
  return library;
}
void* find_symbol(void* library, const char* name) { return dlsym(library, name); }
std::string file_of(void*, void* symbol, const char* fallback) {
  Dl_info found;
  return dladdr(symbol, &found) != 0 && found.dli_fname != nullptr ? found.dli_fname : fallback;
}
#endif

// ---- numbers of threads

struct Setter {
  const char* symbol;
  void (*call)(void* function, int threads);
};

template <class Integer>
void call_setter(void* function, int threads) {
  reinterpret_cast<void (*)(Integer)>(function)(threads);
}

// The integers of BLIS are as wide as a pointer, whatever those of its CBLAS are.
const Setter setters[] = {{"openblas_set_num_threads", call_setter<int>},
                          {"MKL_Set_Num_Threads", call_setter<int>},
                          {"bli_thread_set_num_threads", call_setter<intptr_t>}};

const Setter* setter = nullptr;  // written while the library is loaded, before anybody can call it
void* setter_function = nullptr;
std::atomic<int> threads_in_use{0};

void use_threads(int threads) {
  if (setter == nullptr || threads_in_use.load(std::memory_order_relaxed) == threads) return;
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  setter->call(setter_function, threads);
  threads_in_use.store(threads, std::memory_order_relaxed);
}

// ---- the library

/** The files that `want` may mean. Throws Error for a word that is neither a known name nor a file's. */
std::vector<const char*> candidates(const char* want) {
  std::string names;
  for (const Known& k : known()) {
    if (std::strcmp(k.name, want) == 0) {
      if (k.files.empty()) throw Error(format("ATHANOR_BLAS: this system has no such library: '%s'", want));
      return k.files;
    }
    names += k.name + std::string(", ");
  }
  if (std::strpbrk(want, "/\\.") != nullptr) return {want};
  throw Error(format("ATHANOR_BLAS: must be %sor a library's file: '%s'", names.c_str(), want));
}

void* load(const char* want) {
  std::string failures;
  for (const char* file : candidates(want)) {
    std::string why;
    if (void* library = open_library(file, &why)) return library;
    failures += (failures.empty() ? "" : "; ") + why;
  }
  throw Error(format("ATHANOR_BLAS: no library could be loaded (%s): '%s'", failures.c_str(), want));
}

const Blas* choose() {
  const char* want = std::getenv("ATHANOR_BLAS");
  if (want == nullptr || *want == '\0') return nullptr;
  void* const library = load(want);
  const auto need = [&](const char* symbol) {
    if (void* function = find_symbol(library, symbol)) return function;
    throw Error(format("ATHANOR_BLAS: the library has no function %s: '%s'", symbol, want));
  };
  static Blas found;
  found.sgemm = reinterpret_cast<decltype(found.sgemm)>(need("cblas_sgemm"));
  found.dgemm = reinterpret_cast<decltype(found.dgemm)>(need("cblas_dgemm"));
  for (const Setter& s : setters) {
    if (setter != nullptr) break;
    setter_function = find_symbol(library, s.symbol);
    if (setter_function != nullptr) setter = &s;
  }
  found.use_threads = use_threads;
  static const std::string file = file_of(library, reinterpret_cast<void*>(found.sgemm), want);
  found.name = file.c_str();
  return &found;
}

}  // namespace

const Blas* blas() {
  static const Blas* const loaded = choose();
  return loaded;
}

}  // namespace athanor
