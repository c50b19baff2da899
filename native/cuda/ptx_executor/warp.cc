// Lanes of a warp run together while they are at the same instruction. Where they part, those that are furthest behind
// run first, so they meet again where the branches join; correctness does not depend on it, since a collective waits
// for all lanes that it names.
#include "cuda/ptx_executor/warp.h"

#include <algorithm>
#include <climits>
#include <cstdio>

namespace athanor {
namespace ptx {

void Warp::reset(Block& block_, int index_) {
  block = &block_;
  index = index_;
  const Program& program = *block_.program;
  registers.assign(static_cast<size_t>(program.registers) * kLanes, ~Word{0});
  local.assign(program.local_bytes * kLanes, static_cast<char>(0xff));
  const auto& size = block_.size;
  const unsigned threads = size.x * size.y * size.z, first = static_cast<unsigned>(index_) * kLanes;
  const unsigned count = std::min<unsigned>(kLanes, threads - first);
  present = count == kLanes ? kAllLanes : (1u << count) - 1;
  alive = runnable = present;
  at_barrier = meeting = carry = 0;
  recent = {0, 0};
  for (int l = 0; l < kLanes; ++l) {
    place[l] = program.entry;
    open[l].clear();
    groups[l].clear();
  }
  for (const auto& [at, special] : program.specials) {
    Word* out = target(at);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned thread = first + l, rest = thread / size.x;
      switch (special) {
        case Special::tid_x: out[l] = thread % size.x; break;
        case Special::tid_y: out[l] = rest % size.y; break;
        case Special::tid_z: out[l] = rest / size.y; break;
        case Special::ntid_x: out[l] = size.x; break;
        case Special::ntid_y: out[l] = size.y; break;
        case Special::ntid_z: out[l] = size.z; break;
        case Special::ctaid_x: out[l] = block_.index.x; break;
        case Special::ctaid_y: out[l] = block_.index.y; break;
        case Special::ctaid_z: out[l] = block_.index.z; break;
        case Special::nctaid_x: out[l] = block_.grid.x; break;
        case Special::nctaid_y: out[l] = block_.grid.y; break;
        case Special::nctaid_z: out[l] = block_.grid.z; break;
        case Special::lane: out[l] = l; break;
        case Special::warp: out[l] = static_cast<unsigned>(index_); break;
      }
    }
  }
}

uint32_t Warp::guarded(const Instruction& at, uint32_t lanes) const {
  if (at.guard < 0) return lanes;
  const Word* predicate = source(at.guard);
  uint32_t set = 0;
  for (int l = 0; l < kLanes; ++l) set |= static_cast<uint32_t>(predicate[l] & 1) << l;
  return lanes & (at.guard_negated ? ~set : set);
}

void Warp::run(long instructions, bool one_lane_at_a_time, bool last_first) {
  const Instruction* const code = block->program->code.data();
  while (runnable != 0 && instructions > 0) {
    uint32_t lanes = 0;
    int at = INT_MAX, limit = INT_MAX;
    if (one_lane_at_a_time) {
      const int lane = last_first ? 31 - __builtin_clz(runnable) : __builtin_ctz(runnable);
      lanes = 1u << lane;
      at = place[lane];
    } else {
      for (uint32_t rest = runnable; rest != 0; rest &= rest - 1) at = std::min(at, place[__builtin_ctz(rest)]);
      for (uint32_t rest = runnable; rest != 0; rest &= rest - 1) {
        const int l = __builtin_ctz(rest);
        if (place[l] == at)
          lanes |= 1u << l;
        else
          limit = std::min(limit, place[l]);
      }
    }
    const auto put = [&](uint32_t which, int where) { each_lane(which, [&](int l) { place[l] = where; }); };
    for (bool together = true; together && instructions > 0; --instructions) {
      const Instruction& i = code[at];
      current = &i;
      const uint32_t active = guarded(i, lanes);
      i.executed = i.executed || active != 0;
      switch (i.kind) {
        case Kind::plain:
          if (active != 0) i.run(*this, i, active);
          ++at;
          break;
        case Kind::branch:
          if (active == lanes) {
            at = i.target;
          } else if (active == 0) {
            ++at;
          } else {
            put(active, i.target);
            put(lanes & ~active, at + 1);
            together = false;
          }
          break;
        case Kind::call: {
          if (active != lanes) {
            put(active, at);
            put(lanes & ~active, at + 1);
            if (active == 0) {
              together = false;
              break;
            }
            lanes = active;  // the others are behind now, and found again below
          }
          i.run(*this, i, active);
          Word* back = target(i.at[0]);
          each_lane(active, [&](int l) { back[l] = static_cast<Word>(at + 1); });
          put(active, i.target);
          together = false;
          break;
        }
        case Kind::give_back: {
          const Word* back = source(i.at[0]);
          put(lanes, at + 1);
          each_lane(active, [&](int l) { place[l] = static_cast<int>(back[l]); });
          together = false;
          break;
        }
        case Kind::leave:
          put(lanes, at + 1);
          alive &= ~active;
          runnable &= ~active;
          together = false;
          break;
        case Kind::barrier:
          put(lanes, at + 1);
          put(active, at);
          at_barrier |= active;
          runnable &= ~active;
          together = false;
          break;
        case Kind::meet:
        case Kind::all_lanes:
          put(lanes, at + 1);
          put(active, at);
          together = false;
          {
            const uint32_t before = runnable;
            if (active != 0) step_meeting(i, active, at);
            if (runnable == before) {  // the usual case: nobody waited, and nobody was waited for
              ++at;
              together = true;
            }
          }
          break;
      }
      if (together && at >= limit) {
        put(lanes, at);
        together = false;
      } else if (together && instructions == 1) {
        put(lanes, at);
      }
    }
  }
}

/** Whether all are there whom the lanes at a collective wait for. */
bool Warp::complete(const Instruction& at, uint32_t lanes, uint32_t* members) const {
  if (at.kind == Kind::all_lanes) {
    *members = kAllLanes;
    if (alive != kAllLanes)
      throw Fault(__builtin_ctz(lanes),
                  "an instruction that all 32 lanes must execute, of which some have ended or never were");
    return lanes == kAllLanes;
  }
  const Word* mask = source(at.at[at.count - 1]);
  const int first = __builtin_ctz(lanes);
  *members = as<uint32_t>(mask[first]);
  return (*members & alive & ~lanes) == 0;
}

void Warp::step_meeting(const Instruction& at, uint32_t lanes, int where) {
  if (at.kind == Kind::meet) {
    const Word* mask = source(at.at[at.count - 1]);
    each_lane(lanes, [&](int l) {
      if ((as<uint32_t>(mask[l]) >> l & 1) == 0)
        throw Fault(l, "a collective whose mask does not name the lane that executes it");
    });
  }
  runnable &= ~lanes;
  meeting |= lanes;
  // Lanes may wait here with different masks: each group by itself.
  uint32_t rest = 0;
  each_lane(meeting, [&](int l) { rest |= place[l] == where ? 1u << l : 0; });
  while (rest != 0) {
    uint32_t group = rest;
    if (at.kind == Kind::meet) {
      const Word* mask = source(at.at[at.count - 1]);
      const uint32_t members = as<uint32_t>(mask[__builtin_ctz(rest)]);
      group = 0;
      each_lane(rest, [&](int l) { group |= as<uint32_t>(mask[l]) == members ? 1u << l : 0; });
    }
    rest &= ~group;
    uint32_t members = 0;
    if (complete(at, group, &members)) finish_meeting(at, group);
  }
}

void Warp::finish_meeting(const Instruction& at, uint32_t lanes) {
  current = &at;
  if (at.run != nullptr)
    at.run(*this, at, lanes);
  else
    each_lane(lanes, [&](int l) { ++moment[l]; });
  meeting &= ~lanes;
  runnable |= lanes;
  each_lane(lanes, [&](int l) { ++place[l]; });
}

bool Warp::settle_meetings() {
  const uint32_t before = meeting;
  for (uint32_t rest = before; rest != 0; rest &= rest - 1) {
    const int lane = __builtin_ctz(rest);
    if ((meeting >> lane & 1) == 0) continue;
    const Instruction& i = block->program->code[static_cast<size_t>(place[lane])];
    current = &i;
    step_meeting(i, 1u << lane, place[lane]);
  }
  return meeting != before;
}

void Warp::pass_barrier() {
  if (at_barrier == 0) return;
  const int first = __builtin_ctz(at_barrier);
  current = &block->program->code[static_cast<size_t>(place[first])];
  each_lane(at_barrier, [&](int l) {
    if (place[l] != place[first]) throw Fault(l, "lanes of a warp wait at different barriers");
  });
  runnable |= at_barrier;
  each_lane(at_barrier, [&](int l) { ++place[l]; });
  at_barrier = 0;
}

namespace {

std::string number(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

char* Warp::global(uint64_t address, size_t bytes, int lane) {
  if (address - recent.begin < recent.end - recent.begin && bytes <= recent.end - address)
    return reinterpret_cast<char*>(address);
  const auto& memory = *block->memory;
  auto after =
      std::upper_bound(memory.begin(), memory.end(), address, [](uint64_t a, const Range& r) { return a < r.begin; });
  if (after == memory.begin() || address >= (--after)->end || bytes > after->end - address)
    throw Fault(lane, "an access of " + std::to_string(bytes) + " bytes at " + number(address) +
                          ", where no memory of the device is");
  recent = *after;
  return reinterpret_cast<char*>(address);
}

char* Warp::resolve(Space space, uint64_t address, size_t bytes, int lane) {
  if ((address & (bytes - 1)) != 0)
    throw Fault(lane, "an access of " + std::to_string(bytes) + " bytes at " + number(address) + " is not aligned");
  if (space == Space::global) return global(address, bytes, lane);
  const uint64_t window = address & kWindowMask;
  uint64_t offset = address;
  if (space == Space::generic || space == Space::param) {
    offset = address & ~kWindowMask;
    if (window == kSharedWindow)
      space = Space::shared;
    else if (window == kLocalWindow)
      space = Space::local;
    else if (window == kParamWindow)
      space = Space::param;
    else
      return global(address, bytes, lane);
  }
  const auto within = [&](size_t size, const char* what) {
    offset -= kFirstAddress;
    if (offset >= size || bytes > size - offset)
      throw Fault(lane, "an access of " + std::to_string(bytes) + " bytes at place " +
                            std::to_string(static_cast<int64_t>(offset)) + " of " + std::to_string(size) +
                            " bytes of " + what);
  };
  switch (space) {
    case Space::shared: within(block->shared.size(), "shared memory"); return block->shared.data() + offset;
    case Space::local: {
      const size_t size = block->program->local_bytes;
      within(size, "local memory");
      return local.data() + static_cast<size_t>(lane) * size + offset;
    }
    default:
      within(block->program->parameter_bytes, "parameters");
      return const_cast<char*>(block->parameters) + offset;
  }
}

}  // namespace ptx
}  // namespace athanor
