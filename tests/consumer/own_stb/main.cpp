// Both before and after Ocelli's header, the user's declarations of stb stay usable.
#if __has_include(<stb/stb_image.h>)
#    include <stb/stb_image.h>
#else
#    include <stb_image.h>
#endif
#include <ocelli/io/image.hpp>

#include <cstdio>
#include <vector>

int own_write(unsigned char* pixels, int w, int h);

int main() {
    std::vector<unsigned char> pixels(5 * 4 * 3);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<unsigned char>(i);
    if (own_write(pixels.data(), 5, 4) == 0) return 1;
    int w = 0, h = 0, c = 0;
    unsigned char* theirs = stbi_load("own.png", &w, &h, &c, 3);
    const auto ours = ocelli::read_image("own.png");
    bool same = theirs && w == 5 && h == 4 && ours.shape()[0] == 4 && ours.shape()[1] == 5 && ours.shape()[2] == 3;
    for (std::size_t i = 0; same && i < pixels.size(); ++i) same = theirs[i] == pixels[i] && ours.data()[i] == pixels[i];
    stbi_image_free(theirs);
    std::printf("%s\n", same ? "ok" : "wrong");
    return same ? 0 : 1;
}
