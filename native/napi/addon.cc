// Registration, and the exports that are called seldom.
#include <napi.h>

#include "core/blas.h"
#include "core/device.h"
#include "core/isa.h"
#include "core/table.h"
#include "cpu/runtime/pool.h"
#include "napi/door.h"

// Finalizers of externals run inside the collection only for addons of Node-API's experimental version; without that a
// synchronous loop would free nothing until it returns to the event loop.
extern "C" NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1(void) { return NAPI_VERSION; }

namespace athanor {
namespace {

Napi::Array names(Napi::Env env, int count, const std::function<const char*(int)>& name) {
  auto list = Napi::Array::New(env, static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) list.Set(static_cast<uint32_t>(i), name(i));
  return list;
}

void export_raw(napi_env env, napi_value target, const char* name, napi_callback callback, Session* session) {
  napi_value fn;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, session, &fn);
  napi_set_named_property(env, target, name, fn);
}

/** open(block, onRead) -> { ops: names in the order of ops.def, run, read, upload, release, synchronize }, or a string:
 *  why not. Each loaded copy of lib/ opens a session of its own. */
Napi::Value open(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  try {
    Table& table = Table::instance();
    Session* session = Session::create(env, info[0], info[1]);
    auto out = Napi::Object::New(env);
    out.Set("ops", names(env, table.size(), [&](int i) { return table.entry(i).name; }));
    export_raw(env, out, "run", run, session);
    export_raw(env, out, "read", read, session);
    export_raw(env, out, "upload", upload, session);
    export_raw(env, out, "transfer", transfer, session);
    export_raw(env, out, "release", release, session);
    export_raw(env, out, "synchronize", synchronize, session);
    export_raw(env, out, "takeFailure", take_failure, session);
    export_raw(env, out, "takeTimes", take_times, session);
    export_raw(env, out, "nothing", nothing, session);
    out.Set("measure", Napi::Function::New(env, measure));
    export_raw(env, out, "roofs", roofs, session);
    return out;
  } catch (const std::exception& e) {
    return Napi::String::New(env, e.what());
  }
}

/** openDevices(file): loads the module of kernels for other devices -> "" or a string: why there are none. */
Napi::Value open_devices(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), open_device_module(info[0].As<Napi::String>()));
}

/** devices() -> [{ device, name, memoryBytes, multiprocessors, cacheBytes, architecture }] of those beside the CPU, in
 *  their order. */
Napi::Value devices(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto list = Napi::Array::New(env);
  for (int i = 1; i < device_count(); ++i) {
    const Device& device = device_at(i);
    const DeviceProperties& p = device.properties();
    auto one = Napi::Object::New(env);
    one.Set("device", device.name());
    one.Set("name", p.name);
    one.Set("memoryBytes", static_cast<double>(p.memory_bytes));
    one.Set("multiprocessors", p.multiprocessors);
    one.Set("cacheBytes", static_cast<double>(p.cache_bytes));
    one.Set("architecture", format("%d.%d", p.major, p.minor));
    list.Set(list.Length(), one);
  }
  return list;
}

/** memory(device) */
Napi::Value memory(const Napi::CallbackInfo& info) {
  Environment& self = *Environment::of(info.Env());
  const int device = info.Length() > 0 ? info[0].As<Napi::Number>().Int32Value() : 0;
  self.free_spares();
  const MemoryStats s = device == 0 ? Allocator::cpu().stats() : device_at(device).allocator().stats();
  auto out = Napi::Object::New(info.Env());
  out.Set("buffers", static_cast<double>(self.live[device].handles));
  out.Set("bytes", static_cast<double>(self.live[device].bytes));
  out.Set("allocatedBytes", static_cast<double>(s.live_bytes));
  out.Set("cachedBytes", static_cast<double>(s.cached_bytes));
  out.Set("peakBytes", static_cast<double>(s.peak_bytes));
  out.Set("limitBytes", static_cast<double>(s.limit_bytes));
  out.Set("systemCalls", static_cast<double>(s.system_calls));
  return out;
}

