#include <support/operators.hpp>

#include <cstdint>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("Add broadcasts like NumPy") {
    const tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6});
    CHECK(elements<float>(run("Add", 14, {a, a})) == std::vector<float>{2, 4, 6, 8, 10, 12});
    CHECK(elements<float>(run("Add", 14, {a, floats({}, {10})})) == std::vector<float>{11, 12, 13, 14, 15, 16});
    CHECK(elements<float>(run("Add", 14, {floats({}, {10}), a})) == std::vector<float>{11, 12, 13, 14, 15, 16});
    CHECK(elements<float>(run("Add", 14, {a, floats({3}, {10, 20, 30})})) == std::vector<float>{11, 22, 33, 14, 25, 36});
    CHECK(elements<float>(run("Add", 14, {a, floats({2, 1}, {10, 20})})) == std::vector<float>{11, 12, 13, 24, 25, 26});
    const tensor outer = run("Add", 14, {floats({2, 1}, {1, 2}), floats({1, 3}, {10, 20, 30})});
    CHECK(outer.shape() == dims{2, 3});
    CHECK(elements<float>(outer) == std::vector<float>{11, 21, 31, 12, 22, 32});
    CHECK(run("Add", 14, {floats({0, 3}, {}), floats({3}, {1, 2, 3})}).shape() == dims{0, 3});
    CHECK_REFUSED(invalid_argument, run("Add", 14, {a, floats({2}, {1, 2})}), "broadcast");
    CHECK_REFUSED(invalid_argument, run("Add", 14, {a, of<std::int32_t>({3}, {1, 2, 3})}), "one element type");
    CHECK_REFUSED(unsupported_operator, run("Add", 14, {of<bool>({1}, {true}), of<bool>({1}, {true})}), "bool");
}

TEST_CASE("a large broadcast gives the same elements as a plain loop") {
    // Big enough for several threads, with a short inner axis that the loop exchanges.
    tensor a(nn::dtype::float32, {300, 200, 3}), b(nn::dtype::float32, {200, 1});
    for (std::int64_t i = 0; i < a.size(); ++i) a.mutable_data<float>()[i] = static_cast<float>(i % 1000);
    for (std::int64_t i = 0; i < b.size(); ++i) b.mutable_data<float>()[i] = static_cast<float>(7 * i);
    const tensor y = run("Sub", 14, {a, b});
    bool right = true;
    for (std::int64_t i = 0; i < a.size(); ++i) right = right && y.data<float>()[i] == a.data<float>()[i] - b.data<float>()[i / 3 % 200];
    CHECK(right);
}

