// Gives every pixel of pictures a class.
//
//     segment                                                  scenes drawn by the program, with the bundled network
//     segment street.png --model espnet_p2_q8_cityscapes.onnx --preset espnet
//     segment *.jpg --model net.onnx --classes cat,dog,other --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --crf
#include "scenes/label_map.hpp"
#include "scenes/scene.hpp"

#include <ocelli/image/colour.hpp>
#include <ocelli/image/draw.hpp>
#include <ocelli/image/pad.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/io/image.hpp>
#include <ocelli/masks/components.hpp>
#include <ocelli/metrics/panoptic.hpp>
#include <ocelli/metrics/segmentation.hpp>
#include <ocelli/pipelines.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using picture = xt::xtensor<std::uint8_t, 3>;
using label_map = xt::xtensor<std::int64_t, 2>;

struct settings {
    std::vector<std::string> images, classes;
    std::string model, output, out = "segments";
    std::vector<std::int64_t> size;
    ocelli::segmenter_preset preset = ocelli::segmenter_preset::bundled;
    std::vector<double> mean, deviation;
    bool crf = false;
    int scenes = 24, pictures = 3;
    std::uint64_t seed = 1;
};

ocelli::segmenter make_segmenter(const settings& chosen) {
    ocelli::segmenter_options options{.output = chosen.output, .class_names = chosen.classes};
    if (!chosen.size.empty()) options.input_size = ocelli::image_size{chosen.size[0], chosen.size[1]};
    if (!chosen.mean.empty() || !chosen.deviation.empty())
        options.values = ocelli::normalization{.scale = 1.0 / 255, .mean = chosen.mean, .stddev = chosen.deviation};
    if (chosen.model.empty() && chosen.preset != ocelli::segmenter_preset::bundled)
        throw ocelli::invalid_argument("--preset needs the network it is for: --model net.onnx");
    const auto path = chosen.model.empty() ? std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_segmenter.onnx" : chosen.model;
    return ocelli::read_segmenter(path, chosen.preset, options);
}

/// How small pictures are enlarged, so that one sees something.
std::int64_t enlargement(const picture& image) {
    return image.shape(0) < 300 && image.shape(1) < 400 ? 3 : 1;
}

picture enlarged(const picture& image) {
    const auto h = static_cast<std::int64_t>(image.shape(0)), w = static_cast<std::int64_t>(image.shape(1)),
               by = enlargement(image);
    return by == 1 ? image : ocelli::resize(image, {h * by, w * by}, ocelli::resize_method::cv_linear);
}

/// Each label `by` pixels wide and high.
label_map enlarged(const label_map& labels, std::int64_t by) {
    const auto n = static_cast<std::size_t>(by);
    auto out = label_map::from_shape({labels.shape(0) * n, labels.shape(1) * n});
    for (std::size_t y = 0; y < out.shape(0); ++y)
        for (std::size_t x = 0; x < out.shape(1); ++x) out(y, x) = labels(y / n, x / n);
    return out;
}

/// The picture in grey with the labels of `colours` laid over it, and beside it the legend of the classes that take at least
/// one pixel in 500.
picture overlay(const picture& image, const label_map& shown, const std::vector<ocelli::rgb>& colours, const label_map& labels,
                const ocelli::segmenter& label) {
    picture drawn = ocelli::grey_to_rgb(ocelli::rgb_to_grey(enlarged(image))); // so that all colours are classes
    ocelli::draw_labels(drawn, enlarged(shown, enlargement(image)), {.colours = colours, .opacity = 0.55});
    std::map<std::int64_t, std::size_t> pixels;
    for (const std::int64_t l : labels) ++pixels[l];
    std::vector<std::string> names;
    std::vector<ocelli::rgb> named;
    std::int64_t widest = 0;
    for (const auto& [l, count] : pixels) {
        if (count * 500 < labels.size()) continue;
        names.push_back(label.class_name(l));
        named.push_back(label.colour(l));
        widest = std::max(widest, ocelli::text_size(names.back(), 2).first);
    }
    drawn = ocelli::pad(drawn, {.right = widest + 7 * 2 + 5 * 3 * 2}, ocelli::border_mode::constant, {16});
    ocelli::draw_legend(drawn, names, {.colours = named, .where = ocelli::corner::top_right, .text_scale = 2});
    return drawn;
}

/// The classes in their colours.
picture semantic_picture(const picture& image, const label_map& labels, const ocelli::segmenter& label) {
    std::vector<ocelli::rgb> colours;
    for (std::int64_t l = 0; l <= *std::max_element(labels.begin(), labels.end()); ++l) colours.push_back(label.colour(l));
    return overlay(image, labels, colours, labels, label);
}

