#include "support/fixtures.hpp"

#include <ocelli/io/image.hpp>
#include <ocelli/io/npy.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

using namespace ocelli;
using ocelli_test::golden;

namespace {

std::string file_of(const std::string& name) {
    return golden("io/image/" + name);
}

template <class A, class B>
int largest_difference(const A& a, const B& b) {
    REQUIRE(std::equal(a.shape().begin(), a.shape().end(), b.shape().begin(), b.shape().end()));
    int largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::abs(static_cast<int>(a.data()[i]) - static_cast<int>(b.data()[i])));
    return largest;
}

std::string message_of(std::span<const std::byte> file, const read_image_options& options = {}) {
    try {
        (void)read_image(file, options);
    } catch (const format_error& e) {
        return e.what();
    }
    return "";
}

// Makes a file wrong in one byte, and its chunk's checksum right again where asked.
std::vector<std::byte> changed(std::vector<std::byte> file, std::size_t at, int value) {
    file[at] = static_cast<std::byte>(value);
    return file;
}

} // namespace

TEST_CASE("read_image reads every kind of PNG as cv2.imread(IMREAD_COLOR)") {
    for (const std::string name : {"grey1", "grey2", "grey4", "grey8", "grey16", "rgb8", "rgb16", "grey_alpha8", "grey_alpha16",
                                   "rgba8", "rgba16", "rgb8_interlaced", "rgba16_interlaced", "palette1", "palette2",
                                   "palette4", "palette8", "palette_alpha", "rgb_transparent"}) {
        CAPTURE(name);
        CHECK(largest_difference(read_image(file_of(name + ".png")),
                                 read_npy<std::uint8_t, 3>(file_of(name + ".png.rgb.npy"))) == 0);
    }
}

TEST_CASE("read_image reads JPEG within 3 levels of libjpeg") {
    for (const std::string name : {"plain", "half_chroma", "progressive", "grey", "cmyk"}) {
        CAPTURE(name);
        CHECK(largest_difference(read_image(file_of(name + ".jpg")),
                                 read_npy<std::uint8_t, 3>(file_of(name + ".jpg.rgb.npy"))) <= 3);
    }
}

TEST_CASE("read_image applies the orientation of JPEG and PNG files as cv2.imread does") {
    for (int orientation = 1; orientation <= 8; ++orientation) {
        const std::string name = "oriented" + std::to_string(orientation) + ".jpg";
        CAPTURE(name);
        CHECK(read_image_info(file_of(name)).orientation == orientation);
        CHECK(largest_difference(read_image(file_of(name)), read_npy<std::uint8_t, 3>(file_of(name + ".rgb.npy"))) <= 3);
        CHECK(read_image(file_of(name), {.apply_orientation = false}) == read_image(file_of("plain.jpg")));
    }
    CHECK(largest_difference(read_image(file_of("rgb_oriented6.png")),
                             read_npy<std::uint8_t, 3>(file_of("rgb_oriented6.png.rgb.npy"))) == 0);
}

TEST_CASE("read_image gives channels as asked") {
    for (const std::string name : {"rgba8", "grey_alpha8", "palette_alpha", "rgb_transparent", "grey8"}) {
        CAPTURE(name);
        const auto rgba = read_image(file_of(name + ".png"), {.mode = colour_mode::rgba});
        CHECK(largest_difference(rgba, read_npy<std::uint8_t, 3>(file_of(name + ".png.rgba.npy"))) == 0);
        const auto bgra = read_image(file_of(name + ".png"), {.mode = colour_mode::bgra});
        const auto bgr = read_image(file_of(name + ".png"), {.mode = colour_mode::bgr});
        bool swapped = true;
        for (std::size_t y = 0; y < 9; ++y)
            for (std::size_t x = 0; x < 13; ++x)
                for (std::size_t c = 0; c < 3; ++c)
                    swapped = swapped && bgra(y, x, c) == rgba(y, x, 2 - c) && bgr(y, x, c) == rgba(y, x, 2 - c) &&
                              bgra(y, x, 3) == rgba(y, x, 3);
        CHECK(swapped);
    }
    const auto channels = [](const std::string& name) {
        return read_image(file_of(name), {.mode = colour_mode::unchanged}).shape()[2];
    };
    CHECK(channels("grey16.png") == 1);
    CHECK(channels("grey_alpha8.png") == 2);
    CHECK(channels("palette4.png") == 3);
    CHECK(channels("palette_alpha.png") == 4);
    CHECK(channels("rgb_transparent.png") == 4);
    CHECK(channels("rgba16_interlaced.png") == 4);
    CHECK(channels("grey.jpg") == 1);
    CHECK(channels("cmyk.jpg") == 3);
    const auto grey = read_image(file_of("rgb8.png"), {.mode = colour_mode::grey});
    CHECK(largest_difference(grey, read_npy<std::uint8_t, 3>(file_of("rgb8.png.grey.npy"))) == 0);
    CHECK(read_image(file_of("grey8.png"), {.mode = colour_mode::grey}) ==
          read_image(file_of("grey8.png"), {.mode = colour_mode::unchanged}));
}

