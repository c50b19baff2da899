// attention: out = softmax(scale q k^T + mask) v for every head, without the whole matrix of scores: blocks of queries
// meet blocks of keys, the softmax is kept up to date as keys come in (Milakov and Gimelshein, 2018), and what stays is
// the logarithm of each row's sum, from which the gradient makes the probabilities again (Dao et al., 2022).
// packedAttention takes queries, keys and values as one window [N, L, 3, H, E]. attrs: scale, whether a query sees only
// keys up to its own place.
// Forward 2 S (E + D) FLOPs a query, its gradient 2 S (3 E + 2 D), about half of that where it is causal; one
// exponential a score in each. Bound by the multiply-add units for E and D of a few dozen, with packing as the
// overhead: each product has a short side. Forward is split over heads and blocks of queries, the gradient over heads,
// because the queries of a head add up to the gradients of its keys.
#include "cpu/attention.h"
#include "cpu/dtypes.h"
#include "cpu/families.h"

namespace athanor {
namespace ATHANOR_ISA {
namespace {

// A block of scores is 32 KiB of float: it stays in a first-level cache of 48 KiB, and nearly in one of 32.
constexpr int64_t kQueries = 64, kKeys = 128;

/** A call: windows of the operands, and sizes. */
template <class T>
struct Attention {
  int64_t batch, heads, queries, keys, width, value_width;  // N, H, L, S, E, D
  Heads<T> q, k, v;
  Mask<T> mask;
  T scale;
  bool causal;

