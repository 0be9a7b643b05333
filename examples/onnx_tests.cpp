// Runs the operator tests of the ONNX project against the engine.
//
//     onnx_tests FOLDER [--only text] [--quiet]
//
// FOLDER (or any folder below it) holds model.onnx and test_data_set_k/{input,output}_i.pb. Prints a line for each failure, then
// passed / total for each operator. Ends with 1 when a test fails whose operators the engine claims to have.
#include "onnx_tests/operator_test.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <map>
#include <string>

int main(int argc, char** argv) {
    CLI::App app("Runs ONNX's operator tests");
    std::string folder, only;
    bool quiet = false;
    app.add_option("folder", folder, "folder with tests at any depth")->required()->check(CLI::ExistingDirectory);
    app.add_option("--only", only, "run tests whose path contains this text");
    app.add_flag("--quiet", quiet, "leave out the lines for tests that need operators which the engine does not have");
    CLI11_PARSE(app, argc, argv);

    try {
        const auto run = [](const ocelli::nn::graph& g, const ocelli::nn::named_tensors& feeds) { return ocelli::nn::evaluate(g, feeds); };
        const auto results = onnx_tests::run_all(folder, run, only);
        struct count {
            int passed = 0, unsupported = 0, total = 0;
        };
        std::map<std::string, count> by_operator;
        count all;
        int broken = 0;
        for (const auto& r : results) {
            for (count* c : {&by_operator[r.op], &all}) {
                c->total += 1;
                c->passed += r.what == onnx_tests::outcome::passed;
                c->unsupported += r.what == onnx_tests::outcome::unsupported;
            }
            const bool unclaimed = r.what == onnx_tests::outcome::unsupported && !r.claimed;
            broken += r.what != onnx_tests::outcome::passed && !unclaimed;
            if (r.what == onnx_tests::outcome::failed) std::printf("FAILED      %s: %s\n", r.test.c_str(), r.message.c_str());
            if (r.what == onnx_tests::outcome::unsupported && !(quiet && unclaimed))
                std::printf("UNSUPPORTED %s: %s\n", r.test.c_str(), r.message.c_str());
        }
        std::printf("\n%-28s %6s  %5s\n", "operator", "passed", "total");
        for (const auto& [op, c] : by_operator)
            std::printf("%-28s %6d  %5d%s\n", op.c_str(), c.passed, c.total,
                        c.passed == c.total                 ? ""
                        : c.passed + c.unsupported == c.total ? "  (others unsupported)"
                                                              : "  <- failures");
        std::printf("\n%d of %d passed, %d failed, %d unsupported; %d not passed although the engine has their operators\n", all.passed,
                    all.total, all.total - all.passed - all.unsupported, all.unsupported, broken);
        return broken == 0 && !results.empty() ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "onnx_tests: %s\n", e.what());
        return 2;
    }
}
