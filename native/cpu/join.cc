// concat: inputs side by side along an axis. Work is split over the elements of all inputs together. Bound by memory:
// 2 * item size bytes per element, no FLOP.
#include "cpu/families.h"
#include "cpu/move.h"
#include "cpu/segments.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

void concat_pieces(const Call& c) {
  const View& out = c.out[0];
  const int axis = static_cast<int>(c.attrs[0]);
  auto* walks = static_cast<Walk<2>*>(c.ctx->scratch(c.ctx, static_cast<size_t>(c.n_in) * sizeof(Walk<2>)));
  int64_t at = 0;
  for (int k = 0; k < c.n_in; ++k) {
    View place = out;
    place.shape[axis] = c.in[k].shape[axis];
    place.data = out.as<char>() + at * out.strides[axis] * static_cast<int64_t>(item_size(out.dtype));
    walks[k] = make_walk<2>({&place, &c.in[k]});
    at += c.in[k].shape[axis];
  }
  with_word(out.dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    const auto length = [&](int k) { return walks[k].elements(); };
    parallel_segments(c.ctx, c.n_in, kCut, kGrain, length, [&](int k, int64_t begin, int64_t end) {
      const Walk<2>& w = walks[k];
      W* to = static_cast<W*>(w.data[0]);
      const W* from = static_cast<const W*>(w.data[1]);
      const int64_t so = w.strides[0][w.ndim - 1], sx = w.strides[1][w.ndim - 1];
      rows_between(w, begin, end, [&](int64_t n, const int64_t* o) { move_row(n, to + o[0], so, from + o[1], sx); });
    });
  });
}

const Kernel kernels_concat[] = {{"pieces", nullptr, concat_pieces}};

}  // namespace

const OpKernels join[] = {ATHANOR_OP(concat, kernels_concat), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
