// A dense CRF as users of pydensecrf run it: 21 labels, a Gaussian and a bilateral term, ten iterations; lattices are built inside the call.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/crf/dense_crf.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

using namespace ocelli_benchmark;

namespace {

/// Coloured tiles with noise.
xt::xtensor<unsigned char, 3> picture(std::size_t h, std::size_t w) {
    xt::xtensor<unsigned char, 3> out({h, w, 3});
    for (std::size_t y = 0, i = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x)
            for (std::size_t c = 0; c < 3; ++c, ++i) {
                volatile float noise = draw(21, i) * 63.0f;
                const auto tile = static_cast<double>((7 * (x / 80) + 3 * (y / 60) + 5 * c) % 4);
                out.data()[i] = static_cast<unsigned char>(static_cast<double>(noise) + 192 * tile / 3);
            }
    return out;
}

/// -log softmax of 3 for the tile's label and noise.
xt::xtensor<float, 3> unary(std::size_t labels, std::size_t h, std::size_t w) {
    xt::xtensor<float, 3> out({labels, h, w});
    const std::size_t n = h * w;
    for (std::size_t p = 0; p < n; ++p) {
        const std::size_t tile = (p % w / 80 + 3 * (p / w / 60)) % labels;
        const auto logit = [&](std::size_t l) { return (l == tile ? 3.0 : 0.0) + static_cast<double>(draw(22, l * n + p)); };
        double sum = 0;
        for (std::size_t l = 0; l < labels; ++l) sum += std::exp(logit(l));
        for (std::size_t l = 0; l < labels; ++l) out.data()[l * n + p] = static_cast<float>(std::log(sum) - logit(l));
    }
    return out;
}

/// The peak of this process's memory; getrusage would tell the parent's where that is larger.
long peak_kb() {
    long kb = 0;
    if (std::FILE* f = std::fopen("/proc/self/status", "r")) {
        char line[256];
        while (std::fgets(line, sizeof line, f) != nullptr)
            if (std::sscanf(line, "VmHWM: %ld", &kb) == 1) break;
        std::fclose(f);
    }
    return kb;
}

}  // namespace

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const std::size_t labels = 21;
    for (const std::size_t w : {320, 640}) {
        const std::size_t h = w * 3 / 4;
        for (const std::size_t iterations : {10, 0}) {
            const std::string name = "dense_crf " + std::to_string(w) + "x" + std::to_string(h) + " " + std::to_string(iterations) + " iterations";
            if (!b.wanted(name)) continue;
            const auto image = picture(h, w);
            const auto energies = unary(labels, h, w);
            const auto run = [&] {
                ocelli::dense_crf<> crf({h, w}, labels);
                crf.set_unary(energies);
                crf.add_gaussian(3, 3);
                crf.add_bilateral(80, 13, image, 10);
                return crf;
            };
            const long before = peak_kb();
            { const auto first = run().infer(iterations); }
            std::printf("%s\tmemory\t%ld\t%ld\n", name.c_str(), peak_kb() - before, peak_kb() - before);
            xt::xtensor<float, 3> out(energies.shape());
            run().infer(iterations, out);
            b.save(name, out);
            b.run(name, "into", [&] { run().infer(iterations, out); });
            b.run(name, "returned", [&] { (void)run().infer(iterations); });
            double processor = 1e30;
            for (int i = 0; i < 5; ++i) {
                const std::clock_t start = std::clock();
                run().infer(iterations, out);
                processor = std::min(processor, 1e3 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
            }
            std::printf("%s\tprocessor\t%.5f\t%.5f\n", name.c_str(), processor, processor);
        }
    }
}
