// A program with its own copy of stb's functions, compiled with its own settings, in the same translation unit as ours;
// header-only, whatever the other tests link.
#undef OCELLI_COMPILED

#define STBI_MAX_DIMENSIONS 100
#define STBI_MALLOC(bytes) counting_malloc(bytes)
#define STBI_REALLOC(block, bytes) std::realloc(block, bytes)
#define STBI_FREE(block) std::free(block)

#include <cstddef>
#include <cstdlib>

static int user_allocations = 0;
static void* counting_malloc(std::size_t bytes) {
    ++user_allocations;
    return std::malloc(bytes);
}

#if __has_include(<stb/stb_image.h>)
#    include <stb/stb_image.h>
#else
#    include <stb_image.h>
#endif

#include <ocelli/io/image.hpp>

#if defined(__GNUC__)
#    pragma GCC diagnostic ignored "-Wconversion"
#    pragma GCC diagnostic ignored "-Wsign-conversion"
#    pragma GCC diagnostic ignored "-Wshadow"
#    pragma GCC diagnostic ignored "-Wunused-function"
#    pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#    pragma GCC diagnostic ignored "-Wpedantic"
#    pragma GCC diagnostic ignored "-Wextra"
#endif
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#if __has_include(<stb/stb_image.h>)
#    include <stb/stb_image.h>
#    include <stb/stb_image_write.h>
#else
#    include <stb_image.h>
#    include <stb_image_write.h>
#endif

#include "support/fixtures.hpp"

TEST_CASE("a program's own stb keeps its settings beside Ocelli's") {
    const auto wide = xt::xtensor<std::uint8_t, 2>({2, 150}, 7);
    const auto png = ocelli::encode_image(wide, ocelli::image_format::png);
    CHECK(ocelli::read_image(std::span(png)).shape()[1] == 150); // Ocelli's copy has not heard of the user's limit
    CHECK(user_allocations == 0);
    int width = 0, height = 0, channels = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(png.data());
    CHECK(stbi_load_from_memory(bytes, static_cast<int>(png.size()), &width, &height, &channels, 0) == nullptr);
    const auto small = ocelli::encode_image(xt::xtensor<std::uint8_t, 2>({2, 50}, 7), ocelli::image_format::png);
    stbi_uc* pixels = stbi_load_from_memory(reinterpret_cast<const unsigned char*>(small.data()),
                                            static_cast<int>(small.size()), &width, &height, &channels, 0);
    CHECK(pixels != nullptr);
    CHECK(width == 50);
    CHECK(user_allocations > 0);
    stbi_image_free(pixels);
}
