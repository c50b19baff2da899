#include "core/device_allocator.h"

#include <algorithm>
#include <vector>

#include "core/error.h"

namespace athanor {
namespace {

constexpr size_t kUnit = 512;  // what a transaction of any kernel wants to be aligned to, with room to spare
constexpr size_t kMegabyte = size_t{1} << 20;
// Requests up to here share segments of their own: a weight that lives long would else keep a large segment in pieces.
constexpr size_t kSmall = kMegabyte;
constexpr size_t kSmallSegment = 2 * kMegabyte;  // the driver hands out no less
// Requests from here to kLarge share segments too; above, a segment fits its request, since little else would fit it.
constexpr size_t kMediumSegment = 20 * kMegabyte;
constexpr size_t kLarge = 10 * kMegabyte;

size_t whole(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

size_t segment_bytes(size_t bytes, bool small) {
  return small ? kSmallSegment : bytes < kLarge ? kMediumSegment : whole(bytes, kSmallSegment);
}

}  // namespace

DeviceAllocator::DeviceAllocator(std::string name, Source source, size_t physical, bool cache)
    : name_(std::move(name)), source_(source), physical_(physical), cache_(cache) {}

DeviceAllocator::~DeviceAllocator() {
  while (!live_.empty()) release({live_.begin()->first, live_.begin()->second->bytes});
  trim_locked(0);
}

size_t DeviceAllocator::round_up(size_t bytes) noexcept {
  if (bytes > (size_t{1} << 62)) return bytes;  // refused by the driver, not by an overflow here
  return std::max(kUnit, whole(bytes, kUnit));
}

DeviceAllocator::Piece* DeviceAllocator::take_cached(size_t bytes, int queue, bool small) {
  Pool& pool = pools_[{queue, small}];
  Piece wanted{nullptr, bytes, queue, small, true, nullptr, nullptr};
  const auto at = pool.lower_bound(&wanted);
  if (at == pool.end()) return nullptr;
  Piece* piece = *at;
  // A piece of a segment made for something far larger would keep that segment from ever being used whole again.
  if (!small && bytes >= kLarge && piece->bytes > 2 * bytes && piece->bytes > kMediumSegment) return nullptr;
  pool.erase(at);
  stats_.cached_bytes -= piece->bytes;
  return piece;
}

DeviceAllocator::Piece* DeviceAllocator::take_segment(size_t bytes, int queue, bool small) {
  // Under a limit, or on a device that is nearly full, a segment of exactly the request may be all that is left.
  for (const size_t size : {cache_ ? segment_bytes(bytes, small) : bytes, bytes}) {
    const size_t held = stats_.live_bytes + stats_.cached_bytes;
    if (stats_.limit_bytes != 0 && (size > stats_.limit_bytes || held > stats_.limit_bytes - size)) continue;
    ++stats_.system_calls;
    void* data = source_.allocate(source_.context, size);
    if (data != nullptr) return new Piece{static_cast<char*>(data), size, queue, small, false, nullptr, nullptr};
  }
  return nullptr;
}

/** Cuts what is beyond `bytes` off a piece that was just taken, if it is worth keeping. */
void DeviceAllocator::split(Piece* piece, size_t bytes) {
  const size_t rest = piece->bytes - bytes;
  if (rest < (piece->small ? kUnit : kSmall)) return;
  Piece* next = new Piece{piece->data + bytes, rest, piece->queue, piece->small, true, piece, piece->after};
  if (next->after != nullptr) next->after->before = next;
  piece->after = next;
  piece->bytes = bytes;
  pool_of(*next).insert(next);
  stats_.cached_bytes += rest;
}

/** Joins a piece with the free one behind it, which no pool holds any more. */
void DeviceAllocator::absorb_next(Piece* piece) {
  Piece* next = piece->after;
  piece->bytes += next->bytes;
  piece->after = next->after;
  if (piece->after != nullptr) piece->after->before = piece;
  delete next;
}

Block DeviceAllocator::allocate(size_t bytes, int queue) {
  const size_t wanted = cache_ ? round_up(bytes) : std::max<size_t>(bytes, 1);
  const bool small = wanted <= kSmall;
  std::lock_guard<std::mutex> lock(mutex_);
  Piece* piece = take_cached(wanted, queue, small);
  if (piece == nullptr) piece = take_segment(wanted, queue, small);
  if (piece == nullptr) {
    trim_locked(0);
    piece = take_segment(wanted, queue, small);
  }
  if (piece == nullptr) {
    throw OutOfMemory(format("out of memory on %s: %zu bytes were asked for with %zu live and %zu cached of %zu%s",
                             name_.c_str(), bytes, stats_.live_bytes, stats_.cached_bytes, physical_,
                             stats_.limit_bytes ? format(", and a limit of %zu", stats_.limit_bytes).c_str() : ""));
  }
  split(piece, wanted);
  piece->free = false;
  live_[piece->data] = piece;
  stats_.live_bytes += piece->bytes;
  stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.live_bytes);
  return {piece->data, piece->bytes};
}

void DeviceAllocator::release(Block block) noexcept {
  if (block.data == nullptr) return;
  std::lock_guard<std::mutex> lock(mutex_);
  const auto at = live_.find(block.data);
  if (at == live_.end()) return;
  Piece* piece = at->second;
  live_.erase(at);
  stats_.live_bytes -= piece->bytes;
  stats_.cached_bytes += piece->bytes;
  piece->free = true;
  if (piece->after != nullptr && piece->after->free) {
    pool_of(*piece->after).erase(piece->after);
    absorb_next(piece);
  }
  if (piece->before != nullptr && piece->before->free) {
    piece = piece->before;
    pool_of(*piece).erase(piece);
    absorb_next(piece);
  }
  pool_of(*piece).insert(piece);
  if (!cache_) trim_locked(0);
}

void DeviceAllocator::trim_locked(size_t keep) noexcept {
  std::vector<Piece*> idle;
  for (auto& entry : pools_)
    for (Piece* piece : entry.second)
      if (piece->before == nullptr && piece->after == nullptr) idle.push_back(piece);
  std::sort(idle.begin(), idle.end(), [](const Piece* a, const Piece* b) { return a->bytes > b->bytes; });
  for (Piece* piece : idle) {
    if (stats_.cached_bytes <= keep) break;
    pool_of(*piece).erase(piece);
    stats_.cached_bytes -= piece->bytes;
    source_.release(source_.context, piece->data);
    delete piece;
  }
}

void DeviceAllocator::trim(size_t keep) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  trim_locked(keep);
}

void DeviceAllocator::set_limit(size_t bytes) noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.limit_bytes = bytes;
}

bool DeviceAllocator::tight(size_t more) const noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_.live_bytes + more > most() / 2;
}

size_t DeviceAllocator::available() const noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  return most();
}

void DeviceAllocator::reset_peak() noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.peak_bytes = stats_.live_bytes;
}

MemoryStats DeviceAllocator::stats() const noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

}  // namespace athanor
