// Random numbers: uniform, normal, bernoulli, randint, permutation, and dropout, which needs no mask in memory.
// Each number is a function of the seed, the stream's offset and its own index alone (core/philox.h), so results do not
// depend on threads. Work is split into blocks of numbers. Bound by arithmetic: 1 to 2 vector instructions a 32-bit
// word (20 cycles for 16 words at AVX-512), as many again for a normal number; by bandwidth where both threads have
// work.
//
// Attributes start with the seed (its low 32 bits, the others) and the stream's offset.
#include "math/random.h"
#include "core/philox.h"
#include "cpu/dtypes.h"
#include "cpu/families.h"
#include "cpu/streaming.h"
#include "math/functions.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

constexpr int kFirstAttr = 3;      // after seed and offset
constexpr int64_t kNumbers = 512;  // made at once: their words and they themselves stay in the L1 cache

PhiloxStream stream_of(const Call& c) {
  const uint64_t low = static_cast<uint64_t>(c.attrs[0]), high = static_cast<uint64_t>(c.attrs[1]);
  return {low | high << 32, static_cast<uint64_t>(c.attrs[2])};
}

using Wide = Lanes<uint64_t>::type;

/** The 64-bit products of the low halves of each lane. */
ATHANOR_ALWAYS_INLINE Wide multiply_halves(Wide a, uint64_t b) {
#if defined(__AVX512F__)
  return reinterpret_cast<Wide>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), _mm512_set1_epi64(static_cast<int64_t>(b))));
#elif defined(__AVX2__)
  return reinterpret_cast<Wide>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(static_cast<int64_t>(b))));
#elif defined(__x86_64__)
  return reinterpret_cast<Wide>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), _mm_set1_epi64x(static_cast<int64_t>(b))));
#else
  return (a & 0xffffffffu) * b;
#endif
}

/**
 * words[i] = word first + i of the stream, for i < n <= kNumbers * kWords and on to the end of the last vectors;
 * `first` is a multiple of 4. philox() for a register of blocks at once: each word has 64 bits to itself, of which the
 * upper half is left to hold whatever it will, so that a round is two products, two shifts and two exclusive ors.
 */
void fill_words(const PhiloxStream& s, int64_t first, int64_t n, uint32_t* words) {
  constexpr int64_t lanes = Lanes<uint64_t>::count;
  Wide counter = splat<uint64_t>(s.offset + static_cast<uint64_t>(first) / 4);
  for (int64_t l = 0; l < lanes; ++l) counter[l] += static_cast<uint64_t>(l);
  uint64_t keys[10][2];
  for (int round = 0; round < 10; ++round) {
    keys[round][0] = static_cast<uint32_t>(s.key + static_cast<uint64_t>(round) * 0x9E3779B9u);
    keys[round][1] = static_cast<uint32_t>((s.key >> 32) + static_cast<uint64_t>(round) * 0xBB67AE85u);
  }
  for (int64_t i = 0; i < n; i += 4 * lanes, counter += static_cast<uint64_t>(lanes)) {
    Wide a = counter, b = counter >> 32, c = Wide{}, d = Wide{};
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const Wide product_a = multiply_halves(a, 0xD2511F53u), product_c = multiply_halves(c, 0xCD9E8D57u);
      a = (product_c >> 32) ^ b ^ keys[round][0];
      b = product_c;
      c = (product_a >> 32) ^ d ^ keys[round][1];
      d = product_a;
    }
    uint64_t front[lanes], back[lanes], pairs[2 * lanes];
    store_lanes(front, (a & 0xffffffffu) | b << 32);
    store_lanes(back, (c & 0xffffffffu) | d << 32);
    for (int64_t l = 0; l < lanes; ++l) {
      pairs[2 * l] = front[l];
      pairs[2 * l + 1] = back[l];
    }
    __builtin_memcpy(words + i, pairs, sizeof pairs);
  }
}

/** The elements of a view in row-major order, whatever its strides. */
template <class T>
class Cursor {
 public:
  Cursor(const View& v, int64_t first) : view_(v), at_(v.as<T>()) {
    for (int d = v.ndim - 1; d >= 0; --d) {
      index_[d] = first % v.shape[d];
      at_ += index_[d] * v.strides[d];
      first /= v.shape[d];
    }
  }
  T& next() {
    T& out = *at_;
    for (int d = view_.ndim - 1; d >= 0; --d) {
      at_ += view_.strides[d];
      if (++index_[d] < view_.shape[d]) break;
      at_ -= view_.strides[d] * view_.shape[d];
      index_[d] = 0;
    }
    return out;
  }

