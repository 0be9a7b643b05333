#pragma once

/// @file
/// Bilinear samples of planes at given places in pixels, the same places for many planes: what deformable convolution and rotated RoIs share.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/features/detail/resample.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

/// Planes larger than this are refused by its users.
inline void check_pixel_map(const std::array<std::size_t, 4>& shape, const char* name) {
    constexpr std::size_t side = std::size_t{1} << 23, size = std::size_t{1} << 30;
    check(shape[2] < side && shape[3] < side && shape[2] * shape[3] < size, name, ": the map is too large, ", shape_text(shape));
}

/// Up to `size` places of planes of height x width. Pixels outside the plane are 0; so is a place that is NaN or more than a pixel outside.
template <class T>
class pixel_reader {
public:
    static constexpr std::size_t size = static_cast<std::size_t>(grid_places::size);

    pixel_reader(std::size_t height, std::size_t width)
        : height_(static_cast<std::int64_t>(height)), width_(static_cast<std::int64_t>(width)) {}

    /// Takes n <= size places x, y.
    void find(std::size_t n, const T* points) {
        n_ = n;
        for (std::size_t i = 0; i < n; ++i) {
            const T x = points[2 * i], y = points[2 * i + 1];
            for (std::size_t k = 0; k < 4; ++k) at_[k][i] = -1;
            if (!is_finite(x) || !is_finite(y) || !(x > -1 && y > -1 && x < static_cast<T>(width_) && y < static_cast<T>(height_))) {
                for (std::size_t k = 0; k < 4; ++k) weight_[k][i] = 0;
                continue;
            }
            const T left = std::floor(x), top = std::floor(y), dx = x - left, dy = y - top;
            const T weights[] = {(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx};
            for (std::size_t k = 0; k < 4; ++k) {
                const auto column = static_cast<std::int64_t>(left) + static_cast<std::int64_t>(k & 1);
                const auto row = static_cast<std::int64_t>(top) + static_cast<std::int64_t>(k >> 1);
                if (column >= 0 && column < width_ && row >= 0 && row < height_) at_[k][i] = row * width_ + column;
                weight_[k][i] = weights[k];
            }
        }
    }
    /// Multiplies the samples of every later read by a factor each.
    void scale(const T* factors) {
        for (std::size_t k = 0; k < 4; ++k)
            for (std::size_t i = 0; i < n_; ++i) weight_[k][i] *= factors[i];
    }
    void read(const T* plane, T* out) const {
        for (std::size_t i = 0; i < n_; ++i) {
            T sum = 0;
            for (std::size_t k = 0; k < 4; ++k) sum += weight_[k][i] * (at_[k][i] < 0 ? T(0) : plane[at_[k][i]]);
            out[i] = sum;
        }
    }

private:
    std::int64_t height_, width_;
    std::size_t n_ = 0;
    std::int64_t at_[4][size];
    T weight_[4][size];
};

template <>
class pixel_reader<float> {
public:
    static constexpr std::size_t size = static_cast<std::size_t>(grid_places::size);

    pixel_reader(std::size_t height, std::size_t width) {
        map_.height = static_cast<std::int64_t>(height);
        map_.width = static_cast<std::int64_t>(width);
        map_.pixels = true;
    }
    void find(std::size_t n, const float* points) {
        n_ = static_cast<std::int64_t>(n);
        get_resample_tables().grid_find(map_, n_, points, base_, places_);
    }
    void scale(const float* factors) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(n_); ++i)
            for (auto& row : places_.weight) {
                row[2 * i] *= factors[i];
                row[2 * i + 1] *= factors[i];
            }
    }
    void read(const float* plane, float* out) const { get_resample_tables().grid_read(places_, n_, map_.width == 1, plane, out); }

private:
    grid_sampling map_;
    std::int64_t n_ = 0;
    std::int32_t base_[size] = {};
    grid_places places_;
};

}  // namespace ocelli::detail
