// Weights of a convolution packed for tiles whose vectors hold output channels: panel by panel, per block of channels
// [tap][channel][output channel]. One copy of each weight; squares are transposed in registers.
#pragma once
#include "cpu/conv_rows.h"
#include "cpu/gemm_pack.h"
#include "cpu/part.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/**
 * The taps of one or several interleaved output grids (phases), each an ordinary convolution. Sorted by phase, then by
 * dx, then by dy. Output row y of phase (a, b) is row y * phases_y + a of the result, columns likewise.
 */
struct PhasedTaps {
  int64_t phases_y, phases_x, count;
  const int64_t* first;  // tap of each phase, and the end
  const int64_t *dy, *dx;
  const int64_t* weight;  // where the tap's weight lies
  Taps all() const { return {count, dy, dx}; }
};

/** weight[group, m, c, tap]: strides. */
template <class T>
struct TapWeights {
  const T* data;
  int64_t group, m, c;
  int64_t run;  // taps that lie together, their offsets being 0 to run - 1; 0: they do not
};

/**
 * Nine numbers of each of as many rows as a vector has lanes, without gaps, transposed: out[t] has number t of each
 * row. Nine being odd, no two of them that belong to one t lie in the same lane of the vectors that are read: lane l of
 * out[t] comes from vector (t - l) / lanes modulo nine. So the vectors are turned round by a count that depends on the
 * lane alone, bit by bit of that count, which takes selections, and one permutation each puts the lanes in order.
 */
template <class T>
ATHANOR_ALWAYS_INLINE void load_nines(const T* from, Vec<T> (&out)[9]) {
  constexpr int lanes = kLanes<T>;
  constexpr int inverse = lanes == 16 ? 4 : lanes == 8 ? 8 : lanes == 4 ? 7 : 5;  // of lanes modulo 9
  static_assert(lanes * inverse % 9 == 1, "one over the number of lanes");
  typedef decltype(Vec<T>{} < Vec<T>{}) Index;
  Vec<T> turned[9];
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) turned[i] = load(from + i * lanes);
#pragma GCC unroll 4
  for (int bit = 1; bit < 9; bit *= 2) {
    Index moves;
    for (int l = 0; l < lanes; ++l) moves[l] = (inverse * l % 9 & bit) != 0 ? -1 : 0;
    Vec<T> next[9];
#pragma GCC unroll 9
    for (int i = 0; i < 9; ++i) next[i] = moves ? turned[(i + 9 - bit) % 9] : turned[i];
#pragma GCC unroll 9
    for (int i = 0; i < 9; ++i) turned[i] = next[i];
  }
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) {
#if defined(__GNUC__) && !defined(__clang__)
    Index place;
    for (int l = 0; l < lanes; ++l) place[l] = (9 * l + t) % lanes;
    out[t] = __builtin_shuffle(turned[inverse * t % 9], place);
#else
    for (int l = 0; l < lanes; ++l) out[t][l] = turned[inverse * t % 9][(9 * l + t) % lanes];
#endif
  }
}

/** Asks for `count` neighbours, which come from afar while something else is done. */
template <class T>
ATHANOR_ALWAYS_INLINE void prefetch_run(const T* from, int64_t count) {
  for (int64_t i = 0; i < count; i += 64 / static_cast<int64_t>(sizeof(T))) __builtin_prefetch(from + i);
}

template <class T>
class PackedPanels {
 public:
  PackedPanels() = default;
  PackedPanels(Context* ctx, const TapWeights<T>& weights, const PhasedTaps& taps, int64_t panel, int64_t m,
               int64_t channels, int64_t groups)
      : w_(weights), taps_(taps), panel_(panel), m_(m), channels_(channels), groups_(groups) {
    if (w_.run == 0) return;
    int64_t* const order = scratch_array<int64_t>(ctx, w_.run);
    for (int64_t t = 0; t < w_.run; ++t) order[t] = -1;
    for (int64_t t = 0; t < taps.count; ++t) order[taps.weight[t]] = t;
    order_ = order;
  }

  void allocate(Context* ctx) {
    data_ = scratch_array<T>(ctx, groups_ * ceil_div(m_, panel_) * panel_ * channels_ * taps_.count);
  }
  /** Panels that were packed before, or that are about to be. */
  void use(T* packed) { data_ = packed; }

