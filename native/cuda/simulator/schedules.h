#pragma once
#include "cuda/simulator/executor.h"

namespace athanor {
namespace simulator {

/** Calls f under every schedule, with copies that land early and late. */
template <class F>
void each_schedule(const F& f) {
  const Options before = options();
  for (int s = 0; s < kSchedules; ++s)
    for (const Landing landing : {Landing::issue, Landing::wait}) {
      options() = {static_cast<Schedule>(s), landing, before.seed + static_cast<uint64_t>(s)};
      f();
    }
  options() = before;
}

}  // namespace simulator
}  // namespace athanor
