// Finds text in photographs: a box around each line, however it is turned.
//
//     tools/get_models                                        fetches a network and two photographs with text, once
//     find_text                                               those photographs
//     find_text photo.jpg --out found --json found.json
#include <ocelli/image/draw.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/io/image.hpp>
#include <ocelli/pipelines/text_detector.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using picture = xt::xtensor<std::uint8_t, 3>;

/// Draws the boxes into the picture, small pictures enlarged, and writes it.
void write(const std::string& path, picture image, const ocelli::text_boxes& found) {
    const auto h = static_cast<std::int64_t>(image.shape(0)), w = static_cast<std::int64_t>(image.shape(1));
    const std::int64_t enlarge = h < 300 && w < 500 ? 2 : 1;
    if (enlarge > 1) image = ocelli::resize(image, {h * enlarge, w * enlarge}, ocelli::resize_method::cv_cubic);
    for (std::size_t i = 0; i < found.size(); ++i)
        for (std::size_t c = 0; c < 4; ++c) {
            const auto at = [&](std::size_t corner, std::size_t k) {
                return static_cast<double>(found.corners(i, corner % 4, k)) * static_cast<double>(enlarge);
            };
            ocelli::draw_line(image, at(c, 0), at(c, 1), at(c + 1, 0), at(c + 1, 1),
                              ocelli::palette_colour(static_cast<std::int64_t>(i)), 2);
        }
    ocelli::write_image(path, image);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Finds text in photographs");
    const fs::path fetched = fs::path(OCELLI_EXAMPLES_DIR) / ".." / "models";
    std::vector<std::string> images;
    std::string model, out = "text", json;
    double score = 0.5;
    app.add_option("images", images, "PNG or JPEG files; default: those that tools/get_models fetched")
        ->check(CLI::ExistingFile);
    app.add_option("--model", model,
                   "ONNX network that gives a map of probabilities; default: the one that tools/get_models fetched");
    app.add_option("--out", out, "folder for the pictures")->capture_default_str();
    app.add_option("--json", json, "file for the boxes");
    app.add_option("--score", score, "a box needs this mean probability")->capture_default_str()->check(CLI::Range(0.0, 1.0));
    CLI11_PARSE(app, argc, argv);
    try {
        if (model.empty()) model = (fetched / "ch_PP-OCRv4_det_infer.onnx").lexically_normal().string();
        if (images.empty())
            for (const char* name : {"page.png", "text.png"}) images.push_back((fetched / name).lexically_normal().string());
        if (!fs::exists(model))
            throw ocelli::io_error("no network at " + model + ": tools/get_models fetches it, or name one: --model net.onnx");
        ocelli::text_detector_options options;
        options.boxes.box_score = score;
        const auto find = ocelli::read_text_detector(model, options);
        fs::create_directories(out);
        nlohmann::ordered_json all = nlohmann::json::array();
        for (const std::string& path : images) {
            const picture image = ocelli::read_image(path);
            const auto start = std::chrono::steady_clock::now();
            const auto found = find(image);
            const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
            std::printf("%s: %zu pieces of text in %.0f ms\n", path.c_str(), found.size(), ms);
            for (std::size_t i = 0; i < found.size(); ++i) {
                nlohmann::ordered_json line = {{"image", path}, {"score", found.scores(i)}};
                for (std::size_t c = 0; c < 4; ++c) line["corners"].push_back({found.corners(i, c, 0), found.corners(i, c, 1)});
                all.push_back(line);
            }
            write((fs::path(out) / (fs::path(path).stem().string() + "_text.png")).string(), image, found);
        }
        if (!json.empty() && !(std::ofstream(json) << all.dump(1) << "\n")) throw ocelli::io_error("cannot write " + json);
        std::printf("pictures in %s/\n", out.c_str());
    } catch (const std::exception& problem) {
        std::cerr << "find_text: " << problem.what() << "\n";
        return 1;
    }
}
