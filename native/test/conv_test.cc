// Convolution in its three directions against the definition, written as the loops of the formula.
#include <cmath>
#include <limits>

#include "test/kernels.h"

using namespace athanor;
using test::Array;
using test::each_kernel;

namespace {

struct Shape {
  int64_t n, groups, channels, m, height, width, kh, kw;  // channels and m of one group
  int64_t stride[2], padding[4], dilation[2];             // padding: top, left, bottom, right

  int64_t out(int axis) const {
    const int64_t size = axis == 0 ? height : width, kernel = axis == 0 ? kh : kw;
    return (size + padding[axis] + padding[axis + 2] - dilation[axis] * (kernel - 1) - 1) / stride[axis] + 1;
  }
  std::vector<double> attrs() const {
    return {double(stride[0]),   double(stride[1]),   double(padding[0]), double(padding[1]),
            double(dilation[0]), double(dilation[1]), double(groups)};
  }
  /** each(x index, weight index, out index) for every product of the formula. */
  template <class F>
  void products(const F& each) const {
    const int64_t oh = out(0), ow = out(1);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t g = 0; g < groups; ++g)
        for (int64_t o = 0; o < m; ++o)
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t y = 0; y < oh; ++y)
              for (int64_t x = 0; x < ow; ++x)
                for (int64_t r = 0; r < kh; ++r)
                  for (int64_t s = 0; s < kw; ++s) {
                    const int64_t row = y * stride[0] + r * dilation[0] - padding[0];
                    const int64_t column = x * stride[1] + s * dilation[1] - padding[1];
                    if (row < 0 || row >= height || column < 0 || column >= width) continue;
                    each(((i * groups + g) * channels + c) * height * width + row * width + column,
                         ((g * m + o) * channels + c) * kh * kw + r * kw + s,
                         ((i * groups + g) * m + o) * oh * ow + y * ow + x);
                  }
  }
};

const Shape kShapes[] = {
    {2, 1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}},
    {3, 1, 1, 6, 28, 28, 5, 5, {1, 1}, {2, 2, 2, 2}, {1, 1}},
    {3, 1, 6, 16, 14, 14, 5, 5, {1, 1}, {0, 0, 0, 0}, {1, 1}},
    {1, 1, 3, 5, 9, 11, 3, 2, {2, 3}, {1, 0, 1, 0}, {1, 1}},
    {2, 1, 2, 3, 12, 10, 3, 3, {1, 2}, {2, 3, 2, 3}, {2, 3}},
    {2, 1, 3, 4, 7, 7, 2, 2, {1, 1}, {0, 0, 1, 1}, {1, 1}},  // "same" of an even kernel
    {1, 1, 4, 3, 8, 8, 1, 1, {2, 2}, {0, 0, 0, 0}, {1, 1}},  // more rows of the image than taps that read them
    {2, 1, 5, 15, 6, 40, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}},
    {2, 3, 2, 4, 9, 9, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}},    // groups
    {2, 8, 1, 1, 13, 70, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}},  // depthwise
    {1, 4, 1, 2, 10, 10, 3, 3, {2, 2}, {1, 1, 1, 1}, {1, 1}},
    {1, 1, 70, 9, 5, 5, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}},    // more than one block of channels
    {1, 1, 2, 2, 90, 120, 3, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}},  // more than one band
    {70, 1, 2, 2, 3, 4, 2, 2, {1, 1}, {0, 0, 0, 0}, {1, 1}},    // many small images
    {1, 1, 2, 3, 3, 3, 5, 5, {1, 1}, {4, 4, 4, 4}, {1, 1}},     // padding beyond the image
    {2, 1, 2, 3, 1, 33, 1, 7, {1, 1}, {0, 3, 0, 3}, {1, 1}},    // one-dimensional
    {1, 1, 2, 3, 9, 9, 3, 3, {5, 4}, {0, 0, 0, 0}, {1, 1}},     // a stride that skips rows altogether
    // Padded rows so long that offsets from row to row have more than 32 bits.
    {1, 1, 17, 17, 1, 1, 1, 2, {1, 1}, {1024, 0, 1024, 1 << 24}, {1, 1 << 24}},
};

template <class T>
void check(const Array<T>& out, const std::vector<double>& expected, const std::vector<double>& magnitude,
           const std::string& where, size_t shape) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const double bound = 64 * static_cast<double>(std::numeric_limits<T>::epsilon()) * (magnitude[i] + 1e-3);
    if (!(std::abs(static_cast<double>(out.data[i]) - expected[i]) <= bound))
      test::fail(__FILE__, __LINE__,
                 where + ", shape " + std::to_string(shape) + ": element " + std::to_string(i) + " is " +
                     std::to_string(out.data[i]) + ", not " + std::to_string(expected[i]));
  }
}

/** How the inputs lie: without gaps (0) or channels last (1). */
View laid_out(View v, int how) {
  if (how == 0) return v;
  std::vector<int64_t> order = {0, 2, 3, 1};
  int64_t step = 1;
  for (int i = 3; i >= 0; --i) {
    v.strides[order[static_cast<size_t>(i)]] = step;
    step *= v.shape[order[static_cast<size_t>(i)]];
  }
  return v;
}

