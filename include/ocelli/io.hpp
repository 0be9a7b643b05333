#pragma once

/// @file
/// Files: .npy arrays, safetensors weights and, where stb's headers are installed, images.
///
/// Without stb this header gives everything but images; <ocelli/io/image.hpp> itself then says what to install.

#include <ocelli/io/npy.hpp>
#include <ocelli/io/safetensors.hpp>
#if __has_include(<stb/stb_image.h>) || __has_include(<stb_image.h>)
#    if __has_include(<ocelli/io/image.hpp>)
#        include <ocelli/io/image.hpp>
#    endif
#endif
