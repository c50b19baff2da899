// Random numbers: uniform, normal, bernoulli, randint, permutation, and dropout, which needs no mask in memory. Each
// number is a function of the seed, the stream's offset and its own index alone (core/philox.h), so the words are those
// of the CPU. A thread makes one block of four words and the numbers that come from it: bound by arithmetic, some 100
// integer instructions a block, or by bandwidth where both threads have work.
//
// Attributes start with the seed (its low 32 bits, the others) and the stream's offset.
#include "core/philox.h"
#include "cpu/dtypes.h"
#include "cuda/each.h"
#include "cuda/families.h"
#include "cuda/locate.h"
#include "math/functions.h"
#include "math/random.h"

namespace athanor {
namespace cuda {
namespace {

constexpr int kFirstAttr = 3;  // after seed and offset

PhiloxStream random_stream(const Call& c) {
  const uint64_t low = static_cast<uint64_t>(c.attrs[0]), high = static_cast<uint64_t>(c.attrs[1]);
  return {low | high << 32, static_cast<uint64_t>(c.attrs[2])};
}

/** `Numbers` numbers of each block of words: number(words, k, i) is the k-th, element i of the output. */
template <class T, int Numbers, class Make>
struct FromBlocks {
  PhiloxStream stream;
  T* out;
  Locator to;
  uint32_t count;
  Make make;

  __device__ void operator()(uint32_t block) const {
    const PhiloxBlock words = philox(stream.key, stream.offset + block, 0);
#pragma unroll
    for (int k = 0; k < Numbers; ++k) {
      const uint32_t i = block * Numbers + static_cast<uint32_t>(k);
      if (i < count) out[to.at(i)] = make.number(words.word, k, i, stream);
    }
  }
};

template <class T, int Numbers, class Make>
void fill_random(const Call& c, const Make& make) {
  const int64_t n = numel(c.out[0]);
  const FromBlocks<T, Numbers, Make> body{random_stream(c), c.out[0].as<T>(), Locator(c.out[0]),
                                          static_cast<uint32_t>(n), make};
  for_each_number(c, (n + Numbers - 1) / Numbers, body);
}

// ---- uniform: attrs low, high

template <class T>
struct Uniform {
  T low, width, below;
  __device__ T number(const uint32_t* words, int k, uint32_t, const PhiloxStream&) const {
    const T x = low + m::fraction_of(words, k, T(0)) * width;
    return x < below ? x : below;
  }
};

void run_uniform(const Call& c) {
  const bool known = with_floats(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T low = static_cast<T>(c.attrs[kFirstAttr]), high = static_cast<T>(c.attrs[kFirstAttr + 1]);
    fill_random<T, static_cast<int>(16 / sizeof(T))>(
        c, Uniform<T>{low, static_cast<T>(c.attrs[kFirstAttr + 1] - c.attrs[kFirstAttr]), m::next_towards(high, low)});
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// ---- normal: attrs mean, std; Box and Muller (1958)

template <class T>
struct Normal {
  T mean, deviation;
  __device__ T number(const uint32_t* words, int k, uint32_t, const PhiloxStream&) const {
    const m::Polar<T> p = m::polar_of(words, k / 2, T(0));
    const T radius = m::sqrt(-2 * m::log(p.u));
    const m::SinCos<T> turn = m::sin_cos_turn(p.turn);
    return mean + deviation * (radius * (k % 2 == 0 ? turn.cos : turn.sin));
  }
};

void run_normal(const Call& c) {
  const bool known = with_floats(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_random<T, static_cast<int>(16 / sizeof(T))>(
        c, Normal<T>{static_cast<T>(c.attrs[kFirstAttr]), static_cast<T>(c.attrs[kFirstAttr + 1])});
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// ---- bernoulli: attrs p

template <class T>
struct Bernoulli {
  m::Chance chance;
  __device__ T number(const uint32_t* words, int k, uint32_t, const PhiloxStream&) const {
    return chance.chosen(words[k]) ? T(1) : T(0);
  }
};

void run_bernoulli(const Call& c) {
  const bool known = with_all(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_random<T, 4>(c, Bernoulli<T>{m::Chance(c.attrs[kFirstAttr])});
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// ---- randint: attrs low, range

template <class T>
struct RandomInteger {
  int64_t low;
  m::Below below;
  __device__ T number(const uint32_t* words, int k, uint32_t i, const PhiloxStream& s) const {
    return static_cast<T>(low + below.draw(s, i, words[k]));
  }
};

void run_randint(const Call& c) {
  const bool known = with_numbers(c.out[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_random<T, 4>(c, RandomInteger<T>{static_cast<int64_t>(c.attrs[kFirstAttr]),
                                          m::Below(static_cast<uint64_t>(c.attrs[kFirstAttr + 1]))});
  });
  if (!known) refuse_dtype(c, c.out[0].dtype);
}

// ---- permutation: the shuffle of the CPU, one number after the other by nature, so one thread does it. It is the
// order of a data set, made once an epoch.

struct Shuffle {
  PhiloxStream stream;
  int32_t* out;
  int64_t step;
  uint32_t count;
  __device__ void operator()(uint32_t) const {
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t j = m::Below(uint64_t{i} + 1).draw(stream, i, stream.word(i));
      out[i * step] = out[j * step];
      out[j * step] = static_cast<int32_t>(i);
    }
  }
};

void run_permutation(const Call& c) {
  const View& out = c.out[0];
  const int64_t n = numel(out);
  if (n == 0) return;
  for_each_number(c, 1, Shuffle{random_stream(c), out.as<int32_t>(), out.strides[0], static_cast<uint32_t>(n)});
}

// ---- dropout: attrs p; out = x / (1 - p), or 0 with probability p. The gradient is the same op on the same stream.

template <class T>
struct Dropout {
  m::Chance chance;
  T scale;
  const T* x;
  Locator from;
  __device__ T number(const uint32_t* words, int k, uint32_t i, const PhiloxStream&) const {
    return chance.chosen(words[k]) ? T(0) : x[from.at(i)] * scale;
  }
};

void run_dropout(const Call& c) {
  const double p = c.attrs[kFirstAttr];
  const bool known = with_floats(c.in[0].dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T scale = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
    fill_random<T, 4>(c, Dropout<T>{m::Chance(p), scale, c.in[0].template as<const T>(), Locator(c.in[0])});
  });
  if (!known) refuse_dtype(c, c.in[0].dtype);
}

const Kernel kernels_uniform[] = {{"blocks", nullptr, run_uniform}};
const Kernel kernels_normal[] = {{"blocks", nullptr, run_normal}};
const Kernel kernels_bernoulli[] = {{"blocks", nullptr, run_bernoulli}};
const Kernel kernels_randint[] = {{"blocks", nullptr, run_randint}};
const Kernel kernels_permutation[] = {{"shuffle", nullptr, run_permutation}};
const Kernel kernels_dropout[] = {{"blocks", nullptr, run_dropout}};

}  // namespace

const OpKernels random[] = {ATHANOR_OP(uniform, kernels_uniform),
                            ATHANOR_OP(normal, kernels_normal),
                            ATHANOR_OP(bernoulli, kernels_bernoulli),
                            ATHANOR_OP(randint, kernels_randint),
                            ATHANOR_OP(permutation, kernels_permutation),
                            ATHANOR_OP(dropout, kernels_dropout),
                            {nullptr, nullptr, 0}};

}  // namespace cuda
}  // namespace athanor
