// matmul and linear against sums in higher precision: every tile height and ragged tail, every blocking path.
#include <cmath>
#include <limits>

#include "test/kernels.h"

using namespace athanor;
using test::Array;
using test::each_kernel;

namespace {

template <class T>
struct Wider {
  using type = double;
};
template <>
struct Wider<double> {
  using type = long double;
};

/** The product of one matrix pair with the classical bound of its rounding error: K eps times the sum of magnitudes. */
template <class T>
struct Expected {
  std::vector<typename Wider<T>::type> value, bound;

  Expected(const Array<T>& a, const Array<T>& b, bool transposed_a, bool transposed_b, int64_t m, int64_t n, int64_t k,
           const T* bias) {
    using W = typename Wider<T>::type;
    const W eps = static_cast<W>(std::numeric_limits<T>::epsilon()) * static_cast<W>(k + 1);
    for (int64_t i = 0; i < m; ++i) {
      // Row by row of b, so that the sums of a row of the result lie side by side: a product of a billion takes a
      // second.
      std::vector<W> sums(static_cast<size_t>(n), W(0)), magnitudes(static_cast<size_t>(n), W(0));
      for (int64_t j = 0; bias != nullptr && j < n; ++j) {
        sums[static_cast<size_t>(j)] = W(bias[j]);
        magnitudes[static_cast<size_t>(j)] = std::abs(W(bias[j]));
      }
      for (int64_t l = 0; l < k; ++l) {
        const W factor = W(a.data[static_cast<size_t>(transposed_a ? l * m + i : i * k + l)]);
        const T* const row = b.data.data() + (transposed_b ? l : l * n);
        const int64_t step = transposed_b ? k : 1;
        for (int64_t j = 0; j < n; ++j) {
          const W term = factor * W(row[j * step]);
          sums[static_cast<size_t>(j)] += term;
          magnitudes[static_cast<size_t>(j)] += std::abs(term);
        }
      }
      for (int64_t j = 0; j < n; ++j) {
        value.push_back(sums[static_cast<size_t>(j)]);
        bound.push_back(eps * magnitudes[static_cast<size_t>(j)]);
      }
    }
  }

  void check(const Array<T>& out, const std::string& where, const std::string& size) const {
    for (size_t i = 0; i < value.size(); ++i)
      if (!(std::abs(out.data[i] - value[i]) <= bound[i]))
        test::fail(__FILE__, __LINE__,
                   where + " " + size + ": element " + std::to_string(i) + " is " + std::to_string(out.data[i]) +
                       ", not " + std::to_string(static_cast<double>(value[i])));
  }
};

template <class T>
void check_product(int64_t m, int64_t n, int64_t k, bool transposed_a, bool transposed_b, int threads) {
  auto a = Array<T>::random(transposed_a ? std::vector<int64_t>{k, m} : std::vector<int64_t>{m, k}, 1);
  auto b = Array<T>::random(transposed_b ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}, 2);
  Array<T> out({m, n});
  const View va = transposed_a ? test::swapped(a.view(), 0, 1) : a.view();
  const View vb = transposed_b ? test::swapped(b.view(), 0, 1) : b.view();
  const Expected<T> expected(a, b, transposed_a, transposed_b, m, n, k, nullptr);
  const std::string size = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  const auto reset = [&] { out.data.assign(out.data.size(), std::numeric_limits<T>::quiet_NaN()); };
  each_kernel("matmul", {va, vb}, out.view(), {}, threads, reset,
              [&](const std::string& where) { expected.check(out, where, size); });
}

/** The same for bfloat16 factors: products of the rounded numbers, added up in float32. */
void check_narrow_product(int64_t m, int64_t n, int64_t k, bool transposed_a, bool transposed_b, int threads) {
  auto a = Array<float>::random(transposed_a ? std::vector<int64_t>{k, m} : std::vector<int64_t>{m, k}, 1);
  auto b = Array<float>::random(transposed_b ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}, 2);
  auto narrow_a = test::narrowed(a), narrow_b = test::narrowed(b);
  Array<float> out({m, n});
  const View va = transposed_a ? test::swapped(narrow_a.view(), 0, 1) : narrow_a.view();
  const View vb = transposed_b ? test::swapped(narrow_b.view(), 0, 1) : narrow_b.view();
  const Expected<float> expected(a, b, transposed_a, transposed_b, m, n, k, nullptr);
  const std::string size = "bfloat16 " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  const auto reset = [&] { out.data.assign(out.data.size(), std::numeric_limits<float>::quiet_NaN()); };
  each_kernel("matmul", {va, vb}, out.view(), {}, threads, reset,
              [&](const std::string& where) { expected.check(out, where, size); });
}

}  // namespace

