// Every family of CUDA kernels whose threads share memory, through the table, under every schedule of the simulator:
// ragged shapes against plain loops in float64. Products have a file of their own.
#include <cmath>
#include <functional>

#include "test/cuda_calls.h"
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::test;

namespace {

using Floats = Array<float>;

/** Runs an op under every schedule, with its outputs (dense float32, in any order) full of nan, and checks what it
 * left.
 */
void under_every_schedule(const OpKernels* family, const char* op, const std::vector<View>& in,
                          const std::vector<View>& out, const std::vector<double>& attrs,
                          const std::function<void()>& check) {
  simulator::each_schedule([&] {
    for (const View& o : out) std::fill_n(o.as<float>(), numel(o), NAN);
    CudaContext context;
    const Call call{in.data(),
                    out.data(),
                    attrs.data(),
                    static_cast<int>(in.size()),
                    static_cast<int>(out.size()),
                    static_cast<int>(attrs.size()),
                    &context};
    cuda::run_first(cuda_kernels(family, op), call);
    context.synchronize();
    check();
  });
}
void under_every_schedule(const OpKernels* family, const char* op, const std::vector<View>& in,
                          const std::vector<Floats*>& outs, const std::vector<double>& attrs,
                          const std::function<void()>& check) {
  std::vector<View> out;
  for (Floats* o : outs) out.push_back(o->view());
  under_every_schedule(family, op, in, out, attrs, check);
}

/** The elements of lines of `n` along the middle of [outer, n, inner]. */
struct Line {
  size_t first, step;
  size_t at(size_t i) const { return first + i * step; }
};
template <class F>
void each_line(size_t outer, size_t n, size_t inner, const F& f) {
  for (size_t o = 0; o < outer; ++o)
    for (size_t k = 0; k < inner; ++k) f(Line{o * n * inner + k, inner});
}

/** softmax and its gradient along the middle of [outer, n, inner]; memory begins `off` elements after a multiple of 16.
 */
void softmax_is_right(size_t outer, size_t n, size_t inner, size_t off = 0) {
  const auto size = [](size_t v) { return static_cast<int64_t>(v); };
  const std::vector<int64_t> shape = {size(outer), size(n), size(inner)}, room = {size(outer * n * inner + off)};
  Floats x = Floats::random(room, 1), g = Floats::random(room, 2), out(room), gx(room);
  const auto view = [&](Floats& of) {
    View v = of.view();
    v.ndim = 3;
    for (int d = 0; d < 3; ++d) v.shape[d] = shape[static_cast<size_t>(d)];
    v.strides[0] = size(n * inner), v.strides[1] = size(inner), v.strides[2] = 1;
    v.data = of.data.data() + off;
    return v;
  };
  const auto check = [&](const char* op, const std::vector<View>& in, Floats& result, const auto& expected) {
    under_every_schedule(cuda::softmax, op, in, std::vector<View>{view(result)}, {1}, [&] {
      each_line(outer, n, inner, [&](const Line& line) {
        double sum = 0, dot = 0;
        for (size_t i = 0; i < n; ++i) {
          const double e = std::exp(static_cast<double>(x.data[off + line.at(i)]));
          sum += e, dot += e * g.data[off + line.at(i)];
        }
        for (size_t i = 0; i < n; ++i) {
          const double share = std::exp(static_cast<double>(x.data[off + line.at(i)])) / sum;
          is_near(result.data[off + line.at(i)], expected(share, g.data[off + line.at(i)] - dot / sum));
        }
      });
    });
  };
  check("softmax", {view(x)}, out, [](double share, double) { return share; });
  check("softmaxGrad", {view(g), view(out)}, gx, [](double share, double apart) { return share * apart; });
}

void cumsum_is_right(size_t outer, size_t n, size_t inner, bool reverse) {
  const auto size = [](size_t v) { return static_cast<int64_t>(v); };
  Floats x = Floats::random({size(outer), size(n), size(inner)}, 2), out(x.shape);
  under_every_schedule(cuda::scan, "cumsum", {x.view()}, {&out}, {1, reverse ? 1.0 : 0.0}, [&] {
    each_line(outer, n, inner, [&](const Line& line) {
      double sum = 0;
      for (size_t i = 0; i < n; ++i) {
        const size_t at = line.at(reverse ? n - 1 - i : i);
        is_near(out.data[at], sum += x.data[at]);
      }
    });
  });
}

/** Sums and variances of [outer, n, inner] over the middle. */
void folds_are_right(size_t outer, size_t n, size_t inner) {
  const auto size = [](size_t v) { return static_cast<int64_t>(v); };
  Floats x = Floats::random({size(outer), size(n), size(inner)}, 3), out({size(outer), size(inner)});
  const auto check = [&](bool variance) {
    size_t o = 0;
    each_line(outer, n, inner, [&](const Line& line) {
      double sum = 0, squares = 0;
      for (size_t i = 0; i < n; ++i) sum += x.data[line.at(i)];
      for (size_t i = 0; i < n; ++i) squares += std::pow(x.data[line.at(i)] - sum / static_cast<double>(n), 2);
      is_near(out.data[o++], variance ? squares / static_cast<double>(n - 1) : sum);
    });
  };
  under_every_schedule(cuda::reduce, "sum", {x.view()}, {&out}, {2}, [&] { check(false); });
  under_every_schedule(cuda::statistics, "variance", {x.view()}, {&out}, {2, 1}, [&] { check(true); });
}

/** A normalisation's parts in float64: of lines of [lines, n], or of the channels of [items, channels, plane]. */
struct Normal {
  std::vector<double> y;
  double mean, root;
};
Normal normal_of(const Floats& x, const std::vector<size_t>& set) {
  double sum = 0, squares = 0;
  const double n = static_cast<double>(set.size());
  for (const size_t i : set) sum += x.data[i];
  for (const size_t i : set) squares += std::pow(x.data[i] - sum / n, 2);
  Normal out{{}, sum / n, 1 / std::sqrt(squares / n + 1e-5)};
  for (const size_t i : set) out.y.push_back((x.data[i] - out.mean) * out.root);
  return out;
}

void layer_norm_is_right(size_t lines, size_t n) {
  const std::vector<int64_t> shape = {static_cast<int64_t>(lines), static_cast<int64_t>(n)}, one = {shape[0], 1};
  Floats x = Floats::random(shape, 4), weight = Floats::random({shape[1]}, 5), bias = Floats::random({shape[1]}, 6);
  Floats out(shape), mean(one), variance(one), g = Floats::random(shape, 7), gx(shape), gw({shape[1]}), gb({shape[1]});
  const std::vector<double> attrs = {static_cast<double>(n), 1e-5};
  const auto normal = [&](size_t l) {
    std::vector<size_t> set(n);
    for (size_t i = 0; i < n; ++i) set[i] = l * n + i;
    return normal_of(x, set);
  };
  under_every_schedule(cuda::norm, "layerNorm", {x.view(), weight.view(), bias.view()}, {&out, &mean, &variance}, attrs,
                       [&] {
                         for (size_t l = 0; l < lines; ++l) {
                           const Normal part = normal(l);
                           for (size_t i = 0; i < n; ++i)
                             is_near(out.data[l * n + i], part.y[i] * weight.data[i] + bias.data[i]);
                         }
                       });
  const std::vector<View> in = {g.view(), x.view(), weight.view(), mean.view(), variance.view()};
  under_every_schedule(cuda::norm, "layerNormGrad", in, {&gx, &gw, &gb}, attrs, [&] {
    std::vector<double> of_weight(n), of_bias(n);
    for (size_t l = 0; l < lines; ++l) {
      const Normal part = normal(l);
      double mean_h = 0, mean_hy = 0;
      for (size_t i = 0; i < n; ++i) {
        const double up = g.data[l * n + i], h = up * weight.data[i];
        mean_h += h / static_cast<double>(n), mean_hy += h * part.y[i] / static_cast<double>(n);
        of_weight[i] += up * part.y[i], of_bias[i] += up;
      }
      for (size_t i = 0; i < n; ++i) {
        const double h = static_cast<double>(g.data[l * n + i]) * weight.data[i];
        is_near(gx.data[l * n + i], (h - mean_h - part.y[i] * mean_hy) * part.root);
      }
    }
    for (size_t i = 0; i < n; ++i) is_near(gw.data[i], of_weight[i]), is_near(gb.data[i], of_bias[i]);
  });
}

/** batchNormAdd with a relu, and its gradient, of [items, channels, plane]; channels are neighbours where `last`. */
void batch_norm_is_right(size_t items, size_t channels, size_t plane, bool last = false) {
  const auto size = [](size_t v) { return static_cast<int64_t>(v); };
  const std::vector<int64_t> shape = {size(items), size(channels), size(plane)}, one = {1, size(channels), 1};
  const auto view = [&](Floats& of) {
    View v = of.view();
    if (last) v.strides[1] = 1, v.strides[2] = size(channels);
    return v;
  };
  Floats x = Floats::random(shape, 8), weight = Floats::random({size(channels)}, 9);
  Floats bias = Floats::random({size(channels)}, 10), past = Floats::random(shape, 11), g = Floats::random(shape, 12);
  Floats out(shape), mean(one), variance(one), gx(shape), gw(bias.shape), gb(bias.shape), gr(shape);
  const auto each_channel = [&](const auto& f) {
    for (size_t k = 0; k < channels; ++k) {
      std::vector<size_t> set;
      for (size_t i = 0; i < items * plane; ++i)
        set.push_back(last ? i * channels + k : (i / plane * channels + k) * plane + i % plane);
      f(k, set, normal_of(x, set));
    }
  };
  const auto before = [&](size_t k, size_t at, double y) { return y * weight.data[k] + bias.data[k] + past.data[at]; };
  const std::vector<double> attrs = {1e-5, 1};
  under_every_schedule(cuda::norm, "batchNormAdd", {view(x), weight.view(), bias.view(), view(past)},
                       {view(out), mean.view(), variance.view()}, attrs, [&] {
                         each_channel([&](size_t k, const std::vector<size_t>& set, const Normal& part) {
                           for (size_t i = 0; i < set.size(); ++i)
                             is_near(out.data[set[i]], std::fmax(0, before(k, set[i], part.y[i])));
                         });
                       });
  const std::vector<View> in = {view(g), view(x), weight.view(), bias.view(), mean.view(), variance.view(), view(past)};
  under_every_schedule(cuda::norm, "batchNormAddGrad", in, {view(gx), gw.view(), gb.view(), view(gr)}, attrs, [&] {
    each_channel([&](size_t k, const std::vector<size_t>& set, const Normal& part) {
      double sum = 0, dot = 0;
      std::vector<double> up(set.size());
      for (size_t i = 0; i < set.size(); ++i) {
        up[i] = before(k, set[i], part.y[i]) > 0 ? g.data[set[i]] : 0;
        sum += up[i], dot += up[i] * part.y[i];
      }
      const double n = static_cast<double>(set.size());
      for (size_t i = 0; i < set.size(); ++i) {
        is_near(gr.data[set[i]], up[i]);
        is_near(gx.data[set[i]], (up[i] - sum / n - part.y[i] * dot / n) * weight.data[k] * part.root);
      }
      is_near(gw.data[k], dot), is_near(gb.data[k], sum);
    });
  });
}

}  // namespace

