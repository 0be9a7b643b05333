// ctest: per_isa
#include <ocelli/io/image.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/pipelines/detector.hpp>

#include "scenes/average_precision.hpp"
#include "scenes/scene.hpp"
#include "support/detections.hpp"
#include "support/fixtures.hpp"

#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace {

using ocelli::detector_preset;
using ocelli_test::check_same;
using ocelli_test::fixture;
using ocelli_test::golden;

ocelli::image_size size_of(const xt::xtensor<std::uint8_t, 3>& image) {
    return {static_cast<std::int64_t>(image.shape(0)), static_cast<std::int64_t>(image.shape(1))};
}

float largest_difference(const xt::xtensor<float, 4>& a, const xt::xtensor<float, 4>& b) {
    REQUIRE(a.shape() == b.shape());
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.data()[i] - b.data()[i]));
    return worst;
}

TEST_CASE("The ultraface preset finds the reference's faces in photographs") {
    const auto dir = fixture("ultraface");
    if (dir.empty()) return;
    const auto find = ocelli::read_detector(dir + "/version-RFB-320.onnx", detector_preset::ultraface);
    CHECK(find.input_size() == ocelli::image_size{240, 320});
    for (const std::string name : {"group.jpg", "astronaut.png"}) {
        const auto base = dir + "/RFB-320." + name.substr(0, name.find('.'));
        const auto reference = ocelli::read_npy<float, 2>(base + ".detections.npy");
        const auto image = ocelli::read_image(dir + "/" + name);
        check_same(find(image), reference, 0.5, 0.002);

        const auto input = ocelli::read_npy<float, 4>(base + ".input.npy");
        check_same(find.detect(input, size_of(image)), reference, 0.01, 1e-4);
        // A PNG is exact; JPEG decoders differ by up to 3 levels.
        CHECK(largest_difference(find.preprocess(image), input) <= (name == "astronaut.png" ? 1e-6F : 3.01F / 128));
    }
}

TEST_CASE("The ultraface_raw preset decodes the network without postprocessing to the same faces") {
    const auto dir = fixture("ultraface");
    if (dir.empty()) return;
    const auto find =
        ocelli::read_detector(dir + "/version-RFB-320_without_postprocessing.onnx", detector_preset::ultraface_raw);
    check_same(find.detect(ocelli::read_npy<float, 4>(dir + "/RFB-320.group.input.npy"), {715, 1024}),
               ocelli::read_npy<float, 2>(dir + "/RFB-320.group.detections.npy"), 0.01, 1e-4);
}

TEST_CASE("The fastestdet preset finds the reference's objects in photographs") {
    const auto dir = fixture("fastestdet");
    if (dir.empty()) return;
    const auto find = ocelli::read_detector(dir + "/FastestDet.onnx", detector_preset::fastestdet);
    CHECK(find.class_name(2) == "car");
    for (const std::string name : {"3", "street"}) {
        const auto reference = ocelli::read_npy<float, 2>(dir + "/" + name + ".detections.npy");
        const auto image = ocelli::read_image(dir + "/" + name + ".jpg");
        check_same(find(image), reference, 1.0, 0.005);
        check_same(find.detect(ocelli::read_npy<float, 4>(dir + "/" + name + ".input.npy"), size_of(image)), reference, 0.01,
                   1e-4);
    }
}

TEST_CASE("The bundled preset finds the objects of two hundred scenes that it was not trained on") {
    const auto find = ocelli::read_detector(std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_detector.onnx",
                                            detector_preset::bundled, {.score_threshold = 0.05});
    scenes::detection_score score(scenes::class_count);
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const auto frame = scenes::scene(seed).render(20);
        const auto found = find(frame.image);
        score.add(found.boxes, found.scores, found.labels, frame.boxes, frame.labels, frame.visibility);
    }
    const auto result = score.result();
    for (std::size_t c = 0; c < result.size(); ++c) {
        MESSAGE(std::string(scenes::class_names[c]) << ": " << result[c].objects << " objects, " << result[c].found << " found, "
                                       << result[c].false_alarms << " false, AP " << result[c].average_precision);
        CHECK(result[c].average_precision >= 0.6);
    }
    MESSAGE("mean AP " << score.mean_average_precision());
    CHECK(score.mean_average_precision() >= 0.85);
}

