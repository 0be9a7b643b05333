#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("pixel shuffle and its reverse agree with PyTorch") {
    CHECK(ocelli_test::check_golden_models("rearrange", 0) == 2);
}

TEST_CASE("SpaceToDepth undoes DepthToSpace of mode DCR") {
    std::vector<float> v(2 * 8 * 3 * 2);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
    const tensor x = tensor::from<float>({2, 8, 3, 2}, v);
    const tensor wide = run("DepthToSpace", 13, {x}, {number("blocksize", 2)});
    CHECK(wide.shape() == dims{2, 2, 6, 4});
    CHECK(elements<float>(wide) != v);
    CHECK(elements<float>(run("SpaceToDepth", 13, {wide}, {number("blocksize", 2)})) == v);
    CHECK(run("DepthToSpace", 13, {tensor::zeros(nn::dtype::int8, {0, 4, 1, 1})}, {number("blocksize", 2)}).shape() == dims{0, 1, 2, 2});
}

TEST_CASE("blocks that do not fit are refused") {
    const tensor x = tensor::zeros(nn::dtype::float32, {1, 6, 3, 3});
    CHECK_REFUSED(invalid_argument, run("DepthToSpace", 13, {x}, {number("blocksize", 2)}), "blocksize 2 does not fit 6 channels");
    CHECK_REFUSED(invalid_argument, run("SpaceToDepth", 13, {x}, {number("blocksize", 2)}), "blocksize 2 does not divide 3");
    CHECK_REFUSED(invalid_argument, run("SpaceToDepth", 13, {x}, {number("blocksize", 0)}), "blocksize must be at least 1");
    CHECK_REFUSED(invalid_argument, run("SpaceToDepth", 13, {x}), "blocksize");
    CHECK_REFUSED(invalid_argument, run("DepthToSpace", 13, {floats({4}, {1, 2, 3, 4})}, {number("blocksize", 2)}), "input must have shape (N, C, H, W)");
    CHECK_REFUSED(unsupported_operator, run("DepthToSpace", 13, {x}, {number("blocksize", 1), word("mode", "RCD")}), "mode 'RCD' is not supported");
}
