// The table of one instruction set.
#include "cpu/families.h"
#include "cpu/roof.h"

#define ATHANOR_STRING_(x) #x
#define ATHANOR_STRING(x) ATHANOR_STRING_(x)

namespace athanor {
namespace ATHANOR_ISA {
namespace {

#define FAMILY(name) name,
const OpKernels* const families[] = {
#include "cpu/families.def"
};
#undef FAMILY

}  // namespace

extern const IsaLevel level;
const IsaLevel level = {ATHANOR_STRING(ATHANOR_ISA), families, static_cast<int>(sizeof families / sizeof *families),
                        &roof_loops};

}  // namespace ATHANOR_ISA
}  // namespace athanor
