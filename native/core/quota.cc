#include "core/quota.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

namespace athanor {
namespace {

/** The first line of a file; empty where there is none. */
std::string line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/** A limit that is written as a number; 0 for "max" (version 2), -1 (version 1) and no file at all. */
double number_of(const std::string& text) { return std::max(0.0, std::strtod(text.c_str(), nullptr)); }

/** `name` among names with commas between. */
bool lists(const std::string& names, const std::string& name) {
  return ("," + names + ",").find("," + name + ",") != std::string::npos;
}

/**
 * The least of the limits that hold for the process: those of its group and of all groups around it, of either version
 * of the interface. Inside a container the path that /proc tells may be one of the host's, which is not mounted: its
 * folders are missing then, and the last one tried, the mount itself, is the container's group.
 */
double least_limit(const std::string& root, const std::string& controller,
                   const std::function<double(const std::string& folder, bool version2)>& limit_of) {
  double least = 0;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // hierarchy:controllers:path; version 2 has no controllers.
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const bool version2 = names.empty();
    if (!version2 && !lists(names, controller)) continue;
    const std::string mount = root + "/sys/fs/cgroup" + (version2 ? "" : "/" + controller);
    std::string path = line.substr(second + 1);
    for (;;) {
      const double limit = limit_of(mount + path, version2);
      if (limit > 0) least = least == 0 ? limit : std::min(least, limit);
      const size_t slash = path.rfind('/');
      if (slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return least;
}

}  // namespace

int cpu_quota(const std::string& root) {
  const double cores = least_limit(root, "cpu", [](const std::string& folder, bool version2) {
    std::string quota, period;
    if (version2) {
      std::istringstream(line_of(folder + "/cpu.max")) >> quota >> period;
    } else {
      quota = line_of(folder + "/cpu.cfs_quota_us");
      period = line_of(folder + "/cpu.cfs_period_us");
    }
    return number_of(period) > 0 ? number_of(quota) / number_of(period) : 0.0;
  });
  return static_cast<int>(std::ceil(std::min(cores, 1e6)));
}

size_t memory_quota(const std::string& root) {
  const double bytes = least_limit(root, "memory", [](const std::string& folder, bool version2) {
    return number_of(line_of(folder + (version2 ? "/memory.max" : "/memory.limit_in_bytes")));
  });
  return static_cast<size_t>(bytes);
}

}  // namespace athanor
