#pragma once

/// @file
/// The shell that all image functions share: (H, W) or (H, W, C) in, the same rank out.

#include <ocelli/core/detail/rank.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace ocelli::detail {

/// The rank an image argument has: 2 for (H, W), 3 for (H, W, C). Arrays whose rank only the object knows count as (H, W, C).
template <array_expression E>
constexpr std::size_t image_rank() {
    constexpr int rank = static_rank<E>();
    static_assert(rank == -1 || rank == 2 || rank == 3, "an image has shape (H, W) or (H, W, C)");
    return rank == 2 ? 2 : 3;
}

/// Integers other than bytes have no range that kernels could round to.
template <class T>
inline constexpr bool is_pixel = std::is_same_v<T, std::uint8_t> || std::is_same_v<T, float> || std::is_same_v<T, double>;

/// Dense pixels to read, (height, width, channels); channels is 1 for (H, W).
template <class T, std::size_t N>
class pixel_source {
public:
    template <class E>
    pixel_source(const E& image, std::string_view what) : dense_(as_dense<T, N>(image, what)) {
        static_assert(is_pixel<T>, "pixels must be uint8, float or double: convert the image with xt::cast");
    }

    const T* data() const noexcept { return dense_.data(); }
    std::size_t height() const noexcept { return dense_.extent(0); }
    std::size_t width() const noexcept { return dense_.extent(1); }
    std::size_t channels() const noexcept {
        if constexpr (N == 3) return dense_.extent(2);
        return 1;
    }
    std::size_t size() const noexcept { return dense_.size(); }
    const std::array<std::size_t, N>& shape() const noexcept { return dense_.shape(); }

    /// This image's shape with another height and width.
    std::array<std::size_t, N> shape_as(std::size_t height, std::size_t width) const noexcept {
        std::array<std::size_t, N> shape = dense_.shape();
        shape[0] = height;
        shape[1] = width;
        return shape;
    }

private:
    dense_view<T, N> dense_;
};

template <class E>
pixel_source(const E&, std::string_view) -> pixel_source<value_type_t<E>, image_rank<E>()>;

} // namespace ocelli::detail
