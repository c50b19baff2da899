// Walking strided operands together: what merges, and that every element is met once, in order, however the walk is
// cut.
#include <algorithm>
#include <vector>

// The header belongs to whichever instruction set includes it; here that is none of them.
#define ATHANOR_ISA layout_test
#include "cpu/segments.h"
#include "test/check.h"
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::layout_test;

namespace {

View view_of(std::vector<int64_t> shape, std::vector<int64_t> strides) {
  View v{};
  v.ndim = static_cast<int32_t>(shape.size());
  for (int d = 0; d < v.ndim; ++d) {
    v.shape[d] = shape[static_cast<size_t>(d)];
    v.strides[d] = strides[static_cast<size_t>(d)];
  }
  return v;
}

/** Element offsets of a view in row-major order, one by one. */
std::vector<int64_t> offsets_of(const View& v) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < numel(v); ++i) {
    int64_t rest = i, at = 0;
    for (int d = v.ndim - 1; d >= 0; --d) {
      at += rest % v.shape[d] * v.strides[d];
      rest /= v.shape[d];
    }
    out.push_back(at);
  }
  return out;
}

/** The same by the rows of a walk, [0, elements) cut at `cuts`. */
template <int N>
std::vector<int64_t> walked(const Walk<N>& w, int operand, std::vector<int64_t> cuts) {
  std::vector<int64_t> out;
  cuts.push_back(w.elements());
  int64_t begin = 0;
  for (int64_t end : cuts) {
    rows_between(w, begin, end, [&](int64_t n, const int64_t* at) {
      for (int64_t i = 0; i < n; ++i) out.push_back(at[operand] + i * w.strides[operand][w.ndim - 1]);
    });
    begin = end;
  }
  return out;
}

}  // namespace

TEST(walk_merges_what_lies_in_one_run) {
  const View dense = view_of({4, 3, 5}, {15, 5, 1});
  const Walk<2> same = make_walk<2>({&dense, &dense});
  CHECK_EQUAL(same.ndim, 1);
  CHECK_EQUAL(same.shape[0], 60);
  const View transposed = view_of({4, 3, 5}, {1, 20, 4});
  CHECK_EQUAL((make_walk<2>({&dense, &transposed}).ndim), 2);  // the last two axes are one run of both
  const View ones = view_of({1, 4, 1, 15}, {7, 15, 99, 1});
  CHECK_EQUAL(make_walk<1>({&ones}).ndim, 1);  // strides of single elements mean nothing
  const View scalar = view_of({}, {});
  CHECK_EQUAL(make_walk<1>({&scalar}).elements(), 1);
  const View empty = view_of({3, 0, 2}, {0, 2, 1});
  CHECK_EQUAL(make_walk<1>({&empty}).elements(), 0);
}

TEST(walk_broadcasts_from_the_back) {
  const View full = view_of({2, 3, 4}, {12, 4, 1}), row = view_of({4}, {1}), column = view_of({3, 1}, {1, 1});
  const Walk<3> w = make_walk<3>({&full, &row, &column});
  const std::vector<int64_t> rows = walked(w, 1, {}), columns = walked(w, 2, {});
  for (int64_t i = 0; i < 24; ++i) {
    CHECK_EQUAL(rows[static_cast<size_t>(i)], i % 4);
    CHECK_EQUAL(columns[static_cast<size_t>(i)], i / 4 % 3);
  }
}

TEST(walk_meets_every_element_once_however_it_is_cut) {
  const std::vector<View> views = {
      view_of({5, 4, 3}, {12, 3, 1}),
      view_of({5, 4, 3}, {1, 5, 20}),
      view_of({5, 4, 3}, {-12, 3, -1}),
      view_of({5, 4, 3}, {0, 1, 0}),
      view_of({2, 1, 3, 1, 2}, {9, 5, 3, 5, 1}),
      view_of({7}, {2}),
      view_of({2, 2, 2, 2, 2, 2, 2, 2}, {1, 2, 4, 8, 16, 32, 64, 128}),
  };
  for (const View& v : views) {
    const Walk<1> w = make_walk<1>({&v});
    const std::vector<int64_t> expected = offsets_of(v);
    CHECK(walked(w, 0, {}) == expected);
    for (int64_t cut = 1; cut < w.elements(); ++cut) CHECK(walked(w, 0, {cut, (cut + w.elements()) / 2}) == expected);
  }
}

TEST(segments_cover_all_tensors_once_for_any_number_of_threads) {
  const std::vector<int64_t> lengths = {0, 1, 63, 64, 1000, 0, 65, 129, 1};
  for (int threads = 1; threads <= 9; ++threads) {
    for (int64_t cut : {int64_t{1}, kCut}) {
      test::TestContext context(threads);
      std::vector<std::vector<int>> met;
      for (int64_t n : lengths) met.emplace_back(static_cast<size_t>(n), 0);
      int pieces = 0;
      parallel_segments(
          &context, static_cast<int>(lengths.size()), cut, 1, [&](int k) { return lengths[static_cast<size_t>(k)]; },
          [&](int k, int64_t begin, int64_t end) {
            ++pieces;
            CHECK(begin % cut == 0);
            for (int64_t i = begin; i < end; ++i) ++met[static_cast<size_t>(k)][static_cast<size_t>(i)];
          });
      for (const auto& tensor : met) CHECK(std::all_of(tensor.begin(), tensor.end(), [](int n) { return n == 1; }));
      CHECK(pieces >= threads);
    }
  }
}
