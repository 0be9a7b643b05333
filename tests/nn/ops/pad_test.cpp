#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("padding agrees with NumPy in every mode") {
    CHECK(ocelli_test::check_golden_models("pad", 0) == 7);
}

TEST_CASE("Pad takes pads as attribute or input, for all axes or some, and crops where they are negative") {
    const tensor x = floats({2, 2}, {1, 2, 3, 4});
    CHECK(elements<float>(run("Pad", 2, {x}, {numbers("pads", {0, 1, 0, 0}), real("value", 9)})) == std::vector<float>{9, 1, 2, 9, 3, 4});
    CHECK(elements<float>(run("Pad", 1, {x}, {numbers("paddings", {1, 0, 0, 0})})) == std::vector<float>{0, 0, 1, 2, 3, 4});
    CHECK(elements<float>(run("Pad", 18, {x, list({1, 0}), {}, list({-1})})) == std::vector<float>{0, 1, 2, 0, 3, 4});
    CHECK(elements<float>(run("Pad", 13, {x, list({-1, 0, 0, -1})})) == std::vector<float>{3});
    CHECK(run("Pad", 13, {x, list({-2, 0, 0, 0})}).shape() == dims{0, 2});
    CHECK(elements<float>(run("Pad", 13, {floats({0}, {}), list({1, 1}), floats({}, {5})})) == std::vector<float>{5, 5});
}

TEST_CASE("Pad refuses pads that do not fit") {
    const tensor x = floats({2}, {1, 2});
    CHECK_REFUSED(invalid_argument, run("Pad", 13, {x, list({1})}), "pads must have 2 elements");
    CHECK_REFUSED(invalid_argument, run("Pad", 13, {x, list({-2, -1})}), "crop more than axis 0");
    CHECK_REFUSED(invalid_argument, run("Pad", 13, {x, list({std::int64_t{1} << 50, 0})}), "out of range");
    CHECK_REFUSED(invalid_argument, run("Pad", 13, {x, list({1, 1}), floats({2}, {1, 2})}), "the fill value must be one element");
    CHECK_REFUSED(unsupported_operator, run("Pad", 13, {x, list({1, 1})}, {word("mode", "mirror")}), "mode 'mirror' is not supported");
    CHECK_REFUSED(invalid_argument, run("Pad", 13, {floats({0}, {}), list({1, 1})}, {word("mode", "edge")}), "cannot pad axis 0 without elements");
}

TEST_CASE("CenterCropPad crops one axis and pads another") {
    const tensor x = floats({1, 3}, {1, 2, 3});
    CHECK(elements<float>(run("CenterCropPad", 18, {x, list({3, 1})})) == std::vector<float>{0, 2, 0});
    CHECK_REFUSED(invalid_argument, run("CenterCropPad", 18, {x, list({3})}), "shape has 1 elements for 2 axes");
    CHECK_REFUSED(invalid_argument, run("CenterCropPad", 18, {x, list({3, -1})}), "must not be negative");
}
