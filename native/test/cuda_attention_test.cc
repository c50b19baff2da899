// Attention in tiles on the simulator: widths of heads, tiles that are not full, causal heads with more keys than
// queries and fewer, masks, under every schedule; that shared memory is read without conflicts; and what tiles take.
#define ATHANOR_ATTENTION_FILE sound
#include "test/cuda_attention.h"
#include "cuda/families.h"
#include "test/cuda_banks.h"

using namespace athanor;
using namespace athanor::test;
using namespace athanor::test::ATHANOR_ATTENTION_FILE;

namespace {

void is_right(const char* what, const Array<float>& found, const Numbers& right, double tolerance) {
  const double far = distance(found, right);
  if (far <= tolerance) return;
  throw CheckFailed(std::string(what) + " is off by " + std::to_string(far));
}

template <template <int> class Rows>
void attention_is_right(const AttentionSizes& sizes, double tolerance) {
  AttentionProblem p(sizes);
  CudaContext context;
  p.attend<Rows>(context);
  is_right("the result", p.out, p.right_out, tolerance);
  is_right("the logarithm of sums", p.log_sums, p.right_log_sums, tolerance);
  p.differentiate<Rows>(context);
  is_right("the gradient of queries", p.gq, p.right_gq, tolerance);
  is_right("the gradient of keys", p.gk, p.right_gk, tolerance);
  is_right("the gradient of values", p.gv, p.right_gv, tolerance);
}

constexpr double kRoundings = 2e-6;  // of float32
constexpr double kTf32 = 3e-3;       // of 11 bits

const AttentionSizes problems[] = {
    {2, 20, 33, 2, 32, 32, false, false},  {1, 130, 70, 1, 64, 64, false, false},
    {1, 150, 150, 1, 64, 64, true, false}, {1, 33, 100, 1, 128, 128, false, true},
    {1, 65, 65, 1, 128, 100, true, true},  {1, 40, 90, 2, 4, 36, true, false},
    {1, 200, 30, 1, 40, 8, true, true},    {1, 129, 129, 1, 16, 32, false, true},
    {3, 16, 1, 1, 96, 96, false, false},
};

}  // namespace

TEST(cuda_attention_exact_tiles) {
  for (const AttentionSizes& sizes : problems) attention_is_right<Exact>(sizes, kRoundings);
}

TEST(cuda_attention_tf32_tiles) {
  for (const AttentionSizes& sizes : problems) attention_is_right<Tf32>(sizes, kTf32);
}

TEST(cuda_attention_survives_every_schedule) {
  CHECK_EQUAL(wrong_results<Exact>(), 0);
  CHECK_EQUAL(wrong_results<Tf32>(), 0);
  for (const int of_keys : {0, 1}) {
    CHECK_EQUAL(wrong_gradients<Exact>(of_keys), 0);
    CHECK_EQUAL(wrong_gradients<Tf32>(of_keys), 0);
  }
}

namespace {

template <int Width>
void tile_has_no_conflicts() {
  constexpr int pitch = cuda::TileRow<Width>::pitch;
  static_assert(sizeof(cuda::TileRow<Width>) == pitch * sizeof(float), "rows follow one another");
  const auto chunk = [](int row, int e) { return (row * pitch + e) / 4; };
  // Eight rows at one place: matrices of tensor cores, and the other factor's rows of an exact block.
  for (int e = 0; e < Width; e += 4) {
    std::vector<int> chunks;
    for (int row = 0; row < 8; ++row) chunks.push_back(chunk(row, e));
    CHECK_EQUAL(conflicts(words_of(chunks)), 1);
  }
  // The other factor's numbers of sums, 16 bytes a lane: tf32 reads two rows, one after another; exact one.
  using Sums = typename cuda::ExactRows<16>::template Sums<Width>;
  for (int first = 0; first < 32; first += 8)
    for (int e = 0; e < Width; e += 32) {
      std::vector<int> tf32, exact;
      for (int lane = first; lane < first + 8; ++lane) {
        tf32.push_back(chunk(cuda::accumulator_element(lane, 0).column, e + lane / 4 * 4));
        exact.push_back(chunk(0, Sums::column(lane, e / 32)));
      }
      CHECK_EQUAL(conflicts(words_of(tf32)), 1);
      CHECK_EQUAL(conflicts(words_of(exact)), 1);
    }
  // Copies: eight threads one after another.
  for (int first = 0; first < Width / 4; first += 8) {
    std::vector<int> chunks;
    for (int i = first; i < first + 8; ++i) chunks.push_back(chunk(0, i * 4));
    CHECK_EQUAL(conflicts(words_of(chunks)), 1);
  }
}

}  // namespace

TEST(cuda_attention_tiles_have_no_bank_conflicts) {
  tile_has_no_conflicts<32>();
  tile_has_no_conflicts<64>();
  tile_has_no_conflicts<128>();
}

TEST(cuda_attention_tiles_fit_every_chip) {
  const auto fits = [](auto wide) {
    constexpr int width = decltype(wide)::value;
    constexpr size_t most = 99 << 10;  // of a block, on the chip that grants least
    using Forward = cuda::ExactRows<cuda::ForwardSizes<width>::rows>;
    using Backward = cuda::ExactRows<cuda::BackwardSizes<width>::rows>;
    CHECK(sizeof(cuda::ForwardTiles<Forward, width>) <= most);
    CHECK(sizeof(cuda::QueryTiles<Backward, width>) <= most);
    CHECK(sizeof(cuda::KeyTiles<Backward, width>) <= most);
  };
  for (const int64_t width : {1, 32, 33, 64, 65, 128}) cuda::with_tile_width(width, fits);
}

TEST(cuda_attention_choice) {
  const OpKernels& kernels = cuda_kernels(cuda::attention, "attention");
  CudaContext context;
  const double attrs[2] = {1, 0};
  const auto chosen = [&](std::vector<int64_t> q, std::vector<int64_t> k, Float32Precision precision, int shift = 0) {
    Array<float> queries(q), keys(k), mask({1}), out(q), sums({q[0], q[2], q[1]});
    View in[4] = {queries.view(), keys.view(), keys.view(), mask.view()}, to[2] = {out.view(), sums.view()};
    in[3].ndim = 0;
    in[1].data = keys.data.data() + shift;
    context.float32_precision = precision;
    const Call call{in, to, attrs, 4, 2, 2, &context};
    int i = 0;
    while (kernels.kernels[i].fits != nullptr && !kernels.kernels[i].fits(call)) ++i;
    return std::string(kernels.kernels[i].name);
  };
  const auto exact = Float32Precision::exact, tf32 = Float32Precision::tf32;
  CHECK_EQUAL(chosen({8, 1024, 12, 64}, {8, 1024, 12, 64}, exact), "tiles");
  CHECK_EQUAL(chosen({8, 1024, 12, 64}, {8, 1024, 12, 64}, tf32), "mma");
  CHECK_EQUAL(chosen({2, 15, 1, 64}, {2, 100, 1, 64}, tf32), "warps");   // few queries
  CHECK_EQUAL(chosen({2, 16, 1, 62}, {2, 16, 1, 62}, exact), "warps");   // rows that do not begin at 16 bytes
  CHECK_EQUAL(chosen({2, 16, 1, 132}, {2, 16, 1, 132}, tf32), "warps");  // wide heads
  CHECK_EQUAL(chosen({2, 16, 1, 64}, {2, 0, 1, 64}, exact), "warps");    // no keys
  CHECK_EQUAL(chosen({2, 16, 1, 64}, {2, 16, 1, 64}, exact, 1), "warps");
}
