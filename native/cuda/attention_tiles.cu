// Attention in tiles, exact float32 (see attention_exact.h), and which calls tiles take.
#include "cuda/attention_backward.h"
#include "cuda/attention_exact.h"
#include "cuda/attention_forward.h"

namespace athanor {
namespace cuda {
namespace {

/** Below this a tile's warps would have nothing to do but one. */
constexpr int64_t kFewestQueries = 16;
constexpr int64_t kWidest = 128;
constexpr int64_t kLongest = int64_t{1} << 30;  // places in a head are counted in 32 bits

/** Whether rows of `width` numbers are chunks of 16 bytes, and so aligned. */
template <class T>
bool has_chunks(const Heads<T>& x, int64_t width, int64_t batch, int64_t rows, int64_t heads) {
  if (width == 0 || width > kWidest || width % 4 != 0 || x.step != 1) return false;
  if (reinterpret_cast<uintptr_t>(x.data) % 16 != 0) return false;
  return (batch == 1 || x.n % 4 == 0) && (rows == 1 || x.row % 4 == 0) && (heads == 1 || x.head % 4 == 0);
}

bool fits_operands(const Attention<float>& a) {
  if (a.batch * a.heads == 0 || a.keys == 0 || a.queries < kFewestQueries) return false;
  if (a.queries > kLongest || a.keys > kLongest) return false;
  // Blocks are counted in 31 bits; a tile has 64 rows or more.
  const int64_t rows = a.queries > a.keys ? a.queries : a.keys;
  if (a.batch * a.heads * ((rows + 63) / 64) >= int64_t{1} << 31) return false;
  return has_chunks(a.q, a.width, a.batch, a.queries, a.heads) && has_chunks(a.k, a.width, a.batch, a.keys, a.heads) &&
         has_chunks(a.v, a.value_width, a.batch, a.keys, a.heads);
}

}  // namespace

bool fits_tiles(const Attention<float>& a, const AttentionResults& to) {
  return fits_operands(a) && has_chunks(to.out, a.value_width, a.batch, a.queries, a.heads);
}

bool fits_tiles(const Attention<float>& a, const Incoming<float>& in, const AttentionGradients& to) {
  return fits_operands(a) && has_chunks(in.g, a.value_width, a.batch, a.queries, a.heads) &&
         has_chunks(in.out, a.value_width, a.batch, a.queries, a.heads) &&
         has_chunks(to.q, a.width, a.batch, a.queries, a.heads) &&
         has_chunks(to.k, a.width, a.batch, a.keys, a.heads) &&
         has_chunks(to.v, a.value_width, a.batch, a.keys, a.heads);
}

void attend_exactly(const Call& c, const Attention<float>& a, const AttentionResults& to) {
  run_attend_tiles<ExactRows>(c, a, to);
}

void differentiate_exactly(const Call& c, const Attention<float>& a, const Incoming<float>& in,
                           const AttentionGradients& to) {
  run_gradient_tiles<ExactRows>(c, a, in, to);
}

}  // namespace cuda
}  // namespace athanor
