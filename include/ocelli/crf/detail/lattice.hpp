#pragma once

// The permutohedral lattice behind permutohedral_lattice, dense_crf and crf_as_rnn.
//
// Points come in blocks of a few thousand. A block numbers the vertices that its points touch from 0 and has a slot for the value of each, one
// beside the other, so that the many small reads and writes stay in the cache nearest to the core. A vertex lives in its first slot, its home:
// there the sums of its slots come together, in the order of the blocks, and there it is blurred; most vertices have no other slot. Blocks depend on
// the problem alone, and with them every bit of the result.

#include <ocelli/core/config.hpp>
#include <ocelli/core/simd/target.hpp>
#include <ocelli/crf/detail/large_array.hpp>
#include <ocelli/crf/detail/lattice_types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace ocelli::detail {

/// How points are cut to blocks: parts of an image, or runs of a list (an image of one row). Blocks lie one behind the other. A block's points
/// lie tile by tile and in a tile row by row: near ones share vertices.
struct block_layout {
    static constexpr std::size_t tile = lattice_run;

    struct block {
        std::size_t y, x, height, width, begin;
        std::size_t points() const noexcept { return height * width; }

        /// Calls part(i, n, y, x) for runs of at most `tile` points: points [i, i + n) of the block are pixels (y, x), (y, x + 1), ...
        template <class F>
        void for_each_run(F&& part) const {
            std::size_t i = 0;
            for (std::size_t x0 = x; x0 < x + width; x0 += tile) {
                const std::size_t n = x + width - x0 < tile ? x + width - x0 : tile;
                for (std::size_t row = y; row < y + height; ++row, i += n) part(i, n, row, x0);
            }
        }
    };

    std::size_t height = 0, width = 0, block_height = 1, block_width = 4096;

    static block_layout of_image(std::size_t height, std::size_t width) noexcept {
        if (height == 1) return {1, width, 1, 4096};
        return {height, width, tile, 4 * tile};
    }
    std::size_t points() const noexcept { return height * width; }
    std::size_t rows() const noexcept { return (height + block_height - 1) / block_height; }
    std::size_t columns() const noexcept { return (width + block_width - 1) / block_width; }
    std::size_t blocks() const noexcept { return rows() * columns(); }
    std::size_t largest() const noexcept {
        return (height < block_height ? height : block_height) * (width < block_width ? width : block_width);
    }
    block operator[](std::size_t i) const noexcept {
        block b{i / columns() * block_height, i % columns() * block_width, block_height, block_width, 0};
        if (b.y + b.height > height) b.height = height - b.y;
        if (b.x + b.width > width) b.width = width - b.x;
        b.begin = b.y * width + b.height * b.x;
        return b;
    }
};

/// Where points lie: fill(block, features, pitch) writes dimension d of the block's point i to features[d * pitch + i].
template <class T>
struct feature_source {
    std::size_t dimensions;
    std::function<void(const block_layout::block&, T*, std::size_t)> fill;
    /// Between which values each dimension lies, where that is known; otherwise all features are looked at once more.
    std::vector<T> low{}, high{};
};

template <class T>
struct lattice {
    /// The vertices along one axis: chains one behind another, the first vertex of each with the highest bit set. Alone standing ones are left out.
    struct axis {
        std::vector<std::uint32_t> chain;
        std::vector<std::size_t> cuts;  ///< where pieces for different threads begin, and the end
    };

    block_layout layout;
    std::size_t dimensions = 0, vertices = 0;
    large_array<std::uint16_t> narrow;  ///< points x (dimensions + 1) numbers of vertices within their block,
    large_array<std::uint32_t> wide;    ///< in one of the two
    large_array<T> weight;
    std::vector<std::size_t> slot_begin;  ///< block b's vertices are slots [slot_begin[b], slot_begin[b + 1])
    std::vector<std::uint32_t> home;      ///< the first slot of each vertex
    std::vector<std::uint32_t> shared_begin, shared_slot;  ///< the slots of each vertex that has several, in order
    std::vector<std::size_t> copy_begin;                   ///< block b's slots that are nobody's home: [copy_begin[b], copy_begin[b + 1]) of
    std::vector<std::uint32_t> copy_slot, copy_home;       ///< these slots and their vertices' homes
    std::vector<axis> axes;                                ///< vertices by their homes

    std::size_t slots() const noexcept { return slot_begin.back(); }
    std::size_t block_slots(std::size_t block) const noexcept { return slot_begin[block + 1] - slot_begin[block]; }
    /// What makes the blur a Gaussian of weight one: the paper's constant.
    T alpha() const noexcept {
        T half = 1;
        for (std::size_t i = 0; i < dimensions; ++i) half *= T(0.5);
        return 1 / (1 + half);
    }
    lattice_links<T> links(std::size_t point, const T* factor) const noexcept {
        const std::size_t corners = dimensions + 1, at = point * corners;
        return {narrow ? narrow.get() + at : nullptr, wide ? wide.get() + at : nullptr, weight.get() + at, corners,
                factor == nullptr ? nullptr : factor + point};
    }
};

OCELLI_KERNEL_API_BEGIN
const lattice_tables& get_lattice_tables();
OCELLI_KERNEL_API_END

/// Elements side by side for so many channels: one alone, or a multiple of the lanes.
std::size_t lattice_width(float, std::size_t channels);
std::size_t lattice_width(double, std::size_t channels);

/// @throws invalid_argument  naming `who` where features are NaN, infinite or too far apart
void build_lattice(lattice<float>& to, const block_layout& layout, const feature_source<float>& source, const char* who);
void build_lattice(lattice<double>& to, const block_layout& layout, const feature_source<double>& source, const char* who);

/// Sums of the slots to blurred values at the homes; between, they are multiplied by `scale` (`width` elements or null) and mixed by `matrix`
/// (width x width or null).
void blur_lattice(const lattice<float>& l, std::size_t width, const float* scale, const float* matrix, bool reverse, float* values);
void blur_lattice(const lattice<double>& l, std::size_t width, const double* scale, const double* matrix, bool reverse, double* values);

/// Brings a block's vertices to its slots.
void fetch_block(const lattice<float>& l, std::size_t block, std::size_t width, float* values);
void fetch_block(const lattice<double>& l, std::size_t block, std::size_t width, double* values);

/// Filters rows (points, channels) to rows of the same shape: out = K in. Internal points; `in` may be `out`.
void filter_points(const lattice<float>& l, const float* in, std::size_t channels, bool reverse, float* out);
void filter_points(const lattice<double>& l, const double* in, std::size_t channels, bool reverse, double* out);

}  // namespace ocelli::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/crf/impl/lattice.inl>
#endif
