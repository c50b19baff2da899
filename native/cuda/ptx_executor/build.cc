#include "cuda/ptx_executor/build.h"

#include <algorithm>
#include <cstdlib>

#include "cuda/ptx_executor/warp.h"

namespace athanor {
namespace ptx {
namespace {

size_t aligned(size_t at, size_t alignment) { return (at + alignment - 1) / alignment * alignment; }

const std::map<std::string_view, Special>& specials() {
  static const auto& all = *new std::map<std::string_view, Special>{
      {"%tid.x", Special::tid_x},       {"%tid.y", Special::tid_y},       {"%tid.z", Special::tid_z},
      {"%ntid.x", Special::ntid_x},     {"%ntid.y", Special::ntid_y},     {"%ntid.z", Special::ntid_z},
      {"%ctaid.x", Special::ctaid_x},   {"%ctaid.y", Special::ctaid_y},   {"%ctaid.z", Special::ctaid_z},
      {"%nctaid.x", Special::nctaid_x}, {"%nctaid.y", Special::nctaid_y}, {"%nctaid.z", Special::nctaid_z},
      {"%laneid", Special::lane},       {"%warpid", Special::warp}};
  return all;
}

/** Copies what a call's arguments or results are from one place of local memory to another: operands are pairs. */
void hand_over(Warp& w, const Instruction& i, uint32_t lanes) {
  const size_t size = w.block->program->local_bytes;
  each_lane(lanes, [&](int l) {
    char* mine = w.local.data() + static_cast<size_t>(l) * size;
    for (int k = 1; k + 2 < i.count; k += 3)
      std::memcpy(mine + i.at[k + 1], mine + i.at[k], static_cast<size_t>(i.at[k + 2]));
  });
}

struct Symbol {
  uint64_t address;
  Space space;  // param and local ones have their window in the address
  size_t bytes = 0;
};

class Builder {
 public:
  Builder(const Module& module, const Globals& globals, const std::string& kernel)
      : module_(module), globals_(globals), program_(new Program) {
    program_->name = kernel;
  }

  std::unique_ptr<Program> build() {
    const auto at = module_.functions.find(program_->name);
    if (at == module_.functions.end() || !at->second.entry)
      throw Unsupported("the module has no kernel " + program_->name);
    const Function& kernel = at->second;
    for (const Variable& v : kernel.parameters) {
      const size_t offset = aligned(program_->parameter_bytes, v.alignment);
      program_->parameters.push_back({offset, v.bytes});
      symbols_.emplace(v.name, Symbol{kParamWindow + kFirstAddress + offset, Space::param, v.bytes});
      program_->parameter_bytes = offset + v.bytes;
    }
    read_attributes(kernel.attributes);
    // A function that is called stands before those that call it: lanes that are in it are further behind, run
    // first, and meet the others when they come back.
    translate(kernel, true);
    finish_shared();
    for (const auto& [instruction, label] : jumps_) {
      const auto found = labels_.find(label);
      line_ = program_->code[instruction].line;
      if (found == labels_.end()) refuse("unknown label: " + label.substr(label.find(':') + 1));
      program_->code[instruction].target = found->second;
    }
    return std::move(program_);
  }

 private:
  struct Callee {
    int entry, back;                          // where it begins, and the register of where it goes back to
    std::vector<size_t> parameters, results;  // places in local memory
  };

  [[noreturn]] void refuse(const std::string& what) const {
    throw Unsupported(program_->name + ", line " + std::to_string(line_) + " of its PTX: " + what);
  }

  void read_attributes(std::string_view text) {
    const size_t at = text.find(".maxntid");
    if (at == std::string_view::npos) return;
    unsigned product = 1;
    std::string_view list = text.substr(at + 8);
    list = list.substr(0, list.find_first_of(".\n"));
    for (const std::string_view part : parts_of(list)) product *= static_cast<unsigned>(number(part));
    program_->most_threads = product;
  }

  int new_register() { return program_->registers++; }

  int32_t constant(Word value) {
    const auto known = constants_.find(value);
    if (known != constants_.end()) return known->second;
    const auto at = static_cast<int32_t>(program_->constants.size() / kLanes);
    program_->constants.insert(program_->constants.end(), kLanes, value);
    return constants_[value] = ~at;
  }