TEST_CASE("read_image16 keeps all bits of a 16-bit PNG and widens bytes by 257") {
    for (const std::string name : {"grey16", "rgb16", "rgba16", "rgba16_interlaced"}) {
        CAPTURE(name);
        const auto deep = read_image16(file_of(name + ".png"), {.mode = colour_mode::unchanged});
        CHECK(largest_difference(deep, read_npy<std::uint16_t, 3>(file_of(name + ".png.deep.npy"))) == 0);
        CHECK(read_image_info(file_of(name + ".png")).bits == 16);
    }
    const auto grey = read_image16(file_of("rgb16.png"), {.mode = colour_mode::grey});
    CHECK(largest_difference(grey, read_npy<std::uint16_t, 3>(file_of("rgb16.png.grey.npy"))) == 0);
    const auto bytes = read_image(file_of("rgb8.png"));
    const auto wide = read_image16(file_of("rgb8.png"));
    bool equal = true;
    for (std::size_t i = 0; i < bytes.size(); ++i) equal = equal && wide.data()[i] == bytes.data()[i] * 257;
    CHECK(equal);
}

TEST_CASE("read_image_info tells size, channels and bits without decoding") {
    const auto info = read_image_info(file_of("palette_alpha.png"));
    CHECK(info.format == image_format::png);
    CHECK(info.width == 13);
    CHECK(info.height == 9);
    CHECK(info.channels == 4);
    CHECK(info.bits == 8);
    CHECK(info.orientation == 1);
    const auto jpeg = read_image_info(file_of("grey.jpg"));
    CHECK(jpeg.format == image_format::jpeg);
    CHECK(jpeg.channels == 1);
}

TEST_CASE("PNG files give back what was written, from an array, a view and a grey plane") {
    const auto picture = read_image(file_of("rgba8.png"), {.mode = colour_mode::unchanged});
    const auto png = encode_image(picture, image_format::png);
    CHECK(read_image(std::span(png), {.mode = colour_mode::unchanged}) == picture);
    const std::string path = (std::filesystem::temp_directory_path() / "ocelli_image_test.PNG").string();
    write_image(path, picture, {.bgr = true});
    CHECK(read_image(path, {.mode = colour_mode::bgra}) == picture);
    std::filesystem::remove(path);
    const std::uint8_t plane[] = {0, 50, 100, 150, 200, 250};
    const auto grey = read_image(std::span<const std::byte>(encode_image(view(plane, {2, 3}), image_format::png)),
                                 {.mode = colour_mode::unchanged});
    CHECK(grey == xt::xtensor<std::uint8_t, 3>{{{0}, {50}, {100}}, {{150}, {200}, {250}}});
    CHECK(encode_image(xt::xarray<std::uint8_t>(picture), image_format::png) == png);
}

TEST_CASE("JPEG files are close to what was written, the closer the higher the quality") {
    const auto picture = read_image(file_of("plain.jpg"));
    const auto fine = encode_image(picture, image_format::jpeg, {.quality = 98});
    const auto coarse = encode_image(picture, image_format::jpeg, {.quality = 40});
    CHECK(largest_difference(read_image(std::span(fine)), picture) <= 6);
    CHECK(coarse.size() < fine.size());
    const std::string path = (std::filesystem::temp_directory_path() / "ocelli_image_test.jpeg").string();
    write_image(path, picture);
    CHECK(read_image_info(path).format == image_format::jpeg);
    std::filesystem::remove(path);
}

