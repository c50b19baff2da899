// A test program in one header: TEST(name) { CHECK(...); } in any file of this folder, run by main.cc.
#pragma once
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace athanor {
namespace test {

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& all() {
  static std::vector<Test> tests;
  return tests;
}

struct Register {
  Register(const char* name, void (*body)()) { all().push_back({name, body}); }
};

/** Ends the test that throws it; main.cc counts and goes on. */
struct CheckFailed : std::exception {
  explicit CheckFailed(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& what) {
  std::ostringstream text;
  text << file << ':' << line << ": " << what;
  throw CheckFailed(text.str());
}

template <class A, class B>
void check_equal(const char* file, int line, const char* text, const A& a, const B& b) {
  if (a == b) return;
  std::ostringstream what;
  what << text << ": " << a << " is not " << b;
  fail(file, line, what.str());
}

template <class F>
void check_throws(const char* file, int line, const char* needle, const F& f) {
  try {
    f();
  } catch (const std::exception& e) {
    if (std::string(e.what()).find(needle) != std::string::npos) return;
    fail(file, line, std::string("threw '") + e.what() + "', which does not say '" + needle + "'");
  }
  fail(file, line, std::string("did not throw '") + needle + "'");
}

}  // namespace test
}  // namespace athanor

#define TEST(name)                                                                      \
  static void test_##name();                                                            \
  static const ::athanor::test::Register test_##name##_registered(#name, &test_##name); \
  static void test_##name()
#define CHECK(condition) \
  if (!(condition)) ::athanor::test::fail(__FILE__, __LINE__, #condition)
#define CHECK_EQUAL(a, b) ::athanor::test::check_equal(__FILE__, __LINE__, #a " == " #b, (a), (b))
#define CHECK_THROWS(expression, needle) ::athanor::test::check_throws(__FILE__, __LINE__, needle, [&] { expression; })
