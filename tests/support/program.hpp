#pragma once

// Running one of the example programs.

#include "support/fixtures.hpp"

#include <ocelli/core/error.hpp>

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace ocelli_test {

/// What a program ended with, and what it printed to both streams.
struct ended {
    int status = -1;
    std::string text;
    bool says(const std::string& part) const {
        INFO("the program printed: ", text);
        const bool found = text.find(part) != std::string::npos;
        CHECK(found);
        return found;
    }
};

/// An example program, by its name.
class program {
public:
    explicit program(const std::string& name) : path_(std::string(OCELLI_PROGRAMS_DIR) + "/" + name) {}

    /// Whether it is there; where it is not, the case counts as skipped.
    bool built() const {
        if (std::filesystem::exists(path_)) return true;
        skip("the examples are not built: " + path_);
        return false;
    }

    ended run(const std::string& arguments) const {
        ended e;
        std::FILE* pipe = popen(ocelli::detail::concat("'", path_, "' ", arguments, " 2>&1").c_str(), "r");
        REQUIRE(pipe != nullptr);
        std::array<char, 4096> part{};
        while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) e.text.append(part.data(), n);
        const int status = pclose(pipe);
        e.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return e;
    }

private:
    std::string path_;
};

}  // namespace ocelli_test
