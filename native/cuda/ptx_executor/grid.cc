// Blocks of a grid one after another, their warps in the order of a schedule.
#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "cuda/ptx_executor/warp.h"

#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif

namespace athanor {
namespace ptx {
namespace {

using simulator::Schedule;

constexpr long kAtOnce = 1L << 40;  // a warp runs until it waits
constexpr long kInTurn = 7;         // or, in turns, for a few instructions

std::string readable(const std::string& name) {
#if __has_include(<cxxabi.h>)
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (status == 0 && text != nullptr) {
    const std::string out = text;
    std::free(text);
    return out;
  }
#endif
  return name;
}

std::string three(unsigned x, unsigned y, unsigned z) {
  return "(" + std::to_string(x) + ", " + std::to_string(y) + ", " + std::to_string(z) + ")";
}

[[noreturn]] void tell(const Block& block, const Warp& warp, const Fault& fault) {
  const Program& program = *block.program;
  const unsigned thread = static_cast<unsigned>(warp.index * kLanes + fault.lane), rest = thread / block.size.x;
  // The name comes last: it is long, and who tells it may cut it off.
  std::string where = " in ";
  if (warp.current != nullptr) {
    const auto i = static_cast<size_t>(warp.current - program.code.data());
    where = " at line " + std::to_string(warp.current->line) + " of the PTX (" + program.lines[i] + ") of ";
  }
  throw std::runtime_error(std::string(fault.what()) + ": block " + three(block.index.x, block.index.y, block.index.z) +
                           ", thread " + three(thread % block.size.x, rest % block.size.y, rest / block.size.y) +
                           where + readable(program.name));
}

struct Grid {
  Block block;
  std::vector<Warp> warps;
  uint64_t random = 1;

  uint64_t next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  }

  /** The warp to run next, or null. */
  Warp* pick(size_t* turn) {
    const size_t n = warps.size();
    size_t start = 0;
    bool down = false;
    switch (simulator::options().schedule) {
      case Schedule::forward: break;
      case Schedule::last_warp: start = n - 1; break;
      case Schedule::reverse: start = n - 1, down = true; break;
      case Schedule::shuffled: start = next_random() % n; break;
      case Schedule::lockstep: start = ++*turn % n; break;
    }
    for (size_t i = 0; i < n; ++i) {
      Warp& warp = warps[(start + (down ? n - i : i)) % n];
      if (warp.runnable != 0) return &warp;
    }
    return nullptr;
  }

  void run_block() {
    ++block.time;
    block.shared.assign(block.shared.size(), static_cast<char>(0xff));
    for (size_t i = 0; i < warps.size(); ++i) warps[i].reset(block, static_cast<int>(i));
    const Schedule schedule = simulator::options().schedule;
    const bool apart = schedule == Schedule::reverse || schedule == Schedule::shuffled;
    size_t turn = 0;
    for (;;) {
      Warp* current = pick(&turn);
      try {
        if (current != nullptr) {
          current->run(schedule == Schedule::lockstep ? kInTurn : kAtOnce, apart,
                       schedule == Schedule::reverse || (apart && next_random() % 2));
          continue;
        }
        bool settled = false, waiting = false, meeting = false;
        Warp* one = nullptr;
        for (Warp& warp : warps) {
          current = &warp;
          settled = settled || (warp.meeting != 0 && warp.settle_meetings());
          waiting = waiting || warp.at_barrier != 0;
          if (warp.meeting != 0) meeting = true, one = &warp;
        }
        if (settled) continue;
        if (meeting) {
          current = one;
          const int lane = __builtin_ctz(one->meeting);
          one->current = &block.program->code[static_cast<size_t>(one->place[lane])];
          throw Fault(lane, "threads wait in vain: lanes at a collective, for others of their mask that do not come");
        }
        if (!waiting) return;
        for (Warp& warp : warps) {
          current = &warp;
          warp.pass_barrier();
        }
        ++block.time;
      } catch (const Fault& fault) {
        tell(block, *current, fault);
      }
    }
  }
};

}  // namespace

void run_grid(const Program& program, simulator::Dim3 size, simulator::Dim3 block, size_t dynamic_shared,
              const char* parameters, const std::vector<Range>& memory) {
  static std::mutex one_at_a_time;
  std::lock_guard<std::mutex> lock(one_at_a_time);
  static Grid* const grid = new Grid;  // keeps its memory from launch to launch
  grid->random = simulator::options().seed * 0x9E3779B97F4A7C15u + 1;
  Block& b = grid->block;
  b.program = &program;
  b.size = block;
  b.grid = size;
  b.parameters = parameters;
  b.memory = &memory;
  b.shared.resize(program.shared_bytes + dynamic_shared);
  b.marks.resize(std::max(b.marks.size(), (b.shared.size() + 3) / 4));
  grid->warps.resize((block.x * block.y * block.z + kLanes - 1) / kLanes);
  for (unsigned z = 0; z < size.z; ++z)
    for (unsigned y = 0; y < size.y; ++y)
      for (unsigned x = 0; x < size.x; ++x) {
        b.index = simulator::Dim3(x, y, z);
        grid->run_block();
      }
}

}  // namespace ptx
}  // namespace athanor
