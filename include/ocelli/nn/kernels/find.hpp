#pragma once

/// @file
/// Finding elements on all threads: where marks are set, and the largest of each line.

#include <ocelli/core/config.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace ocelli::nn {

/// Where n marks (bytes, set where they are not 0) are set, ascending. Counts at once, so that memory can be made for what write() finds.
class marked_places {
public:
    marked_places(std::int64_t n, const std::uint8_t* marks);
    std::int64_t count() const noexcept { return first_.back(); }
    void write(std::int64_t* places) const;

private:
    std::int64_t n_;
    const std::uint8_t* marks_;
    /// How many lie before each block of marks, and all.
    std::vector<std::int64_t> first_;
};

/// Ascending places in a dense tensor of this shape, which stand in the last of `rows` of `count` numbers each, become its coordinates: a row for each axis.
void split_places(std::span<const std::int64_t> shape, std::int64_t count, std::int64_t* rows);

/// The k largest (smallest) elements of each of `lines` lines of n, the first one first, of equal ones the one in front; NaN is larger than all, the two zeros are
/// equal. x is dense, values and places are (lines, k); 0 <= k <= n < 2^31.
void find_top(bool largest, std::int64_t lines, std::int64_t n, std::int64_t k, const float* x, float* values, std::int64_t* places);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/kernels/impl/find.inl>
#endif
