#pragma once

// Masks for tests: random shapes and noise, and the strings of a COCO file.


#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace ocelli_test {

/// n masks of 0 and 1: unions of ellipses and boxes in front of nothing, every fifth noise, the fourth empty.
inline std::vector<std::uint8_t> random_masks(std::size_t n, std::size_t h, std::size_t w, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto draw = [&](double low, double high) { return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53; };
    std::vector<std::uint8_t> out(n * h * w, 0);
    for (std::size_t i = 0; i < n; ++i) {
        std::uint8_t* m = out.data() + i * h * w;
        if (i == 3) continue;
        if (i % 5 == 4) {
            for (std::size_t p = 0; p < h * w; ++p) m[p] = draw(0, 1) < 0.5 ? 1 : 0;
            continue;
        }
        for (int part = 0; part < 3; ++part) {
            const double cx = draw(0, static_cast<double>(w)), cy = draw(0, static_cast<double>(h));
            const double rx = draw(0.5, static_cast<double>(w) / 2), ry = draw(0.5, static_cast<double>(h) / 2);
            const bool box = draw(0, 1) < 0.3;
            for (std::size_t y = 0; y < h; ++y)
                for (std::size_t x = 0; x < w; ++x) {
                    const double dx = (static_cast<double>(x) - cx) / rx, dy = (static_cast<double>(y) - cy) / ry;
                    if (box ? dx > -0.7 && dx < 0.7 && dy > -0.7 && dy < 0.7 : dx * dx + dy * dy < 1) m[y * w + x] = 1;
                }
        }
    }
    return out;
}

struct coco_string {
    std::string counts;
    std::int64_t height, width;
    std::uint64_t area;
    std::array<double, 4> box;  // x y w h
};

/// The segments of a COCO detection file.
inline std::vector<coco_string> coco_strings(const std::string& path) {
    std::ifstream file(path);
    const auto json = nlohmann::json::parse(file);
    const auto& list = json.is_object() ? json.at("annotations") : json;
    std::vector<coco_string> out;
    for (const auto& a : list) {
        const auto& s = a.at("segmentation");
        out.push_back({s.at("counts").get<std::string>(), s.at("size").at(0).get<std::int64_t>(), s.at("size").at(1).get<std::int64_t>(),
                       a.at("area").get<std::uint64_t>(), a.at("bbox").get<std::array<double, 4>>()});
    }
    return out;
}

}  // namespace ocelli_test
