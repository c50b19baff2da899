// From the number of an element in row-major order to its place in memory, on the device.
#pragma once
#include "core/view.h"
#include "cuda/fast_divide.h"

namespace athanor {
namespace cuda {

/** The places of a view's elements; numbers below 2^31. Dimensions that lie one after another are merged. */
struct Locator {
  int ndim = 0;
  FastDivide sizes[kMaxDims];
  int64_t strides[kMaxDims];

  Locator() = default;
  explicit Locator(const View& v) {
    int64_t merged[kMaxDims];
    for (int d = 0; d < v.ndim; ++d) {
      if (v.shape[d] == 1) continue;
      if (ndim > 0 && strides[ndim - 1] == v.strides[d] * v.shape[d]) {
        merged[ndim - 1] *= v.shape[d];
        strides[ndim - 1] = v.strides[d];
        continue;
      }
      merged[ndim] = v.shape[d];
      strides[ndim++] = v.strides[d];
    }
    for (int d = 0; d < ndim; ++d) sizes[d] = FastDivide(static_cast<uint32_t>(merged[d] > 0 ? merged[d] : 1));
  }

  ATHANOR_INLINE_MEMBER int64_t at(uint32_t i) const {
    int64_t place = 0;
    for (int d = ndim - 1; d > 0; --d) {
      const uint32_t above = sizes[d].quotient(i);
      place += (i - above * sizes[d].divisor) * strides[d];
      i = above;
    }
    return ndim > 0 ? place + i * strides[0] : place;
  }
};

}  // namespace cuda
}  // namespace athanor
