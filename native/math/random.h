// From words of a random stream (core/philox.h) to numbers of a distribution. Host and device share it.
#pragma once
#include <math.h>

#include "core/philox.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace m {

/** Fraction i in [0, 1): 24 bits of a word, or 53 of two. */
ATHANOR_ALWAYS_INLINE float fraction_of(const uint32_t* words, int64_t i, float) {
  return static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 0x1p-24f;
}
ATHANOR_ALWAYS_INLINE double fraction_of(const uint32_t* words, int64_t i, double) {
  const double high = static_cast<double>(static_cast<int32_t>(words[2 * i] >> 5));
  const double low = static_cast<double>(static_cast<int32_t>(words[2 * i + 1] >> 6));
  return (high * 0x1p26 + low) * 0x1p-53;
}

/** The number of T before `x` on the way to `to`. */
ATHANOR_HOST_INLINE float next_towards(float x, float to) { return ::nextafterf(x, to); }
ATHANOR_HOST_INLINE double next_towards(double x, double to) { return ::nextafter(x, to); }

/** What Box and Muller's pair number i is made of: u, which is never 0, and a turn. That of float32 has 40 bits, of
 * which the last 16 matter where u is small: the tails reach 7.5 standard deviations (8.5 in float64). */
template <class T>
struct Polar {
  T u, turn;
};
ATHANOR_ALWAYS_INLINE Polar<float> polar_of(const uint32_t* words, int64_t i, float) {
  const uint32_t a = words[2 * i], b = words[2 * i + 1];
  const float low = static_cast<float>(static_cast<int32_t>((a & 255) << 8 | (b & 255)));
  return {static_cast<float>(static_cast<int32_t>(a >> 8)) * 0x1p-24f + (low + 0.5f) * 0x1p-40f,
          static_cast<float>(static_cast<int32_t>(b >> 8)) * 0x1p-24f};
}
ATHANOR_ALWAYS_INLINE Polar<double> polar_of(const uint32_t* words, int64_t i, double) {
  return {fraction_of(words, 2 * i, 0.0) + 0x1p-54, fraction_of(words, 2 * i + 1, 0.0)};
}

/** chosen(word) has probability p, to 2^-32. */
struct Chance {
  uint32_t threshold;
  bool always;
  explicit Chance(double p) : threshold(p < 1 ? static_cast<uint32_t>(p * 0x1p32) : 0), always(p >= 1) {}
  ATHANOR_INLINE_MEMBER bool chosen(uint32_t word) const { return (word < threshold) | always; }
};

/** Whole numbers below a bound: Lemire, "Fast random integer generation in an interval" (2019). The product of a word
 * and the range has the number in its high half; the low half tells the few words that would make some more likely. */
struct Below {
  uint64_t range;  // 1 to 2^32
  uint32_t rejected;
  ATHANOR_INLINE_MEMBER explicit Below(uint64_t n)
      : range(n), rejected(n >> 32 != 0 ? 0 : (0u - static_cast<uint32_t>(n)) % static_cast<uint32_t>(n)) {}

  /** The number from word i of the stream, or from the first of its replacements that is not rejected. */
  ATHANOR_INLINE_MEMBER uint32_t draw(const PhiloxStream& s, uint64_t i, uint32_t word) const {
    uint64_t product = word * range;
    for (uint32_t purpose = 1; static_cast<uint32_t>(product) < rejected; ++purpose)
      product = s.word(i, purpose) * range;
    return static_cast<uint32_t>(product >> 32);
  }
};

}  // namespace m
}  // namespace ATHANOR_ISA
}  // namespace athanor
