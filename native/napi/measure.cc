// Measuring from JavaScript: the roofs of the machine, and when calls ran.
#include <napi.h>

#include <cstring>
#include <thread>

#include "core/device.h"
#include "core/isa.h"
#include "core/roofs.h"
#include "napi/door.h"

namespace athanor {
namespace {

const IsaLevel& level_of(const std::string& name) {
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  for (int i = 0; i < count; ++i)
    if (name == levels[i]->name) return *levels[i];
  throw Error(format("measure: this machine does not run '%s'", name.c_str()));
}

/** A measurement on its way: the thread that takes it fills in the figures, the event loop settles the promise. */
struct Measurement {
  RoofRequest request;
  int device;  // 0: the CPU
  std::string what;
  std::vector<double> rates;
  std::string failure;
  Napi::Promise::Deferred deferred;
};

Napi::Float64Array array_of(Napi::Env env, const std::vector<double>& values) {
  auto out = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

void settle(Napi::Env env, Napi::Function, std::nullptr_t*, Measurement* data) {
  const std::unique_ptr<Measurement> measurement(data);
  if (env == nullptr) return;  // the environment is going away: nobody waits any more
  Napi::HandleScope scope(env);
  if (measurement->failure.empty())
    measurement->deferred.Resolve(array_of(env, measurement->rates));
  else
    measurement->deferred.Reject(Napi::Error::New(env, measurement->failure).Value());
}

using Notify = Napi::TypedThreadSafeFunction<std::nullptr_t, Measurement, settle>;

}  // namespace

Napi::Value measure(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto options = info[0].As<Napi::Object>();
  const auto number = [&](const char* key) { return options.Get(key).As<Napi::Number>(); };
  auto* m = new Measurement{{}, 0, {}, {}, {}, Napi::Promise::Deferred::New(env)};
  const Napi::Promise promise = m->deferred.Promise();
  try {
    m->what = options.Get("what").As<Napi::String>();
    m->device = number("device").Int32Value();
    m->request = {m->device == 0 ? level_of(options.Get("isa").As<Napi::String>()).roofs : nullptr,
                  m->what.c_str(),
                  number("threads").Int32Value(),
                  number("bytes").Int64Value(),
                  number("seconds").DoubleValue(),
                  number("windows").Int32Value(),
                  nullptr};
    Environment* const environment = Environment::of(env);
    Notify notify = Notify::New(env, "athanor measure", 0, 1);
    environment->close_first(env);
    environment->background.run([m, notify](const std::atomic<bool>& stop) mutable {
      m->request.stop = &stop;
      try {
        const RoofRequest& r = m->request;
        m->rates =
            m->device == 0 ? measure_roof(r) : device_at(m->device).measure(m->what, r.bytes, r.seconds, r.windows);
      } catch (const std::exception& e) {
        m->failure = e.what();
      }
      notify.BlockingCall(m);
      notify.Release();
    });
  } catch (const std::exception& e) {
    m->deferred.Reject(Napi::Error::New(env, e.what()).Value());
    delete m;
  }
  return promise;
}

napi_value roofs(napi_env env, napi_callback_info) {
  auto out = Napi::Object::New(env);
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  for (int i = 0; i < count; ++i) {
    auto names = Napi::Array::New(env);
    for (const NamedCompute* loop = levels[i]->roofs->compute; loop->name != nullptr; ++loop)
      if (roof_available(*loop)) names.Set(names.Length(), loop->name);
    out.Set(levels[i]->name, names);
  }
  return out;
}

napi_value nothing(napi_env, napi_callback_info) { return nullptr; }

napi_value take_times(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t argc = 0;
  napi_get_cb_info(env, info, &argc, nullptr, nullptr, &data);
  std::vector<double> flat;
  for (const TaskTime& t : static_cast<Session*>(data)->times.take())
    for (int64_t v : {t.label, t.start, t.end}) flat.push_back(static_cast<double>(v));
  return array_of(env, flat);
}

}  // namespace athanor