TEST_CASE("before operator set 7 the second operand is aligned by attributes") {
    const tensor a = floats({2, 3, 2}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    const tensor b = floats({3}, {1, 2, 3});
    const tensor y = run("Add", 6, {a, b}, {number("broadcast", 1), number("axis", 1)});
    CHECK(elements<float>(y) == std::vector<float>{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3});
    CHECK(elements<float>(run("Mul", 6, {floats({2, 2}, {1, 2, 3, 4}), floats({2}, {10, 100})}, {number("broadcast", 1)})) ==
          std::vector<float>{10, 200, 30, 400});
    CHECK_REFUSED(invalid_argument, run("Add", 6, {a, b}), "broadcast");
    CHECK_REFUSED(unsupported_operator, run("Add", 7, {a, a}, {number("broadcast", 1)}), "attribute 'broadcast' is not supported");
}

TEST_CASE("integers wrap, truncate and refuse to be divided by zero") {
    const auto bytes = [](std::initializer_list<std::int8_t> v) { return of<std::int8_t>({static_cast<std::int64_t>(v.size())}, v); };
    CHECK(elements<std::int8_t>(run("Add", 14, {bytes({127, -128}), bytes({1, -1})})) == std::vector<std::int8_t>{-128, 127});
    CHECK(elements<std::int8_t>(run("Div", 14, {bytes({-7, 7, -128}), bytes({2, -2, -1})})) == std::vector<std::int8_t>{-3, -3, -128});
    const std::int64_t low = std::numeric_limits<std::int64_t>::min();
    CHECK(elements<std::int64_t>(run("Div", 14, {list({low, 5}), list({-1, 3})})) == std::vector<std::int64_t>{low, 1});
    CHECK(elements<std::uint16_t>(run("Mul", 14, {of<std::uint16_t>({1}, {65535}), of<std::uint16_t>({1}, {65535})})) ==
          std::vector<std::uint16_t>{1});
    CHECK_REFUSED(invalid_argument, run("Div", 14, {list({1}), list({0})}), "division by zero");
    CHECK_REFUSED(invalid_argument, run("Mod", 13, {list({1}), list({0})}), "division by zero");
    CHECK(run("Div", 14, {of<std::int64_t>({0}, {}), list({0})}).size() == 0);
    CHECK(same(elements<float>(run("Div", 14, {floats({3}, {1, -1, 0}), floats({3}, {0, 0, 0})})), {inf, -inf, qnan}));
}

TEST_CASE("Mod follows the divisor's sign, with fmod the dividend's") {
    const tensor a = list({-4, 7, 5, 4, -7, 8}), b = list({2, -3, 8, -2, 3, 5});
    CHECK(elements<std::int64_t>(run("Mod", 13, {a, b})) == std::vector<std::int64_t>{0, -2, 5, 0, 2, 3});
    CHECK(elements<std::int64_t>(run("Mod", 13, {a, b}, {number("fmod", 1)})) == std::vector<std::int64_t>{0, 1, 5, 0, -1, 3});
    CHECK(difference(elements<float>(run("Mod", 13, {floats({2}, {-4.3f, 7.2f}), floats({2}, {2.1f, -3.4f})}, {number("fmod", 1)})), {-0.1f, 0.4f}) <
          1e-5f);
    CHECK_REFUSED(invalid_argument, run("Mod", 13, {floats({1}, {1}), floats({1}, {1})}), "fmod");
}

TEST_CASE("Pow keeps the base's type") {
    CHECK(elements<float>(run("Pow", 15, {floats({3}, {1, 2, 3}), list({4, 5, 6})})) == std::vector<float>{1, 32, 729});
    CHECK(elements<float>(run("Pow", 15, {floats({3}, {1, -2, 3}), floats({}, {2})})) == std::vector<float>{1, 4, 9});
    CHECK(elements<std::int64_t>(run("Pow", 15, {list({2, -3, 2, -1, 7}), list({10, 3, -1, -3, 0})})) ==
          std::vector<std::int64_t>{1024, -27, 0, -1, 1});
    CHECK(elements<std::int32_t>(run("Pow", 15, {of<std::int32_t>({2}, {4, 9}), floats({2}, {0.5f, 1.5f})})) == std::vector<std::int32_t>{2, 27});
    CHECK_REFUSED(invalid_argument, run("Pow", 7, {floats({1}, {1}), list({1})}), "one element type");
}

TEST_CASE("Max, Min, Sum and Mean take any number of operands, and NaN wins") {
    const tensor a = floats({3}, {1, qnan, 3}), b = floats({3}, {qnan, 2, 5}), c = floats({}, {4});
    CHECK(same(elements<float>(run("Max", 13, {a, b})), {qnan, qnan, 5}));
    CHECK(same(elements<float>(run("Min", 13, {a, b, c})), {qnan, qnan, 3}));
    CHECK(same(elements<float>(run("Max", 13, {a})), {1, qnan, 3}));
    CHECK(elements<float>(run("Sum", 13, {floats({2}, {1, 2}), floats({2}, {3, 4}), floats({}, {10})})) == std::vector<float>{14, 16});
    CHECK(elements<float>(run("Mean", 13, {floats({2}, {1, 2}), floats({2}, {3, 4}), floats({2}, {5, 6})})) == std::vector<float>{3, 4});
    CHECK(elements<std::int64_t>(run("Max", 13, {list({1, 5}), list({3, 2})})) == std::vector<std::int64_t>{3, 5});
    CHECK_REFUSED(unsupported_operator, run("Sum", 13, {list({1}), list({1})}), "int64");
}

TEST_CASE("16-bit types compute in float and round once") {
    const tensor a = floats({2}, {1, 2048}).cast(nn::dtype::float16), b = floats({2}, {0.0009765625f, 1}).cast(nn::dtype::float16);
    CHECK(elements<float>(run("Add", 14, {a, b}).cast(nn::dtype::float32)) == std::vector<float>{1.0009765625f, 2048});
    CHECK(run("Add", 14, {a.cast(nn::dtype::bfloat16), a.cast(nn::dtype::bfloat16)}).type() == nn::dtype::bfloat16);
}
