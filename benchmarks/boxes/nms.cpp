// Greedy suppression, into given memory and returned; class-aware suppression.
#include "support/bench.hpp"
#include "support/inputs.hpp"

#include <ocelli/boxes/nms.hpp>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const auto first = [](const std::vector<std::int64_t>& out, std::size_t n) {
        return std::vector<std::int64_t>(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n));
    };
    for (const std::size_t n : {std::size_t{1000}, std::size_t{10000}, std::size_t{100000}}) {
        const std::pair<const char*, std::size_t> kinds[] = {{"uniform", 0}, {"clustered", n / 10}, {"detector", n / 100}};
        for (const auto& [kind, clusters] : kinds) {
            const std::string name = "nms " + std::to_string(n) + " " + kind;
            if (!b.wanted(name)) continue;
            const auto x = boxes(n, 3, clusters), s = scores(n, 5);
            const auto vx = ocelli::view(x.data(), {n, 4});
            std::vector<std::int64_t> out(n);
            b.save(name, first(out, ocelli::nms(vx, s, 0.5, out)));
            b.run(name, "into", [&] { ocelli::nms(vx, s, 0.5, out); });
            b.run(name, "returned", [&] { ocelli::nms(vx, s, 0.5); });
        }
    }
    if (const std::string name = "batched_nms 10000x80"; b.wanted(name)) {
        const std::size_t n = 10000;
        const auto x = boxes(n, 3, 1000), s = scores(n, 5);
        const auto vx = ocelli::view(x.data(), {n, 4});
        std::vector<std::int64_t> classes(n), out(n);
        for (std::size_t i = 0; i < n; ++i) classes[i] = static_cast<std::int64_t>(i % 80);
        b.save(name, first(out, ocelli::batched_nms(vx, s, classes, 0.5, out)));
        b.run(name, "into", [&] { ocelli::batched_nms(vx, s, classes, 0.5, out); });
        b.run(name, "returned", [&] { ocelli::batched_nms(vx, s, classes, 0.5); });
    }
}