/// Things apart from each other, each in a shade of its class's colour; segments in the colours of their classes.
picture panoptic_picture(const picture& image, const ocelli::panoptic_segmentation& found, const label_map& labels,
                         const ocelli::segmenter& label) {
    std::vector<ocelli::rgb> colours = {{0, 0, 0}};
    std::map<std::int64_t, int> seen;
    for (const auto& segment : found.segments) {
        const ocelli::rgb base = label.colour(segment.category);
        const int shade = segment.is_thing ? seen[segment.category]++ % 4 : 0; // itself, lighter, darker, much lighter
        const auto mix = [&](std::uint8_t v) {
            const int to = shade == 2 ? 0 : 255, weight = shade == 0 ? 0 : shade == 3 ? 70 : 40;
            return static_cast<std::uint8_t>(v + (to - v) * weight / 100);
        };
        colours.push_back({mix(base.red), mix(base.green), mix(base.blue)});
    }
    return overlay(image, xt::cast<std::int64_t>(found.ids), colours, labels, label);
}

/// Connected parts of every class but the first, with boxes and names.
picture instance_picture(const picture& image, const label_map& labels, const ocelli::segmenter& label) {
    const auto instances = ocelli::instances_from_semantic(labels, {.smallest_area = 32});
    picture drawn = enlarged(image);
    const std::int64_t by = enlargement(image);
    std::vector<ocelli::rgb> colours = {{0, 0, 0}};
    std::vector<std::string> names;
    auto boxes = xt::xtensor<double, 2>::from_shape({instances.components.size(), 4});
    for (std::size_t i = 0; i < instances.components.size(); ++i) {
        const auto& part = instances.components[i];
        colours.push_back(ocelli::palette_colour(static_cast<std::int64_t>(i)));
        names.push_back(label.class_name(part.value));
        for (std::size_t side = 0; side < 4; ++side) boxes(i, side) = static_cast<double>(part.box[side] * by);
    }
    ocelli::draw_labels(drawn, enlarged(xt::cast<std::int64_t>(instances.labels), by), {.colours = colours, .skip = 0});
    ocelli::draw_boxes(drawn, boxes,
                       {.texts = names, .colours = std::span(colours).subspan(1), .thickness = 2, .text_scale = 2});
    return drawn;
}

/// The segments of a scene as they are.
ocelli::panoptic_segmentation true_segments(const scenes::frame& frame) {
    ocelli::panoptic_segmentation truth;
    truth.ids = xt::zeros<std::int32_t>({frame.image.shape(0), frame.image.shape(1)}) + 1;
    truth.segments = {{.id = 1, .category = 0}};
    for (std::size_t i = 0; i < frame.labels.size(); ++i) {
        truth.segments.push_back({.id = static_cast<std::int64_t>(i) + 2, .category = frame.labels(i) + 1, .is_thing = true});
        for (std::size_t p = 0; p < truth.ids.size(); ++p)
            if (frame.masks.data()[i * truth.ids.size() + p] != 0) truth.ids.data()[p] = static_cast<std::int32_t>(i) + 2;
    }
    return truth;
}

std::vector<ocelli::panoptic_annotation> annotations(const std::vector<ocelli::panoptic_segment>& segments) {
    std::vector<ocelli::panoptic_annotation> out;
    for (const auto& s : segments) out.push_back({.id = s.id, .category = s.category});
    return out;
}

/// Labels generated scenes, compares with the truth before and after the CRF, draws the first ones.
void run_scenes(const settings& chosen) {
    const auto label = make_segmenter(chosen);
    constexpr auto classes = static_cast<std::int64_t>(scenes::map_names.size());
    ocelli::confusion_matrix before(classes), after(classes);
    std::vector<ocelli::panoptic_category> categories = {{0, false}};
    for (std::int64_t c = 1; c < classes; ++c) categories.push_back({c, true});
    ocelli::panoptic_evaluator quality(categories);
    std::vector<std::int64_t> things(static_cast<std::size_t>(classes) - 1);
    std::iota(things.begin(), things.end(), 1);
    for (int k = 0; k < chosen.scenes; ++k) {
        const auto frame = scenes::scene(chosen.seed + static_cast<std::uint64_t>(k)).render(20);
        const auto truth = scenes::label_map(frame);
        auto seen = label(frame.image);
        before.add(truth, seen.labels);
        seen = ocelli::refine_with_crf(frame.image, seen);
        after.add(truth, seen.labels);
        const auto panoptic = ocelli::panoptic_from_semantic(seen, things, {.thing_area = 32});
        const auto real = true_segments(frame);
        quality.add(real.ids, annotations(real.segments), panoptic.ids, annotations(panoptic.segments));
        if (k >= chosen.pictures) continue;
        char name[32];
        std::snprintf(name, sizeof name, "scene_%03d", k + 1);
        const auto path = (fs::path(chosen.out) / name).string();
        ocelli::write_image(path + ".png", frame.image);
        ocelli::write_image(path + "_segments.png", semantic_picture(frame.image, seen.labels, label));
        ocelli::write_image(path + "_instances.png", instance_picture(frame.image, seen.labels, label));
        ocelli::write_image(path + "_panoptic.png", panoptic_picture(frame.image, panoptic, seen.labels, label));
    }
    std::printf("%-10s %10s %10s %10s\n", "IoU", "network", "with CRF", "PQ");
    const auto first = before.iou(), second = after.iou();
    for (std::int64_t c = 0; c < classes; ++c)
        std::printf("%-10s %10.3f %10.3f %10.3f\n", scenes::map_names[static_cast<std::size_t>(c)],
                    first(static_cast<std::size_t>(c)), second(static_cast<std::size_t>(c)), quality.category(c).pq);
    std::printf("%-10s %10.3f %10.3f %10.3f\n", "mean", before.mean_iou(), after.mean_iou(), quality.all().pq);
    std::printf("%d scenes, pictures of %d in %s/\n", chosen.scenes, std::min(chosen.scenes, chosen.pictures),
                chosen.out.c_str());
}

