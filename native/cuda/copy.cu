// copy: any layout into any layout, casting on the way; fill: one value everywhere; place: a tensor laid into a filled
// one; concat: tensors side by side. Each element is read and written once, no FLOP: bound by bandwidth. Dense copies
// of one dtype go to the driver; the rest are elementwise kernels.
#include "cpu/stored.h"
#include "cuda/elementwise.h"
#include "cuda/families.h"
#include "math/cast.h"

namespace athanor {
namespace cuda {
namespace {

template <class To, class From>
struct CastMap : UnaryMap<From, To> {
  template <int V>
  __device__ __forceinline__ To apply(const One<From, V>& in, int v) const {
    return m::Cast<To, From>::of(in.x.at[v]);
  }
};

void copy_cast(const Call& c) {
  const bool known = with_stored(c.in[0].dtype, [&](auto from) {
    using From = typename decltype(from)::type;
    const bool out_known =
        with_stored(c.out[0].dtype, [&](auto to) { run_elementwise(c, CastMap<typename decltype(to)::type, From>{}); });
    if (!out_known) refuse_dtype(c, c.out[0].dtype);
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

bool same_contiguous(const Call& c) {
  if (c.in[0].dtype != c.out[0].dtype || numel(c.in[0]) != numel(c.out[0])) return false;
  return is_contiguous(c.in[0]) && is_contiguous(c.out[0]) && !c.in[0].literal;
}

void copy_bytes(const Call& c) {
  const size_t bytes = static_cast<size_t>(numel(c.out[0])) * item_size(c.out[0].dtype);
  if (bytes == 0 || c.out[0].data == c.in[0].data) return;
  DeviceContext& ctx = context_of(c);
  const cudaError_t error =
      cudaMemcpyAsync(c.out[0].data, c.in[0].data, bytes, cudaMemcpyDeviceToDevice, stream_of(ctx));
  if (error != cudaSuccess) ctx.fail(&ctx, "the copy could not be started: %s", explain(error));
}

/** Copies a view of any layout into another of the same dtype. */
void copy_strided(const Call& c, const View& to, const View& from) {
  Call copy = c;
  copy.in = &from;
  copy.out = &to;
  copy.n_in = copy.n_out = 1;
  copy_cast(copy);
}

// A fill is a copy of one number that the call carries.
void fill_with(const Call& c, double value) {
  with_stored(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T number = m::Cast<T, double>::of(value);
    View one = c.out[0];
    one.data = &number;
    one.ndim = 0;
    one.literal = true;
    copy_strided(c, c.out[0], one);
  });
}

// attrs: value
void fill_flat(const Call& c) { fill_with(c, c.attrs[0]); }

// attrs: value, then for each dimension of x the start and the step of its place in out
void place_strided(const Call& c) {
  fill_with(c, c.attrs[0]);
  if (numel(c.in[0]) == 0) return;
  View window = c.in[0];
  char* first = c.out[0].as<char>();
  for (int d = 0; d < window.ndim; ++d) {
    const int64_t start = static_cast<int64_t>(c.attrs[1 + 2 * d]), step = static_cast<int64_t>(c.attrs[2 + 2 * d]);
    first += start * c.out[0].strides[d] * static_cast<int64_t>(item_size(window.dtype));
    window.strides[d] = step * c.out[0].strides[d];
  }
  window.data = first;
  copy_strided(c, window, c.in[0]);
}

// attrs: the axis along which the inputs lie side by side
void concat_pieces(const Call& c) {
  const View& out = c.out[0];
  const int axis = static_cast<int>(c.attrs[0]);
  int64_t at = 0;
  for (int k = 0; k < c.n_in; ++k) {
    View place = out;
    place.shape[axis] = c.in[k].shape[axis];
    place.data = out.as<char>() + at * out.strides[axis] * static_cast<int64_t>(item_size(out.dtype));
    copy_strided(c, place, c.in[k]);
    at += c.in[k].shape[axis];
  }
}

const Kernel kernels_fill[] = {{"elementwise", nullptr, fill_flat}};
const Kernel kernels_place[] = {{"elementwise", nullptr, place_strided}};
const Kernel kernels_concat[] = {{"pieces", nullptr, concat_pieces}};
const Kernel kernels_copy[] = {{"bytes", same_contiguous, copy_bytes}, {"elementwise", nullptr, copy_cast}};

}  // namespace

const OpKernels copy[] = {ATHANOR_OP(copy, kernels_copy),
                          ATHANOR_OP(fill, kernels_fill),
                          ATHANOR_OP(place, kernels_place),
                          ATHANOR_OP(concat, kernels_concat),
                          {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
