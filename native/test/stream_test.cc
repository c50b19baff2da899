#include "core/stream.h"

#include <cstring>

#include "core/table.h"
#include "test/check.h"

using namespace athanor;

namespace {

struct Reads {
  std::atomic<int> ended{0}, failed{0};
};

void on_read(void* reader, uint64_t, std::shared_ptr<const Failure> failure) {
  auto* reads = static_cast<Reads*>(reader);
  if (failure) ++reads->failed;
  ++reads->ended;
}

/** The two streams of an environment. */
struct Streams {
  Stream compute{0, on_read}, load{1, on_read};
  Streams() {
    compute.set_peer(&load);
    load.set_peer(&compute);
  }
  ~Streams() {
    compute.stop();
    load.stop();
  }
};

View vector_of(int64_t n) {
  View v{};
  v.shape[0] = n;
  v.strides[0] = 1;
  v.ndim = 1;
  v.dtype = DType::f64;
  return v;
}

Storage* doubles(int64_t n) { return new Storage(static_cast<size_t>(n) * sizeof(double)); }

void operand(Task& task, Storage* storage, int64_t n, Role role) {
  Operand& o = task.add_operand();
  storage->retain();
  o.storage = storage;
  o.offset = 0;
  o.role = role;
  o.view = vector_of(n);
  if (role == Role::output) task.output_bytes += storage->bytes;
}

Task& fill(Stream& stream, Storage* out, int64_t n, double value, Role role = Role::output) {
  Task& task = stream.begin();
  task.op = Table::instance().find("fill");
  task.n_out = 1;
  operand(task, out, n, role);
  task.attrs.push_back(value);
  return task;
}

Task& add(Stream& stream, Storage* a, Storage* b, Storage* out, int64_t n, Role role = Role::output) {
  Task& task = stream.begin();
  task.op = Table::instance().find("add");
  task.n_in = 2;
  task.n_out = 1;
  operand(task, a, n, Role::input);
  operand(task, b, n, Role::input);
  operand(task, out, n, role);
  return task;
}

Task& read(Stream& stream, Storage* from, double* to, int64_t n, Reads& reads) {
  Task& task = stream.begin();
  from->retain();
  task.read.storage = from;
  task.read.bytes = static_cast<size_t>(n) * sizeof(double);
  task.read.destination = to;
  task.read.reader = &reads;
  return task;
}

}  // namespace

TEST(stream_runs_in_order_past_a_full_queue) {
  Streams s;
  Storage *one = doubles(8), *sum = doubles(8);
  s.compute.submit(fill(s.compute, one, 8, 1));
  s.compute.submit(fill(s.compute, sum, 8, 0));
  constexpr int kSteps = 20000;  // several times the queue's length
  for (int i = 0; i < kSteps; ++i) s.compute.submit(add(s.compute, sum, one, sum, 8, Role::inout));
  Reads reads;
  double got[8];
  const uint64_t last = s.compute.submit(read(s.compute, sum, got, 8, reads));
  s.compute.wait(last);
  CHECK(s.compute.idle());
  for (double x : got) CHECK_EQUAL(x, static_cast<double>(kSteps));
  one->release();
  sum->release();
}

TEST(stream_keeps_memory_of_queued_tasks_and_gives_it_back) {
  const size_t live = Allocator::cpu().stats().live_bytes;
  {
    Streams s;
    Reads reads;
    double got[16];
    Storage *a = doubles(16), *b = doubles(16), *c = doubles(16);
    s.compute.submit(fill(s.compute, a, 16, 2));
    s.compute.submit(fill(s.compute, b, 16, 3));
    s.compute.submit(add(s.compute, a, b, c, 16));
    a->release();  // as a garbage collection would, before or after the tasks have run
    b->release();
    s.compute.wait(s.compute.submit(read(s.compute, c, got, 16, reads)));
    c->release();
    for (double x : got) CHECK_EQUAL(x, 5.0);
  }
  CHECK_EQUAL(Allocator::cpu().stats().live_bytes, live);
}

