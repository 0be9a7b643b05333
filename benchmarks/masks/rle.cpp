// Run-length masks: encoding from and decoding to row-major (N, H, W), IoU of all pairs, strings.
#include "support/bench.hpp"
#include "support/masks.hpp"

#include <ocelli/masks/rle.hpp>

using namespace ocelli_benchmark;

int main(int argc, char** argv) {
    const bench b(argc, argv);
    const std::size_t n = 50, h = 480, w = 640;
    const auto bytes = masks(n, h, w, 11);
    const auto m = ocelli::view(bytes.data(), {n, h, w});
    const auto encoded = ocelli::rle_encode(m);
    std::vector<std::string> strings;
    std::vector<std::uint8_t> lines;
    for (const auto& r : encoded) {
        strings.push_back(ocelli::rle_to_string(r));
        lines.insert(lines.end(), strings.back().begin(), strings.back().end());
        lines.push_back('\n');
    }
    if (b.wanted("rle encode 50")) {
        b.save("rle encode 50", lines);
        b.run("rle encode 50", "counts", [&] { (void)ocelli::rle_encode(m); });
        b.run("rle encode 50", "strings", [&] {
            for (const auto& r : ocelli::rle_encode(m)) (void)ocelli::rle_to_string(r);
        });
    }
    const auto read = [&] {
        std::vector<ocelli::rle> out;
        out.reserve(n);
        for (const auto& s : strings) out.push_back(ocelli::rle_from_string(s, static_cast<std::int64_t>(h), static_cast<std::int64_t>(w)));
        return out;
    };
    if (b.wanted("rle decode 50")) {
        xt::xtensor<std::uint8_t, 3> out = ocelli::rle_decode(encoded);
        b.save("rle decode 50", out);
        b.run("rle decode 50", "counts", [&] { ocelli::rle_decode(encoded, out); });
        b.run("rle decode 50", "strings", [&] { ocelli::rle_decode(read(), out); });
        b.run("rle decode 50", "returned", [&] { (void)ocelli::rle_decode(read()); });
    }
    if (b.wanted("rle iou 50x50")) {
        b.save("rle iou 50x50", ocelli::rle_iou(encoded, encoded));
        b.run("rle iou 50x50", "counts", [&] { (void)ocelli::rle_iou(encoded, encoded); });
        b.run("rle iou 50x50", "strings", [&] {
            const auto a = read(), c = read();
            (void)ocelli::rle_iou(a, c);
        });
    }
}
