// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/transposed.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace convolutions;

namespace {

const float qnan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("convolutions on blocks agree with the reference in double over random layers and epilogues") {
    std::mt19937 random(17);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 240; ++i) {
        CAPTURE(i);
        layer l;
        const bool depthwise = i % 4 == 0, pointwise = i % 4 == 1, line = i % 7 == 0;
        l.blocks = i % 3 != 0;
        l.group = depthwise ? pick(2, 67) : i % 5 == 0 ? std::int64_t{1} << pick(0, 3) : 1;
        const std::int64_t in = depthwise ? 1 : l.group > 1 ? 4 * pick(1, 8) : pick(1, 67), out = depthwise ? 1 : l.group > 1 ? 4 * pick(1, 8) : pick(1, 67);
        const std::size_t spatial = line ? 1 : 2;
        l.x = {pick(1, 3), in * l.group};
        l.w = {out * l.group, in};
        for (std::size_t a = 0; a < spatial; ++a) {
            const std::int64_t kernel = pointwise ? 1 : pick(1, 5), stride = pick(1, 3), dilation = pick(1, 3);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(dilation);
            l.x.push_back((kernel - 1) * dilation + pick(1, 40));
        }
        for (std::size_t a = 0; a < 2 * spatial; ++a) l.pads.push_back(pointwise && i % 8 != 1 ? 0 : pick(0, 3));
        const auto function = static_cast<activation>(i % 9);
        const std::string kernel = depthwise ? "blocked_depthwise" : "";
        CHECK(error_of(l, function, i % 2 == 0, i % 5 < 2, 1000 * i, "", kernel) < 5e-7);
    }
    const auto layer_of = [](dims x, dims w, std::int64_t stride, std::int64_t dilation, std::int64_t pad, std::int64_t group = 1, bool blocks = true) {
        layer l{std::move(x), std::move(w), {stride, stride}, {dilation, dilation}, {pad, pad, pad, pad}, group};
        l.blocks = blocks;
        return l;
    };
    // 5 x 5, as 3 x 3 may be Winograd's. Sums in parts; narrow rows in pairs; rows far apart; padding wider than the image; many pixels in one long row.
    CHECK(error_of(layer_of({1, 200, 9, 9}, {40, 200, 5, 5}, 1, 1, 2), activation::relu, true, true, 1, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 700, 5, 5}, {37, 700, 1, 1}, 1, 1, 0), activation::clip, true, true, 2, "", "blocked_pointwise") < 5e-7);
    CHECK(error_of(layer_of({2, 33, 7, 3}, {70, 33, 5, 5}, 1, 1, 2), activation::none, true, false, 3, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 20, 25, 25}, {20, 20, 5, 5}, 1, 12, 24), activation::silu, true, false, 4, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 2, 2, 2}, {3, 2, 3, 3}, 1, 4, 6), activation::none, true, false, 5, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 2, 2, 2}, {2, 1, 3, 3}, 1, 4, 6, 2), activation::none, true, false, 6, "", "blocked_depthwise") < 5e-7);
    CHECK(error_of(layer_of({1, 24, 61, 83}, {24, 24, 1, 1}, 1, 1, 0), activation::hard_swish, true, true, 7, "", "blocked_pointwise") < 5e-7);
    // Columns that see few taps: Atrous pyramids, padding wider than a row, results that see none, sums in parts, strides.
    for (const std::int64_t dilation : {6, 12, 17, 24, 36})
        CHECK(error_of(layer_of({1, 40, 33, 40}, {40, 40, 1, 3}, 1, dilation, dilation), activation::relu, true, true, 9, "", "blocked_direct") < 5e-7);
    for (const std::int64_t dilation : {9, 14, 24, 36})
        CHECK(error_of(layer_of({1, 12, 33, 40}, {40, 12, 3, 3}, 1, dilation, dilation), activation::none, true, false, 9, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 300, 20, 31}, {20, 300, 5, 5}, 1, 9, 18), activation::none, true, false, 10, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({2, 20, 21, 30}, {20, 20, 5, 3}, 2, 11, 22), activation::clip, false, true, 11, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 20, 3, 3}, {20, 20, 5, 3}, 1, 9, 25), activation::none, true, false, 12, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 3, 33, 40}, {16, 3, 3, 3}, 1, 24, 24, 1, false), activation::relu, true, false, 13, "", "blocked_direct") < 5e-7);
    CHECK(error_of(layer_of({1, 3, 61, 83}, {16, 3, 7, 7}, 2, 1, 3, 1, false), activation::relu, true, false, 8, "", "blocked_direct") < 5e-7);
}

