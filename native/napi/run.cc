// The hot half of the door: one op call. lib/dispatch.ts writes the call into the command block, a Float64Array that
// both sides see, and passes the handles; nothing else crosses the border. No op is named here.
#include "napi/door.h"

#include <cmath>

#include "core/table.h"

namespace athanor {
namespace {

// Room with some to spare: lib/ passes up to four handles as arguments and more of them in one array, and the ops with
// the most outputs, gradients of norms, make four.
constexpr size_t kFewHandles = 14;

constexpr int64_t kMostElements = int64_t{1} << 53;  // what lib/ can count

void write_scalar(Operand& o, double value) {
  void* p = o.scalar;
  switch (o.view.dtype) {
    case DType::f32: *static_cast<float*>(p) = static_cast<float>(value); break;
    case DType::f64: *static_cast<double*>(p) = value; break;
    case DType::i32: *static_cast<int32_t*>(p) = static_cast<int32_t>(value); break;
    case DType::u8: *static_cast<uint8_t*>(p) = static_cast<uint8_t>(static_cast<int64_t>(value)); break;
    case DType::b8: *static_cast<uint8_t*>(p) = value != 0; break;
    default: throw Error(format("a scalar of dtype %s", dtype_name(o.view.dtype)));
  }
}

/** Reads one operand's record: role, dtype, [value] or ndim, shape, [offset, strides]. */
class Parser {
 public:
  Parser(const double* at, const double* end) : at_(at), end_(end) {}
  double next() {
    if (at_ == end_) throw Error("the command block ended within a call");
    return *at_++;
  }
  int64_t integer() { return static_cast<int64_t>(next()); }

  void operand(Operand& o) {
    o.role = static_cast<Role>(integer());
    o.view.dtype = static_cast<DType>(integer());
    o.offset = 0;
    o.storage = nullptr;
    if (o.role == Role::scalar) {
      o.view.ndim = 0;
      write_scalar(o, next());
      return;
    }
    o.view.ndim = static_cast<int32_t>(integer());
    if (o.view.ndim < 0 || o.view.ndim > kMaxDims) throw Error("a tensor has at most 8 dimensions");
    for (int d = 0; d < o.view.ndim; ++d) o.view.shape[d] = integer();
    if (o.role == Role::output) {
      bool fine = true;
      int64_t stride = 1;
      for (int d = o.view.ndim - 1; d >= 0; --d) {
        o.view.strides[d] = stride;
        fine &= o.view.shape[d] >= 0 && !__builtin_mul_overflow(stride, o.view.shape[d], &stride);
      }
      if (!fine || stride > kMostElements) throw Error("sizes that no tensor can have");
      return;
    }
    o.offset = integer();
    for (int d = 0; d < o.view.ndim; ++d) o.view.strides[d] = integer();
  }

 private:
  const double *at_, *end_;
};

/**
 * Whether no element of a view lies outside of its storage. Views come from lib/ right, but JavaScript can write to
 * their shape and strides; what is not a number has become a huge negative one.
 */
bool lies_within(const Storage& storage, const View& v, int64_t offset) {
  bool fine = true, empty = false;
  int64_t first = offset, last = offset;
  for (int d = 0; d < v.ndim; ++d) {
    const int64_t size = v.shape[d];
    int64_t span = 0;
    fine &= size >= 0 && !__builtin_mul_overflow(size - 1, v.strides[d], &span);
    empty |= size == 0;
    fine &= !__builtin_add_overflow(first, span < 0 ? span : 0, &first);
    fine &= !__builtin_add_overflow(last, span > 0 ? span : 0, &last);
  }
  const int64_t bytes = static_cast<int64_t>(storage.bytes), item = static_cast<int64_t>(item_size(v.dtype));
  return fine && (empty || (first >= 0 && last < bytes && (last + 1) * item <= bytes));
}

/** The handles of a call: a few as arguments, many as one array. */
struct Handles {
  napi_value values[kFewHandles];
  size_t count = kFewHandles;
  bool in_array = false;
  uint32_t next = 0;