  static int64_t number(std::string_view text) {
    return static_cast<int64_t>(std::strtoull(std::string(trimmed(text)).c_str(), nullptr, 0));
  }

  size_t take_local(const Variable& v) {
    const size_t at = aligned(program_->local_bytes, std::max<size_t>(v.alignment, 8));
    program_->local_bytes = aligned(at + v.bytes, 16);
    return at;
  }

  // ---- names
  /** Registers of the open scopes, innermost last. */
  int32_t* find_register(std::string_view name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const auto at = scope->find(std::string(name));
      if (at != scope->end()) return &at->second;
    }
    return nullptr;
  }

  bool narrow(std::string_view name) const {
    for (auto scope = narrow_.rbegin(); scope != narrow_.rend(); ++scope)
      if (scope->count(std::string(name)) != 0) return scope->at(std::string(name));
    return false;
  }

  const Symbol* find_symbol(std::string_view name) {
    const std::string key(name);
    const auto at = symbols_.find(key);
    if (at != symbols_.end()) return &at->second;
    if (const auto shared = module_.shared.find(key); shared != module_.shared.end())
      return place_shared(shared->second);
    if (const auto global = globals_.find(key); global != globals_.end())
      return &symbols_
                  .emplace(key, Symbol{reinterpret_cast<uint64_t>(global->second.data()), Space::global,
                                       global->second.size()})
                  .first->second;
    return nullptr;
  }

  const Symbol* place_shared(const Variable& v) {
    if (v.external) {  // what the launch adds begins after all others, whose size is not known yet
      program_->dynamic_alignment = std::max(program_->dynamic_alignment, v.alignment);
      dynamic_.push_back(v.name);
      return &symbols_.emplace(v.name, Symbol{0, Space::shared}).first->second;
    }
    const size_t offset = aligned(program_->shared_bytes, v.alignment);
    program_->shared_bytes = offset + v.bytes;
    return &symbols_.emplace(v.name, Symbol{kFirstAddress + offset, Space::shared, v.bytes}).first->second;
  }

  /** Static variables of a kernel are placed before its instructions are read; those of the module as they appear, so
   *  the place of what the launch adds is known at the end only. */
  void finish_shared() {
    program_->shared_bytes = aligned(program_->shared_bytes, program_->dynamic_alignment);
    for (const auto& [instruction, operand] : dynamic_uses_) {
      Instruction& i = program_->code[instruction];
      const int32_t at = constant(kFirstAddress + program_->shared_bytes + dynamic_offset_[{instruction, operand}]);
      i.at[operand] = at;
    }
  }

  // ---- statements
  void translate(const Function& function, bool kernel) {
    const std::vector<Statement> statements = statements_of(function);
    const std::string prefix = function.name + ":";
    // Callees first.
    for (const Statement& s : statements)
      if (s.what == Statement::What::instruction && s.text.find("call") != std::string_view::npos) announce(s);
    scopes_.emplace_back();
    narrow_.emplace_back();
    if (kernel) program_->entry = static_cast<int>(program_->code.size());
    Callee self{static_cast<int>(program_->code.size()), 0, {}, {}};
    if (!kernel) {
      self.back = new_register();
      for (const Variable& v : function.parameters) self.parameters.push_back(own(v));
      for (const Variable& v : function.results) self.results.push_back(own(v));
      callees_[function.name] = self;
    }
    for (const Statement& s : statements) {
      line_ = s.line;
      switch (s.what) {
        case Statement::What::open:
          scopes_.emplace_back();
          narrow_.emplace_back();
          break;
        case Statement::What::close:
          scopes_.pop_back();
          narrow_.pop_back();
          break;
        case Statement::What::label:
          labels_[prefix + std::string(s.text)] = static_cast<int>(program_->code.size());
          break;
        case Statement::What::directive: directive(s.text); break;
        case Statement::What::instruction: instruction(s, prefix, kernel, self); break;
      }
    }
    // The end of the text is a return.
    Instruction end;
    end.kind = kernel ? Kind::leave : Kind::give_back;
    end.at[0] = self.back;
    push(end, "end of the text");
    scopes_.pop_back();
    narrow_.pop_back();
  }