TEST_CASE("convolutions of images in planes, the last block of filters full, half or nearly empty, agree with the reference in double") {
    std::mt19937 random(37);
    const auto pick = ocelli_test::whole_numbers(random);
    const std::int64_t lanes = block_lanes();
    for (unsigned i = 0; i < 180; ++i) {
        CAPTURE(i);
        layer l;
        l.blocks = i % 6 == 0;
        const std::int64_t rest = i % 4 == 0 ? lanes / 2 : i % 4 == 1 ? pick(1, lanes / 2) : i % 4 == 2 ? pick(lanes / 2 + 1, lanes) : 0;
        l.x = {pick(1, 2), l.blocks ? pick(1, 40) : pick(1, 4)};
        l.w = {std::max<std::int64_t>(1, pick(0, 3) * lanes + rest), l.x[1]};
        const std::int64_t wide = i % 3 == 0 ? 120 : 30;  // several tiles, or a narrow one
        for (std::size_t a = 0; a < 2; ++a) {
            const std::int64_t kernel = pick(1, 5), stride = i % 2 == 0 ? 2 : pick(1, 4), dilation = pick(1, 2);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(dilation);
            l.x.push_back((kernel - 1) * dilation + pick(1, a == 0 ? 20 : wide));
        }
        for (std::size_t a = 0; a < 4; ++a) l.pads.push_back(i % 5 == 0 ? 0 : pick(0, 3));
        CHECK(error_of(l, static_cast<activation>(i % 9), i % 2 == 0, i % 5 < 2, 1000 * i, "") < 5e-7);
    }
    // A column that strides leave alone, sums in parts, rows too many for one task.
    const auto planes = [](dims x, dims w, std::int64_t stride, std::int64_t pad) {
        return layer{std::move(x), std::move(w), {stride, stride}, {1, 1}, {pad, pad, pad, pad}};
    };
    CHECK(error_of(planes({1, 3, 9, 1}, {lanes + 1, 3, 1, 1}, 2, 0), activation::relu, true, true, 1, "", "blocked_pointwise") < 5e-7);
    CHECK(error_of(planes({1, 100, 9, 31}, {lanes + lanes / 2, 100, 3, 3}, 2, 1), activation::clip, true, true, 2, "", "blocked_direct") < 5e-7);
    CHECK(error_of(planes({1, 3, 130, 257}, {lanes + lanes / 2, 3, 3, 3}, 2, 1), activation::relu, true, false, 3, "", "blocked_direct") < 5e-7);
    CHECK(error_of(planes({2, 3, 130, 257}, {lanes, 3, 5, 5}, 2, 2), activation::silu, true, false, 4, "", "blocked_direct") < 5e-7);
}

TEST_CASE("three columns of every other pixel agree with the reference in double, whatever the width, the padding and the channels") {
    const std::int64_t lanes = block_lanes();
    unsigned i = 0;
    for (const std::int64_t filters : {lanes, lanes - 1, 3 * lanes, 3 * lanes - lanes / 4 - 1})
        for (const std::int64_t pad : std::initializer_list<std::int64_t>{0, 1, 2})
            for (const std::int64_t width : std::initializer_list<std::int64_t>{3, 4, 57, 58, 121}) {
                CAPTURE(i);
                const std::int64_t channels = i % 7 == 0 ? 43 : i % 7 == 1 ? 42 : 1 + i % 4;  // 42: as long a sum as is made at once
                const layer l{{1 + i % 2, channels, 3 + i % 9, width}, {filters, channels, 1 + i % 3, 3}, {1 + i % 2, 2}, {1, 1}, {pad, pad, i % 2, i % 3}};
                ++i;
                CHECK(error_of(l, static_cast<activation>(i % 4), i % 2 == 0, i % 3 == 0, i, "", "blocked_direct") < 5e-7);
            }
}

