// How the grid points of a convolution become items of work: bands of rows of a large image, or several small images.
#pragma once
#include "cpu/conv_rows.h"
#include "cpu/part.h"

namespace athanor {
namespace ATHANOR_ISA {

struct Bands {
  // Of an item of a weight's gradient, whose pieces of all images are a list on the stack: 1.5 KiB. So many images of
  // four pixels are an item of the usual size.
  static constexpr int max_images = 64;

  int64_t band;       // grid rows of the largest band
  int64_t per_image;  // bands
  int64_t images;     // of an item; more than one only where a band is a whole image
  int64_t items;

  struct Item {
    Part images, rows;
  };

  /**
   * An item holds as many grid rows as fit `room`, each taking `row`, and at most `most` images. There are at least
   * `wanted` items where there is so much to do.
   */
  Bands(int64_t all_images, int64_t rows, int64_t row, int64_t room, int64_t wanted, int64_t most) {
    row = max_of<int64_t>(row, 1);
    band = max_of<int64_t>(1, min_of(rows, room / row));
    if (all_images > 0 && all_images < wanted) band = max_of<int64_t>(1, min_of(band, rows * all_images / wanted));
    per_image = max_of<int64_t>(1, ceil_div(rows, band));
    band = ceil_div(rows, per_image);
    const int64_t fit = min_of(most, min_of(all_images / wanted, room / (row * max_of<int64_t>(rows, 1))));
    images = per_image > 1 ? 1 : max_of<int64_t>(1, fit);
    items = ceil_div(all_images, images) * per_image;
  }

  Item item(int64_t i, int64_t all_images, int64_t rows) const {
    const int64_t first = i / per_image * images;
    return {Part(first, min_of(first + images, all_images)), Part(rows, per_image, i % per_image)};
  }
};

/** The different horizontal shifts among the taps: each is one copy of the image's rows. */
ATHANOR_ALWAYS_INLINE int64_t count_shifts(const Taps& taps) {
  int64_t shifts = 0;
  for (int64_t t = 0; t < taps.count; ++t) {
    int64_t first = 0;
    while (taps.dx[first] != taps.dx[t]) ++first;
    shifts += first == t;
  }
  return shifts;
}

}  // namespace ATHANOR_ISA
}  // namespace athanor