  Handle* take(napi_env env) {
    napi_value v = nullptr;
    if (count > kFewHandles) throw Error("many handles come in an array");
    if (in_array)
      napi_get_element(env, values[0], next, &v);
    else if (next < count)
      v = values[next];
    ++next;
    void* data = nullptr;
    if (v == nullptr || napi_get_value_external(env, v, &data) != napi_ok || data == nullptr)
      throw Error("a handle was expected");
    return static_cast<Handle*>(data);
  }
  Storage* storage(napi_env env) {
    Storage* s = take(env)->storage;
    if (s == nullptr) throw Error("the tensor was disposed of");
    return s;
  }
};

void parse(napi_env env, Session& session, Handles& handles, Task& task) {
  const double* b = session.block;
  const bool recycled = b[kBlockRecycled] != 0;
  task.device = static_cast<int>(b[kBlockDevice]);
  task.n_in = static_cast<int>(b[kBlockInputs]);
  task.n_out = static_cast<int>(b[kBlockOutputs]);
  const int n_attrs = static_cast<int>(b[kBlockAttrs]);
  Parser parser(b + kBlockHeader, b + session.block_length);
  for (int i = 0; i < task.n_in + task.n_out; ++i) {
    Operand& o = task.add_operand();
    parser.operand(o);
    if (o.role == Role::output) {
      const size_t bytes = static_cast<size_t>(numel(o.view)) * item_size(o.view.dtype);
      if (recycled) {
        o.storage = session.environment->refill(env, handles.take(env), bytes, task.device);
        o.storage->retain();
      } else {
        o.storage = session.environment->new_storage(bytes, task.device);
      }
      task.output_bytes += bytes;
    } else if (o.role != Role::scalar) {
      o.storage = handles.storage(env);
      o.storage->retain();
      if (!lies_within(*o.storage, o.view, o.offset)) {
        throw Error("a tensor's shape, strides or offset were changed and do not fit its memory any more");
      }
    }
  }
  for (int i = 0; i < n_attrs; ++i) task.attrs.push_back(parser.next());
  if (b[kBlockLabel] != 0) {
    task.label = static_cast<int64_t>(b[kBlockLabel]);
    task.times = &session.times;
  }
}

/** The handles of the new outputs: nothing, one, or an array. Each output's storage gets a second holder. */
napi_value make_results(napi_env env, Environment& self, Task& task) {
  napi_value results[kFewHandles];
  size_t n = 0;
  napi_value list = nullptr;
  for (int i = task.n_in; i < task.n_operands; ++i) {
    Operand& o = task.operands[static_cast<size_t>(i)];
    if (o.role != Role::output) continue;
    o.storage->retain();
    napi_value handle = self.make_handle(env, o.storage);
    if (handle == nullptr) throw Error("no handle could be made");
    if (n < kFewHandles) results[n] = handle;
    ++n;
  }
  if (n == 0) return nullptr;
  if (n == 1) return results[0];
  if (n > kFewHandles) throw Error("an op has at most 14 new outputs");
  napi_create_array_with_length(env, n, &list);
  for (size_t i = 0; i < n; ++i) napi_set_element(env, list, static_cast<uint32_t>(i), results[i]);
  return list;
}

}  // namespace

napi_value run(napi_env env, napi_callback_info info) {
  Handles handles;
  void* data = nullptr;
  napi_get_cb_info(env, info, &handles.count, handles.values, nullptr, &data);
  Session& session = *static_cast<Session*>(data);
  Environment& self = *session.environment;
  if (handles.count == 1) napi_is_array(env, handles.values[0], &handles.in_array);

  Stream& stream = self.stream(static_cast<int>(session.block[kBlockStream]));
  Task& task = stream.begin();
  try {
    task.op = static_cast<int>(session.block[kBlockOp]);
    parse(env, session, handles, task);
    const int task_device = task.device;
    napi_value result = session.block[kBlockRecycled] != 0 ? nullptr : make_results(env, self, task);
    session.block[kBlockCollect] = self.wants_collection(task_device);
    if (self.run_at_once || (stream.runs_inline(task) && task.is_cheap())) {
      if (self.run_at_once) stream.wait(stream.submitted());
      session.block[kBlockSequence] = 0;
      auto failure = stream.run_inline(task);
      if (failure) return make_string(env, failure->message);
    } else {
      // Asked before the hand-over: the task may have failed, and its bytes be forgotten, when that returns.
      const size_t promised = stream.bytes_in_flight() + task.output_bytes;
      session.block[kBlockTight] =
          task_device == 0 ? Allocator::cpu().tight(promised) : device_at(task_device).allocator().tight(promised);
      session.block[kBlockSequence] = static_cast<double>(stream.submit(task));
      session.block[kBlockCompleted] = static_cast<double>(stream.completed());
    }
    return result;
  } catch (const std::exception& e) {
    const std::string message = std::string(Table::instance().entry(task.op).name) + ": " + e.what();
    task.clear();
    return make_string(env, message);
  }
}

}  // namespace athanor
