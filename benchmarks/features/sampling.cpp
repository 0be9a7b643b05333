// Pooling, unpooling, upsampling and grid sampling of 64 maps of 256 x 256.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/features/grid_sample.hpp>
#include <ocelli/features/pooling.hpp>
#include <ocelli/features/upsample.hpp>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const std::size_t channels = 64, side = 256;
    const auto values = scores(channels * side * side, 7);
    const auto maps = ocelli::view(values.data(), {std::size_t{1}, channels, side, side});
    xt::xtensor<float, 4> pooled({1, channels, side / 2, side / 2});
    xt::xtensor<std::int64_t, 4> indices({1, channels, side / 2, side / 2});
    if (const std::string name = "max_pool2d"; b.wanted(name)) {
        ocelli::max_pool2d(maps, {}, pooled);
        b.save(name, pooled);
        b.run(name, "into", [&] { ocelli::max_pool2d(maps, {}, pooled); });
        b.run(name, "returned", [&] { (void)ocelli::max_pool2d(maps); });
    }
    if (const std::string name = "max_pool2d indices"; b.wanted(name)) {
        ocelli::max_pool2d_with_indices(maps, {}, pooled, indices);
        b.save(name, indices);
        b.run(name, "into", [&] { ocelli::max_pool2d_with_indices(maps, {}, pooled, indices); });
        b.run(name, "returned", [&] { (void)ocelli::max_pool2d_with_indices(maps); });
    }
    if (const std::string name = "max_unpool2d"; b.wanted(name)) {
        ocelli::max_pool2d_with_indices(maps, {}, pooled, indices);
        xt::xtensor<float, 4> out({1, channels, side, side});
        ocelli::max_unpool2d(pooled, indices, {256, 256}, out);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::max_unpool2d(pooled, indices, {256, 256}, out); });
        b.run(name, "returned", [&] { (void)ocelli::max_unpool2d(pooled, indices, {256, 256}); });
    }
    if (const std::string name = "upsample bilinear x2"; b.wanted(name)) {
        const ocelli::upsample_options options{.scale = {2, 2}, .mode = ocelli::upsample_mode::bilinear};
        xt::xtensor<float, 4> out({1, channels, 2 * side, 2 * side});
        ocelli::upsample(maps, options, out);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::upsample(maps, options, out); });
        b.run(name, "returned", [&] { (void)ocelli::upsample(maps, options); });
    }
    if (const std::string name = "grid_sample"; b.wanted(name)) {
        auto places = scores(2 * side * side, 13);
        for (float& v : places) v = 2.0f * v - 1.0f;
        const auto grid = ocelli::view(places.data(), {std::size_t{1}, side, side, std::size_t{2}});
        xt::xtensor<float, 4> out({1, channels, side, side});
        ocelli::grid_sample(maps, grid, {}, out);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::grid_sample(maps, grid, {}, out); });
        b.run(name, "returned", [&] { (void)ocelli::grid_sample(maps, grid); });
    }
}
