// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/grouped.hpp>

#include <cstring>
#include <initializer_list>
#include <limits>

using namespace convolutions;

namespace {

/// Of the image and the convolution; out_height and out_width follow.
conv_layer layer_of(std::int64_t each, std::int64_t group, std::int64_t height, std::int64_t width, std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
    conv_layer l;
    l.batch = 2;
    l.group = group;
    l.channels = l.filters = each * group;
    l.height = height;
    l.width = width;
    l.kernel_height = l.kernel_width = kernel;
    l.stride_y = l.stride_x = stride;
    l.pad_top = l.pad_left = pad;
    l.out_height = (height + 2 * pad - kernel) / stride + 1;
    l.out_width = (width + 2 * pad - kernel) / stride + 1;
    return l;
}

}  // namespace

TEST_CASE("groups of two, four and eight channels, any windows and epilogue, as the reference has them") {
    unsigned seed = 1;
    for (const std::int64_t each : std::initializer_list<std::int64_t>{2, 4, 8}) {
        const bool taken = 2 * each <= block_lanes();
        for (const std::int64_t group : std::initializer_list<std::int64_t>{2, 13, 16})
            for (const std::int64_t stride : std::initializer_list<std::int64_t>{1, 2, 3}) {
                CAPTURE(each);
                CAPTURE(group);
                CAPTURE(stride);
                const std::int64_t c = each * group;
                const auto chosen = [&](std::int64_t strides) {
                    return taken && (2 * each != block_lanes() || group % 2 != 0 || strides < 4) ? "blocked_grouped" : taken ? "blocked_direct" : "";
                };
                const layer plain{.x = {1, c, 9, 17}, .w = {c, each, 3, 3}, .strides = {stride, stride}, .dilations = {1, 1}, .pads = {1, 1, 1, 1}, .group = group};
                CHECK(error_of(plain, activation::relu, true, false, seed++, "", chosen(stride * stride)) < 1e-6);
                const layer odd{.x = {3, c, 5, 23}, .w = {c, each, 5, 2}, .strides = {1, stride}, .dilations = {1, 2}, .pads = {2, 0, 4, 3}, .group = group, .known = true};
                CHECK(error_of(odd, activation::prelu, true, true, seed++, "", chosen(stride)) < 1e-6);
                const layer wide{.x = {1, c, 2, 40}, .w = {c, each, 2, 5}, .strides = {stride, 1}, .dilations = {1, 1}, .pads = {5, 2, 0, 2}, .group = group, .blocks = true};
                CHECK(error_of(wide, activation::sigmoid, false, true, seed++, "", chosen(stride)) < 1e-6);
            }
    }
    // What it does not take runs all the same.
    const layer dilated{.x = {1, 8, 9, 9}, .w = {8, 2, 3, 3}, .strides = {1, 1}, .dilations = {2, 2}, .pads = {2, 2, 2, 2}, .group = 4};
    CHECK(error_of(dilated, activation::none, true, false, seed++, "") < 1e-6);
    const layer of_three{.x = {1, 12, 9, 9}, .w = {12, 3, 3, 3}, .strides = {1, 1}, .dilations = {1, 1}, .pads = {1, 1, 1, 1}, .group = 4};
    CHECK(error_of(of_three, activation::none, true, false, seed++, "") < 1e-6);
}

TEST_CASE("which groups are taken, and where that pays") {
    const std::int64_t half = block_lanes() / 2;
    CHECK(blocked_grouped_pays(layer_of(half, 4, 8, 8, 3, 1, 1)));
    CHECK_FALSE(blocked_grouped_pays(layer_of(half, 4, 8, 8, 3, 2, 1)));
    CHECK_FALSE(blocked_grouped_pays(layer_of(half, 4, 8, 8, 1, 1, 0)));
    CHECK(blocked_grouped_pays(layer_of(half, 5, 8, 8, 3, 2, 1)));  // all five would share two blocks and a half
    CHECK_FALSE(blocked_grouped_pays(layer_of(2 * half, 4, 8, 8, 3, 1, 1)));
    CHECK(blocked_grouped_takes(layer_of(half, 4, 8, 8, 3, 1, 1)));
    CHECK_FALSE(blocked_grouped_takes(layer_of(2 * half, 4, 8, 8, 3, 1, 1)));
    CHECK_FALSE(blocked_grouped_takes(layer_of(1, 4, 8, 8, 3, 1, 1)));
    CHECK_FALSE(blocked_grouped_takes(layer_of(3, 4, 8, 8, 3, 1, 1)));
    CHECK_FALSE(blocked_grouped_takes(layer_of(2, 4, 20, 20, 13, 1, 6)));  // sums of 338 terms
    conv_layer more = layer_of(2, 4, 8, 8, 3, 1, 1);
    more.filters *= 2;
    CHECK_FALSE(blocked_grouped_takes(more));
    conv_layer dilated = layer_of(2, 4, 8, 8, 3, 1, 1);
    dilated.dilation_y = 2;
    CHECK_FALSE(blocked_grouped_takes(dilated));
}

TEST_CASE("the same bits for any number of threads, zeros in unused lanes, and a NaN stays in its group") {
    const std::int64_t lanes = block_lanes();
    const conv_layer l = layer_of(2, 3 * lanes / 2 + 1, 40, 33, 3, 1, 1);  // the last block holds one group
    const std::int64_t blocks = block_count(l.channels, lanes), out = l.batch * blocks * l.out_height * l.out_width * lanes;
    REQUIRE(blocked_grouped_takes(l));
    const tensor w = random_tensor({l.filters, 2, 3, 3}, 2);
    tensor planes = random_tensor({l.batch, l.channels, l.height, l.width}, 1);
    planes.mutable_data<float>()[2 * l.height * l.width] = std::numeric_limits<float>::quiet_NaN();  // the first pixel of channel 2, of the second group
    const std::vector<float> x = blocks_of(planes);
    std::vector<float> packed(static_cast<std::size_t>(blocked_grouped_packed_size(l)));
    blocked_grouped_pack(l, w.data<float>(), packed.data());
    const std::vector<float> bias = in_whole_blocks(l.filters, 3);
    std::vector<float> first(static_cast<std::size_t>(out));
    for (const unsigned threads : std::initializer_list<unsigned>{1, 2, 3}) {
        set_num_threads(threads);
        std::vector<float> y(static_cast<std::size_t>(out), 7.0f);
        blocked_grouped(l, x.data(), packed.data(), {.bias = bias.data(), .function = activation::sigmoid}, y.data());
        if (threads == 1) first = y;
        CHECK(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)) == 0);
    }
    set_num_threads(0);
    const std::int64_t pixels = l.out_height * l.out_width;
    std::int64_t nans = 0;
    for (std::int64_t i = 0; i < out; ++i) {
        const std::int64_t channel = i / (pixels * lanes) % blocks * lanes + i % lanes;
        const float v = first[static_cast<std::size_t>(i)];
        if (channel >= l.filters) REQUIRE(v == 0.0f);
        if (v != v) {
            ++nans;
            REQUIRE(channel / 2 == 1);
        }
    }
    CHECK(nans == 2 * 4);  // two filters, four windows
}
