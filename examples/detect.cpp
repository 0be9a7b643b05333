// Finds objects in pictures.
//
//     detect                                                        scenes drawn by the program, with the bundled network
//     detect photo.jpg --model version-RFB-320.onnx --preset ultraface
//     detect photo.jpg --model yolo11n.onnx --preset yolo
//     detect *.jpg --model FastestDet.onnx --preset fastestdet --out found --json found.json
#include "scenes/average_precision.hpp"
#include "scenes/scene.hpp"

#include <ocelli/image/draw.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/io/image.hpp>
#include <ocelli/pipelines.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace {

using picture = xt::xtensor<std::uint8_t, 3>;

struct settings {
    std::vector<std::string> images;
    std::string model, out = "detections", json;
    ocelli::detector_preset preset = ocelli::detector_preset::bundled;
    std::optional<double> score;
    int scenes = 24;
    std::uint64_t seed = 1;
};

/// The median, in milliseconds.
double median(std::vector<double> times) {
    if (times.empty()) return 0;
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
}

class session {
public:
    session(const settings& chosen, std::optional<double> score_threshold)
        : chosen_(chosen),
          find_(ocelli::read_detector(model_path(chosen), chosen.preset, {.score_threshold = score_threshold})) {
        std::filesystem::create_directories(chosen.out);
    }

    /// Finds the objects of a picture, keeps the time.
    ocelli::detections find(const picture& image) {
        const auto start = std::chrono::steady_clock::now();
        auto found = find_(image);
        times_.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
        return found;
    }

    /// Notes the boxes for --json: a thousandth of a pixel, a millionth in score.
    void note(const std::string& image, const ocelli::detections& found) {
        for (std::size_t i = 0; i < found.size(); ++i) {
            nlohmann::ordered_json line;
            line["image"] = image;
            for (std::size_t side = 0; side < 4; ++side)
                line["box"].push_back(std::round(static_cast<double>(found.boxes(i, side)) * 1e3) / 1e3);
            line["score"] = std::round(static_cast<double>(found.scores(i)) * 1e6) / 1e6;
            line["label"] = find_.class_name(found.labels(i));
            lines_.push_back(line.dump());
        }
    }

    /// Draws the boxes into the picture, enlarged to be readable, and writes it.
    void write(const std::string& name, picture image, const ocelli::detections& found, std::int64_t enlarge) const {
        const auto path = (std::filesystem::path(chosen_.out) / (name + "_detections.png")).string();
        auto boxes = found.boxes;
        if (enlarge > 1) {
            const auto h = static_cast<std::int64_t>(image.shape(0)), w = static_cast<std::int64_t>(image.shape(1));
            image = ocelli::resize(image, {h * enlarge, w * enlarge}, ocelli::resize_method::cv_linear);
            for (float& side : boxes) side *= static_cast<float>(enlarge);
        }
        std::vector<std::string> texts;
        for (std::size_t i = 0; i < found.size(); ++i) {
            char score[16];
            std::snprintf(score, sizeof score, " %.2f", static_cast<double>(found.scores(i)));
            texts.push_back(find_.class_name(found.labels(i)) + score);
        }
        ocelli::draw_boxes(image, boxes,
                           {.labels = {found.labels.data(), found.size()}, .texts = texts, .thickness = enlarge > 1 ? 2 : 0});
        ocelli::write_image(path, image);
    }

    void finish() const {
        if (!chosen_.json.empty()) {
            std::ofstream file(chosen_.json);
            file << "[";
            for (std::size_t i = 0; i < lines_.size(); ++i) file << (i > 0 ? ",\n " : "\n ") << lines_[i];
            file << "\n]\n";
            if (!file) throw ocelli::io_error("cannot write " + chosen_.json);
        }
        std::printf("%.1f ms per picture (median of %zu; resize, network, decoding and NMS), pictures in %s/\n", median(times_),
                    times_.size(), chosen_.out.c_str());
    }

    const ocelli::detector& detector() const { return find_; }

private:
    static std::string model_path(const settings& chosen) {
        if (!chosen.model.empty()) return chosen.model;
        if (chosen.preset != ocelli::detector_preset::bundled)
            throw ocelli::invalid_argument("--preset needs the network it is for: --model net.onnx");
        return std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_detector.onnx";
    }

    const settings& chosen_;
    ocelli::detector find_;
    std::vector<double> times_;
    std::vector<std::string> lines_;
};

/// The boxes that score higher than a threshold. Their number is what the detector gives with that threshold: a box is only
/// ever suppressed by a better one.
ocelli::detections above(const ocelli::detections& found, double threshold) {
    std::size_t n = 0;
    while (n < found.size() && static_cast<double>(found.scores(n)) > threshold) ++n; // best first
    ocelli::detections out;
    out.boxes.resize({n, 4});
    out.scores.resize({n});
    out.labels.resize({n});
    std::copy_n(found.boxes.begin(), 4 * n, out.boxes.begin());
    std::copy_n(found.scores.begin(), n, out.scores.begin());
    std::copy_n(found.labels.begin(), n, out.labels.begin());
    return out;
}

