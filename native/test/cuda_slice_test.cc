// How slices lie in shared memory: every chunk has a place of its own, and what a warp accesses together lies in
// different banks.
#include "cuda/gemm_sm80.h"
#include "test/check.h"
#include "test/cuda_banks.h"

using namespace athanor;
using namespace athanor::cuda;
using namespace athanor::test;

namespace {

template <class T, int Tile, bool Across>
int place_of(int row, int chunk) {
  return Across ? place_across<T, Tile>(row, chunk) : place_along(row, chunk);
}

template <class T, int Tile, bool Across>
void layout_is_right() {
  constexpr int chunks = Across ? Tile / SliceOf<T>::wide : kSliceChunks;
  constexpr int rows = Across ? SliceOf<T>::depth : Tile;
  std::set<int> places;
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk < chunks; ++chunk) places.insert(place_of<T, Tile, Across>(row, chunk));
  CHECK_EQUAL(static_cast<int>(places.size()), rows * chunks);
  CHECK_EQUAL(*places.rbegin(), rows * chunks - 1);
  CHECK_EQUAL(rows * chunks * kChunkBytes, static_cast<int>(sizeof(Slice<T, Tile>)));
  // Copies: eight threads one after another.
  for (int first = 0; first < rows * chunks; first += 8) {
    std::vector<int> together;
    for (int i = first; i < first + 8; ++i) together.push_back(place_of<T, Tile, Across>(i / chunks, i % chunks));
    CHECK_EQUAL(conflicts(words_of(together)), 1);
  }
}

}  // namespace

TEST(cuda_slice_layouts_have_no_bank_conflicts) {
  layout_is_right<float, 256, false>();
  layout_is_right<float, 64, true>();
  layout_is_right<float, 128, true>();
  layout_is_right<float, 256, true>();
  layout_is_right<BFloat16, 64, true>();
  layout_is_right<BFloat16, 128, true>();
  layout_is_right<BFloat16, 256, true>();
}

TEST(cuda_slice_fragments_have_no_bank_conflicts) {
  // An 8 x 8 matrix along the depth: eight lines, the same chunk.
  for (int line = 0; line < 256; line += 8)
    for (int chunk = 0; chunk < kSliceChunks; ++chunk) {
      std::vector<int> rows;
      for (int i = 0; i < 8; ++i) rows.push_back(place_along(line + i, chunk));
      CHECK_EQUAL(conflicts(words_of(rows)), 1);
    }
  // Across it, bf16: eight places of the depth, the same chunk of lines.
  for (int d = 0; d < 32; d += 8)
    for (int chunk = 0; chunk < 8; ++chunk) {
      std::vector<int> rows;
      for (int i = 0; i < 8; ++i) rows.push_back(place_across<BFloat16, 64>(d + i, chunk));
      CHECK_EQUAL(conflicts(words_of(rows)), 1);
    }
  // Across it, tf32: a register of all lanes, number by number.
  for (int line = 0; line < 64; line += 8)
    for (int d = 0; d < 16; d += 4) {
      std::vector<int> words;
      for (int lane = 0; lane < 32; ++lane) {
        const int l = line + lane / 4;
        words.push_back(place_across<float, 64>(d + lane % 4, l / 4) * 4 + l % 4);
      }
      CHECK_EQUAL(conflicts(words), 1);
    }
}

TEST(cuda_strip_has_no_bank_conflicts) {
  // Two numbers a lane: half a warp is served at a time.
  using Strip = MmaStrip<MmaTile256>;
  for (int half = 0; half < 2; ++half) {
    std::vector<int> words;
    for (int lane = half * 16; lane < half * 16 + 16; ++lane) {
      const Element e = accumulator_element(lane, 0);
      words.push_back(e.row * Strip::pitch + e.column);
      words.push_back(e.row * Strip::pitch + e.column + 1);
    }
    CHECK_EQUAL(conflicts(words), 1);
  }
}
