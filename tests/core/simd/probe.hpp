#pragma once

// What the kernels of probe.kernel.hpp tell of the target they are compiled for.

#include <cstddef>

#define OCELLI_TEST_TEXT2(x) #x
#define OCELLI_TEST_TEXT(x) OCELLI_TEST_TEXT2(x)

namespace ocelli::detail {

struct target_probe {
    const char* target;  ///< OCELLI_TARGET
    int level;           ///< OCELLI_TARGET_LEVEL
    std::size_t bytes;   ///< of a vector
    float (*dot)(const float* a, const float* b, std::size_t n);
};

}  // namespace ocelli::detail
