// The user's own copy, in its own file, with external symbols.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#if __has_include(<stb/stb_image.h>)
#    include <stb/stb_image.h>
#    include <stb/stb_image_write.h>
#else
#    include <stb_image.h>
#    include <stb_image_write.h>
#endif

int own_write(unsigned char* pixels, int w, int h) {
    return stbi_write_png("own.png", w, h, 3, pixels, w * 3);
}
