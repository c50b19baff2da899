// What the executor of PTX promises: instructions do what the PTX reference says, and each kind of mistake is found.
// The programs are written by hand, so no compiler is needed.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/ptx_executor/build.h"
#include "cuda/ptx_executor/warp.h"
#include "cuda/simulator/schedules.h"
#include "test/check.h"

using namespace athanor::ptx;
using athanor::simulator::Dim3;
using athanor::simulator::each_schedule;

namespace {

/** A kernel `k` of two pointers, with registers of all kinds; %rd1 is the first and %rd2 the second. */
std::string kernel(const std::string& body, const std::string& before = "") {
  return before + R"(
.visible .entry k(.param .u64 k_param_0, .param .u64 k_param_1)
{
	.reg .pred %p<9>;
	.reg .b16 %rs<9>;
	.reg .b32 %r<40>;
	.reg .f32 %f<40>;
	.reg .b64 %rd<20>;
	.reg .f64 %fd<20>;
	ld.param.u64 %rd1, [k_param_0];
	ld.param.u64 %rd2, [k_param_1];
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd3, %r1, 4;
	add.s64 %rd4, %rd1, %rd3;
	add.s64 %rd5, %rd2, %rd3;
)" + body +
         "\n\tret;\n}\n";
}

template <class T>
Range range_of(const std::vector<T>& x) {
  const auto begin = reinterpret_cast<uint64_t>(x.data());
  return {begin, begin + x.size() * sizeof(T)};
}

template <class A, class B>
void run(const std::string& text, std::vector<A>& first, std::vector<B>& second, unsigned threads = 32,
         size_t shared = 0) {
  const Module module = read_module(text);
  const Globals globals = make_globals(module);
  const auto program = build_program(module, globals, "k");
  std::vector<Range> memory{range_of(first), range_of(second)};
  for (const auto& [name, bytes] : globals) memory.push_back(range_of(bytes));
  std::sort(memory.begin(), memory.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  const uint64_t parameters[] = {range_of(first).begin, range_of(second).begin};
  run_grid(*program, Dim3(1), Dim3(threads), shared, reinterpret_cast<const char*>(parameters), memory);
}

/** What threads 0 to 31 leave in the second array, of the numbers in the first. */
std::vector<uint32_t> results(const std::string& body, std::vector<uint32_t> in, unsigned threads = 32,
                              const std::string& before = "") {
  in.resize(1024);
  std::vector<uint32_t> out(1024, 0xdeadbeef);
  run(kernel(body, before), in, out, threads);
  out.resize(threads);
  return out;
}

/** One number of one thread: the result of instructions that leave it in %r9, from %r2, %r3 and %r4. */
uint32_t one(const std::string& body, uint32_t a, uint32_t b = 0, uint32_t c = 0) {
  return results("ld.global.u32 %r2, [%rd1]; ld.global.u32 %r3, [%rd1+4]; ld.global.u32 %r4, [%rd1+8];\n" + body +
                     "\nst.global.u32 [%rd2], %r9;",
                 {a, b, c}, 1)[0];
}
uint32_t bits(float x) {
  uint32_t out;
  std::memcpy(&out, &x, sizeof out);
  return out;
}
/** As one(), with floats in %f2, %f3 and %f4 and the result in %f9. */
float of_floats(const std::string& body, float a, float b = 0, float c = 0) {
  const uint32_t out = one("mov.b32 %f2, %r2; mov.b32 %f3, %r3; mov.b32 %f4, %r4;\n" + body + "\nmov.b32 %r9, %f9;",
                           bits(a), bits(b), bits(c));
  float found;
  std::memcpy(&found, &out, sizeof found);
  return found;
}

const std::string kLane = "ld.global.u32 %r2, [%rd4];\n";   // each thread's number of the first array
const std::string kStore = "\nst.global.u32 [%rd5], %r9;";  // and its place in the second

}  // namespace

TEST(ptx_integers) {
  CHECK_EQUAL(one("add.s32 %r9, %r2, %r3;", 0xffffffffu, 3), 2u);
  CHECK_EQUAL(one("mul.hi.u32 %r9, %r2, %r3;", 0x80000000u, 6), 3u);
  CHECK_EQUAL(one("mul.hi.s32 %r9, %r2, %r3;", 0x80000000u, 6), 0xfffffffdu);
  CHECK_EQUAL(one("mad.lo.s32 %r9, %r2, %r3, %r4;", 5, 7, 0xffffffffu), 34u);
  CHECK_EQUAL(one("div.s32 %r9, %r2, %r3;", static_cast<uint32_t>(-7), 2), static_cast<uint32_t>(-3));
  CHECK_EQUAL(one("rem.s32 %r9, %r2, %r3;", static_cast<uint32_t>(-7), 2), static_cast<uint32_t>(-1));
  CHECK_EQUAL(one("shl.b32 %r9, %r2, %r3;", 1, 32), 0u);
  CHECK_EQUAL(one("shr.s32 %r9, %r2, %r3;", 0x80000000u, 99), 0xffffffffu);
  CHECK_EQUAL(one("shr.u32 %r9, %r2, %r3;", 0x80000000u, 31), 1u);
  CHECK_EQUAL(one("cvt.u16.u32 %rs1, %r2; mul.wide.s16 %r9, %rs1, -2;", 0xfffd), 6u);
  CHECK_EQUAL(one("cvt.u16.u32 %rs1, %r2; add.s16 %rs2, %rs1, 1; cvt.s32.s16 %r9, %rs2;", 0x7fff), 0xffff8000u);
  CHECK_EQUAL(one("cvt.s32.s8 %r9, %r2;", 0x180), 0xffffff80u);
  CHECK_EQUAL(one("prmt.b32 %r9, %r2, %r3, 0x3715;", 0x33221100, 0x77665544), 0x33771155u);
  CHECK_EQUAL(one("prmt.b32 %r9, %r2, %r3, 0x00c8;", 0x80, 0x80), 0x8080ffffu);
  CHECK_EQUAL(one("bfi.b32 %r9, %r2, %r3, 8, 4;", 0xa, 0xffffffff), 0xfffffaffu);
  CHECK_EQUAL(one("bfe.u32 %r9, %r2, 4, 8;", 0x12345678), 0x67u);
  CHECK_EQUAL(one("bfe.s32 %r9, %r2, 28, 8;", 0x90000000u), 0xfffffff9u);
  CHECK_EQUAL(one("lop3.b32 %r9, %r2, %r3, %r4, 0xca;", 0xf0, 0x33, 0x55), 0x35u);
  CHECK_EQUAL(one("shf.l.wrap.b32 %r9, %r2, %r3, 8;", 0x12345678, 0x9abcdef0), 0xbcdef012u);
  CHECK_EQUAL(one("clz.b32 %r9, %r2;", 0x00ff0000), 8u);
  // 64 bits in words: (2^32 - 1) + 1 carries
  CHECK_EQUAL(one("add.cc.u32 %r5, %r2, %r3; addc.u32 %r9, 0, 0;", 0xffffffff, 1), 1u);
  CHECK_EQUAL(one("sub.cc.u32 %r5, %r2, %r3; subc.u32 %r9, 5, 0;", 0, 1), 4u);
  CHECK_EQUAL(one("mad.lo.cc.u32 %r5, %r2, %r3, %r4; madc.hi.u32 %r9, %r2, %r3, 0;", 0xffffffff, 2, 0xffffffff), 2u);
}

TEST(ptx_floats) {
  const float nan = std::nanf(""), inf = INFINITY;
  CHECK_EQUAL(of_floats("fma.rn.f32 %f9, %f2, %f3, %f4;", 1 + 0x1p-12f, 1 - 0x1p-12f, -1), -0x1p-24f);
  CHECK_EQUAL(of_floats("min.f32 %f9, %f2, %f3;", nan, 2), 2);
  CHECK(std::isnan(of_floats("max.f32 %f9, %f2, %f3;", nan, nan)));
  CHECK(!std::signbit(of_floats("max.f32 %f9, %f2, %f3;", -0.0f, 0.0f)));
  CHECK(std::signbit(of_floats("min.f32 %f9, %f2, %f3;", 0.0f, -0.0f)));
  CHECK_EQUAL(of_floats("copysign.f32 %f9, %f2, %f3;", -1, 5), -5);  // the first operand's sign
  CHECK_EQUAL(of_floats("ex2.approx.ftz.f32 %f9, %f2;", -140), 0);
  CHECK_EQUAL(one("mov.b32 %f2, %r2; cvt.rna.tf32.f32 %r5, %f2; and.b32 %r9, %r5, -8192;", 0x3f801000), 0x3f802000u);
  CHECK_EQUAL(one("mov.b32 %f2, %r2; cvt.rni.s32.f32 %r9, %f2;", bits(2.5f)), 2u);
  CHECK_EQUAL(one("mov.b32 %f2, %r2; cvt.rzi.s32.f32 %r9, %f2;", bits(-2.9f)), static_cast<uint32_t>(-2));
  CHECK_EQUAL(one("mov.b32 %f2, %r2; cvt.rzi.u32.f32 %r9, %f2;", bits(-3.0f)), 0u);
  CHECK_EQUAL(one("mov.b32 %f2, %r2; cvt.rzi.s32.f32 %r9, %f2;", bits(inf)), 0x7fffffffu);
  CHECK_EQUAL(one("mov.b32 %f2, %r2; cvt.rzi.s32.f32 %r9, %f2;", bits(nan)), 0u);
  const auto holds = [&](const std::string& comparison, float a, float b) {
    return one("mov.b32 %f2, %r2; mov.b32 %f3, %r3; setp." + comparison +
                   ".f32 %p1, %f2, %f3; selp.u32 %r9, 1, 0, %p1;",
               bits(a), bits(b)) == 1;
  };
  CHECK(!holds("ne", nan, 1) && holds("neu", nan, 1) && !holds("lt", nan, 1) && holds("geu", nan, 1));
  CHECK(holds("nan", 1, nan) && !holds("num", 1, nan) && holds("le", -0.0f, 0.0f) && holds("lt", -inf, 0));
  CHECK_EQUAL(one("setp.lt.s32 %p1, %r2, %r3; setp.eq.or.s32 %p2|%p3, %r2, 9, %p1; selp.u32 %r5, 1, 0, %p2; selp.u32 "
                  "%r6, 2, 0, %p3; add.s32 %r9, %r5, %r6;",
                  9, 1),
              1u);
}

TEST(ptx_branches_part_and_meet) {
  // 3 n + 1 until 1: each lane takes another number of steps
  const auto out = results(kLane + R"(mov.u32 %r9, 0;
$again: setp.eq.u32 %p1, %r2, 1; @%p1 bra $done;
	add.s32 %r9, %r9, 1; and.b32 %r5, %r2, 1; setp.eq.u32 %p2, %r5, 1; @%p2 bra $odd;
	shr.u32 %r2, %r2, 1; bra.uni $again;
$odd: mad.lo.s32 %r2, %r2, 3, 1; bra.uni $again;
$done:)" + kStore,
                           {1, 2, 3, 4, 5, 6, 7, 27}, 8);
  CHECK(out == (std::vector<uint32_t>{0, 1, 7, 2, 5, 8, 16, 111}));
}

