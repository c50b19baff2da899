// athanor_native_test [part of a test's name]: runs the tests and ends with `N passed, N failed`.
#include <cstring>

#include "test/check.h"

int main(int argc, char** argv) {
  const char* part = argc > 1 ? argv[1] : "";
  int passed = 0, failed = 0;
  for (const auto& test : athanor::test::all()) {
    if (std::strstr(test.name, part) == nullptr) continue;
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
