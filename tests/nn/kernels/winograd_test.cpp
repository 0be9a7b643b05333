// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/nn/kernels/winograd.hpp>
#include <ocelli/nn/ops/fused.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace convolutions;

namespace {

conv_layer layer_of(std::int64_t batch, std::int64_t channels, std::int64_t filters, std::int64_t height, std::int64_t width, std::int64_t pad_top,
                    std::int64_t pad_left, std::int64_t dilation) {
    conv_layer l;
    l.batch = batch;
    l.channels = channels;
    l.filters = filters;
    l.height = height;
    l.width = width;
    l.kernel_height = l.kernel_width = 3;
    l.pad_top = pad_top;
    l.pad_left = pad_left;
    l.dilation_x = l.dilation_y = dilation;
    // One row and column less of padding behind.
    l.out_height = height + 2 * pad_top - 2 * dilation - (pad_top > 0 ? 1 : 0);
    l.out_width = width + 2 * pad_left - 2 * dilation;
    return l;
}

// The largest difference from sums in double, relative to the terms; and whether unused lanes are zero.
double error_of(const conv_layer& l, int edge, activation function, bool addend, unsigned seed) {
    const tensor x = random_tensor({l.batch, l.channels, l.height, l.width}, seed), w = random_tensor({l.filters, l.channels, 3, 3}, seed + 1);
    const tensor r = random_tensor({l.batch, l.filters, l.out_height, l.out_width}, seed + 2);
    const std::vector<float> bias = in_whole_blocks(l.filters, seed + 3), slope = in_whole_blocks(l.filters, seed + 4);
    const std::vector<float> in = blocks_of(x), added = blocks_of(r);
    std::vector<float> packed(static_cast<std::size_t>(winograd_packed_size(l, edge))), out(added.size(), 7.0f);
    winograd_pack(l, edge, w.data<float>(), packed.data());
    blocked_epilogue e;
    e.bias = bias.data();
    e.slope = slope.data();
    e.addend = addend ? added.data() : nullptr;
    e.function = function;
    e.alpha = 0.25f;
    e.beta = 0.75f;
    winograd_conv(l, edge, in.data(), packed.data(), e, out.data());
    const std::int64_t lanes = block_lanes(), blocks = block_count(l.filters, lanes), pixels = l.out_height * l.out_width;
    double worst = 0;
    for (std::int64_t n = 0; n < l.batch; ++n)
        for (std::int64_t f = 0; f < blocks * lanes; ++f)
            for (std::int64_t i = 0; i < pixels; ++i) {
                const double got = static_cast<double>(out[static_cast<std::size_t>(((n * blocks + f / lanes) * pixels + i) * lanes + f % lanes)]);
                if (f >= l.filters) {
                    if (got != 0) worst = 1e9;
                    continue;
                }
                double sum = static_cast<double>(bias[static_cast<std::size_t>(f)]);
                for (std::int64_t c = 0; c < l.channels; ++c)
                    for (std::int64_t tap = 0; tap < 9; ++tap) {
                        const std::int64_t row = i / l.out_width + tap / 3 * l.dilation_y - l.pad_top, column = i % l.out_width + tap % 3 * l.dilation_x - l.pad_left;
                        if (row < 0 || row >= l.height || column < 0 || column >= l.width) continue;
                        sum += static_cast<double>(w.data<float>()[(f * l.channels + c) * 9 + tap]) *
                               static_cast<double>(x.data<float>()[((n * l.channels + c) * l.height + row) * l.width + column]);
                    }
                if (addend) sum += static_cast<double>(r.data<float>()[(n * l.filters + f) * pixels + i]);
                sum = activated(sum, function, 0.25, 0.75, static_cast<double>(slope[static_cast<std::size_t>(f)]));
                worst = std::max(worst, std::abs(got - sum) / static_cast<double>(9 * l.channels + 1));
            }
    return worst;
}

}  // namespace

TEST_CASE("both tile sizes agree with sums in double over random layers and epilogues") {
    std::mt19937 random(23);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 60; ++i) {
        CAPTURE(i);
        const std::int64_t dilation = i % 4 == 3 ? pick(2, 3) : 1;
        const conv_layer l = layer_of(pick(1, 2), pick(1, 67), pick(1, 67), 2 * dilation + pick(1, 20), 2 * dilation + pick(1, 20), pick(0, 2), pick(0, 3), dilation);
        CHECK(error_of(l, i % 2 == 0 ? 4 : 2, static_cast<activation>(i % 9), i % 3 == 0, 100 * i) < 1e-6);
    }
    // Several tasks by tiles, and by filters.
    CHECK(error_of(layer_of(1, 40, 20, 60, 60, 1, 1, 1), 4, activation::relu, true, 1) < 1e-6);
    CHECK(error_of(layer_of(1, 200, 300, 9, 9, 1, 1, 1), 4, activation::relu, true, 2) < 1e-6);
    CHECK(error_of(layer_of(1, 16, 16, 30, 26, 12, 12, 12), 2, activation::none, false, 3) < 1e-6);
}

