// Soft-NMS, gaussian, on whole-number boxes as OpenCV's softNMSBoxes takes them.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/boxes/soft_nms.hpp>

#include <cmath>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    for (const std::size_t n : {std::size_t{1000}, std::size_t{10000}}) {
        const std::string name = "soft_nms " + std::to_string(n);
        if (!b.wanted(name)) continue;
        auto x = boxes(n, 3, n / 10);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t k = 0; k < 2; ++k) {  // corner and size towards zero, as integers are made from floats
                const float side = std::trunc(x[4 * i + 2 + k] - x[4 * i + k]);
                x[4 * i + k] = std::trunc(x[4 * i + k]);
                x[4 * i + 2 + k] = x[4 * i + k] + side;
            }
        const auto s = scores(n, 5);
        const auto vx = ocelli::view(x.data(), {n, 4});
        const ocelli::soft_nms_options options{.sigma = 0.5, .score_threshold = 0.05};
        std::vector<std::int64_t> indices(n);
        std::vector<float> lowered(n);
        const std::size_t kept = ocelli::soft_nms(vx, s, options, indices, lowered);
        std::vector<double> both(indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(kept));
        both.insert(both.end(), lowered.begin(), lowered.begin() + static_cast<std::ptrdiff_t>(kept));
        b.save(name, ocelli::view(both.data(), {std::size_t{2}, kept}));
        b.run(name, "into", [&] { ocelli::soft_nms(vx, s, options, indices, lowered); });
        b.run(name, "returned", [&] { ocelli::soft_nms(vx, s, options); });
    }
}
