#include <support/operators.hpp>

#include <ocelli/nn/ops/detail/widen.hpp>

#include <cstdint>
#include <limits>

using namespace operators;
using nn::bfloat16;
using nn::float16;

namespace {

template <class T>
tensor counted(std::int64_t n) {
    tensor t(nn::dtype_of<T>, {n});
    for (std::int64_t i = 0; i < n; ++i) t.mutable_data<T>()[i] = static_cast<T>(static_cast<float>(i % 100 + 1));
    return t;
}

template <class T>
void rounds_like_float(const char* op, std::int64_t opset) {
    const tensor x = counted<T>(2000);
    const tensor y = run(op, opset, {x});
    const tensor expected = run(op, opset, {x.cast(nn::dtype::float32)}).cast(nn::dtype_of<T>);
    REQUIRE(y.type() == nn::dtype_of<T>);
    REQUIRE(y.bytes() == expected.bytes());
    CHECK(std::memcmp(y.raw(), expected.raw(), y.bytes()) == 0);
}

}  // namespace

TEST_CASE("16-bit floating types are computed in float and rounded once") {
    for (const char* op : {"Exp", "Sqrt", "Neg", "Sigmoid", "Relu", "HardSwish", "Softmax"}) {
        CAPTURE(op);
        rounds_like_float<float16>(op, 14);
        rounds_like_float<bfloat16>(op, 14);
    }
    // A sum of many parts is rounded at its end, not after each.
    tensor ones(nn::dtype::float16, {1, 4096});
    for (std::int64_t i = 0; i < ones.size(); ++i) ones.mutable_data<float16>()[i] = float16(1.0f);
    const tensor sum = run("ReduceSum", 13, {ones, list({1})});
    CHECK(sum.type() == nn::dtype::float16);
    CHECK(static_cast<float>(*sum.data<float16>()) == 4096.0f);
}

TEST_CASE("narrow integers wrap when they come back from 64 bits") {
    CHECK(elements<std::int8_t>(run("Abs", 13, {of<std::int8_t>({2}, {-128, -3})})) == std::vector<std::int8_t>{-128, 3});
    CHECK(elements<std::uint8_t>(run("Sub", 14, {of<std::uint8_t>({1}, {1}), of<std::uint8_t>({1}, {2})})) == std::vector<std::uint8_t>{255});
    CHECK(elements<std::int32_t>(run("Mul", 14, {of<std::int32_t>({1}, {1 << 30}), of<std::int32_t>({1}, {6})})) == std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min()});
    const std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
    CHECK(elements<std::uint64_t>(run("Add", 14, {of<std::uint64_t>({1}, {top}), of<std::uint64_t>({1}, {2})})) == std::vector<std::uint64_t>{1});
    CHECK(elements<std::uint64_t>(run("Div", 14, {of<std::uint64_t>({1}, {top}), of<std::uint64_t>({1}, {3})})) == std::vector<std::uint64_t>{top / 3});
    CHECK(elements<std::uint64_t>(run("Max", 13, {of<std::uint64_t>({1}, {top}), of<std::uint64_t>({1}, {3})})) == std::vector<std::uint64_t>{top});
    CHECK(elements<bool>(run("Less", 13, {of<std::uint64_t>({1}, {top}), of<std::uint64_t>({1}, {3})})) == std::vector<bool>{false});
    CHECK(elements<std::uint32_t>(run("BitShift", 11, {of<std::uint32_t>({2}, {1, 3}), of<std::uint32_t>({2}, {31, 33})}, {word("direction", "LEFT")})) ==
          std::vector<std::uint32_t>{1u << 31, 0});
    CHECK(elements<std::uint64_t>(run("BitShift", 11, {of<std::uint64_t>({1}, {top}), of<std::uint64_t>({1}, {63})}, {word("direction", "RIGHT")})) ==
          std::vector<std::uint64_t>{1});
}

TEST_CASE("the extreme of nothing is the end of the element type's own range") {
    CHECK(elements<std::int32_t>(run("ReduceMax", 18, {of<std::int32_t>({0}, {}), list({0})}, {number("keepdims", 1)})) ==
          std::vector<std::int32_t>{std::numeric_limits<std::int32_t>::min()});
    CHECK(elements<std::uint8_t>(run("ReduceMin", 18, {of<std::uint8_t>({0}, {}), list({0})})) == std::vector<std::uint8_t>{255});
    CHECK(elements<float>(run("ReduceMax", 18, {floats({0}, {}), list({0})})) == std::vector<float>{-inf});
}

TEST_CASE("an index output keeps its type beside a widened value") {
    const tensor x = of<std::uint8_t>({4}, {3, 200, 7, 200});
    const auto out = run_all("TopK", 11, {x, list({2})}, {}, 2);
    CHECK(elements<std::uint8_t>(out[0]) == std::vector<std::uint8_t>{200, 200});
    CHECK(elements<std::int64_t>(out[1]) == std::vector<std::int64_t>{1, 3});
    CHECK(elements<std::int64_t>(run("ArgMax", 13, {x})) == std::vector<std::int64_t>{1});
}

TEST_CASE("a type that the operator does not take is refused though its wide form would do") {
    CHECK_REFUSED(ocelli::unsupported_operator, run("Neg", 13, {of<std::uint8_t>({1}, {1})}), "uint8");
    CHECK_REFUSED(ocelli::unsupported_operator, run("BitShift", 11, {of<std::int32_t>({1}, {1}), of<std::int32_t>({1}, {1})}, {word("direction", "LEFT")}), "int32");
}