TEST(ptx_calls_hand_numbers_over) {
  const std::string square = R"(
.global .align 4 .b8 table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
.func (.param .b32 out) square(.param .b32 in)
{	.reg .b32 %r<5>; .reg .b64 %rd<3>; .reg .pred %p<2>; .local .align 4 .b8 depot[8];
	ld.param.u32 %r1, [in]; mov.u64 %rd1, depot; st.local.u32 [%rd1+4], %r1;
	mov.u64 %rd2, table; ld.global.u8 %r3, [%rd2+3]; ld.local.u32 %r2, [%rd1+4];
	setp.gt.u32 %p1, %r1, 2; @%p1 bra $large;
	mad.lo.s32 %r4, %r2, %r2, %r3; st.param.b32 [out+0], %r4; ret;
$large: st.param.b32 [out+0], 77; ret; })";
  const auto out = results(kLane + R"(setp.eq.u32 %p1, %r2, 0; mov.u32 %r9, 5; @%p1 bra $none;
	{ .param .b32 param0; st.param.b32 [param0+0], %r2; .param .b32 retval0;
	call.uni (retval0), square, (param0); ld.param.b32 %r9, [retval0+0]; }
$none:)" + kStore,
                           {0, 1, 2, 3}, 4, square);
  CHECK(out == (std::vector<uint32_t>{5, 5, 8, 77}));
}

