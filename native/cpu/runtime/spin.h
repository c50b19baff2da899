// Waiting without the kernel.
#pragma once
#include <thread>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace athanor {

inline void cpu_relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/** One turn of a wait that is expected to end soon but must not starve the thread it waits for on a busy machine. */
inline void spin_pause(int turn) {
  if (turn < 100)
    cpu_relax();
  else
    std::this_thread::yield();
}

}  // namespace athanor
