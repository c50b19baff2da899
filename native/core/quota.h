// What the process's control groups allow it: a container has all of the host's cores and memory before its eyes, and
// may use a part of them. Linux only; elsewhere there is no limit.
#pragma once
#include <cstddef>
#include <string>

namespace athanor {

/** Cores' worth of time that the process may use, rounded up; 0: no limit. `root` is in front of every path read. */
int cpu_quota(const std::string& root = "");

/** Bytes of memory that the process may use; 0: no limit. */
size_t memory_quota(const std::string& root = "");

}  // namespace athanor
