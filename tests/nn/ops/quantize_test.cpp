#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("quantised operators agree with exact arithmetic") {
    CHECK(ocelli_test::check_golden_models("quantize", 1e-6) == 6);
}

TEST_CASE("quantising rounds half to even and saturates, NaN gives the zero point") {
    const tensor x = floats({8}, {0.5f, 1.5f, 2.5f, -0.5f, 300, -300, qnan, inf}), one = floats({}, {1});
    CHECK(elements<std::uint8_t>(run("QuantizeLinear", 13, {x, one})) == std::vector<std::uint8_t>{0, 2, 2, 0, 255, 0, 0, 255});
    CHECK(elements<std::int8_t>(run("QuantizeLinear", 13, {x, one, of<std::int8_t>({}, {-3})})) == std::vector<std::int8_t>{-3, -1, -1, -3, 127, -128, -3, 127});
    CHECK(elements<std::uint16_t>(run("QuantizeLinear", 21, {floats({2}, {-1, 70000}), one, of<std::uint16_t>({}, {0})})) ==
          std::vector<std::uint16_t>{0, 65535});
    CHECK(elements<float>(run("DequantizeLinear", 13, {of<std::int32_t>({2}, {-7, 1 << 30}), floats({}, {0.5f})})) == std::vector<float>{-3.5f, 536870912});
}

TEST_CASE("scales may belong to blocks of an axis") {
    const tensor q = of<std::int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}), scale = floats({2, 2}, {1, 10, 100, 1000});
    CHECK(elements<float>(run("DequantizeLinear", 21, {q, scale}, {number("axis", 1), number("block_size", 2)})) ==
          std::vector<float>{1, 2, 30, 400, 500, 6000});
    CHECK_REFUSED(invalid_argument, run("DequantizeLinear", 21, {q, floats({2, 3}, {1, 1, 1, 1, 1, 1})}, {number("axis", 1), number("block_size", 2)}), "for blocks of 2");
    CHECK_REFUSED(invalid_argument, run("DequantizeLinear", 21, {q, scale}, {number("block_size", -1)}), "block_size must not be negative");
}

TEST_CASE("dynamic quantisation covers the range with zero in it") {
    const auto y = run_all("DynamicQuantizeLinear", 11, {floats({3}, {1, 2, 5.1f})}, {}, 3);
    CHECK(elements<float>(y[1])[0] == doctest::Approx(0.02f));
    CHECK(elements<std::uint8_t>(y[2]) == std::vector<std::uint8_t>{0});
    CHECK(elements<std::uint8_t>(y[0]) == std::vector<std::uint8_t>{50, 100, 255});
    const auto zero = run_all("DynamicQuantizeLinear", 11, {floats({2}, {0, 0})}, {}, 3);
    CHECK(elements<std::uint8_t>(zero[0]) == std::vector<std::uint8_t>{0, 0});
}

TEST_CASE("integer products do not overflow and refuse what does not fit") {
    std::vector<std::uint8_t> all(4096, 255);
    const tensor a = tensor::from<std::uint8_t>({1, 4096}, all), b = tensor::from<std::uint8_t>({4096, 1}, all);
    CHECK(elements<std::int32_t>(run("MatMulInteger", 10, {a, b})) == std::vector<std::int32_t>{4096 * 255 * 255});
    const tensor m = of<std::uint8_t>({2, 2}, {1, 2, 3, 4});
    CHECK_REFUSED(invalid_argument, run("MatMulInteger", 10, {m, of<std::uint8_t>({3, 1}, {1, 2, 3})}), "cannot be multiplied");
    CHECK_REFUSED(invalid_argument, run("MatMulInteger", 10, {m, m, of<std::uint8_t>({3}, {1, 2, 3})}), "zero point must have one element");
    CHECK_REFUSED(unsupported_operator, run("MatMulInteger", 10, {of<std::int32_t>({1, 1}, {1}), of<std::int32_t>({1, 1}, {1})}), "int32");
    CHECK_REFUSED(invalid_argument, run("QuantizeLinear", 13, {floats({2}, {1, 2}), floats({3}, {1, 1, 1})}, {number("axis", 0)}), "scale must have one element for each of 2");
    CHECK_REFUSED(invalid_argument, run("QuantizeLinear", 13, {floats({2}, {1, 2}), floats({}, {1}), of<std::uint8_t>({2}, {1, 1})}), "the shape of the scale");
    CHECK_REFUSED(unsupported_operator, run("QuantizeLinear", 21, {floats({1}, {1}), floats({}, {1})}, {number("output_dtype", 999)}), "output_dtype 999");
    const tensor x = of<std::uint8_t>({1, 2, 1}, {1, 2}), w = of<std::uint8_t>({1, 3, 1}, {1, 1, 1});
    CHECK_REFUSED(invalid_argument, run("ConvInteger", 10, {x, w}), "channels do not fit");
}
