#include "core/device_task.h"

#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "core/device.h"
#include "core/error.h"

namespace athanor {
namespace {

/** The engine's side of DeviceContext. Scratch memory goes back as soon as the kernels are queued: whoever gets it next
 *  uses it later in the same queue. */
class RunningOnDevice : public DeviceContext {
 public:
  RunningOnDevice(Device& on, const Task& task) : on_(on) {
    Context::blas = nullptr;
    Context::threads = 1;
    Context::parallel = nullptr;
    Context::scratch = [](Context* c, size_t bytes) {
      auto* self = static_cast<RunningOnDevice*>(c);
      self->blocks_.push_back(self->on_.allocator().allocate(bytes));
      return self->blocks_.back().data;
    };
    Context::fail = refuse;
    queue = on.queue();
    report = on.report();
    op = task.op;
    sequence = task.sequence;
    device = on.ordinal();
    multiprocessors = on.properties().multiprocessors;
    float32_precision = athanor::float32_precision();
  }
  ~RunningOnDevice() {
    for (Block b : blocks_) on_.allocator().release(b);
  }
  const std::string& message() const { return message_; }

  /** A number of the call in the device's memory. */
  void* put_number(const Operand& o) {
    uint64_t bits = 0;
    std::memcpy(&bits, o.scalar, sizeof o.scalar);
    void* to = Context::scratch(this, sizeof bits);
    on_.check(on_.module().write_number(on_.queue(), to, bits), "passing a number");
    return to;
  }

 private:
  static void refuse(Context* c, const char* text, ...) {
    auto* self = static_cast<RunningOnDevice*>(c);
    if (!self->message_.empty()) return;
    va_list args;
    va_start(args, text);
    self->message_ = vformat(text, args);
    va_end(args);
  }

  Device& on_;
  std::vector<Block> blocks_;
  std::string message_;
};

bool synchronous() {
  static const bool set = [] {
    const char* text = std::getenv("ATHANOR_SYNC");
    return text != nullptr && *text != '\0' && std::strcmp(text, "0") != 0;
  }();
  return set;
}

void launch(Device& device, Task& task) {
  RunningOnDevice context(device, task);
  std::vector<View> views(static_cast<size_t>(task.n_operands));
  for (size_t i = 0; i < views.size(); ++i) {
    Operand& o = task.operands[i];
    views[i] = o.view;
    views[i].literal = o.role == Role::scalar;
    if (o.role == Role::scalar) {
      views[i].data = o.scalar;
      if (!device.takes_literals(task.op)) {
        views[i].literal = false;
        views[i].data = context.put_number(o);
      }
      continue;
    }
    if (o.role != Role::input || o.storage->bytes == 0) o.storage->ensure_memory();
    views[i].data = static_cast<char*>(o.storage->data()) + o.offset * static_cast<int64_t>(item_size(o.view.dtype));
  }
  const Call call{views.data(),      views.data() + task.n_in,
                  task.attrs.data(), task.n_in,
                  task.n_out,        static_cast<int>(task.attrs.size()),
                  &context};
  device_table().run(task.op, call);
  if (!context.message().empty()) throw Error(context.message());
}

// The input's storage from its offset (in bytes) on into the output.
void run_transfer(Task& task) {
  Operand &from = task.operands[0], &to = task.operands[1];
  const size_t bytes = to.storage->bytes;
  if (from.storage->bytes == 0) from.storage->ensure_memory();
  to.storage->ensure_memory();
  const char* source = static_cast<char*>(from.storage->data()) + from.offset;
  const int here = from.storage->device, there = to.storage->device;
  if (here == 0 && there == 0) {
    std::memcpy(to.storage->data(), source, bytes);
  } else if (here == there) {
    Device& device = device_at(here);
    device.check(device.module().copy_within(device.queue(), to.storage->data(), source, bytes), "copying");
  } else if (here == 0) {
    device_at(there).copy_in(to.storage->data(), source, bytes);
  } else if (there == 0) {
    device_at(here).copy_out(to.storage->data(), source, bytes);
  } else {
    std::vector<char> host(bytes);
    device_at(here).copy_out(host.data(), source, bytes);
    device_at(there).copy_in(to.storage->data(), host.data(), bytes);
  }
}

}  // namespace

void run_on_device(Task& task) {
  const ModuleInUse use;
  if (task.op == kTransfer) return run_transfer(task);
  Device& device = device_at(task.device);
  if (task.times != nullptr) {
    // What a queue does cannot be told apart from outside, so a task that is timed has the device to itself.
    device.synchronize();
    const int64_t start = now_ns();
    launch(device, task);
    device.synchronize();
    task.times->add({task.label, start, now_ns()});
  } else {
    launch(device, task);
    if (synchronous()) device.synchronize();
  }
  Complaint complaint;
  if (synchronous() && device.take_complaint(&complaint)) throw Error(complaint.what);
}

std::shared_ptr<const Failure> failure_of_device(int device) {
  Complaint complaint;
  if (!device_at(device).take_complaint(&complaint)) return nullptr;
  auto failure = std::make_shared<Failure>();
  failure->message = std::string(device_table().entry(complaint.op).name) + ": " + complaint.what;
  failure->sequence = complaint.sequence;
  return failure;
}

namespace {

std::shared_ptr<const Failure> failure_from(const std::exception& e) {
  auto failure = std::make_shared<Failure>();
  failure->message = std::string("read: ") + e.what();
  return failure;
}

}  // namespace

std::shared_ptr<const Failure> read_from_device(Storage& storage, size_t offset, size_t bytes, void* destination) {
  if (storage.failure) return storage.failure;
  try {
    device_at(storage.device).copy_out(destination, static_cast<char*>(storage.data()) + offset, bytes);
    if (bytes == 0) device_at(storage.device).synchronize();
  } catch (const std::exception& e) {
    return failure_from(e);
  }
  return failure_of_device(storage.device);
}

// ---- reads that nobody waits for

struct DeviceReads::State {
  struct Pending {
    ReadRequest read;
    Stream::OnRead on_read;
    Storage* storage;  // held until the device has copied it
    void* event;
    void* staged;
    size_t at, bytes;  // the last piece, which is still on its way
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Pending> pending;
  bool closing = false;
  std::thread thread;  // started by the first read

