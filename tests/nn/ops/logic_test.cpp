#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("comparisons broadcast and are false for NaN") {
    const tensor a = floats({2, 2}, {1, 2, 3, qnan}), b = floats({2}, {2, 2});
    CHECK(elements<bool>(run("Equal", 13, {a, b})) == std::vector<bool>{false, true, false, false});
    CHECK(elements<bool>(run("Greater", 13, {a, b})) == std::vector<bool>{false, false, true, false});
    CHECK(elements<bool>(run("GreaterOrEqual", 16, {a, b})) == std::vector<bool>{false, true, true, false});
    CHECK(elements<bool>(run("Less", 13, {a, b})) == std::vector<bool>{true, false, false, false});
    CHECK(elements<bool>(run("LessOrEqual", 16, {a, b})) == std::vector<bool>{true, true, false, false});
    CHECK(elements<bool>(run("Equal", 13, {of<bool>({2}, {true, false}), of<bool>({1}, {true})})) == std::vector<bool>{true, false});
    CHECK(elements<bool>(run("Less", 6, {floats({2, 2}, {1, 2, 3, 4}), floats({2}, {2, 4})}, {number("broadcast", 1), number("axis", 0)})) ==
          std::vector<bool>{true, false, true, false});
    CHECK_REFUSED(unsupported_operator, run("Less", 13, {of<bool>({1}, {true}), of<bool>({1}, {true})}), "bool");
}

TEST_CASE("logic takes bool alone") {
    const tensor a = of<bool>({4}, {false, false, true, true}), b = of<bool>({4}, {false, true, false, true});
    CHECK(elements<bool>(run("And", 7, {a, b})) == std::vector<bool>{false, false, false, true});
    CHECK(elements<bool>(run("Or", 7, {a, b})) == std::vector<bool>{false, true, true, true});
    CHECK(elements<bool>(run("Xor", 7, {a, b})) == std::vector<bool>{false, true, true, false});
    CHECK(elements<bool>(run("Not", 1, {a})) == std::vector<bool>{true, true, false, false});
    CHECK_REFUSED(unsupported_operator, run("And", 7, {list({1}), list({1})}), "int64");
}

TEST_CASE("bit operators work on every width, and shifts by the width leave 0") {
    CHECK(elements<std::int16_t>(run("BitwiseAnd", 18, {of<std::int16_t>({2}, {-1, 12}), of<std::int16_t>({}, {10})})) == std::vector<std::int16_t>{10, 8});
    CHECK(elements<std::uint8_t>(run("BitwiseOr", 18, {of<std::uint8_t>({1}, {1}), of<std::uint8_t>({1}, {6})})) == std::vector<std::uint8_t>{7});
    CHECK(elements<std::int64_t>(run("BitwiseXor", 18, {list({5}), list({-1})})) == std::vector<std::int64_t>{-6});
    CHECK(elements<std::uint16_t>(run("BitwiseNot", 18, {of<std::uint16_t>({1}, {1})})) == std::vector<std::uint16_t>{65534});
    const tensor x = of<std::uint8_t>({3}, {16, 200, 255}), by = of<std::uint8_t>({3}, {1, 8, 7});
    CHECK(elements<std::uint8_t>(run("BitShift", 11, {x, by}, {word("direction", "LEFT")})) == std::vector<std::uint8_t>{32, 0, 128});
    CHECK(elements<std::uint8_t>(run("BitShift", 11, {x, by}, {word("direction", "RIGHT")})) == std::vector<std::uint8_t>{8, 0, 1});
    CHECK_REFUSED(invalid_argument, run("BitShift", 11, {x, by}, {word("direction", "UP")}), "direction");
    CHECK_REFUSED(invalid_argument, run("BitShift", 11, {x, by}), "direction");
}

TEST_CASE("Where chooses with three-way broadcasting") {
    const tensor c = of<bool>({2, 1}, {true, false});
    const tensor y = run("Where", 16, {c, floats({3}, {1, 2, 3}), floats({}, {9})});
    CHECK(y.shape() == dims{2, 3});
    CHECK(elements<float>(y) == std::vector<float>{1, 2, 3, 9, 9, 9});
    CHECK(elements<std::int64_t>(run("Where", 9, {of<bool>({2}, {true, false}), list({1, 2}), list({3, 4})})) == std::vector<std::int64_t>{1, 4});
    CHECK_REFUSED(invalid_argument, run("Where", 9, {list({1}), list({1}), list({2})}), "bool");
    CHECK_REFUSED(invalid_argument, run("Where", 9, {c, list({1}), floats({1}, {2})}), "one element type");
}