TEST(matmul_is_right_for_every_small_size) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const int64_t step = 1;
#else
  const int64_t step = 7;  // the slow builds take some of the depths, other ones for every m and n
#endif
  for (int64_t m = 1; m <= 40; ++m)
    for (int64_t n = 1; n <= 40; ++n)
      for (int64_t k = 1 + (m + n) % step; k <= 40; k += step) {
        const int64_t way = m + n + k;
        check_product<float>(m, n, k, way & 1, way & 2, 1);
        if (way % 5 == 0) check_product<double>(m, n, k, way & 1, way & 2, 1);
        if (way % 3 == 0) check_narrow_product(m, n, k, m & 1, n & 1, 1);
      }
}

TEST(matmul_is_right_on_every_blocking_path) {
  const int64_t sizes[][3] = {
      {300, 33, 600},  // many rows: items pack their rows
      {29, 517, 300},  // many columns
      {100, 90, 700},  // few tiles: both factors packed first
      {13, 30, 9000},  // one tile and a long depth: the depth is shared out
      {200, 300, 513}, {1, 3000, 70},     {3000, 1, 70},  {1, 5, 40000},
      {1, 1, 100000},  {700, 700, 3},     {33, 20, 7000},  // small with a long depth: the depth is shared out
      {17, 2000, 600},                                     // several blocks of columns and of the depth
      {300, 70, 1100}, {1100, 1040, 1030}};
  for (const auto& s : sizes)
    for (int way = 0; way < 4; ++way)
      for (int threads : {1, 3}) {
        // A billion products take the plain kernel and the reference a second each: one way of many threads is enough.
        if (s[0] * s[1] * s[2] > 100'000'000 && (way != 1 || threads == 1)) continue;
        check_product<float>(s[0], s[1], s[2], way & 1, way & 2, threads);
        if (way == 1) check_product<double>(s[0], s[1], s[2], way & 1, way & 2, threads);
        if (way == s[0] % 4) check_narrow_product(s[0], s[1], s[2], way & 1, way & 2, threads);
      }
}

TEST(matmul_of_nothing) {
  for (int threads : {1, 2}) {
    check_product<float>(3, 4, 0, false, false, threads);  // an empty sum is 0
    check_product<float>(1, 4, 0, false, false, threads);
    check_product<float>(0, 4, 5, false, false, threads);
    check_product<float>(3, 0, 5, false, false, threads);
    check_product<double>(0, 0, 0, false, false, threads);
    check_narrow_product(3, 4, 0, false, false, threads);
    check_narrow_product(0, 4, 5, false, false, threads);
  }
}

TEST(matmul_broadcasts_leading_dimensions) {
  // a [2, 1, 5, 6], b [3, 6, 7], out [2, 3, 5, 7]; and with b [6, 7], where the rows of all products are one matrix
  for (int threads : {1, 2})
    for (bool shared : {false, true}) {
      auto a = Array<float>::random({2, 1, 5, 6}, 3);
      auto b = shared ? Array<float>::random({6, 7}, 4) : Array<float>::random({3, 6, 7}, 4);
      Array<float> out(shared ? std::vector<int64_t>{2, 1, 5, 7} : std::vector<int64_t>{2, 3, 5, 7});
      each_kernel(
          "matmul", {a.view(), b.view()}, out.view(), {}, threads, [&] { out.data.assign(out.data.size(), -9); },
          [&](const std::string& where) {
            for (size_t i = 0; i < out.data.size(); ++i) {
              const size_t column = i % 7, row = i / 7 % 5, product = i / 35;
              const size_t of_a = shared ? product : product / 3, of_b = shared ? 0 : product % 3;
              double sum = 0;
              for (size_t k = 0; k < 6; ++k)
                sum += double(a.data[(of_a * 5 + row) * 6 + k]) * b.data[(of_b * 6 + k) * 7 + column];
              if (!(std::abs(out.data[i] - sum) < 1e-5)) test::fail(__FILE__, __LINE__, where);
            }
          });
    }
}

