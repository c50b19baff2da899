// The transpose of a strided convolution with few output channels. Each remainder of the output's rows and columns in
// the stride (phase) is a convolution with taps of its own, and few channels fill a tile badly: so all phases are one
// product, whose rows are output channels times phases and whose taps are those of any phase. Where a phase lacks a
// tap its weight is zero: (k + s - 1)^2 / k^2 of the useful work at most for a kernel of k and a stride of s, against
// tiles s^2 times as tall, and rows of the image copied once instead of once a phase.
#pragma once
#include "cpu/conv_correlate.h"
#include "cpu/conv_panels.h"

namespace athanor {
namespace ATHANOR_ISA {

/** The different taps of all phases. */
struct JointTaps {
  int64_t count = 0;
  int64_t *dy, *dx;
  int64_t* of;  // the place of each phase's tap among them

  JointTaps(Context* ctx, const PhasedTaps& taps)
      : dy(scratch_array<int64_t>(ctx, taps.count)),
        dx(scratch_array<int64_t>(ctx, taps.count)),
        of(scratch_array<int64_t>(ctx, taps.count)) {
    for (int64_t t = 0; t < taps.count; ++t) {
      int64_t i = 0;
      while (i < count && (dy[i] != taps.dy[t] || dx[i] != taps.dx[t])) ++i;
      if (i == count) {
        dy[i] = taps.dy[t];
        dx[i] = taps.dx[t];
        ++count;
      }
      of[t] = i;
    }
  }
};

/** [group][phase][output channel][channel][tap] of all phases, zeros where a phase lacks a tap. */
template <class T>
T* joint_weights(Context* ctx, const Correlation<T>& p, const PhasedTaps& taps, const JointTaps& joint) {
  const int64_t phases = taps.phases_y * taps.phases_x, depth = p.channels * joint.count;
  T* const all = scratch_array<T>(ctx, p.groups * phases * p.m * depth);
  for (int64_t i = 0; i < p.groups * phases * p.m * depth; ++i) all[i] = T(0);
  for (int64_t group = 0; group < p.groups; ++group)
    for (int64_t phase = 0; phase < phases; ++phase)
      for (int64_t i = 0; i < p.m; ++i) {
        T* const to = all + ((group * phases + phase) * p.m + i) * depth;
        const T* const from = p.weights.data + group * p.weights.group + i * p.weights.m;
        for (int64_t c = 0; c < p.channels; ++c)
          for (int64_t t = taps.first[phase]; t < taps.first[phase + 1]; ++t)
            to[c * joint.count + joint.of[t]] = from[c * p.weights.c + taps.weight[t]];
      }
  return all;
}

/**
 * All phases of `p`, whose m, weights, target and bias are those of the whole image; its taps and grid follow. False
 * where most of the work would be zeros: then nothing is done.
 */
template <class T>
bool correlate_jointly(Context* ctx, Correlation<T> p, const PhasedTaps& taps, int64_t rows, int64_t columns) {
  const int64_t phases = taps.phases_y * taps.phases_x;
  const JointTaps joint(ctx, taps);
  if (phases == 1 || joint.count * phases > 3 * taps.count) return false;
  const T* const data = joint_weights(ctx, p, taps, joint);
  if (p.bias != nullptr) {
    T* const bias = scratch_array<T>(ctx, p.groups * phases * p.m);
    for (int64_t i = 0; i < p.groups * phases * p.m; ++i) bias[i] = p.bias[i / (phases * p.m) * p.m + i % p.m];
    p.bias = bias;
  }
  p.m *= phases;
  p.taps = {joint.count, joint.dy, joint.dx};
  p.grid = {ceil_div(rows, taps.phases_y), ceil_div(columns, taps.phases_x), 1, 1};
  const int64_t depth = p.channels * joint.count;
  int64_t* const offsets = scratch_array<int64_t>(ctx, joint.count);
  for (int64_t t = 0; t < joint.count; ++t) offsets[t] = t;
  p.weights = {data, p.m * depth, depth, joint.count, offsets, true};
  p.phases = {taps.phases_y, taps.phases_x, rows, columns};
  correlate(ctx, p);
  return true;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
