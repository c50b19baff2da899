// Runs CUDA kernels on the processor: one fiber a thread, one block at a time. It checks what can be checked without a
// GPU, that the text computes the right numbers whatever order its threads run in; it says nothing about rounding of
// tensor cores, memory ordering between proxies, or speed.
//
// Which thread runs next is chosen by a schedule, and only a barrier or a warp's collective makes one wait, so a
// missing barrier shows under at least one of them: a thread far ahead reads what others have not written yet, one far
// behind reads what was overwritten. Shared memory starts as NaN in every block.
#pragma once
#include <cstddef>
#include <cstdint>

namespace athanor {
namespace simulator {

enum class Schedule {
  forward,    // the lowest thread that can run: the first warp is ahead of all others as far as it can be
  last_warp,  // the last warp is
  reverse,    // the highest thread that can run
  shuffled,   // any
  lockstep,   // all in turn
};
constexpr int kSchedules = 5;
const char* schedule_name(Schedule schedule);

/** When a cp.async lands: as early, or as late, as is allowed. */
enum class Landing { issue, wait };

struct Options {
  Schedule schedule = Schedule::forward;
  Landing landing = Landing::issue;
  uint64_t seed = 1;
};
/** Of all launches from now on. At first what ATHANOR_SIMULATED_SCHEDULE (a schedule's number) and
 *  ATHANOR_SIMULATED_LANDING (wait) say. */
Options& options();

struct Dim3 {
  unsigned x, y, z;
  constexpr Dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
/** Of the thread that runs. */
extern Dim3 thread_index, block_index, block_size, grid_size;

/** Runs body(closure) as every thread of a grid. Throws std::runtime_error when threads wait for each other in vain, or
 * for different barriers. */
void run_grid(Dim3 grid, Dim3 block, size_t dynamic_shared, void (*body)(const void*), const void* closure);

// ---- what device code calls; each is a point where other threads may run
/** The barrier of a block; `line` tells barriers apart. */
void sync_threads(int line);
/** All lanes of `mask` meet; the last one runs combine(in, out) over the arguments of all 32 lanes (null: not in it).
 */
void meet(unsigned mask, const void* in, void* out, void (*combine)(const void* const* in, void* const* out));
/** The block's own shared memory: the same for all of its threads. */
void* shared_memory(size_t bytes);
/** The part of it whose size the launch decides. */
void* dynamic_shared_memory();
/** A copy that lands now or when it is waited for; `filled` bytes of `from`, the rest zeros. */
void copy_async(void* to, const void* from, int bytes, int filled);
void commit_copies();
/** Throws, as a GPU faults, when an access of so many bytes is not aligned to them. */
void check_aligned(const void* at, size_t bytes);
/** Waits until at most `pending` of the thread's groups have not landed. */
void wait_copies(int pending);
int lane();

}  // namespace simulator
}  // namespace athanor
