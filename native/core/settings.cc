#include "core/settings.h"

#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace athanor {
namespace {

constexpr int kMostThreads = 1024;

bool is_unset(const char* text) { return text == nullptr || *text == '\0'; }

/** Whether a text begins with a whole number without sign or space; `rest` is what follows it. */
bool leading_number(const char* text, size_t* number, const char** rest) {
  size_t n = 0;
  const char* at = text;
  for (; *at >= '0' && *at <= '9'; ++at) {
    if (__builtin_mul_overflow(n, size_t{10}, &n)) return false;
    if (__builtin_add_overflow(n, static_cast<size_t>(*at - '0'), &n)) return false;
  }
  *number = n;
  *rest = at;
  return at != text;
}

/** The factor that a unit stands for, 0 where it is none. */
size_t unit_of(const char* text) {
  if (*text == '\0' || std::strcmp(text, "B") == 0) return 1;
  static constexpr char kLetters[] = "KMGT";
  const char* letter = std::strchr(kLetters, *text);
  if (letter == nullptr) return 0;
  const char* rest = text + 1;
  const bool known = *rest == '\0' || std::strcmp(rest, "B") == 0 || std::strcmp(rest, "iB") == 0;
  return known ? size_t{1} << (10 * (letter - kLetters + 1)) : 0;
}

}  // namespace

size_t parse_memory_limit(const char* text) {
  if (is_unset(text)) return 0;
  size_t number = 0, bytes = 0;
  const char* unit = nullptr;
  if (!leading_number(text, &number, &unit) || unit_of(unit) == 0 ||
      __builtin_mul_overflow(number, unit_of(unit), &bytes)) {
    throw Error(format("ATHANOR_MEMORY_LIMIT: bytes were expected, such as 500000000, 500M or 2G: '%s'", text));
  }
  return bytes;
}

int parse_threads(const char* text) {
  if (is_unset(text)) return 0;
  size_t number = 0;
  const char* rest = nullptr;
  if (!leading_number(text, &number, &rest) || *rest != '\0' || number < 1 || number > kMostThreads) {
    throw Error(format("ATHANOR_NUM_THREADS: a whole number from 1 to %d was expected: '%s'", kMostThreads, text));
  }
  return static_cast<int>(number);
}

bool parse_switch(const char* name, const char* text, bool otherwise) {
  if (is_unset(text)) return otherwise;
  if (std::strcmp(text, "0") == 0 || std::strcmp(text, "false") == 0) return false;
  if (std::strcmp(text, "1") == 0 || std::strcmp(text, "true") == 0) return true;
  throw Error(format("%s: 1 or 0 was expected: '%s'", name, text));
}

const Settings& settings() {
  static const Settings all = {
      parse_memory_limit(std::getenv("ATHANOR_MEMORY_LIMIT")),
      parse_threads(std::getenv("ATHANOR_NUM_THREADS")),
      parse_switch("ATHANOR_SYNC", std::getenv("ATHANOR_SYNC"), false),
      parse_switch("ATHANOR_DEVICE_CACHE", std::getenv("ATHANOR_DEVICE_CACHE"), true),
  };
  return all;
}

}  // namespace athanor
