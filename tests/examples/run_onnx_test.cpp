// The program run_onnx on the bundled detector: what it saves is what the library computes, and wrong feeds are told.
#include "support/program.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/nn/session.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
namespace nn = ocelli::nn;
using ocelli::detail::concat;
using ocelli_test::ended;

const ocelli_test::program program("run_onnx");
const std::string model = std::string(OCELLI_EXAMPLES_DIR) + "/models/scene_detector.onnx";

// Runs the program on the detector; what it prints to both streams.
ended run(const std::string& arguments) {
    return program.run(concat("'", model, "' ", arguments));
}

fs::path folder() {
    const auto path = fs::temp_directory_path() / "ocelli_run_onnx_test";
    fs::create_directories(path);
    return path;
}

std::string bytes_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

xt::xtensor<float, 4> picture() {
    xt::xtensor<float, 4> x = xt::zeros<float>({1, 3, 192, 256});
    for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i * 2654435761u % 1000) / 1000.0f;
    return x;
}

}  // namespace

TEST_CASE("run_onnx saves what the library computes from the same array") {
    if (!program.built()) return;
    const auto x = picture();
    const auto in = folder() / "in.npy", out = folder() / "out";
    fs::remove_all(out);
    ocelli::write_npy(in.string(), x);
    const ended e = run(concat("--input 'image=", in.string(), "' --save '", out.string(), "' --repeat 2 --threads 2"));
    INFO(e.text);
    REQUIRE(e.status == 0);
    e.says("input  image: float32 (N, 3, 192, 256)");
    e.says("output logits: float32 (N, 6, 24, 32)");
    e.says("loaded in ");
    e.says("2 runs: median ");
    const nn::session net(nn::read_onnx(model));
    const auto expected = net.run({{"image", x}});
    for (const char* name : {"logits", "sides"}) {
        CAPTURE(name);
        const auto saved = ocelli::read_npy<float, 4>((out / (std::string(name) + ".npy")).string());
        const auto direct = expected[name].as<float, 4>();
        REQUIRE(saved.shape() == direct.shape());
        CHECK(std::memcmp(saved.data(), direct.data(), saved.size() * sizeof(float)) == 0);
    }
}

TEST_CASE("random inputs are the same in every run, in the shape asked for") {
    if (!program.built()) return;
    const auto first = folder() / "first", second = folder() / "second";
    CHECK(run(concat("--shape image=2,3,192,256 --repeat 0 --save '", first.string(), "'")).says("random float32 (2, 3, 192, 256)"));
    CHECK(run(concat("--shape image=2x3x192x256 --repeat 0 --threads 1 --save '", second.string(), "'")).status == 0);
    CHECK(bytes_of(first / "logits.npy") == bytes_of(second / "logits.npy"));
    CHECK(ocelli::read_npy<float, 4>((first / "logits.npy").string()).shape()[0] == 2);
    CHECK(run("--repeat 0").says("unknown extents taken as 1"));
}

TEST_CASE("--profile gives a line for each node that takes time") {
    if (!program.built()) return;
    const ended e = run("--repeat 1 --profile");
    CHECK(e.status == 0);
    e.says("stem.1.conv");
    e.says("GFLOP/s");
}

TEST_CASE("wrong feeds and options end the program with a message") {
    if (!program.built()) return;
    const auto refused = [](const std::string& arguments, const std::string& message) {
        CAPTURE(arguments);
        const ended e = run(arguments);
        CHECK(e.status == 1);
        e.says(message);
    };
    const std::string in = (folder() / "wrong.npy").string();
    ocelli::write_npy(in, xt::xtensor<float, 2>{{1, 2}, {3, 4}});
    refused(concat("--input 'images=", in, "'"), "the model has no input 'images'; it has 'image'");
    refused(concat("--input 'image=", in, "'"), "must have shape (N, 3, 192, 256), got (2, 2)");
    refused(concat("--input 'image=", in, "' --shape image=1,3,192,256"), "'image' has both --input and --shape");
    refused(concat("--input 'image=", in, "' --input 'image=", in, "'"), "--input names 'image' twice");
    ocelli::write_npy(in, xt::xtensor<double, 4>(xt::zeros<double>({1, 3, 192, 256})));
    refused(concat("--input 'image=", in, "'"), "float64");
    refused("--input image=/does/not/exist.npy", "/does/not/exist.npy");
    std::ofstream(in, std::ios::trunc) << "not an array";
    refused(concat("--input 'image=", in, "'"), in);
    refused("--input image", "--input takes NAME=VALUE, got 'image'");
    refused("--shape image=1,x", "--shape takes extents as 1,3,224,224");
    refused("--shape imago=1", "the model has no input 'imago'");
}