TEST(ptx_shuffles) {
  std::vector<uint32_t> in(32);
  for (uint32_t l = 0; l < 32; ++l) in[l] = 100 + l;
  const auto shuffled = [&](const std::string& how) {
    return results(kLane + "shfl.sync." + how + ", -1; selp.u32 %r5, 1000, 0, %p1; add.s32 %r9, %r9, %r5;" + kStore,
                   in);
  };
  const auto butterfly = shuffled("bfly.b32 %r9|%p1, %r2, 16, 31");
  const auto up = shuffled("up.b32 %r9|%p1, %r2, 3, 0");
  const auto down = shuffled("down.b32 %r9|%p1, %r2, 2, 0x181f");  // segments of eight
  const auto index = shuffled("idx.b32 %r9|%p1, %r2, 5, 31");
  for (uint32_t l = 0; l < 32; ++l) {
    CHECK_EQUAL(butterfly[l], 1100 + (l ^ 16));
    CHECK_EQUAL(up[l], l < 3 ? 100 + l : 1100 + l - 3);
    CHECK_EQUAL(down[l], l % 8 < 6 ? 1100 + l + 2 : 100 + l);
    CHECK_EQUAL(index[l], 1105u);
  }
  // lanes that come to it in two groups
  const auto parted = results(kLane +
                                  "setp.lt.u32 %p2, %r1, 7; @%p2 add.s32 %r2, %r2, 1000; @%p2 bra $a;\nadd.s32 %r2, "
                                  "%r2, 1;\n$a: shfl.sync.bfly.b32 %r9|%p1, %r2, 1, 31, -1;" +
                                  kStore,
                              in);
  CHECK_EQUAL(parted[7], 1106u);
  CHECK_EQUAL(parted[6], 108u);
}

