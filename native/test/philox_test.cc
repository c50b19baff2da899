// Known answers of Philox4x32-10, from the tables that come with the paper's own implementation (Random123).
#include "core/philox.h"

#include "test/check.h"

using namespace athanor;

namespace {

void check_block(PhiloxBlock found, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  CHECK_EQUAL(found.word[0], a);
  CHECK_EQUAL(found.word[1], b);
  CHECK_EQUAL(found.word[2], c);
  CHECK_EQUAL(found.word[3], d);
}

}  // namespace

TEST(philox_gives_the_known_answers) {
  check_block(philox(0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  check_block(philox(~uint64_t{0}, ~uint64_t{0}, ~0u, ~0u), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  check_block(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x13198a2e, 0x03707344), 0xd16cfe09, 0x94fdcceb,
              0x5001e420, 0x24126ea1);
}

TEST(philox_words_follow_the_stream) {
  const PhiloxStream stream{42, 7};
  for (uint64_t i = 0; i < 9; ++i) CHECK_EQUAL(stream.word(i), philox(42, 7 + i / 4, 0).word[i % 4]);
  CHECK_EQUAL(stream.word(5, 3), philox(42, 8, 3).word[1]);
}
