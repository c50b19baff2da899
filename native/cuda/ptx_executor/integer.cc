// Integer arithmetic, bits, moves and selections, after the chapters of those names in the PTX reference.
#include <algorithm>

#include "cuda/ptx_executor/tables.h"

namespace athanor {
namespace ptx {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
constexpr int kBits = static_cast<int>(sizeof(T)) * 8;

// Sums and products wrap: they are computed without a sign, and 16-bit ones in 32 bits.
template <class T>
T wrapped(uint64_t value) {
  return static_cast<T>(static_cast<Unsigned<T>>(value));
}
template <class T>
uint64_t plain(T value) {
  return static_cast<uint64_t>(value);
}

template <class T>
struct Add {
  static T of(T a, T b) { return wrapped<T>(plain(a) + plain(b)); }
};
template <class T>
struct Subtract {
  static T of(T a, T b) { return wrapped<T>(plain(a) - plain(b)); }
};
template <class T>
struct MultiplyLow {
  static T of(T a, T b) { return wrapped<T>(plain(a) * plain(b)); }
};
template <class T>
struct MultiplyHigh {
  static T of(T a, T b) {
    using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
    return static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> kBits<T>);
  }
};
/** The whole product, in a register of twice the width. */
template <class T>
struct MultiplyWide {
  static uint64_t of(T a, T b) {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return static_cast<uint64_t>(static_cast<Wide>(a) * static_cast<Wide>(b));
  }
};
template <class T>
struct MultiplyAddLow {
  static T of(T a, T b, T c) { return wrapped<T>(plain(a) * plain(b) + plain(c)); }
};
template <class T>
struct MultiplyAddHigh {
  static T of(T a, T b, T c) { return wrapped<T>(plain(MultiplyHigh<T>::of(a, b)) + plain(c)); }
};
// What a division by zero gives is left open: ones, as GPUs do.
template <class T>
struct Divide {
  static T of(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return wrapped<T>(0 - plain(a));
    return static_cast<T>(a / b);
  }
};
template <class T>
struct Remainder {
  static T of(T a, T b) {
    if (b == 0) return a;
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return 0;
    return static_cast<T>(a % b);
  }
};
template <class T>
struct Least {
  static T of(T a, T b) { return std::min(a, b); }
};
template <class T>
struct Most {
  static T of(T a, T b) { return std::max(a, b); }
};
template <class T>
struct Negate {
  static T of(T a) { return wrapped<T>(0 - plain(a)); }
};
template <class T>
struct Magnitude {
  static T of(T a) { return a < 0 ? Negate<T>::of(a) : a; }
};

template <class T>
struct And {
  static T of(T a, T b) { return static_cast<T>(a & b); }
};
template <class T>
struct Or {
  static T of(T a, T b) { return static_cast<T>(a | b); }
};
template <class T>
struct Xor {
  static T of(T a, T b) { return static_cast<T>(a ^ b); }
};
template <class T>
struct Not {
  static T of(T a) { return static_cast<T>(~a); }
};
struct NotPredicate {
  static Word of(Word a) { return (a & 1) ^ 1; }
};
struct Same {
  static Word of(Word a) { return a; }
};
template <class T>
struct LeadingZeros {
  static uint32_t of(T a) { return a == 0 ? kBits<T> : static_cast<uint32_t>(__builtin_clzll(a) - (64 - kBits<T>)); }
};
template <class T>
struct Ones {
  static uint32_t of(T a) { return static_cast<uint32_t>(__builtin_popcountll(a)); }
};
template <class T>
struct Reverse {
  static T of(T a) {
    T out = 0;
    for (int k = 0; k < kBits<T>; ++k) out = static_cast<T>(out | ((a >> k & 1) << (kBits<T> - 1 - k)));
    return out;
  }
};

/** Shifts by what is in a register of 32 bits; a shift by the width or more leaves nothing, or the sign. */
template <class T, bool Left>
void shift(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  const Word *a = w.source(i.at[1]), *b = w.source(i.at[2]);
  each_lane(lanes, [&](int l) {
    const uint32_t by = as<uint32_t>(b[l]);
    const T value = as<T>(a[l]);
    if (Left)
      d[l] = word_of(by >= kBits<T> ? T{0} : wrapped<T>(plain(value) << by));
    else
      d[l] = word_of(static_cast<T>(by >= kBits<T> ? (value < 0 ? -1 : 0) : value >> by));
  });
}

template <class T>
void select(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  const Word *a = w.source(i.at[1]), *b = w.source(i.at[2]), *p = w.source(i.at[3]);
  each_lane(lanes, [&](int l) { d[l] = (p[l] & 1) != 0 ? a[l] : b[l]; });
}

/** A register of Bytes made of those that follow, low ones first, or cut into them. */
template <class Part, bool Pack>
void move_parts(Warp& w, const Instruction& i, uint32_t lanes) {
  const int parts = i.count - 1;
  each_lane(lanes, [&](int l) {
    if (Pack) {
      Word out = 0;
      for (int k = 0; k < parts; ++k) out |= static_cast<Word>(as<Part>(w.source(i.at[1 + k])[l])) << (k * kBits<Part>);
      w.target(i.at[0])[l] = out;
    } else {
      const Word in = w.source(i.at[parts])[l];
      for (int k = 0; k < parts; ++k) w.target(i.at[k])[l] = static_cast<Part>(in >> (k * kBits<Part>));
    }
  });
}

struct Permute {  // a nibble of c for each byte: which of the eight of b and a, or, with its high bit, that one's sign
  static uint32_t of(uint32_t a, uint32_t b, uint32_t c) {
    const uint64_t bytes = a | static_cast<uint64_t>(b) << 32;
    uint32_t out = 0;
    for (int k = 0; k < 4; ++k) {
      const uint32_t which = c >> (4 * k) & 15;
      auto byte = static_cast<uint32_t>(bytes >> (8 * (which & 7)) & 0xff);
      if ((which & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
      out |= byte << (8 * k);
    }
    return out;
  }
};
/** shf: the 64 bits b:a shifted, of which the high (left) or low half is kept. */
template <bool Left, bool Wrap>
struct Funnel {
  static uint32_t of(uint32_t a, uint32_t b, uint32_t c) {
    const uint32_t by = Wrap ? c & 31 : std::min(c, 32u);
    const uint64_t both = a | static_cast<uint64_t>(b) << 32;
    return static_cast<uint32_t>(Left ? by == 32 ? a : static_cast<uint32_t>((both << by) >> 32) : both >> by);
  }
};

/** bfi f, a, b, c, d: d bits of a put into b at c. */
template <class T>
void insert_bits(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* out = w.target(i.at[0]);
  const Word *a = w.source(i.at[1]), *b = w.source(i.at[2]), *c = w.source(i.at[3]), *d = w.source(i.at[4]);
  each_lane(lanes, [&](int l) {
    const int at = static_cast<int>(c[l] & 0xff), count = static_cast<int>(d[l] & 0xff);
    T value = as<T>(b[l]);
    for (int k = 0; k < count && at + k < kBits<T>; ++k) {
      const T bit = static_cast<T>(T{1} << (at + k));
      value = static_cast<T>((as<T>(a[l]) >> k & 1) != 0 ? value | bit : value & ~bit);
    }
    out[l] = word_of(value);
  });
}
template <class T>
struct ExtractBits {  // bfe: c bits of a from b on, with the sign of the last that there is
  static T of(T a, T b, T c) {
    const int at = static_cast<int>(b & 0xff), count = static_cast<int>(c & 0xff);
    const auto bit = [&](int k) { return plain(a) >> k & 1; };
    const uint64_t sign = std::is_unsigned_v<T> || count == 0 ? 0 : bit(std::min(at + count - 1, kBits<T> - 1));
    uint64_t out = 0;
    for (int k = 0; k < kBits<T>; ++k) out |= (k < count && at + k < kBits<T> ? bit(at + k) : sign) << k;
    return wrapped<T>(out);
  }
};

void any_logic(Warp& w, const Instruction& i, uint32_t lanes) {  // lop3
  Word* d = w.target(i.at[0]);
  const Word *a = w.source(i.at[1]), *b = w.source(i.at[2]), *c = w.source(i.at[3]), *table = w.source(i.at[4]);
  each_lane(lanes, [&](int l) {
    uint32_t out = 0;
    for (int k = 0; k < 8; ++k) {
      if ((table[l] >> k & 1) == 0) continue;
      out |= static_cast<uint32_t>(((k & 4) != 0 ? a[l] : ~a[l]) & ((k & 2) != 0 ? b[l] : ~b[l]) &
                                   ((k & 1) != 0 ? c[l] : ~c[l]));
    }
    d[l] = out;
  });
}

// ---- numbers of several words: the carry is a bit of each lane's condition code
enum class Part { add, subtract, low, high };
template <Part What, bool In, bool Out>
void with_carry(Warp& w, const Instruction& i, uint32_t lanes) {
  each_lane(lanes, [&](int l) {
    const auto operand = [&](int k) { return static_cast<uint64_t>(as<uint32_t>(w.source(i.at[k])[l])); };
    const uint64_t carry = In ? w.carry >> l & 1 : 0;
    uint64_t sum;
    if (What == Part::subtract) {
      sum = operand(1) - operand(2) - carry;
    } else if (What == Part::add) {
      sum = operand(1) + operand(2) + carry;
    } else {
      const uint64_t product = operand(1) * operand(2);
      sum = (What == Part::low ? product & 0xffffffffu : product >> 32) + operand(3) + carry;
    }
    if (Out) w.carry = (w.carry & ~(1u << l)) | static_cast<uint32_t>(sum >> 32 & 1) << l;
    w.target(i.at[0])[l] = static_cast<uint32_t>(sum);
  });
}

Table make() {
  Table t;
  for_integers([&](auto value, const std::string& name) {
    using T = decltype(value);
    t["add" + name] = two<T, Add<T>>;
    t["sub" + name] = two<T, Subtract<T>>;
    t["mul.lo" + name] = two<T, MultiplyLow<T>>;
    t["mul.hi" + name] = two<T, MultiplyHigh<T>>;
    t["mad.lo" + name] = three<T, MultiplyAddLow<T>>;
    t["mad.hi" + name] = three<T, MultiplyAddHigh<T>>;
    t["div" + name] = two<T, Divide<T>>;
    t["rem" + name] = two<T, Remainder<T>>;
    t["min" + name] = two<T, Least<T>>;
    t["max" + name] = two<T, Most<T>>;
    t["neg" + name] = one<T, Negate<T>>;
    t["abs" + name] = one<T, Magnitude<T>>;
    t["shr" + name] = shift<T, false>;
    t["selp" + name] = select<T>;
    t["mov" + name] = one<Word, Same>;
    if constexpr (sizeof(T) < 8) t["mul.wide" + name] = two<T, MultiplyWide<T>>;
    if constexpr (sizeof(T) >= 4) t["bfe" + name] = three<T, ExtractBits<T>>;
  });
  for_bits([&](auto value, const std::string& name) {
    using T = decltype(value);
    t["and" + name] = two<T, And<T>>;
    t["or" + name] = two<T, Or<T>>;
    t["xor" + name] = two<T, Xor<T>>;
    t["not" + name] = one<T, Not<T>>;
    t["shl" + name] = shift<T, true>;
    t["shr" + name] = shift<T, false>;
    t["selp" + name] = select<T>;
    t["mov" + name] = one<Word, Same>;
    if constexpr (sizeof(T) >= 4) {
      t["clz" + name] = one<T, LeadingZeros<T>>;
      t["popc" + name] = one<T, Ones<T>>;
      t["brev" + name] = one<T, Reverse<T>>;
      t["bfi" + name] = insert_bits<T>;
    }
  });
  for (const char* type : {".f32", ".f64"}) {
    t[std::string("selp") + type] = select<Word>;
    t[std::string("mov") + type] = one<Word, Same>;
  }
  t["and.pred"] = two<Word, And<Word>>;
  t["or.pred"] = two<Word, Or<Word>>;
  t["xor.pred"] = two<Word, Xor<Word>>;
  t["not.pred"] = one<Word, NotPredicate>;
  t["mov.pred"] = one<Word, Same>;
  // The builder says which side is in braces.
  t["mov.b64.pack"] = move_parts<uint32_t, true>;
  t["mov.b64.unpack"] = move_parts<uint32_t, false>;
  t["mov.b32.pack"] = move_parts<uint16_t, true>;
  t["mov.b32.unpack"] = move_parts<uint16_t, false>;
  t["prmt.b32"] = three<uint32_t, Permute>;
  t["lop3.b32"] = any_logic;
  t["shf.l.wrap.b32"] = three<uint32_t, Funnel<true, true>>;
  t["shf.l.clamp.b32"] = three<uint32_t, Funnel<true, false>>;
  t["shf.r.wrap.b32"] = three<uint32_t, Funnel<false, true>>;
  t["shf.r.clamp.b32"] = three<uint32_t, Funnel<false, false>>;
  for (const char* type : {".u32", ".s32"}) {
    const std::string name = type;
    t["add.cc" + name] = with_carry<Part::add, false, true>;
    t["addc" + name] = with_carry<Part::add, true, false>;
    t["addc.cc" + name] = with_carry<Part::add, true, true>;
    t["sub.cc" + name] = with_carry<Part::subtract, false, true>;
    t["subc" + name] = with_carry<Part::subtract, true, false>;
    t["subc.cc" + name] = with_carry<Part::subtract, true, true>;
  }
  t["mad.lo.cc.u32"] = with_carry<Part::low, false, true>;
  t["madc.lo.u32"] = with_carry<Part::low, true, false>;
  t["madc.lo.cc.u32"] = with_carry<Part::low, true, true>;
  t["mad.hi.cc.u32"] = with_carry<Part::high, false, true>;
  t["madc.hi.u32"] = with_carry<Part::high, true, false>;
  t["madc.hi.cc.u32"] = with_carry<Part::high, true, true>;
  return t;
}

}  // namespace

Meaning integer_meaning(const Mods& mods) {
  static const Table& table = *new Table(make());  // used while the process ends, too
  return found_in(table, mods);
}

}  // namespace ptx
}  // namespace athanor
