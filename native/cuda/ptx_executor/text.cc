#include "cuda/ptx_executor/text.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "cuda/ptx_executor/program.h"

namespace athanor {
namespace ptx {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '.' || c == '%';
}

/** Goes through text and counts lines. */
struct Reader {
  std::string_view text;
  size_t at = 0;
  int line = 1;

  bool end() const { return at >= text.size(); }
  void step() {
    if (text[at] == '\n') ++line;
    ++at;
  }
  void skip() {  // spaces and comments
    while (!end()) {
      if (is_space(text[at])) {
        step();
      } else if (text.substr(at, 2) == "//") {
        while (!end() && text[at] != '\n') ++at;
      } else if (text.substr(at, 2) == "/*") {
        while (!end() && text.substr(at, 2) != "*/") step();
        at = std::min(at + 2, text.size());
      } else {
        return;
      }
    }
  }
  std::string_view word() {
    const size_t from = at;
    while (!end() && is_name(text[at])) ++at;
    return text.substr(from, at - from);
  }
  /** To the first of `stops` that is within no brackets opened since; leaves it unread. */
  std::string_view until(std::string_view stops) {
    const size_t from = at;
    int depth = 0;
    for (; !end(); step()) {
      const char c = text[at];
      if (depth == 0 && stops.find(c) != std::string_view::npos) break;
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
    }
    return text.substr(from, at - from);
  }
};

std::vector<Variable> read_list(Reader& reader) {  // from the opening bracket on
  std::vector<Variable> out;
  ++reader.at;
  const std::string_view inside = trimmed(reader.until(")"));
  ++reader.at;
  if (!inside.empty())
    for (const std::string_view part : parts_of(inside)) out.push_back(read_variable(part));
  return out;
}

void read_function(Reader& reader, bool entry, Module& module) {
  Function f;
  f.entry = entry;
  reader.skip();
  if (reader.text[reader.at] == '(') f.results = read_list(reader);
  reader.skip();
  f.name = std::string(reader.word());
  reader.skip();
  if (!reader.end() && reader.text[reader.at] == '(') f.parameters = read_list(reader);
  const size_t from = reader.at;
  while (!reader.end() && reader.text[reader.at] != '{' && reader.text[reader.at] != ';') reader.step();
  f.attributes = reader.text.substr(from, reader.at - from);
  if (reader.end() || reader.text[reader.at] == ';') {  // only announced
    if (!reader.end()) ++reader.at;
    return;
  }
  ++reader.at;
  f.line = reader.line;
  f.body = reader.until("}");
  ++reader.at;
  module.functions[f.name] = std::move(f);
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> parts_of(std::string_view list) {
  std::vector<std::string_view> out;
  Reader reader{list};
  while (!trimmed(list.substr(reader.at)).empty()) {
    out.push_back(trimmed(reader.until(",")));
    if (!reader.end()) ++reader.at;
  }
  return out;
}

size_t bytes_of_type(std::string_view type) {
  if (type == "pred") return 1;
  const size_t digits = type.find_first_of("0123456789");
  if (digits == std::string_view::npos) throw Unsupported("unknown type: " + std::string(type));
  return std::strtoul(std::string(type.substr(digits)).c_str(), nullptr, 10) / 8;
}

Variable read_variable(std::string_view declaration) {
  Variable v;
  const size_t equals = declaration.find('=');
  if (equals != std::string_view::npos) {
    std::string_view value = trimmed(declaration.substr(equals + 1));
    if (!value.empty() && value.front() == '{') value = value.substr(1, value.size() - 2);
    v.initial = value;
    declaration = declaration.substr(0, equals);
  }
  Reader reader{declaration};
  size_t count = 1;
  bool aligned = false;
  for (;;) {
    reader.skip();
    if (reader.end()) break;
    if (reader.text[reader.at] == '[') {
      ++reader.at;
      const std::string inside(trimmed(reader.until("]")));
      ++reader.at;
      count *= inside.empty() ? 0 : std::strtoul(inside.c_str(), nullptr, 10);
      continue;
    }
    const std::string_view word = reader.word();
    if (word.empty()) throw Unsupported("cannot read the declaration: " + std::string(declaration));
    if (word == ".align") {
      reader.skip();
      v.alignment = std::strtoul(std::string(reader.word()).c_str(), nullptr, 10);
      aligned = true;
    } else if (word.front() != '.') {
      v.name = std::string(word);
    } else if (word == ".extern") {
      v.external = true;
    } else if (word.size() <= 5 && std::isdigit(static_cast<unsigned char>(word.back()))) {
      v.type = word.substr(1);
    }
  }
  v.bytes = bytes_of_type(v.type) * count;
  if (!aligned) v.alignment = bytes_of_type(v.type);
  return v;
}

Module read_module(std::string_view text) {
  Module module;
  Reader reader{text};
  for (reader.skip(); !reader.end(); reader.skip()) {
    const size_t from = reader.at;
    bool done = false;
    while (!done) {
      reader.skip();
      const std::string_view word = reader.word();
      if (word == ".entry" || word == ".func") {
        read_function(reader, word == ".entry", module);
        done = true;
      } else if (word == ".shared" || word == ".global" || word == ".const") {
        reader.until(";");
        const Variable v = read_variable(text.substr(from, reader.at - from));
        (word == ".shared" ? module.shared : module.global)[v.name] = v;
        ++reader.at;
        done = true;
      } else if (word == ".version" || word == ".target" || word == ".address_size" || word == ".file") {
        while (!reader.end() && reader.text[reader.at] != '\n') ++reader.at;
        done = true;
      } else if (word.empty()) {
        throw Unsupported("cannot read the PTX at line " + std::to_string(reader.line));
      }
    }
  }
  return module;
}

std::vector<Statement> statements_of(const Function& function) {
  std::vector<Statement> out;
  Reader reader{function.body, 0, function.line};
  for (reader.skip(); !reader.end(); reader.skip()) {
    const int line = reader.line;
    const char c = reader.text[reader.at];
    if (c == '{' || c == '}') {
      out.push_back({c == '{' ? Statement::What::open : Statement::What::close, {}, line});
      ++reader.at;
      continue;
    }
    const size_t from = reader.at;
    const std::string_view word = reader.word();
    reader.skip();
    if (!reader.end() && reader.text[reader.at] == ':') {
      ++reader.at;
      out.push_back({Statement::What::label, word, line});
      continue;
    }
    reader.until(";");
    out.push_back({word.substr(0, 1) == "." ? Statement::What::directive : Statement::What::instruction,
                   trimmed(reader.text.substr(from, reader.at - from)), line});
    if (!reader.end()) ++reader.at;
  }
  return out;
}

}  // namespace ptx
}  // namespace athanor