/** The part of configure() that allocators have in common. */
template <class A>
void configure_memory(A& allocator, const Napi::Object& options) {
  const auto bytes = [&](const char* key) {
    return static_cast<size_t>(options.Get(key).As<Napi::Number>().DoubleValue());
  };
  if (options.Has("memoryLimit")) allocator.set_limit(bytes("memoryLimit"));
  if (options.Has("trim")) allocator.trim(bytes("trim"));
  if (options.Has("resetPeak")) allocator.reset_peak();
}

/** configure({ device?, memoryLimit?, threads?, trim?, resetPeak?, collected?, float32Precision? }) */
void configure(const Napi::CallbackInfo& info) {
  auto options = info[0].As<Napi::Object>();
  Environment& self = *Environment::of(info.Env());
  const auto number = [&](const char* key) { return options.Get(key).As<Napi::Number>(); };
  const int device = options.Has("device") ? number("device").Int32Value() : 0;
  if (options.Has("float32Precision"))
    set_float32_precision(static_cast<Float32Precision>(number("float32Precision").Int32Value()));
  if (options.Has("threads")) Pool::instance().set_threads(number("threads").Int32Value());
  if (options.Has("trim")) self.free_spares();
  if (device == 0)
    configure_memory(Allocator::cpu(), options);
  else
    configure_memory(device_at(device).allocator(), options);
  // The point from which garbage is collected follows the limit.
  if (options.Has("collected") || options.Has("memoryLimit")) self.collected();
}

Napi::Value engine_info(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto out = Napi::Object::New(env);
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  out.Set("isa", isa_level().name);
  out.Set("isaLevels", names(env, count, [&](int i) { return levels[i]->name; }));
  out.Set("blas", blas() == nullptr ? "own" : blas()->name);
  out.Set("threads", Pool::instance().threads());
  out.Set("compiler", __VERSION__);
  out.Set("synchronous", Environment::of(env)->run_at_once);
  return out;
}

OpEntry& entry_of(const Napi::CallbackInfo& info, size_t device_argument) {
  const bool given = info.Length() > device_argument && info[device_argument].IsNumber();
  const int device = given ? info[device_argument].As<Napi::Number>().Int32Value() : 0;
  return (device == 0 ? Table::instance() : device_table()).entry(info[0].As<Napi::Number>().Int32Value());
}

/** kernels(op, device) -> names, fastest first; forceKernel(op, index, device) makes one the only choice, -1 undoes it.
 */
Napi::Value kernels(const Napi::CallbackInfo& info) {
  const OpEntry& e = entry_of(info, 1);
  return names(info.Env(), static_cast<int>(e.kernels.size()),
               [&](int i) { return e.kernels[static_cast<size_t>(i)].name; });
}

void force_kernel(const Napi::CallbackInfo& info) {
  entry_of(info, 2).forced = info[1].As<Napi::Number>().Int32Value();
}

}  // namespace

Napi::Object register_addon(Napi::Env env, Napi::Object exports) {
  Environment::create(env);
  exports.Set("open", Napi::Function::New(env, open));
  exports.Set("memory", Napi::Function::New(env, memory));
  exports.Set("configure", Napi::Function::New(env, configure));
  exports.Set("info", Napi::Function::New(env, engine_info));
  exports.Set("openDevices", Napi::Function::New(env, open_devices));
  exports.Set("devices", Napi::Function::New(env, devices));
  exports.Set("kernels", Napi::Function::New(env, kernels));
  exports.Set("forceKernel", Napi::Function::New(env, force_kernel));
  return exports;
}

}  // namespace athanor

static napi_value register_module(napi_env env, napi_value exports) {
  return athanor::register_addon(Napi::Env(env), Napi::Object(env, exports));
}
extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  return register_module(env, exports);
}
