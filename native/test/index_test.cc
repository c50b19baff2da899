// Index maps and fused steps at every instruction set: each result is made once and whole for any number of threads,
// and what is refused changes nothing.
#include <cmath>
#include <vector>

#include "test/check.h"
#include "test/kernels.h"

using namespace athanor;
using test::Array;
using test::each_kernel;

namespace {

Array<int32_t> indices(std::vector<int64_t> shape, int64_t size) {
  Array<int32_t> index(std::move(shape));
  for (size_t i = 0; i < index.data.size(); ++i)
    index.data[i] = static_cast<int32_t>(i * 7919 % static_cast<size_t>(size));
  return index;
}

constexpr int kThreads[] = {1, 2, 3, 8};

}  // namespace

TEST(index_add_sums_in_order_for_any_number_of_threads) {
  // outer, rows of x, indices, inner: split over outer, over the inner axes, over the rows.
  const int64_t shapes[][4] = {{9, 5, 400, 16}, {1, 6, 700, 96}, {1, 50, 40000, 1}, {2, 3, 9000, 3}, {1, 1, 1, 1}};
  for (const auto& s : shapes) {
    Array<float> x = Array<float>::random({s[0], s[1], s[3]}, 1), src = Array<float>::random({s[0], s[2], s[3]}, 2);
    Array<int32_t> index = indices({s[2]}, s[1]);
    std::vector<float> expected = x.data;
    for (int64_t o = 0; o < s[0]; ++o)
      for (int64_t k = 0; k < s[2]; ++k)
        for (int64_t i = 0; i < s[3]; ++i) {
          const int64_t row = index.data[static_cast<size_t>(k)];
          expected[static_cast<size_t>((o * s[1] + row) * s[3] + i)] +=
              src.data[static_cast<size_t>((o * s[2] + k) * s[3] + i)];
        }
    for (int threads : kThreads) {
      Array<float> out({s[0], s[1], s[3]});
      each_kernel(
          "indexAdd", {x.view(), index.view(), src.view()}, out.view(), {1}, threads,
          [&] { out.data.assign(out.data.size(), NAN); }, [&](const std::string&) { CHECK(out.data == expected); });
    }
  }
}

TEST(index_select_reads_strided_rows) {
  Array<float> x = Array<float>::random({30, 20, 12}, 3);
  Array<int32_t> index = indices({25}, 20);
  for (int threads : kThreads) {
    Array<float> out({12, 25, 30});
    each_kernel(
        "indexSelect", {test::swapped(x.view(), 0, 2), index.view()}, out.view(), {1}, threads,
        [&] { out.data.assign(out.data.size(), NAN); },
        [&](const std::string&) {
          for (size_t a = 0; a < 12; ++a)
            for (size_t k = 0; k < 25; ++k)
              for (size_t b = 0; b < 30; ++b)
                CHECK_EQUAL(out.data[(a * 25 + k) * 30 + b],
                            x.data[(b * 20 + static_cast<size_t>(index.data[k])) * 12 + a]);
        });
  }
}

TEST(indices_are_checked_before_anything_is_written) {
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  for (int i = 0; i < count; ++i) {
    for (const char* op : {"indexAdd", "scatterAdd"}) {
      for (int32_t wrong : {-1, 40, INT32_MAX, INT32_MIN}) {
        Array<float> x({40}, 1.0f), src({50000}, 1.0f);
        Array<int32_t> index = indices({50000}, 40);
        index.data[49999] = wrong;
        const View in[] = {x.view(), index.view(), src.view()}, out = x.view();  // in place
        const double axis = 0;
        test::TestContext context(4);
        const Call call{in, &out, &axis, 3, 1, 1, &context};
        test::find_kernels(*levels[i], op)->kernels[0].run(call);
        CHECK(context.failure.find("is out of range") != std::string::npos);
        for (float v : x.data) CHECK_EQUAL(v, 1.0f);
      }
    }
  }
}

TEST(steps_update_every_parameter_once_for_any_number_of_threads) {
  const std::vector<int64_t> sizes = {1, 70001, 0, 17, 3, 40000, 128};
  int count = 0;
  const IsaLevel* const* levels = isa_levels(&count);
  for (int i = 0; i < count; ++i) {
    std::vector<std::vector<double>> first;
    for (int threads : kThreads) {
      std::vector<Array<double>> p, g, m;
      for (size_t k = 0; k < sizes.size(); ++k) {
        p.push_back(Array<double>::random({sizes[k]}, static_cast<unsigned>(k)));
        g.push_back(Array<double>::random({sizes[k]}, static_cast<unsigned>(k + 50)));
        m.push_back(Array<double>::random({sizes[k]}, static_cast<unsigned>(k + 90)));
      }
      std::vector<View> in, out;
      for (auto* kind : {&p, &g, &m})
        for (auto& tensor : *kind) in.push_back(tensor.view());
      for (auto* kind : {&p, &m})
        for (auto& tensor : *kind) out.push_back(tensor.view());
      std::vector<double> attrs = {0.5, 0.75, 0.125, 1, 0};  // lr, momentum, weight decay, nesterov, maximize
      attrs.insert(attrs.end(), sizes.size(), 1.0);
      test::TestContext context(threads);
      const Call call{in.data(),
                      out.data(),
                      attrs.data(),
                      static_cast<int>(in.size()),
                      static_cast<int>(out.size()),
                      static_cast<int>(attrs.size()),
                      &context};
      test::find_kernels(*levels[i], "sgdStep")->kernels[0].run(call);
      CHECK_EQUAL(context.failure, "");
      std::vector<std::vector<double>> results;
      for (size_t k = 0; k < sizes.size(); ++k) {
        const Array<double> p0 = Array<double>::random({sizes[k]}, static_cast<unsigned>(k));
        const Array<double> m0 = Array<double>::random({sizes[k]}, static_cast<unsigned>(k + 90));
        for (size_t e = 0; e < p0.data.size(); ++e) {
          const double grad = g[k].data[e] + 0.125 * p0.data[e], buffer = 0.75 * m0.data[e] + grad;
          CHECK(std::fabs(m[k].data[e] - buffer) < 1e-15);
          CHECK(std::fabs(p[k].data[e] - (p0.data[e] - 0.5 * (grad + 0.75 * buffer))) < 1e-15);
        }
        results.push_back(p[k].data);
      }
      if (first.empty()) first = results;
      CHECK(results == first);
    }
  }
}