TEST(ptx_shared_memory_under_every_schedule) {
  // numbers turned round through memory that the launch gives, and a static variable before it
  const std::string body = kLane + R"(.shared .align 4 .b8 own[12];
	mov.u32 %r3, own; mov.u32 %r4, grown; setp.lt.u32 %p1, %r1, 3;
	shl.b32 %r5, %r1, 2; add.s32 %r6, %r4, %r5; add.s32 %r7, %r3, %r5; st.shared.u32 [%r6], %r2; @%p1 st.shared.u32 [%r7], %r1;
	bar.sync 0;
	sub.s32 %r8, 95, %r1; shl.b32 %r8, %r8, 2; add.s32 %r8, %r8, %r4; ld.shared.u32 %r9, [%r8]; ld.shared.u32 %r10, [%r3+8]; add.s32 %r9, %r9, %r10;)" +
                           kStore;
  int runs = 0;
  each_schedule([&] {
    std::vector<uint32_t> in(96), out(96);
    for (uint32_t i = 0; i < 96; ++i) in[i] = i * i;
    run(kernel(body, ".extern .shared .align 16 .b8 grown[];"), in, out, 96, 384);
    for (uint32_t i = 0; i < 96; ++i) CHECK_EQUAL(out[i], (95 - i) * (95 - i) + 2);
    ++runs;
  });
  CHECK_EQUAL(runs, 10);
}

TEST(ptx_copies_that_are_waited_for) {
  const std::string body =
      R"(.shared .align 16 .b8 own[512]; mov.u32 %r3, own; shl.b32 %r4, %r1, 4; add.s32 %r5, %r3, %r4; mul.wide.u32 %rd6, %r1, 16; add.s64 %rd7, %rd1, %rd6;
	and.b32 %r6, %r1, 15; cp.async.cg.shared.global [%r5], [%rd7], 16, %r6; cp.async.commit_group; WAIT
	ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r5]; add.s32 %r9, %r10, %r11; add.s32 %r9, %r9, %r12; add.s32 %r9, %r9, %r13;)" +
      kStore;
  const auto with = [&](const std::string& wait) {
    std::string text = body;
    return results(text.replace(text.find("WAIT"), 4, wait), std::vector<uint32_t>(128, 0x01010101));
  };
  each_schedule([&] {
    const auto out = with("cp.async.wait_group 0;");
    CHECK_EQUAL(out[0], 0u);
    CHECK_EQUAL(out[4], 0x01010101u);
    CHECK_EQUAL(out[15], 0x03030303u + 0x00010101u);
  });
  int differ = 0;
  each_schedule([&] { differ += with("")[4] != 0x01010101u ? 1 : 0; });
  CHECK(differ > 0);
}

