// Data in and out: uploads copy at once on the calling thread, reads and transfers between devices go through the
// stream.
#include <cstring>

#include "core/device_task.h"
#include "napi/door.h"

namespace athanor {
namespace {

// Copying more than this would hold up the event loop; the executor does it instead.
constexpr size_t kCopyHere = 1 << 20;

struct Bytes {
  void* data = nullptr;
  size_t length = 0;
};

Bytes typed_array_bytes(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  Bytes out;
  if (napi_get_typedarray_info(env, value, &type, &length, &out.data, nullptr, nullptr) != napi_ok)
    throw Error("a typed array was expected");
  static constexpr size_t kSize[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  if (static_cast<size_t>(type) >= sizeof kSize / sizeof *kSize)
    throw Error("a typed array of a known type was expected");
  out.length = length * kSize[type];
  return out;
}

Handle* handle_of(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok) throw Error("a handle was expected");
  return static_cast<Handle*>(data);
}

/** Waits for (or, if `block` is false, asks about) everything that could still write the storage. */
bool settled(Environment& self, bool block) {
  for (int i = 0; i < kStreams; ++i) {
    Stream& stream = self.stream(i);
    if (stream.idle()) continue;
    if (!block) return false;
    stream.wait(stream.submitted());
  }
  return true;
}

/** Sends a copy of a range to another device. Takes over the caller's hold on `from`; answers the new storage. */
Storage* send(Session& session, Storage* from, int64_t offset, size_t bytes, int device) {
  Environment& self = *session.environment;
  Stream& stream = self.stream(static_cast<int>(session.block[kBlockStream]));
  Task& task = stream.begin();
  Storage* to = new Storage(bytes, device);
  task.op = kTransfer;
  task.device = device != 0 ? device : from->device;
  task.n_in = task.n_out = 1;
  for (Storage* storage : {from, to}) {
    Operand& o = task.add_operand();
    o.role = storage == from ? Role::input : Role::output;
    o.storage = storage;
    o.offset = storage == from ? offset : 0;
    o.view.ndim = 1;
    o.view.dtype = DType::u8;
    o.view.shape[0] = static_cast<int64_t>(bytes);
    o.view.strides[0] = 1;
  }
  task.output_bytes = bytes;
  to->retain();  // the task holds one
  session.block[kBlockSequence] = static_cast<double>(stream.submit(task));
  session.block[kBlockCompleted] = static_cast<double>(stream.completed());
  session.block[kBlockTight] = 1;
  if (self.run_at_once) stream.wait(stream.submitted());
  return to;
}

}  // namespace

napi_value upload(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  size_t argc = 2;
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, argv, nullptr, &data);
  Session& session = *static_cast<Session*>(data);
  Environment& self = *session.environment;
  int32_t device = 0;
  if (argc > 1) napi_get_value_int32(env, argv[1], &device);
  Storage* storage = nullptr;
  try {
    const Bytes source = typed_array_bytes(env, argv[0]);
    storage = new Storage(source.length);
    storage->ensure_memory();
    if (source.length > 0) std::memcpy(storage->data(), source.data, source.length);
    if (device != 0) storage = send(session, storage, 0, source.length, device);
  } catch (const std::exception& e) {
    if (storage != nullptr) storage->release();
    return make_string(env, e.what());
  }
  napi_value handle = self.make_handle(env, storage);
  session.block[kBlockCollect] = self.wants_collection(device);
  return handle;
}

napi_value transfer(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  size_t argc = 4;
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, argv, nullptr, &data);
  Session& session = *static_cast<Session*>(data);
  int64_t offset = 0, bytes = 0;
  int32_t device = 0;
  try {
    Storage* from = handle_of(env, argv[0])->storage;
    if (from == nullptr) throw Error("the tensor was disposed of");
    napi_get_value_int64(env, argv[1], &offset);
    napi_get_value_int64(env, argv[2], &bytes);
    napi_get_value_int32(env, argv[3], &device);
    if (offset < 0 || bytes < 0 || static_cast<size_t>(offset + bytes) > from->bytes)
      throw Error("a transfer past the end of the storage");
    from->retain();
    napi_value handle =
        session.environment->make_handle(env, send(session, from, offset, static_cast<size_t>(bytes), device));
    session.block[kBlockCollect] = session.environment->wants_collection(device);
    return handle;
  } catch (const std::exception& e) {
    return make_string(env, e.what());
  }
}

