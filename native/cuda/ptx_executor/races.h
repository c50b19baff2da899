// Finds accesses to shared memory that no barrier orders, whatever order they happened to run in: for each word, who
// last wrote and who last read it, and when. Bar.sync orders all threads of a block, bar.warp.sync the lanes that it
// names; shuffles and matrix instructions order nothing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace athanor {
namespace ptx {

struct Warp;

/** The last accesses of one kind to a word. Bytes that another thread took in between are forgotten: a race of bytes
 * may be missed, but none is made up. */
struct Mark {
  uint32_t time = 0;    // Block::time, one more after each barrier
  uint32_t moment = 0;  // of the warp: one more after each bar.warp.sync of the lane
  int16_t warp = -1;
  int8_t lane = -1;
  uint8_t bytes = 0;                  // of the word, as bits
  bool lanes = false, warps = false;  // more than one
};

struct Marks {
  Mark read, written;
};

/** A lane reads, or writes `value` to, bytes of shared memory; throws Fault where that is a race. Who writes what is
 * there already changes nothing, and is let be. */
void note_read(Warp& warp, size_t at, size_t bytes, int lane);
void note_write(Warp& warp, size_t at, size_t bytes, int lane, const void* value);

}  // namespace ptx
}  // namespace athanor
