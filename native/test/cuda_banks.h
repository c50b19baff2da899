// The banks of shared memory: four bytes of every 128 are one. Accesses of 16 bytes are served to eight threads at a
// time.
#pragma once
#include <algorithm>
#include <set>
#include <vector>

namespace athanor {
namespace test {

/** Accesses that one bank must serve one after another, of threads that are served together; 1 is best. */
inline int conflicts(const std::vector<int>& words) {
  int most = 0;
  for (int bank = 0; bank < 32; ++bank) {
    std::set<int> different;
    for (const int word : words)
      if (word % 32 == bank) different.insert(word);
    most = std::max(most, static_cast<int>(different.size()));
  }
  return most;
}

/** The words of chunks of 16 bytes. */
inline std::vector<int> words_of(const std::vector<int>& chunks) {
  std::vector<int> words;
  for (const int chunk : chunks)
    for (int w = 0; w < 4; ++w) words.push_back(chunk * 4 + w);
  return words;
}

}  // namespace test
}  // namespace athanor