napi_value read(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  size_t argc = 4;
  void* data = nullptr;
  napi_get_cb_info(env, info, &argc, argv, nullptr, &data);
  Session& session = *static_cast<Session*>(data);
  Environment& self = *session.environment;
  int64_t offset = 0;
  int32_t mode = 0;
  try {
    Handle* handle = handle_of(env, argv[0]);
    if (handle->storage == nullptr) throw Error("the tensor was disposed of");
    napi_get_value_int64(env, argv[1], &offset);
    const Bytes destination = typed_array_bytes(env, argv[2]);
    napi_get_value_int32(env, argv[3], &mode);
    Storage* storage = handle->storage;
    if (offset < 0 || static_cast<size_t>(offset) + destination.length > storage->bytes)
      throw Error("a read past the end of the storage");

    const bool on_device = storage->device != 0;
    const bool here = mode == 1 || (destination.length <= kCopyHere && !on_device);
    if (here && settled(self, mode == 1)) {
      if (on_device) {
        auto failure = read_from_device(*storage, static_cast<size_t>(offset), destination.length, destination.data);
        if (failure)
          self.delivered(failure);
        else
          failure = self.take_failure();
        if (!failure) return nullptr;
        session.block[kBlockSequence] = static_cast<double>(failure->sequence);
        return make_string(env, failure->message);
      }
      auto failure = storage->failure;
      if (failure)
        self.delivered(failure);
      else
        failure = self.take_failure();
      if (failure) {
        session.block[kBlockSequence] = static_cast<double>(failure->sequence);
        return make_string(env, failure->message);
      }
      if (destination.length > 0)
        std::memcpy(destination.data, static_cast<char*>(storage->data()) + offset, destination.length);
      return nullptr;
    }
    Stream& stream = self.stream(0);
    stream.start();  // may fail; what follows cannot
    Task& task = stream.begin();
    storage->retain();
    const uint64_t id = session.add_read(env);
    task.read = {storage, static_cast<size_t>(offset), destination.length, destination.data, &session, id};
    stream.submit(task);
    napi_value number;
    napi_create_double(env, static_cast<double>(id), &number);
    return number;
  } catch (const std::exception& e) {
    session.block[kBlockSequence] = 0;
    return make_string(env, e.what());
  }
}

namespace {

/** The failure that nobody has been told of, or undefined. */
napi_value tell_failure(napi_env env, Session& session) {
  auto failure = session.environment->take_failure();
  for (int device = 1; device < device_count(); ++device) {
    try {
      device_at(device).synchronize();
    } catch (const std::exception& e) {
      return make_string(env, e.what());
    }
    if (!failure) failure = failure_of_device(device);
  }
  if (!failure) return nullptr;
  session.block[kBlockSequence] = static_cast<double>(failure->sequence);
  return make_string(env, failure->message);
}

Session& session_of(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t argc = 0;
  napi_get_cb_info(env, info, &argc, nullptr, nullptr, &data);
  return *static_cast<Session*>(data);
}

}  // namespace

napi_value synchronize(napi_env env, napi_callback_info info) {
  Session& session = session_of(env, info);
  settled(*session.environment, true);
  return tell_failure(env, session);
}

napi_value take_failure(napi_env env, napi_callback_info info) { return tell_failure(env, session_of(env, info)); }

napi_value release(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t argc = 1;
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  void* data = nullptr;
  if (napi_get_value_external(env, argv[0], &data) == napi_ok) Environment::of(env)->drop(static_cast<Handle*>(data));
  return nullptr;
}

}  // namespace athanor
