// The devices beside the CPU. Device 0 is the CPU, which everything that is in a hurry handles by itself; the others
// come from a module that is loaded when somebody first asks for one. They are shared by all environments of the
// process, each has one queue, and none of them ever goes away again.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/device_allocator.h"
#include "core/device_module.h"
#include "core/staging.h"
#include "core/table.h"

namespace athanor {

constexpr int kMaxDevices = 17;  // the CPU and sixteen more

/** What a kernel that has ended found wrong with its data. */
struct Complaint {
  std::string what;
  int op = 0;
  uint64_t sequence = 0;
};

class Device {
 public:
  Device(const DeviceModule& module, int ordinal);

  const std::string& name() const { return name_; }  // "cuda:0"
  const DeviceProperties& properties() const { return properties_; }
  const DeviceModule& module() const { return module_; }
  int ordinal() const { return ordinal_; }
  /** Opened when it is first asked for, since that takes the device's memory and a part of a second. Throws Error. */
  void* queue() const {
    open();
    return queue_;
  }
  /** Whether an op's kernels read numbers that the call carries by themselves. */
  bool takes_literals(int op) const { return takes_literals_[static_cast<size_t>(op)] != 0; }
  DeviceAllocator& allocator() { return allocator_; }
  StagingPool& staging() { return staging_; }
  DeviceReport* report() const {
    open();
    return report_;
  }

  /** Throws unless the code of a module's function is 0; `what` was attempted. */
  void check(int code, const char* what) const;
  /** Copies between host memory of any kind and this device. They come back when the host memory may be used again: in,
   * that is before the queue has got there; out, it is not. */
  void copy_in(void* to, const void* from_host, size_t bytes);
  void copy_out(void* to_host, const void* from, size_t bytes);
  /** Whether a kernel that has ended complained; the complaint is forgotten here. */
  bool take_complaint(Complaint* out);
  /** `windows` figures of FLOPs or bytes a second of the device. Throws Error for what it cannot measure. */
  std::vector<double> measure(const std::string& what, int64_t bytes, double seconds, int windows) const;
  void synchronize() const { check(module_.synchronize(queue()), "waiting for the device"); }

 private:
  const DeviceModule& module_;
  const int ordinal_;
  const std::string name_;
  DeviceProperties properties_{};
  mutable std::once_flag opened_;
  mutable void* queue_ = nullptr;
  mutable DeviceReport* report_ = nullptr;
  DeviceAllocator allocator_;
  StagingPool staging_;
  std::vector<char> takes_literals_;  // by op
  std::mutex report_mutex_;

  void open() const;
};

/** Opens the module in a file, once for the process. Returns why there is no device, empty if there is one. */
std::string open_device_module(const std::string& file);
/** A setting of the process. */
void set_float32_precision(Float32Precision precision);
Float32Precision float32_precision();

/**
 * Held while a module is called from a thread that the end of the process does not wait for. Once the process is ending
 * nobody gets it any more: the module's runtime takes itself apart then.
 */
class ModuleInUse {
 public:
  ModuleInUse();
  ~ModuleInUse();
  ModuleInUse(const ModuleInUse&) = delete;
};

/** The CPU and what the module has brought. */
int device_count();
/** `index` from 1 to device_count() - 1. */
Device& device_at(int index);
/** The ops of all those devices; throws before there are any. */
Table& device_table();

}  // namespace athanor
