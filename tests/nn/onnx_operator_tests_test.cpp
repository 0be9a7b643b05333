// The operator tests of the ONNX project: every operator that the registry claims passes all of its vectors.
#include "onnx_tests/operator_test.hpp"
#include "support/fixtures.hpp"

#include <ocelli/nn/session.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

// The folder of the unpacked archive, among the temporary files; empty where the fixtures are absent.
std::filesystem::path unpacked() {
    const std::string archive = ocelli_test::fixture("onnx_tests/onnx_tests.tar.gz");
    if (archive.empty()) return {};
    const auto folder = std::filesystem::temp_directory_path() / "ocelli_onnx_operator_tests";
    std::filesystem::create_directories(folder);
    const std::string command = "tar xzf '" + archive + "' -C '" + folder.string() + "'";
    REQUIRE_MESSAGE(std::system(command.c_str()) == 0, command);
    return folder;
}

ocelli::nn::named_tensors reference(const ocelli::nn::graph& g, const ocelli::nn::named_tensors& feeds) {
    return ocelli::nn::evaluate(g, feeds);
}

}  // namespace

TEST_CASE("an operator that the engine has passes all of ONNX's tests for it, another is refused when the model is read") {
    const auto folder = unpacked();
    if (folder.empty()) return;
    const auto results = onnx_tests::run_all(folder, reference);
    CHECK(results.size() == 749);
    int passed = 0;
    for (const auto& r : results) {
        CAPTURE(r.test);
        CAPTURE(r.op);
        CAPTURE(r.message);
        CHECK(r.what == (r.claimed ? onnx_tests::outcome::passed : onnx_tests::outcome::unsupported));
        passed += r.what == onnx_tests::outcome::passed;
    }
    MESSAGE(passed << " of " << results.size() << " passed");
}

TEST_CASE("sessions, with their passes and kernels, pass the same tests") {
    const auto folder = unpacked();
    if (folder.empty()) return;
    const auto by_session = [](const ocelli::nn::graph& g, const ocelli::nn::named_tensors& feeds) { return ocelli::nn::session(g).run(feeds); };
    for (const auto& r : onnx_tests::run_all(folder, by_session)) {
        CAPTURE(r.test);
        CAPTURE(r.op);
        CAPTURE(r.message);
        CHECK(r.what == (r.claimed ? onnx_tests::outcome::passed : onnx_tests::outcome::unsupported));
    }
}

TEST_CASE("a folder without tests gives no results, and a damaged model a failure with a message") {
    namespace fs = std::filesystem;
    const auto folder = fs::temp_directory_path() / "ocelli_onnx_operator_tests_damaged";
    fs::create_directories(folder / "test_x" / "test_data_set_0");
    fs::remove(folder / "test_x" / "model.onnx");
    CHECK(onnx_tests::run_all(folder, reference).empty());
    std::ofstream(folder / "test_x" / "model.onnx") << "not a model";
    const auto results = onnx_tests::run_all(folder, reference);
    REQUIRE(results.size() == 1);
    CHECK(results[0].what == onnx_tests::outcome::failed);
    CHECK(!results[0].message.empty());
}
