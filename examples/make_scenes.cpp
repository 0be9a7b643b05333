// Writes generated scenes with their answers, as the training scripts read them.
//
//     make_scenes --out scenes --scenes 100 --seed 1 --frames 2 --masks --flow
//
// images.npy (K, H, W, 3) uint8 and annotations.json in COCO's format (boxes as x y width height around the visible pixels;
// also "id_in_scene", "visibility" and "full_bbox"); with --labels also labels.npy (K, H, W) uint8, 0 being the ground and 1 + category
// an object; with --masks and --flow also masks_<k>.npy (N, H, W) and flow_<k>.npy (H, W, 2).
#include "scenes/label_map.hpp"
#include "scenes/scene.hpp"

#include <ocelli/io/npy.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
    CLI::App app("Writes generated scenes and their answers");
    std::string out = "scenes";
    std::uint64_t seed = 1;
    std::int64_t count = 100, frames = 1, start = 0, step = 1;
    bool labels = false, masks = false, flow = false;
    scenes::scene_options options;
    app.add_option("--out", out, "folder to write to")->capture_default_str();
    app.add_option("--seed", seed, "seed of the first scene; the others follow")->capture_default_str();
    app.add_option("--scenes", count, "number of scenes")->capture_default_str()->check(CLI::Range(1, 1000000));
    app.add_option("--frames", frames, "frames of each scene")->capture_default_str()->check(CLI::Range(1, 100000));
    app.add_option("--start", start, "time of the first frame")->capture_default_str();
    app.add_option("--step", step, "time between frames")->capture_default_str();
    app.add_option("--width", options.width, "pixels")->capture_default_str();
    app.add_option("--height", options.height, "pixels")->capture_default_str();
    app.add_flag("--labels", labels, "write labels.npy");
    app.add_flag("--masks", masks, "write masks_<k>.npy");
    app.add_flag("--flow", flow, "write flow_<k>.npy");
    CLI11_PARSE(app, argc, argv);

    try {
        std::filesystem::create_directories(out);
        const auto w = static_cast<std::size_t>(options.width), h = static_cast<std::size_t>(options.height);
        const auto total = static_cast<std::size_t>(count * frames);
        auto images = xt::xtensor<std::uint8_t, 4>::from_shape({total, h, w, 3});
        auto maps = xt::xtensor<std::uint8_t, 3>::from_shape({labels ? total : 0, h, w});
        nlohmann::json coco;
        for (std::int64_t c = 0; c < scenes::class_count; ++c)
            coco["categories"].push_back({{"id", c}, {"name", scenes::class_names[static_cast<std::size_t>(c)]}});
        coco["images"] = nlohmann::json::array();
        coco["annotations"] = nlohmann::json::array();

        std::size_t k = 0;
        for (std::int64_t s = 0; s < count; ++s) {
            const auto scene_seed = seed + static_cast<std::uint64_t>(s);
            const scenes::scene scene(scene_seed, options);
            for (std::int64_t f = 0; f < frames; ++f, ++k) {
                const std::int64_t time = start + f * step;
                const scenes::frame frame = scene.render(time);
                std::copy(frame.image.begin(), frame.image.end(), images.data() + k * h * w * 3);
                coco["images"].push_back({{"id", k}, {"width", w}, {"height", h}, {"seed", scene_seed}, {"time", time}});
                for (std::size_t i = 0; i < frame.labels.size(); ++i) {
                    const auto box = [&](const xt::xtensor<float, 2>& b) {
                        return nlohmann::json::array({b(i, 0), b(i, 1), b(i, 2) - b(i, 0), b(i, 3) - b(i, 1)});
                    };
                    const std::uint8_t* mask = frame.masks.data() + i * h * w;
                    coco["annotations"].push_back({{"id", coco["annotations"].size() + 1},
                                                   {"image_id", k},
                                                   {"category_id", frame.labels(i)},
                                                   {"bbox", box(frame.boxes)},
                                                   {"full_bbox", box(frame.full_boxes)},
                                                   {"area", std::count(mask, mask + h * w, std::uint8_t{1})},
                                                   {"iscrowd", 0},
                                                   {"id_in_scene", frame.ids(i)},
                                                   {"visibility", frame.visibility(i)}});
                }
                if (labels) {
                    const auto map = scenes::label_map(frame);
                    std::copy(map.begin(), map.end(), maps.data() + k * h * w);
                }
                if (masks) ocelli::write_npy(out + "/masks_" + std::to_string(k) + ".npy", frame.masks);
                if (flow) ocelli::write_npy(out + "/flow_" + std::to_string(k) + ".npy", frame.flow);
            }
        }
        ocelli::write_npy(out + "/images.npy", images);
        if (labels) ocelli::write_npy(out + "/labels.npy", maps);
        std::ofstream(out + "/annotations.json") << coco;
        std::cout << total << " pictures and " << coco["annotations"].size() << " objects written to " << out << "\n";
    } catch (const std::exception& problem) {
        std::cerr << "make_scenes: " << problem.what() << "\n";
        return 1;
    }
}
