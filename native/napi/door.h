// The native door: the functions that lib/native.ts sees. No op is named here. Each function's data is its session.
#pragma once
#include <napi.h>

#include <string>

#include "napi/environment.h"

namespace athanor {

// The command block's header; lib/native.ts has the same numbers. Operand records, then attributes, follow it.
constexpr int kBlockInputs = 0;     // in: how many inputs
constexpr int kBlockOutputs = 1;    // in: how many outputs
constexpr int kBlockAttrs = 2;      // in: how many attributes
constexpr int kBlockStream = 3;     // in: which stream
constexpr int kBlockSequence = 4;   // out: the submission's number, 0 when the call ran at once
constexpr int kBlockCompleted = 5;  // out: the last submission of that stream known to have ended
constexpr int kBlockOp = 6;         // in: which op
constexpr int kBlockRecycled = 7;   // in: 1 when emptied handles for all new outputs follow the inputs' handles
constexpr int kBlockLabel = 8;      // in: what the call is called in takeTimes(); 0: it is not timed
constexpr int kBlockTight = 9;      // out: 1 when memory may run out before the submission has run
constexpr int kBlockCollect =
    10;  // out: 1 when garbage should be collected now: configure({ collected: true }) after it
constexpr int kBlockDevice = 11;  // in: which device; 0: the CPU
constexpr int kBlockHeader = 12;

/** run(...handles | [handles]) -> the new outputs' handle(s), undefined when handles for them were passed, or a string:
 *  why the call failed. */
napi_value run(napi_env env, napi_callback_info info);

/** upload(typedArray, device) -> handle of a new storage that holds a copy, or a string: why not. */
napi_value upload(napi_env env, napi_callback_info info);

/** transfer(handle, offsetBytes, bytes, device) -> handle of a new storage there with a copy of the range, or a string:
 *  why not. It is a call like run(), and the command block tells stream and sequence. */
napi_value transfer(napi_env env, napi_callback_info info);

/** read(handle, offsetBytes, destination, mode): mode 0 answers at once when it can (undefined, or a string: the
 *  failure) and else queues the read and answers its id; mode 1 blocks until the data is there. */
napi_value read(napi_env env, napi_callback_info info);

/** synchronize(): blocks until both streams are empty -> undefined, or the undelivered failure's text. */
napi_value synchronize(napi_env env, napi_callback_info info);

/** takeFailure() -> what synchronize() answers, of what has ended by now. */
napi_value take_failure(napi_env env, napi_callback_info info);

/** release(handle): lets go of the storage now. */
napi_value release(napi_env env, napi_callback_info info);

/** nothing(): what a call costs that does nothing. */
napi_value nothing(napi_env env, napi_callback_info info);

/** takeTimes() -> Float64Array of label, start and end (nanoseconds of process.hrtime) of each labelled call that
 * ended. */
napi_value take_times(napi_env env, napi_callback_info info);

/** measure({ isa, what, threads, bytes, seconds, windows }) -> promise of a Float64Array: FLOPs or bytes a second in
 * each window. It runs on threads of its own. */
Napi::Value measure(const Napi::CallbackInfo& info);

/** roofs() -> { isa: names of its compute loops that run here }. */
napi_value roofs(napi_env env, napi_callback_info info);

inline napi_value make_string(napi_env env, const std::string& text) {
  napi_value v = nullptr;
  napi_create_string_utf8(env, text.c_str(), text.size(), &v);
  return v;
}

}  // namespace athanor
