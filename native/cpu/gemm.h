// The GEMM core: C = begin + A B for any factors that can pack themselves and any C that can say where its columns lie.
// Legend: A is M x K, B is K x N, C is M x N; a panel is Tile::rows rows of A or Tile::width columns of B, packed.
//
// The depth is cut so that a panel of B stays in the first-level cache. Per cut, the factor with the smaller surface is
// packed once for all threads, and items of work pack their own share of the other one into second-level cache; where
// the result is too small to give every thread an item that way, both are packed first and the items are rectangles of
// C; where C is tiny but the depth is not, the depth itself is shared out and the partial sums are added in order.
// Results depend on the number of threads only through that last case.
#pragma once
#include "cpu/blocking.h"
#include "cpu/gemm_block.h"
#include "cpu/gemm_pack.h"
#include "cpu/part.h"
#include "cpu/slots.h"

namespace athanor {
namespace ATHANOR_ISA {

/** T is what C and the packed factors consist of; Rows says how the micro-kernel reads and multiplies those. */
template <class T, class A, class B, class C, class Rows = StepRows>
struct Product {
  int64_t m, n, k;
  A a;
  B b;
  C c;
  Begin<T> begin;
  Finish<T> finish = nullptr;   // of every row, once it is complete; C's columns must lie together then
  const T* packed_b = nullptr;  // all of B as pack_factor writes it; null: it is packed as it is needed
};

template <class T>
ATHANOR_ALWAYS_INLINE int64_t depth_parts(int64_t k) {
  return max_of<int64_t>(1, ceil_div(k, Blocking<T>::depth));
}
template <class T>
ATHANOR_ALWAYS_INLINE int64_t padded_columns(int64_t n) {
  return ceil_div(n, Tile<T>::width) * Tile<T>::width;
}

template <class T, class A>
void pack_panels(const A& a, const RowPanels<T>& panels, int64_t first, int64_t end, const Part& k, T* to) {
  // Where rows of A lie across the panels, a few are read at a time and all panels take their share: read panel by
  // panel, each cache line and each page would be fetched again for every panel that it reaches into. Three steps ahead
  // is what memory takes.
  constexpr int64_t together = 8;
  const int64_t step = a.across == 1 ? together : max_of<int64_t>(1, k.size());
  for (int64_t at = 0; at < k.size(); at += step) {
    for (int64_t p = first; p < end; ++p) {
      const int64_t i = panels.start(p);
      const int h = panels.height(p);
      if (a.across == 1) a.prefetch(i, h, k.from + at + 3 * step, step);
      a.pack(to + (i - panels.start(first)) * k.size() + at * h, i, h, h, k.from + at, min_of(step, k.size() - at));
    }
  }
}
template <class T, class B>
void pack_columns_of(const B& b, int64_t first, int64_t end, const Part& k, T* to) {
  constexpr int width = Tile<T>::width;
  for (int64_t j = first; j < end; j += width)
    b.pack(to + (j - first) * k.size(), j, static_cast<int>(min_of<int64_t>(width, end - j)), width, k.from, k.size());
}

/** Columns from j on of a B that was packed as a whole: each cut of the depth has its panels one after another. */
template <class T>
ATHANOR_ALWAYS_INLINE const T* packed_columns(const T* packed, int64_t n, int64_t j, const Part& k) {
  return packed + k.from * padded_columns<T>(n) + j * k.size();
}
/** All of B for products with many an A: k * padded_columns(n) numbers. */
template <class T, class B>
void pack_factor(Context* ctx, const B& b, int64_t n, int64_t k, T* to) {
  if (k == 0) return;
  constexpr int width = Tile<T>::width;
  const int64_t parts = depth_parts<T>(k), panels = ceil_div(n, width);
  parallel_for(ctx, parts * panels, ceil_div(kGrain, width * ceil_div(k, parts)), [&](int64_t from, int64_t end) {
    for (int64_t i = from; i < end; ++i) {
      const Part part(k, parts, i / panels);
      const int64_t j = i % panels * width;
      pack_columns_of(b, j, min_of(j + width, n), part, to + (packed_columns<T>(to, n, j, part) - to));
    }
  });
}

/** The steps of one thread's loop over a product: panels of A and columns of B that are packed at a time. */
template <class T>
struct SerialSteps {
  int64_t depth, panels, columns;
  SerialSteps(int64_t m, int64_t n, int64_t k) {
    depth = ceil_div(k, depth_parts<T>(k));
    const int64_t fit = max_of<int64_t>(Tile<T>::width, Blocking<T>::local / max_of<int64_t>(depth, 1));
    panels = min_of(ceil_div(m, Tile<T>::rows), fit / Tile<T>::rows + 1);
    columns = min_of(padded_columns<T>(n), fit / Tile<T>::width * Tile<T>::width);
    const int64_t deepest = min_of(k, Blocking<T>::depth), rows = Tile<T>::rows;
    const int64_t local = max_of<int64_t>(Blocking<T>::local, Tile<T>::width * deepest);
    room_ = min_of(ceil_div(m, rows) * rows * deepest, local + rows * deepest) +
            min_of(padded_columns<T>(n) * deepest, local);
  }
  int64_t panel_elements() const { return panels * Tile<T>::rows * depth; }
  /**
   * Elements of workspace that multiply_serial needs for this product and for each that is smaller in m, n or k: the
   * depth itself falls where a larger k is cut into one more part, so the steps at hand would not do.
   */
  int64_t elements() const { return room_; }

