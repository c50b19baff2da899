// concat: inputs side by side along an axis. Work is split over the result as it lies, so that what a thread writes is
// one stretch of memory: where each thread took inputs of its own, two of them wrote to parts of the same rows, and
// processors fetched each other's lines ahead (4 MB in 48 us, or 114 to 139 where the two share no cache). Bound by
// memory: 2 * item size bytes per element, no FLOP.
#include "cpu/families.h"
#include "cpu/move.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

constexpr int64_t kCut = 64;  // threads begin at multiples of this many elements: whole lines, whole vectors
constexpr int64_t kTogether =
    8192;  // elements of the result that are filled input by input: near enough to come back to

/** One input: where it goes, and the elements that lie behind one another in each row of the result. */
struct Part {
  Walk<2> walk;
  int64_t first, length;  // in a row: what is before it, its own
};

void concat_pieces(const Call& c) {
  const View& out = c.out[0];
  const int axis = static_cast<int>(c.attrs[0]);
  int64_t after = 1;
  for (int d = axis + 1; d < out.ndim; ++d) after *= out.shape[d];
  auto* const parts = static_cast<Part*>(c.ctx->scratch(c.ctx, static_cast<size_t>(c.n_in) * sizeof(Part)));
  int64_t at = 0;
  for (int k = 0; k < c.n_in; ++k) {
    View place = out;
    place.shape[axis] = c.in[k].shape[axis];
    place.data = out.as<char>() + at * out.strides[axis] * static_cast<int64_t>(item_size(out.dtype));
    parts[k] = {make_walk<2>({&place, &c.in[k]}), at * after, c.in[k].shape[axis] * after};
    at += c.in[k].shape[axis];
  }
  const int64_t row = out.shape[axis] * after, total = numel(out);
  with_word(out.dtype, [&](auto tag) {
    using W = typename decltype(tag)::type;
    const auto copy = [&](const Walk<2>& w, int64_t begin, int64_t end) {
      W* to = static_cast<W*>(w.data[0]);
      const W* from = static_cast<const W*>(w.data[1]);
      const int64_t so = w.strides[0][w.ndim - 1], sx = w.strides[1][w.ndim - 1];
      rows_between(w, begin, end, [&](int64_t n, const int64_t* o) { move_row(n, to + o[0], so, from + o[1], sx); });
    };
    parallel_for(c.ctx, total, kGrain, [&](int64_t begin, int64_t end) {
      begin = begin / kCut * kCut;
      if (end < total) end = end / kCut * kCut;
      while (begin < end) {
        const int64_t o = begin / row, low = begin % row, high = min_of(row, low + end - begin);
        const int64_t whole = high - low < row ? 0 : max_of<int64_t>(1, min_of(end - begin, kTogether) / row);
        for (int k = 0; k < c.n_in; ++k) {
          const Part& p = parts[k];
          const int64_t from = max_of(low, p.first), to = min_of(high, p.first + p.length);
          if (p.length == 0) continue;
          if (whole > 0)
            copy(p.walk, o * p.length, (o + whole) * p.length);
          else if (from < to)
            copy(p.walk, o * p.length + from - p.first, o * p.length + to - p.first);
        }
        begin += whole > 0 ? whole * row : high - low;
      }
    });
  });
}

const Kernel kernels_concat[] = {{"pieces", nullptr, concat_pieces}};

}  // namespace

const OpKernels join[] = {ATHANOR_OP(concat, kernels_concat), {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
