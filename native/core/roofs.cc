#include "core/roofs.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "core/allocator.h"
#include "core/error.h"
#include "core/isa.h"
#include "cpu/runtime/spin.h"

namespace athanor {
namespace {

using Clock = std::chrono::steady_clock;

// Between two looks at the clock, which cost some 30 ns: long enough that they do not count, short enough that threads
// end a window together.
constexpr double kPieceSeconds = 30e-6;
// Floats of one array that a thread works on between two looks at the clock, where the array is larger.
constexpr int64_t kPieceFloats = 64 * 1024;
// Keeps arrays of a power-of-two size from meeting in the same sets of a cache.
constexpr int64_t kApart = 2112;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/** All threads leave arrive() at the same time. */
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}
  void arrive() {
    const int generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
      arrived_.store(0, std::memory_order_relaxed);
      generation_.store(generation + 1, std::memory_order_release);
      return;
    }
    for (int turn = 0; generation_.load(std::memory_order_acquire) == generation; ++turn) spin_pause(turn);
  }

 private:
  const int count_;
  std::atomic<int> arrived_{0}, generation_{0};
};

/** What one thread repeats: does some work and returns how much that was. */
class Work {
 public:
  Work(const RoofRequest& request, const NamedCompute* compute, const NamedStream* stream)
      : compute_(compute), stream_(stream) {
    if (stream == nullptr) return;
    const int arrays = stream->reads + stream->writes;
    const int64_t bytes = request.bytes / request.threads / arrays;
    floats_ = std::max<int64_t>(256, bytes / static_cast<int64_t>(sizeof(float)) / 256 * 256);
    piece_ = std::min(floats_, kPieceFloats);
    block_ = Allocator::cpu().allocate(static_cast<size_t>(3 * (floats_ * 4 + kApart)));
    for (int i = 0; i < 3; ++i) {
      arrays_[i] = reinterpret_cast<float*>(static_cast<char*>(block_.data) + i * (floats_ * 4 + kApart));
      std::memset(arrays_[i], 0, static_cast<size_t>(floats_) * 4);
    }
  }
  ~Work() { Allocator::cpu().release(block_); }
  Work(const Work&) = delete;

  double run() {
    double amount = 0;
    for (int64_t i = 0; i < repeats_; ++i) amount += once();
    return amount;
  }

  /** Chooses the repeats between two looks at the clock; this is also the warm-up. */
  void calibrate() {
    for (double seconds = 0; seconds < kPieceSeconds && repeats_ < (int64_t{1} << 30);) {
      const Clock::time_point start = Clock::now();
      run();
      seconds = since(start);
      if (seconds < kPieceSeconds) repeats_ *= 2;
    }
  }

 private:
  double once() {
    if (compute_ != nullptr) return compute_->run(64);
    if (at_ + piece_ > floats_) at_ = 0;
    stream_->run(arrays_[0] + at_, arrays_[1] + at_, arrays_[2] + at_, piece_);
    at_ += piece_;
    return static_cast<double>(piece_) * 4 * (stream_->reads + stream_->writes);
  }

  const NamedCompute* compute_;
  const NamedStream* stream_;
  Block block_;
  float* arrays_[3] = {};
  int64_t floats_ = 0, piece_ = 0, at_ = 0;
  int64_t repeats_ = 1;
};

template <class T>
const T* find(const T* list, const char* name) {
  for (; list->name != nullptr; ++list)
    if (std::strcmp(list->name, name) == 0) return list;
  return nullptr;
}

}  // namespace

bool roof_available(const NamedCompute& loop) {
  if (loop.needs == nullptr) return true;
  return std::strcmp(loop.needs, "avx512bf16") == 0 && has_bf16_dot();
}

std::vector<double> measure_roof(const RoofRequest& request) {
  const NamedCompute* compute = find(request.loops->compute, request.what);
  const NamedStream* stream = find(request.loops->stream, request.what);
  if ((compute == nullptr && stream == nullptr) || (compute != nullptr && !roof_available(*compute)))
    throw Error(format("measure: this machine has no loop '%s'", request.what));

  const size_t windows = static_cast<size_t>(request.windows);
  std::vector<std::vector<double>> rates(static_cast<size_t>(request.threads), std::vector<double>(windows));
  std::vector<std::string> failures(static_cast<size_t>(request.threads));
  Barrier barrier(request.threads);
  enum { waiting, going, abandoned };
  std::atomic<int> gate{waiting};
  const auto body = [&](size_t thread) {
    for (int turn = 0; gate.load(std::memory_order_acquire) == waiting; ++turn) spin_pause(turn);
    if (gate.load(std::memory_order_relaxed) == abandoned) return;
    try {
      Work work(request, compute, stream);
      work.calibrate();
      for (size_t w = 0; w < windows; ++w) {
        barrier.arrive();
        const Clock::time_point start = Clock::now();
        double amount = 0, seconds = 0;
        do {
          amount += work.run();
          seconds = since(start);
        } while (seconds < request.seconds && !request.stop->load(std::memory_order_relaxed));
        rates[thread][w] = amount / seconds;
      }
    } catch (const std::exception& e) {
      failures[thread] = e.what();
      for (size_t w = 0; w < windows; ++w) barrier.arrive();  // the others must not wait for this one
    }
  };
  std::vector<std::thread> others;
  try {
    for (size_t thread = 1; thread < rates.size(); ++thread) others.emplace_back(body, thread);
    gate.store(going, std::memory_order_release);
    body(0);
  } catch (const std::system_error& e) {
    gate.store(abandoned, std::memory_order_release);
    failures[0] = format("%d threads could not be started: %s", request.threads, e.what());
  }
  for (std::thread& t : others) t.join();
  for (const std::string& failure : failures)
    if (!failure.empty()) throw Error("measure: " + failure);

  std::vector<double> sums(windows);
  for (const auto& list : rates)
    for (size_t w = 0; w < windows; ++w) sums[w] += list[w];
  return sums;
}

}  // namespace athanor
