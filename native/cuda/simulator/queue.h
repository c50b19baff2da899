// What a simulated runtime does whatever compiled its kernels: streams whose work is done when somebody waits for it,
// memory, and the checks of a launch.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "cuda/simulator/executor.h"

namespace athanor {
namespace simulator {

struct Stream;
struct Event;
void enqueue(Stream* stream, std::function<void()> work);
/** Whether a GPU would take the launch; else the thread's last error says why not. */
bool admit(Stream* stream, const void* kernel, Dim3 grid, Dim3 block, size_t shared);

/** The shared memory that launches of a kernel may ask for on the thread's device; 0: as much as all may. */
size_t granted_shared(const void* kernel);
/** False: more than there is. */
bool grant_shared(const void* kernel, int bytes);

/** Beginning and end of what kernels may use, on all devices and of the host, in order. */
std::vector<std::pair<uintptr_t, uintptr_t>> usable_memory();

}  // namespace simulator
}  // namespace athanor
