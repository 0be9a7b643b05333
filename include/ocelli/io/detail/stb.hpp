#pragma once

/// @file
/// Our private copy of stb_image and stb_image_write: everything in it is static and in a namespace, its macros do not leave
/// this file, and its memory has a ceiling. OCELLI_STB(f) names function f, of this copy or with OCELLI_STB_EXTERNAL of the
/// program's.

#include <cstddef>
#include <cstdlib>

// What stb includes must be known before it is included within a namespace.
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__) || defined(_M_X64)
#    include <emmintrin.h>
#endif
#if defined(_MSC_VER)
#    include <intrin.h>
#endif

#if defined(OCELLI_STB_EXTERNAL)

#    if __has_include(<stb/stb_image.h>)
#        include <stb/stb_image.h>
#        include <stb/stb_image_write.h>
#    else
#        include <stb_image.h>
#        include <stb_image_write.h>
#    endif
#    define OCELLI_STB(function) (::function)

#else

namespace ocelli::detail {

/// The largest block the decoder may ask for on this thread: a few kilobytes of file can promise gigabytes.
inline std::size_t& stb_largest_block() noexcept {
    thread_local std::size_t bytes = 0;
    return bytes;
}
// Zeros: stb reads tables that a broken file has not filled.
inline void* stb_allocate(std::size_t bytes) noexcept {
    return bytes <= stb_largest_block() ? std::calloc(1, bytes) : nullptr;
}
inline void* stb_reallocate(void* block, std::size_t bytes) noexcept {
    return bytes <= stb_largest_block() ? std::realloc(block, bytes) : nullptr;
}

} // namespace ocelli::detail

#    include <ocelli/io/detail/stb_begin.hpp>
#    define STB_IMAGE_IMPLEMENTATION
#    define STB_IMAGE_STATIC
#    define STBI_ONLY_JPEG
#    define STBI_ONLY_PNG
#    define STBI_NO_STDIO
#    define STBI_NO_LINEAR
#    define STBI_NO_HDR
#    define STBI_ASSERT(condition) ((void)0) // broken files must not end the program
#    define STBI_MALLOC(bytes) ::ocelli::detail::stb_allocate(bytes)
#    define STBI_REALLOC(block, bytes) ::ocelli::detail::stb_reallocate(block, bytes)
#    define STBI_FREE(block) ::std::free(block)
#    define STB_IMAGE_WRITE_IMPLEMENTATION
#    define STB_IMAGE_WRITE_STATIC
#    define STBI_WRITE_NO_STDIO
#    if defined(__clang__)
#        pragma clang diagnostic push
#        pragma clang diagnostic ignored "-Weverything"
// stb rotates by 0 as a shift by 32 and lets sums of coefficients wrap. What is not memory safe stays checked.
#        pragma clang attribute push(__attribute__((no_sanitize("shift", "signed-integer-overflow"))), apply_to = function)
#    elif defined(__GNUC__)
#        pragma GCC diagnostic push
#        pragma GCC diagnostic ignored "-Wunused-function"
#        pragma GCC diagnostic ignored "-Wunused-parameter"
#        pragma GCC diagnostic ignored "-Wconversion"
#        pragma GCC diagnostic ignored "-Wsign-conversion"
#        pragma GCC diagnostic ignored "-Wsign-compare"
#        pragma GCC diagnostic ignored "-Wshadow"
#        pragma GCC diagnostic ignored "-Wold-style-cast"
#        pragma GCC diagnostic ignored "-Wcast-qual"
#        pragma GCC diagnostic ignored "-Wuseless-cast"
#        pragma GCC diagnostic ignored "-Wdouble-promotion"
#        pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#        pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#        pragma GCC diagnostic ignored "-Wpedantic"
#    elif defined(_MSC_VER)
#        pragma warning(push, 0)
#    endif
namespace ocelli::detail::stb {
#    if __has_include(<stb/stb_image.h>)
#        include <stb/stb_image.h>
#        include <stb/stb_image_write.h>
#    else
#        include <stb_image.h>
#        include <stb_image_write.h>
#    endif
} // namespace ocelli::detail::stb
#    if defined(__clang__)
#        pragma clang attribute pop
#        pragma clang diagnostic pop
#    elif defined(__GNUC__)
#        pragma GCC diagnostic pop
#    elif defined(_MSC_VER)
#        pragma warning(pop)
#    endif
#    include <ocelli/io/detail/stb_end.hpp>
#    define OCELLI_STB(function) (::ocelli::detail::stb::function)

#endif
