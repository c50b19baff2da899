// conv2d, its transpose (the gradient of its input) and the gradient of its weight, for images [N, C, H, W] and weights
// [O, C / groups, kh, kw]; attrs: stride, padding before the first row and column, and dilation, each by rows and by
// columns, then groups. What is padded behind the last row follows from the output's size. conv_correlate.h and
// conv_weight_gradient.h say how work is split and what bounds it.
#include "cpu/bfloat16.h"
#include "cpu/conv_channels.h"
#include "cpu/conv_correlate.h"
#include "cpu/conv_depthwise.h"
#include "cpu/conv_geometry.h"
#include "cpu/conv_joint.h"
#include "cpu/conv_product.h"
#include "cpu/conv_weight_channels.h"
#include "cpu/conv_weight_gradient.h"
#include "cpu/conv_weight_whole.h"
#include "cpu/dense.h"
#include "cpu/dtypes.h"
#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

template <class T>
Source<T> source_of(const View& v) {
  return {v.as<const T>(), v.strides[0], v.strides[1], v.strides[2], v.strides[3], v.shape[2], v.shape[3]};
}

// conv2dFused has attributes that conv2d lacks: whether relu comes last, and which of these inputs follow x and weight:
// the packed weight, a bias, a residual that is added before relu.
enum Fused { ends_with_relu = 7, has_packed, has_bias, has_residual };
bool is(const Call& c, Fused what) { return c.n_attrs > has_residual && c.attrs[what] != 0; }
const View* packed_of(const Call& c) { return is(c, has_packed) ? &c.in[2] : nullptr; }
const View* residual_of(const Call& c) { return is(c, has_residual) ? &c.in[c.n_in - 1] : nullptr; }

template <class T>
const T* bias_of(const Call& c) {
  const bool there = c.n_attrs > has_residual ? is(c, has_bias) : c.n_in > 2;
  return there ? dense_vector<T>(c.ctx, c.in[is(c, has_packed) ? 3 : 2]) : nullptr;
}

/** Whether the residual lies as the output does: then the kernel by channels adds it where it writes the sums. */
bool finishes_itself(const Call& c) {
  const View* const residual = residual_of(c);
  for (int d = 0; residual != nullptr && d < 4; ++d)
    if (residual->strides[d] != c.out[0].strides[d] && residual->shape[d] != 1) return false;
  return true;
}

/** The residual and relu in a pass of their own. */
template <class T>
void finish_planes(const Call& c) {
  const View& out = c.out[0];
  const View* const residual = residual_of(c);
  const int64_t rows = out.shape[2], columns = out.shape[3];
  const auto start = [&](const View& v, int64_t row) {
    const int64_t plane = row / rows;
    return v.as<T>() + plane / v.shape[1] * v.strides[0] + plane % v.shape[1] * v.strides[1] +
           row % rows * v.strides[2];
  };
  parallel_for(c.ctx, out.shape[0] * out.shape[1] * rows, ceil_div(kGrain, max_of<int64_t>(1, columns)),
               [&](int64_t from, int64_t to) {
                 for (int64_t i = from; i < to; ++i)
                   finish_neighbours<T>(start(out, i), out.strides[3],
                                        residual == nullptr ? nullptr : start(*residual, i),
                                        residual == nullptr ? 0 : residual->strides[3], columns, is(c, ends_with_relu));
               });
}
ATHANOR_FLOAT_KERNEL(finish_apart, finish_planes<T>(c))

bool lies_dense(const View& w) {
  return (w.shape[3] == 1 || w.strides[3] == 1) && (w.shape[2] == 1 || w.strides[2] == w.shape[3]) &&
         (w.shape[1] == 1 || w.strides[1] == w.shape[2] * w.shape[3]);
}

template <class T>
void run_conv2d(const Call& c) {
  const Geometry geometry(c);
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  const TapList list = forward_taps(c.ctx, geometry, w.shape[2], w.shape[3], w.strides[2], w.strides[3]);
  Correlation<T> p;
  p.images = x.shape[0];
  p.groups = geometry.groups;
  p.m = w.shape[0] / p.groups;
  p.channels = w.shape[1];
  p.source = source_of<T>(x);
  p.grid = {out.shape[2], out.shape[3], geometry.stride[0], geometry.stride[1]};
  p.taps = list.taps();
  p.weights = {w.as<const T>(), p.m * w.strides[0], w.strides[0], w.strides[1], list.weight, lies_dense(w)};
  p.target = {out.as<T>(), out.strides[0], out.strides[1], out.strides[2], out.strides[3]};
  p.bias = bias_of<T>(c);
  correlate(c.ctx, p);
}

