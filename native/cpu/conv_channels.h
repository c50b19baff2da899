// The convolution that makes images, with output channels along the vectors: out[n, m, y, x] = bias[m] + sum over c, t
// of weight[m, c, t] * image[n, c, at(y, x, t)]. Forward convolution, and the gradient of a convolution's input. The
// register tile (conv_tile.h) spreads pixels of an image's row over vectors of packed weights, so small images and any
// stride fill it, and taps that meet padding above or below the image cost nothing. Finished rows are transposed into
// place.
//
// An item of work is a band of rows of one image or several small images, for all panels of output channels or, where
// there are few images and many weights, for some. Per block of channels the padded planes (conv_planes.h) and a panel
// of weights fit the second-level cache together. Bound by the multiply-add units: 2 M N K FLOPs.
#pragma once
#include "cpu/blocking.h"
#include "cpu/conv_bands.h"
#include "cpu/conv_finish.h"
#include "cpu/conv_packed.h"
#include "cpu/conv_panels.h"
#include "cpu/conv_planes.h"
#include "cpu/conv_row_tiles.h"

namespace athanor {
namespace ATHANOR_ISA {

template <class T>
struct ChannelCorrelation {
  int64_t images, groups, m, channels;  // m and channels are those of one group
  Source<T> source;
  Grid grid;  // of the largest phase
  PhasedTaps taps;
  TapWeights<T> weights;
  FinishedRows<T> target;
  const T* bias;  // one number an output channel, or null
  T* packed;      // panels that were packed before this call, or null
  int vectors;    // of these panels; 0: to be chosen
};

template <class T>
class ChannelCorrelator {
 public:
  ChannelCorrelator(Context* ctx, const ChannelCorrelation<T>& p)
      : ctx_(ctx),
        p_(p),
        plan_(p.m, p.channels, p.taps.count, p.grid.columns, p.vectors),
        vectors_(plan_.vectors),
        panel_(plan_.panel),
        panels_(plan_.panels),
        blocks_(plan_.blocks),
        block_(plan_.block),
        bands_(bands()),
        sets_(count_sets()),
        planes_(ctx, p.source, p.grid, p.taps.all(), bands_.band),
        tiles_(ctx, p.source, p.grid, p.taps, p.target, vectors_, block_) {
    for (int i = 0; i < 2; ++i) tables_[i] = table(block_ - i);
    weights_ = PackedPanels<T>(ctx, p.weights, p.taps, panel_, p.m, p.channels, p.groups);
  }

  void run() {
    const bool packs_own = sets_ > 1 && bands_.items == 1 && p_.packed == nullptr;
    if (!packs_own) pack_all();
    const T* const bias = padded_bias();
    const int64_t lines = 64 / static_cast<int64_t>(sizeof(T)), set = ceil_div(panels_, sets_);
    keeps_planes_ = sets_ > 1 && bands_.images * p_.channels * planes_.channel_size() <= Blocking<T>::local / 2;
    held_ = keeps_planes_ ? p_.channels : block_;
    unit_ = held_ * planes_.channel_size();
    planes_room_ = ceil_div(bands_.images * unit_ + kLanes<T>, lines) * lines;
    row_room_ = p_.target.columns * panel_;
    at_once_ = p_.target.at_once();
    sums_room_ = row_room_ * (blocks_ == 1 ? at_once_ : set * bands_.images * bands_.band * p_.taps.phases_y);
    const int64_t own = packs_own ? p_.taps.count * block_ * panel_ : 0;
    const Slots<T> slots(ctx_, planes_room_ + sums_room_ + own);
    // Which planes each slot holds: unknown, zeros, or those of band number 0 and up.
    enum : int64_t { unknown = -2, zeros = -1 };
    int64_t* const holds = scratch_array<int64_t>(ctx_, ctx_->threads);
    for (int i = 0; i < ctx_->threads; ++i) holds[i] = unknown;
    parallel_each(ctx_, p_.groups * bands_.items * sets_, [&](int64_t i) {
      const auto slot = slots.take();
      if (holds[slot.index] == unknown) {
        for (int64_t n = 0; n < bands_.images; ++n) planes_.clear(slot.data + n * unit_, held_);
        holds[slot.index] = zeros;
      }
      // Neighbours in this order are different bands: threads that work along each other stay with one.
      const int64_t band = i % bands_.items, group = i / bands_.items / sets_, planes = group * bands_.items + band;
      Item item{group,
                bands_.item(band, p_.images, p_.grid.rows),
                Part(panels_, sets_, i / bands_.items % sets_),
                slot.data,
                slot.data + planes_room_,
                packs_own ? slot.data + planes_room_ + sums_room_ : nullptr,
                bias};
      if (keeps_planes_ && holds[slot.index] != planes) {
        fill(item, Part(0, p_.channels));
        holds[slot.index] = planes;
      }
      run_item(item);
      slots.give_back(slot);
    });
  }

