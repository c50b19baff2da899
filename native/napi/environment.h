// What one JavaScript environment (the main thread, or a worker) owns: its streams and its handles. A session is one
// loaded copy of lib/ in it: normally there is one, but test runners and duplicate installs load several.
#pragma once
#include <node_api.h>

#include <atomic>
#include <memory>
#include <vector>

#include "core/device.h"
#include "core/stream.h"
#include "napi/background.h"

namespace athanor {

class Environment;

/** Garbage that may gather: a collection costs milliseconds, about what filling this much memory takes. */
constexpr int64_t kGarbage = int64_t{256} << 20;

/** What a JavaScript external points to. `storage` is null once it was disposed of. */
struct Handle {
  Storage* storage = nullptr;
  Environment* owner = nullptr;
};

class Environment {
 public:
  static Environment* create(napi_env env);
  static Environment* of(napi_env env) {
    void* data = nullptr;
    napi_get_instance_data(env, &data);
    return static_cast<Environment*>(data);
  }

  /** Wraps a storage, whose one reference it takes over, in an external that the garbage collector frees. */
  napi_value make_handle(napi_env env, Storage* storage);
  /** A storage with one reference, for a new handle; one that the garbage collector gave back if there is one. */
  Storage* new_storage(size_t bytes, int device = 0);
  /** Gives a handle that JavaScript has no more use for a storage of `bytes`, in its old memory when that fits. */
  Storage* refill(napi_env env, Handle* handle, size_t bytes, int device);
  /** Lets go of the storage now; the external stays behind, empty. */
  void drop(Handle* handle) noexcept;

  /** Frees the storages kept for new_storage(). */
  void free_spares() noexcept;

  /**
   * Whether so much memory hangs on handles that JavaScript should collect its garbage. V8 is told of each byte, but
   * takes its time: it lets half of its own heap's limit, about a gigabyte, gather before it insists.
   */
  bool wants_collection(int device) {
    if (sharers_ != environments_.load(std::memory_order_relaxed)) share();
    return live[device].bytes > live[device].collect_at;
  }
  /** Garbage was collected: what is left is in use, and the next limit is well above it. */
  void collected() noexcept;

  /** Tells V8 how many bytes hang on its handles. Never from a finalizer: it may start a collection. */
  void report_external_memory(napi_env env);

  Stream& stream(int index) { return index == 0 ? compute_ : loader_; }
  std::shared_ptr<const Failure> take_failure();
  void delivered(const std::shared_ptr<const Failure>& failure);

  /** Ends all threads; for the cleanup hook. */
  void close();
  /**
   * Moves the cleanup hook behind all that there is: hooks run last in, first out, and threads must have ended before a
   * thread-safe function that they call is torn down. To be called after each such function is made.
   */
  void close_first(napi_env env);

  Background background;

  bool run_at_once = false;  // ATHANOR_SYNC=1
  /** What hangs on handles, of one device. */
  struct Live {
    int64_t handles = 0;
    int64_t bytes = 0;
    int64_t collect_at = kGarbage;
    int64_t room = 0;  // the most that the device can hold, as of the last collection; 0: not known yet
  };
  Live live[kMaxDevices];  // of each device

 private:
  Environment();
  void count(napi_env env, const Storage& storage);
  void share() noexcept;
  int64_t near_room(const Live& there) const noexcept;
  static void finalize_handle(node_api_basic_env env, void* data, void* hint);
  void unref();

  static std::atomic<int> environments_;  // that are open, in the process
  int sharers_ = 1;                       // as many as there were when the limits were set
  Stream compute_, loader_;
  std::vector<Handle*> spare_handles_;
  std::vector<Storage*> spare_storages_;
  int64_t unreported_bytes_ = 0;
  int64_t references_ = 1;  // the environment itself and every external: finalizers may run after the cleanup hooks
  bool closed_ = false;
};

/** One loaded copy of lib/: its command block, and whom to tell of its reads. */
class Session {
 public:
  /** `block` is where lib/ writes a call, `on_read(id, message?, sequence?)` hears of reads that have ended. */
  static Session* create(napi_env env, napi_value block, napi_value on_read);

  /** A queued read keeps the process alive until its callback ran. */
  uint64_t add_read(napi_env env);
  /** Any thread: the read has ended. */
  void end_read(uint64_t id, std::shared_ptr<const Failure> failure);

  Environment* const environment;
  double* block = nullptr;
  size_t block_length = 0;
  TaskTimes times;  // of the labelled calls

 private:
  explicit Session(Environment* owner) : environment(owner) {}
  static void call_back(napi_env env, napi_value callback, void* context, void* data);

  napi_ref block_reference_ = nullptr;
  napi_threadsafe_function notify_ = nullptr;
  uint64_t next_read_ = 1;
  int pending_reads_ = 0;
};

}  // namespace athanor
