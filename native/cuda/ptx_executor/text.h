// PTX text cut into what stands in it: variables, functions, and the statements of a function. A function's statements
// are read when it is first launched, since a module has megabytes of them.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace athanor {
namespace ptx {

/** `.param .align 8 .b8 name[48]` and its like, in any space. */
struct Variable {
  std::string name;
  size_t alignment = 1, bytes = 0;
  bool external = false;
  std::string_view initial;  // the text between braces
  std::string_view type;     // of one element, without the dot
};

struct Function {
  std::string name;
  bool entry = false;
  std::vector<Variable> results, parameters;
  std::string_view attributes;  // between the parameters and the body: .maxntid and the like
  std::string_view body;        // between its braces
  int line = 1;                 // where the body begins
};

struct Module {
  std::map<std::string, Function> functions;
  std::map<std::string, Variable> shared, global;  // declared outside of functions
};

/** The text must outlive the module. */
Module read_module(std::string_view text);

struct Statement {
  enum class What { open, close, label, directive, instruction } what;
  std::string_view text;  // without the semicolon or colon
  int line;
};
std::vector<Statement> statements_of(const Function& function);

/** Cut at the commas that are within no brackets; each trimmed. */
std::vector<std::string_view> parts_of(std::string_view list);
std::string_view trimmed(std::string_view text);
Variable read_variable(std::string_view declaration);
size_t bytes_of_type(std::string_view type);

}  // namespace ptx
}  // namespace athanor
