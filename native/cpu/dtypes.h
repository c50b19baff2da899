// From a runtime dtype to a C++ type.
#pragma once
#include "core/view.h"

namespace athanor {
namespace ATHANOR_ISA {

/** A type as a value, for generic lambdas: `with_numbers(t, [&](auto tag) { using T = typename decltype(tag)::type; ...
 * })`. */
template <class T>
struct Tag {
  using type = T;
};

// bool is stored as one byte, 0 or 1: C++'s own bool has that layout and gives !=0 conversions for free.
template <class F>
ATHANOR_HOST_INLINE bool with_floats(DType t, const F& f) {
  switch (t) {
    case DType::f32: f(Tag<float>{}); return true;
    case DType::f64: f(Tag<double>{}); return true;
    default: return false;
  }
}
template <class F>
ATHANOR_HOST_INLINE bool with_numbers(DType t, const F& f) {
  switch (t) {
    case DType::i32: f(Tag<int32_t>{}); return true;
    case DType::u8: f(Tag<uint8_t>{}); return true;
    default: return with_floats(t, f);
  }
}
template <class F>
ATHANOR_HOST_INLINE bool with_all(DType t, const F& f) {
  if (t == DType::b8) {
    f(Tag<bool>{});
    return true;
  }
  return with_numbers(t, f);
}
template <class F>
ATHANOR_HOST_INLINE bool with_bools(DType t, const F& f) {
  if (t == DType::b8) f(Tag<bool>{});
  return t == DType::b8;
}

/** What a kernel says when it is handed a dtype that lib/ should have cast or refused. */
ATHANOR_HOST_INLINE void refuse_dtype(const Call& c, DType t) { c.ctx->fail(c.ctx, "no kernel for %s", dtype_name(t)); }

/** A kernel `name` over both float types: the call that follows sees the first input's as T, and the Call as c. */
#define ATHANOR_FLOAT_KERNEL(name, ...)             \
  void name(const Call& c) {                        \
    if (!with_floats(c.in[0].dtype, [&](auto tag) { \
          using T = typename decltype(tag)::type;   \
          __VA_ARGS__;                              \
        }))                                         \
      refuse_dtype(c, c.in[0].dtype);               \
  }

}  // namespace ATHANOR_ISA
}  // namespace athanor