 private:
  int64_t room_;
};

/** The product on the calling thread. */
template <class T, class A, class B, class C, class Rows>
void multiply_serial(const Product<T, A, B, C, Rows>& p, T* workspace) {
  const RowPanels<T> panels(p.m);
  const SerialSteps<T> steps(p.m, p.n, p.k);
  T* const packed_a = workspace;
  T* const packed_b = workspace + steps.panel_elements();
  const int64_t parts = depth_parts<T>(p.k);
  for (int64_t part = 0; part < parts; ++part) {
    const Part k(p.k, parts, part);
    const Begin<T> begin = part == 0 ? p.begin : Begin<T>{Start::accumulate, nullptr};
    const Finish<T> finish = part == parts - 1 ? p.finish : nullptr;
    for (int64_t j = 0; j < p.n; j += steps.columns) {
      const int64_t end = min_of(j + steps.columns, p.n);
      if (p.packed_b == nullptr) pack_columns_of(p.b, j, end, k, packed_b);
      const T* const b = p.packed_b == nullptr ? packed_b : packed_columns(p.packed_b, p.n, j, k);
      for (int64_t i = 0; i < panels.count; i += steps.panels) {
        const int64_t i_end = min_of(i + steps.panels, panels.count);
        pack_panels(p.a, panels, i, i_end, k, packed_a);
        multiply_block<T, Rows>({packed_a, b, k.size(), i, i_end, j, end, false, begin, finish}, panels, p.c);
      }
    }
  }
}

/** How a product is shared out among threads. */
template <class T>
struct Plan {
  bool share_a, share_b;              // packed once for all, or by each item for itself
  int64_t group_panels;               // panels of A that one round of items covers
  int64_t group_columns;              // columns of B, likewise
  int64_t item_panels, item_columns;  // at most: items are as equal as can be

