#include "core/device.h"

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <shared_mutex>

#include "core/error.h"
#include "core/settings.h"
#include "core/storage.h"

namespace athanor {
namespace {

struct Loaded {
  std::mutex mutex;
  bool tried = false;
  std::string reason;
  const DeviceModule* module = nullptr;
  std::vector<Device*> devices;  // never destroyed: finalizers of a late garbage collection still use them
  std::unique_ptr<Table> table;
  std::atomic<int> count{1};
};

Loaded& loaded() {
  static Loaded* instance = new Loaded;
  return *instance;
}

DeviceAllocator::Source source_of(Device* device) {
  return {device,
          [](void* context, size_t bytes) {
            auto* self = static_cast<Device*>(context);
            void* data = nullptr;
            self->check(self->module().allocate(self->ordinal(), bytes, &data), "taking memory");
            return data;
          },
          [](void* context, void* data) noexcept {
            auto* self = static_cast<Device*>(context);
            self->module().release(self->ordinal(), data);
          }};
}

DeviceProperties properties_of(const DeviceModule& module, int ordinal) {
  DeviceProperties out{};
  const int code = module.properties(ordinal, &out);
  if (code != 0) throw Error(format("%s:%d: %s", module.kind, ordinal, module.describe(code)));
  return out;
}

// ---- the end of the process. exit() runs the handlers of the module's runtime while threads of streams still work,
// since process.exit() waits for none of them. A call in the midst of that may do anything, so a handler of our own
// waits for those that are under way, within reason, and lets no other begin. Handlers run last in, first out: this one
// is added when a device has been opened, behind those of its runtime.

std::shared_timed_mutex& use_of_module() {
  static auto* instance = new std::shared_timed_mutex;
  return *instance;
}

void last_use_at_exit() {
  static constexpr std::chrono::seconds most{10};  // a kernel that never ends must not keep the process
  static const int added = std::atexit([] { static_cast<void>(use_of_module().try_lock_for(most)); });
  static_cast<void>(added);
}

void open(Loaded& all, const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Error(dlerror());
  const auto get = reinterpret_cast<AthanorDeviceModule>(dlsym(library, ATHANOR_DEVICE_MODULE));
  if (get == nullptr) throw Error(format("%s is no module of athanor", file.c_str()));
  const DeviceModule* module = get();
  if (module->abi != kDeviceAbi || module->bytes != sizeof(DeviceModule))
    throw Error(format("%s was built for another version of athanor", file.c_str()));
  char reason[512] = "";
  int count = module->count(reason, sizeof reason);
  if (count <= 0) throw Error(reason);
  if (count > kMaxDevices - 1) count = kMaxDevices - 1;
  all.table = std::make_unique<Table>(module->families, module->n_families);
  for (int i = 0; i < count; ++i) all.devices.push_back(new Device(*module, i));
  all.module = module;
  all.count.store(count + 1, std::memory_order_release);
}

}  // namespace

std::string open_device_module(const std::string& file) {
  Loaded& all = loaded();
  std::lock_guard<std::mutex> lock(all.mutex);
  if (!all.tried) {
    all.tried = true;
    try {
      open(all, file);
    } catch (const std::exception& e) {
      all.reason = e.what();
    }
  }
  return all.reason;
}

namespace {
std::atomic<Float32Precision> precision{Float32Precision::exact};
}  // namespace

void set_float32_precision(Float32Precision p) { precision.store(p, std::memory_order_relaxed); }
Float32Precision float32_precision() { return precision.load(std::memory_order_relaxed); }

ModuleInUse::ModuleInUse() { use_of_module().lock_shared(); }
ModuleInUse::~ModuleInUse() { use_of_module().unlock_shared(); }

int device_count() { return loaded().count.load(std::memory_order_acquire); }
Device& device_at(int index) { return *loaded().devices[static_cast<size_t>(index - 1)]; }
Table& device_table() {
  if (device_count() == 1) throw Error("there is no device beside the cpu");
  return *loaded().table;
}

Device::Device(const DeviceModule& module, int ordinal)
    : module_(module),
      ordinal_(ordinal),
      name_(format("%s:%d", module.kind, ordinal)),
      properties_(properties_of(module, ordinal)),
      allocator_(name_, source_of(this), properties_.memory_bytes, settings().device_cache),
      staging_({module.allocate_host, module.release_host, ordinal, module.passed, module.await_event}) {
  Table& ops = Table::instance();
  for (int op = 0; op < ops.size(); ++op)
    takes_literals_.push_back(module_.takes_literals(ops.entry(op).name) != 0 ? 1 : 0);
}

void Device::open() const {
  std::call_once(opened_, [this] {
    void* queue = nullptr;
    check(module_.open_queue(ordinal_, &queue), "opening the device");
    auto* report = static_cast<DeviceReport*>(module_.allocate_host(ordinal_, sizeof(DeviceReport)));
    if (report == nullptr) throw OutOfMemory("out of pinned host memory");
    std::memset(report, 0, sizeof *report);
    queue_ = queue;
    report_ = report;
    last_use_at_exit();
  });
}

void Device::check(int code, const char* what) const {
  if (code != 0) throw Error(format("%s: %s: %s", name_.c_str(), what, module_.describe(code)));
}

std::vector<double> Device::measure(const std::string& what, int64_t bytes, double seconds, int windows) const {
  std::vector<double> rates(static_cast<size_t>(windows));
  const DeviceRoof request{what.c_str(), bytes, seconds, windows, rates.data()};
  check(module_.measure_roof(queue(), &request), "measuring a roof");
  return rates;
}

namespace {

/** A block of a staging pool for a while. */
class Staged {
 public:
  explicit Staged(StagingPool& pool) : pool_(pool), data(static_cast<char*>(pool.take())) {}
  ~Staged() { pool_.give(data); }
  Staged(const Staged&) = delete;

