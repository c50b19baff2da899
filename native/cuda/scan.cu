// cumsum: running sums along one axis. attrs: the axis, whether it runs from the end to the front.
// Lines that lie side by side are a thread's each, neighbours reading neighbours; others a warp's or, where they are
// long, a block's. Few long lines are cut into pieces, which are added up first, so that each piece knows what comes
// before it. 2 * item size bytes and about 2 FLOPs an element (cut: half as many bytes more): bound by bandwidth.
#include "cuda/scan.h"

#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/families.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int64_t kPiece = 16 * kLineThreads * kScanEach;  // elements of a piece at least

/** A thread a line. */
template <class T>
struct ScanColumn {
  ScanJob<T> job;
  __device__ void operator()(uint32_t line) const {
    int64_t at[2];
    job.walk.locate(line, at);
    T* out = job.out + at[0];
    const T* x = job.x + at[1];
    m::Sum<T> sum = 0;
#pragma unroll 4
    for (int64_t i = 0; i < job.walk.length; ++i) {
      sum += static_cast<m::Sum<T>>(x[i * job.walk.step[1]]);
      out[i * job.walk.step[0]] = static_cast<T>(sum);
    }
  }
};

template <class T>
void scan_along(const Call& c) {
  LineWalk<2> walk;
  if (!make_line_walk<2>(c, &walk)) return;
  T* out = c.out[0].as<T>();
  const T* x = c.in[0].as<const T>();
  if (c.attrs[1] != 0) {
    out += (walk.length - 1) * walk.step[0];
    x += (walk.length - 1) * walk.step[1];
    for (int64_t& step : walk.step) step = -step;
  }
  ScanJob<T> job{walk, walk.length, 1, nullptr, out, x};
  const int64_t lines = walk.lines, wanted = 4 * static_cast<int64_t>(context_of(c).multiprocessors);
  const bool side_by_side = walk.ndim > 0 && walk.strides[1][walk.ndim - 1] == 1 && walk.step[1] != 1;
  if ((side_by_side && (lines >= wanted * kWarp || walk.length < kWarp)) || walk.length <= kScanEach)
    return for_each_number(c, lines, ScanColumn<T>{job});
  const auto blocks = static_cast<unsigned>(lines);
  if (walk.length < kLongLine) {
    constexpr unsigned together = kLineThreads / kWarp;
    return launch(c, scan_lines<T, kWarp>, dim3((blocks + together - 1) / together), dim3(kLineThreads), 0, job);
  }
  const int64_t pieces = lines >= wanted ? 1 : min_of(ceil_div(wanted, lines), ceil_div(walk.length, kPiece));
  if (pieces > 1) {
    job.piece = ceil_div(walk.length, pieces);
    job.pieces = static_cast<uint32_t>(ceil_div(walk.length, job.piece));
    job.totals = scratch_array<m::Sum<T>>(c, lines * job.pieces);
    launch(c, sum_pieces<T>, dim3(blocks, job.pieces), dim3(kLineThreads), 0, job);
  }
  launch(c, scan_lines<T, kLineThreads>, dim3(blocks, job.pieces), dim3(kLineThreads), 0, job);
}

void run_cumsum(const Call& c) {
  const DType t = c.in[0].dtype;
  if (t == DType::i32) return scan_along<int32_t>(c);
  if (!with_floats(t, [&](auto tag) { scan_along<typename decltype(tag)::type>(c); })) refuse_dtype(c, t);
}

const Kernel kernels_cumsum[] = {{"lines", nullptr, run_cumsum}};

}  // namespace

const OpKernels scan[] = {ATHANOR_OP(cumsum, kernels_cumsum), {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
