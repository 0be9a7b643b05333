#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("grid sampling and affine grids agree with PyTorch") {
    CHECK(ocelli_test::check_golden_models("sample", 1e-5) == 15);
}

TEST_CASE("the identity grid gives the input back, under either meaning of the corners") {
    const tensor x = floats({1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}), theta = floats({1, 2, 3}, {1, 0, 0, 0, 1, 0});
    for (const std::int64_t corners : {0, 1}) {
        const tensor grid = run("AffineGrid", 20, {theta, list({1, 1, 2, 3})}, {number("align_corners", corners)});
        CHECK(grid.shape() == dims{1, 2, 3, 2});
        for (const char* mode : {"linear", "nearest", "cubic"}) {
            INFO(mode);
            CHECK(difference(elements<float>(run("GridSample", 20, {x, grid}, {word("mode", mode), number("align_corners", corners)})), {1, 2, 3, 4, 5, 6}) < 1e-5f);
        }
    }
}

TEST_CASE("a NaN coordinate reads 0 with zeros, and the first element of its axis otherwise") {
    const tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4}), grid = floats({1, 1, 1, 2}, {qnan, 1});
    CHECK(elements<float>(run("GridSample", 16, {x, grid}, {number("align_corners", 1)})) == std::vector<float>{0});
    CHECK(elements<float>(run("GridSample", 16, {x, grid}, {number("align_corners", 1), word("padding_mode", "border")})) == std::vector<float>{3});
    CHECK(elements<float>(run("GridSample", 16, {x, floats({1, 1, 1, 2}, {inf, -inf})}, {number("align_corners", 1), word("padding_mode", "border")})) ==
          std::vector<float>{2});
}

TEST_CASE("sampling refuses what it cannot do") {
    const tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4}), grid = floats({1, 1, 1, 2}, {0, 0});
    CHECK(run("GridSample", 16, {x, floats({1, 0, 1, 2}, {})}).shape() == dims{1, 1, 0, 1});
    CHECK_REFUSED(unsupported_operator, run("GridSample", 16, {x, grid}, {word("mode", "area")}), "mode 'area' is not supported");
    CHECK_REFUSED(unsupported_operator, run("GridSample", 16, {x, grid}, {word("padding_mode", "wrap")}), "padding_mode 'wrap' is not supported");
    CHECK_REFUSED(invalid_argument, run("GridSample", 16, {x, floats({2, 1, 1, 2}, {0, 0, 0, 0})}), "grid");
    CHECK_REFUSED(invalid_argument, run("GridSample", 16, {tensor::zeros(nn::dtype::float32, {1, 1, 0, 2}), grid}), "without elements");
    CHECK_REFUSED(invalid_argument, run("AffineGrid", 20, {floats({1, 2, 3}, {1, 0, 0, 0, 1, 0}), list({1, 2, 2})}), "size must be");
    CHECK_REFUSED(invalid_argument, run("AffineGrid", 20, {floats({1, 2, 3}, {1, 0, 0, 0, 1, 0}), list({2, 1, 2, 2})}), "theta must have shape (2, 2, 3)");
}