  void run() {
    std::unique_lock<std::mutex> lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return closing || !pending.empty(); });
      if (pending.empty()) return;
      const Pending p = pending.front();
      pending.pop_front();
      lock.unlock();
      finish(p);
      lock.lock();
    }
  }

  static void finish(const Pending& p) {
    const ModuleInUse use;
    Device& device = device_at(p.storage->device);
    std::shared_ptr<const Failure> failure;
    try {
      device.check(device.module().await_event(device.ordinal(), p.event), "reading");
      if (p.bytes > 0) std::memcpy(static_cast<char*>(p.read.destination) + p.at, p.staged, p.bytes);
      failure = failure_of_device(p.storage->device);
    } catch (const std::exception& e) {
      failure = failure_from(e);
    }
    device.staging().give(p.staged);
    p.storage->release();
    p.on_read(p.read.reader, p.read.id, std::move(failure));
  }
};

DeviceReads::DeviceReads() : state_(new State) {}
DeviceReads::~DeviceReads() { close(); }

void DeviceReads::begin(const ReadRequest& read, Stream::OnRead on_read) {
  const ModuleInUse use;
  Storage& storage = *read.storage;
  if (storage.failure) return on_read(read.reader, read.id, storage.failure);
  Device& device = device_at(storage.device);
  void* staged = nullptr;
  try {
    const char* from = static_cast<char*>(storage.data()) + read.offset_bytes;
    // All but the last piece here: the queue has to get there anyway, and only the stream's thread waits.
    size_t at = 0;
    if (read.bytes > StagingPool::kBytes) {
      at = (read.bytes - 1) / StagingPool::kBytes * StagingPool::kBytes;
      device.copy_out(read.destination, from, at);
    }
    staged = device.staging().take();
    const size_t rest = read.bytes - at;
    if (rest > 0) device.check(device.module().copy_out(device.queue(), staged, from + at, rest), "reading");
    void* event = nullptr;
    device.check(device.module().record(device.queue(), &event), "reading");
    storage.retain();
    {
      std::lock_guard<std::mutex> lock(state_->mutex);
      if (!state_->thread.joinable()) state_->thread = std::thread([this] { state_->run(); });
      state_->pending.push_back({read, on_read, &storage, event, staged, at, rest});
    }
    state_->changed.notify_one();
  } catch (const std::exception& e) {
    if (staged != nullptr) device.staging().give(staged);
    on_read(read.reader, read.id, failure_from(e));
  }
}

void DeviceReads::close() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->closing = true;
  }
  state_->changed.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace athanor
