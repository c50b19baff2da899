#include "cuda/simulator/executor.h"

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace athanor {
namespace simulator {

Dim3 thread_index, block_index, block_size, grid_size;

const char* schedule_name(Schedule schedule) {
  static const char* const names[kSchedules] = {"forward", "last warp ahead", "reverse", "shuffled", "lockstep"};
  return names[static_cast<int>(schedule)];
}

Options& options() {
  static Options instance = [] {
    Options out;
    if (const char* number = std::getenv("ATHANOR_SIMULATED_SCHEDULE"))
      out.schedule = static_cast<Schedule>(std::strtoul(number, nullptr, 10) % kSchedules);
    const char* landing = std::getenv("ATHANOR_SIMULATED_LANDING");
    if (landing != nullptr && std::strcmp(landing, "wait") == 0) out.landing = Landing::wait;
    return out;
  }();
  return instance;
}

namespace {

constexpr int kLanes = 32;
constexpr int kMaxThreads = 1024;
constexpr size_t kStack = 256 << 10;
constexpr size_t kStaticShared = 48 << 10;  // what a block may have without asking for more
constexpr size_t kDynamicShared = 227 << 10;

// ---- switching stacks. Where there is code for it, without the system calls of swapcontext(): a kernel of a few
// hundred threads that talk to each other switches a hundred thousand times.

#if defined(__x86_64__)
using Saved = void*;  // a stack pointer; what a function must preserve lies there
extern "C" void athanor_simulator_switch(Saved* from, Saved to);
asm(R"(
.text
.hidden athanor_simulator_switch
.globl athanor_simulator_switch
.type athanor_simulator_switch, @function
athanor_simulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size athanor_simulator_switch, . - athanor_simulator_switch
)");
void switch_stack(Saved* from, Saved* to) { athanor_simulator_switch(from, *to); }
void prepare_stack(Saved* saved, char* stack, size_t size, void (*entry)()) {
  auto top = reinterpret_cast<uintptr_t>(stack + size) & ~uintptr_t{15};
  auto* at = reinterpret_cast<void**>(top);
  *--at = nullptr;  // the entry's return address: it never returns
  *--at = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--at = nullptr;
  *saved = at;
}
#else
using Saved = ucontext_t;
void switch_stack(Saved* from, Saved* to) { swapcontext(from, to); }
void prepare_stack(Saved* saved, char* stack, size_t size, void (*entry)()) {
  getcontext(saved);
  saved->uc_stack.ss_sp = stack;
  saved->uc_stack.ss_size = size;
  saved->uc_link = nullptr;
  makecontext(saved, entry, 0);
}
#endif

struct Fiber {
  Saved context;
  std::unique_ptr<char[]> stack{new char[kStack]};
};

struct AsyncCopy {
  void* to;
  const void* from;
  int bytes, filled;
};
using CopyGroup = std::vector<AsyncCopy>;

enum class State { fresh, ready, at_barrier, in_warp, done };

struct Thread {
  State state;
  Fiber* fiber;
  int line;  // of the barrier it waits at
  std::deque<CopyGroup> groups;
  CopyGroup open;
};

struct Warp {
  unsigned arrived;
  const void* in[kLanes];
  void* out[kLanes];
};

/** The one block that runs. */
struct Block {
  int threads = 0, alive = 0, waiting = 0, current = -1;
  std::vector<Thread> all{kMaxThreads};
  Warp warps[kMaxThreads / kLanes];
  int order[kMaxThreads], rank[kMaxThreads];  // priorities and back
  uint64_t runnable[kMaxThreads / 64];        // bits by rank
  uint64_t random = 1;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Fiber*> free_fibers;
  Saved scheduler;
  void (*body)(const void*) = nullptr;
  const void* closure = nullptr;
  std::string failure;
  alignas(128) char static_shared[kStaticShared];
  alignas(128) char dynamic_shared[kDynamicShared];
  size_t static_bytes = 0, dynamic_bytes = 0;  // in use
};

Block& block() {
  static Block* instance = new Block;
  return *instance;
}

uint64_t next_random(Block& b) {
  b.random ^= b.random << 13;
  b.random ^= b.random >> 7;
  b.random ^= b.random << 17;
  return b.random;
}

void set_runnable(Block& b, int t, bool on) {
  const int r = b.rank[t];
  const uint64_t bit = uint64_t{1} << (r % 64);
  if (on)
    b.runnable[r / 64] |= bit;
  else
    b.runnable[r / 64] &= ~bit;
}

int first_from(const Block& b, int start) {
  const int words = (b.threads + 63) / 64;
  for (int w = start / 64; w < words; ++w) {
    uint64_t bits = b.runnable[w];
    if (w == start / 64) bits &= ~uint64_t{0} << (start % 64);
    if (bits != 0) return w * 64 + __builtin_ctzll(bits);
  }
  return -1;
}

/** The thread to run next, or -1. */
int pick(Block& b) {
  int r = -1;
  if (options().schedule == Schedule::shuffled)
    r = first_from(b, static_cast<int>(next_random(b) % static_cast<uint64_t>(b.threads)));
  else if (options().schedule == Schedule::lockstep && b.current >= 0 && b.rank[b.current] + 1 < b.threads)
    r = first_from(b, b.rank[b.current] + 1);
  if (r < 0) r = first_from(b, 0);
  return r < 0 ? -1 : b.order[r];
}

void set_order(Block& b) {
  const int n = b.threads;
  for (int i = 0; i < n; ++i) b.order[i] = i;
  switch (options().schedule) {
    case Schedule::reverse:
      for (int i = 0; i < n; ++i) b.order[i] = n - 1 - i;
      break;
    case Schedule::last_warp: {
      const int first = (n - 1) / kLanes * kLanes;
      for (int i = 0; i < n; ++i) b.order[i] = (i + first) % n;
      break;
    }
    default: break;
  }
  for (int i = 0; i < n; ++i) b.rank[b.order[i]] = i;
}

void place(Block& b, int t) {
  b.current = t;
  const unsigned x = static_cast<unsigned>(t) % block_size.x, rest = static_cast<unsigned>(t) / block_size.x;
  thread_index = Dim3(x, rest % block_size.y, rest / block_size.y);
}

void swap(Saved* from, Saved* to, const void* bottom, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, bottom, size);
  switch_stack(from, to);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
  static_cast<void>(bottom);
  static_cast<void>(size);
  switch_stack(from, to);
#endif
}

const void* scheduler_stack = nullptr;
size_t scheduler_stack_size = 0;

void yield(Block& b) {
  Thread& me = b.all[static_cast<size_t>(b.current)];
  swap(&me.fiber->context, &b.scheduler, scheduler_stack, scheduler_stack_size);
}

/** A fiber's life: threads from their beginning, one after another, until the next to run is one that waits elsewhere.
 */
void fiber_main() {
  Block& b = block();
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_size);
#endif
  for (;;) {
    const int t = b.current;
    Thread& me = b.all[static_cast<size_t>(t)];
    Fiber* const mine = me.fiber;
    try {
      b.body(b.closure);
    } catch (const std::exception& e) {
      b.failure = e.what();
    }
    me.state = State::done;
    me.fiber = nullptr;
    --b.alive;
    const int next = pick(b);
    if (next >= 0 && b.failure.empty() && b.all[static_cast<size_t>(next)].state == State::fresh) {
      set_runnable(b, next, false);
      b.all[static_cast<size_t>(next)].fiber = mine;
      place(b, next);
      continue;
    }
    b.free_fibers.push_back(mine);
    swap(&mine->context, &b.scheduler, scheduler_stack, scheduler_stack_size);  // and never comes back
  }
}

void resume(Block& b, int t) {
  Thread& thread = b.all[static_cast<size_t>(t)];
  set_runnable(b, t, false);
  place(b, t);
  if (thread.state == State::fresh) {
    if (b.free_fibers.empty()) {
      b.fibers.emplace_back(new Fiber);
      b.free_fibers.push_back(b.fibers.back().get());
    }
    thread.fiber = b.free_fibers.back();
    b.free_fibers.pop_back();
    prepare_stack(&thread.fiber->context, thread.fiber->stack.get(), kStack, fiber_main);
  }
  thread.state = State::ready;
  Fiber* fiber = thread.fiber;
  swap(&b.scheduler, &fiber->context, fiber->stack.get(), kStack);
}

void release_barrier(Block& b) {
  int line = -1;
  for (int t = 0; t < b.threads; ++t) {
    Thread& thread = b.all[static_cast<size_t>(t)];
    if (thread.state != State::at_barrier) continue;
    if (line < 0) line = thread.line;
    if (line != thread.line)
      b.failure =
          "threads wait at different barriers: lines " + std::to_string(line) + " and " + std::to_string(thread.line);
    thread.state = State::ready;
    set_runnable(b, t, true);
  }
  b.waiting = 0;
}

void run_block(Block& b) {
  b.static_bytes = 0;
  std::memset(b.dynamic_shared, 0xff, b.dynamic_bytes);
  std::memset(b.runnable, 0, sizeof b.runnable);
  std::memset(b.warps, 0, sizeof b.warps);
  b.alive = b.threads;
  b.waiting = 0;
  b.current = -1;
  for (int t = 0; t < b.threads; ++t) {
    Thread& thread = b.all[static_cast<size_t>(t)];
    thread.state = State::fresh;
    thread.fiber = nullptr;
    thread.groups.clear();
    thread.open.clear();
    set_runnable(b, t, true);
  }
  while (b.alive > 0) {
    const int t = pick(b);
    if (t >= 0) {
      resume(b, t);
    } else if (b.waiting == b.alive) {
      release_barrier(b);
    } else {
      b.failure = "threads wait in vain: " + std::to_string(b.waiting) + " of " + std::to_string(b.alive) +
                  " at a barrier, the others for lanes of their warps";
    }
    if (!b.failure.empty()) {
      b.fibers.clear();  // what is on them is abandoned
      b.free_fibers.clear();
      const std::string what = std::move(b.failure);
      b.failure.clear();
      throw std::runtime_error(what);
    }
  }
}

void land(const CopyGroup& group) {
  for (const AsyncCopy& copy : group) {
    std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.filled));
    std::memset(static_cast<char*>(copy.to) + copy.filled, 0, static_cast<size_t>(copy.bytes - copy.filled));
  }
}

}  // namespace