  size_t own(const Variable& v) {
    const size_t at = take_local(v);
    symbols_[v.name] = Symbol{kLocalWindow + kFirstAddress + at, Space::local, v.bytes};
    return at;
  }

  void announce(const Statement& s) {
    for (const auto& [name, function] : module_.functions)
      if (!function.entry && callees_.count(name) == 0 && mentions(s.text, name)) {
        auto scopes = std::move(scopes_);
        auto narrow = std::move(narrow_);
        scopes_.clear();
        narrow_.clear();
        translate(function, false);
        scopes_ = std::move(scopes);
        narrow_ = std::move(narrow);
      }
  }
  static bool mentions(std::string_view text, const std::string& name) {
    const size_t at = text.find(name);
    const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; };
    return at != std::string_view::npos && (at == 0 || !part(text[at - 1])) &&
           (at + name.size() == text.size() || !part(text[at + name.size()]));
  }

  void directive(std::string_view text) {
    if (text.substr(0, 4) == ".reg") {
      const auto parts = parts_of(trimmed(text.substr(4)));
      // `.b32 %r<21>` or `.b32 %a, %b`
      const size_t space = parts[0].find_first_of(" \t");
      const std::string_view type = trimmed(parts[0].substr(0, space)).substr(1);
      for (size_t p = 0; p < parts.size(); ++p) {
        const std::string_view name = p == 0 ? trimmed(parts[0].substr(space)) : parts[p];
        const size_t open = name.find('<');
        const bool small = type != "pred" && bytes_of_type(type) == 4;
        if (open == std::string_view::npos) {
          declare(std::string(name), small);
        } else {
          const int64_t count = number(name.substr(open + 1, name.find('>') - open - 1));
          for (int64_t k = 0; k < count; ++k) declare(std::string(name.substr(0, open)) + std::to_string(k), small);
        }
      }
    } else if (text.substr(0, 7) == ".shared") {
      place_shared(read_variable(text));
    } else if (text.substr(0, 6) == ".local") {
      const Variable v = read_variable(text);
      symbols_[v.name] = Symbol{kFirstAddress + take_local(v), Space::local, v.bytes};
    } else if (text.substr(0, 6) == ".param") {
      own(read_variable(text));
    } else if (text.substr(0, 7) != ".pragma" && text.substr(0, 4) != ".loc") {
      refuse("unknown directive: " + std::string(text));
    }
  }
  void declare(std::string name, bool small) {
    narrow_.back()[name] = small;
    scopes_.back()[std::move(name)] = new_register();
  }

  void push(const Instruction& i, std::string_view text) {
    program_->code.push_back(i);
    std::string line(text);
    for (char& c : line)
      if (c == '\n' || c == '\t') c = ' ';
    program_->lines.push_back(std::move(line));
  }

  void instruction(const Statement& s, const std::string& prefix, bool kernel, const Callee& self) {
    std::string_view text = s.text;
    Instruction i;
    i.line = s.line;
    if (text.front() == '@') {
      text.remove_prefix(1);
      if (text.front() == '!') {
        i.guard_negated = true;
        text.remove_prefix(1);
      }
      const size_t end = text.find_first_of(" \t");
      i.guard = reg(text.substr(0, end));
      text = trimmed(text.substr(end));
    }
    const size_t end = text.find_first_of(" \t\n");
    const std::string_view opcode = text.substr(0, end);
    const std::vector<std::string_view> operands =
        end == std::string_view::npos ? std::vector<std::string_view>{} : parts_of(trimmed(text.substr(end)));
    Mods mods;
    for (size_t from = 0; from <= opcode.size();) {
      const size_t dot = std::min(opcode.find('.', from), opcode.size());
      mods.push_back(opcode.substr(from, dot - from));
      from = dot + 1;
    }
    if (mods[0] == "bra") {
      i.kind = Kind::branch;
      jumps_.emplace_back(program_->code.size(), prefix + std::string(operands.at(0)));
    } else if (mods[0] == "ret" || mods[0] == "exit") {
      i.kind = kernel || mods[0] == "exit" ? Kind::leave : Kind::give_back;
      i.at[0] = self.back;
    } else if (mods[0] == "call") {
      call(i, operands, s.text);
      return;
    } else if (mods[0] == "trap") {
      refuse("a trap");
    } else {
      ordinary(i, mods, operands, opcode);
    }
    push(i, s.text);
  }