template <class T>
void run_conv_transpose2d(const Call& c) {
  const Geometry geometry(c);
  const View &x = c.in[0], &w = c.in[1], &out = c.out[0];
  if (numel(out) == 0) return;
  const PhasedTaps taps = transposed_phases(c.ctx, geometry, w, out).taps(c.ctx);
  Correlation<T> p;
  p.images = x.shape[0];
  p.groups = geometry.groups;
  p.m = w.shape[1];
  p.channels = w.shape[0] / p.groups;
  p.source = source_of<T>(x);
  p.bias = bias_of<T>(c);
  p.weights = {w.as<const T>(), p.channels * w.strides[0], w.strides[1], w.strides[0], taps.weight, false};
  p.target = {out.as<T>(), out.strides[0], out.strides[1], out.strides[2], out.strides[3]};
  if (correlate_jointly(c.ctx, p, taps, out.shape[2], out.shape[3])) return;
  for (int64_t a = 0; a < taps.phases_y; ++a) {
    for (int64_t b = 0; b < taps.phases_x; ++b) {
      const int64_t phase = a * taps.phases_x + b, first = taps.first[phase];
      p.taps = {taps.first[phase + 1] - first, taps.dy + first, taps.dx + first};
      p.weights.tap = taps.weight + first;
      p.grid = {ceil_div(out.shape[2] - a, taps.phases_y), ceil_div(out.shape[3] - b, taps.phases_x), 1, 1};
      p.target = {out.as<T>() + a * out.strides[2] + b * out.strides[3], out.strides[0], out.strides[1],
                  taps.phases_y * out.strides[2], taps.phases_x * out.strides[3]};
      correlate(c.ctx, p);
    }
  }
}

/** Taps of a weight that lie together: 0 where they do not. */
int64_t tap_run(const View& w) {
  const bool together = (w.shape[3] == 1 || w.strides[3] == 1) && (w.shape[2] == 1 || w.strides[2] == w.shape[3]);
  return together ? w.shape[2] * w.shape[3] : 0;
}

template <class T>
FinishedRows<T> finished_rows(const View& out) {
  return {out.as<T>(), out.strides[0], out.strides[1], out.strides[2], out.strides[3], out.shape[2], out.shape[3]};
}

/** Columns of a row when the pixels of a plane are cut into rows anew: long rows of full tiles. */
int64_t row_of_pixels(int64_t pixels) {
  int64_t best = 1;
  for (int64_t row = 1; row <= 256 && row <= pixels; ++row)
    if (pixels % row == 0) best = row;
  return best >= 16 ? best : pixels;
}

/** A convolution that meets each pixel alone sees planes as one run of pixels: rows may begin anywhere. */
template <class T>
void join_rows(ChannelCorrelation<T>& p) {
  const auto dense = [](int64_t h, int64_t w, int64_t columns) { return w == 1 && h == columns; };
  if (p.taps.count != 1 || p.taps.dy[0] != 0 || p.taps.dx[0] != 0 || p.grid.step_y != 1 || p.grid.step_x != 1) return;
  if (p.taps.phases_y * p.taps.phases_x != 1 || p.grid.columns != p.source.width || p.grid.rows != p.source.height)
    return;
  if (!dense(p.source.h, p.source.w, p.grid.columns) || !dense(p.target.y, p.target.x, p.grid.columns)) return;
  const int64_t pixels = p.grid.rows * p.grid.columns, row = row_of_pixels(pixels);
  p.grid.rows = p.source.height = p.target.rows = pixels / row;
  p.grid.columns = p.source.width = p.target.columns = p.source.h = p.target.y = row;
}

