#include <support/operators.hpp>

#include <ocelli/nn/ops/support.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

namespace {

nn::node a_node(std::vector<attribute> attributes = {}) {
    nn::node n;
    n.op = "Pool";
    n.opset = 3;
    n.attributes = std::move(attributes);
    return n;
}

}  // namespace

TEST_CASE("axes count from both ends") {
    const nn::node n = a_node();
    CHECK(nn::normalize_axis(n, -1, 3) == 2);
    CHECK(nn::normalize_axis(n, 0, 3) == 0);
    CHECK(nn::normalize_axis_or_end(n, 3, 3) == 3);
    CHECK_REFUSED(invalid_argument, nn::normalize_axis(n, 3, 3), "axis 3 is outside a tensor of rank 3");
    CHECK_REFUSED(invalid_argument, nn::normalize_axis(n, -4, 3), "axis -4 is outside");
    CHECK_REFUSED(invalid_argument, nn::normalize_axis(n, 0, 0), "rank 0");
    CHECK_REFUSED(invalid_argument, nn::normalize_axis_or_end(n, 4, 3), "axis 4 is outside");
}

TEST_CASE("a broadcast loop merges neighbouring axes and meets every element once") {
    const dims target = {2, 3, 4}, row = {3, 1}, all = {2, 3, 4};
    CHECK(nn::broadcast_strides(row, target) == dims{0, 1, 0});
    CHECK(nn::broadcast_loop<2>(target, {&all, &all}).extents == dims{24});
    const auto loop = nn::broadcast_loop<2>(target, {&all, &row});
    std::vector<int> seen(24), from(24);
    loop.each_row([&](const auto& at, std::int64_t n, const auto& step) {
        for (std::int64_t i = 0; i < n; ++i) {
            const auto place = static_cast<std::size_t>(at[0] + i * step[0]);
            ++seen[place];
            from[place] = static_cast<int>(at[1] + i * step[1]);
        }
    });
    CHECK(seen == std::vector<int>(24, 1));
    for (std::size_t i = 0; i < 24; ++i) CHECK(from[i] == static_cast<int>(i / 4 % 3));
    int rows = 0;
    const dims none = {2, 0}, scalar = {};
    nn::broadcast_loop<1>(none, {&none}).each_row([&](const auto&, std::int64_t, const auto&) { ++rows; });
    CHECK(rows == 0);
    nn::broadcast_loop<1>(scalar, {&scalar}).each_row([&](const auto&, std::int64_t n, const auto&) { rows += static_cast<int>(n); });
    CHECK(rows == 1);
    CHECK_REFUSED(invalid_argument, nn::broadcast_shape(a_node(), {2}, {3}), "shapes (2) and (3) do not broadcast");
}

TEST_CASE("windows follow strides, dilations and padding, and a last one that begins behind the input is dropped") {
    const auto extent = [](std::vector<attribute> attributes, std::int64_t size, std::int64_t kernel, bool ceil = false) {
        return nn::window_geometry(a_node(std::move(attributes)), {size}, {kernel}, ceil).output[0];
    };
    CHECK(extent({}, 5, 3) == 3);
    CHECK(extent({numbers("strides", {2})}, 6, 3) == 2);
    CHECK(extent({numbers("strides", {2})}, 6, 3, true) == 3);
    CHECK(extent({numbers("strides", {3}), numbers("pads", {0, 1})}, 3, 1, true) == 1);
    CHECK(extent({numbers("dilations", {2})}, 5, 3) == 1);
    const auto same = nn::window_geometry(a_node({word("auto_pad", "SAME_LOWER"), numbers("strides", {2})}), {5}, {4});
    CHECK(same.output == dims{3});
    CHECK(same.pads_begin == dims{2});
    CHECK(same.pads_end == dims{1});
    CHECK_REFUSED(invalid_argument, extent({}, 2, 3), "a kernel that reaches over 3 elements does not fit into 2");
    CHECK_REFUSED(invalid_argument, extent({numbers("pads", {1})}, 2, 3), "wrong length for 1 spatial axes");
    CHECK_REFUSED(invalid_argument, extent({numbers("pads", {std::int64_t{1} << 50, 0})}, 2, 3), "pads are out of range");
    CHECK_REFUSED(invalid_argument, extent({numbers("dilations", {std::int64_t{1} << 40})}, 2, 3), "absurdly large");
    CHECK_REFUSED(invalid_argument, extent({word("auto_pad", "X")}, 2, 1), "auto_pad 'X' is not supported");
}

TEST_CASE("what a node says of its windows is read once, for inputs of any extents") {
    const nn::node n = a_node({word("auto_pad", "SAME_UPPER"), numbers("strides", {2, 1})});
    const nn::window_attributes a = nn::read_windows(n, {4, 3});
    for (const dims& extents : std::initializer_list<dims>{{5, 7}, {6, 1}, {0, 2}}) {
        const nn::windows once = nn::windows_over(n, a, extents), each = nn::window_geometry(n, extents, {4, 3});
        CHECK(once.output == dims{(extents[0] + 1) / 2, extents[1]});
        CHECK(once.output == each.output);
        CHECK(once.pads_begin == each.pads_begin);
        CHECK(once.pads_end == each.pads_end);
    }
    CHECK_REFUSED(invalid_argument, nn::windows_over(n, a, {5}), "a kernel of 2 axes has the wrong length for 1 spatial axes");
    CHECK_REFUSED(invalid_argument, nn::window_geometry(n, {5}, {4, 3}), "a kernel of 2 axes has the wrong length for 1 spatial axes");
}

TEST_CASE("dispatch names an element type that the list lacks, and NaN is told by its bits") {
    int called = 0;
    nn::dispatch(a_node(), nn::type_list<float, double>{}, nn::dtype::float64, [&]<class T>(nn::type_tag<T>) { called = static_cast<int>(sizeof(T)); });
    CHECK(called == 8);
    CHECK_REFUSED(unsupported_operator, nn::dispatch(a_node(), nn::type_list<float>{}, nn::dtype::int8, [](auto) {}), "element type int8 is not supported");
    CHECK(nn::is_nan_element(qnan));
    CHECK(!nn::is_nan_element(inf));
    CHECK(!nn::is_nan_element(7));
}
