#include "core/task.h"

#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "core/blas.h"
#include "core/device_task.h"
#include "core/error.h"
#include "core/stream.h"
#include "core/table.h"
#include "cpu/runtime/pool.h"

namespace athanor {
namespace {

/** The engine's side of Context: scratch blocks that go back at the end, and the first failure reported. */
class Running : public Context {
 public:
  Running() {
    Context::blas = athanor::blas();
    threads = Pool::instance().threads();
    Context::scratch = [](Context* c, size_t bytes) {
      auto* self = static_cast<Running*>(c);
      self->blocks_.push_back(Allocator::cpu().allocate(bytes));
      return self->blocks_.back().data;
    };
    Context::mark = [](Context* c) { return static_cast<Running*>(c)->blocks_.size(); };
    Context::rewind = [](Context* c, size_t mark) { static_cast<Running*>(c)->release_from(mark); };
    Context::fail = report;
    Context::parallel = [](Context*, int64_t count, void* closure, void (*body)(void*, int64_t)) {
      Pool::instance().run(count, closure, body);
    };
  }
  ~Running() { release_from(0); }
  const std::string& message() const { return message_; }

 private:
  void release_from(size_t mark) {
    for (size_t i = mark; i < blocks_.size(); ++i) Allocator::cpu().release(blocks_[i]);
    blocks_.resize(mark);
  }
  static void report(Context* c, const char* text, ...) {
    auto* self = static_cast<Running*>(c);
    std::lock_guard<std::mutex> lock(self->mutex_);
    if (!self->message_.empty()) return;
    va_list args;
    va_start(args, text);
    self->message_ = vformat(text, args);
    va_end(args);
  }

  std::vector<Block> blocks_;
  std::mutex mutex_;
  std::string message_;
};

std::string describe(const Task& task) {
  std::string text;
  for (int i = 0; i < task.n_operands; ++i) {
    const Operand& o = task.operands[static_cast<size_t>(i)];
    if (o.role == Role::scalar) continue;
    text += text.empty() ? " (" : ", ";
    text += i < task.n_in ? "" : "out ";
    text += '[';
    for (int d = 0; d < o.view.ndim; ++d) text += (d ? ", " : "") + std::to_string(o.view.shape[d]);
    text += std::string("] ") + dtype_name(o.view.dtype);
  }
  return text.empty() ? text : text + ")";
}

std::shared_ptr<const Failure> make_failure(const Task& task, const std::string& what) {
  auto failure = std::make_shared<Failure>();
  const char* name = task.op == kTransfer ? "to" : Table::instance().entry(task.op).name;
  failure->message = std::string(name) + ": " + what + describe(task);
  failure->sequence = task.sequence;
  return failure;
}

void run_op(Task& task) {
  constexpr int kInline = 12;
  View few[kInline];
  std::vector<View> many;
  View* views = few;
  if (task.n_operands > kInline) {
    many.resize(static_cast<size_t>(task.n_operands));
    views = many.data();
  }
  for (int i = 0; i < task.n_operands; ++i) {
    Operand& o = task.operands[static_cast<size_t>(i)];
    views[i] = o.view;
    if (o.role == Role::scalar) {
      views[i].data = o.scalar;
      continue;
    }
    if (o.role != Role::input || o.storage->bytes == 0) o.storage->ensure_memory();
    views[i].data = static_cast<char*>(o.storage->data()) + o.offset * static_cast<int64_t>(item_size(o.view.dtype));
  }
  Running context;
  const Call call{views,     views + task.n_in, task.attrs.data(),
                  task.n_in, task.n_out,        static_cast<int>(task.attrs.size()),
                  &context};
  Table::instance().run(task.op, call);
  if (!context.message().empty()) throw Error(context.message());
}

void run_timed(Task& task) {
  const int64_t start = now_ns();
  run_op(task);
  task.times->add({task.label, start, now_ns()});
}

std::shared_ptr<const Failure> failed_input(const Task& task) {
  for (int i = 0; i < task.n_operands; ++i) {
    const Operand& o = task.operands[static_cast<size_t>(i)];
    if (o.storage != nullptr && o.role != Role::output && o.storage->failure) return o.storage->failure;
  }
  return nullptr;
}

// Made before memory can run out: copying it allocates nothing.
const std::shared_ptr<const Failure> no_memory =
    std::make_shared<const Failure>(Failure{"out of memory on cpu: not even the description of the failure fits"});

void fail_outputs(Task& task, const std::shared_ptr<const Failure>& failure) noexcept {
  // Only what was to be made is lost. A tensor that is updated in place (a weight) keeps the last value it had.
  for (int i = task.n_in; i < task.n_operands; ++i) {
    Operand& o = task.operands[static_cast<size_t>(i)];
    if (o.role == Role::output) o.storage->failure = failure;
  }
}

// Touching this many elements takes a few microseconds, less than waking the executor does.
constexpr double kFewElements = 16384;
// Some tens of microseconds (of a power, a few hundred): the event loop does not feel them, and who waits for the
// result has it sooner. Queued, such ops take a quarter longer on two cores, which compute and make calls at the same
// time.
constexpr double kSomeBytes = 4 * 1024 * 1024;
constexpr double kSomeProducts = 512 * 1024;

}  // namespace

// The products of C = A B are sqrt(|A| |B| |C|), those of a convolution that times the kernel's side.
bool Task::is_cheap() const {
  double elements = 0, bytes = 0, largest[3] = {1, 1, 1};
  for (int i = 0; i < n_operands; ++i) {
    const View& v = operands[static_cast<size_t>(i)].view;
    double n = static_cast<double>(numel(v));
    elements += n;
    bytes += n * static_cast<double>(item_size(v.dtype));
    for (double& l : largest)
      if (n > l) std::swap(n, l);
  }
  if (elements <= kFewElements) return true;
  if (bytes > kSomeBytes) return false;
  return largest[0] * largest[1] * largest[2] <= kSomeProducts * kSomeProducts ||
         Table::instance().entry(op).per_element;
}

std::shared_ptr<const Failure> execute(Task& task) noexcept {
  std::shared_ptr<const Failure> failure;
  try {
    if (task.op == kRead) {
      if (task.read.storage->failure) return task.read.storage->failure;
      if (task.read.bytes > 0)
        std::memcpy(task.read.destination, static_cast<char*>(task.read.storage->data()) + task.read.offset_bytes,
                    task.read.bytes);
      return nullptr;
    }
    failure = failed_input(task);
    if (!failure) {
      try {
        if (task.device != 0 || task.op == kTransfer)
          run_on_device(task);
        else if (task.times == nullptr)
          run_op(task);
        else
          run_timed(task);
        return nullptr;
      } catch (const std::exception& e) {
        failure = make_failure(task, e.what());
      }
    }
  } catch (...) {  // no memory left even for the message
    failure = no_memory;
  }
  fail_outputs(task, failure);
  return failure;
}

}  // namespace athanor
