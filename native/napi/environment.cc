#include "napi/environment.h"

#include <algorithm>

#include "core/settings.h"

namespace athanor {
namespace {

// What V8 is told a handle costs beside its buffer: a million empty tensors must not look free to the collector.
constexpr int64_t kHandleBytes = 256;
// Telling V8 costs more than counting: it is told each time this much has come together.
constexpr int64_t kReportEvery = 256 << 10;
// A collection frees thousands of small storages at once, and the loop that made them goes on: these are kept as they
// are, memory and all (8 MiB at most).
constexpr size_t kSpareStorages = 8192;
constexpr size_t kSpareBytes = 1024;

struct ReadEnd {
  uint64_t id;
  std::shared_ptr<const Failure> failure;
};

void end_read(void* session, uint64_t id, std::shared_ptr<const Failure> failure) {
  static_cast<Session*>(session)->end_read(id, std::move(failure));
}

}  // namespace

Environment::Environment() : compute_(0, end_read), loader_(1, end_read) {
  compute_.set_peer(&loader_);
  loader_.set_peer(&compute_);
  environments_.fetch_add(1, std::memory_order_relaxed);
}

std::atomic<int> Environment::environments_{0};

Environment* Environment::create(napi_env env) {
  auto* self = new Environment;
  napi_set_instance_data(env, self, nullptr, nullptr);
  return self;
}

void Environment::close() {
  if (closed_) return;
  closed_ = true;
  environments_.fetch_sub(1, std::memory_order_relaxed);
  background.stop();
  compute_.stop();
  loader_.stop();
  compute_.close();
  loader_.close();
  unref();
}

void Environment::close_first(napi_env env) {
  // Node aborts when the same hook is added twice.
  void (*const close)(void*) = [](void* data) { static_cast<Environment*>(data)->close(); };
  napi_remove_env_cleanup_hook(env, close, this);
  napi_add_env_cleanup_hook(env, close, this);
}

void Environment::unref() {
  if (--references_ > 0) return;
  for (Handle* h : spare_handles_) delete h;
  free_spares();
  delete this;
}

napi_value Environment::make_handle(napi_env env, Storage* storage) {
  Handle* handle;
  if (spare_handles_.empty()) {
    handle = new Handle;
  } else {
    handle = spare_handles_.back();
    spare_handles_.pop_back();
  }
  handle->storage = storage;
  handle->owner = this;
  napi_value external = nullptr;
  if (napi_create_external(env, handle, finalize_handle, nullptr, &external) != napi_ok) {
    storage->release();
    delete handle;
    return nullptr;
  }
  ++references_;
  count(env, *storage);
  return external;
}

void Environment::count(napi_env env, const Storage& storage) {
  const int64_t bytes = static_cast<int64_t>(storage.bytes);
  Live& there = live[storage.device];
  ++there.handles;
  there.bytes += bytes;
  unreported_bytes_ += bytes + kHandleBytes;
  if (unreported_bytes_ > kReportEvery) report_external_memory(env);
}

Storage* Environment::new_storage(size_t bytes, int device) {
  if (spare_storages_.empty()) return new Storage(bytes, device);
  Storage* storage = spare_storages_.back();
  spare_storages_.pop_back();
  storage->renew(bytes, device);
  return storage;
}

void Environment::free_spares() noexcept {
  for (Storage* s : spare_storages_) s->release();
  spare_storages_.clear();
}

Storage* Environment::refill(napi_env env, Handle* handle, size_t bytes, int device) {
  Storage* storage = handle->storage;
  if (storage != nullptr && storage->device == device && storage->sole()) {
    const int64_t change = static_cast<int64_t>(bytes) - static_cast<int64_t>(storage->bytes);
    storage->renew(bytes, device);
    live[device].bytes += change;
    unreported_bytes_ += change;
    return storage;
  }
  drop(handle);
  handle->storage = new_storage(bytes, device);
  count(env, *handle->storage);
  return handle->storage;
}

// Near the memory limit garbage must not be what an op fails on; where all is in use, an eighth more each time.
// Environments share the room, and none sees what garbage the others have.
int64_t Environment::near_room(const Live& there) const noexcept {
  return std::max(there.room / 4 * 3 / std::max(sharers_, 1), there.bytes + there.bytes / 8);
}

void Environment::share() noexcept {
  sharers_ = environments_.load(std::memory_order_relaxed);
  for (Live& there : live)
    if (there.room > 0) there.collect_at = std::min(there.collect_at, near_room(there));
}

void Environment::drop(Handle* handle) noexcept {
  Storage* storage = handle->storage;
  if (storage == nullptr) return;
  handle->storage = nullptr;
  const int64_t bytes = static_cast<int64_t>(storage->bytes);
  Live& there = live[storage->device];
  --there.handles;
  there.bytes -= bytes;
  // A collection while a tensor was promised that the device cannot hold set a limit that nothing real ever reaches.
  if (there.room > 0 && there.collect_at > there.room) there.collect_at = std::min(there.collect_at, near_room(there));
  unreported_bytes_ -= bytes + kHandleBytes;
  storage->release();
}

// Runs inside a garbage collection: it counts and pushes to free lists, and calls nothing of Node-API.
void Environment::finalize_handle(node_api_basic_env, void* data, void*) {
  Handle* handle = static_cast<Handle*>(data);
  Environment* owner = handle->owner;
  Storage* storage = handle->storage;
  if (storage != nullptr && storage->device == 0 && storage->bytes <= kSpareBytes && storage->sole() &&
      owner->spare_storages_.size() < kSpareStorages) {
    storage->retain();
    owner->spare_storages_.push_back(storage);
  }
  owner->drop(handle);
  owner->spare_handles_.push_back(handle);
  owner->unref();
}

void Environment::collected() noexcept {
  sharers_ = environments_.load(std::memory_order_relaxed);
  for (int device = 0; device < device_count(); ++device) {
    Live& there = live[device];
    there.collect_at = there.bytes + std::max(there.bytes, kGarbage);
    const size_t room = device == 0 ? Allocator::cpu().available() : device_at(device).allocator().available();
    there.room = static_cast<int64_t>(room);
    if (there.room > 0) there.collect_at = std::min(there.collect_at, near_room(there));
  }
}

void Environment::report_external_memory(napi_env env) {
  const int64_t change = unreported_bytes_;
  unreported_bytes_ = 0;
  int64_t now;
  if (change != 0) napi_adjust_external_memory(env, change, &now);
}

std::shared_ptr<const Failure> Environment::take_failure() {
  auto failure = compute_.take_failure();
  return failure ? failure : loader_.take_failure();
}

void Environment::delivered(const std::shared_ptr<const Failure>& failure) {
  compute_.delivered(failure);
  loader_.delivered(failure);
}

Session* Session::create(napi_env env, napi_value block, napi_value on_read) {
  Environment::of(env)->run_at_once = settings().synchronous;
  Environment::of(env)->collected();               // the memory limit is known now
  auto* self = new Session(Environment::of(env));  // lives as long as the process: executors may still name it
  napi_typedarray_type type;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, block, &type, &self->block_length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array)
    throw Error("the command block must be a Float64Array");
  self->block = static_cast<double*>(data);
  napi_create_reference(env, block, 1, &self->block_reference_);
  napi_value name;
  napi_create_string_utf8(env, "athanor read", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, on_read, nullptr, name, 0, 1, nullptr, nullptr, self, call_back,
                                      &self->notify_) != napi_ok)
    throw Error("no thread-safe function could be made");
  napi_unref_threadsafe_function(env, self->notify_);
  self->environment->close_first(env);
  return self;
}

