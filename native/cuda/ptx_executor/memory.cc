// Loads, stores, atomics and asynchronous copies. An access must be aligned to all bytes that it takes, within memory
// that there is: a GPU faults, or reads what belongs to another.
#include <algorithm>

#include "cuda/ptx_executor/tables.h"

namespace athanor {
namespace ptx {
namespace {

uint64_t address_of(const Instruction& i, const Word* base, int lane) {
  return (base[lane] + static_cast<uint64_t>(i.offset)) & i.address_mask;
}

/** Lanes ask for their places before any of them is written to: the address may be in a register that is. */
template <class T, Space S>
void load(Warp& w, const Instruction& i, uint32_t lanes) {
  const int parts = i.count - 1;
  const Word* base = w.source(i.at[parts]);
  each_lane(lanes, [&](int l) {
    const size_t bytes = sizeof(T) * static_cast<size_t>(parts);
    const char* from = w.resolve(S, address_of(i, base, l), bytes, l);
    if (S == Space::shared || (S == Space::generic && w.in_shared(from)))
      note_read(w, static_cast<size_t>(from - w.block->shared.data()), bytes, l);
    for (int k = 0; k < parts; ++k) {
      T value;
      std::memcpy(&value, from + sizeof(T) * static_cast<size_t>(k), sizeof value);
      w.target(i.at[k])[l] = word_of(value);
    }
  });
}

template <class T, Space S>
void store(Warp& w, const Instruction& i, uint32_t lanes) {
  const int parts = i.count - 1;
  const Word* base = w.source(i.at[0]);
  each_lane(lanes, [&](int l) {
    const size_t bytes = sizeof(T) * static_cast<size_t>(parts);
    char* to = w.resolve(S, address_of(i, base, l), bytes, l);
    T values[4];
    for (int k = 0; k < parts; ++k) values[k] = as<T>(w.source(i.at[1 + k])[l]);
    if (S == Space::shared || (S == Space::generic && w.in_shared(to)))
      note_write(w, static_cast<size_t>(to - w.block->shared.data()), bytes, l, values);
    std::memcpy(to, values, bytes);
  });
}

// ---- atomics: one lane after another. d, [a], b[, c], or without d
template <class T>
struct Exchange {
  static T of(T, T b, T) { return b; }
};
template <class T>
struct CompareExchange {
  static T of(T old, T b, T c) { return old == b ? c : old; }
};
template <class T>
struct Sum {
  static T of(T old, T b, T) {
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<uint64_t>(old) + static_cast<uint64_t>(b));
    else
      return old + b;
  }
};
template <class T>
struct Smaller {
  static T of(T old, T b, T) { return std::min(old, b); }
};
template <class T>
struct Larger {
  static T of(T old, T b, T) { return std::max(old, b); }
};
template <class T>
struct Both {
  static T of(T old, T b, T) { return old & b; }
};
template <class T>
struct Either {
  static T of(T old, T b, T) { return old | b; }
};

template <class T, class F, bool Returns>
struct Atomic {
  template <Space S>
  static void run(Warp& w, const Instruction& i, uint32_t lanes) {
    constexpr int first = Returns ? 1 : 0;
    const Word *base = w.source(i.at[first]), *b = w.source(i.at[first + 1]);
    const Word* c = i.count > first + 2 ? w.source(i.at[first + 2]) : b;
    each_lane(lanes, [&](int l) {
      char* at = w.resolve(S, address_of(i, base, l), sizeof(T), l);
      T old;
      std::memcpy(&old, at, sizeof old);
      const T now = F::of(old, as<T>(b[l]), as<T>(c[l]));
      std::memcpy(at, &now, sizeof now);
      if (Returns) w.target(i.at[0])[l] = word_of(old);
    });
  }
};

// ---- cp.async: [to], [from], bytes[, filled]
void copy_async(Warp& w, const Instruction& i, uint32_t lanes) {
  const Word *to = w.source(i.at[0]), *from = w.source(i.at[1]), *bytes = w.source(i.at[2]);
  const Word* filled = i.count > 3 ? w.source(i.at[3]) : bytes;
  each_lane(lanes, [&](int l) {
    const int size = as<int32_t>(bytes[l]), part = as<int32_t>(filled[l]);
    if (size != 16 && (i.extra == 1 || (size != 4 && size != 8))) throw Fault(l, "a copy of so many bytes is none");
    if (part < 0 || part > size) throw Fault(l, "a copy of more bytes than it is for");
    AsyncCopy copy{w.resolve(Space::shared, as<uint32_t>(to[l]), static_cast<size_t>(size), l), nullptr, size, part};
    note_write(w, static_cast<size_t>(copy.to - w.block->shared.data()), static_cast<size_t>(size), l, nullptr);
    // Both addresses must be aligned; of bytes that are not read, the address need not be one.
    if (from[l] % static_cast<uint64_t>(size) != 0) throw Fault(l, "a copy from an address that is not aligned");
    if (part > 0) {
      w.resolve(Space::global, from[l], 1, l);
      w.resolve(Space::global, from[l] + static_cast<uint64_t>(part) - 1, 1, l);
      copy.from = reinterpret_cast<const char*>(from[l]);
    }
    if (simulator::options().landing == simulator::Landing::issue)
      land(copy);
    else
      w.open[l].push_back(copy);
  });
}
void commit(Warp& w, const Instruction&, uint32_t lanes) {
  each_lane(lanes, [&](int l) {
    w.groups[l].push_back(std::move(w.open[l]));
    w.open[l].clear();
  });
}
void wait_group(Warp& w, const Instruction& i, uint32_t lanes) {
  const size_t pending = i.count > 0 ? static_cast<size_t>(w.source(i.at[0])[0]) : 0;
  each_lane(lanes, [&](int l) {
    while (w.groups[l].size() > pending) {
      for (const AsyncCopy& copy : w.groups[l].front()) land(copy);
      w.groups[l].pop_front();
    }
  });
}
void wait_all(Warp& w, const Instruction& i, uint32_t lanes) {
  commit(w, i, lanes);
  Instruction none;
  wait_group(w, none, lanes);
}

void nothing(Warp&, const Instruction&, uint32_t) {}

// ---- the tables
template <template <class, Space> class F, class T>
Handler in_space(Space space) {
  switch (space) {
    case Space::global: return F<T, Space::global>::run;
    case Space::shared: return F<T, Space::shared>::run;
    case Space::local: return F<T, Space::local>::run;
    case Space::param: return F<T, Space::param>::run;
    default: return F<T, Space::generic>::run;
  }
}
template <class T, Space S>
struct Load {
  static constexpr Handler run = load<T, S>;
};
template <class T, Space S>
struct Store {
  static constexpr Handler run = store<T, S>;
};

template <template <class, Space> class F>
Handler of_type(std::string_view type, Space space) {
  if (type == "u8" || type == "b8") return in_space<F, uint8_t>(space);
  if (type == "s8") return in_space<F, int8_t>(space);
  if (type == "u16" || type == "b16") return in_space<F, uint16_t>(space);
  if (type == "s16") return in_space<F, int16_t>(space);
  if (type == "u32" || type == "b32" || type == "f32") return in_space<F, uint32_t>(space);
  if (type == "s32") return in_space<F, int32_t>(space);
  if (type == "u64" || type == "b64" || type == "f64" || type == "s64") return in_space<F, uint64_t>(space);
  return nullptr;
}

bool space_named(std::string_view name, Space* space) {
  static const std::pair<const char*, Space> names[] = {{"global", Space::global},
                                                        {"shared", Space::shared},
                                                        {"local", Space::local},
                                                        {"param", Space::param},
                                                        {"const", Space::global}};
  for (const auto& [known, which] : names)
    if (name == known) {
      *space = which;
      return true;
    }
  return false;
}

/** What says how a load is cached or ordered: nothing to an executor that runs one lane after another. */
bool is_hint(std::string_view mod) {
  static const char* const hints[] = {"volatile", "relaxed", "acquire", "release", "weak", "sys", "gpu", "cta",    "nc",
                                      "ca",       "cg",      "cs",      "lu",      "cv",   "wb",  "wt",  "acq_rel"};
  return mod.substr(0, 2) == "L1" || mod.substr(0, 2) == "L2" ||
         std::any_of(std::begin(hints), std::end(hints), [&](const char* h) { return mod == h; });
}

template <class T, template <class> class F, bool Returns>
Handler atomic_in(Space space) {
  using A = Atomic<T, F<T>, Returns>;
  return space == Space::global   ? A::template run<Space::global>
         : space == Space::shared ? A::template run<Space::shared>
                                  : A::template run<Space::generic>;
}
template <template <class> class F, bool Returns>
Handler atomic_integer(std::string_view type, Space space) {
  if (type == "b32" || type == "u32") return atomic_in<uint32_t, F, Returns>(space);
  if (type == "s32") return atomic_in<int32_t, F, Returns>(space);
  if (type == "b64" || type == "u64") return atomic_in<uint64_t, F, Returns>(space);
  if (type == "s64") return atomic_in<int64_t, F, Returns>(space);
  return nullptr;
}
template <bool Returns>
Handler atomic(std::string_view what, std::string_view type, Space space) {
  if (what == "add" && type == "f32") return atomic_in<float, Sum, Returns>(space);
  if (what == "add" && type == "f64") return atomic_in<double, Sum, Returns>(space);
  if (what == "add") return atomic_integer<Sum, Returns>(type, space);
  if (what == "min") return atomic_integer<Smaller, Returns>(type, space);
  if (what == "max") return atomic_integer<Larger, Returns>(type, space);
  if (what == "and") return atomic_integer<Both, Returns>(type, space);
  if (what == "or") return atomic_integer<Either, Returns>(type, space);
  if (what == "exch") return atomic_integer<Exchange, Returns>(type, space);
  if (what == "cas") return atomic_integer<CompareExchange, Returns>(type, space);
  return nullptr;
}

}  // namespace

void land(const AsyncCopy& copy) {
  if (copy.filled > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.filled));
  std::memset(copy.to + copy.filled, 0, static_cast<size_t>(copy.bytes - copy.filled));
}

