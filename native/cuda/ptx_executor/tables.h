// What the tables of instructions have in common: handlers of one, two and three operands, and keys.
#pragma once
#include <string>
#include <unordered_map>

#include "cuda/ptx_executor/build.h"
#include "cuda/ptx_executor/warp.h"

namespace athanor {
namespace ptx {

using Table = std::unordered_map<std::string, Handler>;

inline std::string joined(const Mods& mods) {
  std::string out;
  for (const std::string_view mod : mods) {
    if (!out.empty()) out += '.';
    out += mod;
  }
  return out;
}

inline Meaning found_in(const Table& table, const Mods& mods) {
  const auto at = table.find(joined(mods));
  return at == table.end() ? Meaning{} : Meaning{at->second, Kind::plain, 0};
}

template <class T, class F>
void one(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  const Word* a = w.source(i.at[1]);
  each_lane(lanes, [&](int l) { d[l] = word_of(F::of(as<T>(a[l]))); });
}
template <class T, class F>
void two(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  const Word *a = w.source(i.at[1]), *b = w.source(i.at[2]);
  each_lane(lanes, [&](int l) { d[l] = word_of(F::of(as<T>(a[l]), as<T>(b[l]))); });
}
template <class T, class F>
void three(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  const Word *a = w.source(i.at[1]), *b = w.source(i.at[2]), *c = w.source(i.at[3]);
  each_lane(lanes, [&](int l) { d[l] = word_of(F::of(as<T>(a[l]), as<T>(b[l]), as<T>(c[l]))); });
}

/** Calls f(value of the type, the type's name) for types of numbers; only the type of the value counts. */
template <class F>
void for_integers(const F& f) {
  f(uint16_t{}, ".u16"), f(int16_t{}, ".s16"), f(uint32_t{}, ".u32"), f(int32_t{}, ".s32");
  f(uint64_t{}, ".u64"), f(int64_t{}, ".s64");
}
template <class F>
void for_bits(const F& f) {
  f(uint16_t{}, ".b16"), f(uint32_t{}, ".b32"), f(uint64_t{}, ".b64");
}
template <class F>
void for_floats(const F& f) {
  f(float{}, ".f32"), f(double{}, ".f64");
}

}  // namespace ptx
}  // namespace athanor
