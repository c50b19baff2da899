// Weights of a convolution packed ahead of its calls. A line in front says for which weights the panels behind it are;
// whoever reads them compares, so a buffer of other numbers is never taken for weights.
#pragma once
#include "cpu/blocking.h"
#include "cpu/conv_tile.h"
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** How the weights of one convolution are cut into panels and blocks of channels: by their sizes and the row's length.
 */
template <class T>
struct PanelPlan {
  int vectors;            // of a panel
  int64_t panel, panels;  // output channels of a panel; panels of a group
  int64_t blocks, block;  // of channels: how many, and the largest one's size

  /** `wanted`: vectors of a panel, 0 where they follow from the columns of an output row. */
  PanelPlan(int64_t m, int64_t channels, int64_t taps, int64_t columns, int wanted)
      : vectors(wanted > 0 ? wanted : choose_vectors(m, columns)),
        panel(vectors * kLanes<T>),
        panels(ceil_div(m, panel)),
        blocks(max_of<int64_t>(1, ceil_div(channels, max_of<int64_t>(1, Blocking<T>::local / 3 / (taps * panel))))),
        block(ceil_div(channels, blocks)) {}

 private:
  static int choose_vectors(int64_t m, int64_t columns) {
    if (m <= kLanes<T>) return 1;
    return kWideTiles<T> && columns <= tallest_tile<T>(4) && m > 3 * kLanes<T> ? 4 : 2;
  }
};

/** The line in front: numbers below 2^24, which every float type holds exactly. */
struct PackedLine {
  static constexpr int64_t size = 16;  // elements: whole cache lines
  static constexpr int64_t mark = 7109375;
  int64_t vectors, groups, m, channels, taps;

  template <class T>
  void write(T* to) const {
    const int64_t numbers[] = {mark, vectors, groups, m, channels, taps};
    for (int64_t i = 0; i < size; ++i) to[i] = i < 6 ? static_cast<T>(numbers[i]) : T(0);
  }
  /** Vectors of the panels behind the line, 0 where it does not say these sizes. */
  template <class T>
  static int vectors_of(const View& packed, int64_t groups, int64_t m, int64_t channels, int64_t taps) {
    const T* const at = packed.as<const T>();
    if (numel(packed) < size || !is_contiguous(packed) || reinterpret_cast<uintptr_t>(at) % 64 != 0) return 0;
    const int64_t numbers[] = {mark, 0, groups, m, channels, taps};
    for (int i = 0; i < 6; ++i)
      if (i != 1 && at[i] != static_cast<T>(numbers[i])) return 0;
    const int vectors = at[1] == T(4) ? 4 : at[1] == T(2) ? 2 : 1;
    const int64_t panel = vectors * kLanes<T>;
    return numel(packed) >= size + groups * ceil_div(m, panel) * panel * channels * taps ? vectors : 0;
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
