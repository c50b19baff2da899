// What the simulator promises: kernels that are right run under every schedule, and each kind of mistake is caught.
#include "cuda/simulator/runtime.h"

#include <cmath>
#include <vector>

#include "cuda/ptx.h"
#include "cuda/simulator/schedules.h"
#include "test/check.h"

using namespace athanor::simulator;

namespace {

uint32_t simulated_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

template <class... P, class... A>
void run(void (*kernel)(P...), dim3 grid, dim3 block, A... args) {
  const auto call = [=] { kernel(static_cast<P>(args)...); };
  run_grid(grid, block, 0, [](const void* f) { (*static_cast<decltype(&call)>(f))(); }, &call);
}

/** How many of all schedules give another result than `expected`, or a failure. */
template <class F>
int schedules_that_differ(const F& result, const std::vector<float>& expected) {
  int wrong = 0;
  each_schedule([&] {
    try {
      if (result() != expected) ++wrong;
    } catch (const std::runtime_error&) {
      ++wrong;
    }
  });
  return wrong;
}

constexpr int kThreads = 96;

struct Numbers {
  float at[kThreads];
};

/** Each block's numbers the other way round. `Barrier` false leaves the barrier out. */
template <bool Barrier>
__global__ void reverse_blocks(const float* x, float* out) {
  Numbers& shared = *static_cast<Numbers*>(shared_memory(sizeof(Numbers)));
  const int t = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.x) * kThreads;
  shared.at[t] = x[first + t];
  if (Barrier) __syncthreads();
  out[first + t] = shared.at[kThreads - 1 - t];
}

template <bool Barrier>
std::vector<float> reversed() {
  std::vector<float> x(3 * kThreads), out(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  run(reverse_blocks<Barrier>, dim3(3), dim3(kThreads), x.data(), out.data());
  return out;
}

/** The same in two rounds through one buffer: the second barrier keeps the next round from overwriting this one. */
template <bool Second>
__global__ void rotate_twice(const float* x, float* out) {
  Numbers& shared = *static_cast<Numbers*>(shared_memory(sizeof(Numbers)));
  const int t = static_cast<int>(threadIdx.x);
  float value = x[t];
  for (int round = 0; round < 2; ++round) {
    shared.at[t] = value;
    __syncthreads();
    value = shared.at[(t + 33) % kThreads];
    if (Second) __syncthreads();
  }
  out[t] = value;
}

template <bool Second>
std::vector<float> rotated() {
  std::vector<float> x(kThreads), out(kThreads);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  run(rotate_twice<Second>, dim3(1), dim3(kThreads), x.data(), out.data());
  return out;
}

/** A copy through shared memory by cp.async. `Wait` false reads before it is known to have landed. */
template <bool Wait>
__global__ void copy_through(const float* x, float* out) {
  Numbers& shared = *static_cast<Numbers*>(shared_memory(sizeof(Numbers)));
  const int t = static_cast<int>(threadIdx.x);
  athanor::cuda::copy_async<4>(&shared.at[t], x + t, t % 3 == 0 ? 0 : 4);
  athanor::cuda::commit_copies();
  if (Wait) athanor::cuda::wait_copies<0>();
  out[t] = shared.at[t];
}

template <bool Wait>
std::vector<float> copied() {
  std::vector<float> x(kThreads, 5.0f), out(kThreads);
  run(copy_through<Wait>, dim3(1), dim3(kThreads), x.data(), out.data());
  return out;
}

__global__ void sum_warp(const float* x, float* out) {
  float sum = x[threadIdx.x];
  for (int apart = 16; apart > 0; apart /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, apart);
  out[threadIdx.x] = sum;
}

__global__ void part_at_a_barrier(float* out) {
  if (threadIdx.x < 5)
    __syncthreads();
  else
    __syncthreads();
  out[threadIdx.x] = 1;
}

__global__ void lane_that_never_comes(float* out) {
  if (threadIdx.x != 3) out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}

/** out = 1 + A B by one tensor-core product of a warp: A [16, depth], B [depth, 8], row-major. */
template <bool Bf16>
__global__ void fragment_product(const float* a, const float* b, float* out) {
  using namespace athanor::cuda;
  constexpr int depth = Bf16 ? 16 : 8;
  const int lane = static_cast<int>(threadIdx.x);
  const auto pair = [](float low, float high) {
    return simulated_bits(low) >> 16 | (simulated_bits(high) & 0xffff0000u);
  };
  uint32_t a_regs[4], b_regs[2];
  for (int reg = 0; reg < 4; ++reg) {
    const Element e = Bf16 ? bf16_a_element(lane, reg) : tf32_a_element(lane, reg);
    const float* at = a + e.row * depth + e.column;
    a_regs[reg] = Bf16 ? pair(at[0], at[1]) : to_tf32(at[0]);
  }
  for (int reg = 0; reg < 2; ++reg) {
    const Element e = Bf16 ? bf16_b_element(lane, reg) : tf32_b_element(lane, reg);
    const float* at = b + e.row * 8 + e.column;
    b_regs[reg] = Bf16 ? pair(at[0], at[8]) : to_tf32(at[0]);
  }
  float d[4] = {1, 1, 1, 1};
  if (Bf16)
    mma_bf16(d, a_regs, b_regs);
  else
    mma_tf32(d, a_regs, b_regs);
  for (int reg = 0; reg < 4; ++reg) {
    const Element e = accumulator_element(lane, reg);
    out[e.row * 8 + e.column] = d[reg];
  }
}

}  // namespace