  int64_t query_blocks() const { return ceil_div(queries, kQueries); }
  Part query_block(int64_t i) const { return Part(queries, query_blocks(), i); }
  int64_t key_blocks() const { return ceil_div(keys, kKeys); }
  Part key_block(int64_t j) const { return Part(keys, key_blocks(), j); }
  /** How many keys of a block a query sees. */
  int64_t seen(int64_t query, const Part& block) const {
    return causal ? max_of<int64_t>(0, min_of(query + 1 - block.from, block.size())) : block.size();
  }
  /** Whether some query of a block sees some key of another. */
  bool meets(const Part& rows, const Part& block) const { return !causal || block.from < rows.to; }
  /** Room for the packed operands of the largest product. */
  int64_t workspace() const {
    const int64_t a = min_of(queries, kQueries), b = min_of(keys, kKeys), e = width, d = value_width;
    int64_t most = SerialSteps<T>(a, b, max_of(e, d)).elements();
    most = max_of(most, SerialSteps<T>(a, max_of(e, d), b).elements());
    return max_of(most, SerialSteps<T>(b, max_of(e, d), a).elements());
  }
};

template <class T>
Attention<T> attention_of(const Call& c, const View& q, const View& k, const View& v, const View& mask) {
  return {q.shape[0],
          q.shape[2],
          q.shape[1],
          k.shape[1],
          q.shape[3],
          v.shape[3],
          heads_of<T>(c.ctx, q),
          heads_of<T>(c.ctx, k),
          heads_of<T>(c.ctx, v),
          Mask<T>(mask),
          static_cast<T>(c.attrs[0]),
          c.attrs[1] != 0};
}

/** Queries (0), keys (1) or values (2) of a window [N, L, 3, H, E]. */
template <class T>
View part_of(const View& packed, int part) {
  View out = packed;
  out.ndim = 4;
  for (int d = 2; d < 4; ++d) {
    out.shape[d] = packed.shape[d + 1];
    out.strides[d] = packed.strides[d + 1];
  }
  out.data = packed.as<T>() + part * packed.strides[2];
  return out;
}

template <class T>
void product(int64_t m, int64_t n, int64_t k, const StridedFactor<T>& a, const StridedFactor<T>& b, T* c, int64_t c_row,
             bool add, T* workspace) {
  const Product<T, StridedFactor<T>, StridedFactor<T>, StridedResult<T>> one = {
      m, n, k, a, b, {c, c_row, 1}, {add ? Start::accumulate : Start::zero, nullptr}};
  multiply_serial(one, workspace);
}

/** Private memory of an item, in the order in which it is taken. */
template <class T>
struct Arena {
  T* next;
  T* take(int64_t count) {
    T* const out = next;
    next += ceil_div(count, kLanes<T>) * kLanes<T>;
    return out;
  }
};

template <class T>
void attend_block(const Attention<T>& p, int64_t n, int64_t h, const Part& rows, const Heads<T>& out, T* log_sums,
                  T* room) {
  Arena<T> arena = {room};
  T* const scores = arena.take(kQueries * kKeys);
  T* const sums = arena.take(kQueries * p.value_width);
  T* const workspace = arena.next;
  Running<T> so_far[kQueries];
  for (Running<T>& r : so_far) r = {m::Limits<T>::low, T(0)};
  for (int64_t j = 0; j < p.key_blocks(); ++j) {
    const Part keys = p.key_block(j);
    if (!p.meets(rows, keys)) break;
    product<T>(rows.size(), keys.size(), p.width, p.q.across_rows(n, h, rows.from), p.k.across_rows(n, h, keys.from),
               scores, kKeys, false, workspace);
    for (int64_t i = 0; i < rows.size(); ++i) {
      T* const row = scores + i * kKeys;
      const int64_t seen = p.seen(rows.from + i, keys);
      const int64_t whole = scale_scores(row, seen, p.scale, p.mask.at(n, h, rows.from + i, keys.from), p.mask.step);
      const T shrink = exponentials(row, whole, so_far[i]);
      clear(row + seen, keys.size() - seen);
      if (j > 0)
        for (int64_t d = 0; d < p.value_width; ++d) sums[i * p.value_width + d] *= shrink;
    }
    product<T>(rows.size(), p.value_width, keys.size(), {scores, kKeys, 1}, p.v.along_rows(n, h, keys.from), sums,
               p.value_width, j > 0, workspace);
  }
  for (int64_t i = 0; i < rows.size(); ++i) {
    const Running<T> r = so_far[i];
    T* const to = out.at(n, h) + (rows.from + i) * out.row;
    // A query that sees nothing gets zeros, and a sum so large that its probabilities come out as 0 again.
    const T over = 1 / r.sum;
    for (int64_t d = 0; d < p.value_width; ++d) to[d] = r.sum == 0 ? T(0) : sums[i * p.value_width + d] * over;
    log_sums[rows.from + i] = r.sum == 0 ? m::Limits<T>::high : r.top + m::log(r.sum);
  }
}

template <class T>
void attend(const Call& c, const Attention<T>& p) {
  const Heads<T> out = heads_of<T>(c.ctx, c.out[0]);
  T* const log_sums = c.out[1].as<T>();
  const int64_t blocks = p.query_blocks(), items = p.batch * p.heads * blocks;
  if (items == 0 || p.value_width == 0) {
    clear(log_sums, numel(c.out[1]));
    return;
  }
  const Slots<T> slots(c.ctx, kQueries * kKeys + kQueries * p.value_width + 4 * kLanes<T> + p.workspace());
  const int64_t work = p.queries * p.keys * (p.width + p.value_width) / blocks;
  parallel_for(c.ctx, items, ceil_div(Blocking<T>::worth_sharing, max_of<int64_t>(1, work)),
               [&](int64_t from, int64_t to) {
                 const auto slot = slots.take();
                 for (int64_t i = from; i < to; ++i) {
                   const int64_t head = i / blocks;
                   attend_block(p, head / p.heads, head % p.heads, p.query_block(i % blocks), out,
                                log_sums + head * p.queries, slot.data);
                 }
                 slots.give_back(slot);
               });
}

// ---- gradient

/** What a gradient reads and writes beside the operands. */
template <class T>
struct Gradients {
  Heads<T> g, out;
  View log_sums, g_log_sums;  // [N, H, L]; the second may be one number
  Heads<T> dq, dk, dv;
};

template <class T>
T element(const View& v, int64_t n, int64_t h, int64_t i) {
  return v.ndim == 0 ? *v.as<const T>() : v.as<const T>()[n * v.strides[0] + h * v.strides[1] + i * v.strides[2]];
}

template <class T>
void differentiate_head(const Attention<T>& p, const Gradients<T>& x, int64_t n, int64_t h, T* room) {
  Arena<T> arena = {room};
  T* const scores = arena.take(kQueries * kKeys);
  T* const slopes = arena.take(kQueries * kKeys);
  T* const deltas = arena.take(p.queries);  // what the softmax takes from each slope
  T* const workspace = arena.next;
  for (int64_t i = 0; i < p.queries; ++i) {
    const T *const g = x.g.at(n, h) + i * x.g.row, *const out = x.out.at(n, h) + i * x.out.row;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t d = 0; d < p.value_width; ++d) sum += g[d] * out[d];
    deltas[i] = sum - element<T>(x.g_log_sums, n, h, i);
  }
  for (int64_t j = 0; j < p.key_blocks(); ++j) {
    const Part keys = p.key_block(j);
    T* const dk = x.dk.at(n, h) + keys.from * x.dk.row;
    T* const dv = x.dv.at(n, h) + keys.from * x.dv.row;
    bool met = false;
    for (int64_t b = 0; b < p.query_blocks(); ++b) {
      const Part rows = p.query_block(b);
      if (!p.meets(rows, keys)) continue;
      product<T>(rows.size(), keys.size(), p.width, p.q.across_rows(n, h, rows.from), p.k.across_rows(n, h, keys.from),
                 scores, kKeys, false, workspace);
      product<T>(rows.size(), keys.size(), p.value_width, x.g.across_rows(n, h, rows.from),
                 p.v.across_rows(n, h, keys.from), slopes, kKeys, false, workspace);
      for (int64_t i = 0; i < rows.size(); ++i) {
        T *const row = scores + i * kKeys, *const slope = slopes + i * kKeys;
        const int64_t seen = p.seen(rows.from + i, keys);
        const int64_t whole = scale_scores(row, seen, p.scale, p.mask.at(n, h, rows.from + i, keys.from), p.mask.step);
        probabilities(row, slope, whole, element<T>(x.log_sums, n, h, rows.from + i), deltas[rows.from + i], p.scale);
        clear(row + seen, keys.size() - seen);
        clear(slope + seen, keys.size() - seen);
      }
      product<T>(keys.size(), p.value_width, rows.size(), {scores, 1, kKeys}, x.g.along_rows(n, h, rows.from), dv,
                 x.dv.row, met, workspace);
      product<T>(keys.size(), p.width, rows.size(), {slopes, 1, kKeys}, p.q.along_rows(n, h, rows.from), dk, x.dk.row,
                 met, workspace);
      product<T>(rows.size(), p.width, keys.size(), {slopes, kKeys, 1}, p.k.along_rows(n, h, keys.from),
                 x.dq.at(n, h) + rows.from * x.dq.row, x.dq.row, j > 0, workspace);
      met = true;
    }
    if (met) continue;
    for (int64_t s = 0; s < keys.size(); ++s) {
      clear(dk + s * x.dk.row, p.width);
      clear(dv + s * x.dv.row, p.value_width);
    }
  }
}

template <class T>
void differentiate(const Call& c, const Attention<T>& p, const Gradients<T>& x) {
  const int64_t items = p.batch * p.heads;
  if (items * p.queries * p.keys == 0) {
    for (int i = 0; i < c.n_out; ++i) clear(c.out[i].as<T>(), numel(c.out[i]));
    return;
  }
  const Slots<T> slots(c.ctx, 2 * kQueries * kKeys + p.queries + 4 * kLanes<T> + p.workspace());
  const int64_t work = p.queries * p.keys * (p.width + p.value_width);
  parallel_for(c.ctx, items, ceil_div(Blocking<T>::worth_sharing, max_of<int64_t>(1, work)),
               [&](int64_t from, int64_t to) {
                 const auto slot = slots.take();
                 for (int64_t i = from; i < to; ++i) differentiate_head(p, x, i / p.heads, i % p.heads, slot.data);
                 slots.give_back(slot);
               });
}

// ---- the lists

// in: q, k, v, mask (0: none); out: out, the logarithms of the sums
template <class T>
void attention_forward(const Call& c) {
  attend<T>(c, attention_of<T>(c, c.in[0], c.in[1], c.in[2], c.in[3]));
}
template <class T>
void packed_forward(const Call& c) {
  const View& x = c.in[0];
  attend<T>(c, attention_of<T>(c, part_of<T>(x, 0), part_of<T>(x, 1), part_of<T>(x, 2), c.in[1]));
}

// in: the operands, out, the logarithms of the sums, the gradients of both (of the latter 0 where there is none)
template <class T>
void attention_backward(const Call& c) {
  differentiate<T>(c, attention_of<T>(c, c.in[0], c.in[1], c.in[2], c.in[3]),
                   {heads_of<T>(c.ctx, c.in[6]), heads_of<T>(c.ctx, c.in[4]), c.in[5], c.in[7],
                    heads_of<T>(c.ctx, c.out[0]), heads_of<T>(c.ctx, c.out[1]), heads_of<T>(c.ctx, c.out[2])});
}
template <class T>
void packed_backward(const Call& c) {
  const View &x = c.in[0], &d = c.out[0];
  differentiate<T>(
      c, attention_of<T>(c, part_of<T>(x, 0), part_of<T>(x, 1), part_of<T>(x, 2), c.in[1]),
      {heads_of<T>(c.ctx, c.in[4]), heads_of<T>(c.ctx, c.in[2]), c.in[3], c.in[5], heads_of<T>(c.ctx, part_of<T>(d, 0)),
       heads_of<T>(c.ctx, part_of<T>(d, 1)), heads_of<T>(c.ctx, part_of<T>(d, 2))});
}

#define ATHANOR_ATTENTION(name, function)                                                                        \
  void run_##name(const Call& c) {                                                                               \
    const bool known = with_floats(c.in[0].dtype, [&](auto tag) { function<typename decltype(tag)::type>(c); }); \
    if (!known) refuse_dtype(c, c.in[0].dtype);                                                                  \
  }                                                                                                              \
  const Kernel kernels_##name[] = {{"blocks", nullptr, run_##name}}

ATHANOR_ATTENTION(attention, attention_forward);
ATHANOR_ATTENTION(attentionGrad, attention_backward);
ATHANOR_ATTENTION(packedAttention, packed_forward);
ATHANOR_ATTENTION(packedAttentionGrad, packed_backward);

}  // namespace

const OpKernels attention[] = {ATHANOR_OP(attention, kernels_attention),
                               ATHANOR_OP(attentionGrad, kernels_attentionGrad),
                               ATHANOR_OP(packedAttention, kernels_packedAttention),
                               ATHANOR_OP(packedAttentionGrad, kernels_packedAttentionGrad),
                               {nullptr, nullptr, 0}};

}  // namespace ATHANOR_ISA
}  // namespace athanor
