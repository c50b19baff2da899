// The op table: names from ops.def, kernels from the instruction set in use. The index of an op is its line in ops.def.
#pragma once
#include <vector>

#include "core/view.h"

namespace athanor {

struct OpEntry {
  const char* name;
  bool per_element;  // a few operations for each element it touches: its line in ops.def is an expression
  std::vector<Kernel> kernels;
  int forced = -1;  // tests: the one kernel to use; -1: the first that fits
};

class Table {
 public:
  /** The CPU's, built on first use. Throws Error when a line of ops.def has no kernel or a kernel has no line, and
   *  where ATHANOR_BLAS or ATHANOR_CPU_ISA ask for what is not there. */
  static Table& instance();
  /** Of a device, which may lack kernels: a call of such an op throws. */
  Table(const OpKernels* const* families, int n_families);

  int size() const { return static_cast<int>(entries_.size()); }
  OpEntry& entry(int op) { return entries_[static_cast<size_t>(op)]; }
  int find(const char* name) const;  // -1: no such op

  /** Runs the first kernel that fits (or the forced one). Throws Error when a forced kernel does not fit. */
  void run(int op, const Call& call);

 private:
  std::vector<OpEntry> entries_;
};

}  // namespace athanor