TEST(simulator_runs_blocks_with_barriers) {
  std::vector<float> expected;
  for (int b = 0; b < 3; ++b)
    for (int t = 0; t < kThreads; ++t) expected.push_back(static_cast<float>((b + 1) * kThreads - 1 - t));
  CHECK_EQUAL(schedules_that_differ(reversed<true>, expected), 0);
  CHECK(schedules_that_differ(reversed<false>, expected) > 0);
}

TEST(simulator_lets_a_warp_run_ahead_into_memory_still_read) {
  std::vector<float> expected;
  for (int t = 0; t < kThreads; ++t) expected.push_back(static_cast<float>((t + 66) % kThreads));
  CHECK_EQUAL(schedules_that_differ(rotated<true>, expected), 0);
  CHECK(schedules_that_differ(rotated<false>, expected) > 0);
}

TEST(simulator_lands_copies_as_late_as_it_may) {
  std::vector<float> expected;
  for (int t = 0; t < kThreads; ++t) expected.push_back(t % 3 == 0 ? 0.0f : 5.0f);
  CHECK_EQUAL(schedules_that_differ(copied<true>, expected), 0);
  CHECK(schedules_that_differ(copied<false>, expected) > 0);
}

TEST(simulator_exchanges_numbers_within_warps) {
  std::vector<float> x(64), expected(64);
  for (int i = 0; i < 64; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i);
  for (int i = 0; i < 64; ++i) expected[static_cast<size_t>(i)] = i < 32 ? 496.0f : 1520.0f;
  const auto result = [&] {
    std::vector<float> out(64);
    run(sum_warp, dim3(1), dim3(64), x.data(), out.data());
    return out;
  };
  CHECK_EQUAL(schedules_that_differ(result, expected), 0);
}

TEST(simulator_refuses_what_would_hang_a_gpu) {
  std::vector<float> out(32);
  CHECK_THROWS(run(part_at_a_barrier, dim3(1), dim3(32), out.data()), "threads wait at different barriers");
  CHECK_THROWS(run(lane_that_never_comes, dim3(1), dim3(32), out.data()), "threads wait in vain");
}

TEST(simulator_multiplies_fragments_as_tensor_cores_do) {
  // D = A B + C of one warp, A 16 x 8 and B 8 x 8 in tf32, 16 x 16 and 16 x 8 in bf16, against plain loops.
  std::vector<float> a(16 * 16), b(16 * 8), out(16 * 8);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 7 % 13) - 6);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 5 % 11) - 5);
  for (const int depth : {8, 16}) {
    run(depth == 8 ? fragment_product<false> : fragment_product<true>, dim3(1), dim3(32), a.data(), b.data(),
        out.data());
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 8; ++j) {
        float expected = 1;
        for (int k = 0; k < depth; ++k)
          expected += a[static_cast<size_t>(i * depth + k)] * b[static_cast<size_t>(k * 8 + j)];
        CHECK_EQUAL(out[static_cast<size_t>(i * 8 + j)], expected);
      }
  }
}