uint64_t Session::add_read(napi_env env) {
  if (pending_reads_++ == 0) napi_ref_threadsafe_function(env, notify_);
  return next_read_++;
}

void Session::end_read(uint64_t id, std::shared_ptr<const Failure> failure) {
  napi_call_threadsafe_function(notify_, new ReadEnd{id, std::move(failure)}, napi_tsfn_nonblocking);
}

void Session::call_back(napi_env env, napi_value callback, void* context, void* data) {
  std::unique_ptr<ReadEnd> end(static_cast<ReadEnd*>(data));
  if (env == nullptr) return;  // the environment is going away; nobody is left to hear of it
  Session& self = *static_cast<Session*>(context);
  if (--self.pending_reads_ == 0) napi_unref_threadsafe_function(env, self.notify_);
  std::shared_ptr<const Failure> failure = std::move(end->failure);
  if (failure)
    self.environment->delivered(failure);
  else
    failure = self.environment->take_failure();
  napi_value args[3], undefined, ignored;
  napi_get_undefined(env, &undefined);
  napi_create_double(env, static_cast<double>(end->id), &args[0]);
  args[1] = args[2] = undefined;
  if (failure) {
    napi_create_string_utf8(env, failure->message.c_str(), failure->message.size(), &args[1]);
    napi_create_double(env, static_cast<double>(failure->sequence), &args[2]);
  }
  napi_call_function(env, undefined, callback, failure ? 3 : 1, args, &ignored);
}

}  // namespace athanor