/// Labels pictures from files.
void run_files(const settings& chosen) {
    const auto label = make_segmenter(chosen);
    std::map<std::string, int> used;
    for (const std::string& path : chosen.images) {
        const picture image = ocelli::read_image(path);
        const auto start = std::chrono::steady_clock::now();
        auto seen = label(image);
        if (chosen.crf) seen = ocelli::refine_with_crf(image, seen);
        const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
        std::map<std::int64_t, std::size_t> pixels;
        for (const std::int64_t l : seen.labels) ++pixels[l];
        std::vector<std::pair<std::size_t, std::int64_t>> shares;
        for (const auto& [l, count] : pixels) shares.emplace_back(count, l);
        std::sort(shares.rbegin(), shares.rend());
        std::printf("%s, %.0f ms:", path.c_str(), ms);
        for (const auto& [count, l] : shares)
            std::printf(" %s %.1f %%", label.class_name(l).c_str(),
                        100.0 * static_cast<double>(count) / static_cast<double>(seen.labels.size()));
        std::printf("\n");

        std::string name = fs::path(path).stem().string();
        if (const int before = used[name]++; before > 0) name += "_" + std::to_string(before + 1); // a/1.jpg b/1.jpg
        const auto base = (fs::path(chosen.out) / name).string();
        ocelli::write_image(base + "_segments.png", semantic_picture(image, seen.labels, label));
        if (chosen.preset == ocelli::segmenter_preset::espnet) {
            const auto panoptic = ocelli::panoptic_from_semantic(seen, ocelli::cityscapes_things);
            ocelli::write_image(base + "_panoptic.png", panoptic_picture(image, panoptic, seen.labels, label));
        }
    }
    std::printf("pictures in %s/\n", chosen.out.c_str());
}

} // namespace

int main(int argc, char** argv) {
    settings chosen;
    CLI::App app("Gives every pixel of pictures a class; without pictures, of scenes it draws itself");
    app.add_option("images", chosen.images, "PNG or JPEG files")->check(CLI::ExistingFile);
    app.add_option("--model", chosen.model, "ONNX network; default: the bundled one");
    const std::map<std::string, ocelli::segmenter_preset> presets = {{"bundled", ocelli::segmenter_preset::bundled},
                                                                     {"espnet", ocelli::segmenter_preset::espnet}};
    app.add_option("--preset", chosen.preset,
                   "the network's family: bundled (rgb / 255, and most others with --mean and --std) or espnet")
        ->transform(CLI::CheckedTransformer(presets));
    app.add_option("--classes", chosen.classes, "names of the classes from 0, with commas between")->delimiter(',');
    app.add_option("--mean", chosen.mean, "of red, green, blue in [0, 1], with commas between")->delimiter(',');
    app.add_option("--std", chosen.deviation, "of red, green, blue in [0, 1], with commas between")->delimiter(',');
    app.add_option("--size", chosen.size, "height,width of the network's input, where it leaves it open")
        ->delimiter(',')
        ->expected(2);
    app.add_option("--output", chosen.output, "the output with the map; default: the first");
    app.add_flag("--crf", chosen.crf, "sharpen borders by a dense CRF");
    app.add_option("--out", chosen.out, "folder for the pictures")->capture_default_str();
    app.add_option("--scenes", chosen.scenes, "number of scenes")->capture_default_str()->check(CLI::Range(1, 100000));
    app.add_option("--pictures", chosen.pictures, "of how many scenes pictures are drawn")->capture_default_str();
    app.add_option("--seed", chosen.seed, "seed of the first scene")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    try {
        fs::create_directories(chosen.out);
        if (!chosen.images.empty()) {
            run_files(chosen);
        } else if (chosen.preset == ocelli::segmenter_preset::bundled && chosen.model.empty()) {
            run_scenes(chosen);
        } else {
            throw ocelli::invalid_argument("scenes are for the bundled network; name the pictures to look at");
        }
    } catch (const std::exception& problem) {
        std::cerr << "segment: " << problem.what() << "\n";
        return 1;
    }
}
