// IoU of all pairs of dense masks, packing included.
#include "support/bench.hpp"
#include "support/masks.hpp"

#include <ocelli/masks/iou.hpp>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const std::size_t h = 480, w = 640;
    for (const std::size_t n : {std::size_t{50}, std::size_t{200}}) {
        const std::string name = "mask iou " + std::to_string(n) + "x" + std::to_string(n);
        if (!b.wanted(name)) continue;
        const auto x = masks(n, h, w, 11), y = masks(n, h, w, 12);
        const auto vx = ocelli::view(x.data(), {n, h, w}), vy = ocelli::view(y.data(), {n, h, w});
        xt::xtensor<double, 2> out = ocelli::mask_iou(vx, vy);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::mask_iou(vx, vy, out); });
        b.run(name, "returned", [&] { (void)ocelli::mask_iou(vx, vy); });
    }
}