  void ordinary(Instruction& i, const Mods& mods, const std::vector<std::string_view>& operands,
                std::string_view opcode) {
    size_t vector = 1;
    for (const std::string_view operand : operands) add_operand(i, operand, &vector);
    // For mov: which of its operands is in braces.
    Mods cut = mods;
    if (mods[0] == "mov" && vector > 1) cut.push_back(operands[0].front() == '{' ? "unpack" : "pack");
    if (mods[0] == "cp" && (i.offset != 0)) refuse("a copy with a displacement");
    if (mods[0].substr(0, 3) == "bar" && mods[1] == "sync" && operands.size() != 1)
      refuse("a barrier of some threads only");
    Meaning meaning;
    for (const auto table : {integer_meaning, float_meaning, compare_meaning, convert_meaning, warp_meaning})
      if (meaning.run == nullptr && meaning.kind == Kind::plain) meaning = table(cut);
    if (meaning.run == nullptr && meaning.kind == Kind::plain) meaning = memory_meaning(mods, vector);
    if (meaning.run == nullptr && meaning.kind == Kind::plain) refuse("unknown instruction: " + std::string(opcode));
    i.run = meaning.run;
    i.kind = meaning.kind;
    i.extra = meaning.extra;
  }

  void call(Instruction& i, const std::vector<std::string_view>& operands, std::string_view text) {
    // (results), function, (arguments)
    std::string_view results, arguments, name;
    for (const std::string_view operand : operands) {
      if (operand.front() != '(')
        name = operand;
      else
        (name.empty() ? results : arguments) = trimmed(operand.substr(1, operand.size() - 2));
    }
    const auto callee = callees_.find(std::string(name));
    if (callee == callees_.end()) refuse("a call of a function that is not in the module: " + std::string(name));
    i.kind = Kind::call;
    i.run = hand_over;
    i.target = callee->second.entry;
    i.at[0] = callee->second.back;
    i.count = 1;
    const auto add = [&](Instruction& to, std::string_view list, const std::vector<size_t>& places, bool in) {
      const auto parts = parts_of(list);
      if (parts.size() != places.size()) refuse("a call with another number of arguments: " + std::string(text));
      for (size_t k = 0; k < parts.size(); ++k) {
        const Symbol* own = find_symbol(parts[k]);
        if (own == nullptr || to.count + 3 > kOperands) refuse("cannot read the call: " + std::string(text));
        const auto mine = static_cast<int32_t>(own->address - kLocalWindow - kFirstAddress);
        const auto theirs = static_cast<int32_t>(places[k]);
        to.at[to.count] = in ? mine : theirs;
        to.at[to.count + 1] = in ? theirs : mine;
        to.at[to.count + 2] = static_cast<int32_t>(own->bytes);
        to.count = static_cast<uint8_t>(to.count + 3);
      }
    };
    add(i, arguments, callee->second.parameters, true);
    push(i, text);
    Instruction after;  // where the call comes back to
    after.guard = i.guard;
    after.guard_negated = i.guard_negated;
    after.line = i.line;
    after.run = hand_over;
    after.count = 1;
    add(after, results, callee->second.results, false);
    push(after, text);
  }

  // ---- operands
  int32_t reg(std::string_view name) {
    if (const int32_t* known = find_register(name)) return *known;
    const auto special = specials().find(name);
    if (special == specials().end()) refuse("unknown register: " + std::string(name));
    const auto known = specials_.find(special->second);
    if (known != specials_.end()) return known->second;
    const int at = new_register();
    program_->specials.emplace_back(at, special->second);
    return specials_[special->second] = at;
  }

