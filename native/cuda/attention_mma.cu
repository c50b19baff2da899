// Attention in tiles on tensor cores, in tf32: see attention_tf32.h.
#include "cuda/attention_backward.h"
#include "cuda/attention_forward.h"
#include "cuda/attention_tf32.h"

namespace athanor {
namespace cuda {

void attend_by_mma(const Call& c, const Attention<float>& a, const AttentionResults& to) {
  run_attend_tiles<Tf32Rows>(c, a, to);
}

void differentiate_by_mma(const Call& c, const Attention<float>& a, const Incoming<float>& in,
                          const AttentionGradients& to) {
  run_gradient_tiles<Tf32Rows>(c, a, in, to);
}

}  // namespace cuda
}  // namespace athanor