TEST_CASE("convolutions over three axes agree with the reference in double") {
    std::mt19937 random(31);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 60; ++i) {
        CAPTURE(i);
        layer l;
        l.blocks = i % 3 != 0;
        l.known = i % 2 == 0;
        const bool cube = i % 4 == 0;  // as Winograd takes them
        l.x = {pick(1, 2), cube ? pick(16, 40) : pick(1, 40)};
        l.w = {cube ? pick(16, 40) : pick(1, 40), l.x[1]};
        for (std::size_t a = 0; a < 3; ++a) {
            const std::int64_t kernel = cube ? 3 : pick(1, 3), stride = cube ? 1 : pick(1, 2), dilation = cube ? 1 : pick(1, 2);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(dilation);
            l.x.push_back((kernel - 1) * dilation + pick(1, a == 0 ? 4 : 12));
        }
        for (std::size_t a = 0; a < 6; ++a) l.pads.push_back(cube ? 1 : pick(0, 2));
        CHECK(error_of(l, static_cast<activation>(i % 9), i % 2 == 0, i % 5 < 2, 1000 * i, "", "blocked_") < 1e-6);
    }
    // Large enough for Winograd.
    layer l{{1, 24, 5, 22, 18}, {33, 24, 3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}};
    l.known = l.blocks = true;
    CHECK(error_of(l, activation::relu, true, true, 1, "", "blocked_winograd") < 1e-6);
    l.strides = {2, 1, 1};
    CHECK(error_of(l, activation::sigmoid, true, false, 2, "", "blocked_winograd") < 1e-6);
    // Columns that see few taps.
    layer wide{{1, 24, 5, 22, 38}, {40, 24, 3, 3, 3}, {1, 1, 1}, {1, 13, 20}, {1, 13, 20, 1, 13, 20}};
    wide.known = wide.blocks = true;
    CHECK(error_of(wide, activation::relu, true, true, 3, "", "blocked_direct") < 1e-6);
}

TEST_CASE("groups that do not fill blocks share them, and those that cannot stay in planes") {
    layer l{{1, 32, 6, 6}, {64, 4, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 8};
    l.blocks = true;
    CHECK(error_of(l, activation::relu, true, false, 1, "", "blocked_direct") < 5e-7);
    conv_layer c;
    c.channels = 3 * 37;
    c.filters = 5 * 37;
    c.group = 37;
    CHECK(!blocked_conv_takes(c));
    l = {{1, 111, 6, 6}, {185, 3, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 37};
    CHECK(error_of(l, activation::relu, true, false, 2, "", "conv_gemm") < 5e-7);
}

TEST_CASE("weights are packed wherever they lie") {
    conv_layer plain, grouped, depthwise;
    plain.channels = 5;
    plain.filters = 37;
    grouped.channels = grouped.filters = 32;
    grouped.group = 8;
    depthwise.channels = depthwise.filters = depthwise.group = 21;
    for (conv_layer l : {plain, grouped, depthwise}) {
        l.kernel_height = 3;
        l.kernel_width = 2;
        l.stride_x = l.stride_y = 2;
        CAPTURE(l.group);
        const std::vector<float> w = floats_of(random_tensor({l.filters, l.channels / l.group, 3, 2}, 3));
        std::vector<std::byte> file(w.size() * sizeof(float) + 1);
        std::memcpy(file.data() + 1, w.data(), w.size() * sizeof(float));
        const auto* there = static_cast<const float*>(static_cast<const void*>(file.data() + 1));
        const auto alike = [&](std::int64_t size, auto pack) {
            std::vector<float> one(static_cast<std::size_t>(size), 1.0f), other(one.size(), 2.0f);
            pack(l, w.data(), one.data());
            pack(l, there, other.data());
            CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0);
        };
        if (l.group == 21) {
            alike(block_count(21, block_lanes()) * block_lanes() * 6, blocked_depthwise_pack);
            continue;
        }
        alike(blocked_conv_packed_size(l), blocked_conv_pack);
        alike(conv_gemm_packed_size(l), conv_gemm_pack);
        alike(blocked_transpose_packed_size(l), [](auto&&... arguments) { blocked_transpose_pack(arguments...); });
    }
}

TEST_CASE("convolutions on blocks give the same bits for any number of threads, however their rows and filters are cut for them") {
    struct shape {
        std::int64_t channels, height, width, filters, kernel, stride;
        bool planes;
    };
    // Small rows, two of which make a tile, with long sums; one pixel; few pixels; a long row; images in planes.
    for (const shape& s : {shape{300, 5, 7, 40, 5, 1, false}, {300, 7, 3, 12, 3, 1, false}, {300, 4, 5, 12, 3, 1, false}, {500, 1, 1, 130, 1, 1, false},
                           {300, 7, 7, 150, 1, 1, false}, {64, 15, 20, 12, 1, 1, false}, {3, 61, 83, 24, 3, 2, true}, {3, 90, 112, 16, 3, 2, true}}) {
        CAPTURE(s.height);
        conv_layer l;
        l.channels = s.channels;
        l.filters = s.filters;
        l.height = s.height;
        l.width = s.width;
        l.kernel_height = l.kernel_width = s.kernel;
        l.stride_x = l.stride_y = s.stride;
        l.pad_left = l.pad_top = s.kernel / 2;
        l.out_height = (s.height - 1) / s.stride + 1;
        l.out_width = (s.width - 1) / s.stride + 1;
        const tensor image = random_tensor({1, s.channels, s.height, s.width}, 1);
        const std::vector<float> x = s.planes ? floats_of(image) : blocks_of(image);
        const std::vector<float> w = floats_of(random_tensor({s.filters, s.channels, s.kernel, s.kernel}, 2)), bias = in_whole_blocks(s.filters, 3);
        std::vector<float> packed(static_cast<std::size_t>(blocked_conv_packed_size(l)));
        blocked_conv_pack(l, w.data(), packed.data());
        blocked_epilogue e;
        e.bias = bias.data();
        std::vector<float> one(static_cast<std::size_t>(block_count(s.filters, block_lanes()) * block_lanes() * l.out_height * l.out_width)), many(one.size());
        {
            const thread_limit alone(1);
            blocked_conv(l, x.data(), s.planes, packed.data(), e, one.data());
        }
        for (const std::size_t threads : std::initializer_list<std::size_t>{2, 3, 5, 16}) {
            set_num_threads(threads);
            blocked_conv(l, x.data(), s.planes, packed.data(), e, many.data());
            CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)) == 0);
        }
        set_num_threads(0);
    }
}

