// What executes: a warp of 32 lanes with their registers, and the block that it belongs to.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "cuda/ptx_executor/program.h"
#include "cuda/ptx_executor/races.h"
#include "cuda/simulator/executor.h"

namespace athanor {
namespace ptx {

/** Memory that a kernel may use: what the device's program or its host allocated, by address. */
struct Range {
  uint64_t begin, end;
};

struct Block {
  const Program* program = nullptr;
  simulator::Dim3 index, size, grid;
  const char* parameters = nullptr;
  std::vector<char> shared;                    // static variables first, then what the launch added
  std::vector<Marks> marks;                    // of each word of it
  uint32_t time = 0;                           // one more with each block and each barrier
  const std::vector<Range>* memory = nullptr;  // sorted
};

struct AsyncCopy {
  char* to;
  const char* from;
  int bytes, filled;
};

struct Warp {
  Block* block = nullptr;
  int index = 0;
  std::vector<Word> registers;  // [register][lane]
  std::vector<char> local;      // [lane][byte]
  uint32_t present = 0;         // lanes that there are
  uint32_t alive = 0;           // and have not ended
  uint32_t runnable = 0, at_barrier = 0, meeting = 0;
  int place[kLanes];             // of each lane: the instruction that it is at
  uint32_t moment[kLanes] = {};  // of each lane: one more with each bar.warp.sync
  uint32_t carry = 0;            // the condition code of add.cc and the like, a bit a lane
  std::vector<AsyncCopy> open[kLanes];
  std::deque<std::vector<AsyncCopy>> groups[kLanes];
  Range recent{0, 0};  // the global memory that was used last
  const Instruction* current = nullptr;

  /** Begins the warp anew, for another block. */
  void reset(Block& block, int index);
  /** Runs lanes until none can go on, or for about so many instructions. */
  void run(long instructions, bool one_lane_at_a_time, bool last_first);
  /** Lets lanes go on that meet others which have ended meanwhile; whether there were any. */
  bool settle_meetings();
  /** Ends a barrier at which all lanes wait. */
  void pass_barrier();

  const Word* source(int32_t at) const {
    return at >= 0 ? &registers[static_cast<size_t>(at) * kLanes]
                   : &block->program->constants[static_cast<size_t>(~at) * kLanes];
  }
  Word* target(int32_t at) { return &registers[static_cast<size_t>(at) * kLanes]; }

  /** Where an address of a space lies in this process; throws where the lane may not go there. */
  char* resolve(Space space, uint64_t address, size_t bytes, int lane);
  bool in_shared(const char* at) const {
    return at >= block->shared.data() && at < block->shared.data() + block->shared.size();
  }

 private:
  char* global(uint64_t address, size_t bytes, int lane);
  void step_meeting(const Instruction& at, uint32_t lanes, int place_);
  bool complete(const Instruction& at, uint32_t lanes, uint32_t* members) const;
  void finish_meeting(const Instruction& at, uint32_t lanes);
  uint32_t guarded(const Instruction& at, uint32_t lanes) const;
};

/** Does what a copy is for. */
void land(const AsyncCopy& copy);

/** Calls f(lane) for the lanes of a mask; all of them is the usual case, and a loop that compilers vectorize. */
template <class F>
inline void each_lane(uint32_t lanes, const F& f) {
  if (lanes == kAllLanes) {
    for (int l = 0; l < kLanes; ++l) f(l);
  } else {
    for (; lanes != 0; lanes &= lanes - 1) f(__builtin_ctz(lanes));
  }
}

/** Runs a grid. Throws std::runtime_error with the kernel, the line and the thread where one of them does something
 *  wrong. */
void run_grid(const Program& program, simulator::Dim3 grid, simulator::Dim3 block, size_t dynamic_shared,
              const char* parameters, const std::vector<Range>& memory);

}  // namespace ptx
}  // namespace athanor
