// Products of strided matrices without packed copies: C[M x N] = begin + A B, for sizes at which packing costs more
// than it saves. A panel of A (some rows) meets strips of B (some vectors of columns) one after another; B is copied
// into strips first only where neighbours in its rows do not lie together. Bound by the multiply-add units while a
// block of B is in second-level cache, by the bandwidth of the larger factor where the other is narrow. Threads share a
// grid of rectangles of C, or the depth where C is small and the depth is not.
#pragma once
#include "cpu/activations.h"
#include "cpu/blocking.h"
#include "cpu/gemm_block.h"
#include "cpu/gemm_direct.h"
#include "cpu/gemm_pack.h"
#include "cpu/part.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** One product of strided matrices; C's columns lie together. */
template <class T>
struct DirectProduct {
  int64_t m, n, k;
  StridedFactor<T> a, b;
  T* c;
  int64_t c_stride;
  Begin<T> begin;
  Finish<T> finish = nullptr;  // of C's rows, once they are complete
};

/** How a product is cut into strips of B, blocks that fit the caches, and items for the threads. */
template <class T>
struct DirectSteps {
  int64_t vectors;  // of B's columns
  int64_t depth;    // rows of B in a block
  int64_t block;    // columns of B in a block, in vectors
  bool copies_b;
  int64_t row_items = 1, column_items = 1, depth_items = 1;

  DirectSteps(const DirectProduct<T>& p, int threads) {
    constexpr int64_t strip = DirectTile::vectors;
    vectors = ceil_div(p.n, kLanes<T>);
    depth = max_of<int64_t>(1, ceil_div(p.k, max_of<int64_t>(1, ceil_div(p.k, Blocking<T>::depth))));
    block = max_of(strip, Blocking<T>::local / depth / kLanes<T> / strip * strip);
    copies_b = p.b.across != 1 && p.n > 1;
    if (threads > 1) share(p, threads);
  }
  int64_t items() const { return row_items * column_items * depth_items; }
  /** Elements of workspace that an item needs, for its block of B. */
  int64_t elements() const { return copies_b ? min_of(block, ceil_div(vectors, column_items)) * kLanes<T> * depth : 0; }

 private:
  void share(const DirectProduct<T>& p, int threads) {
    // Adding up partial results is cheap beside a depth that is many times both sides, and then both factors are read
    // once, in order, by one thread each.
    if (p.k / threads >= 2 * Blocking<T>::depth && p.k >= 16 * max_of(p.m, p.n)) {
      depth_items = threads;
      return;
    }
    // From a third of a millisecond on, two items a thread leave some slack for one that is interrupted.
    const int64_t items = p.m * p.n * p.k > 32 * Blocking<T>::worth_sharing ? 2 * threads : threads;
    // The cheapest grid, in steps of a tile one vector wide: the sums, and fetching a vector of B or a panel of A,
    // which takes as long as one such step, or three where B is copied.
    const int64_t panels = ceil_div(p.m, DirectTile::rows);
    int64_t best = INT64_MAX;
    for (int64_t columns = 1; columns <= items; ++columns) {
      if (items % columns != 0) continue;
      const int64_t across = ceil_div(vectors, columns), down = ceil_div(panels, items / columns);
      const int64_t cost = across * down + across * (copies_b ? 3 : 1) + down;
      if (cost >= best) continue;
      best = cost;
      column_items = columns;
      row_items = items / columns;
    }
  }
};

