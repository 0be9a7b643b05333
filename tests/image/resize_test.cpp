#include "support/fixtures.hpp"

#include <ocelli/core/parallel.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>
#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

#include <cmath>
#include <limits>
#include <string>
#include <utility>

using namespace ocelli;
using ocelli_test::golden;

namespace {

struct named_method {
    std::string name;
    resize_method method;
};
// Not structured bindings in the loops: Clang 14 does not let doctest's lambdas capture them.
const named_method methods[] = {
    {"cv_nearest", resize_method::cv_nearest},
    {"cv_nearest_exact", resize_method::cv_nearest_exact},
    {"cv_linear", resize_method::cv_linear},
    {"cv_cubic", resize_method::cv_cubic},
    {"cv_area", resize_method::cv_area},
    {"pil_nearest", resize_method::pil_nearest},
    {"pil_box", resize_method::pil_box},
    {"pil_bilinear", resize_method::pil_bilinear},
    {"pil_hamming", resize_method::pil_hamming},
    {"pil_bicubic", resize_method::pil_bicubic},
    {"pil_lanczos", resize_method::pil_lanczos},
    {"torch_nearest", resize_method::torch_nearest},
    {"torch_nearest_exact", resize_method::torch_nearest_exact},
    {"torch_bilinear", resize_method::torch_bilinear},
    {"torch_bicubic", resize_method::torch_bicubic},
    {"torch_area", resize_method::torch_area},
    {"torch_bilinear_antialias", resize_method::torch_bilinear_antialias},
    {"torch_bicubic_antialias", resize_method::torch_bicubic_antialias},
};

bool nearest(const std::string& name) {
    return name.find("nearest") != std::string::npos;
}

// The largest distance of our results from the packed golden ones, over all sizes.
template <class In, class Golden>
double worst(const std::string& kind, const std::string& name, resize_method method) {
    const auto sizes = read_npy<std::int64_t, 2>(golden("image/sizes.npy"));
    const auto packed = read_npy<Golden, 1>(golden("image/resize_" + name + "_" + kind + ".npy"));
    std::size_t at = 0;
    double largest = 0;
    for (std::size_t i = 0; i < sizes.shape()[0]; ++i) {
        const auto source = read_npy(golden("image/" + kind + std::to_string(sizes(i, 0)) + ".npy"));
        xt::xtensor<In, 3> image;
        if constexpr (std::is_same_v<In, float>) {
            image = xt::cast<float>(source.as<double, 3>());
        } else {
            image = source.as<In, 3>();
        }
        const auto result = resize(image, {sizes(i, 1), sizes(i, 2)}, method);
        REQUIRE(result.shape()[0] == static_cast<std::size_t>(sizes(i, 1)));
        REQUIRE(result.shape()[1] == static_cast<std::size_t>(sizes(i, 2)));
        REQUIRE(result.shape()[2] == 3);
        REQUIRE(at + result.size() <= packed.size());
        for (std::size_t k = 0; k < result.size(); ++k, ++at)
            largest = std::max(largest, std::fabs(static_cast<double>(result.data()[k]) - static_cast<double>(packed(at))));
    }
    REQUIRE(at == packed.size());
    return largest;
}

} // namespace

TEST_CASE("resize gives the bytes of OpenCV, Pillow and PyTorch") {
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        CAPTURE(name);
        const bool near = name == "cv_linear" || name == "cv_cubic" || name == "cv_area" || name == "torch_area";
        CHECK(worst<std::uint8_t, std::uint8_t>("bytes", name, method) <= (near ? 1 : 0));
    }
}

TEST_CASE("resize of floats is within 1e-5 of the references in double") {
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        CAPTURE(name);
        // Both take the same pixels; the golden ones are rounded to float.
        CHECK(worst<float, float>("floats", name, method) <= (nearest(name) ? 1e-7 : 2e-6));
        CHECK(worst<double, float>("floats", name, method) <= (nearest(name) ? 1e-7 : 2e-6));
    }
}

TEST_CASE("nearest methods take the reference's pixel for every pair of extents up to 30") {
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        if (!nearest(name)) continue;
        CAPTURE(name);
        const auto packed = read_npy<std::uint8_t, 1>(golden("image/indices_" + name + ".npy"));
        std::size_t at = 0;
        std::size_t wrong = 0;
        for (std::int64_t a = 1; a <= 30; ++a)
            for (std::int64_t b = 1; b <= 30; ++b) {
                std::vector<std::uint8_t> row(static_cast<std::size_t>(a));
                for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::uint8_t>(i);
                const auto across = resize(view(row.data(), {1, row.size()}), {1, b}, method);
                const auto down = resize(view(row.data(), {row.size(), 1}), {b, 1}, method);
                for (std::int64_t i = 0; i < b; ++i, ++at) {
                    wrong += across(0, i) != packed(at) ? 1 : 0;
                    wrong += down(i, 0) != packed(at) ? 1 : 0;
                }
            }
        CHECK(at == packed.size());
        CHECK(wrong == 0);
    }
}

TEST_CASE("resize to the same size changes nothing") {
    const auto bytes = read_npy<std::uint8_t, 3>(golden("image/bytes0.npy"));
    const auto floats = read_npy<double, 3>(golden("image/floats0.npy"));
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        CAPTURE(name);
        CHECK(resize(bytes, {13, 17}, method) == bytes);
        const auto same = resize(floats, {13, 17}, method);
        double largest = 0;
        for (std::size_t i = 0; i < same.size(); ++i) largest = std::max(largest, std::fabs(same.data()[i] - floats.data()[i]));
        CHECK(largest <= 1e-15);
    }
}