/** Element `index` (row-major) of what a view shows. */
template <class T>
T& element(const View& v, int64_t index) {
  int64_t at = 0;
  for (int d = v.ndim - 1; d >= 0; --d) {
    at += index % v.shape[d] * v.strides[d];
    index /= v.shape[d];
  }
  return v.as<T>()[at];
}

template <class T>
void check_shape(size_t number, int how, int threads) {
  const Shape& s = kShapes[number];
  const unsigned seed = static_cast<unsigned>(number);
  auto x = Array<T>::random({s.n, s.groups * s.channels, s.height, s.width}, seed);
  auto w = Array<T>::random({s.groups * s.m, s.channels, s.kh, s.kw}, seed + 100);
  auto g = Array<T>::random({s.n, s.groups * s.m, s.out(0), s.out(1)}, seed + 200);
  auto bias = Array<T>::random({s.groups * s.m}, seed + 300);
  auto bias_x = Array<T>::random({s.groups * s.channels}, seed + 400);
  const View vx = laid_out(x.view(), how), vw = laid_out(w.view(), how), vg = laid_out(g.view(), how);

  Array<T> out(g.shape), gx(x.shape), gw(w.shape);
  std::vector<double> e_out(out.data.size()), e_gx(gx.data.size()), e_gw(gw.data.size());
  const auto add_bias = [](std::vector<double>& e, const Array<T>& b, int64_t plane) {
    for (size_t i = 0; i < e.size(); ++i)
      e[i] += static_cast<double>(b.data[i / static_cast<size_t>(plane) % b.data.size()]);
  };
  add_bias(e_out, bias, s.out(0) * s.out(1));
  add_bias(e_gx, bias_x, s.height * s.width);
  std::vector<double> m_out(e_out.size(), 1), m_gx(e_gx.size(), 1), m_gw(e_gw.size(), 0);
  s.products([&](int64_t i, int64_t k, int64_t o) {
    const double a = element<T>(vx, i), b = element<T>(vw, k), c = element<T>(vg, o);
    const auto add = [](std::vector<double>& e, std::vector<double>& m, int64_t at, double term) {
      e[static_cast<size_t>(at)] += term;
      m[static_cast<size_t>(at)] += std::abs(term);
    };
    add(e_out, m_out, o, a * b);
    add(e_gx, m_gx, i, c * b);
    add(e_gw, m_gw, k, a * c);
  });
  const auto fill = [](Array<T>& a) {
    return [&a] { a.data.assign(a.data.size(), std::numeric_limits<T>::quiet_NaN()); };
  };
  each_kernel("conv2d", {vx, vw, bias.view()}, out.view(), s.attrs(), threads, fill(out),
              [&](const std::string& where) { check(out, e_out, m_out, where, number); });
  each_kernel("convTranspose2d", {vg, vw, bias_x.view()}, gx.view(), s.attrs(), threads, fill(gx),
              [&](const std::string& where) { check(gx, e_gx, m_gx, where, number); });
  each_kernel("conv2dWeightGradient", {vx, vg}, gw.view(), s.attrs(), threads, fill(gw),
              [&](const std::string& where) { check(gw, e_gw, m_gw, where, number); });
}

}  // namespace

TEST(convolutions_follow_the_definition) {
  for (size_t i = 0; i < sizeof kShapes / sizeof *kShapes; ++i)
    for (int how = 0; how < 2; ++how)
      for (int threads : {1, 3}) {
        check_shape<float>(i, how, threads);
        check_shape<double>(i, how, threads);
      }
}

TEST(convolutions_of_nothing) {
  Array<float> x({0, 2, 4, 4}), w({3, 2, 3, 3}, 1), g({0, 3, 2, 2}), gw({3, 2, 3, 3});
  const std::vector<double> attrs = {1, 1, 0, 0, 1, 1, 1};
  each_kernel("conv2d", {x.view(), w.view()}, g.view(), attrs, 2, [] {}, [](const std::string&) {});
  each_kernel("convTranspose2d", {g.view(), w.view()}, x.view(), attrs, 2, [] {}, [](const std::string&) {});
  each_kernel(
      "conv2dWeightGradient", {x.view(), g.view()}, gw.view(), attrs, 2, [&] { gw.data.assign(gw.data.size(), 9); },
      [&](const std::string& where) {
        for (float v : gw.data)
          if (v != 0) test::fail(__FILE__, __LINE__, where + ": the gradient of no images is not 0");
      });
}

TEST(convolution_keeps_infinities_where_they_belong) {
  // Only outputs whose kernel covers the corner see what lies there.
  Array<float> x({1, 1, 3, 3}, 1), w({1, 1, 3, 3}, 1), out({1, 1, 3, 3});
  x.data[0] = std::numeric_limits<float>::infinity();
  each_kernel(
      "conv2d", {x.view(), w.view()}, out.view(), {1, 1, 1, 1, 1, 1, 1}, 1, [] {},
      [&](const std::string& where) {
        for (size_t i = 0; i < 9; ++i) {
          const bool near = i / 3 < 2 && i % 3 < 2;
          if (std::isfinite(out.data[i]) == near) test::fail(__FILE__, __LINE__, where);
        }
      });
}