 private:
  struct Item {
    int64_t group;
    Bands::Item at;
    Part panels;
    T *planes, *sums, *packed;
    const T* bias;
  };

  Bands bands() const {
    const int64_t row = block_ * PaddedPlanes<T>::row_size(p_.source, p_.grid);
    // Where there are more weights than pixels, an image is not cut: items share the weights out instead.
    const bool heavy = p_.m * p_.channels * p_.taps.count > p_.channels * p_.source.height * p_.source.width;
    const int64_t wanted = ceil_div(4 * ctx_->threads, p_.groups);
    return Bands(p_.images, p_.grid.rows, row, Blocking<T>::local / 2, heavy ? 1 : wanted,
                 max_of<int64_t>(1, p_.images / wanted));
  }
  int64_t count_sets() const {
    const int64_t items = bands_.items * p_.groups, wanted = 2 * ctx_->threads;
    return items >= wanted ? 1 : min_of(panels_, ceil_div(2 * wanted, items));
  }

  /** Offsets of the channels of a block under each tap. */
  const int32_t* table(int64_t channels) const {
    int32_t* const offsets = scratch_array<int32_t>(ctx_, channels * p_.taps.count);
    for (int64_t t = 0; t < p_.taps.count; ++t)
      for (int64_t c = 0; c < channels; ++c)
        offsets[t * channels + c] = static_cast<int32_t>(planes_.tap_offset(t) + c * planes_.channel_size());
    return offsets;
  }

  Part block(int64_t b) const { return Part(p_.channels, blocks_, b); }

  void pack_all() {
    if (p_.packed != nullptr) return weights_.use(p_.packed);
    weights_.allocate(ctx_);
    weights_.pack_all(ctx_, blocks_);
  }

  /** What the sums of each panel start from. */
  const T* padded_bias() const {
    const int64_t size = panels_ * panel_;
    T* const bias = scratch_array<T>(ctx_, p_.groups * size);
    for (int64_t i = 0; i < p_.groups * size; ++i) {
      const int64_t m = i % size;
      bias[i] = p_.bias != nullptr && m < p_.m ? p_.bias[i / size * p_.m + m] : T(0);
    }
    return bias;
  }

  void fill(const Item& item, const Part& c) const {
    for (int64_t n = 0; n < item.at.images.size(); ++n)
      planes_.fill(item.planes + n * unit_, item.at.images.from + n, item.group * p_.channels + c.from, c.size(),
                   item.at.rows.from, item.at.rows.size());
  }

  void run_item(const Item& item) const {
    for (int64_t b = 0; b < blocks_; ++b) {
      const Part c = block(b);
      if (!keeps_planes_) fill(item, c);
      const T* const planes = item.planes + (keeps_planes_ ? c.from * planes_.channel_size() : 0);
      T* sums = item.sums;
      for (int64_t panel = item.panels.from; panel < item.panels.to; ++panel) {
        if (item.packed != nullptr) weights_.pack(item.packed, item.group, panel, c);
        const T* weights = item.packed != nullptr ? item.packed : weights_.at(item.group, panel, c);
        const T* bias = item.bias + (item.group * panels_ + panel) * panel_;
        const int64_t next = item.packed != nullptr ? 0 : next_weights(item, b, panel) - weights;
        for (int64_t n = 0; n < item.at.images.size(); ++n) {
          run_image(item, b, panel, n, planes + n * unit_, weights, next, b == 0 ? bias : nullptr, sums);
          if (blocks_ > 1) sums += rows_of(item).size() * row_room_;
        }
      }
    }
  }

  /** Output rows of an item. */
  Part rows_of(const Item& item) const {
    const int64_t phases = p_.taps.phases_y;
    return Part(item.at.rows.from * phases, min_of(item.at.rows.to * phases, p_.target.rows));
  }