 private:
  const View& view_;
  T* at_;
  int64_t index_[kMaxDims];
};

/** make(first, count, to) writes count <= kNumbers consecutive numbers, from number `first` of the output on. */
template <class T, class F>
void for_blocks(const Call& c, const F& make) {
  const View& out = c.out[0];
  const int64_t n = numel(out);
  const bool dense = is_contiguous(out), streams = dense && streams_to(out, c.in, c.n_in);
  parallel_for(c.ctx, ceil_div(n, kNumbers), kGrain / 4 / kNumbers, [&](int64_t begin, int64_t end) {
    T buffer[kNumbers];
    for (int64_t first = begin * kNumbers; first < min_of(end * kNumbers, n); first += kNumbers) {
      const int64_t count = min_of(kNumbers, n - first);
      if (dense && !streams) {
        make(first, count, out.as<T>() + first);
        continue;
      }
      make(first, count, buffer);
      if (streams) {
        stream_bytes(out.as<T>() + first, buffer, count * static_cast<int64_t>(sizeof(T)));
        continue;
      }
      Cursor<T> cursor(out, first);
      for (int64_t i = 0; i < count; ++i) cursor.next() = buffer[i];
    }
    if (streams) store_fence();
  });
}

// ---- uniform: attrs low, high

/** Words that a number takes. */
template <class T>
constexpr int64_t kWords = sizeof(T) / 4;

template <class T>
void uniform_of(const Call& c) {
  const PhiloxStream s = stream_of(c);
  const T low = static_cast<T>(c.attrs[kFirstAttr]), high = static_cast<T>(c.attrs[kFirstAttr + 1]);
  const T width = static_cast<T>(c.attrs[kFirstAttr + 1] - c.attrs[kFirstAttr]);
  // low + fraction * width may round up to high, which is not to be drawn.
  const T below = m::next_towards(high, low);
  for_blocks<T>(c, [&](int64_t first, int64_t count, T* to) {
    alignas(64) uint32_t words[kNumbers * kWords<T>];
    fill_words(s, first * kWords<T>, count * kWords<T>, words);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      const T x = low + m::fraction_of(words, i, T(0)) * width;
      to[i] = x < below ? x : below;
    }
  });
}

void uniform_blocks(const Call& c) {
  if (!with_floats(c.out[0].dtype, [&](auto tag) { uniform_of<typename decltype(tag)::type>(c); }))
    refuse_dtype(c, c.out[0].dtype);
}

// ---- normal: attrs mean, std. Box and Muller (1958): two uniforms make two independent normals, a radius
// sqrt(-2 log u) and a turn t.

template <class T>
void normal_of(const Call& c) {
  const PhiloxStream s = stream_of(c);
  const T mean = static_cast<T>(c.attrs[kFirstAttr]), deviation = static_cast<T>(c.attrs[kFirstAttr + 1]);
  for_blocks<T>(c, [&](int64_t first, int64_t count, T* to) {
    alignas(64) uint32_t words[kNumbers * kWords<T>];
    alignas(64) T pairs[kNumbers];
    const int64_t whole = ceil_div(count, 2);
    fill_words(s, first * kWords<T>, 2 * whole * kWords<T>, words);
#pragma omp simd
    for (int64_t i = 0; i < whole; ++i) {
      const m::Polar<T> p = m::polar_of(words, i, T(0));
      const T radius = m::sqrt(-2 * m::log(p.u));
      const m::SinCos<T> turn = m::sin_cos_turn(p.turn);
      pairs[2 * i] = mean + deviation * (radius * turn.cos);
      pairs[2 * i + 1] = mean + deviation * (radius * turn.sin);
    }
    for (int64_t i = 0; i < count; ++i) to[i] = pairs[i];
  });
}

void normal_blocks(const Call& c) {
  if (!with_floats(c.out[0].dtype, [&](auto tag) { normal_of<typename decltype(tag)::type>(c); }))
    refuse_dtype(c, c.out[0].dtype);
}