 private:
  StagingPool& pool_;

 public:
  char* const data;
};

size_t piece_at(size_t bytes, size_t at) { return bytes - at < StagingPool::kBytes ? bytes - at : StagingPool::kBytes; }

}  // namespace

void Device::copy_in(void* to, const void* from_host, size_t bytes) {
  for (size_t at = 0; at < bytes; at += StagingPool::kBytes) {
    const size_t n = piece_at(bytes, at);
    void* block = staging_.take();
    void* event = nullptr;
    std::memcpy(block, static_cast<const char*>(from_host) + at, n);
    int code = module_.copy_in(queue(), static_cast<char*>(to) + at, block, n);
    if (code == 0) code = module_.record(queue(), &event);
    if (code != 0) {
      staging_.give(block);
      check(code, "copying to the device");
    }
    staging_.give_after(block, event);
  }
}

// Two blocks take turns: while the device fills one, the processor empties the other.
void Device::copy_out(void* to_host, const void* from, size_t bytes) {
  if (bytes == 0) return;
  Staged blocks[2] = {Staged(staging_), Staged(staging_)};
  void* copied[2] = {nullptr, nullptr};
  const auto start = [&](size_t at, int turn) {
    check(module_.copy_out(queue(), blocks[turn].data, static_cast<const char*>(from) + at, piece_at(bytes, at)),
          "copying from the device");
    check(module_.record(queue(), &copied[turn]), "copying from the device");
  };
  start(0, 0);
  int turn = 0;
  for (size_t at = 0; at < bytes; at += StagingPool::kBytes, turn = 1 - turn) {
    if (at + StagingPool::kBytes < bytes) start(at + StagingPool::kBytes, 1 - turn);
    check(module_.await_event(ordinal_, copied[turn]), "copying from the device");
    std::memcpy(static_cast<char*>(to_host) + at, blocks[turn].data, piece_at(bytes, at));
  }
}

bool Device::take_complaint(Complaint* out) {
  open();
  if (__atomic_load_n(&report_->ready, __ATOMIC_ACQUIRE) == 0) return false;
  std::lock_guard<std::mutex> lock(report_mutex_);
  if (__atomic_load_n(&report_->ready, __ATOMIC_ACQUIRE) == 0) return false;
  // A format of the module's, with two %lld in it.
  char text[256];
  std::snprintf(text, sizeof text, module_.complaints[report_->what], static_cast<long long>(report_->given),
                static_cast<long long>(report_->limit));
  *out = {text, report_->op, report_->sequence};
  report_->ready = 0;
  __atomic_store_n(&report_->taken, 0u, __ATOMIC_RELEASE);
  return true;
}

// ---- what storages ask for

Block allocate_on(int device, size_t bytes) { return device_at(device).allocator().allocate(bytes); }
void release_on(int device, Block block) noexcept { device_at(device).allocator().release(block); }

}  // namespace athanor