TEST(cuda_folds_every_schedule) {
  folds_are_right(3, 1100, 1);   // a block an output
  folds_are_right(1, 9001, 1);   // in parts
  folds_are_right(37, 33, 1);    // a warp an output
  folds_are_right(2, 41, 70);    // columns
  folds_are_right(1, 1500, 33);  // columns in parts
}

TEST(cuda_lines_every_schedule) {
  softmax_is_right(37, 45, 1);  // eight threads a line
  softmax_is_right(11, 61, 1, 3);
  softmax_is_right(11, 250, 1);  // a warp
  softmax_is_right(3, 1020, 1);
  softmax_is_right(2, 1500, 1, 1);  // a block
  softmax_is_right(1, 9001, 1, 2);  // twice through
  softmax_is_right(2, 70, 45);      // columns
  softmax_is_right(1, 300, 3);
}

TEST(cuda_scans_every_schedule) {
  for (const bool reverse : {false, true}) {
    cumsum_is_right(2, 2601, 1, reverse);
    cumsum_is_right(1, 40001, 1, reverse);  // in pieces
    cumsum_is_right(9, 131, 1, reverse);    // a warp a line
    cumsum_is_right(1, 150, 3, reverse);
    cumsum_is_right(2, 20, 33, reverse);  // a thread a line
    cumsum_is_right(5, 3, 1, reverse);
  }
}

