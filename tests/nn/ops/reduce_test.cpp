#include <support/operators.hpp>

#include <cmath>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("reductions take axes as attribute, then as input") {
    const tensor x = floats({3, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    CHECK(elements<float>(run("ReduceSum", 11, {x}, {numbers("axes", {1}), number("keepdims", 0)})) == std::vector<float>{4, 6, 12, 14, 20, 22});
    CHECK(elements<float>(run("ReduceSum", 13, {x, list({-2})}, {number("keepdims", 0)})) == std::vector<float>{4, 6, 12, 14, 20, 22});
    const tensor all = run("ReduceMean", 13, {x});
    CHECK(all.shape() == dims{1, 1, 1});
    CHECK(elements<float>(all) == std::vector<float>{6.5f});
    CHECK(run("ReduceMean", 18, {x}, {number("keepdims", 0)}).shape() == dims{});
    CHECK(elements<float>(run("ReduceSum", 13, {x, of<std::int64_t>({0}, {})}, {number("noop_with_empty_axes", 1)})) == elements<float>(x));
    CHECK(elements<float>(run("ReduceMax", 18, {x, list({0, 2})})) == std::vector<float>{10, 12});
    CHECK(elements<float>(run("ReduceMin", 18, {x, list({0, 2})})) == std::vector<float>{1, 3});
    CHECK_REFUSED(unsupported_operator, run("ReduceSum", 13, {x}, {numbers("axes", {1})}), "attribute 'axes' is not supported");
    CHECK_REFUSED(invalid_argument, run("ReduceMean", 18, {x, list({3})}), "axis 3");
}

TEST_CASE("each reduction has its formula") {
    const tensor x = floats({2, 2}, {1, -2, 3, 4});
    const auto reduced = [&](const char* op) { return elements<float>(run(op, 18, {x, list({1})}, {number("keepdims", 0)})); };
    CHECK(reduced("ReduceProd") == std::vector<float>{-2, 12});
    CHECK(reduced("ReduceL1") == std::vector<float>{3, 7});
    CHECK(difference(reduced("ReduceL2"), {2.23606798f, 5}) < 1e-6f);
    CHECK(reduced("ReduceSumSquare") == std::vector<float>{5, 25});
    CHECK(difference(reduced("ReduceLogSumExp"), {1.04858735f, 4.31326169f}) < 1e-6f);
    CHECK(same({elements<float>(run("ReduceLogSum", 18, {floats({2}, {1, 3})}))[0]}, {std::log(4.0f)}));
    CHECK(elements<std::int32_t>(run("ReduceL2", 18, {of<std::int32_t>({2}, {3, -4})})) == std::vector<std::int32_t>{5});
    CHECK(elements<std::int64_t>(run("ReduceMean", 18, {list({-3, -4})})) == std::vector<std::int64_t>{-3});
    CHECK(elements<std::int64_t>(run("ReduceL1", 18, {list({-3, 4})})) == std::vector<std::int64_t>{7});
}

TEST_CASE("LogSumExp does not overflow, and infinity stays") {
    CHECK(difference(elements<float>(run("ReduceLogSumExp", 18, {floats({2}, {1000, 1000})})), {1000.69312f}) < 1e-3f);
    CHECK(elements<float>(run("ReduceLogSumExp", 18, {floats({3}, {inf, 1, inf})})) == std::vector<float>{inf});
    CHECK(elements<float>(run("ReduceLogSumExp", 18, {floats({2}, {-inf, -inf})})) == std::vector<float>{-inf});
    CHECK(same(elements<float>(run("ReduceLogSumExp", 18, {floats({3}, {1, qnan, 2})})), {qnan}));
}

TEST_CASE("an empty reduction gives the neutral element") {
    const tensor x = floats({2, 0, 2}, {});
    const auto reduced = [&](const char* op) { return elements<float>(run(op, 20, {x, list({1})}, {number("keepdims", 0)})); };
    CHECK(reduced("ReduceSum") == std::vector<float>(4, 0.0f));
    CHECK(reduced("ReduceProd") == std::vector<float>(4, 1.0f));
    CHECK(reduced("ReduceMax") == std::vector<float>(4, -inf));
    CHECK(reduced("ReduceMin") == std::vector<float>(4, inf));
    CHECK(reduced("ReduceLogSumExp") == std::vector<float>(4, -inf));
    CHECK(same(reduced("ReduceMean"), std::vector<float>(4, qnan)));
    CHECK(run("ReduceSum", 13, {x, list({0})}).shape() == dims{1, 0, 2});
}

TEST_CASE("NaN wins in ReduceMax and ReduceMin, and bool has them since operator set 20") {
    CHECK(same(elements<float>(run("ReduceMax", 18, {floats({2, 2}, {1, qnan, 3, 2}), list({1})})), {qnan, 3}));
    CHECK(same(elements<float>(run("ReduceMin", 18, {floats({2, 2}, {1, qnan, 3, 2}), list({0})})), {1, qnan}));
    const tensor x = of<bool>({2, 2}, {true, false, true, true});
    CHECK(elements<bool>(run("ReduceMin", 20, {x, list({1})})) == std::vector<bool>{false, true});
    CHECK(elements<bool>(run("ReduceMax", 20, {x, list({1})})) == std::vector<bool>{true, true});
    CHECK_REFUSED(unsupported_operator, run("ReduceMax", 18, {x, list({1})}), "bool");
    CHECK_REFUSED(unsupported_operator, run("ReduceSum", 20, {x, list({1})}), "bool");
}

TEST_CASE("every choice of axes agrees with a plain loop") {
    tensor x(nn::dtype::float32, {3, 130, 2, 9});
    for (std::int64_t i = 0; i < x.size(); ++i) x.mutable_data<float>()[i] = static_cast<float>((i * 31) % 17);
    for (unsigned mask = 1; mask < 16; ++mask) {
        std::vector<std::int64_t> axes;
        dims shape = x.shape();
        for (std::size_t i = 0; i < 4; ++i)
            if (mask >> i & 1u) {
                axes.push_back(static_cast<std::int64_t>(i));
                shape[i] = 1;
            }
        std::vector<float> expected(static_cast<std::size_t>(nn::element_count(shape)), 0.0f);
        const dims to = nn::dense_strides(shape);
        for (std::int64_t i = 0; i < x.size(); ++i) {
            std::int64_t at = 0, rest = i;
            for (std::size_t d = 4; d-- > 0;) {
                if (shape[d] != 1) at += rest % x.extent(d) * to[d];
                rest /= x.extent(d);
            }
            expected[static_cast<std::size_t>(at)] += x.data<float>()[i];
        }
        CHECK(elements<float>(run("ReduceSum", 11, {x}, {numbers("axes", axes)})) == expected);
    }
}
