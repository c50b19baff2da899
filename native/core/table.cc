#include "core/table.h"

#include <cstring>

#include "core/blas.h"
#include "core/error.h"
#include "core/isa.h"

namespace athanor {

namespace {

bool there(Needs needs) {
  switch (needs) {
    case Needs::blas: return blas() != nullptr;
    case Needs::bf16_dot: return has_bf16_dot();
    default: return true;
  }
}

}  // namespace

Table& Table::instance() {
  static Table table = [] {
    const IsaLevel& level = isa_level();
    Table made(level.families, level.n_families);
    for (const OpEntry& e : made.entries_)
      if (e.kernels.empty()) throw Error(format("op table: no %s kernel for: %s", level.name, e.name));
    return made;
  }();
  return table;
}

Table::Table(const OpKernels* const* families, int n_families) {
#define OP(name) entries_.push_back({#name, false, {}});
#define UNARY(name, ...) entries_.push_back({#name, true, {}});
#define UNARY1 UNARY
#define UNARY2 UNARY
#define UNARY_RARE UNARY
#define PREDICATE UNARY
#define BINARY UNARY
#define BINARY1 UNARY
#define BINARY2 UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
#define TERNARY UNARY
#define REDUCE UNARY
#include "ops.def"
  for (int f = 0; f < n_families; ++f) {
    for (const OpKernels* k = families[f]; k->op != nullptr; ++k) {
      const int op = find(k->op);
      if (op < 0) throw Error(format("op table: kernels without a line in ops.def: %s", k->op));
      for (int i = 0; i < k->count; ++i)
        if (there(k->kernels[i].needs)) entry(op).kernels.push_back(k->kernels[i]);
    }
  }
}

int Table::find(const char* name) const {
  for (size_t i = 0; i < entries_.size(); ++i)
    if (std::strcmp(entries_[i].name, name) == 0) return static_cast<int>(i);
  return -1;
}

void Table::run(int op, const Call& call) {
  const OpEntry& e = entry(op);
  if (e.forced >= 0) {
    const Kernel& k = e.kernels[static_cast<size_t>(e.forced)];
    if (k.fits != nullptr && !k.fits(call)) throw Error(format("the forced kernel %s does not fit", k.name));
    return k.run(call);
  }
  for (const Kernel& k : e.kernels) {
    if (k.fits == nullptr || k.fits(call)) return k.run(call);
  }
  throw Error(e.kernels.empty() ? "the device has no kernel for this op" : "no kernel fits these arguments");
}

}  // namespace athanor
