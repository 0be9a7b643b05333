// The program segment: on its own scenes, and on pictures with other networks.
#include "support/program.hpp"

#include <ocelli/core/error.hpp>
#include <ocelli/io/image.hpp>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

namespace fs = std::filesystem;
using ocelli::detail::concat;

const ocelli_test::program program("segment");

/// A folder that is empty now.
fs::path fresh(const std::string& name) {
    const auto path = fs::temp_directory_path() / ("ocelli_segment_test_" + name);
    fs::remove_all(path);
    return path;
}

TEST_CASE("Scenes are labelled, compared with the truth and drawn") {
    if (!program.built()) return;
    const auto out = fresh("scenes");
    const auto e = program.run(concat("--scenes 4 --pictures 2 --out '", out.string(), "'"));
    INFO(e.text);
    CHECK(e.status == 0);
    const auto mean = e.text.find("\nmean ");
    REQUIRE(mean != std::string::npos);
    double before = 0, after = 0, quality = 0;
    REQUIRE(std::sscanf(e.text.c_str() + mean, " mean %lf %lf %lf", &before, &after, &quality) == 3);
    CHECK(before >= 0.7);
    CHECK(after > before);
    CHECK(quality > 0.5);
    for (const std::string kind : {"", "_segments", "_instances", "_panoptic"}) {
        const auto image = ocelli::read_image((out / ("scene_002" + kind + ".png")).string());
        CHECK(image.shape(0) == (kind.empty() ? 192 : 576));
        CHECK_FALSE(fs::exists(out / ("scene_003" + kind + ".png")));
    }
}

TEST_CASE("A street is labelled with the espnet preset, with and without the CRF") {
    const auto dir = ocelli_test::fixture("espnet");
    if (dir.empty() || !program.built()) return;
    const auto out = fresh("street");
    for (const std::string crf : {"", " --crf"}) {
        const auto e = program.run(concat("'", dir, "/street.png' --model '", dir,
                                  "/espnet_p2_q8_cityscapes.onnx' --preset espnet --out '", out.string(), "'", crf));
        INFO(e.text);
        CHECK(e.status == 0);
        CHECK(e.text.find("road ") != std::string::npos);
        CHECK(e.text.find("vegetation ") != std::string::npos);
        CHECK(ocelli::read_image((out / "street_segments.png").string()).shape(0) == 375);
        CHECK(fs::exists(out / "street_panoptic.png"));
    }
}

TEST_CASE("Any network runs with names, mean and deviation given") {
    if (!program.built()) return;
    const auto out = fresh("any");
    fs::create_directories(out);
    ocelli::write_image((out / "red.png").string(), xt::xtensor<std::uint8_t, 3>({{{255, 0, 0}}}));
    const auto model = ocelli_test::golden("pipelines/segment_colours.onnx");
    const auto e =
        program.run(concat("'", (out / "red.png").string(), "' --model '", model,
                   "' --classes r,g,b --mean 0.5 --std 0.5,0.5,0.5 --size 32,64 --output chances --out '", out.string(), "'"));
    INFO(e.text);
    CHECK(e.status == 0);
    CHECK(e.text.find(" r 100.0 %") != std::string::npos);
    CHECK(fs::exists(out / "red_segments.png"));
}

TEST_CASE("What does not fit together is said") {
    if (!program.built()) return;
    const auto out = fresh("wrong");
    const auto preset = program.run(concat("--preset espnet --out '", out.string(), "'"));
    CHECK(preset.status != 0);
    CHECK(preset.text.find("scenes are for the bundled network") != std::string::npos);
    const auto absent = program.run("absent.png");
    CHECK(absent.status != 0);
}

} // namespace
