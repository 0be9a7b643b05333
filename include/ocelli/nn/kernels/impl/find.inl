#pragma once

#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/find.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace ocelli::nn {

namespace detail {

inline constexpr std::int64_t mark_block = std::int64_t{1} << 16;

/// Eight marks; those behind the n-th are not set.
inline std::uint64_t eight_marks(const std::uint8_t* marks, std::int64_t n) noexcept {
    std::uint64_t eight = 0;
    std::memcpy(&eight, marks, n < 8 ? static_cast<std::size_t>(n) : std::size_t{8});
    return eight;
}

inline int count_bytes(std::uint64_t eight) noexcept {
    eight |= eight >> 4;
    eight |= eight >> 2;
    eight |= eight >> 1;
    return static_cast<int>(((eight & 0x0101010101010101u) * 0x0101010101010101u) >> 56);
}

/// Numbers in the order of floats, as find_top() has it.
inline std::uint32_t order_of(float x) noexcept {
    if (ocelli::detail::is_nan(x)) return 0xffffffffu;
    auto bits = std::bit_cast<std::uint32_t>(x);
    if (bits == 0x80000000u) bits = 0;
    return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

/// The k first of a line, in order, by their keys: what stands above is larger, and of equal ones the first. Elements that come later replace the last of
/// those kept, which are cut down to k where there are twice as many.
inline void find_top_keys(bool largest, std::int64_t n, std::int64_t k, const float* x, std::vector<std::uint64_t>& kept) {
    const std::uint32_t turned = largest ? 0 : 0xffffffffu;
    const auto first = static_cast<std::size_t>(k);
    const std::size_t most = 2 * first + 256;
    const auto later = [](std::uint64_t a, std::uint64_t b) { return a > b; };
    const auto cut = [&] {
        std::nth_element(kept.begin(), kept.begin() + (k - 1), kept.end(), later);
        kept.resize(first);
        return static_cast<std::uint32_t>(kept[first - 1] >> 32);
    };
    kept.clear();
    std::uint32_t least = 0;
    bool full = false;
    for (std::int64_t i = 0; i < n; ++i) {
        const std::uint32_t key = order_of(x[i]) ^ turned;
        if (full && key <= least) continue;  // an equal one stands behind those kept
        kept.push_back(std::uint64_t{key} << 32 | (0xffffffffu - static_cast<std::uint32_t>(i)));
        if (kept.size() < most) continue;
        least = cut();
        full = true;
    }
    if (kept.size() > first) cut();
    std::sort(kept.begin(), kept.end(), later);
}

}  // namespace detail

OCELLI_INLINE marked_places::marked_places(std::int64_t n, const std::uint8_t* marks) : n_(n), marks_(marks) {
    const std::int64_t blocks = (n + detail::mark_block - 1) / detail::mark_block;
    first_.assign(static_cast<std::size_t>(blocks + 1), 0);
    ocelli::parallel_for(static_cast<std::size_t>(blocks), 2, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) {
            const std::int64_t from = static_cast<std::int64_t>(b) * detail::mark_block, to = std::min(n, from + detail::mark_block);
            for (std::int64_t i = from; i < to; i += 8) first_[b + 1] += detail::count_bytes(detail::eight_marks(marks + i, to - i));
        }
    });
    for (std::size_t b = 1; b < first_.size(); ++b) first_[b] += first_[b - 1];
}

OCELLI_INLINE void marked_places::write(std::int64_t* places) const {
    ocelli::parallel_for(first_.size() - 1, 2, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) {
            const std::int64_t from = static_cast<std::int64_t>(b) * detail::mark_block, to = std::min(n_, from + detail::mark_block);
            std::int64_t *next = places + first_[b], *const last = places + first_[b + 1];
            for (std::int64_t i = from; i < to; i += 8) {
                const std::uint64_t eight = detail::eight_marks(marks_ + i, to - i);
                if (eight == 0) continue;
                if (last - next >= 8 && to - i >= 8) {  // written in any case, kept where marked: no branch to foresee
                    for (int j = 0; j < 8; ++j) {
                        *next = i + j;
                        next += marks_[i + j] != 0 ? 1 : 0;
                    }
                } else {
                    for (std::int64_t j = 0; j < std::min<std::int64_t>(8, to - i); ++j)
                        if (marks_[i + j] != 0) *next++ = i + j;
                }
            }
        }
    });
}

OCELLI_INLINE void split_places(std::span<const std::int64_t> shape, std::int64_t count, std::int64_t* rows) {
    for (std::size_t axis = shape.size(); axis-- > 1;) {
        const std::int64_t extent = shape[axis];
        std::int64_t *from = rows + static_cast<std::int64_t>(axis) * count, *above = from - count;
        ocelli::parallel_for(static_cast<std::size_t>(count), std::size_t{1} << 14, [&](std::size_t begin, std::size_t end) {
            std::int64_t line = 0, start = 0;  // neighbours mostly stand in one line
            for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
                if (from[i] - start >= extent || from[i] < start) {
                    line = from[i] / extent;
                    start = line * extent;
                }
                above[i] = line;
                from[i] -= start;
            }
        });
    }
}

OCELLI_INLINE void find_top(bool largest, std::int64_t lines, std::int64_t n, std::int64_t k, const float* x, float* values, std::int64_t* places) {
    if (k == 0) return;
    ocelli::parallel_for(static_cast<std::size_t>(lines), static_cast<std::size_t>(1 + (1 << 14) / n), [&](std::size_t begin, std::size_t end) {
        std::vector<std::uint64_t> kept;
        for (auto line = static_cast<std::int64_t>(begin); line < static_cast<std::int64_t>(end); ++line) {
            const float* from = x + line * n;
            detail::find_top_keys(largest, n, k, from, kept);
            for (std::int64_t i = 0; i < k; ++i) {
                const std::int64_t at = 0xffffffff - static_cast<std::int64_t>(kept[static_cast<std::size_t>(i)] & 0xffffffffu);
                places[line * k + i] = at;
                values[line * k + i] = from[at];
            }
        }
    });
}

}  // namespace ocelli::nn