/** Runs a convolution whose taps and grid are known; `transposed`: the weight's first axis is that of the input. */
template <class T, class Run>
void correlate_channels(const Call& c, int64_t groups, const PhaseList& list, const Grid& grid, bool transposed) {
  const View &x = c.in[0], &w = c.in[1];
  const int from = transposed ? 0 : 1, to = 1 - from;  // axes of the weight: channels that are read, and made
  ChannelCorrelation<T> p;
  p.images = x.shape[0];
  p.groups = groups;
  p.m = transposed ? w.shape[1] : w.shape[0] / groups;
  p.channels = transposed ? w.shape[0] / groups : w.shape[1];
  p.source = source_of<T>(x);
  p.grid = grid;
  skip_unread(p.source, p.grid, list.count, list.dy, list.dx);
  p.taps = list.taps(c.ctx);
  p.weights = {w.as<const T>(), w.shape[0] / groups * w.strides[0], w.strides[to], w.strides[from], tap_run(w)};
  p.target = finished_rows<T>(c.out[0]);
  p.bias = bias_of<T>(c);
  p.packed = nullptr;
  p.vectors = 0;
  if (const View* const packed = packed_of(c)) {
    p.vectors = PackedLine::vectors_of<T>(*packed, groups, p.m, p.channels, p.taps.count);
    if (p.vectors > 0) p.packed = packed->as<T>() + PackedLine::size;
  }
  if (finishes_itself(c)) {
    p.target.residual = residual_of(c) == nullptr ? nullptr : residual_of(c)->as<const T>();
    p.target.relu = is(c, ends_with_relu);
  }
  join_rows(p);
  Run(c.ctx, p).run();
}

/** Weights for later calls: panels of a plan that depends on their sizes and the columns of an output row. */
template <class T>
void pack_ahead(const Call& c) {
  const Geometry geometry(c);
  const View &w = c.in[0], &out = c.out[0];
  const int64_t groups = geometry.groups, m = w.shape[0] / groups, channels = w.shape[1];
  const int64_t taps = w.shape[2] * w.shape[3], columns = static_cast<int64_t>(c.attrs[7]);
  for (int64_t i = 0; i < numel(out); ++i) out.as<T>()[i] = T(0);  // what panels do not fill is zeros too
  if (numel(w) == 0) return;
  const PhaseList list = forward_phases(c.ctx, geometry, w);
  const PanelPlan<T> plan(m, channels, taps, columns, 0);
  if (PackedLine::size + groups * plan.panels * plan.panel * channels * taps > numel(out))
    return c.ctx->fail(c.ctx, "there is too little room for the panels");
  const TapWeights<T> weights = {w.as<const T>(), m * w.strides[0], w.strides[0], w.strides[1], tap_run(w)};
  PackedPanels<T> panels(c.ctx, weights, list.taps(c.ctx), plan.panel, m, channels, groups);
  PackedLine{plan.vectors, groups, m, channels, taps}.write(out.as<T>());
  panels.use(out.as<T>() + PackedLine::size);
  panels.pack_all(c.ctx, plan.blocks);
}

template <class T, class Run>
void conv2d_phases(const Call& c) {
  const Geometry geometry(c);
  const View &w = c.in[1], &out = c.out[0];
  const PhaseList list = forward_phases(c.ctx, geometry, w);
  const Grid grid = {out.shape[2], out.shape[3], geometry.stride[0], geometry.stride[1]};
  correlate_channels<T, Run>(c, geometry.groups, list, grid, false);
}

/** As run_conv_transpose2d, but all grids together: they read the same planes. */
template <class T, class Run>
void conv_transpose2d_phases(const Call& c) {
  const Geometry geometry(c);
  const View &w = c.in[1], &out = c.out[0];
  const PhaseList list = transposed_phases(c.ctx, geometry, w, out);
  if (list.empty()) return run_conv_transpose2d<T>(c);  // a small x and much padding: no tap meets the output
  const Grid grid = {ceil_div(out.shape[2], list.phases_y), ceil_div(out.shape[3], list.phases_x), 1, 1};
  correlate_channels<T, Run>(c, geometry.groups, list, grid, true);
}

template <class T, class Run>
void run_weight_gradient(const Call& c) {
  const Geometry geometry(c);
  const View &x = c.in[0], &out = c.out[0];
  if (numel(out) == 0) return;
  const View g = dense_planes<T>(c.ctx, c.in[1]);
  WeightGradient<T> p;
  p.images = x.shape[0];
  p.groups = geometry.groups;
  p.m = out.shape[0] / p.groups;
  p.channels = out.shape[1];
  p.source = source_of<T>(x);
  p.grid = {g.shape[2], g.shape[3], geometry.stride[0], geometry.stride[1]};
  const TapList list = forward_taps(c.ctx, geometry, out.shape[2], out.shape[3], 0, 0);
  skip_unread(p.source, p.grid, list.count, list.dy, list.dx);
  p.taps = list.taps();
  p.g = g.as<const T>();
  p.g_n = g.strides[0];
  p.g_m = g.strides[1];
  const bool direct = is_contiguous(out);
  p.out = direct ? out.as<T>() : scratch_array<T>(c.ctx, numel(out));
  Run(c.ctx, p).run();
  if (direct) return;
  const T* from = p.out;
  for (int64_t o = 0; o < out.shape[0]; ++o)
    for (int64_t i = 0; i < out.shape[1]; ++i)
      for (int64_t r = 0; r < out.shape[2]; ++r)
        for (int64_t s = 0; s < out.shape[3]; ++s)
          out.as<T>()[o * out.strides[0] + i * out.strides[1] + r * out.strides[2] + s * out.strides[3]] = *from++;
}

