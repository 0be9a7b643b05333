// Pairwise IoU, into given memory and returned.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/boxes/iou.hpp>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const std::size_t sizes[][2] = {{1000, 1000}, {10000, 1000}};
    for (const auto& [n, m] : sizes) {
        const std::string name = "iou " + std::to_string(n) + "x" + std::to_string(m);
        if (!b.wanted(name)) continue;
        const auto x = boxes(n, 1), y = boxes(m, 2);
        const auto vx = ocelli::view(x.data(), {n, 4}), vy = ocelli::view(y.data(), {m, 4});
        xt::xtensor<float, 2> out = ocelli::box_iou(vx, vy);
        b.save(name, out);
        b.run(name, "into", [&] { ocelli::box_iou(vx, vy, out); });
        b.run(name, "returned", [&] { ocelli::box_iou(vx, vy); });
    }
}
