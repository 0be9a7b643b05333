#include <support/operators.hpp>

#include <cmath>

using namespace operators;
using ocelli::unsupported_operator;

TEST_CASE("functions agree with the standard library, NaN included") {
    const tensor x = floats({5}, {-0.75f, -0.0f, 0.25f, 1, qnan});
    const auto check = [&](const char* op, double (*f)(double), const tensor& of) {
        INFO(op);
        std::vector<float> expected;
        for (const float v : elements<float>(of)) expected.push_back(static_cast<float>(f(v)));
        const std::vector<float> got = elements<float>(run(op, 21, {of}));
        for (std::size_t i = 0; i < got.size(); ++i) {
            const bool both_nan = ocelli::detail::is_nan(got[i]) && ocelli::detail::is_nan(expected[i]);
            CHECK((both_nan || got[i] == expected[i] || std::abs(got[i] - expected[i]) < 1e-6f));
        }
        // double and the 16-bit types take the same way
        CHECK(run(op, 21, {of.cast(nn::dtype::float64)}).type() == nn::dtype::float64);
        CHECK(run(op, 21, {of.cast(nn::dtype::bfloat16)}).type() == nn::dtype::bfloat16);
    };
    check("Exp", std::exp, x);
    check("Log", std::log, x);
    check("Sqrt", std::sqrt, x);
    check("Floor", std::floor, x);
    check("Ceil", std::ceil, x);
    check("Sin", std::sin, x);
    check("Cos", std::cos, x);
    check("Tan", std::tan, x);
    check("Asin", std::asin, x);
    check("Acos", std::acos, x);
    check("Atan", std::atan, x);
    check("Sinh", std::sinh, x);
    check("Cosh", std::cosh, x);
    check("Asinh", std::asinh, x);
    check("Acosh", std::acosh, floats({3}, {1, 1.5f, qnan}));
    check("Atanh", std::atanh, floats({3}, {-0.5f, 0.5f, qnan}));
    check("Erf", std::erf, x);
    check("Abs", std::fabs, x);
}

TEST_CASE("Round takes halves to the even neighbour") {
    CHECK(elements<float>(run("Round", 11, {floats({6}, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 2.51f})})) == std::vector<float>{0, 2, 2, 0, -2, 3});
}

TEST_CASE("Abs, Neg and Sign take integers, which wrap") {
    const tensor x = of<std::int8_t>({3}, {-128, -3, 5});
    CHECK(elements<std::int8_t>(run("Abs", 13, {x})) == std::vector<std::int8_t>{-128, 3, 5});
    CHECK(elements<std::int8_t>(run("Neg", 13, {x})) == std::vector<std::int8_t>{-128, 3, -5});
    CHECK(elements<std::int8_t>(run("Sign", 13, {x})) == std::vector<std::int8_t>{-1, -1, 1});
    CHECK(same(elements<float>(run("Sign", 13, {floats({3}, {-2, 0, qnan})})), {-1, 0, qnan}));
    CHECK(elements<float>(run("Reciprocal", 13, {floats({2}, {4, 0})})) == std::vector<float>{0.25f, inf});
    CHECK_REFUSED(unsupported_operator, run("Neg", 13, {of<std::uint8_t>({1}, {1})}), "uint8");
    CHECK_REFUSED(unsupported_operator, run("Exp", 13, {list({1})}), "int64");
}

TEST_CASE("IsNaN and IsInf look at bits") {
    const tensor x = floats({4}, {qnan, inf, -inf, 3});
    CHECK(elements<bool>(run("IsNaN", 13, {x})) == std::vector<bool>{true, false, false, false});
    CHECK(elements<bool>(run("IsInf", 10, {x})) == std::vector<bool>{false, true, true, false});
    CHECK(elements<bool>(run("IsInf", 10, {x}, {number("detect_negative", 0)})) == std::vector<bool>{false, true, false, false});
    CHECK(elements<bool>(run("IsInf", 10, {x}, {number("detect_positive", 0)})) == std::vector<bool>{false, false, true, false});
    CHECK(elements<bool>(run("IsInf", 20, {x.cast(nn::dtype::float16)})) == std::vector<bool>{false, true, true, false});
}
