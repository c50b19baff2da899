// The table between the engine and a module of kernels for another kind of device. Plain structs and function pointers
// only: the module is a shared library of its own, made by another compiler and loaded while the program runs.
#pragma once
#include <cstddef>

#include "core/view.h"

namespace athanor {

/** Rises whenever this file, view.h or the meaning of a kernel's call changes: a module of another build is refused. */
constexpr uint32_t kDeviceAbi = 3;

struct DeviceProperties {
  char name[256];
  uint64_t memory_bytes;
  int32_t multiprocessors;
  int32_t major, minor;  // of the chip's instruction set
  uint64_t cache_bytes;  // of the last cache before the memory
};

/** A measurement of what a device can do: `windows` figures of FLOPs or bytes a second. */
struct DeviceRoof {
  const char* what;  // arithmetic: f32, f64, bf16, tf32; memory: read, write, copy, triad
  int64_t bytes;     // of all arrays together
  double seconds;    // of one window, at least
  int32_t windows;
  double* rates;
};

/** What a kernel found wrong with its data. In memory that host and device share; the first report wins. */
struct DeviceReport {
  uint32_t taken;  // claimed by the kernel that reports
  uint32_t ready;  // all fields are written
  uint32_t what;   // index into DeviceModule::complaints
  int32_t op;      // of the call
  int64_t given, limit;
  uint64_t sequence;  // of the task
};

/** What products of float32 matrices may round their factors to. */
enum class Float32Precision : int32_t {
  exact = 0,  // nothing
  tf32 = 1,   // 10 bits of fraction, as tensor cores take them
};

/** What a kernel of a device may ask of the engine, beside what every kernel may: `scratch` gives memory of the device,
 *  which later calls of the same queue may use again as soon as the kernel's function has returned; `parallel` is null.
 */
struct DeviceContext : Context {
  void* queue;
  DeviceReport* report;  // as the device sees it
  int32_t op;
  uint64_t sequence;
  int32_t device;
  int32_t multiprocessors;
  Float32Precision float32_precision;
};

/**
 * Functions that answer int answer 0 when all went well, and else a code that `describe` explains. Devices are numbered
 * from 0. A queue runs what it is given in order; calls return before that has happened, except those that say so. Any
 * thread may call.
 */
struct DeviceModule {
  uint32_t abi;  // kDeviceAbi: looked at before anything else
  uint32_t bytes;
  const char* kind;  // "cuda": what its devices are called
  const OpKernels* const* families;
  int32_t n_families;
  /** What kernels complain about, as printf formats of two %lld: the number given, and the limit. */
  const char* const* complaints;
  /** Whether the kernels of an op read numbers that the call carries (View::literal) by themselves. For others the
   * engine puts these into the device's memory first. */
  int (*takes_literals)(const char* op);

  /** How many devices can be used here; where there is none, `reason` says why in a sentence without a full stop. */
  int (*count)(char* reason, size_t room);
  int (*properties)(int device, DeviceProperties* out);
  const char* (*describe)(int code);

  // ---- memory
  int (*allocate)(int device, size_t bytes, void** data);  // 0 and null: there is no more
  void (*release)(int device, void* data);                 // waits until nothing on the device uses it
  void* (*allocate_host)(int device, size_t bytes);        // memory that the device can copy from and to by itself
  void (*release_host)(void* data);

  // ---- queues
  /** The first call for a device; fails where the module has no code for it. */
  int (*open_queue)(int device, void** queue);
  int (*copy_in)(void* queue, void* to, const void* from_host, size_t bytes);
  int (*copy_out)(void* queue, void* to_host, const void* from, size_t bytes);
  int (*copy_within)(void* queue, void* to, const void* from, size_t bytes);
  /** Writes eight bytes, which travel with the call. */
  int (*write_number)(void* queue, void* to, uint64_t bits);
  /** Marks this point of the queue. */
  int (*record)(void* queue, void** event);
  /** Whether the queue got to the mark; if so, it is freed. */
  int (*passed)(int device, void* event);
  /** Blocks until the queue got to the mark, and frees it. */
  int (*await_event)(int device, void* event);
  /** Blocks until the queue is empty. */
  int (*synchronize)(void* queue);

  /** Measures; blocks until that is done. Other work of the queue would be measured with it. */
  int (*measure_roof)(void* queue, const DeviceRoof* request);
};

}  // namespace athanor

/** The one symbol of a module. */
#define ATHANOR_DEVICE_MODULE "athanor_device_module"
using AthanorDeviceModule = const athanor::DeviceModule* (*)();
