#include "cuda/ptx_executor/races.h"

#include "cuda/ptx_executor/warp.h"

namespace athanor {
namespace ptx {
namespace {

/** Whether an access of a lane, now, is ordered after those of a mark. */
bool ordered(const Warp& warp, const Mark& mark, uint8_t bytes, int lane) {
  if (mark.time != warp.block->time || (mark.bytes & bytes) == 0) return true;
  if (mark.warps || mark.warp != warp.index) return false;
  return (mark.lane == lane && !mark.lanes) || mark.moment < warp.moment[lane];
}

[[noreturn]] void tell(const Mark& mark, int lane, const char* what) {
  throw Fault(lane, std::string("a race in shared memory: it ") + what + " thread " +
                        std::to_string(mark.warp * kLanes + mark.lane) + " since the last barrier");
}

void put(Mark& mark, const Warp& warp, uint8_t bytes, int lane, bool joins) {
  const bool same = joins && mark.time == warp.block->time;
  const bool same_moment = same && mark.warp == warp.index && mark.moment == warp.moment[lane];
  mark.warps = same && (mark.warps || mark.warp != warp.index);
  mark.lanes = same_moment && (mark.lanes || mark.lane != lane);
  mark.bytes = same ? mark.bytes | bytes : bytes;
  mark.time = warp.block->time;
  mark.moment = warp.moment[lane];
  mark.warp = static_cast<int16_t>(warp.index);
  mark.lane = static_cast<int8_t>(lane);
}

template <class F>
void each_word(Warp& warp, size_t at, size_t bytes, const F& f) {
  for (size_t word = at / 4; word * 4 < at + bytes; ++word) {
    const size_t first = word * 4 < at ? at - word * 4 : 0, end = at + bytes - word * 4;
    f(warp.block->marks[word], static_cast<uint8_t>((0xfu << first) & (end >= 4 ? 0xfu : (1u << end) - 1)));
  }
}

}  // namespace

void note_read(Warp& warp, size_t at, size_t bytes, int lane) {
  each_word(warp, at, bytes, [&](Marks& marks, uint8_t which) {
    if (!ordered(warp, marks.written, which, lane)) tell(marks.written, lane, "reads what was written by");
    put(marks.read, warp, which, lane, true);
  });
}

void note_write(Warp& warp, size_t at, size_t bytes, int lane, const void* value) {
  if (value != nullptr && std::memcmp(warp.block->shared.data() + at, value, bytes) == 0) return;
  each_word(warp, at, bytes, [&](Marks& marks, uint8_t which) {
    if (!ordered(warp, marks.written, which, lane)) tell(marks.written, lane, "overwrites what was written by");
    if (!ordered(warp, marks.read, which, lane)) tell(marks.read, lane, "overwrites what was read by");
    put(marks.written, warp, which, lane, false);
  });
}

}  // namespace ptx
}  // namespace athanor