namespace {

/** D of a product in tf32 of A (16 x 8, by rows) and B (8 x 8), each lane's registers loaded as the reference lays them
 * out; `registers` is the order in which A's four are given to the instruction. */
std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, const char* registers) {
  std::vector<float> in(16 * 8 + 8 * 8), out(16 * 8, -1.0f);
  std::copy(a.begin(), a.end(), in.begin());
  std::copy(b.begin(), b.end(), in.begin() + 128);
  run(kernel(std::string(R"(shr.u32 %r2, %r1, 2; and.b32 %r3, %r1, 3;
	mad.lo.s32 %r4, %r2, 8, %r3; mul.wide.u32 %rd6, %r4, 4; add.s64 %rd7, %rd1, %rd6;
	ld.global.u32 %r10, [%rd7]; ld.global.u32 %r11, [%rd7+256]; ld.global.u32 %r12, [%rd7+16]; ld.global.u32 %r13, [%rd7+272];
	mad.lo.s32 %r5, %r3, 8, %r2; mul.wide.u32 %rd8, %r5, 4; add.s64 %rd9, %rd1, %rd8;
	ld.global.u32 %r14, [%rd9+512]; ld.global.u32 %r15, [%rd9+640];
	mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0f00000000; mov.f32 %f3, 0f00000000; mov.f32 %f4, 0f00000000;
	mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f1, %f2, %f3, %f4}, {)") +
             registers + R"(}, {%r14, %r15}, {%f1, %f2, %f3, %f4};
	shl.b32 %r6, %r3, 1; mad.lo.s32 %r7, %r2, 8, %r6; mul.wide.u32 %rd10, %r7, 4; add.s64 %rd11, %rd2, %rd10;
	st.global.v2.f32 [%rd11], {%f1, %f2}; st.global.v2.f32 [%rd11+256], {%f3, %f4};)"),
      in, out);
  return out;
}

}  // namespace

TEST(ptx_tensor_core_product) {
  std::vector<float> a(128), b(64), expected(128);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 53 % 89) - 44);
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j) {
      for (size_t k = 0; k < 8; ++k) expected[i * 8 + j] += a[i * 8 + k] * b[k * 8 + j];
      if (i < 8 && j % 2 == 0) expected[i * 8 + j] += 1;  // C
    }
  CHECK(product(a, b, "%r10, %r11, %r12, %r13") == expected);
  CHECK(product(a, b, "%r10, %r12, %r11, %r13") != expected);  // two of A's registers exchanged
}

TEST(ptx_matrices_from_shared_memory) {
  // number 8 r + c of matrix m is 64 m + 8 r + c
  const auto loaded = [&](const std::string& how, uint32_t which) {
    return results(
        R"(.shared .align 16 .b8 own[512]; mov.u32 %r3, own; shl.b32 %r4, %r1, 4; add.s32 %r5, %r3, %r4; shl.b32 %r6, %r1, 3;
	mov.u32 %r7, 0;
$fill: add.s32 %r8, %r6, %r7; cvt.u16.u32 %rs1, %r8; shl.b32 %r10, %r8, 1; add.s32 %r10, %r10, %r3; st.shared.u16 [%r10], %rs1; add.s32 %r7, %r7, 1; setp.lt.u32 %p1, %r7, 8; @%p1 bra $fill;
	bar.warp.sync -1;
	ldmatrix.sync.aligned.m8n8.x4)" +
            how + ".shared.b16 {%r20, %r21, %r22, %r23}, [%r5]; mov.u32 %r9, %r2" + std::to_string(which) + ";" +
            kStore,
        {});
  };
  const auto rows = loaded("", 2), columns = loaded(".trans", 3);
  for (uint32_t l = 0; l < 32; ++l) {
    const uint32_t at = 128 + 8 * (l / 4) + l % 4 * 2, turned = 192 + 16 * (l % 4) + l / 4;
    CHECK_EQUAL(rows[l], at | (at + 1) << 16);
    CHECK_EQUAL(columns[l], turned | (turned + 8) << 16);
  }
}

