#pragma once

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/nn/planner/memory.hpp>

#include <algorithm>
#include <numeric>

namespace ocelli::nn {

OCELLI_INLINE memory_layout place_buffers(const std::vector<buffer_request>& requests) {
    const auto rounded = [](std::size_t bytes) { return (bytes + 63) / 64 * 64; };
    constexpr std::size_t limit = std::size_t{1} << (sizeof(std::size_t) * 8 - 2);
    std::size_t all = 0;  // the layout is never larger
    for (const buffer_request& r : requests) {
        ocelli::detail::check(r.bytes <= limit - 64 && rounded(r.bytes) <= limit - all, "place_buffers: the buffers are larger than any memory");
        all += rounded(r.bytes);
    }
    memory_layout out;
    out.offsets.resize(requests.size());
    std::vector<std::size_t> order(requests.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return requests[a].bytes > requests[b].bytes; });
    std::vector<std::size_t> placed;  // by offset
    for (const std::size_t i : order) {
        const buffer_request& r = requests[i];
        std::size_t at = 0;
        for (const std::size_t j : placed) {
            const buffer_request& other = requests[j];
            if (other.last < r.first || r.last < other.first) continue;
            if (out.offsets[j] >= at + rounded(r.bytes)) break;  // the gap in front of it is wide enough
            at = std::max(at, out.offsets[j] + rounded(other.bytes));
        }
        out.offsets[i] = at;
        out.bytes = std::max(out.bytes, at + rounded(r.bytes));
        placed.insert(std::upper_bound(placed.begin(), placed.end(), i, [&](std::size_t a, std::size_t b) { return out.offsets[a] < out.offsets[b]; }), i);
    }
    return out;
}

}  // namespace ocelli::nn