TEST_CASE("small images share a task, and each keeps the bits it has alone") {
    // 13: some tasks are full, the last is not.
    for (const std::int64_t extent : {5, 14}) {
        const conv_layer l = layer_of(13, 40, 50, extent, extent, 1, 1, 1);
        conv_layer one = l;
        one.batch = 1;
        const tensor x = random_tensor({l.batch, l.channels, l.height, l.width}, 5), w = random_tensor({l.filters, l.channels, 3, 3}, 6);
        const std::vector<float> bias = in_whole_blocks(l.filters, 7), in = blocks_of(x);
        const std::int64_t lanes = block_lanes(), in_each = static_cast<std::int64_t>(in.size()) / l.batch;
        const std::int64_t out_each = block_count(l.filters, lanes) * lanes * l.out_height * l.out_width;
        blocked_epilogue e;
        e.bias = bias.data();
        e.function = activation::relu;
        for (const int edge : {2, 4}) {
            std::vector<float> packed(static_cast<std::size_t>(winograd_packed_size(l, edge))), all(static_cast<std::size_t>(l.batch * out_each)), each = all;
            winograd_pack(l, edge, w.data<float>(), packed.data());
            winograd_conv(l, edge, in.data(), packed.data(), e, all.data());
            for (std::int64_t n = 0; n < l.batch; ++n) winograd_conv(one, edge, in.data() + n * in_each, packed.data(), e, each.data() + n * out_each);
            CHECK(std::memcmp(all.data(), each.data(), all.size() * sizeof(float)) == 0);
        }
        CHECK(error_of(l, 4, activation::relu, true, 8) < 1e-6);
    }
}

TEST_CASE("weights are transformed wherever they lie") {
    conv_layer l = layer_of(1, 37, 45, 6, 6, 1, 1, 1);
    l.kernel_depth = 2;
    const tensor w = random_tensor({l.filters, l.channels, 2, 3, 3}, 11);
    std::vector<std::byte> file(w.bytes() + 1);
    std::memcpy(file.data() + 1, w.raw(), w.bytes());
    for (const int edge : {2, 4}) {
        std::vector<float> one(static_cast<std::size_t>(winograd_packed_size(l, edge)), 1.0f), other(one.size(), 2.0f);
        winograd_pack(l, edge, w.data<float>(), one.data());
        winograd_pack(l, edge, static_cast<const float*>(static_cast<const void*>(file.data() + 1)), other.data());
        CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0);
    }
}

TEST_CASE("a NaN stays within the tiles that read it") {
    const conv_layer l = layer_of(1, 16, 16, 17, 16, 1, 1, 1);
    tensor x = random_tensor({1, 16, 17, 16}, 1);
    x.mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    const tensor w = random_tensor({16, 16, 3, 3}, 2);
    const std::vector<float> bias = in_whole_blocks(16, 3), in = blocks_of(x);
    for (const int edge : {2, 4}) {
        std::vector<float> packed(static_cast<std::size_t>(winograd_packed_size(l, edge))), out(static_cast<std::size_t>(16 * l.out_height * l.out_width));
        winograd_pack(l, edge, w.data<float>(), packed.data());
        blocked_epilogue e;
        e.bias = bias.data();
        e.function = activation::relu;
        winograd_conv(l, edge, in.data(), packed.data(), e, out.data());
        const std::int64_t lanes = block_lanes();
        for (std::int64_t i = 0; i < l.out_height * l.out_width; ++i) {
            const bool tile = i / l.out_width < edge && i % l.out_width < edge;
            CHECK(std::isnan(out[static_cast<std::size_t>(i * lanes)]) == tile);
        }
    }
}

TEST_CASE("Winograd is chosen by the layer's shape: for 3 x 3 with stride 1 and channels enough") {
    conv_layer l = layer_of(1, 64, 64, 56, 56, 1, 1, 1);
    l.out_height = 56;
    CHECK(winograd_tile(l) == 4);
    l.batch = 8;
    CHECK(winograd_tile(l) == 4);
    conv_layer other = l;
    other.stride_x = 2;
    CHECK(winograd_tile(other) == 0);
    other = l;
    other.kernel_width = 5;
    CHECK(winograd_tile(other) == 0);
    other = l;
    other.channels = 3;
    CHECK(winograd_tile(other) == 0);
    other = l;
    other.group = 2;
    CHECK(winograd_tile(other) == 0);
    other = l;
    other.height = other.width = other.out_height = other.out_width = 1;
    CHECK(winograd_tile(other) == 0);
}

TEST_CASE("a session runs a layer of known extents by Winograd") {
    layer l{{1, 64, 40, 40}, {64, 64, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
    l.known = true;
    CHECK(convolutions::error_of(l, activation::relu, true, true, 1, "", "blocked_winograd4") < 5e-7);
}
