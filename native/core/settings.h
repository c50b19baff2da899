// The environment variables that are numbers or switches. A text that means nothing is an error when the addon is
// opened: a limit that was meant and is not there shows itself too late.
#pragma once
#include <cstddef>

namespace athanor {

struct Settings {
  size_t memory_limit = 0;   // ATHANOR_MEMORY_LIMIT, in bytes; 0: none
  int threads = 0;           // ATHANOR_NUM_THREADS; 0: not said
  bool synchronous = false;  // ATHANOR_SYNC
  bool device_cache = true;  // ATHANOR_DEVICE_CACHE
};

/** Read on first use. Throws Error naming the variable, what it may be and what it is. */
const Settings& settings();

// The same for one text each, null or empty where the variable is not set.

/** A whole number of bytes, or of K, M, G or T (powers of 1024, an "iB" or "B" may follow). */
size_t parse_memory_limit(const char* text);
/** A whole number from 1 to 1024. */
int parse_threads(const char* text);
/** 1 or true, 0 or false; `name` is the variable's, `otherwise` holds where it is not set. */
bool parse_switch(const char* name, const char* text, bool otherwise);

}  // namespace athanor