  void pack_all(Context* ctx, int64_t blocks) const {
    const int64_t panels = ceil_div(m_, panel_);
    const int64_t each = panel_ * ceil_div(channels_, blocks) * taps_.count;
    parallel_for(ctx, groups_ * blocks * panels, ceil_div(kGrain, max_of<int64_t>(1, each)),
                 [&](int64_t from, int64_t to) {
                   for (int64_t i = from; i < to; ++i) {
                     const int64_t panel = i % panels, group = i / panels / blocks;
                     const Part c(channels_, blocks, i / panels % blocks);
                     pack(at(group, panel, c), group, panel, c);
                   }
                 });
  }
  /** A panel's block of channels. */
  T* at(int64_t group, int64_t panel, const Part& c) const {
    return data_ + ((group * ceil_div(m_, panel_) + panel) * channels_ + c.from) * taps_.count * panel_;
  }

  __attribute__((noinline)) void pack(T* to, int64_t group, int64_t panel, const Part& c) const {
    constexpr int lanes = kLanes<T>;
    if (w_.run == 9 && w_.m == 9 && (panel + 1) * panel_ <= m_) return pack_nines(to, group, panel, c);
    for (int64_t v = 0; v < panel_; v += lanes) {
      const int64_t first = panel * panel_ + v;
      const int rows = static_cast<int>(max_of<int64_t>(0, min_of<int64_t>(lanes, m_ - first)));
      const T* from = w_.data + group * w_.group + first * w_.m + c.from * w_.c;
      pack_vector(to + v, from, rows, c.size());
    }
  }

 private:
  void pack_vector(T* to, const T* from, int rows, int64_t channels) const {
    if (rows == 0 || (w_.run == 1 && w_.m == 1)) {
      for (int64_t t = 0; t < taps_.count; ++t)
        for (int64_t c = 0; c < channels; ++c)
          store(to + (t * channels + c) * panel_, rows == 0 ? Vec<T>{} : load_n(from + c * w_.c, rows));
    } else if (w_.run > 0 && w_.c == w_.run) {
      pack_run(to, from, rows, channels, 0, channels * w_.run);
    } else if (w_.run > 0) {
      for (int64_t c = 0; c < channels; ++c) pack_run(to, from + c * w_.c, rows, channels, c, w_.run);
    } else {
      for (int64_t t = 0; t < taps_.count; ++t)
        for (int64_t c = 0; c < channels; ++c) {
          T* const at = to + (t * channels + c) * panel_;
          for (int i = 0; i < kLanes<T>; ++i) at[i] = i < rows ? from[i * w_.m + c * w_.c + taps_.weight[t]] : T(0);
        }
    }
  }

  /** Nine taps of neighbouring output channels lie together, as those of a 3x3 kernel do for the input's gradient. */
  void pack_nines(T* to, int64_t group, int64_t panel, const Part& c) const {
    const T* from = w_.data + group * w_.group + panel * panel_ * 9 + c.from * w_.c;
    const int64_t step = c.size() * panel_;  // from tap to tap
    for (int64_t i = 0; i < c.size(); ++i, from += w_.c, to += panel_) {
      if (i + ahead < c.size()) prefetch_run(from + ahead * w_.c, panel_ * 9);
      for (int64_t v = 0; v < panel_; v += kLanes<T>) {
        Vec<T> taps[9];
        load_nines(from + v * 9, taps);
#pragma GCC unroll 9
        for (int t = 0; t < 9; ++t)
          if (order_[t] >= 0) store(to + order_[t] * step + v, taps[t]);
      }
    }
  }

  /** `depth` neighbours along channel and tap, from tap 0 of channel c on. */
  void pack_run(T* to, const T* from, int rows, int64_t channels, int64_t c, int64_t depth) const {
    constexpr int lanes = kLanes<T>;
    int64_t tap = 0;
    for (int64_t k = 0; k < depth; k += lanes) {
      const int along = static_cast<int>(min_of<int64_t>(lanes, depth - k));
      Vec<T> square[lanes];
      if (along == lanes && rows == lanes) {
        load_transposed(from + k, w_.m, square);
      } else {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) square[i] = i < rows ? load_n(from + i * w_.m + k, along) : Vec<T>{};
        transpose<T>(square);
      }
      for (int i = 0; i < along; ++i) {
        if (order_[tap] >= 0) store(to + (order_[tap] * channels + c) * panel_, square[i]);
        if (++tap == w_.run) {
          tap = 0;
          ++c;
        }
      }
    }
  }

  static constexpr int64_t ahead = 8;  // channels whose weights are asked for before they are packed
  TapWeights<T> w_{};
  PhasedTaps taps_{};
  int64_t panel_ = 0, m_ = 0, channels_ = 0, groups_ = 0;
  const int64_t* order_ = nullptr;  // of the taps by their offset: the place among the sorted
  T* data_ = nullptr;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