TEST_CASE("resize keeps a constant image constant and bytes within their range") {
    const xt::xtensor<std::uint8_t, 2> white({9, 11}, 255);
    xt::xtensor<std::uint8_t, 2> stripes({12, 12}, 0);
    for (std::size_t y = 0; y < 12; ++y)
        for (std::size_t x = 0; x < 12; x += 3) stripes(y, x) = 255;
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        CAPTURE(name);
        for (const image_size size : {image_size{3, 4}, image_size{20, 31}, image_size{4, 31}})
            CHECK(resize(white, size, method) ==
                  xt::xtensor<std::uint8_t, 2>({static_cast<std::size_t>(size.height), static_cast<std::size_t>(size.width)},
                                               255));
        (void)resize(stripes, {17, 23}, method); // overshoot is clamped: sanitizers would tell
    }
}

TEST_CASE("resize takes (H, W), any number of channels, views, column-major arrays, Eigen and lazy expressions") {
    const auto bytes = read_npy<std::uint8_t, 3>(golden("image/bytes0.npy"));
    const auto all = resize(bytes, {7, 5}, resize_method::cv_linear);
    for (std::size_t c = 0; c < 3; ++c) {
        const auto plane = resize(xt::view(bytes, xt::all(), xt::all(), c), {7, 5}, resize_method::cv_linear);
        static_assert(std::is_same_v<decltype(plane), const xt::xtensor<std::uint8_t, 2>>);
        CHECK(plane == xt::xtensor<std::uint8_t, 2>(xt::view(all, xt::all(), xt::all(), c)));
    }
    const xt::xtensor<std::uint8_t, 3, xt::layout_type::column_major> column = bytes;
    CHECK(resize(column, {7, 5}, resize_method::cv_linear) == all);
    CHECK(resize(xt::xarray<std::uint8_t>(bytes), {7, 5}, resize_method::cv_linear) == all);
    xt::xtensor<float, 3> five = xt::xtensor<float, 3>::from_shape({13, 17, 5});
    for (std::size_t i = 0; i < five.size(); ++i) five.data()[i] = static_cast<float>(i % 89);
    const auto small = resize(five, {6, 4}, resize_method::pil_bicubic);
    const auto plane = resize(xt::view(five, xt::all(), xt::all(), 4), {6, 4}, resize_method::pil_bicubic);
    CHECK(plane == xt::xtensor<float, 2>(xt::view(small, xt::all(), xt::all(), 4)));
    Eigen::MatrixXf matrix(13, 17);
    for (int y = 0; y < 13; ++y)
        for (int x = 0; x < 17; ++x) matrix(y, x) = five(static_cast<std::size_t>(y), static_cast<std::size_t>(x), 4);
    CHECK(resize(matrix, {6, 4}, resize_method::pil_bicubic) == plane);
    const auto doubled = resize(five * 2.0f, {6, 4}, resize_method::cv_nearest);
    CHECK(doubled == xt::xtensor<float, 3>(resize(five, {6, 4}, resize_method::cv_nearest) * 2.0f));
}

TEST_CASE("resize writes into given memory, and the same bits for any number of threads") {
    xt::xtensor<std::uint8_t, 3> image = xt::xtensor<std::uint8_t, 3>::from_shape({211, 307, 3});
    std::uint32_t state = 1;
    for (auto& v : image) {
        state = state * 1664525u + 1013904223u;
        v = static_cast<std::uint8_t>(state >> 24);
    }
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        CAPTURE(name);
        set_num_threads(1);
        const auto one = resize(image, {173, 401}, method);
        set_num_threads(4);
        std::vector<std::uint8_t> memory(173 * 401 * 3);
        resize(image, method, view(memory.data(), {173, 401, 3}));
        CHECK(std::equal(memory.begin(), memory.end(), one.data()));
    }
    set_num_threads(0);
}

TEST_CASE("resize spreads NaN only to pixels whose filter covers it") {
    for (const named_method& m : methods) {
        const std::string& name = m.name;
        const resize_method method = m.method;
        CAPTURE(name);
        xt::xtensor<float, 2> image({10, 10}, 1.0f);
        image(0, 0) = std::numeric_limits<float>::quiet_NaN();
        const auto result = resize(image, {5, 5}, method);
        CHECK(result(4, 4) == doctest::Approx(1));
    }
}

TEST_CASE("resize says what is wrong with its arguments") {
    const xt::xtensor<float, 3> image({4, 5, 3}, 0.0f);
    const auto none = xt::xtensor<float, 3>::from_shape({0, 5, 3});
    CHECK_THROWS_WITH_AS(resize(none, {2, 2}, resize_method::cv_linear), "resize: image is empty, its shape is (0, 5, 3)",
                         invalid_argument);
    CHECK_THROWS_WITH_AS(resize(image, {0, 2}, resize_method::cv_linear),
                         "resize: height and width must lie in [1, 16777216], got 0 x 2", invalid_argument);
    CHECK_THROWS_AS(resize(image, {2, -1}, resize_method::cv_linear), invalid_argument);
    CHECK_THROWS_AS(resize(xt::xarray<float>::from_shape({4, 5}), {2, 2}, resize_method::cv_linear), invalid_argument);
    CHECK_THROWS_WITH_AS(resize(image, {2, 2}, static_cast<resize_method>(99)), "resize: unknown method 99", invalid_argument);
    xt::xtensor<float, 3> out = xt::xtensor<float, 3>::from_shape({2, 2, 4});
    CHECK_THROWS_WITH_AS(resize(image, resize_method::cv_linear, out), "resize: out must have shape (2, 2, 3), got (2, 2, 4)",
                         invalid_argument);
}
