#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;

TEST_CASE("ArgMax and ArgMin take the first of equal elements, or the last") {
    const tensor x = floats({2, 3}, {2, 2, 1, 3, 10, 10});
    CHECK(elements<std::int64_t>(run("ArgMax", 13, {x}, {number("axis", 1)})) == std::vector<std::int64_t>{0, 1});
    CHECK(elements<std::int64_t>(run("ArgMax", 13, {x}, {number("axis", -1), number("select_last_index", 1)})) == std::vector<std::int64_t>{1, 2});
    const tensor low = run("ArgMin", 13, {x}, {number("keepdims", 0)});
    CHECK(low.shape() == dims{3});
    CHECK(elements<std::int64_t>(low) == std::vector<std::int64_t>{0, 0, 0});
    CHECK(elements<std::int64_t>(run("ArgMax", 13, {floats({4}, {1, qnan, 3, qnan})})) == std::vector<std::int64_t>{1});
    CHECK(elements<std::int64_t>(run("ArgMin", 13, {floats({4}, {1, qnan, 3, qnan})}, {number("select_last_index", 1)})) == std::vector<std::int64_t>{3});
    CHECK_REFUSED(invalid_argument, run("ArgMax", 13, {floats({2, 0}, {})}, {number("axis", 1)}), "empty axis");
    CHECK(run("ArgMax", 13, {floats({0, 2}, {})}, {number("axis", 1)}).shape() == dims{0, 1});
}

TEST_CASE("TopK is stable, and NaN is the largest") {
    const tensor x = floats({2, 4}, {1, 3, 3, 2, 5, qnan, 7, 5});
    const auto top = run_all("TopK", 11, {x, list({3})}, {}, 2);
    CHECK(same(elements<float>(top[0]), {3, 3, 2, qnan, 7, 5}));
    CHECK(elements<std::int64_t>(top[1]) == std::vector<std::int64_t>{1, 2, 3, 1, 2, 0});
    const auto low = run_all("TopK", 11, {x, list({1})}, {number("largest", 0), number("axis", 0), number("sorted", 0)}, 2);
    CHECK(same(elements<float>(low[0]), {1, 3, 3, 2}));
    CHECK(elements<std::int64_t>(run_all("TopK", 1, {x}, {number("k", 1)}, 2)[1]) == std::vector<std::int64_t>{1, 1});
    CHECK(run_all("TopK", 11, {x, list({0})}, {}, 2)[1].shape() == dims{2, 0});
    CHECK_REFUSED(invalid_argument, run_all("TopK", 11, {x, list({5})}, {}, 2), "k = 5");
}

TEST_CASE("NonZero lists coordinates axis by axis") {
    const tensor y = run("NonZero", 13, {of<bool>({2, 2}, {true, false, true, true})});
    CHECK(y.shape() == dims{2, 3});
    CHECK(elements<std::int64_t>(y) == std::vector<std::int64_t>{0, 1, 1, 0, 0, 1});
    CHECK(run("NonZero", 13, {floats({3}, {0, 0, 0})}).shape() == dims{1, 0});
    CHECK(run("NonZero", 13, {floats({}, {4})}).shape() == dims{0, 1});
}

TEST_CASE("Unique sorts or keeps the order of occurrence, of elements and of slices") {
    const tensor x = floats({6}, {2, 1, 1, 3, 4, 3});
    auto y = run_all("Unique", 11, {x}, {number("sorted", 0)}, 4);
    CHECK(elements<float>(y[0]) == std::vector<float>{2, 1, 3, 4});
    CHECK(elements<std::int64_t>(y[1]) == std::vector<std::int64_t>{0, 1, 3, 4});
    CHECK(elements<std::int64_t>(y[2]) == std::vector<std::int64_t>{0, 1, 1, 2, 3, 2});
    CHECK(elements<std::int64_t>(y[3]) == std::vector<std::int64_t>{1, 2, 2, 1});
    y = run_all("Unique", 11, {x}, {}, 4);
    CHECK(elements<float>(y[0]) == std::vector<float>{1, 2, 3, 4});
    CHECK(elements<std::int64_t>(y[1]) == std::vector<std::int64_t>{1, 0, 3, 4});
    y = run_all("Unique", 11, {floats({3, 2}, {1, 0, 1, 0, 0, 5})}, {number("axis", 0)}, 4);
    CHECK(y[0].shape() == dims{2, 2});
    CHECK(elements<float>(y[0]) == std::vector<float>{0, 5, 1, 0});
    y = run_all("Unique", 11, {floats({2, 3}, {1, 0, 1, 2, 3, 2})}, {number("axis", -1)}, 4);
    CHECK(elements<float>(y[0]) == std::vector<float>{0, 1, 3, 2});
    CHECK(elements<std::int64_t>(y[2]) == std::vector<std::int64_t>{1, 0, 1});
    CHECK(run("Unique", 11, {floats({0}, {})}).shape() == dims{0});
}

TEST_CASE("CumSum runs forwards or backwards, with or without the element itself") {
    const tensor x = floats({3}, {1, 2, 3});
    CHECK(elements<float>(run("CumSum", 14, {x, list({0})})) == std::vector<float>{1, 3, 6});
    CHECK(elements<float>(run("CumSum", 14, {x, list({-1})}, {number("exclusive", 1)})) == std::vector<float>{0, 1, 3});
    CHECK(elements<float>(run("CumSum", 14, {x, list({0})}, {number("reverse", 1)})) == std::vector<float>{6, 5, 3});
    CHECK(elements<float>(run("CumSum", 14, {x, list({0})}, {number("reverse", 1), number("exclusive", 1)})) == std::vector<float>{5, 3, 0});
    CHECK(elements<std::int32_t>(run("CumSum", 14, {of<std::int32_t>({2, 2}, {1, 2, 3, 4}), list({0})})) == std::vector<std::int32_t>{1, 2, 4, 6});
    CHECK_REFUSED(invalid_argument, run("CumSum", 14, {x, list({1})}), "axis 1");
}
