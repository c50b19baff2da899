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
    T made[Numbers];  // all are made, and what dropout reads is read, before the first is written
#pragma unroll
    for (int k = 0; k < Numbers; ++k) {
      const uint32_t i = block * Numbers + static_cast<uint32_t>(k);
      if (i < count) made[k] = make.number(words.word, k, i, stream);
    }
#pragma unroll
    for (int k = 0; k < Numbers; ++k) {
      const uint32_t i = block * Numbers + static_cast<uint32_t>(k);
      if (i < count) out[to.at(i)] = made[k];
    }
  }
};

template <class T, int Numbers, class Make>
void fill_random(const Call& c, const Make& make) {
  const int64_t n = numel(c.out[0]);
  if (n >= int64_t{1} << 31) {
    c.ctx->fail(c.ctx, "2^31 elements or more in one call");
    return;
  }
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

// ---- permutation: the shuffle of the CPU. There step i moves what is in place j <= i, which it draws, to place i and
// puts number i into place j. What is in place q before step t is thus the last i < t that drew q, or, where nobody
// did, what step q found in the place that it drew. So every place finds its number by itself, in about log n steps,
// from the lists of who drew it; the lists are as long, and the order in them does not matter.

struct Draw {
  PhiloxStream stream;
  int32_t *drawn, *next, *last;  // the place of each step; the lists, by place; -1: none
  __device__ void operator()(uint32_t i) const {
    const uint32_t j = m::Below(uint64_t{i} + 1).draw(stream, i, stream.word(i));
    drawn[i] = static_cast<int32_t>(j);
    next[i] = atomicExch(last + j, static_cast<int32_t>(i));
  }
};

struct Find {
  const int32_t *drawn, *next, *last;
  int32_t count;
  int32_t* out;
  int64_t step;
  __device__ void operator()(uint32_t place) const {
    int32_t q = static_cast<int32_t>(place), before = count, found = -1;
    for (;;) {  // `before` falls with each round; place 0 was drawn by step 0
      for (int32_t i = last[q]; i >= 0; i = next[i])
        if (i < before && i > found) found = i;
      if (found >= 0) break;
      before = q;
      q = drawn[q];
    }
    out[place * step] = found;
  }
};

void run_permutation(const Call& c) {
  const View& out = c.out[0];
  const int64_t n = numel(out);
  if (n == 0) return;
  DeviceContext& ctx = context_of(c);
  int32_t *const drawn = scratch_array<int32_t>(c, 3 * n), *const next = drawn + n, *const last = next + n;
  const cudaError_t error = cudaMemsetAsync(last, 0xff, static_cast<size_t>(n) * sizeof *last, stream_of(ctx));
  if (error != cudaSuccess) return ctx.fail(&ctx, "memory could not be cleared: %s", explain(error));
  for_each_number(c, n, Draw{random_stream(c), drawn, next, last});
  for_each_number(
      c, n, Find{drawn, next, last, static_cast<int32_t>(n), out.as<int32_t>(), out.ndim == 0 ? 0 : out.strides[0]});
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
const Kernel kernels_permutation[] = {{"lists", nullptr, run_permutation}};
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
