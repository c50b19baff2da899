// A kernel as it is executed: PTX text decoded once into instructions whose operands are numbers of registers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace athanor {
namespace ptx {

constexpr int kLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;

/** What a register holds of one lane: the low bytes, whatever the type; who reads takes as many as its own type has. */
using Word = uint64_t;

template <class T>
T as(Word word) {
  T out;
  std::memcpy(&out, &word, sizeof out);  // the low bytes: this runs on little-endian processors only
  return out;
}

template <class T>
Word word_of(T value) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<Word>(value);  // sign-extended where it has a sign, as registers wider than the type want it
  } else {
    Word out = 0;
    std::memcpy(&out, &value, sizeof value);
    return out;
  }
}

struct Warp;
struct Instruction;
/** Executes an instruction for the lanes of a mask. */
using Handler = void (*)(Warp&, const Instruction&, uint32_t lanes);

enum class Kind : uint8_t {
  plain,
  branch,
  call,
  give_back,  // ret
  leave,      // exit, and ret of a kernel
  barrier,    // of the block
  meet,       // a collective of the lanes that its last operand names
  all_lanes,  // a collective of the whole warp
};

constexpr int kOperands = 14;  // mma: D of four, A of four, B of two, C of four

struct Instruction {
  Handler run = nullptr;
  Kind kind = Kind::plain;
  bool guard_negated = false;
  uint8_t count = 0;                     // of operands
  uint8_t extra = 0;                     // what a handler needs besides its operands
  int32_t guard = -1;                    // a predicate register, or none
  int32_t at[kOperands] = {};            // registers; negative: ~ of a constant
  int64_t offset = 0;                    // added to an address
  uint64_t address_mask = ~uint64_t{0};  // an address register of 32 bits has no more
  int32_t target = 0;                    // of a branch or call
  int32_t line = 0;                      // of the PTX text
  mutable bool executed = false;
};

/** Where a symbol lies. Each space but the global one has addresses of its own; in a generic address it is a window. */
enum class Space : uint8_t { global, shared, local, param, generic };
constexpr uint64_t kSharedWindow = uint64_t{1} << 56, kLocalWindow = uint64_t{2} << 56,
                   kParamWindow = uint64_t{3} << 56;
constexpr uint64_t kWindowMask = uint64_t{0xff} << 56;
/** Where shared and local memory begin, so that an address of zero is none. */
constexpr uint64_t kFirstAddress = 1024;

enum class Special : uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  lane,
  warp
};

struct Parameter {
  size_t offset, bytes;
};

struct Program {
  std::string name;
  std::vector<Instruction> code;
  std::vector<Word> constants;  // each once for every lane
  std::vector<std::pair<int, Special>> specials;
  std::vector<Parameter> parameters;
  std::vector<std::string> lines;  // of the PTX that code was made of, by Instruction::line less first_line
  int registers = 0, entry = 0;
  size_t parameter_bytes = 0, shared_bytes = 0, local_bytes = 0;
  size_t dynamic_alignment = 16;
  unsigned most_threads = 1024;
};

/** What one instruction, or the module, cannot be executed for. */
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/** What a lane did wrong. */
struct Fault : std::runtime_error {
  Fault(int lane_, const std::string& what) : std::runtime_error(what), lane(lane_) {}
  int lane;
};

}  // namespace ptx
}  // namespace athanor