  void put(Instruction& i, int32_t at) {
    if (i.count == kOperands) refuse("too many operands");
    i.at[i.count++] = at;
  }

  void add_operand(Instruction& i, std::string_view text, size_t* vector) {
    if (text.empty()) refuse("an empty operand");
    const char first = text.front();
    if (first == '{') {
      const auto parts = parts_of(text.substr(1, text.size() - 2));
      *vector = parts.size();
      for (const std::string_view part : parts) add_operand(i, part, vector);
      *vector = parts.size();
    } else if (first == '[') {
      add_address(i, trimmed(text.substr(1, text.size() - 2)));
    } else if (text == "_") {
      put(i, new_register());
    } else if (first == '%') {
      const size_t bar = text.find('|');
      put(i, reg(text.substr(0, bar)));
      if (bar != std::string_view::npos) add_operand(i, text.substr(bar + 1), vector);
    } else if (first == '-' || std::isdigit(static_cast<unsigned char>(first))) {
      put(i, constant(immediate(text)));
    } else {
      add_symbol(i, text, 0);
    }
  }

  static Word immediate(std::string_view text) {
    if (text.size() > 2 && text[0] == '0' && (text[1] == 'f' || text[1] == 'F' || text[1] == 'd' || text[1] == 'D'))
      return std::strtoull(std::string(text.substr(2)).c_str(), nullptr, 16);
    return static_cast<Word>(number(text));
  }

  void add_symbol(Instruction& i, std::string_view name, int64_t offset) {
    const Symbol* symbol = find_symbol(name);
    if (symbol == nullptr) refuse("unknown name: " + std::string(name));
    if (symbol->space == Space::shared && symbol->address == 0) {
      dynamic_uses_.emplace_back(program_->code.size(), i.count);
      dynamic_offset_[{program_->code.size(), i.count}] = static_cast<uint64_t>(offset);
      put(i, 0);
      return;
    }
    put(i, constant(symbol->address + static_cast<uint64_t>(offset)));
  }

  void add_address(Instruction& i, std::string_view text) {
    const size_t plus = text.find('+');
    const std::string_view base = trimmed(text.substr(0, plus));
    const int64_t offset = plus == std::string_view::npos ? 0 : number(text.substr(plus + 1));
    if (base.front() == '%') {
      put(i, reg(base));
      if (narrow(base)) i.address_mask = 0xffffffffu;
      i.offset = offset;
    } else if (std::isdigit(static_cast<unsigned char>(base.front()))) {
      put(i, constant(static_cast<Word>(number(base) + offset)));
    } else {
      add_symbol(i, base, offset);
    }
  }

  const Module& module_;
  const Globals& globals_;
  std::unique_ptr<Program> program_;
  int line_ = 0;
  std::vector<std::map<std::string, int32_t>> scopes_;
  std::vector<std::map<std::string, bool>> narrow_;  // registers of 32 bits
  std::map<std::string, Symbol> symbols_;
  std::map<Word, int32_t> constants_;
  std::map<Special, int> specials_;
  std::map<std::string, int> labels_;
  std::vector<std::pair<size_t, std::string>> jumps_;
  std::map<std::string, Callee> callees_;
  std::vector<std::string> dynamic_;
  std::vector<std::pair<size_t, int>> dynamic_uses_;
  std::map<std::pair<size_t, int>, uint64_t> dynamic_offset_;
};

}  // namespace

Globals make_globals(const Module& module) {
  Globals out;
  for (const auto& [name, variable] : module.global) {
    std::vector<char> bytes(std::max<size_t>(variable.bytes, 1));
    const size_t each = bytes_of_type(variable.type);
    size_t at = 0;
    for (const std::string_view part : parts_of(variable.initial)) {
      const uint64_t value = std::strtoull(std::string(part).c_str(), nullptr, 0);
      if (at + each <= bytes.size()) std::memcpy(&bytes[at], &value, each);
      at += each;
    }
    out[name] = std::move(bytes);
  }
  return out;
}

std::unique_ptr<Program> build_program(const Module& module, const Globals& globals, const std::string& kernel) {
  return Builder(module, globals, kernel).build();
}

}  // namespace ptx
}  // namespace athanor
