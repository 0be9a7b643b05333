#pragma once

/// @file
/// The functions of core/detail/activation.kernel.hpp, for the kernel files included after this one.

#include <ocelli/core/config.hpp>

#define OCELLI_KERNEL_FILE <ocelli/core/detail/activation.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>