TEST_CASE("Boxes come back through the letterbox in pixels of the picture") {
    const auto find =
        ocelli::read_detector(std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_detector.onnx", detector_preset::bundled);
    // The scene in the middle of a wide picture: the letterbox undoes the enlargement, the bars shift the boxes.
    const auto frame = scenes::scene(1).render(20);
    const auto direct = find(frame.image);
    REQUIRE(direct.size() > 0);
    const auto large = ocelli::resize(frame.image, {384, 512}, ocelli::resize_method::cv_linear);
    const auto found = find(large);
    std::size_t near = 0;
    for (std::size_t i = 0; i < direct.size(); ++i)
        for (std::size_t j = 0; j < found.size(); ++j) {
            float worst = 0;
            for (std::size_t k = 0; k < 4; ++k) worst = std::max(worst, std::abs(found.boxes(j, k) - 2 * direct.boxes(i, k)));
            if (worst < 12 && found.labels(j) == direct.labels(i)) {
                ++near;
                break;
            }
        }
    CHECK(near + 1 >= direct.size());

    const auto input = find.preprocess(xt::xtensor<std::uint8_t, 3>(xt::zeros<std::uint8_t>({100, 400, 3})));
    CHECK(input(0, 0, 0, 0) == doctest::Approx(114.0 / 255)); // 256 x 64 between bars
    CHECK(input(0, 2, 63, 128) == doctest::Approx(114.0 / 255));
    CHECK(input(0, 2, 64, 128) == 0.0F);
    CHECK(input(0, 1, 127, 255) == 0.0F);
    CHECK(input(0, 1, 128, 255) == doctest::Approx(114.0 / 255));
}

TEST_CASE("The yolo preset selects and scales as ultralytics does, networks' own selections too") {
    const xt::xtensor<std::uint8_t, 3> image = xt::zeros<std::uint8_t>({120, 200, 3});
    for (const std::string name : {"yolo_64x96", "yolo_rows_64x96"}) {
        const auto find = ocelli::read_detector(golden("pipelines/" + name + ".onnx"), detector_preset::yolo);
        CHECK(find.input_size() == ocelli::image_size{64, 96});
        const auto found = find(image);
        check_same(found, ocelli::read_npy<float, 2>(golden("pipelines/" + name + ".npy")), 1e-4, 1e-6);
        for (std::size_t i = 1; i < found.size(); ++i) CHECK(found.scores(i) <= found.scores(i - 1));
    }
    // 96 x 58 pixels of the picture between bars of three.
    const auto find = ocelli::read_detector(golden("pipelines/yolo_64x96.onnx"), detector_preset::yolo);
    const auto input = find.preprocess(image);
    CHECK(input(0, 0, 2, 0) == doctest::Approx(114.0 / 255));
    CHECK(input(0, 0, 3, 0) == 0.0F);
    CHECK(input(0, 0, 60, 95) == 0.0F);
    CHECK(input(0, 0, 61, 95) == doctest::Approx(114.0 / 255));
}

TEST_CASE("The yolo preset reads what the exporter noted") {
    // A field of a file may stand anywhere: notes behind the rest are the model's.
    const auto noted = [](const std::string& file, const std::map<std::string, std::string>& notes) {
        std::ifstream in(golden("pipelines/" + file), std::ios::binary);
        std::string bytes{std::istreambuf_iterator<char>(in), {}};
        const auto field = [](char tag, const std::string& content) {
            REQUIRE(content.size() < 128);
            return std::string{tag, static_cast<char>(content.size())} + content;
        };
        for (const auto& [key, value] : notes) bytes += field('\x72', field('\x0a', key) + field('\x12', value));
        return ocelli::nn::session(ocelli::nn::read_onnx(std::as_bytes(std::span(bytes)), "", "net.onnx"));
    };
    const ocelli::detector find(noted("yolo_64x96.onnx", {{"task", "detect"}, {"names", "{0: 'bolt', 1: 'nut'}"}, {"imgsz", "[320, 320]"}}), detector_preset::yolo);
    CHECK(find.class_names() == std::vector<std::string>{"bolt", "nut"});
    CHECK(find.input_size() == ocelli::image_size{64, 96}); // the network's own
    const ocelli::detector named(noted("yolo_64x96.onnx", {{"names", "{0: 'bolt'}"}}), detector_preset::yolo, {.class_names = {"screw"}});
    CHECK(named.class_name(0) == "screw");
    CHECK_THROWS_WITH_AS(ocelli::detector(noted("yolo_64x96.onnx", {{"task", "pose"}}), detector_preset::yolo),
                         "detector: preset yolo needs a network for the task detect, this one says that it is for pose", ocelli::invalid_argument);
    const ocelli::detector open(noted("fastestdet_open.onnx", {{"imgsz", "[64, 96]"}}), detector_preset::yolo);
    CHECK(open.input_size() == ocelli::image_size{64, 96});
    CHECK_THROWS_AS(ocelli::detector(noted("fastestdet_open.onnx", {{"imgsz", "640"}}), detector_preset::yolo), ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::detector(noted("fastestdet_open.onnx", {{"imgsz", "[-64, 96]"}}), detector_preset::yolo), ocelli::invalid_argument);
}

TEST_CASE("Networks of other sizes and classes work with the same preset") {
    const xt::xtensor<std::uint8_t, 3> image = xt::zeros<std::uint8_t>({120, 200, 3});
    SUBCASE("ultraface") {
        const auto find = ocelli::read_detector(golden("pipelines/ultraface_48x64.onnx"), detector_preset::ultraface);
        CHECK(find.input_size() == ocelli::image_size{48, 64});
        const auto found = find(image);
        REQUIRE(found.size() == 2);
        CHECK(found.labels(0) == 2);
        CHECK(found.scores(0) == doctest::Approx(0.9));
        CHECK(found.boxes(0, 0) == doctest::Approx(50));
        CHECK(found.boxes(0, 1) == doctest::Approx(60));
        CHECK(found.boxes(0, 2) == doctest::Approx(100));
        CHECK(found.boxes(0, 3) == doctest::Approx(120));
        CHECK(find.class_name(1) == "face");
        CHECK(find.class_name(2) == "class 2");
    }
    SUBCASE("ultraface_raw") {
        const auto find = ocelli::read_detector(golden("pipelines/ultraface_raw_48x64.onnx"), detector_preset::ultraface_raw);
        const auto found = find(image);
        REQUIRE(found.size() == 2);
        // Prior 144: the first cell of 4 x 3, 32 pixels of 64 x 48; shifted by 0.1 and 0.2 of its size, twice as wide, half as
        // high.
        const double cx = 200 * (0.125 + 0.1 * 0.5), cy = 120 * (0.5 / 3 + 0.2 * 32 / 48);
        CHECK(found.boxes(1, 0) == doctest::Approx(cx - 100));
        CHECK(found.boxes(1, 1) == doctest::Approx(cy - 20));
        CHECK(found.boxes(1, 2) == doctest::Approx(cx + 100));
        CHECK(found.boxes(1, 3) == doctest::Approx(cy + 20));
    }
    SUBCASE("fastestdet") {
        const auto find = ocelli::read_detector(golden("pipelines/fastestdet_64x96.onnx"), detector_preset::fastestdet,
                                                {.class_names = {"a", "b", "c"}});
        CHECK(find.input_size() == ocelli::image_size{64, 96});
        const auto found = find(image);
        REQUIRE(found.size() == 1);
        CHECK(find.class_name(found.labels(0)) == "c");
        CHECK(found.scores(0) == doctest::Approx(std::pow(0.9, 0.4)));
        CHECK(found.boxes(0, 0) == 16.0F); // (2 / 6 - 1 / 4) of 200, truncated
        CHECK(found.boxes(0, 1) == 0.0F);
        CHECK(found.boxes(0, 2) == 116.0F);
        CHECK(found.boxes(0, 3) == 60.0F);
    }
    SUBCASE("an open input size is given") {
        CHECK_THROWS_WITH_AS(ocelli::read_detector(golden("pipelines/fastestdet_open.onnx"), detector_preset::fastestdet),
                             "detector: the network leaves the size of its input open: give detector_options::input_size",
                             ocelli::invalid_argument);
        const auto find = ocelli::read_detector(golden("pipelines/fastestdet_open.onnx"), detector_preset::fastestdet,
                                                {.input_size = ocelli::image_size{32, 64}});
        CHECK(find.input_size() == ocelli::image_size{32, 64});
        CHECK(find(image).size() == 1);
    }
}

TEST_CASE("Thresholds replace the preset's") {
    const xt::xtensor<std::uint8_t, 3> image = xt::zeros<std::uint8_t>({120, 200, 3});
    const auto path = golden("pipelines/ultraface_48x64.onnx");
    CHECK(ocelli::read_detector(path, detector_preset::ultraface, {.score_threshold = 0.85})(image).size() == 1);
    CHECK(ocelli::read_detector(path, detector_preset::ultraface, {.score_threshold = 0.15})(image).size() == 3);
}

TEST_CASE("Wrong pictures, inputs, options and networks are refused by name") {
    const auto path = golden("pipelines/ultraface_48x64.onnx");
    const auto find = ocelli::read_detector(path, detector_preset::ultraface);
    using bytes = xt::xtensor<std::uint8_t, 3>;
    CHECK_THROWS_WITH_AS(find(bytes::from_shape({8, 8, 1})), "detector: image must have shape (H, W, 3), got (8, 8, 1)",
                         ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(find(bytes::from_shape({0, 8, 3})), "detector: image must have shape (H, W, 3), got (0, 8, 3)",
                         ocelli::invalid_argument);
    const auto wrong_input = xt::xtensor<float, 4>::from_shape({1, 3, 64, 48});
    CHECK_THROWS_WITH_AS(find.detect(wrong_input, {10, 10}),
                         "detector: input must have shape (1, 3, 48, 64), got (1, 3, 64, 48)", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_detector(path, detector_preset::ultraface, {.score_threshold = 2.0}),
                         "detector: score_threshold must be in [0, 1], got 2", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_detector(path, detector_preset::ultraface, {.iou_threshold = -1.0}),
                         "detector: iou_threshold must be in [0, 1], got -1", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_detector(path, detector_preset::fastestdet),
                         "detector: preset fastestdet needs a network with 1 output, this one has 2", ocelli::invalid_argument);
    CHECK_THROWS_WITH_AS(ocelli::read_detector(path, detector_preset::ultraface, {.input_size = ocelli::image_size{0, 64}}),
                         "detector: the input must be 1 to 65536 pixels high and wide, got 0 x 64", ocelli::invalid_argument);
    CHECK_THROWS_AS(ocelli::read_detector("absent.onnx", detector_preset::ultraface), ocelli::io_error);
}

} // namespace