/** Some rows and columns (in vectors) of C on the calling thread. */
template <class T>
void multiply_direct_part(const DirectProduct<T>& p, const DirectSteps<T>& steps, const Part& rows, const Part& columns,
                          T* workspace) {
  constexpr int64_t lanes = kLanes<T>;
  if (rows.size() <= 0 || columns.size() <= 0) return;
  const int64_t parts = max_of<int64_t>(1, ceil_div(p.k, steps.depth));
  const int64_t panels = ceil_div(rows.size(), DirectTile::rows), blocks = ceil_div(columns.size(), steps.block);
  DirectCall<T> call;
  call.a_across = p.a.across, call.a_along = p.a.along;
  call.c_stride = p.c_stride;
  for (int64_t at = 0; at < blocks; ++at) {
    const Part block(columns.size(), blocks, at);
    const int64_t strips = ceil_div(block.size(), DirectTile::vectors);
    const int64_t j0 = (columns.from + block.from) * lanes, j1 = min_of(p.n, (columns.from + block.to) * lanes);
    const auto strip_of = [&](int64_t s) {
      const Part strip(block.size(), strips, s);
      return Part(j0 + strip.from * lanes, min_of(j1, j0 + strip.to * lanes));
    };
    for (int64_t part = 0; part < parts; ++part) {
      const Part k(p.k, parts, part);
      call.depth = k.size();
      call.start = part == 0 ? p.begin.start : Start::accumulate;
      if (steps.copies_b)
        for (int64_t s = 0; s < strips; ++s) {
          const Part strip = strip_of(s);
          p.b.pack(workspace + (strip.from - j0) * k.size(), strip.from, static_cast<int>(strip.size()),
                   static_cast<int>(ceil_div(strip.size(), lanes) * lanes), k.from, k.size());
        }
      for (int64_t panel = 0; panel < panels; ++panel) {
        const Part mine(rows.size(), panels, panel);
        const int64_t i = rows.from + mine.from;
        call.a = p.a.data + i * p.a.across + k.from * p.a.along;
        for (int64_t s = 0; s < strips; ++s) {
          const Part strip = strip_of(s);
          call.b =
              steps.copies_b ? workspace + (strip.from - j0) * k.size() : p.b.data + k.from * p.b.along + strip.from;
          call.b_step = steps.copies_b ? ceil_div(strip.size(), lanes) * lanes : p.b.along;
          call.c = p.c + i * p.c_stride + strip.from;
          call.columns = static_cast<int>(strip.size());
          call.bias = p.begin.of(i, strip.from);
          direct_function<T>(static_cast<int>(mine.size()), call.columns)(call);
        }
        if (p.finish != nullptr && part == parts - 1)
          for (int64_t row = i; row < rows.from + mine.to; ++row) p.finish(p.c + row * p.c_stride + j0, j1 - j0);
      }
    }
  }
}

/** The product with its depth shared out: partial results of their own for all items but the first, added in order. */
template <class T>
void multiply_direct_depth(Context* ctx, const DirectProduct<T>& p, const DirectSteps<T>& steps) {
  const int64_t items = steps.depth_items, size = p.m * p.n;
  T* const partial = scratch_array<T>(ctx, (items - 1) * size);
  const Slots<T> slots(ctx, steps.elements());
  parallel_each(ctx, items, [&](int64_t item) {
    const Part k(p.k, items, item);
    DirectProduct<T> mine = p;
    mine.k = k.size();
    mine.finish = nullptr;
    mine.a.data += k.from * p.a.along;
    mine.b.data += k.from * p.b.along;
    if (item > 0) {
      mine.c = partial + (item - 1) * size;
      mine.c_stride = p.n;
      mine.begin = {};
    }
    const auto slot = slots.take();
    multiply_direct_part(mine, steps, Part(0, p.m), Part(0, steps.vectors), slot.data);
    slots.give_back(slot);
  });
  parallel_for(ctx, p.m, ceil_div(kGrain, max_of<int64_t>(1, p.n * items)), [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      T* const c = p.c + i * p.c_stride;
      for (int64_t item = 0; item < items - 1; ++item) {
        const T* const add = partial + item * size + i * p.n;
        for (int64_t j = 0; j < p.n; ++j) c[j] += add[j];
      }
      if (p.finish != nullptr) p.finish(c, p.n);
    }
  });
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
