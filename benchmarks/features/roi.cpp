// RoIAlign and RoIPool: a map of 256 x 200 x 304 at a quarter of the picture, 1000 boxes, 7 x 7 bins.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/features/roi_align.hpp>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const std::size_t channels = 256, h = 200, w = 304, n = 1000;
    const auto map = scores(channels * h * w, 21);
    std::vector<float> rois(5 * n);
    for (std::size_t k = 0; k < n; ++k) {  // corners in the picture, sides from 16 to 216
        const float corner[] = {1000.0f * draw(22, 4 * k), 700.0f * draw(22, 4 * k + 1)};
        for (std::size_t i = 0; i < 2; ++i) {
            volatile float side = 200.0f * draw(22, 4 * k + 2 + i);
            side = 16.0f + side;
            rois[5 * k + 1 + i] = corner[i];
            rois[5 * k + 3 + i] = corner[i] + side;
        }
    }
    const auto m = ocelli::view(map.data(), {std::size_t{1}, channels, h, w});
    const auto r = ocelli::view(rois.data(), {n, std::size_t{5}});
    xt::xtensor<float, 4> out({n, channels, 7, 7});
    for (const std::int64_t sampling : {2, 0}) {
        const std::string name = sampling == 2 ? "roi_align sampling 2" : "roi_align adaptive";
        if (!b.wanted(name)) continue;
        const ocelli::roi_align_options options{.spatial_scale = 0.25, .sampling_ratio = sampling, .aligned = true};
        ocelli::roi_align(m, r, options, out);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::roi_align(m, r, options, out); });
        b.run(name, "returned", [&] { (void)ocelli::roi_align(m, r, options); });
    }
    if (const std::string name = "roi_pool"; b.wanted(name)) {
        ocelli::roi_pool(m, r, {.spatial_scale = 0.25}, out);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::roi_pool(m, r, {.spatial_scale = 0.25}, out); });
        b.run(name, "returned", [&] { (void)ocelli::roi_pool(m, r, {.spatial_scale = 0.25}); });
    }
}