  /** A block of channels for the rows of one image and panel; behind the last block, the rows are finished. */
  void run_image(const Item& item, int64_t b, int64_t panel, int64_t n, const T* planes, const T* weights, int64_t next,
                 const T* bias, T* sums) const {
    const Part rows = rows_of(item);
    const int64_t image = item.at.images.from + n, m = item.group * p_.m + panel * panel_;
    const int64_t channels = min_of<int64_t>(panel_, p_.m - panel * panel_);
    int64_t done = rows.from;  // rows that are finished
    for (int64_t row = rows.from; row < rows.to; ++row) {
      const int64_t y = row / p_.taps.phases_y, kept = blocks_ == 1 ? done : rows.from;
      if (b == blocks_ - 1)  // the output comes from afar while its sums are made
        prefetch_row(p_.target, image, m, channels, row);
      run_row(item, b, y, row % p_.taps.phases_y, planes, weights, ahead_of(item, next, n, y), bias,
              sums + (row - kept) * row_room_);
      if (b < blocks_ - 1 || (row + 1 - done < at_once_ && row + 1 < rows.to)) continue;
      finish_rows<T>(p_.target, sums + (done - kept) * row_room_, image, m, channels, panel_, done,
                     (row + 1 - done) * p_.target.columns);
      done = row + 1;
    }
  }

  /** The weights that an item reads after those of a panel; these again where it is done. */
  const T* next_weights(const Item& item, int64_t b, int64_t panel) const {
    if (panel + 1 < item.panels.to) return weights_.at(item.group, panel + 1, block(b));
    if (b + 1 < blocks_) return weights_.at(item.group, item.panels.from, block(b + 1));
    return weights_.at(item.group, panel, block(b));
  }
  /**
   * The rows of an image read the same weights, which a near cache then holds: meanwhile the next ones come from
   * afar, one cache line of each step while a row is made. The row at the edge leaves steps out and is passed over.
   */
  int64_t ahead_of(const Item& item, int64_t next, int64_t n, int64_t y) const {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    const int64_t at = (y - item.at.rows.from - (item.at.rows.size() > panel_ / line ? 1 : 0)) * line;
    return n == 0 && at >= 0 && at < panel_ && next != 0 ? next + at : 0;
  }

  /** Adds a block of channels to all phases of one output row. */
  void run_row(const Item& item, int64_t b, int64_t y, int64_t a, const T* planes, const T* weights, int64_t ahead,
               const T* bias, T* sums) const {
    const int64_t channels = block(b).size();
    const int32_t* const offsets = tables_[block_ - channels];
    const T* const from = planes + planes_.place(item.at.rows.from, y, 0);
    Stretch stretches[RowTiles<T>::max_stretches];
    SpreadCall<T> call;
    call.sums_step = p_.taps.phases_x * panel_;
    call.begin_step = bias != nullptr ? 0 : call.sums_step;
    call.ahead = ahead;
    for (int64_t x_phase = 0; x_phase < p_.taps.phases_x; ++x_phase) {
      const int64_t phase = a * p_.taps.phases_x + x_phase, first = p_.taps.first[phase];
      T* const row = sums + x_phase * panel_;  // sums of all phases lie as their pixels do
      const bool whole = tiles_.meets_all_taps(phase, y);
      call.offsets = offsets + first * channels;
      call.b = weights + first * channels * panel_;
      for (const RowTile<T>* tile = tiles_.begin(phase); tile < tiles_.begin(phase + 1); ++tile) {
        call.a = from + tile->x.from;
        call.sums = row + tile->x.from * call.sums_step;
        call.begin = bias != nullptr ? bias : call.sums;
        call.stretches = whole ? tile->stretches[block_ - channels] : stretches;
        call.count = whole ? tile->count : tiles_.find_stretches(stretches, phase, y, tile->x, channels);
        tile->function(call);
      }
    }
  }

  Context* ctx_;
  const ChannelCorrelation<T>& p_;
  PanelPlan<T> plan_;
  int vectors_;             // of a panel
  int64_t panel_, panels_;  // output channels of a panel; panels of a group
  int64_t blocks_, block_;  // of channels: how many, and the largest one's size
  Bands bands_;
  int64_t sets_;  // parts of the panels that are items of their own
  PaddedPlanes<T> planes_;
  RowTiles<T> tiles_;
  const int32_t* tables_[2];  // for the two sizes of blocks
  PackedPanels<T> weights_;
  bool keeps_planes_ = false;    // a slot has the planes of all channels, and keeps them for the next set of panels
  int64_t held_ = 0, unit_ = 0;  // channels whose planes a slot holds; their elements
  int64_t planes_room_ = 0, row_room_ = 0, sums_room_ = 0;
  int64_t at_once_ = 1;  // rows that are finished together
};

}  // namespace ATHANOR_ISA
}  // namespace athanor
