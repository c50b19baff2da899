// Tasks that run on, or move data to or from, a device that is not the CPU.
#pragma once
#include <functional>
#include <memory>

#include "core/stream.h"
#include "core/task.h"

namespace athanor {

/** Hands an op to its device's queue, or moves data (to the host it waits for them). Throws what the host can tell;
 * what only the device finds out is told to reads. */
void run_on_device(Task& task);

/** Reads storages of devices for one stream, with a thread that waits for the data so that the stream goes on. */
class DeviceReads {
 public:
  DeviceReads();
  ~DeviceReads();
  /** Hands the copy to the queue; `on_read` is called when the data has arrived, or is known not to. */
  void begin(const ReadRequest& read, Stream::OnRead on_read);
  /** Waits for the reads begun. */
  void close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/** The same on the calling thread, which waits. Null when it went well. */
std::shared_ptr<const Failure> read_from_device(Storage& storage, size_t offset, size_t bytes, void* destination);

/** The failure that a kernel of the device reported meanwhile; null: none. */
std::shared_ptr<const Failure> failure_of_device(int device);

}  // namespace athanor
