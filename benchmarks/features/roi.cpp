// RoIAlign and RoIPool: a map of 256 x 200 x 304 at a quarter of the picture, 1000 boxes, 7 x 7 bins. And RoIAlign over a pyramid: the same
// picture's maps at a quarter to a thirty-second, boxes whose sides double from 24 to 768 pixels, so that every level has its share.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/features/pyramid.hpp>
#include <ocelli/features/roi_align.hpp>

#include <string>
#include <vector>

using namespace ocelli_benchmark;

namespace {

/// 1000 boxes inside a picture of 800 x 1216, a fifth of them in each octave of sides from 24 to 768.
std::vector<float> boxes_of_all_sizes(std::size_t n) {
    const float picture[] = {1216, 800};
    std::vector<float> rois(5 * n);
    for (std::size_t k = 0; k < n; ++k) {
        for (std::size_t i = 0; i < 2; ++i) {
            volatile float side = 24.0f * draw(23, 4 * k + 2 + i);  // volatile: rounded before the sum, whatever the flags
            side = 24.0f + side;
            side = static_cast<float>(1 << (k % 5)) * side;
            const float room = picture[i] - side;
            volatile float corner = draw(23, 4 * k + i) * room;
            rois[5 * k + 1 + i] = corner;
            rois[5 * k + 3 + i] = corner + side;
        }
    }
    return rois;
}

void time_pyramid(const bench& b) {
    const std::size_t channels = 256, n = 1000;
    std::vector<std::vector<float>> memory;
    for (std::size_t level = 0; level < 4; ++level) memory.push_back(scores(channels * (200 >> level) * (304 >> level), 24 + level));
    std::vector<decltype(ocelli::view(memory[0].data(), {channels, channels, channels, channels}))> levels;
    for (std::size_t level = 0; level < 4; ++level)
        levels.push_back(ocelli::view(memory[level].data(), {std::size_t{1}, channels, std::size_t{200} >> level, std::size_t{304} >> level}));
    const auto rois = boxes_of_all_sizes(n);
    const auto r = ocelli::view(rois.data(), {n, std::size_t{5}});
    xt::xtensor<float, 4> out({n, channels, 7, 7});
    for (const std::int64_t sampling : {2, 0}) {
        const std::string name = sampling == 2 ? "roi_align_pyramid sampling 2" : "roi_align_pyramid adaptive";
        if (!b.wanted(name)) continue;
        const ocelli::roi_align_options options{.sampling_ratio = sampling};
        ocelli::roi_align_pyramid(levels, r, options, {}, out);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::roi_align_pyramid(levels, r, options, {}, out); });
        b.run(name, "returned", [&] { (void)ocelli::roi_align_pyramid(levels, r, options); });
    }
}

}  // namespace

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
    time_pyramid(b);
}