Meaning memory_meaning(const Mods& mods, size_t vector) {
  const std::string whole = joined(mods);
  if (whole == "cp.async.ca.shared.global") return {copy_async};
  if (whole == "cp.async.cg.shared.global") return {copy_async, Kind::plain, 1};  // of 16 bytes only
  if (whole == "cp.async.commit_group") return {commit};
  if (whole == "cp.async.wait_group") return {wait_group};
  if (whole == "cp.async.wait_all") return {wait_all};
  if (mods[0] == "membar" || mods[0] == "fence") return {nothing};
  if (mods[0] == "cvta" || mods.size() < 2) return {};
  Space space = Space::generic;
  std::string_view what;
  size_t named = 1;
  for (size_t k = 1; k + 1 < mods.size(); ++k) {
    if (space_named(mods[k], &space) || is_hint(mods[k])) continue;
    if (mods[k] == "v2" || mods[k] == "v4")
      named = static_cast<size_t>(mods[k][1] - '0');
    else if (what.empty())
      what = mods[k];
    else
      return {};
  }
  if (named != vector) return {};
  if (mods[0] == "ld" && what.empty()) return {of_type<Load>(mods.back(), space)};
  if (mods[0] == "st" && what.empty()) return {of_type<Store>(mods.back(), space)};
  if (mods[0] == "atom") return {atomic<true>(what, mods.back(), space)};
  if (mods[0] == "red") return {atomic<false>(what, mods.back(), space)};
  return {};
}

}  // namespace ptx
}  // namespace athanor
