// cvt and cvta.
#include <cmath>
#include <limits>

#include "cuda/ptx_executor/tables.h"

namespace athanor {
namespace ptx {
namespace {

enum class Rounding : uint8_t { none, nearest, zero, down, up };  // to an integral value, where one is asked for

template <class T>
T rounded(T value, Rounding how) {
  switch (how) {
    case Rounding::nearest: return std::nearbyint(value);  // ties to even, the processor's usual mode
    case Rounding::zero: return std::trunc(value);
    case Rounding::down: return std::floor(value);
    case Rounding::up: return std::ceil(value);
    default: return value;
  }
}

/** Of what is not a number: 0, but for 64 bits on either side the highest bit alone. What does not fit is clamped. */
template <class D, class A>
D to_integer(A value, Rounding how) {
  using Limits = std::numeric_limits<D>;
  if (value != value)
    return sizeof(A) == 8 || sizeof(D) == 8
               ? static_cast<D>(static_cast<std::make_unsigned_t<D>>(1) << (sizeof(D) * 8 - 1))
               : D{0};
  const A whole = rounded(value, how);
  // The limits as powers of two, which floats hold exactly.
  const A above = std::ldexp(A{1}, Limits::digits);
  if (whole >= above) return Limits::max();
  if (whole < (std::is_signed_v<D> ? -above : A{0})) return Limits::min();
  return static_cast<D>(whole);
}

template <class D, class A>
void convert(Warp& w, const Instruction& i, uint32_t lanes) {
  const auto how = static_cast<Rounding>(i.extra);
  Word* d = w.target(i.at[0]);
  const Word* a = w.source(i.at[1]);
  each_lane(lanes, [&](int l) {
    const A in = as<A>(a[l]);
    if constexpr (std::is_floating_point_v<A> && std::is_integral_v<D>)
      d[l] = word_of(to_integer<D>(in, how));
    else if constexpr (std::is_floating_point_v<A> && std::is_floating_point_v<D>)
      d[l] = word_of(static_cast<D>(rounded(in, how)));
    else
      d[l] =
          word_of(static_cast<D>(in));  // integers lose high bits or gain those of their sign; floats round to nearest
  });
}

/** rna.tf32: to ten bits of fraction, ties away from zero; the rest of the register is not defined, so all ones here:
 *  a product that does not ignore it is found out. */
struct ToTf32 {
  static uint32_t of(float a) {
    const auto bits = as<uint32_t>(word_of(a));
    if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
    return ((bits + 0x1000u) & 0xffffe000u) | 0x1fffu;
  }
};
uint16_t to_bf16(float a) {
  const auto bits = as<uint32_t>(word_of(a));
  if (a != a) return 0x7fff;
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
struct ToBf16 {
  static uint16_t of(float a) { return to_bf16(a); }
};
struct ToBf16x2 {  // the first operand goes to the upper half
  static uint32_t of(float a, float b) { return static_cast<uint32_t>(to_bf16(a)) << 16 | to_bf16(b); }
};
struct FromBf16 {
  static uint32_t of(uint16_t a) { return static_cast<uint32_t>(a) << 16; }
};

/** Between an address within a space and a generic one. The global space has the same addresses in both. */
template <uint64_t Window, bool ToGeneric>
void convert_address(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  const Word* a = w.source(i.at[1]);
  each_lane(lanes, [&](int l) {
    if (!ToGeneric && (a[l] & kWindowMask) != Window)
      throw Fault(l, "a generic address is taken for one of another space");
    d[l] = ToGeneric ? a[l] | Window : a[l] & ~kWindowMask;
  });
}

template <class F>
void for_types(const F& f) {
  f(uint8_t{}, "u8"), f(int8_t{}, "s8"), f(uint16_t{}, "u16"), f(int16_t{}, "s16"), f(uint32_t{}, "u32");
  f(int32_t{}, "s32"), f(uint64_t{}, "u64"), f(int64_t{}, "s64"), f(float{}, "f32"), f(double{}, "f64");
}

Table make() {
  Table t;
  for_types([&](auto to, const std::string& to_name) {
    for_types([&](auto from, const std::string& from_name) {
      using D = decltype(to);
      using A = decltype(from);
      t[to_name + "." + from_name] = convert<D, A>;
    });
  });
  return t;
}

}  // namespace

Meaning convert_meaning(const Mods& mods) {
  static const Table& pairs = *new Table(make());
  const std::string whole = joined(mods);
  if (mods[0] == "cvta") {
    const bool to_space = mods[1] == "to";
    const std::string_view space = mods[to_space ? 2 : 1];
    if (space == "global") return {convert_address<0, false>};  // the same both ways; refuses what is not global
    if (space == "shared")
      return {to_space ? convert_address<kSharedWindow, false> : convert_address<kSharedWindow, true>};
    if (space == "local")
      return {to_space ? convert_address<kLocalWindow, false> : convert_address<kLocalWindow, true>};
    return {};
  }
  if (mods[0] != "cvt") return {};
  if (whole == "cvt.rna.tf32.f32") return {one<float, ToTf32>};
  if (whole == "cvt.rn.bf16.f32") return {one<float, ToBf16>};
  if (whole == "cvt.rn.bf16x2.f32") return {two<float, ToBf16x2>};
  if (whole == "cvt.f32.bf16") return {one<uint16_t, FromBf16>};
  Meaning found;
  Rounding how = Rounding::none;
  if (mods.size() == 4) {
    if (mods[1] == "rni")
      how = Rounding::nearest;
    else if (mods[1] == "rzi")
      how = Rounding::zero;
    else if (mods[1] == "rmi")
      how = Rounding::down;
    else if (mods[1] == "rpi")
      how = Rounding::up;
    else if (mods[1] != "rn")
      return {};
  } else if (mods.size() != 3) {
    return {};
  }
  const auto at = pairs.find(std::string(mods[mods.size() - 2]) + "." + std::string(mods.back()));
  if (at == pairs.end()) return {};
  found.run = at->second;
  found.extra = static_cast<uint8_t>(how);
  return found;
}

}  // namespace ptx
}  // namespace athanor
