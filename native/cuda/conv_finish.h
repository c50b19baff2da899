// What follows the sums of a convolution where they are stored: a bias, a residual, relu; each if there is one.
#pragma once
#include "cuda/runtime.h"

namespace athanor {
namespace cuda {

template <class T>
struct ConvFinish {
  const T *bias = nullptr, *residual = nullptr;
  int64_t bias_step = 0;
  int64_t steps[4] = {};  // of the residual, [N, C, H, W]
  bool relu = false;

  /**
   * Of conv2d and its transpose the third input is the bias. conv2dFused has more attributes: whether relu comes last,
   * and which inputs follow x and weight: the packed weight, a bias, a residual.
   */
  explicit ConvFinish(const Call& c) {
    constexpr int own = 7;
    const bool fused = c.n_attrs > own, packed = fused && c.attrs[own + 1] != 0;
    const int at = packed ? 3 : 2;
    if (fused ? c.attrs[own + 2] != 0 : c.n_in > 2) {
      bias = c.in[at].as<const T>();
      bias_step = c.in[at].strides[0];
    }
    if (!fused) return;
    relu = c.attrs[own] != 0;
    if (c.attrs[own + 3] == 0) return;
    const View& past = c.in[c.n_in - 1];
    residual = past.as<const T>();
    for (int d = 0; d < 4; ++d) steps[d] = past.strides[d];
  }

  __device__ __forceinline__ T operator()(T sum, int64_t n, int64_t channel, int64_t y, int64_t x) const {
    if (bias != nullptr) sum += bias[channel * bias_step];
    if (residual != nullptr) sum += residual[n * steps[0] + channel * steps[1] + y * steps[2] + x * steps[3]];
    return relu && sum < 0 ? T(0) : sum;
  }
};

}  // namespace cuda
}  // namespace athanor
