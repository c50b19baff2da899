// Philox4x32-10, the counter-based random generator of Salmon, Moraes, Dror and Shaw ("Parallel random numbers: as easy
// as 1, 2, 3", SC 2011): a bijection of a 128-bit counter keyed with 64 bits. Any number of a stream can be computed
// without those before it, so a result depends neither on threads nor on the device.
//
// How streams are laid out, on every device: the key is the seed. Word i of a stream is lane i % 4 of the block with
// the counter (offset + i / 4, purpose, 0): 64, 32 and 32 bits. `purpose` is 0, except where a drawn word is rejected:
// its k-th replacement is the same lane of the same block with purpose k.
#pragma once
#include "core/dtype.h"

namespace athanor {

/** One block: the four words of a counter. */
struct PhiloxBlock {
  uint32_t word[4];
};

ATHANOR_ALWAYS_INLINE uint32_t philox_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}

ATHANOR_ALWAYS_INLINE PhiloxBlock philox(uint64_t key, uint64_t counter, uint32_t purpose, uint32_t rest = 0) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  uint32_t a = static_cast<uint32_t>(counter), b = static_cast<uint32_t>(counter >> 32), c = purpose, d = rest;
  for (int round = 0; round < 10; ++round) {
    const uint32_t high_a = philox_high(0xD2511F53u, a), low_a = 0xD2511F53u * a;
    const uint32_t high_c = philox_high(0xCD9E8D57u, c), low_c = 0xCD9E8D57u * c;
    a = high_c ^ b ^ k0;
    b = low_c;
    c = high_a ^ d ^ k1;
    d = low_a;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{a, b, c, d}};
}

/** Where a stream starts. */
struct PhiloxStream {
  uint64_t key, offset;

  /** Word i, or its replacement number `purpose`. */
  ATHANOR_INLINE_MEMBER uint32_t word(uint64_t i, uint32_t purpose = 0) const {
    return philox(key, offset + i / 4, purpose).word[i % 4];
  }
};

}  // namespace athanor
