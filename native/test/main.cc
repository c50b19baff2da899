// athanor_native_test [part of a test's name]: runs the tests and ends with `N passed, N failed`. With a minus in
// front, all but those. athanor_native_test --accuracy STRIDE [op]: measures the functions of native/math instead; see
// functions.h.
#include <cstdlib>
#include <cstring>

#include "test/check.h"
#include "test/functions.h"

int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "--accuracy") == 0)
    return athanor::test::print_accuracy(std::strtoull(argv[2], nullptr, 10) | 1, argc > 3 ? argv[3] : nullptr);
  const char* part = argc > 1 ? argv[1] : "";
  int passed = 0, failed = 0;
  for (const auto& test : athanor::test::all()) {
    const bool without = part[0] == '-';
    if ((std::strstr(test.name, part + (without ? 1 : 0)) == nullptr) != without) continue;
    try {
      test.body();
      ++passed;
    } catch (const std::exception& e) {
      ++failed;
      std::printf("FAILED %s\n  %s\n", test.name, e.what());
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
