#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("ConstantOfShape fills with 0 or the value") {
    CHECK(elements<float>(run("ConstantOfShape", 9, {list({2, 1})})) == std::vector<float>{0, 0});
    const tensor y = run("ConstantOfShape", 9, {list({2})}, {attribute{"value", of<std::int32_t>({1}, {7})}});
    CHECK(elements<std::int32_t>(y) == std::vector<std::int32_t>{7, 7});
    CHECK(run("ConstantOfShape", 9, {of<std::int64_t>({0}, {})}).shape() == dims{});
    CHECK_REFUSED(invalid_argument, run("ConstantOfShape", 9, {list({-1})}), "negative");
    CHECK_REFUSED(invalid_argument, run("ConstantOfShape", 9, {list({1})}, {attribute{"value", floats({2}, {1, 2})}}), "one element");
}

TEST_CASE("the extent of a Range of constants is known, unless it has none") {
    const auto scalar = [](auto v) { return tensor::scalar(v); };
    const auto extent = [](const tensor& start, const tensor& limit, const tensor& delta) {
        ocelli::nn::graph g;
        g.opsets[""] = 11;
        const auto y = g.add_value("y");
        g.add_node({.op = "Range", .inputs = {g.add_constant("a", start), g.add_constant("b", limit), g.add_constant("c", delta)}, .outputs = {y}});
        g.outputs = {y};
        ocelli::nn::infer_facts(g);
        return ocelli::nn::text(g.at(y).what.shape);
    };
    CHECK(extent(scalar(10), scalar(4), scalar(-2)) == "(3)");
    CHECK(extent(scalar(std::int64_t{0}), scalar(std::int64_t{56}), scalar(std::int64_t{1})) == "(56)");
    CHECK(extent(scalar(1.0f), scalar(2.1f), scalar(0.25f)) == "(5)");
    CHECK(extent(scalar(1), scalar(1), scalar(1)) == "(0)");
    CHECK(extent(scalar(1), scalar(2), scalar(0)) == "(?)");  // refused where it runs
    CHECK(extent(scalar(std::int64_t{0}), scalar(std::numeric_limits<std::int64_t>::max()), scalar(std::int64_t{1})) == "(?)");
}

TEST_CASE("Range counts up and down and may be empty") {
    const auto scalar = [](auto v) { return tensor::scalar(v); };
    CHECK(elements<std::int32_t>(run("Range", 11, {scalar(10), scalar(4), scalar(-2)})) == std::vector<std::int32_t>{10, 8, 6});
    CHECK(elements<float>(run("Range", 11, {scalar(1.0f), scalar(2.0f), scalar(0.25f)})) == std::vector<float>{1, 1.25f, 1.5f, 1.75f});
    CHECK(run("Range", 11, {scalar(1), scalar(1), scalar(1)}).size() == 0);
    const std::int64_t low = std::numeric_limits<std::int64_t>::min(), high = std::numeric_limits<std::int64_t>::max();
    CHECK(elements<std::int64_t>(run("Range", 11, {scalar(low), scalar(high), scalar(high)})) == std::vector<std::int64_t>{low, -1, high - 1});
    CHECK_REFUSED(invalid_argument, run("Range", 11, {scalar(1), scalar(2), scalar(0)}), "delta");
    CHECK_REFUSED(invalid_argument, run("Range", 11, {scalar(std::int64_t{0}), scalar(high), scalar(std::int64_t{1})}), "too long");
    CHECK_REFUSED(invalid_argument, run("Range", 11, {scalar(0.0f), scalar(inf), scalar(1.0f)}), "too long");
    CHECK_REFUSED(invalid_argument, run("Range", 11, {scalar(0.0f), scalar(qnan), scalar(1.0f)}), "NaN");
}

TEST_CASE("EyeLike takes a diagonal and a type") {
    const tensor x = of<std::int32_t>({2, 3}, {9, 9, 9, 9, 9, 9});
    CHECK(elements<std::int32_t>(run("EyeLike", 9, {x})) == std::vector<std::int32_t>{1, 0, 0, 0, 1, 0});
    CHECK(elements<double>(run("EyeLike", 9, {x}, {number("dtype", 11), number("k", 1)})) == std::vector<double>{0, 1, 0, 0, 0, 1});
    CHECK(elements<std::int32_t>(run("EyeLike", 9, {x}, {number("k", -5)})) == std::vector<std::int32_t>(6, 0));
    CHECK_REFUSED(unsupported_operator, run("EyeLike", 9, {x}, {number("dtype", 8)}), "dtype = 8");
}

TEST_CASE("OneHot puts the new axis anywhere, and leaves out what is out of range") {
    const tensor y = run("OneHot", 11, {list({0, -1, 5}), of<std::int64_t>({}, {3}), floats({2}, {0, 1})});
    CHECK(y.shape() == dims{3, 3});
    CHECK(elements<float>(y) == std::vector<float>{1, 0, 0, 0, 0, 1, 0, 0, 0});
    CHECK(elements<std::int32_t>(run("OneHot", 9, {list({0, 2}), floats({1}, {3}), of<std::int32_t>({2}, {5, 7})}, {number("axis", 0)})) ==
          std::vector<std::int32_t>{7, 5, 5, 5, 5, 7});
    CHECK_REFUSED(invalid_argument, run("OneHot", 11, {list({0}), list({-1}), floats({2}, {0, 1})}), "depth");
    CHECK_REFUSED(invalid_argument, run("OneHot", 11, {list({0}), list({1}), floats({3}, {0, 1, 2})}), "values");
}
