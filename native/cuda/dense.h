// Elements in row-major order without gaps, for kernels that would gain nothing from reading any layout.
#pragma once
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/locate.h"

namespace athanor {
namespace cuda {

/** f with an unsigned type of this size: what only moves is not computed with. */
template <class F>
bool with_item(size_t size, const F& f) {
  switch (size) {
    case 1: f(Tag<uint8_t>{}); return true;
    case 2: f(Tag<uint16_t>{}); return true;
    case 4: f(Tag<uint32_t>{}); return true;
    case 8: f(Tag<uint64_t>{}); return true;
    default: return false;
  }
}

template <class W>
struct CopyEach {
  const W* x;
  Locator from;
  W* out;
  Locator to;
  __device__ W value(uint32_t i) const { return x[from.at(i)]; }
  __device__ void put(uint32_t i, W value) const { out[to.at(i)] = value; }
};

/** Copies a view into another of the same shape and dtype, in any layouts. */
inline void copy_each(const Call& c, const View& to, const View& from) {
  with_item(item_size(to.dtype), [&](auto tag) {
    using W = typename decltype(tag)::type;
    for_each_value(c, numel(to), CopyEach<W>{from.as<const W>(), Locator(from), to.as<W>(), Locator(to)});
  });
}

/** The same shape without gaps, in scratch memory that nothing was written to. */
inline View dense_like(const Call& c, const View& v) {
  View dense = v;
  int64_t step = 1;
  for (int d = v.ndim - 1; d >= 0; --d) {
    dense.strides[d] = step;
    step *= v.shape[d];
  }
  dense.data = c.ctx->scratch(c.ctx, static_cast<size_t>(step > 0 ? step : 1) * item_size(v.dtype));
  return dense;
}

/** The view itself where it is dense, else a copy. */
inline View dense_view(const Call& c, const View& v) {
  if (is_contiguous(v)) return v;
  const View dense = dense_like(c, v);
  copy_each(c, dense, v);
  return dense;
}

/** Where a kernel that writes densely puts an output: the output's own memory, or a copy that store() lays into it. */
struct DenseOutput {
  const View& out;
  View dense;
  /** `here`: in its own memory, whatever its layout is. */
  DenseOutput(const Call& c, const View& v, bool here = false)
      : out(v), dense(here || is_contiguous(v) ? v : dense_like(c, v)) {}
  void store(const Call& c) const {
    if (dense.data != out.data) copy_each(c, out, dense);
  }
};

/** Zeros, in the packed form of a weight: for kernels that read weights where they lie, and make nothing of it. */
inline void leave_empty(const Call& c) {
  DeviceContext& ctx = context_of(c);
  const size_t bytes = static_cast<size_t>(numel(c.out[0])) * item_size(c.out[0].dtype);
  if (bytes == 0) return;
  const cudaError_t error = cudaMemsetAsync(c.out[0].data, 0, bytes, stream_of(ctx));
  if (error != cudaSuccess) ctx.fail(&ctx, "memory could not be cleared: %s", explain(error));
}

}  // namespace cuda
}  // namespace athanor
