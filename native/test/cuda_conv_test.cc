// Convolution on the simulator, in three directions, against float64: every kernel and dtype, images with channels
// first and last, strides, dilation, groups, depths in parts, every schedule; and the geometry of transposes as plain
// numbers.
#include <cmath>

#include "cuda/conv_direct.h"
#include "math/bfloat16.h"
#include "test/cuda_calls.h"
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::test;

namespace {

/** x [n, c, h, w] and weight [o, c / groups, kh, kw]. */
struct Setting {
  int64_t n, c, h, w, o, kh, kw, stride[2], padding[2], dilation[2], groups;
  int64_t out(int d) const {
    return ((d == 0 ? h : w) + 2 * padding[d] - dilation[d] * ((d == 0 ? kh : kw) - 1) - 1) / stride[d] + 1;
  }
};

const Setting settings[] = {
    {2, 16, 7, 6, 20, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1},  {4, 24, 9, 8, 36, 3, 2, {2, 3}, {1, 0}, {1, 2}, 1},
    {2, 3, 11, 9, 17, 5, 3, {2, 2}, {2, 1}, {1, 1}, 1},   // channels that do not fill a chunk
    {3, 34, 5, 5, 40, 3, 3, {2, 1}, {2, 2}, {2, 1}, 2},   // two groups of ragged chunks
    {5, 32, 6, 6, 18, 1, 1, {3, 3}, {0, 0}, {1, 1}, 1},   // places that no tap meets
    {2, 20, 4, 5, 130, 2, 2, {1, 1}, {0, 0}, {1, 1}, 1},  // more than one tile of channels
};

// Groups of few channels.
const Setting few[] = {
    {3, 40, 9, 8, 40, 3, 3, {1, 1}, {1, 1}, {1, 1}, 40},   // depthwise
    {2, 7, 11, 9, 14, 5, 5, {2, 1}, {2, 2}, {1, 1}, 7},    // two outputs of each; more taps than a thread has
    {2, 12, 8, 7, 9, 2, 3, {1, 2}, {0, 1}, {2, 1}, 3},     // four inputs and three outputs
    {1, 33, 6, 13, 33, 1, 1, {3, 3}, {0, 0}, {1, 1}, 33},  // places that no tap meets
};

enum Direction { forward, transposed, weight_gradient };
const char* const ops[] = {"conv2d", "convTranspose2d", "conv2dWeightGradient"};

/** Images that lie with channels first or last. */
struct Lying {
  std::vector<int64_t> shape;
  bool last;
  Array<float> data;
  std::vector<cuda::BFloat16> bits;
  Lying(std::vector<int64_t> s, bool channels_last, unsigned seed)
      : shape(s), last(channels_last), data(Array<float>::random(std::move(s), seed)) {}
  size_t at(int64_t n, int64_t c, int64_t y, int64_t x) const {
    const int64_t C = shape[1], H = shape[2], W = shape[3];
    return static_cast<size_t>(last ? ((n * H + y) * W + x) * C + c : ((n * C + c) * H + y) * W + x);
  }
  float& number(int64_t n, int64_t c, int64_t y, int64_t x) { return data.data[at(n, c, y, x)]; }
  /** As the dtype that the kernel is given; bfloat16 rounds the numbers. */
  View view(DType dtype) {
    View v = data.view();
    if (last) {
      const int64_t C = shape[1], H = shape[2], W = shape[3];
      const int64_t strides[] = {H * W * C, 1, W * C, C};
      for (int d = 0; d < 4; ++d) v.strides[d] = strides[d];
    }
    v.dtype = dtype;
    if (dtype != DType::bf16) return v;
    bits.clear();
    for (float& x : data.data) {
      bits.push_back(cuda::to_bfloat16(x));
      x = cuda::to_float(bits.back());
    }
    v.data = bits.data();
    return v;
  }
};

struct Asked {
  DType dtype;
  Float32Precision precision;
  int multiprocessors;
};

/** One direction of a setting by each kernel that takes it; how many did. */
int convolution_is_right(const Setting& s, Direction direction, bool last, const Asked& asked) {
  const std::vector<int64_t> image = {s.n, s.c, s.h, s.w}, weight = {s.o, s.c / s.groups, s.kh, s.kw};
  const std::vector<int64_t> result = {s.n, s.o, s.out(0), s.out(1)};
  Lying x(image, last, 1), w(weight, false, 2), y(result, last, 3);
  // Each direction reads two of the three and makes the last.
  Lying* const in[2] = {direction == transposed ? &y : &x, direction == weight_gradient ? &y : &w};
  Lying* const out = direction == forward ? &y : direction == transposed ? &x : &w;
  const View views[2] = {in[0]->view(asked.dtype), in[1]->view(asked.dtype)};
  std::vector<double> expected(out->data.data.size(), 0), sizes(expected);
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t o = 0; o < s.o; ++o)
      for (int64_t c = 0; c < s.c / s.groups; ++c)
        for (int64_t i = 0; i < s.out(0) * s.out(1); ++i)
          for (int64_t t = 0; t < s.kh * s.kw; ++t) {
            const int64_t p = i / s.out(1), q = i % s.out(1), r = t / s.kw, v = t % s.kw;
            const int64_t row = p * s.stride[0] + r * s.dilation[0] - s.padding[0];
            const int64_t column = q * s.stride[1] + v * s.dilation[1] - s.padding[1];
            if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
            const int64_t channel = o / (s.o / s.groups) * (s.c / s.groups) + c;
            const double a = x.number(n, channel, row, column), b = w.number(o, c, r, v), g = y.number(n, o, p, q);
            const double term = direction == forward ? a * b : direction == transposed ? g * b : a * g;
            const size_t at = direction == forward      ? y.at(n, o, p, q)
                              : direction == transposed ? x.at(n, channel, row, column)
                                                        : w.at(o, c, r, v);
            expected[at] += term;
            sizes[at] += std::fabs(term);
          }
  CudaContext context;
  context.float32_precision = asked.precision;
  context.multiprocessors = asked.multiprocessors;
  const View to = out->view(DType::f32);
  const double attrs[] = {double(s.stride[0]),   double(s.stride[1]),   double(s.padding[0]), double(s.padding[1]),
                          double(s.dilation[0]), double(s.dilation[1]), double(s.groups)};
  const Call call{views, &to, attrs, 2, 1, 7, &context};
  const OpKernels& kernels = cuda_kernels(cuda::conv, ops[direction]);
  int ran = 0;
  for (int k = 0; k < kernels.count; ++k) {
    const Kernel& kernel = kernels.kernels[k];
    if (kernel.fits != nullptr && !kernel.fits(call)) continue;
    std::fill(out->data.data.begin(), out->data.data.end(), NAN);
    kernel.run(call);
    context.synchronize();
    ++ran;
    const bool rounds = std::string(kernel.name) == "sm80" && asked.dtype == DType::f32;
    for (size_t i = 0; i < expected.size(); ++i) {
      const double allowed = sizes[i] * ((rounds ? 2.01 * 0x1p-11 : 0) + 1000 * 0x1p-24);
      const double found = out->data.data[i];
      if (!(std::fabs(found - expected[i]) <= allowed))
        throw CheckFailed(std::string(ops[direction]) + ", " + kernel.name + ": [" + std::to_string(i) + "] is " +
                          std::to_string(found) + ", expected " + std::to_string(expected[i]));
    }
  }
  return ran;
}

