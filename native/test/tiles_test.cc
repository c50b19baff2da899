// Operands that lie across the output: copied in squares, with what is left over at the edges.
#include "test/kernels.h"

using namespace athanor;
using namespace athanor::test;

namespace {

template <class T>
void check_swapped(const std::vector<int64_t>& shape, int a, int b) {
  Array<T> x = Array<T>::random(shape, 3);
  for (size_t i = 0; i < x.data.size(); ++i) x.data[i] = static_cast<T>(i);
  std::vector<int64_t> turned = shape;
  std::swap(turned[static_cast<size_t>(a)], turned[static_cast<size_t>(b)]);
  Array<T> out(turned);
  const View in = swapped(x.view(), a, b), to = out.view();
  each_kernel(
      "copy", {in}, to, {}, 3, [&] { out.data.assign(out.data.size(), T(-1)); },
      [&](const std::string& where) {
        int64_t index[4] = {0, 0, 0, 0};
        for (size_t i = 0; i < out.data.size(); ++i) {
          int64_t at = 0;
          for (int d = 0; d < in.ndim; ++d) at += index[d] * in.strides[d];
          if (out.data[i] != x.data[static_cast<size_t>(at)])
            test::fail(__FILE__, __LINE__, where + " misplaces an element");
          for (int d = in.ndim - 1; d >= 0 && ++index[d] == in.shape[d]; --d) index[d] = 0;
        }
      });
}

}  // namespace

TEST(transposes_move_every_element_to_its_place) {
  check_swapped<float>({64, 64}, 0, 1);
  check_swapped<float>({65, 131}, 0, 1);
  check_swapped<float>({4, 300}, 0, 1);
  check_swapped<float>({3, 70, 5, 40}, 1, 3);
  check_swapped<float>({3, 7, 129}, 0, 2);
  check_swapped<double>({67, 90}, 0, 1);
  check_swapped<int32_t>({100, 33}, 0, 1);
}

TEST(large_transposed_operands_count_as_their_copies) {
  Array<float> x = Array<float>::random({300, 401}, 1), y = Array<float>::random({401, 300}, 2), copy({300, 401});
  for (int64_t i = 0; i < 300; ++i)
    for (int64_t j = 0; j < 401; ++j)
      copy.data[static_cast<size_t>(i * 401 + j)] = y.data[static_cast<size_t>(j * 300 + i)];
  Array<float> out({300, 401});
  const auto clear = [&] { out.data.assign(out.data.size(), 0); };
  each_kernel("mul", {x.view(), swapped(y.view(), 0, 1)}, out.view(), {}, 3, clear, [&](const std::string&) {
    for (size_t i = 0; i < out.data.size(); ++i) CHECK_EQUAL(out.data[i], x.data[i] * copy.data[i]);
  });
}
