#include "core/settings.h"

#include "test/check.h"

using athanor::parse_memory_limit;
using athanor::parse_switch;
using athanor::parse_threads;

TEST(settings_that_are_not_set) {
  CHECK_EQUAL(parse_memory_limit(nullptr), 0u);
  CHECK_EQUAL(parse_memory_limit(""), 0u);
  CHECK_EQUAL(parse_threads(nullptr), 0);
  CHECK(!parse_switch("ATHANOR_SYNC", nullptr, false));
  CHECK(parse_switch("ATHANOR_DEVICE_CACHE", nullptr, true));
}

TEST(settings_memory_limit_takes_units) {
  CHECK_EQUAL(parse_memory_limit("0"), 0u);
  CHECK_EQUAL(parse_memory_limit("123"), 123u);
  CHECK_EQUAL(parse_memory_limit("123B"), 123u);
  CHECK_EQUAL(parse_memory_limit("3K"), size_t{3} << 10);
  CHECK_EQUAL(parse_memory_limit("500M"), size_t{500} << 20);
  CHECK_EQUAL(parse_memory_limit("1GB"), size_t{1} << 30);
  CHECK_EQUAL(parse_memory_limit("2GiB"), size_t{2} << 30);
  CHECK_EQUAL(parse_memory_limit("1T"), size_t{1} << 40);
  for (const char* wrong :
       {"abc", "G", "1X", "1GG", "1 G", " 1G", "-1", "1.5G", "1e9", "99999999999999999999", "99999999T"})
    CHECK_THROWS(parse_memory_limit(wrong),
                 "ATHANOR_MEMORY_LIMIT: bytes were expected, such as 500000000, 500M or 2G: '");
}

TEST(settings_threads_are_a_count) {
  CHECK_EQUAL(parse_threads("1"), 1);
  CHECK_EQUAL(parse_threads("1024"), 1024);
  for (const char* wrong : {"0", "1025", "abc", "1.5", "-2", "2 ", "2x"})
    CHECK_THROWS(parse_threads(wrong), "ATHANOR_NUM_THREADS: a whole number from 1 to 1024 was expected: '");
}

TEST(settings_synchronous_is_a_switch) {
  CHECK(parse_switch("ATHANOR_SYNC", "1", false));
  CHECK(parse_switch("ATHANOR_SYNC", "true", false));
  CHECK(!parse_switch("ATHANOR_SYNC", "0", false));
  CHECK(!parse_switch("ATHANOR_SYNC", "false", false));
  for (const char* wrong : {"yes", "2", "on "})
    CHECK_THROWS(parse_switch("ATHANOR_SYNC", wrong, false), "ATHANOR_SYNC: 1 or 0 was expected: '");
}