const Asked kinds[] = {{DType::f32, Float32Precision::exact, 4},
                       {DType::f32, Float32Precision::tf32, 4},
                       {DType::f32, Float32Precision::tf32, 1},  // the largest tiles
                       {DType::bf16, Float32Precision::exact, 4},
                       {DType::bf16, Float32Precision::exact, 1}};

}  // namespace

TEST(cuda_conv_three_directions) {
  for (const Asked& asked : kinds) {
    int on_tensor_cores = 0;
    for (const Setting& s : settings)
      for (const Direction direction : {forward, transposed, weight_gradient})
        for (const bool last : {false, true}) on_tensor_cores += convolution_is_right(s, direction, last, asked) - 1;
    // All but the transpose to three channels, which are fewer than a tensor core's product.
    CHECK_EQUAL(on_tensor_cores, asked.dtype == DType::f32 && asked.precision == Float32Precision::exact ? 0 : 34);
  }
}

TEST(cuda_conv_depth_in_parts) {
  const Setting s = {9, 16, 20, 20, 16, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1};
  CHECK(cuda::choose_gemm({16, 144, 3600, 1, cuda::Arithmetic::tf32, 132, 128}).parts > 1);
  for (Asked asked : {kinds[0], kinds[1], kinds[3]}) {
    asked.multiprocessors = 132;
    convolution_is_right(s, weight_gradient, false, asked);
  }
}