/** Whether the kernels with channels along vectors can: stretches of a tile are few, offsets have 32 bits. */
bool fits_channels(const Call& c, const View& x, const View& w, const View& y, int64_t channels, int64_t images = 1,
                   ExtentOf extent = Extent::forward) {
  if (x.dtype == DType::bf16 || numel(x) == 0 || numel(w) == 0 || numel(y) == 0) return false;
  const Geometry geometry(c);
  return w.shape[3] <= RowTiles<float>::max_stretches &&
         offsets_fit(images, channels, extent(geometry, 0, x, w, y), extent(geometry, 1, x, w, y));
}
bool conv2d_fits(const Call& c) { return fits_channels(c, c.in[0], c.in[1], c.out[0], c.in[1].shape[1]); }
bool transpose_fits(const Call& c) {
  const View& w = c.in[1];
  return fits_channels(c, c.in[0], w, c.out[0], w.shape[0] / Geometry(c).groups, 1, Extent::transposed);
}
bool weight_fits(const Call& c, int64_t images) {
  return fits_channels(c, c.in[0], c.out[0], c.in[1], c.out[0].shape[1], images);
}
/** Whether every channel sees itself alone. */
bool is_depthwise(const Call& c, const View& w) { return w.shape[0] == Geometry(c).groups && w.shape[1] == 1; }
bool conv2d_is_depthwise(const Call& c) { return is_depthwise(c, c.in[1]) && conv2d_fits(c); }
bool transpose_is_depthwise(const Call& c) { return is_depthwise(c, c.in[1]) && transpose_fits(c); }
bool weight_is_depthwise(const Call& c) { return is_depthwise(c, c.out[0]) && weight_fits(c, 1); }
/** Output channels that fill more than one vector: with fewer, it is better to have pixels along the vectors. */
bool fills_vectors(const View& out, int64_t m) { return m * (out.dtype == DType::f64 ? 8 : 4) > kVectorBytes; }
bool conv2d_fits_channels(const Call& c) {
  const View& w = c.in[1];
  return fills_vectors(w, w.shape[0] / Geometry(c).groups) && conv2d_fits(c);
}
bool transpose_fits_channels(const Call& c) {
  const View& w = c.in[1];
  const bool strided = c.attrs[0] * c.attrs[1] > 1;  // pixels of the output are not neighbours: half a vector is enough
  return fills_vectors(w, w.shape[1] * (strided ? 2 : 1)) && transpose_fits(c);
}
bool weight_fits_channels(const Call& c) {
  const View &g = c.in[1], &w = c.out[0];
  if (numel(g) == 0 || !fills_vectors(w, w.shape[0] / Geometry(c).groups)) return false;
  return weight_fits(c, max_of<int64_t>(1, WeightGradientByChannels<float>::points / (g.shape[2] * g.shape[3])));
}
/** Whether all of g and of the image, turned, take less memory than is kept near, for sums that are short enough. */
bool weight_fits_whole(const Call& c) {
  const View &x = c.in[0], &g = c.in[1], &w = c.out[0];
  const int64_t depth = g.shape[0] * g.shape[2] * g.shape[3];
  if (!weight_fits_channels(c) || w.shape[1] <= 16 || depth > WeightGradientWhole<float>::longest_sum) return false;
  return 2 * (numel(x) + numel(g)) <= 3 * Blocking<float>::shared && weight_fits(c, x.shape[0]);
}

/** A convolution and what follows it, in its own last pass or in one behind it. */
template <void (*Run)(const Call&), bool finishes>
void run_fused(const Call& c) {
  Run(c);
  const bool done = finishes ? finishes_itself(c) : residual_of(c) == nullptr && !is(c, ends_with_relu);
  if (!done) finish_apart(c);
}

