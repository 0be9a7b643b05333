// ctest: per_isa
#include <support/tensors.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/channels.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;
using ocelli_test::random_tensor;

TEST_CASE("channels are picked from several images bit for bit, and unused lanes are zero") {
    std::mt19937 random(5);
    const auto pick = ocelli_test::whole_numbers(random);
    const std::int64_t lanes = block_lanes();
    for (unsigned i = 0; i < 60; ++i) {
        CAPTURE(i);
        const std::int64_t batch = pick(1, 3), pixels = i == 0 ? 0 : i % 10 == 9 ? 3000 : pick(1, 50), count = pick(1, 67), images = pick(1, 4);
        std::vector<tensor> x;
        std::vector<const float*> from;
        std::vector<std::int64_t> blocks;
        for (std::int64_t k = 0; k < images; ++k) {
            blocks.push_back(pick(1, 4));
            x.push_back(random_tensor({batch, blocks.back(), pixels, lanes}, 10 * i + static_cast<unsigned>(k)));
            if (pixels > 0) x.back().mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
        }
        for (const tensor& t : x) from.push_back(t.data<float>());
        std::vector<channel_place> places;
        for (std::int64_t c = 0; c < count; ++c) {
            const std::int64_t image = pick(0, images - 1);
            places.push_back({image, pick(0, blocks[static_cast<std::size_t>(image)] * lanes - 1)});
        }
        const std::int64_t out_blocks = block_count(count, lanes);
        std::vector<float> y(static_cast<std::size_t>(batch * out_blocks * pixels * lanes), 7.0f), expected(y.size(), 0.0f);
        for (std::int64_t n = 0; n < batch; ++n)
            for (std::int64_t c = 0; c < count; ++c)
                for (std::int64_t p = 0; p < pixels; ++p) {
                    const channel_place at = places[static_cast<std::size_t>(c)];
                    const auto image = static_cast<std::size_t>(at.image);
                    expected[static_cast<std::size_t>(((n * out_blocks + c / lanes) * pixels + p) * lanes + c % lanes)] =
                        from[image][((n * blocks[image] + at.channel / lanes) * pixels + p) * lanes + at.channel % lanes];
                }
        set_num_threads(i % 2 == 0 ? 1 : 3);
        pick_channels(batch, pixels, channel_picks(places), from, blocks, y.data());
        set_num_threads(0);
        CHECK((y.empty() || std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0));
    }
}

TEST_CASE("an image may lie where its blocks go") {
    const std::int64_t lanes = block_lanes(), pixels = 37;
    const tensor x = random_tensor({1, 1, pixels, lanes}, 1);
    std::vector<float> y(static_cast<std::size_t>(4 * pixels * lanes), 7.0f);
    // The first two blocks of y are an image, of which the third has the channels backwards; the fourth is x.
    for (std::int64_t i = 0; i < 2 * pixels * lanes; ++i) y[static_cast<std::size_t>(i)] = static_cast<float>(i);
    const std::vector<float> before = y;
    std::vector<channel_place> places;
    for (std::int64_t c = 0; c < 2 * lanes; ++c) places.push_back({0, c});
    for (std::int64_t c = 0; c < lanes; ++c) places.push_back({0, 2 * lanes - 1 - c});
    for (std::int64_t c = 0; c < lanes; ++c) places.push_back({1, c});
    const std::vector<const float*> images{y.data(), x.data<float>()};
    const std::vector<std::int64_t> blocks{2, 1};
    pick_channels(1, pixels, channel_picks(places), images, blocks, y.data());
    for (std::int64_t i = 0; i < pixels * lanes; ++i) {
        const auto at = static_cast<std::size_t>(i), block = static_cast<std::size_t>(pixels * lanes);
        CHECK(y[at] == before[at]);
        CHECK(y[block + at] == before[block + at]);
        CHECK(y[2 * block + at] == before[block + static_cast<std::size_t>(i / lanes * lanes + lanes - 1 - i % lanes)]);
        CHECK(y[3 * block + at] == x.data<float>()[i]);
    }
}