TEST(cuda_norms_every_schedule) {
  layer_norm_is_right(19, 70);
  layer_norm_is_right(5, 772);
  layer_norm_is_right(3, 1100);
  layer_norm_is_right(1, 8203);  // not held in registers
  batch_norm_is_right(3, 5, 31);
  batch_norm_is_right(2, 3, 601);
  batch_norm_is_right(3, 2, 5001);       // channels in parts
  batch_norm_is_right(1, 2, 9000);       // the same by vectors
  batch_norm_is_right(75, 5, 1);         // channels that are neighbours
  batch_norm_is_right(4, 36, 40, true);  // the same by vectors, in parts
}

TEST(cuda_losses_every_schedule) {
  Floats x = Floats::random({1300}, 13), target = Floats::random({1300}, 14), out({1});
  under_every_schedule(cuda::value_loss, "mseLoss", {x.view(), target.view()}, {&out}, {1300}, [&] {
    double sum = 0;
    for (size_t i = 0; i < 1300; ++i) sum += std::pow(static_cast<double>(x.data[i]) - target.data[i], 2);
    is_near(out.data[0], sum / 1300);
  });
  Floats scores = Floats::random({300, 41}, 15), weight({1}, 1), total({1});
  Array<int32_t> labels({300});
  Array<double> logs({300});
  for (size_t i = 0; i < 300; ++i) labels.data[i] = static_cast<int32_t>(i * 7 % 41);
  View one = weight.view();
  one.ndim = 0;
  simulator::each_schedule([&] {
    const View in[3] = {scores.view(), labels.view(), one}, to[3] = {out.view(), logs.view(), total.view()};
    const double attrs[3] = {1, -100, 0};  // the mean, the label that is ignored, no smoothing
    out.data[0] = NAN;
    CudaContext context;
    cuda::run_first(cuda_kernels(cuda::loss, "crossEntropy"), Call{in, to, attrs, 3, 3, 3, &context});
    context.synchronize();
    double loss = 0;
    for (size_t i = 0; i < 300; ++i) {
      double sum = 0;
      for (size_t k = 0; k < 41; ++k) sum += std::exp(static_cast<double>(scores.data[i * 41 + k]));
      loss += std::log(sum) - scores.data[i * 41 + static_cast<size_t>(labels.data[i])];
    }
    is_near(out.data[0], loss / 300);
  });
}

