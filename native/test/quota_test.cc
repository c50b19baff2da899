#include "core/quota.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "test/check.h"

using athanor::cpu_quota;
using athanor::memory_quota;

namespace {

/** A folder that stands for the root of a file system; empty at first, removed at the end. */
class Root {
 public:
  Root() {
    char name[] = "/tmp/athanor-quota-XXXXXX";
    path = mkdtemp(name);
  }
  ~Root() { remove_all(); }
  void write(const std::string& file, const std::string& text) {
    for (size_t slash = 1; (slash = file.find('/', slash)) != std::string::npos; ++slash) {
      const std::string folder = path + file.substr(0, slash);
      if (mkdir(folder.c_str(), 0700) == 0) made_.push_back(folder);
    }
    std::ofstream(path + file) << text;
    made_.push_back(path + file);
  }
  std::string path;

 private:
  void remove_all() {
    for (size_t i = made_.size(); i-- > 0;) std::remove(made_[i].c_str());
    rmdir(path.c_str());
  }
  std::vector<std::string> made_;
};

}  // namespace

TEST(quota_none_without_groups) {
  Root root;
  CHECK_EQUAL(cpu_quota(root.path), 0);
  CHECK_EQUAL(memory_quota(root.path), 0u);
}

TEST(quota_of_a_container) {
  Root root;
  root.write("/proc/self/cgroup", "0::/\n");
  root.write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  root.write("/sys/fs/cgroup/memory.max", "536870912\n");
  CHECK_EQUAL(cpu_quota(root.path), 2);  // rounded up: the second core is there half of the time
  CHECK_EQUAL(memory_quota(root.path), size_t{512} << 20);
}

TEST(quota_is_the_least_of_nested_groups) {
  Root root;
  root.write("/proc/self/cgroup", "0::/service/job\n");
  root.write("/sys/fs/cgroup/service/job/cpu.max", "max 100000\n");
  root.write("/sys/fs/cgroup/service/cpu.max", "300000 100000\n");
  root.write("/sys/fs/cgroup/service/job/memory.max", "2000\n");
  root.write("/sys/fs/cgroup/service/memory.max", "1000\n");
  CHECK_EQUAL(cpu_quota(root.path), 3);
  CHECK_EQUAL(memory_quota(root.path), 1000u);
}

TEST(quota_of_version_1) {
  Root root;
  root.write("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");  // the host's path is not mounted in the container
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
  CHECK_EQUAL(cpu_quota(root.path), 1);
  CHECK_EQUAL(memory_quota(root.path), size_t{1} << 20);
}

TEST(quota_that_says_no_limit) {
  Root root;
  root.write("/proc/self/cgroup", "4:cpu,cpuacct:/\n0::/\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  root.write("/sys/fs/cgroup/memory.max", "max\n");
  CHECK_EQUAL(cpu_quota(root.path), 0);
  CHECK_EQUAL(memory_quota(root.path), 0u);
}
