#include "core/table.h"

#include <cstring>

#include "core/blas.h"
#include "core/error.h"
#include "core/isa.h"

namespace athanor {

Table& Table::instance() {
  static Table table;
  return table;
}

Table::Table() {
#define OP(name) entries_.push_back({#name});
#include "ops.def"
  const IsaLevel& level = isa_level();
  for (int f = 0; f < level.n_families; ++f) {
    for (const OpKernels* k = level.families[f]; k->op != nullptr; ++k) {
      const int op = find(k->op);
      if (op < 0) throw Error(format("op table: kernels without a line in ops.def: %s", k->op));
      const int first = k->kernels[0].needs_blas && blas() == nullptr ? 1 : 0;
      entry(op).kernels = k->kernels + first;
      entry(op).n_kernels = k->count - first;
    }
  }
  for (const OpEntry& e : entries_)
    if (e.n_kernels == 0) throw Error(format("op table: no %s kernel for: %s", level.name, e.name));
}

int Table::find(const char* name) const {
  for (size_t i = 0; i < entries_.size(); ++i)
    if (std::strcmp(entries_[i].name, name) == 0) return static_cast<int>(i);
  return -1;
}

void Table::run(int op, const Call& call) {
  const OpEntry& e = entry(op);
  if (e.forced >= 0) {
    const Kernel& k = e.kernels[e.forced];
    if (k.fits != nullptr && !k.fits(call)) throw Error(format("the forced kernel %s does not fit", k.name));
    return k.run(call);
  }
  for (int i = 0; i < e.n_kernels; ++i) {
    const Kernel& k = e.kernels[i];
    if (k.fits == nullptr || k.fits(call)) return k.run(call);
  }
  throw Error("no kernel fits these arguments");
}

}  // namespace athanor
