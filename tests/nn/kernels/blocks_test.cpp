// ctest: per_isa
#include <support/tensors.hpp>

#include <ocelli/nn/kernels/blocks.hpp>

#include <vector>

using namespace ocelli::nn;
using ocelli_test::floats_of;
using ocelli_test::random_tensor;

TEST_CASE("planes become blocks and planes again, with zeros in the lanes nobody uses") {
    const std::int64_t lanes = block_lanes();
    for (const std::int64_t channels : {std::int64_t{1}, lanes - 1, lanes, 2 * lanes + 3})
        for (const std::int64_t pixels : {std::int64_t{1}, std::int64_t{35}}) {
            const std::vector<float> x = floats_of(random_tensor({2, channels, pixels}, 3));
            const std::int64_t blocks = block_count(channels, lanes);
            std::vector<float> y(static_cast<std::size_t>(2 * blocks * pixels * lanes), 7.0f), back(x.size());
            to_blocks(2, channels, pixels, x.data(), y.data());
            from_blocks(2, channels, pixels, y.data(), back.data());
            CHECK(back == x);
            for (std::int64_t i = 0; i < pixels; ++i)
                for (std::int64_t c = channels; c < blocks * lanes; ++c)
                    CHECK(y[static_cast<std::size_t>(((c / lanes) * pixels + i) * lanes + c % lanes)] == 0.0f);
        }
}

TEST_CASE("blocks become pixels with their channels side by side, and nothing behind them is written") {
    const std::int64_t lanes = block_lanes();
    for (const std::int64_t channels : {std::int64_t{1}, std::int64_t{3}, lanes, lanes + 1, 2 * lanes + 3})
        for (const std::int64_t pixels : {std::int64_t{1}, std::int64_t{35}, std::int64_t{5000}}) {
            const std::vector<float> x = floats_of(random_tensor({2, channels, pixels}, 3));
            std::vector<float> blocks(static_cast<std::size_t>(2 * block_count(channels, lanes) * pixels * lanes)), y(x.size() + 1, 7.0f);
            to_blocks(2, channels, pixels, x.data(), blocks.data());
            join_blocks(2, channels, pixels, blocks.data(), y.data());
            bool same = true;
            for (std::int64_t i = 0, at = 0; i < 2 * pixels; ++i)
                for (std::int64_t c = 0; c < channels; ++c, ++at)
                    same = same && y[static_cast<std::size_t>(at)] == x[static_cast<std::size_t>((i / pixels * channels + c) * pixels + i % pixels)];
            CHECK(same);
            CHECK(y.back() == 7.0f);
        }
}