  Plan(int64_t m, int64_t n, int64_t k, int threads) {
    constexpr int64_t width = Tile<T>::width, rows = Tile<T>::rows;
    const int64_t depth = ceil_div(k, depth_parts<T>(k));
    const int64_t panels = ceil_div(m, rows), column_panels = ceil_div(n, width);
    const int64_t wanted = 2 * threads;  // items: some slack for a thread that is interrupted
    group_panels = panels;
    group_columns = column_panels * width;
    if (max_of(panels, column_panels) < wanted) {
      share_a = share_b = true;
      item_panels = column_panels >= panels ? panels : 1;
      item_columns = column_panels >= panels ? width : group_columns;
      if (min_of(panels, column_panels) > 1 && max_of(panels, column_panels) < threads)
        item_panels = 1, item_columns = width;
      return;
    }
    share_a = column_panels * width >= panels * rows;
    share_b = !share_a;
    const int64_t fit = Blocking<T>::local / depth, shared_fit = Blocking<T>::shared / depth;
    if (share_a) {
      group_panels = min_of(panels, max_of<int64_t>(1, shared_fit / rows));
      item_panels = group_panels;
      item_columns = even_step(column_panels, max_of<int64_t>(1, fit / width), threads) * width;
    } else {
      group_columns = min_of(group_columns, max_of<int64_t>(1, shared_fit / width) * width);
      item_columns = group_columns;
      item_panels = even_step(panels, max_of<int64_t>(1, fit / rows), threads);
    }
  }