void run_grid(Dim3 grid, Dim3 size, size_t dynamic_shared, void (*body)(const void*), const void* closure) {
  static std::mutex one_at_a_time;
  std::lock_guard<std::mutex> lock(one_at_a_time);
  Block& b = block();
  b.threads = static_cast<int>(size.x * size.y * size.z);
  if (b.threads < 1 || b.threads > kMaxThreads) throw std::runtime_error("a block has 1 to 1024 threads");
  if (dynamic_shared > kDynamicShared) throw std::runtime_error("more shared memory than a block may have");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffffu)
    throw std::runtime_error("no such grid");
  b.random = options().seed * 0x9E3779B97F4A7C15u + 1;
  b.dynamic_bytes = dynamic_shared;
  b.body = body;
  b.closure = closure;
  grid_size = grid;
  block_size = size;
  set_order(b);
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        block_index = Dim3(x, y, z);
        run_block(b);
      }
}

int lane() { return block().current % kLanes; }

void sync_threads(int line) {
  Block& b = block();
  Thread& me = b.all[static_cast<size_t>(b.current)];
  me.state = State::at_barrier;
  me.line = line;
  ++b.waiting;
  yield(b);
}

void meet(unsigned mask, const void* in, void* out, void (*combine)(const void* const* in, void* const* out)) {
  Block& b = block();
  const int t = b.current, my_lane = t % kLanes, first = t - my_lane;
  Warp& warp = b.warps[t / kLanes];
  warp.in[my_lane] = in;
  warp.out[my_lane] = out;
  warp.arrived |= 1u << my_lane;
  if ((warp.arrived & mask) != mask) {
    b.all[static_cast<size_t>(t)].state = State::in_warp;
    yield(b);
    return;
  }
  const void* ins[kLanes] = {};
  void* outs[kLanes] = {};
  for (int l = 0; l < kLanes; ++l) {
    if ((mask >> l & 1u) == 0) continue;
    ins[l] = warp.in[l];
    outs[l] = warp.out[l];
  }
  if (combine != nullptr) combine(ins, outs);
  warp.arrived &= ~mask;
  for (int l = 0; l < kLanes; ++l) {
    if ((mask >> l & 1u) == 0 || l == my_lane) continue;
    b.all[static_cast<size_t>(first + l)].state = State::ready;
    set_runnable(b, first + l, true);
  }
}

