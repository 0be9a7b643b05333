// ctest: per_isa
#include <support/tensors.hpp>

#include <doctest/doctest.h>

#include <ocelli/core/simd/isa.hpp>
#include <ocelli/nn/kernels/blocked.hpp>
#include <ocelli/nn/kernels/blocked_bf16.hpp>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

float rounded(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits = (bits + (0x7fffu + ((bits >> 16) & 1u))) & 0xffff0000u;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

std::vector<float> random_values(std::int64_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> v(static_cast<std::size_t>(n));
    for (float& x : v) x = static_cast<float>(random() >> 8) * (2.0f / 16777216.0f) - 1.0f;
    return v;
}

}  // namespace

TEST_CASE("convolutions of bfloat16 are those of floats that were rounded before, by every way to multiply") {
    std::mt19937 random(5);
    const auto pick = ocelli_test::whole_numbers(random);
    const std::int64_t lanes = block_lanes();
    for (unsigned i = 0; i < 120; ++i) {
        CAPTURE(i);
        conv_layer l;
        l.batch = pick(1, 2);
        l.group = i % 5 == 0 ? 4 : 1;
        l.channels = l.group * (l.group == 1 ? pick(1, i % 4 == 1 ? 4 : 67) : 4 * pick(1, 8));
        l.filters = l.group * (l.group == 1 ? pick(1, 67) : 4 * pick(1, 8));
        const bool pointwise = i % 3 == 0;
        l.kernel_height = pointwise ? 1 : pick(1, 5);
        l.kernel_width = pointwise ? 1 : pick(1, 5);
        l.stride_y = pick(1, 3);
        l.stride_x = pick(1, 3);
        l.dilation_y = pick(1, 3);
        l.dilation_x = i % 7 == 0 ? 20 : pick(1, 3);
        l.pad_top = pointwise ? 0 : pick(0, 3);
        l.pad_left = pointwise ? 0 : i % 7 == 0 ? 20 : pick(0, 3);
        l.out_height = pick(1, 12);
        l.out_width = pick(1, 40);
        l.height = std::max<std::int64_t>(1, (l.out_height - 1) * l.stride_y + (l.kernel_height - 1) * l.dilation_y + 1 - l.pad_top);
        l.width = std::max<std::int64_t>(1, (l.out_width - 1) * l.stride_x + (l.kernel_width - 1) * l.dilation_x + 1 - l.pad_left);
        if (!blocked_conv_takes(l)) continue;
        const std::int64_t pixels = l.height * l.width, results = block_count(l.filters, lanes) * lanes * l.out_height * l.out_width * l.batch;
        const std::vector<float> planes = random_values(l.batch * l.channels * pixels, 3 * i), w = random_values(l.filters * l.channels / l.group * l.kernel_height * l.kernel_width, 3 * i + 1);
        std::vector<float> x(static_cast<std::size_t>(l.batch * block_count(l.channels, lanes) * lanes * pixels));
        to_blocks(l.batch, l.channels, pixels, planes.data(), x.data());
        std::vector<float> bias = random_values(block_count(l.filters, lanes) * lanes, 3 * i + 2);
        std::fill(bias.begin() + l.filters, bias.end(), 0.0f);
        blocked_epilogue e;
        e.bias = bias.data();
        e.function = i % 2 == 0 ? activation::relu : activation::none;

        std::vector<float> rounded_x = x, rounded_w = w, packed(static_cast<std::size_t>(blocked_conv_packed_size(l))), expected(static_cast<std::size_t>(results));
        for (float& v : rounded_x) v = rounded(v);
        for (float& v : rounded_w) v = rounded(v);
        blocked_conv_pack(l, rounded_w.data(), packed.data());
        blocked_conv(l, rounded_x.data(), false, packed.data(), e, expected.data());

        std::vector<std::uint32_t> pairs(static_cast<std::size_t>(blocked_conv_bf16_packed_size(l)));
        blocked_conv_bf16_pack(l, w.data(), pairs.data());
        for (const int way : {0, 1, 2, 3}) {
            const bool from_planes = way >= 2, widen = way % 2 == 0;
            if (from_planes && !blocked_conv_bf16_takes_planes(l)) continue;
            CAPTURE(from_planes);
            std::vector<float> y(static_cast<std::size_t>(results), 77.0f);
            blocked_conv_bf16(l, from_planes ? planes.data() : x.data(), from_planes, pairs.data(), e, y.data(), widen);
            const double size = static_cast<double>(l.channels / l.group * l.kernel_height * l.kernel_width);
            double worst = 0;
            for (std::size_t j = 0; j < y.size(); ++j) worst = std::max(worst, static_cast<double>(std::abs(y[j] - expected[j])) / (1 + size));
            CHECK(worst < 1e-6);
        }
    }
}
