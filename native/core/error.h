// Failures of the engine. Native code throws; the door (napi/) turns a throw into a rejected read or a thrown Error.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace athanor {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OutOfMemory : Error {
  using Error::Error;
};

/** A failed task: what went wrong, and which submission it was so that lib/ can name the line that made it. */
struct Failure {
  std::string message;
  uint64_t sequence = 0;
};

inline std::string vformat(const char* format, va_list args) {
  va_list again;
  va_copy(again, args);
  const int n = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  std::string text(n > 0 ? static_cast<size_t>(n) : 0, '\0');
  if (n > 0) std::vsnprintf(&text[0], text.size() + 1, format, args);
  return text;
}

__attribute__((format(printf, 1, 2))) inline std::string format(const char* text, ...) {
  va_list args;
  va_start(args, text);
  std::string out = vformat(text, args);
  va_end(args);
  return out;
}

}  // namespace athanor
