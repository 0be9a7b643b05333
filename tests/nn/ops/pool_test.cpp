#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;

TEST_CASE("pooling agrees with PyTorch") {
    CHECK(ocelli_test::check_golden_models("pool", 1e-5) == 8);
}

TEST_CASE("a window of padding alone gives nothing that was not in the input") {
    const tensor x = floats({1, 1, 2, 2}, {-1, -2, -3, -4});
    const auto pads = numbers("pads", {1, 1, 1, 1});
    CHECK(elements<float>(run("MaxPool", 12, {x}, {numbers("kernel_shape", {2, 2}), pads, numbers("strides", {2, 2})})) == std::vector<float>{-1, -2, -3, -4});
    CHECK(elements<float>(run("AveragePool", 11, {x}, {numbers("kernel_shape", {2, 2}), pads, numbers("strides", {2, 2})})) ==
          std::vector<float>{-1, -2, -3, -4});
    CHECK(elements<float>(run("AveragePool", 11, {x}, {numbers("kernel_shape", {2, 2}), pads, numbers("strides", {2, 2}), number("count_include_pad", 1)})) ==
          std::vector<float>{-0.25f, -0.5f, -0.75f, -1});
}

TEST_CASE("MaxPool gives indices by row or by column, and unpooling puts the elements back") {
    const tensor x = floats({1, 1, 2, 4}, {1, 5, 2, 3, 4, 0, 7, 6});
    const std::vector<attribute> window = {numbers("kernel_shape", {2, 2}), numbers("strides", {2, 2})};
    const auto by_row = run_all("MaxPool", 12, {x}, window, 2);
    CHECK(elements<float>(by_row[0]) == std::vector<float>{5, 7});
    CHECK(elements<std::int64_t>(by_row[1]) == std::vector<std::int64_t>{1, 6});
    auto columns = window;
    columns.push_back(number("storage_order", 1));
    CHECK(elements<std::int64_t>(run_all("MaxPool", 12, {x}, columns, 2)[1]) == std::vector<std::int64_t>{2, 5});
    CHECK(elements<float>(run("MaxUnpool", 11, {by_row[0], by_row[1]}, window)) == std::vector<float>{0, 5, 0, 0, 0, 0, 7, 0});
    CHECK(run("MaxUnpool", 11, {by_row[0], by_row[1], list({1, 1, 3, 4})}, window).shape() == dims{1, 1, 3, 4});
    CHECK_REFUSED(invalid_argument, run("MaxUnpool", 11, {by_row[0], of<std::int64_t>({1, 1, 1, 2}, {1, 8})}, window), "index 8 is outside a tensor of 8");
    CHECK_REFUSED(invalid_argument, run("MaxUnpool", 11, {by_row[0], list({1, 6})}, window), "indices must be int64 of the input's shape");
    CHECK_REFUSED(invalid_argument, run("MaxUnpool", 11, {by_row[0], by_row[1], list({1, 1, 1, 4})}, window), "must hold the unpooled shape");
}

TEST_CASE("global pooling reduces every spatial axis") {
    const tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 4, -1, -2, -3, -6});
    CHECK(elements<float>(run("GlobalMaxPool", 1, {x})) == std::vector<float>{4, -1});
    CHECK(elements<float>(run("GlobalAveragePool", 1, {x})) == std::vector<float>{2.5f, -3});
    CHECK(run("GlobalAveragePool", 1, {floats({1, 1, 3}, {1, 2, 3})}).shape() == dims{1, 1, 1});
    CHECK_REFUSED(invalid_argument, run("GlobalMaxPool", 1, {floats({2, 2}, {1, 2, 3, 4})}), "input must have shape (N, C, ...)");
    CHECK_REFUSED(invalid_argument, run("GlobalMaxPool", 1, {floats({1, 1, 0}, {})}), "no elements to pool");
    CHECK_REFUSED(invalid_argument, run("GlobalLpPool", 2, {x}, {number("p", 0)}), "p must be at least 1");
}

TEST_CASE("pooling refuses windows that do not fit") {
    const tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
    CHECK_REFUSED(invalid_argument, run("MaxPool", 12, {x}, {numbers("kernel_shape", {3, 3})}), "does not fit into 2");
    CHECK_REFUSED(invalid_argument, run("MaxPool", 12, {x}, {numbers("kernel_shape", {2})}), "spatial axes");
    CHECK_REFUSED(invalid_argument, run("MaxPool", 12, {x}, {numbers("kernel_shape", {2, 2}), numbers("strides", {0, 1})}), "must be at least 1");
    CHECK_REFUSED(invalid_argument, run("MaxPool", 12, {x}, {numbers("kernel_shape", {2, 2}), word("auto_pad", "SOME")}), "auto_pad 'SOME'");
    CHECK_REFUSED(invalid_argument, run("LpPool", 18, {x}, {numbers("kernel_shape", {2, 2}), number("p", -1)}), "p must be at least 1");
    CHECK_REFUSED(invalid_argument, run("MaxPool", 12, {x}), "kernel_shape");
}
