// Kernels with a barrier left out by a macro: the tests would be worth nothing if these passed. Products have files of
// their own. The simulator makes kernels static, so that this file has copies of its own.
#define ATHANOR_FAULT_COLUMNS
#define ATHANOR_FAULT_DIRECT
#define ATHANOR_FAULT_FOLD
#define ATHANOR_FAULT_LINES
#define ATHANOR_FAULT_NORM
#define ATHANOR_FAULT_NORM_COLUMNS
#define ATHANOR_FAULT_SCAN
#define ATHANOR_FAULT_SKINNY
#include <cmath>

#include "cuda/conv_direct.h"
#include "cuda/fold.h"
#include "cuda/gemm_skinny.h"
#include "cuda/line_map.h"
#include "cuda/norm_columns.h"
#include "cuda/scan.h"
#include "test/cuda_calls.h"
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::test;

namespace {

/** How many schedules run(context), which launches kernels, does not survive: those after which check() throws. */
template <class Run, class Check>
int wrong_schedules(const Run& run, const Check& check) {
  int wrong = 0;
  simulator::each_schedule([&] {
    CudaContext context;
    run(context);
    context.synchronize();
    try {
      check();
    } catch (const CheckFailed&) {
      ++wrong;
    }
  });
  return wrong;
}

// ---- folds

/** A sum. */
struct Total {
  using In = float;
  using Out = float;
  using State = double;
  double start() const { return 0; }
  void take(double& s, float x, int64_t) const { s += x; }
  static void join(double& a, double b) { a += b; }
  static double shuffle(double s, int lanes) { return __shfl_xor_sync(cuda::kFullMask, s, lanes); }
  void write(float* out, double s, int64_t) const { *out = static_cast<float>(s); }
};

/** Sums of [40, 1100] over the axis whose bit is set. */
int wrong_folds(unsigned mask) {
  const bool rows = mask == 2;
  auto x = Array<float>::random({40, 1100}, 1);
  Array<float> out({rows ? 40 : 1100});
  const View in = x.view(), to = out.view();
  return wrong_schedules(
      [&](CudaContext& context) { cuda::run_fold(Call{&in, &to, nullptr, 1, 1, 0, &context}, mask, Total{}); },
      [&] {
        for (size_t o = 0; o < out.data.size(); ++o) {
          double sum = 0;
          for (size_t i = 0; i < (rows ? 1100u : 40u); ++i) sum += x.data[rows ? o * 1100 + i : i * 1100 + o];
          is_near(out.data[o], sum);
        }
      });
}

// ---- products with a short side

/** Four rows of 100 times 40 columns, whose numbers lie along the depth (dots) or side by side. */
int wrong_products(bool dots) {
  auto x = Array<float>::random({4, 100}, 3), y = Array<float>::random({40, 100}, 4);
  Array<float> out({4, 40});
  using Job = cuda::SkinnyJob<float, float, cuda::StridedResult<float>>;
  cuda::Work<float> work{};
  work.m = 4, work.n = 40, work.depth = 100;
  work.batch.count = 1;
  work.parts = 1;
  work.part_depth = 128;
  const auto place = [&](size_t j, size_t d) { return dots ? j * 100 + d : d * 40 + j; };
  const Job job{work,
                {y.data.data(), 40, dots ? 100 : 1, dots ? 1 : 40, 2},
                {x.data.data(), 4, 100, 1, 1},
                false,
                {out.data.data(), 40, 1, nullptr, 0, 0}};
  return wrong_schedules(
      [&](CudaContext& context) {
        const auto kernel = dots ? cuda::skinny_dots<4, float, float, cuda::StridedResult<float>>
                                 : cuda::skinny_columns<4, float, float, cuda::StridedResult<float>>;
        const Call call{nullptr, nullptr, nullptr, 0, 0, 0, &context};
        cuda::launch(call, kernel, dim3(2), dim3(cuda::kSkinnyThreads), 0, job);
      },
      [&] {
        for (size_t i = 0; i < 4; ++i)
          for (size_t j = 0; j < 40; ++j) {
            double sum = 0;
            for (size_t d = 0; d < 100; ++d) sum += static_cast<double>(x.data[i * 100 + d]) * y.data[place(j, d)];
            is_near(out.data[i * 40 + j], sum);
          }
      });
}

// ---- lines

/** out = (x - max) / sum: two rounds through the same shared memory. */
struct Shares {
  static constexpr int inputs = 1;
  double most = 0, sum = 0;
  static float nothing() { return 0; }
  template <int E>
  void take(const float (&x)[1][E]) {
    for (const float v : x[0]) most = std::fmax(most, v), sum += v;
  }
  template <class G>
  void settle(const G& group) {
    most = group.all(most, cuda::Maximum{});
    sum = group.all(sum, cuda::Add{});
  }
  float result(float x, float) const { return static_cast<float>((x - most) / sum); }
};

/** The middle of [2, n, inner]: of neighbouring lines, or of one after the other. */
int wrong_lines(int64_t n, int64_t inner) {
  auto x = Array<float>::random({2, n, inner}, 2);
  for (float& v : x.data) v += 2;
  Array<float> out(x.shape);
  const View in = x.view(), to = out.view();
  const double axis = 1;
  return wrong_schedules(
      [&](CudaContext& context) { cuda::run_line_map<Shares, float>(Call{&in, &to, &axis, 1, 1, 1, &context}); },
      [&] {
        for (int64_t line = 0; line < 2 * inner; ++line) {
          const auto at = [&](int64_t i) { return static_cast<size_t>((line / inner * n + i) * inner + line % inner); };
          double most = 0, sum = 0;
          for (int64_t i = 0; i < n; ++i) most = std::fmax(most, x.data[at(i)]), sum += x.data[at(i)];
          for (int64_t i = 0; i < n; ++i) is_near(out.data[at(i)], (x.data[at(i)] - most) / sum);
        }
      });
}

int wrong_scans() {
  auto x = Array<float>::random({2600}, 3);
  Array<float> out({2600});
  cuda::ScanJob<float> job{};
  job.walk.ndim = 0;
  job.walk.lines = 1;
  job.walk.length = job.piece = 2600;
  job.walk.step[0] = job.walk.step[1] = 1;
  job.pieces = 1;
  job.out = out.data.data();
  job.x = x.data.data();
  return wrong_schedules(
      [&](CudaContext& context) {
        cuda::launch(Call{nullptr, nullptr, nullptr, 0, 0, 0, &context}, cuda::scan_lines<float, cuda::kLineThreads>,
                     dim3(1), dim3(cuda::kLineThreads), 0, job);
      },
      [&] {
        double sum = 0;
        for (size_t i = 0; i < 2600; ++i) is_near(out.data[i], sum += x.data[i]);
      });
}

// ---- the gradients of a weight and a bias

int wrong_parameters() {
  constexpr int64_t lines = 50, length = 37;
  auto g = Array<float>::random({lines, length}, 4), x = Array<float>::random({lines, length}, 5);
  Array<float> weight({length}, 1), mean({lines}, 0), variance({lines}, 1);
  std::vector<cuda::PairOfSums> sums(length);
  std::vector<cuda::Statistics> known(lines, {0, 1});
  using Numbers = cuda::Numbers<float>;
  const cuda::NormBackward<float, cuda::NormKind::lines> job{{lines, 1, 1, length},
                                                             g.data.data(),
                                                             x.data.data(),
                                                             nullptr,
                                                             Numbers(weight.view()),
                                                             Numbers(weight.view()),
                                                             Numbers(mean.view()),
                                                             Numbers(variance.view()),
                                                             0.0,
                                                             true,
                                                             false,
                                                             nullptr,
                                                             nullptr,
                                                             nullptr,
                                                             known.data()};
  return wrong_schedules(
      [&](CudaContext& context) {
        cuda::launch(Call{nullptr, nullptr, nullptr, 0, 0, 0, &context}, cuda::sum_parameters<float>, dim3(2),
                     dim3(cuda::kNormColumns, cuda::kNormRows), 0, job, sums.data());
      },
      [&] {
        for (size_t p = 0; p < length; ++p) {
          double of_weight = 0, of_bias = 0;
          for (size_t l = 0; l < lines; ++l) {
            of_weight += static_cast<double>(g.data[l * length + p]) * x.data[l * length + p];
            of_bias += g.data[l * length + p];
          }
          is_near(static_cast<float>(sums[p].weight), of_weight);
          is_near(static_cast<float>(sums[p].bias), of_bias);
        }
      });
}

/** The means of [70, 12], in which channels are neighbours. */
int wrong_columns() {
  auto x = Array<float>::random({70, 12}, 6);
  Array<float> weight({12}, 1), bias({12}, 0), mean({12}), variance({12});
  std::vector<cuda::Affine<float>> affine(12);
  using Numbers = cuda::Numbers<float>;
  const cuda::NormForward<float, cuda::NormKind::channels> job{
      {70, 1, 12, 1}, x.data.data(), nullptr, Numbers(weight.view()), Numbers(bias.view()), 0.0,
      true,           false,         nullptr, mean.data.data(),       variance.data.data()};
  return wrong_schedules(
      [&](CudaContext& context) {
        const Call call{nullptr, nullptr, nullptr, 0, 0, 0, &context};
        const cuda::ColumnLaunch l(70, 12, 4, 1);
        cuda::PairOfSums* const partial = l.partial(call);
        cuda::launch(call, cuda::sum_column_deviations<float, 4>, l.grid, l.block, 0, job, l.columns, partial);
        cuda::launch(call, cuda::join_column_deviations<float>, l.joining(), dim3(cuda::kLineThreads), 0, job,
                     l.columns, partial, affine.data());
      },
      [&] {
        for (size_t k = 0; k < 12; ++k) {
          double sum = 0;
          for (size_t i = 0; i < 70; ++i) sum += x.data[i * 12 + k];
          is_near(mean.data[k], sum / 70);
        }
      });
}

// ---- gradients of a depthwise convolution's weight

/** Those of a kernel of one tap for images [3, 40, 9, 8], whose channels are neighbours (beside) or not. */
int wrong_weights(bool beside) {
  const size_t channels = 40, places = 72, images = 3;
  auto x = Array<float>::random({3, 40, 9, 8}, 7), g = Array<float>::random({3, 40, 9, 8}, 8);
  std::vector<float> out(channels);
  View in[2] = {x.view(), g.view()};
  if (beside)
    for (View& v : in) v.strides[1] = 1, v.strides[2] = 8 * 40, v.strides[3] = 40;
  const cuda::Axis y = cuda::forward_axis(9, 1, 1, 0, 1), z = cuda::forward_axis(8, 1, 1, 0, 1);
  const uint32_t count = images * places;
  const cuda::DirectGradient<float, float> job{cuda::Images<const float>(in[0]),
                                               cuda::Images<const float>(in[1]),
                                               cuda::Reach(y, z, 9, 8),
                                               cuda::Split(9, 8),
                                               40,
                                               1,
                                               1,
                                               1,
                                               1,
                                               count,
                                               count,
                                               out.data()};
  return wrong_schedules(
      [&](CudaContext& context) {
        const Call call{nullptr, nullptr, nullptr, 0, 0, 0, &context};
        const auto kernel =
            beside ? cuda::direct_gradient<float, float, true> : cuda::direct_gradient<float, float, false>;
        cuda::launch(call, kernel, dim3(beside ? 2 : 40), dim3(cuda::kDirectThreads), 0, job);
      },
      [&] {
        for (size_t c = 0; c < channels; ++c) {
          double sum = 0;
          for (size_t n = 0; n < images; ++n)
            for (size_t p = 0; p < places; ++p) {
              const size_t at = beside ? (n * places + p) * channels + c : (n * channels + c) * places + p;
              sum += static_cast<double>(x.data[at]) * g.data[at];
            }
          is_near(out[c], sum);
        }
      });
}

}  // namespace

TEST(cuda_fault_in_depthwise_gradients_is_found) {
  CHECK(wrong_weights(true) > 0);
  CHECK(wrong_weights(false) > 0);
}

TEST(cuda_fault_in_folds_is_found) {
  CHECK(wrong_folds(2) > 0);
  CHECK(wrong_folds(1) > 0);
}

TEST(cuda_fault_in_lines_is_found) {
  CHECK(wrong_lines(1500, 1) > 0);
  CHECK(wrong_lines(9000, 1) > 0);  // not held in registers
  CHECK(wrong_lines(100, 40) > 0);
  CHECK(wrong_lines(300, 40) > 0);
}

TEST(cuda_fault_in_scans_is_found) { CHECK(wrong_scans() > 0); }

TEST(cuda_fault_in_norms_is_found) {
  CHECK(wrong_parameters() > 0);
  CHECK(wrong_columns() > 0);
}

TEST(cuda_fault_in_skinny_products_is_found) {
  CHECK(wrong_products(true) > 0);
  CHECK(wrong_products(false) > 0);
}
