// Registration, and the exports that are called seldom.
#include <napi.h>

#include "core/blas.h"
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

Napi::Value memory(const Napi::CallbackInfo& info) {
  Environment& self = *Environment::of(info.Env());
  self.free_spares();
  const MemoryStats s = Allocator::cpu().stats();
  auto out = Napi::Object::New(info.Env());
  out.Set("buffers", static_cast<double>(self.live_handles));
  out.Set("bytes", static_cast<double>(self.live_bytes));
  out.Set("allocatedBytes", static_cast<double>(s.live_bytes));
  out.Set("cachedBytes", static_cast<double>(s.cached_bytes));
  out.Set("peakBytes", static_cast<double>(s.peak_bytes));
  out.Set("limitBytes", static_cast<double>(s.limit_bytes));
  out.Set("systemCalls", static_cast<double>(s.system_calls));
  return out;
}

/** configure({ memoryLimit?, threads?, trim?, resetPeak?, collected? }) */
void configure(const Napi::CallbackInfo& info) {
  auto options = info[0].As<Napi::Object>();
  const auto number = [&](const char* key) { return options.Get(key).As<Napi::Number>(); };
  if (options.Has("memoryLimit")) {
    Allocator::cpu().set_limit(static_cast<size_t>(number("memoryLimit").DoubleValue()));
    Environment::of(info.Env())->collected();  // the point from which garbage is collected follows the limit
  }
  if (options.Has("threads")) Pool::instance().set_threads(number("threads").Int32Value());
  if (options.Has("trim")) Environment::of(info.Env())->free_spares();
  if (options.Has("trim")) Allocator::cpu().trim(static_cast<size_t>(number("trim").DoubleValue()));
  if (options.Has("collected")) Environment::of(info.Env())->collected();
  if (options.Has("resetPeak")) Allocator::cpu().reset_peak();
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

/** kernels(op) -> names, fastest first; forceKernel(op, index) makes one the only choice, -1 undoes it. */
Napi::Value kernels(const Napi::CallbackInfo& info) {
  const OpEntry& e = Table::instance().entry(info[0].As<Napi::Number>().Int32Value());
  return names(info.Env(), static_cast<int>(e.kernels.size()),
               [&](int i) { return e.kernels[static_cast<size_t>(i)].name; });
}

void force_kernel(const Napi::CallbackInfo& info) {
  Table::instance().entry(info[0].As<Napi::Number>().Int32Value()).forced = info[1].As<Napi::Number>().Int32Value();
}

}  // namespace

Napi::Object register_addon(Napi::Env env, Napi::Object exports) {
  Environment::create(env);
  exports.Set("open", Napi::Function::New(env, open));
  exports.Set("memory", Napi::Function::New(env, memory));
  exports.Set("configure", Napi::Function::New(env, configure));
  exports.Set("info", Napi::Function::New(env, engine_info));
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
