// What the recurrent layers share: walking through a sequence, each step a product of the running state with a matrix
// that is packed once for all steps, and work on the products while they lie in the first cache.
// Legend: T steps, N rows (the batch), H units, G gates.
//
// A step is cut among threads by units, so that each thread's share of the matrix stays in its second-level cache from
// step to step, or by rows where there are too few units. The work on a block leaves its share of the state where the
// products of the step that follows read it; the two take turns with two buffers, so one meeting of the threads a step
// is enough. What else the work touches lies in short pieces far apart, which no hardware foresees: while the products
// of a block are made, its lines are asked for one by one (an LSTM's steps: 7 % less time forward, 15 % back). Within a
// share a panel of the state stays in the first cache while panels of the matrix stream by.
#pragma once
#include "cpu/dense.h"
#include "cpu/gemm.h"
#include "cpu/recurrent_tile.h"

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

/** The lines of memory that the work on a block will need. */
template <class T>
class Touched {
 public:
  /** `units` numbers of a row that will be read. */
  void read(const T* row, int units) { reads_.add(row, units); }
  /** Likewise written. */
  void write(const T* row, int units) { writes_.add(row, units); }
  /** What to ask for with each of `shares` pieces of the products. */
  Lines reads(int64_t shares) const { return reads_.over(shares); }
  Lines writes(int64_t shares) const { return writes_.over(shares); }

 private:
  struct List {
    static constexpr int line = 64 / static_cast<int>(sizeof(T)), arrays = 8;  // that a cell reads, or writes
    static constexpr int room = Tile<T>::rows * arrays * ((Tile<T>::width + line - 1) / line);
    const char* at[room];
    int64_t count = 0;
    void add(const T* row, int units) {
      for (int u = 0; u < units && count < room; u += line) at[count++] = reinterpret_cast<const char*>(row + u);
    }
    Lines over(int64_t shares) const { return {at, at + count, ceil_div(count, shares)}; }
  };
  List reads_, writes_;
};

/** Copies n numbers of a row. */
template <class T>
ATHANOR_ALWAYS_INLINE void copy_row(const T* from, T* to, int n) {
  int u = 0;
  for (; u + kLanes<T> <= n; u += kLanes<T>) store(to + u, load(from + u));
  for (; u < n; ++u) to[u] = from[u];
}

/**
 * The products of a sequence: state [N, depth] times a matrix with `Groups` columns for each unit. Those of a block
 * are `Groups` tiles of Tile::rows x Tile::width numbers. The depth is one number a unit, or several groups of such.
 */
template <class T, int Groups>
class Steps {
 public:
  static constexpr int width = Tile<T>::width;
  static constexpr int tile_size = Tile<T>::rows * width;

