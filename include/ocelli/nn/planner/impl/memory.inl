#pragma once

#include <ocelli/core/config.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/nn/planner/memory.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

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

namespace detail {

/// In which buffer each lies, and where.
class joined_buffers {
public:
    struct place {
        std::size_t buffer, offset;
    };

    joined_buffers(const std::vector<buffer_request>& requests, std::span<const buffer_join> joins) : requests_(requests), inside_(requests.size()) {
        for (std::size_t i = 0; i < inside_.size(); ++i) inside_[i] = {i, 0};
        for (std::size_t j = joins.size(); j-- > 0;)
            if (!lies_in_another(joins[j])) put_in(joins[j]);
    }

    place of(std::size_t i) const {
        place p{i, 0};
        for (; inside_[p.buffer].buffer != p.buffer; p.buffer = inside_[p.buffer].buffer) p.offset += inside_[p.buffer].offset;
        return p;
    }

private:
    bool alone(std::size_t i) const { return inside_[i].buffer == i; }

    bool lies_in_another(const buffer_join& j) {
        if (!alone(j.whole) || j.parts.empty()) return false;
        const place first = of(j.parts[0]);
        if (first.buffer == j.whole || first.offset < j.offsets[0]) return false;
        const std::size_t begin = first.offset - j.offsets[0];
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < j.parts.size(); ++i) {
            const place p = of(j.parts[i]);
            if (alone(j.parts[i]) || p.buffer != first.buffer || p.offset != begin + j.offsets[i]) return false;
            bytes += requests_[j.parts[i]].bytes;
        }
        if (bytes != requests_[j.whole].bytes || begin % 64 != 0) return false;
        inside_[j.whole] = {first.buffer, begin};
        return true;
    }

    void put_in(const buffer_join& j) {
        for (std::size_t i = 0; i < j.parts.size(); ++i) {
            const std::size_t part = j.parts[i], offset = j.offsets[i];
            const bool fits = offset % 64 == 0 && offset <= requests_[j.whole].bytes && requests_[part].bytes <= requests_[j.whole].bytes - offset;
            if (fits && alone(part) && of(j.whole).buffer != part) inside_[part] = {j.whole, offset};
        }
    }

    const std::vector<buffer_request>& requests_;
    std::vector<place> inside_;  ///< the next larger buffer, or itself
};

}  // namespace detail

OCELLI_INLINE memory_layout place_buffers(const std::vector<buffer_request>& requests, std::span<const buffer_join> joins) {
    memory_layout apart = place_buffers(requests);
    if (joins.empty()) return apart;
    const detail::joined_buffers joined(requests, joins);
    std::vector<buffer_request> alive;
    std::vector<std::size_t> own(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (joined.of(i).buffer != i) continue;
        own[i] = alive.size();
        alive.push_back(requests[i]);
    }
    for (std::size_t i = 0; i < requests.size(); ++i) {
        buffer_request& r = alive[own[joined.of(i).buffer]];
        r.first = std::min(r.first, requests[i].first);
        r.last = std::max(r.last, requests[i].last);
    }
    memory_layout out = place_buffers(alive);
    if (out.bytes > apart.bytes + apart.bytes / 8) return apart;
    std::vector<std::size_t> offsets(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const detail::joined_buffers::place p = joined.of(i);
        offsets[i] = out.offsets[own[p.buffer]] + p.offset;
    }
    out.offsets = std::move(offsets);
    return out;
}

}  // namespace ocelli::nn
