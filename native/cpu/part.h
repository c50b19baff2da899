#pragma once
#include "cpu/parallel.h"

namespace athanor {
namespace ATHANOR_ISA {

/** [from, to): number i of `count` nearly equal parts of [0, size). */
struct Part {
  int64_t from, to;
  Part(int64_t size, int64_t count, int64_t i) : from(size * i / count), to(size * (i + 1) / count) {}
  Part(int64_t first, int64_t end) : from(first), to(end) {}
  int64_t size() const { return to - from; }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
