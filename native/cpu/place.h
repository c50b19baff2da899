// How a message names an element: `[1, 0, 3]`.
#pragma once
#include <stdio.h>

#include "core/view.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The index of the element that is number `flat` of a shape in row-major order, as text. */
struct Place {
  char text[kMaxDims * 22 + 3];

  Place(const View& shape, int64_t flat) {
    int64_t index[kMaxDims];
    for (int d = shape.ndim - 1; d >= 0; --d) {
      index[d] = flat % shape.shape[d];
      flat /= shape.shape[d];
    }
    int length = 0;
    text[length++] = '[';
    for (int d = 0; d < shape.ndim; ++d)
      length += snprintf(text + length, 24, d ? ", %lld" : "%lld", static_cast<long long>(index[d]));
    text[length] = ']';
    text[length + 1] = '\0';
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
