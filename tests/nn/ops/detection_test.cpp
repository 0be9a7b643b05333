#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("RoiAlign, MaxRoiPool and NonMaxSuppression agree with torchvision") {
    CHECK(ocelli_test::check_golden_models("detection", 1e-5) == 5);
}

TEST_CASE("NonMaxSuppression takes corners in any order, centres, and keeps the order of equal scores") {
    const tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 1, 1, 0, 0, 5, 5, 6, 6}), scores = floats({1, 1, 3}, {0.5f, 0.5f, 0.5f});
    const tensor five = list({5}), half = floats({1}, {0.5f});
    const std::vector<std::int64_t> kept = {0, 0, 0, 0, 0, 2};
    CHECK(elements<std::int64_t>(run("NonMaxSuppression", 11, {boxes, scores, five, half})) == kept);
    const tensor centres = floats({1, 3, 4}, {0.5f, 0.5f, 1, 1, 0.5f, 0.5f, 1, 1, 5.5f, 5.5f, 1, 1});
    CHECK(elements<std::int64_t>(run("NonMaxSuppression", 11, {centres, scores, five, half}, {number("center_point_box", 1)})) == kept);
    // The threshold itself does not suppress; the score must exceed its threshold.
    CHECK(run("NonMaxSuppression", 11, {boxes, scores, five, floats({1}, {1})}).shape() == dims{3, 3});
    CHECK(run("NonMaxSuppression", 11, {boxes, scores, five, half, half}).shape() == dims{0, 3});
    CHECK(run("NonMaxSuppression", 11, {boxes, scores, list({1}), half}).shape() == dims{1, 3});
    const tensor all = list({std::numeric_limits<std::int64_t>::max()});  // what PyTorch's exporter writes
    CHECK(elements<std::int64_t>(run("NonMaxSuppression", 11, {boxes, scores, all, half})) == kept);
    CHECK_REFUSED(invalid_argument, run("NonMaxSuppression", 11, {boxes, scores, list({1, 2}), half}), "max_output_boxes_per_class must be one number");
    CHECK(run("NonMaxSuppression", 11, {floats({1, 0, 4}, {}), floats({1, 1, 0}, {}), five}).shape() == dims{0, 3});
    CHECK_REFUSED(invalid_argument, run("NonMaxSuppression", 11, {boxes, floats({1, 1, 2}, {1, 1}), five}), "boxes and scores must have shapes");
    CHECK_REFUSED(invalid_argument, run("NonMaxSuppression", 11, {boxes, scores, five, floats({1}, {1.5f})}), "iou_threshold must lie in [0, 1]");
}

TEST_CASE("RoiAlign of a constant is the constant, and a region outside gives zeros") {
    tensor x = tensor::zeros(nn::dtype::float32, {1, 1, 6, 6});
    for (int i = 0; i < 36; ++i) x.mutable_data<float>()[i] = 3;
    const std::vector<attribute> size = {number("output_height", 2), number("output_width", 1)};
    const auto align = [&](std::initializer_list<float> roi) { return elements<float>(run("RoiAlign", 16, {x, floats({1, 4}, roi), list({0})}, size)); };
    CHECK(difference(align({1, 1, 4, 5}), {3, 3}) < 1e-6f);
    CHECK(align({100, 100, 104, 104}) == std::vector<float>{0, 0});
    CHECK(align({qnan, 1, 4, 5}) == std::vector<float>{0, 0});
    CHECK(run("RoiAlign", 16, {x, floats({0, 4}, {}), of<std::int64_t>({0}, {})}, size).shape() == dims{0, 1, 2, 1});
    const tensor roi = floats({1, 4}, {0, 0, 1, 1});
    CHECK_REFUSED(invalid_argument, run("RoiAlign", 16, {x, roi, list({1})}, size), "batch index 1 is outside a batch of 1");
    CHECK_REFUSED(invalid_argument, run("RoiAlign", 16, {x, roi, list({0, 0})}, size), "(N, C, H, W), (R, 4) and (R)");
    CHECK_REFUSED(invalid_argument, run("RoiAlign", 16, {x, roi, list({0})}, {number("output_height", 0)}), "at least 1");
    CHECK_REFUSED(unsupported_operator, run("RoiAlign", 16, {x, roi, list({0})}, {word("mode", "min")}), "mode 'min' is not supported");
    CHECK_REFUSED(unsupported_operator, run("RoiAlign", 16, {x, roi, list({0})}, {word("coordinate_transformation_mode", "corner")}), "'corner' is not supported");
    CHECK_REFUSED(invalid_argument, run("RoiAlign", 16, {tensor::zeros(nn::dtype::float32, {1, 1, 0, 2}), roi, list({0})}, size), "has no elements");
}

TEST_CASE("MaxRoiPool refuses regions that are none") {
    const tensor x = tensor::zeros(nn::dtype::float32, {1, 1, 2, 2});
    const auto pooled = numbers("pooled_shape", {1, 1});
    CHECK_REFUSED(invalid_argument, run("MaxRoiPool", 1, {x, floats({1, 5}, {0, 0, inf, 1, 1})}, {pooled}), "rois must be finite");
    CHECK_REFUSED(invalid_argument, run("MaxRoiPool", 1, {x, floats({1, 5}, {2, 0, 0, 1, 1})}, {pooled}), "batch index 2 is outside");
    CHECK_REFUSED(invalid_argument, run("MaxRoiPool", 1, {x, floats({1, 4}, {0, 0, 1, 1})}, {pooled}), "(N, C, H, W) and (R, 5)");
    CHECK_REFUSED(invalid_argument, run("MaxRoiPool", 1, {x, floats({1, 5}, {0, 0, 0, 1, 1})}, {numbers("pooled_shape", {1, 0})}), "pooled_shape must be");
}