ATHANOR_FLOAT_KERNEL(k_pack_ahead, pack_ahead<T>(c))
ATHANOR_FLOAT_KERNEL(k_conv2d_channels, (conv2d_phases<T, ChannelCorrelator<T>>(c)))
ATHANOR_FLOAT_KERNEL(k_conv2d_depthwise, (conv2d_phases<T, DepthwiseCorrelator<T>>(c)))
ATHANOR_FLOAT_KERNEL(k_transpose_depthwise, (conv_transpose2d_phases<T, DepthwiseCorrelator<T>>(c)))
ATHANOR_FLOAT_KERNEL(k_weight_depthwise, (run_weight_gradient<T, DepthwiseWeightGradient<T>>(c)))
ATHANOR_FLOAT_KERNEL(k_conv2d_rows, run_conv2d<T>(c))
ATHANOR_FLOAT_KERNEL(k_transpose_channels, (conv_transpose2d_phases<T, ChannelCorrelator<T>>(c)))
ATHANOR_FLOAT_KERNEL(k_transpose_rows, run_conv_transpose2d<T>(c))
ATHANOR_FLOAT_KERNEL(k_weight_channels, run_weight_gradient<T, WeightGradientByChannels<T>>(c))
ATHANOR_FLOAT_KERNEL(k_weight_whole, run_weight_gradient<T, WeightGradientWhole<T>>(c))
ATHANOR_FLOAT_KERNEL(k_weight_dots, run_weight_gradient<T, WeightGradientRun<T>>(c))

bool is_bf16(const Call& c) { return c.in[0].dtype == DType::bf16; }
bool is_float(const Call& c) { return !is_bf16(c); }

/** bfloat16: both factors are widened, and the first kernel of the list that takes float32 goes on. */
template <const Kernel* List, int Others>
void run_widened(const Call& given) {
  View* const in = scratch_array<View>(given.ctx, given.n_in);
  for (int i = 0; i < given.n_in; ++i)
    in[i] = given.in[i].dtype == DType::bf16 ? widened(given, given.in[i]) : given.in[i];
  Call wide = given;
  wide.in = in;
  for (int k = 0; k < Others; ++k)
    if (List[k].fits(wide)) return List[k].run(wide);
}

extern const Kernel kernels_conv2d[5];
const Kernel kernels_conv2d[5] = {{"depthwise", conv2d_is_depthwise, k_conv2d_depthwise},
                                  {"product", conv2d_is_product, conv2d_product},
                                  {"channels", conv2d_fits_channels, k_conv2d_channels},
                                  {"rows", is_float, k_conv2d_rows},
                                  {"widened", nullptr, run_widened<kernels_conv2d, 4>}};
extern const Kernel kernels_fused[4];
const Kernel kernels_fused[4] = {{"depthwise", conv2d_is_depthwise, run_fused<k_conv2d_depthwise, false>},
                                 {"channels", conv2d_fits_channels, run_fused<k_conv2d_channels, true>},
                                 {"rows", is_float, run_fused<k_conv2d_rows, false>},
                                 {"widened", nullptr, run_widened<kernels_fused, 3>}};
const Kernel kernels_pack[] = {{"panels", nullptr, k_pack_ahead}};
extern const Kernel kernels_transpose[5];
const Kernel kernels_transpose[5] = {{"depthwise", transpose_is_depthwise, k_transpose_depthwise},
                                     {"product", conv2d_is_product, transpose_product},
                                     {"channels", transpose_fits_channels, k_transpose_channels},
                                     {"rows", is_float, k_transpose_rows},
                                     {"widened", nullptr, run_widened<kernels_transpose, 4>}};
extern const Kernel kernels_weight_gradient[6];
const Kernel kernels_weight_gradient[6] = {{"depthwise", weight_is_depthwise, k_weight_depthwise},
                                           {"product", weight_is_product, weight_product},
                                           {"whole", weight_fits_whole, k_weight_whole},
                                           {"channels", weight_fits_channels, k_weight_channels},
                                           {"dots", is_float, k_weight_dots},
                                           {"widened", nullptr, run_widened<kernels_weight_gradient, 5>}};

}  // namespace

const OpKernels conv[] = {ATHANOR_OP(conv2d, kernels_conv2d),
                          ATHANOR_OP(conv2dFused, kernels_fused),
                          ATHANOR_OP(conv2dPack, kernels_pack),
                          ATHANOR_OP(convTranspose2d, kernels_transpose),
                          ATHANOR_OP(conv2dWeightGradient, kernels_weight_gradient),
                          {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
