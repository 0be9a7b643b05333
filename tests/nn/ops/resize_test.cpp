#include <support/golden_models.hpp>

#include <ocelli/nn/memory.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

namespace {

tensor resized(const tensor& x, std::initializer_list<std::int64_t> sizes, std::vector<attribute> attributes = {}) {
    return run("Resize", 19, {x, {}, {}, list(sizes)}, std::move(attributes));
}

}  // namespace

TEST_CASE("resizing agrees with PyTorch") {
    CHECK(ocelli_test::check_golden_models("resize", 1e-5) == 11);
}

TEST_CASE("the coordinate and rounding rules pick the elements that ONNX says") {
    const tensor x = floats({4}, {0, 1, 2, 3});
    const auto nearest = [&](std::int64_t size, const char* coordinates, const char* rounding) {
        return elements<float>(resized(x, {size}, {word("mode", "nearest"), word("coordinate_transformation_mode", coordinates), word("nearest_mode", rounding)}));
    };
    CHECK(nearest(2, "asymmetric", "floor") == std::vector<float>{0, 2});
    CHECK(nearest(2, "half_pixel", "round_prefer_floor") == std::vector<float>{0, 2});
    CHECK(nearest(2, "half_pixel", "round_prefer_ceil") == std::vector<float>{1, 3});
    CHECK(nearest(2, "align_corners", "floor") == std::vector<float>{0, 3});
    CHECK(nearest(8, "asymmetric", "ceil") == std::vector<float>{0, 1, 1, 2, 2, 3, 3, 3});
    CHECK(nearest(1, "pytorch_half_pixel", "floor") == std::vector<float>{0});
    CHECK(elements<float>(resized(x, {1}, {word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")})) == std::vector<float>{1.5f});
    CHECK(elements<float>(resized(x, {1}, {word("mode", "linear"), word("coordinate_transformation_mode", "pytorch_half_pixel")})) == std::vector<float>{0});
}

TEST_CASE("a constant stays constant under every kernel, and extents may stay") {
    const tensor x = floats({1, 1, 2, 3}, {5, 5, 5, 5, 5, 5});
    for (const char* mode : {"nearest", "linear", "cubic"}) {
        INFO(mode);
        const tensor y = resized(x, {1, 1, 5, 2}, {word("mode", mode)});
        CHECK(difference(elements<float>(y), std::vector<float>(10, 5.0f)) < 1e-5f);
        CHECK(same(elements<float>(resized(x, {1, 1, 2, 3}, {word("mode", mode)})), elements<float>(x)));
    }
}

TEST_CASE("tf_crop_and_resize reads a region, and what lies outside is the extrapolation value") {
    const tensor x = floats({4}, {0, 1, 2, 3});
    const tensor y = run("Resize", 19, {x, floats({2}, {0, 2}), {}, list({3})},
                         {word("mode", "linear"), word("coordinate_transformation_mode", "tf_crop_and_resize"), real("extrapolation_value", -1)});
    CHECK(elements<float>(y) == std::vector<float>{0, 3, -1});
    CHECK_REFUSED(invalid_argument, resized(x, {3}, {word("coordinate_transformation_mode", "tf_crop_and_resize")}), "needs roi");
}

TEST_CASE("aspect ratio policies and axes") {
    const tensor x = tensor::zeros(nn::dtype::float32, {1, 1, 4, 8});
    CHECK(run("Resize", 18, {x, {}, {}, list({6, 6})}, {numbers("axes", {2, 3}), word("keep_aspect_ratio_policy", "not_larger")}).shape() == dims{1, 1, 3, 6});
    CHECK(run("Resize", 18, {x, {}, {}, list({6, 6})}, {numbers("axes", {2, 3}), word("keep_aspect_ratio_policy", "not_smaller")}).shape() == dims{1, 1, 6, 12});
}

TEST_CASE("what resizing holds on the way counts for a limit on memory") {
    const tensor x = tensor::zeros(ocelli::nn::dtype::float32, {1000});
    {
        const ocelli::nn::memory_limit enough(25000);  // the result, a copy of it that this test takes, and what is in between
        CHECK(resized(x, {2000}, {word("mode", "linear")}).size() == 2000);
    }
    const ocelli::nn::memory_limit without_it(17000);
    CHECK_THROWS_AS(resized(x, {2000}, {word("mode", "linear")}), invalid_argument);
}

TEST_CASE("resizing refuses what it cannot do") {
    const tensor x = floats({1, 2}, {1, 2});
    CHECK_REFUSED(invalid_argument, run("Resize", 19, {x}), "needs scales or sizes");
    CHECK_REFUSED(invalid_argument, resized(x, {2}), "sizes must have 2 elements");
    CHECK_REFUSED(invalid_argument, resized(x, {1, -2}), "sizes are out of range");
    CHECK_REFUSED(invalid_argument, run("Resize", 19, {x, {}, floats({1}, {2})}), "scales must have 2 elements");
    CHECK_REFUSED(invalid_argument, run("Resize", 19, {x, {}, floats({2}, {1, -2})}), "scales must be positive");
    CHECK_REFUSED(invalid_argument, run("Resize", 19, {x, {}, floats({2}, {1, qnan})}), "scales must be positive");
    CHECK_REFUSED(unsupported_operator, resized(x, {1, 2}, {word("mode", "lanczos")}), "'lanczos' is not supported");
    CHECK_REFUSED(unsupported_operator, resized(x, {1, 2}, {word("coordinate_transformation_mode", "corner")}), "'corner' is not supported");
    CHECK_REFUSED(unsupported_operator, resized(x, {1, 2}, {word("nearest_mode", "up")}), "'up' is not supported");
    CHECK_REFUSED(unsupported_operator, resized(x, {1, 2}, {word("keep_aspect_ratio_policy", "fill")}), "'fill' is not supported");
    CHECK_REFUSED(invalid_argument, resized(floats({1, 0}, {}), {1, 2}), "without elements");
    CHECK_REFUSED(invalid_argument, run("Upsample", 7, {x}), "'scales' is missing");
}
