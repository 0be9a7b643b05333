#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("Identity shares the memory of its input") {
    const tensor x = floats({2, 2}, {1, 2, 3, 4});
    const tensor y = run("Identity", 13, {x});
    CHECK(y.shape() == x.shape());
    CHECK(y.raw() == x.raw());
    CHECK(run("Identity", 13, {of<bool>({0}, {})}).type() == nn::dtype::boolean);
}

TEST_CASE("Constant holds a tensor, a number or a list") {
    const tensor t = of<std::int8_t>({2, 1}, {-1, 7});
    CHECK(elements<std::int8_t>(run("Constant", 13, {}, {{"value", t}})) == std::vector<std::int8_t>{-1, 7});
    const tensor i = run("Constant", 13, {}, {number("value_int", 5)});
    CHECK(i.shape().empty());
    CHECK(elements<std::int64_t>(i) == std::vector<std::int64_t>{5});
    CHECK(elements<float>(run("Constant", 13, {}, {real("value_float", 0.5f)})) == std::vector<float>{0.5f});
    CHECK(elements<std::int64_t>(run("Constant", 13, {}, {numbers("value_ints", {})})).empty());
    CHECK(elements<float>(run("Constant", 13, {}, {{"value_floats", std::vector<float>{1, 2}}})) == std::vector<float>{1, 2});
    CHECK_REFUSED(invalid_argument, run("Constant", 13, {}), "exactly one attribute");
    CHECK_REFUSED(invalid_argument, run("Constant", 13, {}, {number("value_int", 5), real("value_float", 1)}), "exactly one attribute");
    CHECK_REFUSED(unsupported_operator, run("Constant", 13, {}, {word("value_string", "x")}), "value_string");
}
