// One op call on its way through a stream.
#pragma once
#include <vector>

#include "core/storage.h"
#include "core/times.h"
#include "core/view.h"

namespace athanor {

enum class Role : uint8_t {
  input = 0,
  output = 1,  // new storage, contiguous, its memory taken when the task runs
  inout = 2,   // existing storage, written in place
  scalar = 3,  // a number, held by the task itself
};

struct Operand {
  Storage* storage = nullptr;  // retained while the task lives; null for a scalar
  int64_t offset = 0;          // in elements
  Role role = Role::input;
  alignas(8) unsigned char scalar[8];
  View view;  // data is filled in when the task runs
};

/** A read of a contiguous range into memory that the caller keeps alive until `done` was called. */
struct ReadRequest {
  Storage* storage = nullptr;
  size_t offset_bytes = 0;
  size_t bytes = 0;
  void* destination = nullptr;
  void* reader = nullptr;  // whom to tell
  uint64_t id = 0;
};

constexpr int kRead = -1;      // the op of a task that hands data to JavaScript
constexpr int kTransfer = -2;  // and of one that copies a range of a storage to another device

struct Task {
  int op = kRead;
  int device = 0;  // where it runs, for a transfer the end that is not the CPU; 0: the CPU
  int n_in = 0, n_out = 0;
  std::vector<Operand> operands;  // inputs first; a small capacity stays with the ring's slot
  int n_operands = 0;
  std::vector<double> attrs;
  ReadRequest read;
  uint64_t sequence = 0;
  uint64_t after = 0;  // the peer stream's submission that must have ended first
  size_t output_bytes = 0;
  TaskTimes* times = nullptr;  // who wants to know when it ran; null: nobody
  int64_t label = 0;           // what it is called there

  Operand& add_operand() {
    if (static_cast<size_t>(n_operands) == operands.size()) operands.emplace_back();
    return operands[static_cast<size_t>(n_operands++)];
  }
  /** Whether to run it where it was made costs no more than handing it over, or holds nobody up. */
  bool is_cheap() const;
  void clear() {
    for (int i = 0; i < n_operands; ++i) {
      Storage*& s = operands[static_cast<size_t>(i)].storage;
      if (s != nullptr) s->release();
      s = nullptr;
    }
    if (read.storage != nullptr) read.storage->release();
    read = ReadRequest{};
    op = kRead;
    device = 0;
    n_in = n_out = n_operands = 0;
    output_bytes = 0;
    after = 0;
    times = nullptr;
    attrs.clear();
    // A call over all parameters of a model has hundreds of operands, and sooner or later passes through every slot.
    if (operands.size() > kKeptOperands) std::vector<Operand>().swap(operands);
    if (attrs.capacity() > kKeptOperands) std::vector<double>().swap(attrs);
  }

 private:
  static constexpr size_t kKeptOperands = 16;
};

/** Runs a task on the calling thread. Null when it went well. Never throws. */
std::shared_ptr<const Failure> execute(Task& task) noexcept;

}  // namespace athanor
