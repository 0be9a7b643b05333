#pragma once

// Where tests find reference data: golden files in the repository, and the optional folder of real networks and photographs.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

namespace ocelli_test {

/// Set when a case was skipped; the program then ends with 77 (CTest: skipped) unless something failed.
inline bool& any_skipped() {
    static bool skipped = false;
    return skipped;
}

/// Says on the console that a case did not run, and why.
inline void skip(const std::string& why) {
    any_skipped() = true;
    std::cout << "[skipped] " << why << std::endl;
}

/// tests/golden/<name>
inline std::string golden(const std::string& name) {
    return (std::filesystem::path(OCELLI_GOLDEN_DIR) / name).string();
}

/// The folder of OCELLI_FIXTURES, or shared/fixtures beside the checkout; empty where there is none.
inline std::filesystem::path fixtures_dir() {
    if (const char* set = std::getenv("OCELLI_FIXTURES")) return std::filesystem::is_directory(set) ? set : "";
    const auto beside = std::filesystem::path(OCELLI_SOURCE_DIR) / ".." / "shared" / "fixtures";
    return std::filesystem::is_directory(beside) ? beside : std::filesystem::path();
}

/// A path in the fixtures folder; empty, and the case counted as skipped, where the folder is absent.
inline std::string fixture(const std::string& name) {
    const auto dir = fixtures_dir();
    if (dir.empty()) {
        skip("fixtures folder absent: " + name);
        return "";
    }
    return (dir / name).string();
}

}  // namespace ocelli_test
