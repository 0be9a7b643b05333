#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("Gather takes indices of any rank, negative ones from the end") {
    const tensor x = floats({3, 2}, {0, 1, 10, 11, 20, 21});
    CHECK(elements<float>(run("Gather", 13, {x, list({2, -3})})) == std::vector<float>{20, 21, 0, 1});
    CHECK(run("Gather", 13, {x, of<std::int64_t>({}, {1})}).shape() == dims{2});
    const tensor y = run("Gather", 13, {x, of<std::int32_t>({1, 2}, {1, 0})}, {number("axis", -1)});
    CHECK(y.shape() == dims{3, 1, 2});
    CHECK(elements<float>(y) == std::vector<float>{1, 0, 11, 10, 21, 20});
    CHECK(run("Gather", 13, {x, of<std::int64_t>({0}, {})}).shape() == dims{0, 2});
    CHECK_REFUSED(invalid_argument, run("Gather", 13, {x, list({3})}), "index 3 is outside");
    CHECK_REFUSED(invalid_argument, run("Gather", 13, {x, list({-4})}), "index -4 is outside");
    CHECK_REFUSED(invalid_argument, run("Gather", 13, {x, floats({1}, {0})}), "int64 or int32");
}

TEST_CASE("GatherElements and ScatterElements walk the indices") {
    const tensor x = floats({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    const tensor index = of<std::int64_t>({2, 3}, {1, 2, 0, 2, 0, 0});
    CHECK(elements<float>(run("GatherElements", 13, {x, index})) == std::vector<float>{4, 8, 3, 7, 2, 3});
    CHECK(elements<float>(run("GatherElements", 13, {x, of<std::int64_t>({1, 2}, {-1, 0})}, {number("axis", 1)})) == std::vector<float>{3, 1});
    const tensor zero = tensor::zeros(nn::dtype::float32, {3, 3}), updates = floats({2, 3}, {1, 1.1f, 1.2f, 2, 2.1f, 2.2f});
    const std::vector<float> last = {0, 2.1f, 2.2f, 1, 0, 0, 2, 1.1f, 0};
    CHECK(elements<float>(run("ScatterElements", 18, {zero, index, updates})) == last);
    CHECK(elements<float>(run("Scatter", 9, {zero, index, updates})) == last);
    const tensor twice = of<std::int64_t>({1, 3}, {1, 1, 1}), ones = floats({1, 3}, {2, 3, -4}), row = floats({1, 3}, {1, 1, 1});
    const auto reduced = [&](const char* how) { return elements<float>(run("ScatterElements", 18, {row, twice, ones}, {number("axis", 1), word("reduction", how)})); };
    CHECK(reduced("add") == std::vector<float>{1, 2, 1});
    CHECK(reduced("mul") == std::vector<float>{1, -24, 1});
    CHECK(reduced("max") == std::vector<float>{1, 3, 1});
    CHECK(reduced("min") == std::vector<float>{1, -4, 1});
    CHECK(reduced("none") == std::vector<float>{1, -4, 1});
    CHECK_REFUSED(unsupported_operator, reduced("median"), "median");
    CHECK_REFUSED(invalid_argument, run("ScatterElements", 18, {row, twice, floats({1, 2}, {1, 2})}), "one shape");
    CHECK_REFUSED(invalid_argument, run("GatherElements", 13, {row, index}, {number("axis", 1)}), "reach outside");
}

TEST_CASE("GatherND and ScatterND address blocks, with batch axes") {
    const tensor x = of<std::int32_t>({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(elements<std::int32_t>(run("GatherND", 13, {x, of<std::int64_t>({2, 1}, {1, 0})}, {number("batch_dims", 1)})) == std::vector<std::int32_t>{2, 3, 4, 5});
    CHECK(elements<std::int32_t>(run("GatherND", 11, {x, of<std::int64_t>({2, 3}, {0, 0, 1, 1, -1, 0})})) == std::vector<std::int32_t>{1, 6});
    CHECK(run("GatherND", 13, {x, of<std::int64_t>({2, 1, 2}, {0, 1, 1, 0})}).shape() == dims{2, 1, 2});
    const tensor v = floats({8}, {1, 2, 3, 4, 5, 6, 7, 8});
    CHECK(elements<float>(run("ScatterND", 18, {v, of<std::int64_t>({3, 1}, {4, -5, 1}), floats({3}, {9, 10, 11})})) ==
          std::vector<float>{1, 11, 3, 10, 9, 6, 7, 8});
    CHECK(elements<float>(run("ScatterND", 18, {v, of<std::int64_t>({2, 1}, {0, 0}), floats({2}, {9, 10})}, {word("reduction", "add")})) ==
          std::vector<float>{20, 2, 3, 4, 5, 6, 7, 8});
    CHECK_REFUSED(invalid_argument, run("GatherND", 13, {x, of<std::int64_t>({1, 4}, {0, 0, 0, 0})}), "do not fit");
    CHECK_REFUSED(invalid_argument, run("GatherND", 13, {x, of<std::int64_t>({1, 1}, {2})}), "index 2 is outside");
    CHECK_REFUSED(invalid_argument, run("ScatterND", 18, {v, of<std::int64_t>({3, 1}, {4, 3, 1}), floats({2}, {9, 10})}), "updates must have shape (3)");
    CHECK_REFUSED(unsupported_operator, run("ScatterND", 13, {v, list({1}), floats({}, {1})}, {word("reduction", "add")}), "reduction");
}

TEST_CASE("Compress keeps what the condition marks") {
    const tensor x = floats({3, 2}, {1, 2, 3, 4, 5, 6});
    CHECK(elements<float>(run("Compress", 11, {x, of<bool>({3}, {false, true, true})}, {number("axis", 0)})) == std::vector<float>{3, 4, 5, 6});
    CHECK(elements<float>(run("Compress", 11, {x, of<bool>({2}, {false, true})}, {number("axis", -1)})) == std::vector<float>{2, 4, 6});
    CHECK(elements<float>(run("Compress", 11, {x, of<bool>({5}, {false, true, false, false, true})})) == std::vector<float>{2, 5});
    CHECK_REFUSED(invalid_argument, run("Compress", 11, {x, of<bool>({3}, {true, true, true})}, {number("axis", 1)}), "longer");
    CHECK_REFUSED(invalid_argument, run("Compress", 11, {x, list({1})}), "bool");
}