/// Finds the objects in generated scenes and compares with the truth. The precision-recall curve needs the doubtful boxes too;
/// the counts, pictures and --json have those above the threshold.
void run_scenes(const settings& chosen) {
    const double threshold = chosen.score.value_or(0.5);
    session run(chosen, std::min(0.05, threshold));
    scenes::detection_score score(scenes::class_count, 0.5, threshold);
    for (int k = 0; k < chosen.scenes; ++k) {
        const scenes::frame frame = scenes::scene(chosen.seed + static_cast<std::uint64_t>(k)).render(20);
        const auto all = run.find(frame.image);
        score.add(all.boxes, all.scores, all.labels, frame.boxes, frame.labels, frame.visibility);

        char name[32];
        std::snprintf(name, sizeof name, "scene_%03d", k + 1);
        const auto found = above(all, threshold);
        ocelli::write_image((std::filesystem::path(chosen.out) / (std::string(name) + ".png")).string(), frame.image);
        run.note(std::string(name) + ".png", found);
        run.write(name, frame.image, found, 3);
    }

    const auto result = score.result();
    std::printf("%-10s %8s %6s %7s %6s %7s\n", "class", "objects", "found", "missed", "false", "AP@0.5");
    scenes::class_score sum;
    for (std::size_t c = 0; c < result.size(); ++c) {
        const auto& r = result[c];
        std::printf("%-10s %8lld %6lld %7lld %6lld %7.3f\n", scenes::class_names[c], static_cast<long long>(r.objects),
                    static_cast<long long>(r.found), static_cast<long long>(r.missed), static_cast<long long>(r.false_alarms),
                    r.average_precision);
        sum.objects += r.objects;
        sum.found += r.found;
        sum.missed += r.missed;
        sum.false_alarms += r.false_alarms;
    }
    std::printf("%-10s %8lld %6lld %7lld %6lld %7.3f\n", "all", static_cast<long long>(sum.objects),
                static_cast<long long>(sum.found), static_cast<long long>(sum.missed), static_cast<long long>(sum.false_alarms),
                score.mean_average_precision());
    run.finish();
}

/// Finds the objects in pictures from files.
void run_files(const settings& chosen) {
    session run(chosen, chosen.score);
    std::map<std::string, int> used;
    for (const std::string& path : chosen.images) {
        const picture image = ocelli::read_image(path);
        const auto found = run.find(image);
        std::map<std::string, int> counts;
        for (std::size_t i = 0; i < found.size(); ++i) ++counts[run.detector().class_name(found.labels(i))];
        std::printf("%s: %zu found", path.c_str(), found.size());
        for (const auto& [name, count] : counts) std::printf(", %d %s", count, name.c_str());
        std::printf("\n");
        run.note(path, found);
        std::string name = std::filesystem::path(path).stem().string();
        if (const int before = used[name]++; before > 0) name += "_" + std::to_string(before + 1); // a/1.jpg b/1.jpg
        run.write(name, image, found, image.shape(0) < 300 && image.shape(1) < 400 ? 3 : 1);
    }
    run.finish();
}

} // namespace

int main(int argc, char** argv) {
    settings chosen;
    CLI::App app("Finds objects in pictures; without pictures, in scenes it draws itself");
    app.add_option("images", chosen.images, "PNG or JPEG files")->check(CLI::ExistingFile);
    app.add_option("--model", chosen.model, "ONNX network; default: the bundled one");
    const std::map<std::string, ocelli::detector_preset> presets = {{"bundled", ocelli::detector_preset::bundled},
                                                                    {"ultraface", ocelli::detector_preset::ultraface},
                                                                    {"ultraface_raw", ocelli::detector_preset::ultraface_raw},
                                                                    {"fastestdet", ocelli::detector_preset::fastestdet},
                                                                    {"yolo", ocelli::detector_preset::yolo}};
    app.add_option("--preset", chosen.preset, "the network's family: bundled, ultraface, ultraface_raw, fastestdet or yolo")
        ->transform(CLI::CheckedTransformer(presets));
    app.add_option("--out", chosen.out, "folder for the pictures")->capture_default_str();
    app.add_option("--json", chosen.json, "file for the boxes");
    app.add_option("--score", chosen.score, "a box needs a higher score; default: the preset's")->check(CLI::Range(0.0, 1.0));
    app.add_option("--scenes", chosen.scenes, "number of scenes")->capture_default_str()->check(CLI::Range(1, 100000));
    app.add_option("--seed", chosen.seed, "seed of the first scene")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    try {
        if (!chosen.images.empty()) {
            run_files(chosen);
        } else if (chosen.preset == ocelli::detector_preset::bundled) {
            run_scenes(chosen);
        } else {
            throw ocelli::invalid_argument("scenes are for the bundled preset; name the pictures to look at");
        }
    } catch (const std::exception& problem) {
        std::cerr << "detect: " << problem.what() << "\n";
        return 1;
    }
}