TEST_CASE("unused lanes are zero whatever the input and the activation") {
    const std::int64_t lanes = block_lanes();
    for (const std::int64_t rest : std::initializer_list<std::int64_t>{1, lanes / 2, lanes / 2 + 1})
        for (const std::int64_t stride : {1, 2, 3})
            for (const bool planes : {false, true}) {
                CAPTURE(rest);
                CAPTURE(stride);
                conv_layer l;
                l.channels = 3;
                l.filters = lanes + rest;
                l.height = l.width = 5;
                l.stride_x = l.stride_y = stride;
                l.out_height = l.out_width = 4 / stride + 1;
                l.kernel_width = l.kernel_height = 3;
                l.pad_left = l.pad_top = 1;
                tensor x = random_tensor({1, 3, 5, 5}, 1);
                x.mutable_data<float>()[6] = qnan;
                x.mutable_data<float>()[18] = std::numeric_limits<float>::infinity();
                const std::vector<float> w = floats_of(random_tensor({l.filters, 3, 3, 3}, 2));
                std::vector<float> packed(static_cast<std::size_t>(blocked_conv_packed_size(l)));
                blocked_conv_pack(l, w.data(), packed.data());
                const std::vector<float> bias(static_cast<std::size_t>(2 * lanes));
                const std::int64_t pixels = l.out_height * l.out_width;
                for (const activation f : {activation::none, activation::sigmoid, activation::clip, activation::hard_sigmoid}) {
                    blocked_epilogue e;
                    e.bias = bias.data();
                    e.function = f;
                    e.alpha = 0.5f;
                    e.beta = 0.75f;
                    // Exact-size buffers: the address sanitizer watches their ends.
                    const std::vector<float> exact = planes ? floats_of(x) : blocks_of(x);
                    std::vector<float> y(static_cast<std::size_t>(2 * lanes * pixels), 7.0f);
                    blocked_conv(l, exact.data(), planes, packed.data(), e, y.data());
                    bool found = false;
                    for (std::int64_t i = 0; i < pixels; ++i) {
                        found = found || std::isnan(y[static_cast<std::size_t>(i * lanes)]);
                        for (std::int64_t c = rest; c < lanes; ++c) CHECK(y[static_cast<std::size_t>((pixels + i) * lanes + c)] == 0.0f);
                    }
                    CHECK(found);  // and NaN passed through the others
                }
            }
}
