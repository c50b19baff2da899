// setp: comparisons, alone or joined with another predicate.
#include <cmath>

#include "cuda/ptx_executor/tables.h"

namespace athanor {
namespace ptx {
namespace {

enum class Join : uint8_t { none, conjunction, disjunction, difference };

template <class T, class F>
void compare(Warp& w, const Instruction& i, uint32_t lanes) {
  const auto join = static_cast<Join>(i.extra);
  // p[|q], a, b[, c]
  const bool second = i.count == (join == Join::none ? 4 : 5);
  const int first = second ? 2 : 1;
  Word* p = w.target(i.at[0]);
  const Word *a = w.source(i.at[first]), *b = w.source(i.at[first + 1]);
  if (join == Join::none && !second) {
    each_lane(lanes, [&](int l) { p[l] = F::of(as<T>(a[l]), as<T>(b[l])) ? 1 : 0; });
    return;
  }
  const Word* c = join == Join::none ? nullptr : w.source(i.at[first + 2]);
  Word* q = second ? w.target(i.at[1]) : nullptr;
  each_lane(lanes, [&](int l) {
    const bool found = F::of(as<T>(a[l]), as<T>(b[l])), other = c != nullptr && (c[l] & 1) != 0;
    const auto joined = [&](bool x) {
      switch (join) {
        case Join::conjunction: return x && other;
        case Join::disjunction: return x || other;
        case Join::difference: return x != other;
        default: return x;
      }
    };
    p[l] = joined(found) ? 1 : 0;
    if (q != nullptr) q[l] = joined(!found) ? 1 : 0;
  });
}

template <class T>
bool unordered(T a, T b) {
  return a != a || b != b;
}

template <class T>
struct Equal {
  static bool of(T a, T b) { return a == b; }
};
// Comparisons of floats are false where one is not a number; those whose name ends with u are true.
template <class T>
struct Unequal {
  static bool of(T a, T b) { return a != b && !unordered(a, b); }
};
template <class T>
struct Less {
  static bool of(T a, T b) { return a < b; }
};
template <class T>
struct LessEqual {
  static bool of(T a, T b) { return a <= b; }
};
template <class T>
struct Greater {
  static bool of(T a, T b) { return a > b; }
};
template <class T>
struct GreaterEqual {
  static bool of(T a, T b) { return a >= b; }
};
template <class T, class F>
struct OrUnordered {
  static bool of(T a, T b) { return unordered(a, b) || F::of(a, b); }
};
template <class T>
struct Number {
  static bool of(T a, T b) { return !unordered(a, b); }
};
template <class T>
struct NotNumber {
  static bool of(T a, T b) { return unordered(a, b); }
};

Table make() {
  Table t;
  const auto six = [&](auto value, const std::string& name) {
    using T = decltype(value);
    t["setp.eq" + name] = compare<T, Equal<T>>;
    t["setp.ne" + name] = compare<T, Unequal<T>>;
    t["setp.lt" + name] = compare<T, Less<T>>;
    t["setp.le" + name] = compare<T, LessEqual<T>>;
    t["setp.gt" + name] = compare<T, Greater<T>>;
    t["setp.ge" + name] = compare<T, GreaterEqual<T>>;
  };
  for_integers(six);
  for_bits([&](auto value, const std::string& name) {
    using T = decltype(value);
    t["setp.eq" + name] = compare<T, Equal<T>>;
    t["setp.ne" + name] = compare<T, Unequal<T>>;
  });
  for_floats(six);
  for_floats([&](auto value, const std::string& name) {
    using T = decltype(value);
    t["setp.equ" + name] = compare<T, OrUnordered<T, Equal<T>>>;
    t["setp.neu" + name] = compare<T, OrUnordered<T, Unequal<T>>>;
    t["setp.ltu" + name] = compare<T, OrUnordered<T, Less<T>>>;
    t["setp.leu" + name] = compare<T, OrUnordered<T, LessEqual<T>>>;
    t["setp.gtu" + name] = compare<T, OrUnordered<T, Greater<T>>>;
    t["setp.geu" + name] = compare<T, OrUnordered<T, GreaterEqual<T>>>;
    t["setp.num" + name] = compare<T, Number<T>>;
    t["setp.nan" + name] = compare<T, NotNumber<T>>;
  });
  return t;
}

}  // namespace

Meaning compare_meaning(const Mods& mods) {
  static const Table& table = *new Table(make());  // used while the process ends, too
  Mods rest = mods;
  Join join = Join::none;
  if (rest[0] == "setp" && rest.size() == 4) {
    join = rest[2] == "and"   ? Join::conjunction
           : rest[2] == "or"  ? Join::disjunction
           : rest[2] == "xor" ? Join::difference
                              : Join::none;
    if (join == Join::none) return {};
    rest.erase(rest.begin() + 2);
  }
  Meaning found = found_in(table, rest);
  found.extra = static_cast<uint8_t>(join);
  return found;
}

}  // namespace ptx
}  // namespace athanor