TEST(cuda_norm_of_many_tensors_every_schedule) {
  Floats a = Floats::random({9000}, 16), b = Floats::random({17}, 17), out({1});
  under_every_schedule(cuda::clip, "totalNorm", {a.view(), b.view()}, {&out}, {2}, [&] {
    double sum = 0;
    for (const float v : a.data) sum += static_cast<double>(v) * v;
    for (const float v : b.data) sum += static_cast<double>(v) * v;
    is_near(out.data[0], std::sqrt(sum));
  });
}

TEST(cuda_convolution_every_schedule) {
  Floats x = Floats::random({2, 4, 7, 9}, 18), w = Floats::random({6, 2, 3, 3}, 19), bias = Floats::random({6}, 20);
  Floats past = Floats::random({2, 6, 4, 9}, 21), out(past.shape);
  // Stride 2 by rows, padding 1, two groups; then relu, a bias and a residual, and no packed weight.
  const std::vector<double> attrs = {2, 1, 1, 1, 1, 1, 2, 1, 0, 1, 1};
  under_every_schedule(cuda::conv, "conv2dFused", {x.view(), w.view(), bias.view(), past.view()}, {&out}, attrs, [&] {
    for (int n = 0; n < 2; ++n)
      for (int o = 0; o < 6; ++o)
        for (int y = 0; y < 4; ++y)
          for (int z = 0; z < 9; ++z) {
            const size_t at = static_cast<size_t>(((n * 6 + o) * 4 + y) * 9 + z);
            double sum = bias.data[static_cast<size_t>(o)] + past.data[at];
            for (int c = 0; c < 2; ++c)
              for (int r = 0; r < 3; ++r)
                for (int s = 0; s < 3; ++s) {
                  const int row = y * 2 + r - 1, column = z + s - 1;
                  if (row < 0 || row >= 7 || column < 0 || column >= 9) continue;
                  sum += static_cast<double>(
                             x.data[static_cast<size_t>(((n * 4 + o / 3 * 2 + c) * 7 + row) * 9 + column)]) *
                         w.data[static_cast<size_t>(((o * 2 + c) * 3 + r) * 3 + s)];
                }
            is_near(out.data[at], std::fmax(0, sum));
          }
  });
}
