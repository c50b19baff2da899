// Packing for products of bfloat16 numbers on processors that multiply pairs of them: what the micro-kernel of the GEMM
// core reads as one float is a number and its neighbour along the depth, which halves the depth. One copy of each
// element, 2 bytes read and written; an odd depth is filled up with a 0.
#pragma once
#include "cpu/bfloat16.h"
#include "cpu/gemm_pack.h"

#if defined(__AVX512F__)
namespace athanor {
namespace ATHANOR_ISA {

/** Neighbours across the panel lie together in the source: two rows become one of pairs. */
static inline void pack_pairs_of_rows(float* to, int width, int padded, const BFloat16* from, int64_t step,
                                      int64_t pairs) {
  typedef uint16_t Halves __attribute__((vector_size(32)));
  typedef uint32_t Words __attribute__((vector_size(64)));
  constexpr int lanes = kLanes<float>, ahead = 8;
  for (int64_t k = 0; k < pairs; ++k, to += padded, from += 2 * step) {
    for (int w = 0; w < padded; w += lanes) {
      const int n = max_of(0, min_of(lanes, width - w));
      const auto some = static_cast<__mmask16>((1u << n) - 1);
      if (k + ahead < pairs) {  // rows far apart are beyond what the hardware foresees
        __builtin_prefetch(from + 2 * ahead * step + w);
        __builtin_prefetch(from + (2 * ahead + 1) * step + w);
      }
      const auto words = [some](const BFloat16* p) __attribute__((always_inline)) {
        return __builtin_convertvector(reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(some, p)), Words);
      };
      const Words both = words(from + w) | words(from + step + w) << 16;
      store_n(to + w, reinterpret_cast<Vec<float>>(both), min_of(lanes, padded - w));
    }
  }
}

/** to[k * padded + w]: numbers 2 k and 2 k + 1 of row w; 0 for width <= w < padded. */
static inline void pack_pairs(float* to, int width, int padded, const BFloat16* from, int64_t across, int64_t along,
                              int64_t pairs) {
  // Pairs that lie together are moved as floats are. Rows an odd number of elements apart cannot be told as such.
  if (along == 1 && across % 2 == 0)
    return pack_strided(to, width, padded, reinterpret_cast<const float*>(from), across / 2, 1, pairs);
  if (across == 1) return pack_pairs_of_rows(to, width, padded, from, along, pairs);
  for (int w = 0; w < width; ++w, from += across)
    for (int64_t k = 0; k < pairs; ++k) {
      const BFloat16 pair[2] = {from[2 * k * along], from[(2 * k + 1) * along]};
      __builtin_memcpy(to + k * padded + w, pair, sizeof pair);
    }
  for (int w = width; w < padded; ++w)
    for (int64_t k = 0; k < pairs; ++k) to[k * padded + w] = 0;
}

/** A factor of a product: any strided matrix of bfloat16. Its depth counts pairs, `numbers` those of a row. */
struct PairFactor {
  using Element = BFloat16;
  const BFloat16* data;
  int64_t across, along, numbers;

  PairFactor from(int64_t k) const { return {data + 2 * k * along, across, along, numbers - 2 * k}; }

  void pack(float* to, int64_t first, int width, int padded, int64_t k, int64_t depth) const {
    const BFloat16* corner = data + first * across + 2 * k * along;
    const int64_t whole = min_of(depth, numbers / 2 - k);
    pack_pairs(to, width, padded, corner, across, along, whole);
    if (whole == depth) return;
    float* const last = to + whole * padded;
    for (int w = 0; w < padded; ++w) {
      const BFloat16 pair[2] = {w < width ? corner[w * across + 2 * whole * along] : BFloat16{0}, {0}};
      __builtin_memcpy(last + w, pair, sizeof pair);
    }
  }
  void prefetch(int64_t first, int64_t width, int64_t k, int64_t depth) const {
    StridedFactor<BFloat16>{data, across, along}.prefetch(first, width, 2 * k, 2 * depth);
  }
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
#endif
