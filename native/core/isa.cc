#include "core/isa.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"

namespace athanor {

#ifdef ATHANOR_HAVE_BASELINE
namespace baseline {
extern const IsaLevel level;
}
#endif
#ifdef ATHANOR_HAVE_AVX2
namespace avx2 {
extern const IsaLevel level;
}
#endif
#ifdef ATHANOR_HAVE_AVX512
namespace avx512 {
extern const IsaLevel level;
}
#endif

namespace {

struct Available {
  const IsaLevel* levels[3];
  int count = 0;
  Available() {
#if defined(__x86_64__)
    __builtin_cpu_init();  // asks XGETBV too: whether the system saves the wide registers
    const bool has_avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#ifdef ATHANOR_HAVE_AVX512
    if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
      levels[count++] = &avx512::level;
#endif
#ifdef ATHANOR_HAVE_AVX2
    if (has_avx2) levels[count++] = &avx2::level;
#endif
#endif
#ifdef ATHANOR_HAVE_BASELINE
    levels[count++] = &baseline::level;
#endif
  }
};

const Available& available() {
  static const Available found;
  return found;
}

const IsaLevel& choose() {
  const Available& all = available();
  if (all.count == 0) throw Error("this build has no instruction set level that the machine runs");
  const char* want = std::getenv("ATHANOR_CPU_ISA");
  if (want == nullptr || *want == '\0') return *all.levels[0];
  std::string names;
  for (int i = 0; i < all.count; ++i) {
    if (std::strcmp(all.levels[i]->name, want) == 0) return *all.levels[i];
    names += (i ? ", " : "") + std::string(all.levels[i]->name);
  }
  throw Error(format("ATHANOR_CPU_ISA: this machine runs %s: '%s' was asked for", names.c_str(), want));
}

}  // namespace

const IsaLevel& isa_level() {
  static const IsaLevel& level = choose();
  return level;
}

const IsaLevel* const* isa_levels(int* count) {
  *count = available().count;
  return available().levels;
}

bool has_bf16_dot() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace athanor