void* shared_memory(size_t bytes) {
  if (bytes > kStaticShared) throw std::runtime_error("more shared memory than a block may have");
  Block& b = block();
  if (b.static_bytes < bytes) {  // the first thread that asks
    std::memset(b.static_shared + b.static_bytes, 0xff, bytes - b.static_bytes);
    b.static_bytes = bytes;
  }
  return b.static_shared;
}

void* dynamic_shared_memory() { return block().dynamic_shared; }

void check_aligned(const void* at, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(at) % bytes != 0)
    throw std::runtime_error("an access of " + std::to_string(bytes) + " bytes that is not aligned");
}

void copy_async(void* to, const void* from, int bytes, int filled) {
  check_aligned(to, static_cast<size_t>(bytes));
  check_aligned(from, static_cast<size_t>(bytes));
  Block& b = block();
  const AsyncCopy copy{to, from, bytes, filled};
  if (options().landing == Landing::issue)
    land({copy});
  else
    b.all[static_cast<size_t>(b.current)].open.push_back(copy);
}

void commit_copies() {
  Block& b = block();
  Thread& me = b.all[static_cast<size_t>(b.current)];
  me.groups.push_back(std::move(me.open));
  me.open.clear();
}

void wait_copies(int pending) {
  Block& b = block();
  Thread& me = b.all[static_cast<size_t>(b.current)];
  while (me.groups.size() > static_cast<size_t>(pending)) {
    land(me.groups.front());
    me.groups.pop_front();
  }
}

}  // namespace simulator
}  // namespace athanor
