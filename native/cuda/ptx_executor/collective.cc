// What lanes of a warp do together: exchange registers, vote, wait, load and multiply matrices. Written after the PTX
// reference alone, not after the kernels' own description of fragments, so that the two check each other.
#include "cuda/ptx_executor/tables.h"

namespace athanor {
namespace ptx {
namespace {

// ---- shfl.sync: d[|p], a, b, c, members
enum class Exchange { up, down, butterfly, index };

template <Exchange How>
void shuffle(Warp& w, const Instruction& i, uint32_t lanes) {
  const int first = i.count - 4;  // a; before it d, or d and p
  const Word *a = w.source(i.at[first]), *b = w.source(i.at[first + 1]), *c = w.source(i.at[first + 2]);
  uint32_t out[kLanes];
  bool inside[kLanes];
  each_lane(lanes, [&](int lane) {
    const int by = static_cast<int>(b[lane] & 31), clamp = static_cast<int>(c[lane] & 31);
    const int segment = static_cast<int>(c[lane] >> 8 & 31);
    const int most = (lane & segment) | (clamp & ~segment), least = lane & segment;
    int from = lane;
    switch (How) {
      case Exchange::up:
        from = lane - by;
        inside[lane] = from >= most;
        break;
      case Exchange::down:
        from = lane + by;
        inside[lane] = from <= most;
        break;
      case Exchange::butterfly:
        from = lane ^ by;
        inside[lane] = from <= most;
        break;
      case Exchange::index:
        from = least | (by & ~segment);
        inside[lane] = from <= most;
        break;
    }
    if (!inside[lane]) from = lane;
    if ((lanes >> from & 1) == 0)
      throw Fault(lane, "a shuffle reads the register of lane " + std::to_string(from) + ", which does not take part");
    out[lane] = as<uint32_t>(a[from]);
  });
  Word* d = w.target(i.at[0]);
  Word* p = first == 2 ? w.target(i.at[1]) : nullptr;
  each_lane(lanes, [&](int l) {
    d[l] = out[l];
    if (p != nullptr) p[l] = inside[l] ? 1 : 0;
  });
}

// ---- vote.sync: d, a, members
enum class Vote { all, any, same, ballot };
template <Vote What>
void vote(Warp& w, const Instruction& i, uint32_t lanes) {
  const Word* a = w.source(i.at[1]);
  uint32_t set = 0;
  each_lane(lanes, [&](int l) { set |= static_cast<uint32_t>(a[l] & 1) << l; });
  const Word out = What == Vote::all    ? set == lanes
                   : What == Vote::any  ? set != 0
                   : What == Vote::same ? set == 0 || set == lanes
                                        : set;
  Word* d = w.target(i.at[0]);
  each_lane(lanes, [&](int l) { d[l] = out; });
}

void active_mask(Warp& w, const Instruction& i, uint32_t lanes) {
  Word* d = w.target(i.at[0]);
  each_lane(lanes, [&](int l) { d[l] = lanes; });
}

// ---- ldmatrix .m8n8: lanes 8 m to 8 m + 7 give the addresses of the rows of matrix m. Lane l gets elements 2 (l % 4)
// and the next of row l / 4; of the transposed matrix with .trans.
template <bool Transposed>
void load_matrices(Warp& w, const Instruction& i, uint32_t) {
  const int matrices = i.count - 1;
  const Word* base = w.source(i.at[matrices]);
  uint16_t rows[kLanes][8];
  for (int l = 0; l < 8 * matrices; ++l) {
    const uint64_t at = (base[l] + static_cast<uint64_t>(i.offset)) & i.address_mask;
    const char* row = w.resolve(Space::shared, at, 16, l);
    note_read(w, static_cast<size_t>(row - w.block->shared.data()), 16, l);
    std::memcpy(rows[l], row, 16);
  }
  for (int m = 0; m < matrices; ++m)
    for (int l = 0; l < kLanes; ++l) {
      const int row = l / 4, column = l % 4 * 2;
      const auto element = [&](int r, int c) {
        return static_cast<uint32_t>(Transposed ? rows[8 * m + c][r] : rows[8 * m + r][c]);
      };
      w.target(i.at[m])[l] = element(row, column) | element(row, column + 1) << 16;
    }
}

// ---- mma.sync .row.col: D = A B + C, with A of 16 lines, B of 8 columns. In the reference's words: groupID = lane /
// 4, threadID_in_group = lane % 4, and element i of a fragment counts single numbers, not registers.
float from_bf16(uint32_t bits) { return as<float>(static_cast<Word>(bits) << 16); }
float from_tf32(uint32_t bits) { return as<float>(bits & 0xffffe000u); }

template <bool Bf16>
void multiply(Warp& w, const Instruction& i, uint32_t) {
  constexpr int depth = Bf16 ? 16 : 8;
  double a[16][depth], b[depth][8];
  const auto bits = [&](int operand, int lane) { return as<uint32_t>(w.source(i.at[operand])[lane]); };
  for (int lane = 0; lane < kLanes; ++lane) {
    const int group = lane / 4, thread = lane % 4;
    if (Bf16) {
      for (int k = 0; k < 8; ++k) {
        const int row = k < 2 || (k >= 4 && k < 6) ? group : group + 8;
        const int column = thread * 2 + (k & 1) + (k < 4 ? 0 : 8);
        a[row][column] = from_bf16(bits(4 + k / 2, lane) >> (16 * (k % 2)) & 0xffff);
      }
      for (int k = 0; k < 4; ++k) {
        const int row = thread * 2 + (k & 1) + (k < 2 ? 0 : 8);
        b[row][group] = from_bf16(bits(8 + k / 2, lane) >> (16 * (k % 2)) & 0xffff);
      }
    } else {
      for (int k = 0; k < 4; ++k) {
        const int row = k == 0 || k == 2 ? group : group + 8;
        const int column = k < 2 ? thread : thread + 4;
        a[row][column] = from_tf32(bits(4 + k, lane));
      }
      b[thread][group] = from_tf32(bits(8, lane));
      b[thread + 4][group] = from_tf32(bits(9, lane));
    }
  }
  float d[4][kLanes];
  for (int lane = 0; lane < kLanes; ++lane)
    for (int k = 0; k < 4; ++k) {
      const int row = lane / 4 + (k < 2 ? 0 : 8), column = lane % 4 * 2 + (k & 1);
      double sum = 0;  // the reference asks for single precision at least
      for (int at = 0; at < depth; ++at) sum += a[row][at] * b[at][column];
      d[k][lane] = static_cast<float>(sum + as<float>(w.source(i.at[10 + k])[lane]));
    }
  for (int k = 0; k < 4; ++k)
    for (int lane = 0; lane < kLanes; ++lane) w.target(i.at[k])[lane] = word_of(d[k][lane]);
}

const std::unordered_map<std::string, Meaning>& table() {
  static const auto& all = *new std::unordered_map<std::string, Meaning>{
      {"shfl.sync.up.b32", {shuffle<Exchange::up>, Kind::meet}},
      {"shfl.sync.down.b32", {shuffle<Exchange::down>, Kind::meet}},
      {"shfl.sync.bfly.b32", {shuffle<Exchange::butterfly>, Kind::meet}},
      {"shfl.sync.idx.b32", {shuffle<Exchange::index>, Kind::meet}},
      {"vote.sync.all.pred", {vote<Vote::all>, Kind::meet}},
      {"vote.sync.any.pred", {vote<Vote::any>, Kind::meet}},
      {"vote.sync.uni.pred", {vote<Vote::same>, Kind::meet}},
      {"vote.sync.ballot.b32", {vote<Vote::ballot>, Kind::meet}},
      {"bar.warp.sync", {nullptr, Kind::meet}},
      {"bar.sync", {nullptr, Kind::barrier}},
      {"barrier.sync", {nullptr, Kind::barrier}},
      {"barrier.sync.aligned", {nullptr, Kind::barrier}},
      {"activemask.b32", {active_mask}},
      {"ldmatrix.sync.aligned.m8n8.x1.shared.b16", {load_matrices<false>, Kind::all_lanes}},
      {"ldmatrix.sync.aligned.m8n8.x2.shared.b16", {load_matrices<false>, Kind::all_lanes}},
      {"ldmatrix.sync.aligned.m8n8.x4.shared.b16", {load_matrices<false>, Kind::all_lanes}},
      {"ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16", {load_matrices<true>, Kind::all_lanes}},
      {"ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16", {load_matrices<true>, Kind::all_lanes}},
      {"ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", {load_matrices<true>, Kind::all_lanes}},
      {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", {multiply<true>, Kind::all_lanes}},
      {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", {multiply<false>, Kind::all_lanes}}};
  return all;
}

}  // namespace

Meaning warp_meaning(const Mods& mods) {
  const auto at = table().find(joined(mods));
  return at == table().end() ? Meaning{} : at->second;
}

}  // namespace ptx
}  // namespace athanor