  /** `matrix`: step along the depth and across columns; column g * units + u belongs to unit u. */
  Steps(Context* ctx, int64_t rows, int64_t units, int64_t depth_groups, const StridedFactor<T>& matrix)
      : ctx_(ctx),
        units_(units),
        depth_(depth_groups * units),
        panels_(rows),
        unit_panels_(ceil_div(units, width)),
        squares_(depth_groups * unit_panels_) {
    const int64_t size = depth_ * width;
    T* const packed = scratch_array<T>(ctx, unit_panels_ * Groups * size);
    parallel_for(ctx, unit_panels_ * Groups, ceil_div(kGrain, max_of<int64_t>(1, size)), [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const int64_t unit = i / Groups * width;
        matrix.pack(packed + i * size, i % Groups * units + unit, units_of(i / Groups), width, 0, depth_);
      }
    });
    matrix_ = packed;
    for (T*& s : state_) s = scratch_array<T>(ctx, rows * squares_ * width);
    const int64_t threads = rows * units * depth_ * Groups < Blocking<T>::worth_sharing ? 1 : ctx->threads;
    const int64_t unit_share = ceil_div(unit_panels_, threads), row_share = ceil_div(panels_.count, threads);
    by_units_ = unit_share * panels_.count <= row_share * unit_panels_;
    chunks_ = min_of<int64_t>(threads, by_units_ ? unit_panels_ : panels_.count);
  }

  /** What the first step multiplies, [N, units]. Without it the first step's products are 0. */
  void start(const Sequence<T>& state) {
    for (int64_t p = 0; p < panels_.count; ++p)
      for (int64_t u = 0; u < unit_panels_; ++u) {
        const Block b = block_at(p, u);
        for (int64_t i = 0; i < b.rows; ++i)
          copy_row(state.at(0, b.row + i) + b.unit, square(0, b) + i * width, b.units);
      }
    started_ = true;
  }

  /** From where a block leaves one group of the depth to where it leaves the next one. */
  int64_t group_apart(const Block& b) const { return unit_panels_ * b.rows * width; }

  /**
   * work(s, block, i, tiles, state) for every row i of every block of steps s = 0 ... count - 1; it puts what the next
   * step multiplies to `state`. touch(s, block, i, lines) tells the memory that it will need.
   */
  template <class Touch, class Work>
  void run(int64_t count, const Touch& touch, const Work& work) {
    for (int64_t s = 0; s < count; ++s)
      parallel_each(ctx_, chunks_, [&](int64_t chunk) {
        const Part mine(by_units_ ? unit_panels_ : panels_.count, chunks_, chunk);
        const Part units = by_units_ ? mine : Part(0, unit_panels_), rows = by_units_ ? Part(0, panels_.count) : mine;
        alignas(64) T tiles[Groups * tile_size];
        const bool multiplies = s > 0 || started_;
        if (!multiplies)
          for (T& x : tiles) x = T(0);
        for (int64_t p = rows.from; p < rows.to; ++p)
          for (int64_t u = units.from; u < units.to; ++u) {
            const Block b = block_at(p, u);
            if (multiplies) {
              Touched<T> lines;
              for (int64_t i = 0; i < b.rows; ++i) touch(s, b, i, lines);
              multiply(s, b, u, tiles, lines);
            }
            for (int64_t i = 0; i < b.rows; ++i)
              work(s, b, i, static_cast<const T*>(tiles), square(s + 1, b) + i * width);
          }
      });
  }

 private:
  int units_of(int64_t unit_panel) const {
    return static_cast<int>(min_of<int64_t>(width, units_ - unit_panel * width));
  }
  Block block_at(int64_t p, int64_t u) const { return {panels_.start(p), u * width, panels_.height(p), units_of(u)}; }
  /** The square of the state that a block makes for step s. */
  T* square(int64_t s, const Block& b) const {
    return state_[s & 1] + (b.row * squares_ + b.unit / width * b.rows) * width;
  }

  /** The tiles of a block. */
  void multiply(int64_t s, const Block& b, int64_t unit_panel, T* tiles, const Touched<T>& lines) const {
    const int64_t cuts = min_of(squares_, depth_parts<T>(depth_));
    StateCall<T> call;
    call.reads = lines.reads(Groups * squares_), call.writes = lines.writes(Groups * squares_);
    call.period = unit_panels_;
    call.last = units_of(unit_panels_ - 1);
    for (int64_t cut = 0; cut < cuts; ++cut) {
      const Part squares(squares_, cuts, cut);
      const int64_t place = squares.from % unit_panels_, k = squares.from / unit_panels_ * units_ + place * width;
      call.state = state_[s & 1] + (b.row * squares_ + squares.from * b.rows) * width;
      call.squares = squares.size();
      call.until_last = unit_panels_ - 1 - place;
      call.add = cut > 0;
      for (int g = 0; g < Groups; ++g) {
        call.matrix = matrix_ + ((unit_panel * Groups + g) * depth_ + k) * width;
        call.c = tiles + g * tile_size;
        state_tile_function<T>(b.rows)(call);
        call.reads.pass(call.squares), call.writes.pass(call.squares);
      }
    }
  }

  Context* ctx_;
  int64_t units_, depth_;
  RowPanels<T> panels_;
  int64_t unit_panels_, squares_;
  const T* matrix_;
  T* state_[2];
  bool by_units_, started_ = false;
  int64_t chunks_;
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