// ---- bernoulli: attrs p

void bernoulli_blocks(const Call& c) {
  const PhiloxStream s = stream_of(c);
  const m::Chance chance(c.attrs[kFirstAttr]);
  const bool known = with_all(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_blocks<T>(c, [&](int64_t first, int64_t count, T* to) {
      alignas(64) uint32_t words[kNumbers];
      fill_words(s, first, count, words);
      for (int64_t i = 0; i < count; ++i) to[i] = chance.chosen(words[i]) ? T(1) : T(0);
    });
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// ---- randint

// attrs low, range
void randint_blocks(const Call& c) {
  const PhiloxStream s = stream_of(c);
  const int64_t low = static_cast<int64_t>(c.attrs[kFirstAttr]);
  const m::Below below(static_cast<uint64_t>(c.attrs[kFirstAttr + 1]));
  const bool known = with_numbers(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for_blocks<T>(c, [&](int64_t first, int64_t count, T* to) {
      alignas(64) uint32_t words[kNumbers];
      fill_words(s, first, count, words);
      for (int64_t i = 0; i < count; ++i)
        to[i] = static_cast<T>(low + below.draw(s, static_cast<uint64_t>(first + i), words[i]));
    });
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// ---- permutation: Durstenfeld's shuffle (1964), inside out: number i goes to a place j <= i, and what was there to i.
// One after the other by nature, bound by the latency of place j once the result is larger than the caches.
void permutation_shuffle(const Call& c) {
  const PhiloxStream s = stream_of(c);
  const View& out = c.out[0];
  const int64_t n = numel(out), step = out.ndim == 0 ? 1 : out.strides[0];
  int32_t* to = out.as<int32_t>();
  alignas(64) uint32_t words[kNumbers];
  for (int64_t i = 0; i < n; ++i) {
    if (i % kNumbers == 0) fill_words(s, i, min_of(kNumbers, n - i), words);
    const int64_t j = m::Below(static_cast<uint64_t>(i + 1)).draw(s, static_cast<uint64_t>(i), words[i % kNumbers]);
    to[i * step] = to[j * step];
    to[j * step] = static_cast<int32_t>(i);
  }
}

// ---- dropout: attrs p; out = x / (1 - p), or 0 with probability p. The gradient is the same op on the same stream.
void dropout_blocks(const Call& c) {
  const PhiloxStream s = stream_of(c);
  const double p = c.attrs[kFirstAttr];
  const m::Chance chance(p);
  const View& x = c.in[0];
  const bool dense = is_contiguous(x);
  const bool known = with_floats(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T scale = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
    for_blocks<T>(c, [&](int64_t first, int64_t count, T* to) {
      alignas(64) uint32_t words[kNumbers];
      alignas(64) T row[kNumbers];
      fill_words(s, first, count, words);
      const T* from = dense ? x.as<T>() + first : row;
      if (!dense) {
        Cursor<T> cursor(x, first);
        for (int64_t i = 0; i < count; ++i) row[i] = cursor.next();
      }
#pragma omp simd
      for (int64_t i = 0; i < count; ++i) {
        const T scaled = from[i] * scale;
        to[i] = chance.chosen(words[i]) ? T(0) : scaled;
      }
    });
  });
  if (!known) refuse_dtype(c, x.dtype);
}

const Kernel kernels_uniform[] = {{"blocks", nullptr, uniform_blocks}};
const Kernel kernels_normal[] = {{"blocks", nullptr, normal_blocks}};
const Kernel kernels_bernoulli[] = {{"blocks", nullptr, bernoulli_blocks}};
const Kernel kernels_randint[] = {{"blocks", nullptr, randint_blocks}};
const Kernel kernels_permutation[] = {{"shuffle", nullptr, permutation_shuffle}};
const Kernel kernels_dropout[] = {{"blocks", nullptr, dropout_blocks}};

}  // namespace

const OpKernels random[] = {ATHANOR_OP(uniform, kernels_uniform),
                            ATHANOR_OP(normal, kernels_normal),
                            ATHANOR_OP(bernoulli, kernels_bernoulli),
                            ATHANOR_OP(randint, kernels_randint),
                            ATHANOR_OP(permutation, kernels_permutation),
                            ATHANOR_OP(dropout, kernels_dropout),
                            {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