 private:
  /** A step of at most `fit` that cuts `size` into a multiple of `threads` parts, as nearly as it can. */
  static int64_t even_step(int64_t size, int64_t fit, int threads) {
    const int64_t rounds = ceil_div(ceil_div(size, fit), threads);
    return ceil_div(size, rounds * threads);
  }
};

template <class T, class A, class B, class C, class Rows>
void multiply_shared(Context* ctx, const Product<T, A, B, C, Rows>& p) {
  constexpr int64_t width = Tile<T>::width;
  const RowPanels<T> panels(p.m);
  const Plan<T> plan(p.m, p.n, p.k, ctx->threads);
  const int64_t parts = depth_parts<T>(p.k), depth = ceil_div(p.k, parts);
  const int64_t padded = padded_columns<T>(p.n);
  const auto a_elements = [&](int64_t count) { return min_of(p.m, count * Tile<T>::rows) * depth; };
  T* shared_a = nullptr;
  T* shared_b = nullptr;
  if (plan.share_a) shared_a = scratch_array<T>(ctx, a_elements(plan.group_panels));
  const bool packs_b = p.packed_b == nullptr;
  if (plan.share_b && packs_b) shared_b = scratch_array<T>(ctx, plan.group_columns * depth);
  const int64_t local = plan.share_a && plan.share_b ? 0
                        : plan.share_a               ? (packs_b ? plan.item_columns * depth : 0)
                                                     : a_elements(plan.item_panels);
  Slots<T> slots(ctx, local);

  for (int64_t part = 0; part < parts; ++part) {
    const Part k(p.k, parts, part);
    const Begin<T> begin = part == 0 ? p.begin : Begin<T>{Start::accumulate, nullptr};
    const Finish<T> finish = part == parts - 1 ? p.finish : nullptr;
    for (int64_t p0 = 0; p0 < panels.count; p0 += plan.group_panels) {
      const int64_t p1 = min_of(p0 + plan.group_panels, panels.count);
      for (int64_t j0 = 0; j0 < padded; j0 += plan.group_columns) {
        const int64_t j1 = min_of(j0 + plan.group_columns, padded);
        const int64_t a_pieces = plan.share_a && j0 == 0 ? p1 - p0 : 0,
                      b_pieces = plan.share_b && packs_b ? (j1 - j0) / width : 0;
        parallel_for(ctx, a_pieces + b_pieces, 1, [&](int64_t from, int64_t to) {
          for (int64_t i = from; i < to; ++i) {
            if (i < a_pieces) {
              const int64_t at = panels.start(p0 + i) - panels.start(p0);
              pack_panels(p.a, panels, p0 + i, p0 + i + 1, k, shared_a + at * k.size());
            } else {
              const int64_t j = j0 + (i - a_pieces) * width;
              pack_columns_of(p.b, j, min_of(j + width, p.n), k, shared_b + (j - j0) * k.size());
            }
          }
        });
        const int64_t down = ceil_div(p1 - p0, plan.item_panels), across = ceil_div(j1 - j0, plan.item_columns);
        parallel_each(ctx, down * across, [&](int64_t item) {
          const Part down_part(p1 - p0, down, item / across), across_part((j1 - j0) / width, across, item % across);
          const int64_t i = p0 + down_part.from, j = j0 + across_part.from * width;
          const int64_t i_end = p0 + down_part.to, j_end = min_of(j0 + across_part.to * width, p.n);
          const auto slot = slots.take();
          const T* a = shared_a + (panels.start(i) - panels.start(p0)) * k.size();
          const T* b = shared_b + (j - j0) * k.size();
          if (!plan.share_a) {
            pack_panels(p.a, panels, i, i_end, k, slot.data);
            a = slot.data;
          }
          if (!packs_b) {
            b = packed_columns(p.packed_b, p.n, j, k);
          } else if (!plan.share_b) {
            pack_columns_of(p.b, j, j_end, k, slot.data);
            b = slot.data;
          }
          multiply_block<T, Rows>({a, b, k.size(), i, i_end, j, j_end, plan.share_a, begin, finish}, panels, p.c);
          slots.give_back(slot);
        });
      }
    }
  }
}

/** Shares out the depth: every item makes a whole partial C, which are then added in order. */
template <class T, class A, class B, class C, class Rows>
void multiply_split_depth(Context* ctx, const Product<T, A, B, C, Rows>& p, int64_t items) {
  const int64_t size = p.m * p.n;
  T* partial = scratch_array<T>(ctx, items * size);
  const SerialSteps<T> steps(p.m, p.n, ceil_div(p.k, items));
  T* workspaces = scratch_array<T>(ctx, items * steps.elements());
  parallel_each(ctx, items, [&](int64_t item) {
    const Part k(p.k, items, item);
    const StridedResult<T> c = {partial + item * size, p.n, 1};
    const Product<T, A, B, StridedResult<T>, Rows> mine = {p.m, p.n, k.size(), p.a.from(k.from), p.b.from(k.from),
                                                           c,   {}};
    multiply_serial(mine, workspaces + item * steps.elements());
  });
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      int64_t run;
      T* c = p.c.at(j, &run) + i * p.c.row_stride;
      const T* bias = p.begin.of(i, j);
      T sum = bias != nullptr ? *bias : p.begin.start == Start::accumulate ? *c : T(0);
      for (int64_t item = 0; item < items; ++item) sum += partial[item * size + i * p.n + j];
      *c = sum;
      if (p.finish != nullptr) p.finish(c, 1);
    }
  }
}

/** The product, on as many threads as it is worth. */
template <class T, class A, class B, class C, class Rows>
void multiply(Context* ctx, const Product<T, A, B, C, Rows>& p) {
  if (p.m <= 0 || p.n <= 0) return;
  const ScratchMark mark(ctx);  // a batch of products calls this for each
  const int64_t work = p.m * p.n * p.k;
  const int64_t tiles = ceil_div(p.m, Tile<T>::rows) * ceil_div(p.n, Tile<T>::width);
  if (work >= Blocking<T>::worth_sharing) {
    const int64_t items = min_of<int64_t>(ctx->threads, depth_parts<T>(p.k));
    if (tiles < ctx->threads && items > tiles && p.packed_b == nullptr) return multiply_split_depth(ctx, p, items);
    if (tiles > 1) return multiply_shared(ctx, p);
  }
  const SerialSteps<T> steps(p.m, p.n, p.k);
  constexpr int64_t few = 16 * 1024 / static_cast<int64_t>(sizeof(T));  // small products need no allocation
  if (steps.elements() <= few) {
    alignas(64) T workspace[few];
    multiply_serial(p, workspace);
  } else {
    multiply_serial(p, scratch_array<T>(ctx, steps.elements()));
  }
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
