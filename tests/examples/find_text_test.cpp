// The program find_text: with a network whose answer one can see, and without one.
#include "support/program.hpp"

#include <ocelli/core/error.hpp>
#include <ocelli/io/image.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;
using ocelli::detail::concat;

const ocelli_test::program program("find_text");

TEST_CASE("A bright bar is found, drawn and noted") {
    if (!program.built()) return;
    const auto out = fs::temp_directory_path() / "ocelli_find_text_test";
    fs::create_directories(out);
    xt::xtensor<std::uint8_t, 3> image({64, 160, 3}, std::uint8_t{0});
    for (std::size_t y = 24; y < 38; ++y)
        for (std::size_t x = 30; x < 120; ++x)
            for (std::size_t k = 0; k < 3; ++k) image(y, x, k) = 255;
    const auto photo = (out / "bar.png").string();
    ocelli::write_image(photo, image);
    const auto e = program.run(concat("'", photo, "' --model '", ocelli_test::golden("pipelines/text_mean.onnx"), "' --out '",
                                      out.string(), "' --json '", (out / "bar.json").string(), "'"));
    INFO(e.text);
    CHECK(e.status == 0);
    CHECK(e.text.find("bar.png: 1 pieces of text") != std::string::npos);
    CHECK(ocelli::read_image((out / "bar_text.png").string()).shape(1) == 320);
    const auto found = nlohmann::json::parse(std::ifstream(out / "bar.json"));
    REQUIRE(found.size() == 1);
    CHECK(found[0]["corners"].size() == 4);
    CHECK(found[0]["corners"][0][0].get<double>() < 30);
    CHECK(found[0]["score"].get<double>() > 0.9);
}

TEST_CASE("Without a network the program says where it comes from") {
    if (!program.built()) return;
    const auto e = program.run("--model /nowhere/net.onnx");
    CHECK(e.status == 1);
    CHECK(e.text.find("no network at /nowhere/net.onnx: tools/get_models fetches it, or name one: --model net.onnx") !=
          std::string::npos);
}

} // namespace
