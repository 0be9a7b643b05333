#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;

TEST_CASE("convolutions over one to three axes agree with PyTorch") {
    CHECK(ocelli_test::check_golden_models("conv", 1e-5) == 4);
}

TEST_CASE("auto_pad keeps extents, the odd element behind or in front") {
    const tensor x = floats({1, 1, 4}, {1, 2, 3, 4}), w = floats({1, 1, 2}, {1, 10});
    CHECK(elements<float>(run("Conv", 11, {x, w}, {word("auto_pad", "SAME_UPPER")})) == std::vector<float>{21, 32, 43, 4});
    CHECK(elements<float>(run("Conv", 11, {x, w}, {word("auto_pad", "SAME_LOWER")})) == std::vector<float>{10, 21, 32, 43});
    CHECK(elements<float>(run("Conv", 11, {x, w}, {word("auto_pad", "VALID")})) == std::vector<float>{21, 32, 43});
    CHECK(elements<float>(run("Conv", 11, {x, w}, {numbers("pads", {-1, 0})})) == std::vector<float>{32, 43});
}

TEST_CASE("an empty batch gives an empty result, and no channels give the bias") {
    const tensor w = floats({2, 1, 1}, {1, 2});
    CHECK(run("Conv", 11, {floats({0, 1, 3}, {}), w}).shape() == dims{0, 2, 3});
    const tensor y = run("Conv", 11, {floats({1, 0, 2}, {}), floats({2, 0, 1}, {}), floats({2}, {5, 6})});
    CHECK(elements<float>(y) == std::vector<float>{5, 5, 6, 6});
}

TEST_CASE("NaN and infinity reach the elements that see them, and no others") {
    const tensor y = run("Conv", 11, {floats({1, 1, 5}, {1, qnan, 1, 1, inf}), floats({1, 1, 2}, {1, 1})});
    CHECK(same(elements<float>(y), {qnan, qnan, 2, inf}));
}

TEST_CASE("a convolution refuses what does not fit") {
    const tensor x = floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}), w = floats({1, 2, 2}, {1, 1, 1, 1});
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {floats({2, 3}, {1, 2, 3, 4, 5, 6}), w}), "(N, C, ...)");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, floats({1, 2, 1, 1}, {1, 1})}), "as many axes as the input");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, floats({1, 3, 1}, {1, 1, 1})}), "channels do not fit");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, w}, {number("group", 0)}), "channels do not fit");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, w, floats({2}, {1, 1})}), "one element per output channel");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, of<double>({1, 2, 2}, {1, 1, 1, 1})}), "must have one type");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, w}, {numbers("kernel_shape", {3})}), "contradicts the weights' shape");
    CHECK_REFUSED(invalid_argument, run("Conv", 11, {x, w}, {numbers("dilations", {3})}), "does not fit into 3");
}
