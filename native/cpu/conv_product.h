// Convolutions of 1x1 kernels without stride and padding, as the matrix products that they are: a plane of pixels is a
// row of a matrix, and the kernels of matmul run on the image as it lies. Pixels lie along the vectors, so nothing is
// turned: 64 channels of 56 x 56 to 256 take 223 us, and 296 made by channels. Bound as matmul is.
#pragma once
#include "cpu/families.h"
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** Planes without gaps between their pixels. */
ATHANOR_ALWAYS_INLINE bool has_dense_planes(const View& v) {
  return (v.shape[3] == 1 || v.strides[3] == 1) && (v.shape[2] == 1 || v.strides[2] == v.shape[3]);
}

/** Matrices of `rows` by `columns`, one for each image and group. */
ATHANOR_ALWAYS_INLINE View matrices(const View& of, int64_t images, int64_t groups, int64_t rows, int64_t columns) {
  View v = of;
  const int64_t shape[] = {images, groups, rows, columns};
  for (int d = 0; d < 4; ++d) v.shape[d] = shape[d];
  return v;
}
/** Images as [image, group, channel, pixel]. */
ATHANOR_ALWAYS_INLINE View planes_as_rows(const View& of, int64_t groups) {
  View v = matrices(of, of.shape[0], groups, of.shape[1] / groups, of.shape[2] * of.shape[3]);
  v.strides[1] = v.shape[2] * of.strides[1];
  v.strides[2] = of.strides[1];
  v.strides[3] = 1;
  return v;
}
/** A weight [M, C / groups, 1, 1] as [1, group, M / groups, C / groups]. */
ATHANOR_ALWAYS_INLINE View weight_as_rows(const View& of, int64_t groups) {
  View v = matrices(of, 1, groups, of.shape[0] / groups, of.shape[1]);
  v.strides[0] = 0;
  v.strides[1] = v.shape[2] * of.strides[0];
  v.strides[2] = of.strides[0];
  v.strides[3] = of.strides[1];
  return v;
}
ATHANOR_ALWAYS_INLINE View transposed(const View& of) {
  View v = of;
  for (int d = 2; d < 4; ++d) {
    v.shape[d] = of.shape[5 - d];
    v.strides[d] = of.strides[5 - d];
  }
  return v;
}

/** out = a b by the first kernel of matmul that fits. */
ATHANOR_ALWAYS_INLINE void multiply_matrices(const Call& c, const View& a, const View& b, const View& out) {
  const View in[] = {a, b};
  View to[] = {out};
  Call product = c;
  product.in = in;
  product.n_in = 2;
  product.out = to;
  product.n_attrs = 0;
  const OpKernels& list = matmul[0];
  for (int k = 0; k < list.count; ++k)
    if (list.kernels[k].fits == nullptr || list.kernels[k].fits(product)) return list.kernels[k].run(product);
}

/** Whether the attributes (conv.cc) and sizes of a convolution from x to out are those of a product of some size. */
ATHANOR_ALWAYS_INLINE bool is_product(const Call& c, const View& x, const View& w, const View& out) {
  // With fewer channels or pixels a matrix does not fill the tiles of a product.
  constexpr int64_t least_channels = 16, least_pixels = 48;
  const int64_t groups = static_cast<int64_t>(c.attrs[6]), pixels = x.shape[2] * x.shape[3];
  if (x.dtype == DType::bf16 || w.shape[2] * w.shape[3] != 1 || c.attrs[0] * c.attrs[1] != 1) return false;
  if (c.attrs[2] != 0 || c.attrs[3] != 0 || x.shape[2] != out.shape[2] || x.shape[3] != out.shape[3]) return false;
  // Of many images each reads the whole weight again, in strips as narrow as an image is small.
  constexpr int64_t least_of_many = 512;
  if (x.shape[0] > 1 && pixels < least_of_many) return false;
  if (w.shape[0] < groups * least_channels || w.shape[1] < least_channels || pixels < least_pixels) return false;
  return numel(x) > 0 && has_dense_planes(x) && has_dense_planes(out);
}

ATHANOR_ALWAYS_INLINE bool conv2d_is_product(const Call& c) {
  return c.n_in == 2 && is_product(c, c.in[0], c.in[1], c.out[0]);
}
/** One image: the sum over several is no product of these matrices. */
ATHANOR_ALWAYS_INLINE bool weight_is_product(const Call& c) {
  return c.in[0].shape[0] == 1 && is_product(c, c.in[0], c.out[0], c.in[1]);
}

ATHANOR_ALWAYS_INLINE void conv2d_product(const Call& c) {
  const int64_t groups = static_cast<int64_t>(c.attrs[6]);
  multiply_matrices(c, weight_as_rows(c.in[1], groups), planes_as_rows(c.in[0], groups),
                    planes_as_rows(c.out[0], groups));
}
ATHANOR_ALWAYS_INLINE void transpose_product(const Call& c) {
  const int64_t groups = static_cast<int64_t>(c.attrs[6]);
  multiply_matrices(c, transposed(weight_as_rows(c.in[1], groups)), planes_as_rows(c.in[0], groups),
                    planes_as_rows(c.out[0], groups));
}
ATHANOR_ALWAYS_INLINE void weight_product(const Call& c) {
  const int64_t groups = static_cast<int64_t>(c.attrs[6]);
  multiply_matrices(c, planes_as_rows(c.in[1], groups), transposed(planes_as_rows(c.in[0], groups)),
                    weight_as_rows(c.out[0], groups));
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
