// ctest: per_isa
#include <support/tensors.hpp>

#include <ocelli/nn/kernels/blocked_pool.hpp>

#include <cmath>
#include <limits>
#include <vector>

using namespace ocelli::nn;
using ocelli_test::random_tensor;

namespace {

const float qnan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("pooling and means on blocks agree with those on planes, and NaN wins a maximum") {
    const std::int64_t lanes = block_lanes(), channels = lanes + 2, blocks = 2;
    for (const std::int64_t stride : {1, 2, 3})
        for (const std::int64_t dilation : {1, 2}) {
            conv_layer l;
            l.batch = 2;
            l.channels = l.filters = l.group = channels;
            l.height = 9;
            l.width = 11;
            l.kernel_height = 3;
            l.kernel_width = 2;
            l.stride_x = l.stride_y = stride;
            l.dilation_x = l.dilation_y = dilation;
            l.pad_left = l.pad_top = 1;
            l.out_height = (l.height + 2 - 2 * dilation - 1) / stride + 1;
            l.out_width = (l.width + 2 - dilation - 1) / stride + 1;
            tensor x = random_tensor({2, channels, l.height, l.width}, 5);
            x.mutable_data<float>()[40] = qnan;
            const std::int64_t in = l.height * l.width, out = l.out_height * l.out_width;
            std::vector<float> xb(static_cast<std::size_t>(2 * blocks * in * lanes)), yb(static_cast<std::size_t>(2 * blocks * out * lanes));
            std::vector<float> y(static_cast<std::size_t>(2 * channels * out)), expected(y.size());
            to_blocks(2, channels, in, x.data<float>(), xb.data());
            max_pool(l, x.data<float>(), expected.data());
            blocked_max_pool(l, xb.data(), yb.data());
            from_blocks(2, channels, out, yb.data(), y.data());
            for (std::size_t i = 0; i < y.size(); ++i) CHECK((std::isnan(y[i]) ? std::isnan(expected[i]) : y[i] == expected[i]));
            const std::vector<float> rows(static_cast<std::size_t>(l.out_height), 3.0f), columns(static_cast<std::size_t>(l.out_width), 2.0f);
            average_pool(l, x.data<float>(), rows.data(), columns.data(), expected.data());
            blocked_average_pool(l, xb.data(), rows.data(), columns.data(), yb.data());
            from_blocks(2, channels, out, yb.data(), y.data());
            for (std::size_t i = 0; i < y.size(); ++i) CHECK((std::isnan(y[i]) ? std::isnan(expected[i]) : std::abs(y[i] - expected[i]) < 1e-6f));
        }
    for (const std::int64_t pixels : {1, 3, 49, 1000}) {
        const tensor x = random_tensor({blocks, pixels, lanes}, 6);
        std::vector<float> y(static_cast<std::size_t>(blocks * lanes));
        blocked_mean(blocks, pixels, x.data<float>(), y.data());
        for (std::int64_t b = 0; b < blocks; ++b)
            for (std::int64_t c = 0; c < lanes; ++c) {
                double sum = 0;
                for (std::int64_t i = 0; i < pixels; ++i) sum += static_cast<double>(x.data<float>()[(b * pixels + i) * lanes + c]);
                CHECK(std::abs(static_cast<double>(y[static_cast<std::size_t>(b * lanes + c)]) - sum / static_cast<double>(pixels)) < 1e-6);
            }
    }
}

TEST_CASE("maxima of windows of any width, with infinities of both signs and large numbers that cancel, are those on planes") {
    const float inf = std::numeric_limits<float>::infinity(), large = std::numeric_limits<float>::max();
    const std::int64_t lanes = block_lanes(), channels = lanes + 2, blocks = 2;
    for (const std::int64_t kernel : {1, 2, 3, 5, 13})
        for (const std::int64_t stride : {1, 2, 3}) {
            conv_layer l;
            l.channels = l.filters = l.group = channels;
            l.height = 12;
            l.width = 17;
            l.kernel_height = l.kernel_width = kernel;
            l.stride_x = l.stride_y = stride;
            l.pad_left = l.pad_top = kernel / 2;
            l.out_height = (l.height + 2 * l.pad_top - kernel) / stride + 1;
            l.out_width = (l.width + 2 * l.pad_left - kernel) / stride + 1;
            tensor x = random_tensor({1, channels, l.height, l.width}, 7);
            for (std::int64_t i = 0; i < x.size(); i += 29) x.mutable_data<float>()[i] = i % 3 == 0 ? inf : -inf;
            for (std::int64_t i = 3; i < x.size(); i += 31) x.mutable_data<float>()[i] = i % 2 == 0 ? large : -large;
            for (std::int64_t i = 5; i < x.size(); i += 211) x.mutable_data<float>()[i] = qnan;
            const std::int64_t in = l.height * l.width, out = l.out_height * l.out_width;
            std::vector<float> xb(static_cast<std::size_t>(blocks * in * lanes)), yb(static_cast<std::size_t>(blocks * out * lanes), 7.0f);
            std::vector<float> y(static_cast<std::size_t>(channels * out)), expected(y.size());
            to_blocks(1, channels, in, x.data<float>(), xb.data());
            max_pool(l, x.data<float>(), expected.data());
            blocked_max_pool(l, xb.data(), yb.data());
            from_blocks(1, channels, out, yb.data(), y.data());
            for (std::size_t i = 0; i < y.size(); ++i) CHECK((std::isnan(expected[i]) ? std::isnan(y[i]) : y[i] == expected[i]));
        }
}
