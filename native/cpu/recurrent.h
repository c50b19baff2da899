// What the recurrent layers share: walking through a sequence, each step a product of the running state with a matrix
// that is packed once for all steps, and work on the products while they lie in the first cache.
// Legend: T steps, N rows (the batch), H units, G gates.
//
// A step is cut among threads by units, so that each thread's share of the matrix stays in its second-level cache from
// step to step, or by rows where there are too few units. What a step makes of its share of the state it packs itself
// for the step that follows; the two take turns with two buffers, so one meeting of the threads a step is enough.
#pragma once
#include "cpu/dense.h"
#include "cpu/gemm.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Numbers of each step and row, those of one row without gaps. */
template <class T>
struct Sequence {
  const T* data;
  int64_t step, row;  // strides
  const T* at(int64_t t, int64_t n) const { return data + t * step + n * row; }
};

/** A view [T, N, width] (or [N, width], the same at every step; or one number) as a sequence, copied where rows have
 * gaps. */
template <class T>
Sequence<T> sequence_of(Context* ctx, const View& v, int64_t width) {
  const T* const from = v.as<const T>();
  if (v.ndim == 0) {
    T* const line = scratch_array<T>(ctx, width);
    for (int64_t i = 0; i < width; ++i) line[i] = *from;
    return {line, 0, 0};
  }
  const bool steps = v.ndim == 3;
  const int row = v.ndim - 2, along = v.ndim - 1;
  const int64_t outer = steps ? v.strides[0] : 0;
  if (v.strides[along] == 1 || v.shape[along] == 1) return {from, outer, v.strides[row]};
  const int64_t rows = v.shape[row], count = (steps ? v.shape[0] : 1) * rows;
  T* const copy = scratch_array<T>(ctx, count * width);
  parallel_for(ctx, count, ceil_div(kGrain, max_of<int64_t>(1, width)), [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      const T* const line = from + i / rows * outer + i % rows * v.strides[row];
      for (int64_t k = 0; k < width; ++k) copy[i * width + k] = line[k * v.strides[along]];
    }
  });
  return {copy, steps ? rows * width : 0, width};
}

/** A rectangle of a step: some rows, and some units of each of them. */
struct Block {
  int64_t row, unit;
  int rows, units;
};

/**
 * The products of a sequence: state [N, depth] times a matrix with `Groups` columns for each unit. Those of a block
 * are `Groups` tiles of Tile::rows x Tile::width numbers.
 */
template <class T, int Groups>
class Steps {
 public:
  static constexpr int width = Tile<T>::width;
  static constexpr int tile_size = Tile<T>::rows * width;

  /** `matrix`: step along the depth and across columns; column g * units + u belongs to unit u. */
  Steps(Context* ctx, int64_t rows, int64_t units, int64_t depth, const StridedFactor<T>& matrix)
      : ctx_(ctx), units_(units), depth_(depth), panels_(rows), unit_panels_(ceil_div(units, width)) {
    const int64_t size = depth * width;
    T* const packed = scratch_array<T>(ctx, unit_panels_ * Groups * size);
    parallel_for(ctx, unit_panels_ * Groups, ceil_div(kGrain, max_of<int64_t>(1, size)), [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const int64_t unit = i / Groups * width;
        matrix.pack(packed + i * size, i % Groups * units + unit, units_of(i / Groups), width, 0, depth);
      }
    });
    matrix_ = packed;
    for (T*& s : state_) s = scratch_array<T>(ctx, rows * depth);
    const int64_t threads = rows * units * depth * Groups < Blocking<T>::worth_sharing ? 1 : ctx->threads;
    const int64_t unit_share = ceil_div(unit_panels_, threads), row_share = ceil_div(panels_.count, threads);
    by_units_ = unit_share * panels_.count <= row_share * unit_panels_;
    chunks_ = min_of<int64_t>(threads, by_units_ ? unit_panels_ : panels_.count);
  }

  /** Packs what the first step multiplies: [N, depth]. Without it the first step's products are 0. */
  void start(const Sequence<T>& state) {
    for (int64_t p = 0; p < panels_.count; ++p)
      put(panels_.start(p), panels_.height(p), 0, static_cast<int>(depth_), state.at(0, panels_.start(p)), state.row,
          state_[0]);
    started_ = true;
  }

  /** What a block leaves for the next step: `count` numbers of the state from `first` on, rows `row` apart. */
  void leave(int64_t s, const Block& b, int64_t first, int count, const T* from, int64_t row) const {
    put(b.row, b.rows, first, count, from, row, state_[(s + 1) & 1]);
  }

  /** work(s, block, tiles) for every block of steps s = 0 ... count - 1. */
  template <class F>
  void run(int64_t count, const F& work) {
    for (int64_t s = 0; s < count; ++s)
      parallel_each(ctx_, chunks_, [&](int64_t chunk) {
        const Part mine(by_units_ ? unit_panels_ : panels_.count, chunks_, chunk);
        const Part units = by_units_ ? mine : Part(0, unit_panels_), rows = by_units_ ? Part(0, panels_.count) : mine;
        alignas(64) T tiles[Groups * tile_size];
        for (int64_t u = units.from; u < units.to; ++u)
          for (int64_t p = rows.from; p < rows.to; ++p) {
            const Block block = {panels_.start(p), u * width, panels_.height(p), units_of(u)};
            if (s > 0 || started_)
              multiply(s, block, u, tiles);
            else
              for (T& x : tiles) x = T(0);
            work(s, block, tiles);
          }
      });
  }

 private:
  int units_of(int64_t unit_panel) const {
    return static_cast<int>(min_of<int64_t>(width, units_ - unit_panel * width));
  }

  void put(int64_t row, int rows, int64_t first, int count, const T* from, int64_t from_row, T* to) const {
    pack_strided(to + row * depth_ + first * rows, rows, rows, from, from_row, 1, count);
  }

  void multiply(int64_t s, const Block& block, int64_t unit_panel, T* tiles) const {
    const T* const a = state_[s & 1] + block.row * depth_;
    TileCall<T, StepRows> call;
    call.rows.step = width;
    call.columns = width;
    call.c_stride = width;
    call.bias = nullptr;
    const int64_t parts = depth_parts<T>(depth_);
    for (int g = 0; g < Groups; ++g) {
      const T* const b = matrix_ + (unit_panel * Groups + g) * depth_ * width;
      call.c = tiles + g * tile_size;
      for (int64_t part = 0; part < parts; ++part) {
        const Part k(depth_, parts, part);
        call.depth = k.size();
        call.a = a + k.from * block.rows;
        call.b = b + k.from * width;
        call.start = part == 0 ? Start::zero : Start::accumulate;
        tile_function<T, StepRows>(block.rows, width)(call);
      }
    }
  }

  Context* ctx_;
  int64_t units_, depth_;
  RowPanels<T> panels_;
  int64_t unit_panels_;
  const T* matrix_;
  T* state_[2];
  bool by_units_, started_ = false;
  int64_t chunks_;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
