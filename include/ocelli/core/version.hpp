#pragma once

/// @file
/// The library's version, for the preprocessor and for programs.

#define OCELLI_VERSION_MAJOR 0
#define OCELLI_VERSION_MINOR 1
#define OCELLI_VERSION_PATCH 0

namespace ocelli {

/// The version of these headers as "major.minor.patch".
constexpr const char* version() noexcept {
    return "0.1.0";
}

}  // namespace ocelli