TEST(cuda_conv_every_schedule) {
  for (const Asked& asked : {kinds[1], kinds[3]})
    for (const Direction direction : {forward, transposed, weight_gradient})
      simulator::each_schedule([&] { CHECK_EQUAL(convolution_is_right(settings[3], direction, false, asked), 2); });
}

TEST(cuda_conv_of_few_channels) {
  for (const Asked& asked : {kinds[0], kinds[3]})
    for (const Setting& s : few)
      for (const Direction direction : {forward, transposed, weight_gradient})
        for (const bool last : {false, true}) CHECK_EQUAL(convolution_is_right(s, direction, last, asked), 2);
}

TEST(cuda_conv_of_few_channels_in_parts) {
  const Setting s = {9, 2, 40, 41, 2, 3, 3, {1, 1}, {1, 1}, {1, 1}, 2};
  const cuda::DirectParts plan = cuda::choose_direct_parts(2, 9, 9 * 40 * 41, false, 132);
  CHECK_EQUAL(plan.parts, 3u);
  CHECK(plan.parts * plan.part >= 9 * 40 * 41u);
  CHECK((plan.parts - 1) * plan.part < 9 * 40 * 41u);
  CHECK_EQUAL(cuda::choose_direct_parts(4096, 9, 100000, false, 132).parts, 1u);
  CHECK_EQUAL(cuda::choose_direct_parts(4096, 9, 0, true, 132).parts, 1u);
  CHECK_EQUAL(cuda::choose_direct_parts(4096, 9, 100000, true, 132).blocks, 128u);
  CHECK(!cuda::few_channels(1, 1, 1));
  for (Asked asked : {kinds[0], kinds[3]})
    for (const bool last : {false, true}) {
      asked.multiprocessors = 132;
      convolution_is_right(s, weight_gradient, last, asked);
    }
}

TEST(cuda_conv_of_few_channels_under_every_schedule) {
  for (const bool last : {false, true})
    for (const Direction direction : {forward, transposed, weight_gradient})
      simulator::each_schedule([&] { convolution_is_right(few[1], direction, last, kinds[0]); });
}

TEST(cuda_conv_transposes_are_convolutions) {
  // What place y of the output meets, directly and by its remainder.
  for (const int64_t stride : {1, 2, 3, 4})
    for (const int64_t dilation : {1, 2, 3, 4})
      for (const int64_t padding : {0, 1, 5})
        for (const int64_t taps : {1, 2, 3, 5}) {
          constexpr int64_t places = 11;
          int64_t found = 0, expected = 0;
          for (int64_t phase = 0; phase < stride; ++phase) {
            const cuda::Axis axis = cuda::transposed_axis(places, taps, stride, padding, dilation, phase);
            for (int64_t p = 0; p < axis.places; ++p) {
              const int64_t y = axis.out_start + p * axis.out_step;
              CHECK(y < places);
              for (int64_t t = 0; t < axis.taps; ++t) {
                const int64_t r = axis.tap_start + t * axis.tap_every;
                CHECK(r < taps);
                CHECK_EQUAL((axis.step * p + axis.start + axis.tap_step * t) * stride, y + padding - r * dilation);
                ++found;
              }
            }
          }
          for (int64_t y = 0; y < places; ++y)
            for (int64_t r = 0; r < taps; ++r) expected += (y + padding - r * dilation) % stride == 0;
          CHECK_EQUAL(found, expected);
        }
}
