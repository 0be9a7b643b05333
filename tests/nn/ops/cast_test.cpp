#include <support/operators.hpp>

using namespace operators;
using ocelli::unsupported_operator;

TEST_CASE("Cast truncates, saturates, and takes anything but 0 as true") {
    const tensor x = floats({6}, {-1.7f, 1.7f, 300, -1e30f, qnan, 0});
    CHECK(elements<std::int32_t>(run("Cast", 13, {x}, {number("to", 6)})) ==
          std::vector<std::int32_t>{-1, 1, 300, std::numeric_limits<std::int32_t>::min(), 0, 0});
    CHECK(elements<std::uint8_t>(run("Cast", 13, {x}, {number("to", 2)})) == std::vector<std::uint8_t>{0, 1, 255, 0, 0, 0});
    CHECK(elements<bool>(run("Cast", 13, {x}, {number("to", 9)})) == std::vector<bool>{true, true, true, true, true, false});
    CHECK(elements<float>(run("Cast", 13, {of<bool>({2}, {true, false})}, {number("to", 1)})) == std::vector<float>{1, 0});
    CHECK(elements<std::int8_t>(run("Cast", 13, {list({300, -1})}, {number("to", 3)})) == std::vector<std::int8_t>{44, -1});
}

TEST_CASE("Cast goes between every pair of element types") {
    for (const int from : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16})
        for (const int to : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16}) {
            const tensor x = floats({3}, {0, 1, 1}).cast(static_cast<nn::dtype>(from));
            const tensor y = run("Cast", 21, {x}, {number("to", to)});
            CHECK(y.type() == static_cast<nn::dtype>(to));
            CHECK(elements<float>(y.cast(nn::dtype::float32)) == std::vector<float>{0, 1, 1});
            CHECK(run("CastLike", 21, {x, y}).type() == y.type());
        }
}

TEST_CASE("Cast rounds to 16 bits to nearest, ties to even") {
    const tensor x = floats({3}, {2049, 2051, 1e6f});
    CHECK(elements<float>(run("Cast", 13, {x}, {number("to", 10)}).cast(nn::dtype::float32)) == std::vector<float>{2048, 2052, inf});
}

TEST_CASE("Cast names the element type by text before operator set 6, and refuses what there is not") {
    CHECK(elements<std::int64_t>(run("Cast", 1, {floats({1}, {2.5f})}, {word("to", "INT64")})) == std::vector<std::int64_t>{2});
    CHECK_REFUSED(unsupported_operator, run("Cast", 13, {floats({1}, {1})}, {number("to", 8)}), "to = 8");
    CHECK_REFUSED(unsupported_operator, run("Cast", 1, {floats({1}, {1})}, {word("to", "STRING")}), "STRING");
}