TEST_CASE("read_image names what is wrong with a file") {
    const auto png = detail::read_file(file_of("rgb8.png"));
    const auto jpeg = detail::read_file(file_of("plain.jpg"));
    CHECK_THROWS_AS(read_image(file_of("absent.png")), io_error);
    CHECK_THROWS_WITH_AS(read_image(file_of("rgb8.png.rgb.npy")),
                         (file_of("rgb8.png.rgb.npy") + ": neither a PNG nor a JPEG file").c_str(), format_error);
    CHECK(message_of({}) == "image: neither a PNG nor a JPEG file");
    CHECK(message_of(std::span(png).first(200)) == "image: a chunk of the PNG file is longer than the file");
    CHECK(message_of(std::span(png).first(36)) == "image: the PNG file ends early");
    CHECK(message_of(changed(png, 60, 0x55)) == "image: a chunk of the PNG file has a wrong checksum");
    CHECK(message_of(changed(png, 12, 'X')) == "image: a chunk of the PNG file has a wrong checksum");
    CHECK(message_of(std::span(jpeg).first(jpeg.size() - 20)) == "image: the JPEG file ends early");
    CHECK(message_of(std::span(jpeg).first(100)) == "image: the JPEG file ends early");
    CHECK(message_of(png, {.max_pixels = 116}) == "image: 13 x 9 pixels are more than the limit of 116");
    CHECK(message_of(png, {.max_pixels = 117}) == "");
    const auto find = [&](int marker) {
        for (std::size_t i = 0;; ++i)
            if (jpeg[i] == std::byte{0xff} && jpeg[i + 1] == static_cast<std::byte>(marker)) return i;
    };
    CHECK(message_of(changed(jpeg, find(0xc0) + 9, 7)).find("image: the JPEG header is broken (") == 0);
    CHECK(message_of(changed(jpeg, find(0xc4) + 5, 255)) == "image: the JPEG file has a broken Huffman table");
    CHECK(message_of(changed(jpeg, find(0xc4) + 4, 2)) == "image: the JPEG file lacks a Huffman table");
    CHECK(message_of(changed(jpeg, find(0xda) + 4, 5)) == "image: the JPEG file has a broken scan");
    auto bomb = jpeg;
    bomb.resize(bomb.size() - 2);
    for (int i = 0; i < 4; ++i) bomb.insert(bomb.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(find(0xda)), jpeg.end() - 2);
    bomb.insert(bomb.end(), jpeg.end() - 2, jpeg.end());
    CHECK(message_of(bomb) == "image: the JPEG file has too many scans");
}

TEST_CASE("read_image survives every truncation and many changed bytes") {
    for (const std::string name : {"rgba16_interlaced.png", "palette_alpha.png", "progressive.jpg", "cmyk.jpg"}) {
        const auto good = detail::read_file(file_of(name));
        for (std::size_t n = 0; n < good.size(); ++n) CHECK(message_of(std::span(good).first(n)) != "");
        for (std::size_t i = 0; i < good.size(); ++i) {
            try {
                (void)read_image(std::span<const std::byte>(changed(good, i, static_cast<int>(i * 37 % 256))));
            } catch (const format_error&) {
            }
        }
    }
}

TEST_CASE("write_image refuses what it cannot write") {
    const auto picture = xt::xtensor<std::uint8_t, 3>::from_shape({2, 3, 3});
    CHECK_THROWS_WITH_AS(write_image("picture.bmp", picture),
                         "write_image: picture.bmp: the name must end in .png, .jpg or .jpeg", invalid_argument);
    CHECK_THROWS_AS(write_image("no/such/folder/picture.png", picture), io_error);
    CHECK_THROWS_WITH_AS(encode_image(picture, image_format::jpeg, {.quality = 0}),
                         "encode_image: quality must lie in [1, 100], got 0", invalid_argument);
    const auto five = xt::xtensor<std::uint8_t, 3>::from_shape({2, 3, 5});
    CHECK_THROWS_WITH_AS(encode_image(five, image_format::png), "encode_image: image must have 1 to 4 channels, got 5",
                         invalid_argument);
    const auto empty = xt::xtensor<std::uint8_t, 2>::from_shape({0, 3});
    CHECK_THROWS_WITH_AS(encode_image(empty, image_format::png), "encode_image: image is empty, its shape is (0, 3, 1)",
                         invalid_argument);
    const auto wide = xt::xtensor<std::uint8_t, 2>::from_shape({1, 70000});
    CHECK_THROWS_WITH_AS(encode_image(wide, image_format::jpeg),
                         "encode_image: JPEG images are written up to 65535 pixels wide and high, got (1, 70000, 1)",
                         invalid_argument);
}
