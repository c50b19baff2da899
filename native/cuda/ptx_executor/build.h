// Makes an executable program of a kernel's text.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/ptx_executor/program.h"
#include "cuda/ptx_executor/text.h"

namespace athanor {
namespace ptx {

/** Memory of a module's global variables, filled with what they begin as. */
using Globals = std::map<std::string, std::vector<char>>;
Globals make_globals(const Module& module);

/** Throws Unsupported where an instruction is not known. */
std::unique_ptr<Program> build_program(const Module& module, const Globals& globals, const std::string& kernel);

/** What an instruction of this opcode does; how many of its operands are written matters to nobody. */
struct Meaning {
  Handler run = nullptr;
  Kind kind = Kind::plain;
  uint8_t extra = 0;
};
/** `mods` is the opcode cut at its dots: {"add", "s64"}. Null run: unknown to this table. */
using Mods = std::vector<std::string_view>;
Meaning integer_meaning(const Mods& mods);
Meaning float_meaning(const Mods& mods);
Meaning compare_meaning(const Mods& mods);
Meaning convert_meaning(const Mods& mods);
Meaning memory_meaning(const Mods& mods, size_t vector);
Meaning warp_meaning(const Mods& mods);

/** What a call hands over, by place in local memory. */
struct Handover {
  size_t from, to, bytes;
};

}  // namespace ptx
}  // namespace athanor