TEST(linear_adds_its_bias_once) {
  for (int threads : {1, 3})
    for (const auto& s :
         {std::vector<int64_t>{1, 1, 1}, {5, 3, 4}, {1, 70, 300}, {40, 1, 600}, {33, 70, 700}, {3, 5, 0}}) {
      const int64_t m = s[0], n = s[1], k = s[2];
      auto x = Array<float>::random({m, k}, 5), weight = Array<float>::random({n, k}, 6);
      auto bias = Array<float>::random({2 * n}, 7);
      std::vector<float> dense;
      for (size_t i = 0; i < static_cast<size_t>(n); ++i) dense.push_back(bias.data[2 * i]);
      View stepped = bias.view();
      stepped.shape[0] = n;
      stepped.strides[0] = 2;
      Array<float> out({m, n});
      const Expected<float> expected(x, weight, false, true, m, n, k, dense.data());
      each_kernel(
          "linear", {x.view(), weight.view(), stepped}, out.view(), {}, threads,
          [&] { out.data.assign(out.data.size(), -9); },
          [&](const std::string& where) { expected.check(out, where, std::to_string(n)); });
    }
}

TEST(matmul_passes_nan_and_infinity_on_and_keeps_them_apart) {
  const float inf = std::numeric_limits<float>::infinity();
  for (int64_t n : {1, 5, 16, 17, 33, 40})
    for (int64_t m : {1, 7, 15}) {
      auto a = Array<float>::random({m, 9}, 8), b = Array<float>::random({9, n}, 9);
      a.data[4] = inf;                                 // row 0, k 4
      b.data[static_cast<size_t>(4 * n + n - 1)] = 0;  // k 4, last column: inf * 0
      if (n > 1) b.data[static_cast<size_t>(4 * n)] = 1;
      Array<float> out({m, n});
      each_kernel(
          "matmul", {a.view(), b.view()}, out.view(), {}, 1, [] {},
          [&](const std::string& where) {
            const auto at = [&](int64_t i, int64_t j) { return out.data[static_cast<size_t>(i * n + j)]; };
            bool good = std::isnan(at(0, n - 1)) && (n == 1 || at(0, 0) == inf);
            for (int64_t i = 1; i < m; ++i)
              for (int64_t j = 0; j < n; ++j) good = good && std::isfinite(at(i, j));
            if (!good) test::fail(__FILE__, __LINE__, where);
          });
    }
}

TEST(matmul_of_bfloat16_keeps_nan_and_infinity_apart) {
  for (int64_t n : {1, 5, 33})
    for (int64_t k : {9, 10}) {  // the last half of a pair, and a whole one
      auto a = Array<float>::random({15, k}, 8), b = Array<float>::random({k, n}, 9);
      a.data[static_cast<size_t>(k - 1)] = std::numeric_limits<float>::infinity();  // row 0
      for (int64_t j = 0; j < n; ++j) b.data[static_cast<size_t>((k - 1) * n + j)] = j == 0 ? 1.0f : 0.0f;
      auto narrow_a = test::narrowed(a), narrow_b = test::narrowed(b);
      Array<float> out({15, n});
      each_kernel(
          "matmul", {narrow_a.view(), narrow_b.view()}, out.view(), {}, 1, [] {},
          [&](const std::string& where) {
            bool good = std::isinf(out.data[0]);
            for (size_t i = 1; i < out.data.size(); ++i)
              good = good && (i < static_cast<size_t>(n) ? std::isnan(out.data[i]) : std::isfinite(out.data[i]));
            if (!good) test::fail(__FILE__, __LINE__, where);
          });
    }
}

TEST(matmul_of_integers_wraps_around) {
  Array<int32_t> a({1, 2}), b({2, 1}), out({1, 1});
  a.data = {2147483647, 65536};
  b.data = {3, 65537};
  const uint32_t sum = 2147483647u * 3u + 65536u * 65537u;
  each_kernel(
      "matmul", {a.view(), b.view()}, out.view(), {}, 1, [] {},
      [&](const std::string&) { CHECK_EQUAL(static_cast<uint32_t>(out.data[0]), sum); });
}