TEST(stream_orders_work_between_peers) {
  Streams s;
  Storage *x = doubles(4), *one = doubles(4);
  s.compute.submit(fill(s.compute, one, 4, 1));
  s.compute.submit(fill(s.compute, x, 4, 0));
  for (int i = 0; i < 2000; ++i) {
    Stream& stream = i % 2 ? s.load : s.compute;
    stream.submit(add(stream, x, one, x, 4, Role::inout));
  }
  Reads reads;
  double got[4];
  s.compute.wait(s.compute.submit(read(s.compute, x, got, 4, reads)));
  for (double v : got) CHECK_EQUAL(v, 2000.0);
  x->release();
  one->release();
}

TEST(stream_failure_is_kept_poisons_outputs_and_is_delivered_once) {
  Streams s;
  Storage *huge = new Storage(size_t{1} << 60), *small = doubles(4), *out = doubles(4);
  s.compute.submit(fill(s.compute, small, 4, 1));
  s.compute.submit(fill(s.compute, huge, 4, 1));
  s.compute.submit(add(s.compute, huge, small, out, 4));
  Reads reads;
  double got[4];
  const uint64_t last = s.compute.submit(read(s.compute, out, got, 4, reads));
  s.compute.wait(last);
  while (reads.ended.load() == 0) std::this_thread::yield();  // reported after the sequence number moved
  CHECK_EQUAL(reads.failed.load(), 1);
  const auto failure = s.compute.take_failure();
  CHECK(failure != nullptr);
  CHECK(failure->message.find("fill: out of memory on cpu") == 0);
  CHECK_EQUAL(failure->sequence, 2u);
  CHECK(s.compute.take_failure() == nullptr);
  CHECK(out->failure == failure);
  CHECK(small->failure == nullptr);
  huge->release();
  small->release();
  out->release();
}

TEST(stream_failure_leaves_what_is_updated_in_place_as_it_was) {
  Streams s;
  Storage *huge = new Storage(size_t{1} << 60), *weight = doubles(4);
  s.compute.submit(fill(s.compute, weight, 4, 3));
  s.compute.submit(fill(s.compute, huge, 4, 1));
  s.compute.submit(add(s.compute, weight, huge, weight, 4, Role::inout));
  Reads reads;
  double got[4];
  s.compute.wait(s.compute.submit(read(s.compute, weight, got, 4, reads)));
  while (reads.ended.load() == 0) std::this_thread::yield();
  CHECK_EQUAL(reads.failed.load(), 0);
  CHECK(weight->failure == nullptr);
  for (double x : got) CHECK_EQUAL(x, 3.0);
  CHECK(s.compute.take_failure() != nullptr);
  huge->release();
  weight->release();
}

TEST(stream_closes_with_work_queued) {
  const size_t live = Allocator::cpu().stats().live_bytes;
  for (int round = 0; round < 20; ++round) {
    Streams s;
    for (int i = 0; i < 500; ++i) {
      Storage* x = doubles(2048);
      Stream& stream = i % 3 ? s.compute : s.load;
      stream.submit(fill(stream, x, 2048, i));
      x->release();
    }
  }
  CHECK_EQUAL(Allocator::cpu().stats().live_bytes, live);
}

TEST(stream_runs_inline_what_is_cheap) {
  Streams s;
  Storage* x = doubles(3);
  CHECK(s.compute.idle());
  CHECK(s.compute.run_inline(fill(s.compute, x, 3, 7)) == nullptr);
  CHECK_EQUAL(s.compute.submitted(), 0u);
  CHECK_EQUAL(static_cast<double*>(x->data())[2], 7.0);
  x->release();
}

TEST(stream_leaves_nothing_to_wait_for_after_inline_work) {
  Streams s;
  Storage *x = doubles(3), *y = doubles(3);
  CHECK(s.load.run_inline(fill(s.load, x, 3, 7)) == nullptr);
  // Nothing was ever submitted to the other stream, so a wait for it would not end.
  CHECK(s.compute.run_inline(add(s.compute, x, x, y, 3)) == nullptr);
  s.compute.wait(s.compute.submit(add(s.compute, y, x, y, 3, Role::inout)));
  CHECK(s.load.run_inline(fill(s.load, x, 3, 0, Role::inout)) == nullptr);
  CHECK_EQUAL(static_cast<double*>(y->data())[2], 21.0);
  x->release();
  y->release();
}