TEST(ptx_mistakes_are_found) {
  const auto fails = [](const std::string& body, const char* what, unsigned threads = 32) {
    CHECK_THROWS(results(body, {}, threads), what);
  };
  fails("ld.global.v2.f32 {%f1, %f2}, [%rd1+4];", "8 bytes at 0x");
  fails("ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd1+8];", "is not aligned: block (0, 0, 0), thread (0, 0, 0)");
  fails("ld.global.u32 %r9, [%rd4+4068];", "where no memory of the device is: block (0, 0, 0), thread (7, 0, 0)");
  fails("st.global.u8 [%rd1+-1], %r1;", "where no memory of the device is");
  fails(
      ".shared .align 4 .b8 own[64]; mov.u32 %r3, own; shl.b32 %r4, %r1, 2; add.s32 %r5, %r3, %r4; st.shared.u32 "
      "[%r5], %r1;",
      "at place 64 of 64 bytes of shared memory");
  fails("ld.shared.u32 %r9, [%r1+1026];", "is not aligned");
  fails("cvta.to.shared.u64 %rd6, %rd1;", "of another space");
  // collectives
  fails("setp.lt.u32 %p1, %r1, 16; @%p1 bra $half; ret;\n$half: shfl.sync.bfly.b32 %r9|%p2, %r1, 16, 31, -1;",
        "reads the register of lane 16, which does not take part");
  fails("shfl.sync.bfly.b32 %r9|%p1, %r1, 1, 31, 1;", "whose mask does not name");
  fails("setp.lt.u32 %p1, %r1, 16; @%p1 bra $half;\nbar.warp.sync -1; ret;\n$half: bar.sync 0;",
        "threads wait in vain");
  fails("setp.lt.u32 %p1, %r1, 16; @%p1 bra $half;\nbar.sync 0; ret;\n$half: bar.sync 0;",
        "lanes of a warp wait at different barriers");
  fails(".shared .align 16 .b8 own[512]; mov.u32 %r3, own; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r9}, [%r3];",
        "all 32 lanes", 20);
  fails(
      ".shared .align 16 .b8 own[512]; mov.u32 %r3, own; shl.b32 %r4, %r1, 3; add.s32 %r5, %r3, %r4; "
      "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r6, %r7, %r8, %r9}, [%r5];",
      "is not aligned");
  fails(".shared .align 16 .b8 own[16]; mov.u32 %r3, own; cp.async.ca.shared.global [%r3], [%rd1], 4, 8;",
        "more bytes than it is for");
  // what no barrier orders, whatever order it ran in
  const std::string own =
      ".shared .align 4 .b8 own[512]; mov.u32 %r3, own; shl.b32 %r4, %r1, 2; add.s32 %r5, %r3, %r4; xor.b32 %r6, %r4, "
      "4; add.s32 %r6, %r6, %r3; xor.b32 %r7, %r4, 128; add.s32 %r7, %r7, %r3;";
  const std::string write = own + "st.shared.u32 [%r5], %r1;";
  const auto passes = [](const std::string& body, unsigned threads) {
    CHECK_EQUAL(results(body, {}, threads).size(), threads);
  };
  fails(write + "ld.shared.u32 %r9, [%r6];", "a race in shared memory: it reads what was written by thread 1");
  passes(write + "bar.warp.sync -1; ld.shared.u32 %r9, [%r6];", 32);
  fails(write + "shfl.sync.bfly.b32 %r9|%p1, %r1, 16, 31, -1; ld.shared.u32 %r9, [%r6];",
        "it reads what was written by");
  fails(write + "bar.warp.sync -1; ld.shared.u32 %r9, [%r7];", "it overwrites what was read by", 64);
  passes(write + "bar.sync 0; ld.shared.u32 %r9, [%r7];", 64);
  fails(write + "bar.sync 0; ld.shared.u32 %r9, [%r7]; st.shared.u32 [%r5], %r9;", "it reads what was written by", 64);
  passes(write + "bar.sync 0; ld.shared.u32 %r9, [%r7]; bar.sync 0; st.shared.u32 [%r5], %r9;", 64);
  fails(own + "st.shared.u32 [%r3], %r1;", "it overwrites what was written by thread 0");
  passes(own + "st.shared.u32 [%r3], 5;", 64);
  passes(own + "add.s32 %r5, %r3, %r1; st.shared.u8 [%r5], %r1; ld.shared.u8 %rs1, [%r5];", 64);
  // what is not known is said
  fails("frobnicate.f32 %f1, %f2;", "unknown instruction: frobnicate.f32");
  fails("add.f32 %f1, %f2, %x9;", "unknown register: %x9");
  fails("bra.uni $nowhere;", "unknown label: $nowhere");
}
