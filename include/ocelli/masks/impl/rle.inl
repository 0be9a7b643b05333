#pragma once

#include <ocelli/core/argsort.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/masks/detail/bits_types.hpp>
#include <ocelli/masks/rle.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

namespace ocelli {
namespace detail {

inline void check_rle_size(std::int64_t height, std::int64_t width, const char* name) {
    check(height >= 0 && width >= 0, name, ": height and width must not be negative, got ", height, " and ", width);
    check(height == 0 || width <= std::int64_t{0xffffffff} / height, name, ": a picture must have less than 2^32 pixels, got ", height,
          " x ", width);
}

OCELLI_INLINE void check_rle(const rle& mask, const char* name) {
    check_rle_size(mask.height, mask.width, name);
    std::uint64_t sum = 0;
    for (const std::uint32_t c : mask.counts) sum += c;
    check(sum == static_cast<std::uint64_t>(mask.height * mask.width), name, ": the counts must add up to ", mask.height, " x ",
          mask.width, ", got ", sum);
}

OCELLI_INLINE void check_rles(std::span<const rle> masks, const char* name) {
    for (const rle& m : masks) {
        check_rle(m, name);
        check(m.height == masks[0].height && m.width == masks[0].width, name, ": masks must have one size, got ", masks[0].height, " x ",
              masks[0].width, " and ", m.height, " x ", m.width);
    }
}

/// The memory in which one mask is encoded or decoded: packed rows, and where they change.
struct rle_scratch {
    std::unique_ptr<std::uint64_t[]> rows;
    std::vector<std::uint32_t> starts, changes, sorted;
};

/// The columns of each row whose pixel differs from the one before it in column-major order go to `changes`, row after row, and their
/// number per column to starts[column + 1].
inline void find_changes(const std::uint64_t* rows, std::size_t h, std::size_t w, rle_scratch& s, std::vector<std::uint32_t>& row_ends) {
    const std::size_t words = (w + 63) / 64;
    s.changes.clear();
    const auto add = [&](std::uint64_t bits, std::size_t word) {
        for (; bits != 0; bits &= bits - 1) {
            const auto x = static_cast<std::uint32_t>(64 * word + static_cast<std::size_t>(std::countr_zero(bits)));
            s.changes.push_back(x);
            ++s.starts[x + 1];
        }
    };
    // Before the first pixel of a column comes the last one of the column to the left; before the first of all, background.
    const std::uint64_t* last = rows + (h - 1) * words;
    for (std::size_t k = 0; k < words; ++k) {
        std::uint64_t before = last[k] << 1;
        if (k != 0) before |= last[k - 1] >> 63;
        std::uint64_t bits = rows[k] ^ before;
        if (k + 1 == words && w % 64 != 0) bits &= (std::uint64_t{1} << w % 64) - 1;
        add(bits, k);
    }
    row_ends[0] = static_cast<std::uint32_t>(s.changes.size());
    for (std::size_t y = 1; y < h; ++y) {
        const std::uint64_t* row = rows + y * words;
        const std::uint64_t* above = row - words;
        for (std::size_t k = 0; k < words; ++k)
            if (const std::uint64_t bits = row[k] ^ above[k]; bits != 0) add(bits, k);
        row_ends[y] = static_cast<std::uint32_t>(s.changes.size());
    }
}

inline void rle_encode_any(const std::uint8_t* mask, std::size_t h, std::size_t w, rle& out, rle_scratch& s) {
    out.height = static_cast<std::int64_t>(h);
    out.width = static_cast<std::int64_t>(w);
    out.counts.clear();
    if (h == 0 || w == 0) {
        out.counts.push_back(0);
        return;
    }
    const auto& kernels = get_mask_bits_kernels();
    const std::size_t words = (w + 63) / 64;
    if (s.rows == nullptr) s.rows.reset(new std::uint64_t[h * words]);
    if (w % 64 == 0) {
        kernels.pack(mask, h * w, s.rows.get());
    } else {
        for (std::size_t y = 0; y < h; ++y) kernels.pack(mask + y * w, w, s.rows.get() + y * words);
    }
    s.starts.assign(w + 1, 0);
    std::vector<std::uint32_t> row_ends(h);
    find_changes(s.rows.get(), h, w, s, row_ends);
    // Rows come in order, so a stable distribution over the columns sorts the changes by position.
    for (std::size_t x = 0; x < w; ++x) s.starts[x + 1] += s.starts[x];
    s.sorted.resize(s.changes.size());
    std::size_t i = 0;
    for (std::size_t y = 0; y < h; ++y)
        for (; i < row_ends[y]; ++i) {
            const std::uint32_t x = s.changes[i];
            s.sorted[s.starts[x]++] = static_cast<std::uint32_t>(x * h + y);
        }
    out.counts.resize(s.sorted.size() + 1);
    std::uint32_t before = 0;
    for (std::size_t k = 0; k < s.sorted.size(); ++k) {
        out.counts[k] = s.sorted[k] - before;
        before = s.sorted[k];
    }
    out.counts.back() = static_cast<std::uint32_t>(h * w) - before;
}

OCELLI_INLINE void rle_encode(const std::uint8_t* masks, std::size_t n, std::size_t h, std::size_t w, const char* name, rle* out) {
    check_rle_size(static_cast<std::int64_t>(h), static_cast<std::int64_t>(w), name);
    constexpr std::size_t grain = 4;
    parallel_for(n, grain, [&](std::size_t begin, std::size_t end) {
        rle_scratch scratch;
        for (std::size_t i = begin; i < end; ++i) rle_encode_any(masks + i * h * w, h, w, out[i], scratch);
    });
}

/// Writes one valid mask as rows of bytes; `toggles` has h rows of (w + 63) / 64 words, all 0, and is left so.
inline void rle_decode_any(const rle& mask, std::size_t h, std::size_t w, std::uint64_t* toggles, std::uint8_t* out) {
    const auto& kernels = get_mask_bits_kernels();
    const std::size_t words = (w + 63) / 64;
    // A bit where a pixel differs from the one above it (in the first row: from background).
    const auto flip = [&](std::size_t x, std::size_t y) { toggles[y * words + x / 64] ^= std::uint64_t{1} << x % 64; };
    std::size_t x = 0, y = 0;  // where the run begins
    bool foreground = false;
    for (const std::uint32_t count : mask.counts) {
        std::size_t to_x = x, to_y = y + count;
        if (to_y >= h) {
            to_x += to_y / h;
            to_y %= h;
        }
        if (foreground && count != 0) {
            flip(x, y);
            for (std::size_t c = x + 1; c < to_x; ++c) flip(c, 0);
            if (to_x == x) {
                flip(x, to_y);
            } else if (to_y != 0) {
                flip(to_x, 0);
                flip(to_x, to_y);
            }
        }
        x = to_x;
        y = to_y;
        foreground = !foreground;
    }
    for (std::size_t r = 0; r < h; ++r) {
        std::uint64_t* row = toggles + r * words;
        if (r != 0) {
            const std::uint64_t* above = row - words;
            for (std::size_t k = 0; k < words; ++k) row[k] ^= above[k];
        }
        if (w % 64 != 0) kernels.unpack(row, w, out + r * w);
    }
    if (w % 64 == 0) kernels.unpack(toggles, h * w, out);
    std::fill_n(toggles, h * words, std::uint64_t{0});
}

OCELLI_INLINE void rle_decode(const rle* masks, std::size_t n, std::size_t h, std::size_t w, std::uint8_t* out) {
    if (h == 0 || w == 0) return;
    parallel_for(n, 4, [&](std::size_t begin, std::size_t end) {
        const std::size_t words = h * ((w + 63) / 64);
        const std::unique_ptr<std::uint64_t[]> toggles(new std::uint64_t[words]());
        for (std::size_t i = begin; i < end; ++i) rle_decode_any(masks[i], h, w, toggles.get(), out + i * h * w);
    });
}

inline void rle_box(const rle& mask, double* out) {
    const auto h = static_cast<std::uint64_t>(mask.height);
    std::uint64_t x1 = static_cast<std::uint64_t>(mask.width), y1 = h, x2 = 0, y2 = 0;
    std::uint64_t at = 0;
    for (std::size_t k = 0; k < mask.counts.size(); ++k) {
        const std::uint64_t count = mask.counts[k];
        if (k % 2 == 1 && count != 0) {
            const std::uint64_t first_x = at / h, first_y = at % h, last_x = (at + count - 1) / h, last_y = (at + count - 1) % h;
            x1 = std::min(x1, first_x);
            x2 = std::max(x2, last_x + 1);
            if (first_x != last_x) {
                y1 = 0;
                y2 = h;
            } else {
                y1 = std::min(y1, first_y);
                y2 = std::max(y2, last_y + 1);
            }
        }
        at += count;
    }
    if (x2 == 0) x1 = y1 = 0;
    out[0] = static_cast<double>(x1);
    out[1] = static_cast<double>(y1);
    out[2] = static_cast<double>(x2);
    out[3] = static_cast<double>(y2);
}

OCELLI_INLINE void rle_boxes(std::span<const rle> masks, double* out) {
    for (std::size_t i = 0; i < masks.size(); ++i) {
        check_rle(masks[i], "rle_boxes");
        rle_box(masks[i], out + 4 * i);
    }
}

/// What the IoU of run-length masks needs of each: foreground lies in [first, last) of the column-major order.
struct rle_extent {
    std::uint64_t first = 0, last = 0, area = 0, y1 = 0, y2 = 0;
    std::size_t bits = no_bits;  ///< where its bits begin in the common memory

    static constexpr std::size_t no_bits = static_cast<std::size_t>(-1);
    std::uint64_t first_word() const noexcept { return first / 64; }
    std::uint64_t words() const noexcept { return last == 0 ? 0 : (last + 63) / 64 - first / 64; }
};

inline std::vector<rle_extent> rle_extents(std::span<const rle> masks, std::vector<std::uint64_t>& memory) {
    std::vector<rle_extent> out(masks.size());
    std::size_t total = memory.size();
    for (std::size_t i = 0; i < masks.size(); ++i) {
        rle_extent& e = out[i];
        const auto h = static_cast<std::uint64_t>(masks[i].height);
        std::uint64_t at = 0;
        bool found = false;
        e.y1 = h;
        for (std::size_t k = 0; k < masks[i].counts.size(); ++k) {
            const std::uint64_t count = masks[i].counts[k];
            if (k % 2 == 1 && count != 0) {
                if (!found) e.first = at;
                found = true;
                e.last = at + count;
                e.area += count;
                const std::uint64_t y = at % h;
                if (y + count > h) {
                    e.y1 = 0;
                    e.y2 = h;
                } else {
                    e.y1 = std::min(e.y1, y);
                    e.y2 = std::max(e.y2, y + count);
                }
            }
            at += count;
        }
        // As bits where they cost no more memory than some words a run: a few runs far apart must not ask for the whole picture.
        if (found && e.words() <= 32 * masks[i].counts.size() + 512) {
            e.bits = total;
            total += e.words();
        }
    }
    memory.resize(total, 0);
    for (std::size_t i = 0; i < masks.size(); ++i) {
        if (out[i].bits == rle_extent::no_bits) continue;
        std::uint64_t* to = memory.data() + out[i].bits;
        std::uint64_t at = 0;
        for (std::size_t k = 0; k < masks[i].counts.size(); ++k) {
            const std::uint64_t count = masks[i].counts[k];
            if (k % 2 == 1 && count != 0) {
                const std::uint64_t begin = at - 64 * out[i].first_word(), end = begin + count;
                const std::uint64_t head = ~std::uint64_t{0} << begin % 64, tail = ~std::uint64_t{0} >> (63 - (end - 1) % 64);
                const std::uint64_t from = begin / 64, last = (end - 1) / 64;
                if (from == last) {
                    to[from] |= head & tail;
                } else {
                    to[from] |= head;
                    for (std::uint64_t word = from + 1; word < last; ++word) to[word] = ~std::uint64_t{0};
                    to[last] |= tail;
                }
            }
            at += count;
        }
    }
    return out;
}

/// Pixels in both masks, run by run.
inline std::uint64_t rle_intersection(const rle& a, const rle& b) {
    std::uint64_t both = 0, at_a = 0, at_b = 0;  // where the present foreground runs begin
    std::size_t i = 1, j = 1;
    if (a.counts.size() < 2 || b.counts.size() < 2) return 0;
    at_a = a.counts[0];
    at_b = b.counts[0];
    while (i < a.counts.size() && j < b.counts.size()) {
        const std::uint64_t end_a = at_a + a.counts[i], end_b = at_b + b.counts[j];
        const std::uint64_t begin = std::max(at_a, at_b), end = std::min(end_a, end_b);
        if (begin < end) both += end - begin;
        if (end_a <= end_b) {
            at_a = end_a + (i + 1 < a.counts.size() ? a.counts[i + 1] : 0);
            i += 2;
        } else {
            at_b = end_b + (j + 1 < b.counts.size() ? b.counts[j + 1] : 0);
            j += 2;
        }
    }
    return both;
}

OCELLI_INLINE void rle_iou(std::span<const rle> a, std::span<const rle> b, std::span<const std::uint8_t> crowd, double* out) {
    check_rles(a, "rle_iou");
    check_rles(b, "rle_iou");
    if (!a.empty() && !b.empty())
        check(a[0].height == b[0].height && a[0].width == b[0].width, "rle_iou: masks must have one size, got ", a[0].height, " x ",
              a[0].width, " and ", b[0].height, " x ", b[0].width);
    check(crowd.empty() || crowd.size() == b.size(), "rle_iou: crowd must have one flag for each mask of b, ", b.size(), ", got ",
          crowd.size());
    std::vector<std::uint64_t> memory;
    const auto ea = rle_extents(a, memory), eb = rle_extents(b, memory);
    const auto& kernels = get_mask_bits_kernels();
    const std::size_t m = b.size();
    parallel_for(a.size(), m == 0 ? 1 : 32 / m + 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t j = 0; j < m; ++j) {
                const rle_extent &x = ea[i], &y = eb[j];
                double& to = out[i * m + j];
                to = 0;
                const std::uint64_t first = std::max(x.first, y.first), last = std::min(x.last, y.last);
                if (first >= last || x.y1 >= y.y2 || y.y1 >= x.y2) continue;
                std::uint64_t both;
                if (x.bits != rle_extent::no_bits && y.bits != rle_extent::no_bits) {
                    const std::uint64_t from = first / 64, n = (last + 63) / 64 - from;
                    both = kernels.count_and(memory.data() + x.bits + (from - x.first_word()),
                                             memory.data() + y.bits + (from - y.first_word()), n);
                } else {
                    both = rle_intersection(a[i], b[j]);
                }
                if (both == 0) continue;
                const std::uint64_t whole = !crowd.empty() && crowd[j] != 0 ? x.area : x.area + y.area - both;
                to = static_cast<double>(both) / static_cast<double>(whole);
            }
    });
}

OCELLI_INLINE std::vector<std::int64_t> rle_nms(std::span<const rle> masks, const double* scores, double iou_threshold) {
    const std::size_t n = masks.size();
    std::vector<std::uint32_t> order(n);
    argsort_descending(scores, n, order.data());
    std::vector<std::int64_t> kept;
    std::vector<rle> better;
    std::vector<double> iou;
    for (const std::uint32_t i : order) {
        iou.resize(better.size());
        rle_iou(masks.subspan(i, 1), better, {}, iou.data());
        if (std::any_of(iou.begin(), iou.end(), [&](double v) { return v > iou_threshold; })) continue;
        kept.push_back(i);
        better.push_back(masks[i]);
    }
    return kept;
}

/// Positions at which a mask changes, with even repetitions cancelled; sorts itself when it has grown.
class rle_toggles {
public:
    void add(std::uint32_t position) {
        positions_.push_back(position);
        if (positions_.size() >= limit_) {
            settle();
            limit_ = std::max<std::size_t>(limit_, 2 * positions_.size());
        }
    }
    const std::vector<std::uint32_t>& settle() {
        std::sort(positions_.begin(), positions_.end());
        std::size_t kept = 0;
        for (std::size_t i = 0; i < positions_.size();) {
            std::size_t next = i + 1;
            while (next < positions_.size() && positions_[next] == positions_[i]) ++next;
            if ((next - i) % 2 == 1) positions_[kept++] = positions_[i];
            i = next;
        }
        positions_.resize(kept);
        return positions_;
    }

private:
    std::vector<std::uint32_t> positions_;
    std::size_t limit_ = std::size_t{1} << 20;
};

/// Where the edge crosses the left borders of columns. COCO walks every edge on a grid five times as fine; of its points only those count
/// between which x goes from 5 c + 2 to 5 c + 3, so these alone are computed, with its roundings.
inline void rle_edge(int x0, int y0, int x1, int y1, std::int64_t h, std::int64_t w, rle_toggles& toggles) {
    const std::int64_t dx = std::abs(std::int64_t{x1} - x0), dy = std::abs(std::int64_t{y1} - y0);
    if ((dx >= dy && x0 > x1) || (dx < dy && y0 > y1)) {
        std::swap(x0, x1);
        std::swap(y0, y1);
    }
    const std::int64_t left = std::min(x0, x1), right = std::max(x0, x1);
    if (left == right) return;
    // Columns c with left <= 5 c + 2 and 5 c + 3 <= right.
    const std::int64_t first = left <= 2 ? 0 : (left + 2) / 5;
    const std::int64_t last = right < 3 ? -1 : std::min(w - 1, (right - 3) / 5);
    const auto toggle = [&](std::int64_t column, std::int64_t fine_y) {
        double y = (static_cast<double>(fine_y) + .5) / 5.0 - .5;
        y = std::ceil(y < 0 ? 0 : std::min(y, static_cast<double>(h)));
        toggles.add(static_cast<std::uint32_t>(column * h + static_cast<std::int64_t>(y)));
    };
    if (dx >= dy) {
        const double slope = static_cast<double>(std::int64_t{y1} - y0) / static_cast<double>(dx);
        const auto at = [&](std::int64_t t) {
            const double step = unfused(slope * static_cast<double>(t));
            return static_cast<std::int64_t>((y0 + step) + .5);
        };
        for (std::int64_t c = first; c <= last; ++c) {
            const std::int64_t t = 5 * c + 2 - x0;
            toggle(c, std::min(at(t), at(t + 1)));
        }
    } else {
        const double slope = static_cast<double>(std::int64_t{x1} - x0) / static_cast<double>(dy);
        const auto at = [&](std::int64_t t) {
            const double step = unfused(slope * static_cast<double>(t));
            return static_cast<std::int64_t>((x0 + step) + .5);
        };
        const bool rising = slope > 0;
        for (std::int64_t c = first; c <= last; ++c) {
            // The first step on the other side of the border; the estimate is off by a step at most, rounding included.
            const std::int64_t border = 5 * c + 2;
            const auto beyond = [&](std::int64_t t) { return rising ? at(t) > border : at(t) <= border; };
            auto t = static_cast<std::int64_t>((static_cast<double>(border) + .5 - x0) / slope);
            t = std::clamp<std::int64_t>(t, 0, dy);
            while (t > 0 && beyond(t - 1)) --t;
            while (t <= dy && !beyond(t)) ++t;
            if (t >= 1 && t <= dy) toggle(c, y0 + t - 1);
        }
    }
}

OCELLI_INLINE rle rle_from_polygon(const double* points, std::size_t n, std::int64_t height, std::int64_t width, const char* name) {
    check_rle_size(height, width, name);
    for (std::size_t i = 0; i < 2 * n; ++i)
        check(is_finite(points[i]) && std::fabs(points[i]) <= 1e8, name, ": coordinates must be finite and at most 1e8, got ", points[i],
              " at point ", i / 2);
    rle_toggles toggles;
    if (height != 0 && width != 0)
        for (std::size_t i = 0; i < n; ++i) {
            const double* p = points + 2 * i;
            const double* q = points + 2 * (i + 1 == n ? 0 : i + 1);
            const auto fine = [](double v) {
                const double scaled = unfused(5 * v);
                return static_cast<int>(scaled + .5);
            };
            rle_edge(fine(p[0]), fine(p[1]), fine(q[0]), fine(q[1]), height, width, toggles);
        }
    rle out{height, width, {}};
    const auto end = static_cast<std::uint32_t>(height * width);
    std::uint32_t before = 0;
    for (const std::uint32_t t : toggles.settle()) {
        out.counts.push_back(t - before);
        before = t;
    }
    if (before != end || out.counts.empty()) out.counts.push_back(end - before);
    return out;
}

}  // namespace detail

OCELLI_INLINE std::uint64_t rle_area(const rle& mask) {
    detail::check_rle(mask, "rle_area");
    std::uint64_t area = 0;
    for (std::size_t k = 1; k < mask.counts.size(); k += 2) area += mask.counts[k];
    return area;
}

OCELLI_INLINE rle rle_merge(std::span<const rle> masks, bool intersect) {
    detail::check_rles(masks, "rle_merge");
    if (masks.empty()) return {};
    if (masks.size() == 1) return masks[0];
    rle merged = masks[0];
    for (std::size_t i = 1; i < masks.size(); ++i) {
        const auto &a = merged.counts, &b = masks[i].counts;
        rle next{merged.height, merged.width, {}};
        const auto total = static_cast<std::uint64_t>(merged.height * merged.width);
        std::size_t ka = 0, kb = 0;  // the runs we are in
        std::uint64_t end_a = a.empty() ? 0 : a[0], end_b = b.empty() ? 0 : b[0], at = 0, begun = 0;
        bool value = false;
        while (at < total) {
            while (end_a <= at && ka + 1 < a.size()) end_a += a[++ka];
            while (end_b <= at && kb + 1 < b.size()) end_b += b[++kb];
            const bool va = ka % 2 == 1, vb = kb % 2 == 1, v = intersect ? va && vb : va || vb;
            if (v != value) {
                next.counts.push_back(static_cast<std::uint32_t>(at - begun));
                begun = at;
                value = v;
            }
            at = std::min(end_a, end_b);
        }
        next.counts.push_back(static_cast<std::uint32_t>(total - begun));
        merged = std::move(next);
    }
    return merged;
}

OCELLI_INLINE rle rle_from_polygons(std::span<const std::vector<double>> polygons, std::int64_t height, std::int64_t width) {
    detail::check_rle_size(height, width, "rle_from_polygons");
    std::vector<rle> parts;
    for (const auto& p : polygons) {
        detail::check(p.size() % 2 == 0, "rle_from_polygons: a flat list must have an even length, got ", p.size());
        parts.push_back(detail::rle_from_polygon(p.data(), p.size() / 2, height, width, "rle_from_polygons"));
    }
    if (parts.empty()) return {height, width, {static_cast<std::uint32_t>(height * width)}};
    return rle_merge(parts);
}

OCELLI_INLINE rle rle_from_box(const std::array<double, 4>& box, std::int64_t height, std::int64_t width) {
    const double corners[8] = {box[0], box[1], box[0], box[3], box[2], box[3], box[2], box[1]};
    return detail::rle_from_polygon(corners, 4, height, width, "rle_from_box");
}

OCELLI_INLINE std::string rle_to_string(const rle& mask) {
    detail::check_rle(mask, "rle_to_string");
    // Six bits a character from '0' on: five of the number, lowest first, and one that says that more follow. From the fourth count on
    // the difference to the count before the last is stored.
    std::string out;
    for (std::size_t i = 0; i < mask.counts.size(); ++i) {
        std::int64_t x = mask.counts[i];
        if (i > 2) x -= mask.counts[i - 2];
        for (bool more = true; more;) {
            auto digit = static_cast<unsigned>(x & 0x1f);
            x >>= 5;
            more = (digit & 0x10) != 0 ? x != -1 : x != 0;
            if (more) digit |= 0x20;
            out.push_back(static_cast<char>(digit + '0'));
        }
    }
    return out;
}

OCELLI_INLINE rle rle_from_string(std::string_view text, std::int64_t height, std::int64_t width) {
    detail::check_rle_size(height, width, "rle_from_string");
    rle out{height, width, {}};
    const std::int64_t total = height * width;
    std::int64_t sum = 0;
    for (std::size_t p = 0; p < text.size();) {
        std::uint64_t bits = 0;
        unsigned shift = 0;
        for (bool more = true; more;) {
            detail::check<format_error>(p < text.size(), "rle_from_string: the last number is cut off");
            const int c = text[p] - '0';
            detail::check<format_error>(c >= 0 && c < 64, "rle_from_string: unexpected character at position ", p);
            detail::check<format_error>(shift < 40, "rle_from_string: number out of range at position ", p);
            bits |= static_cast<std::uint64_t>(c & 0x1f) << shift;
            shift += 5;
            more = (c & 0x20) != 0;
            if (!more && (c & 0x10) != 0) bits |= ~std::uint64_t{0} << shift;
            ++p;
        }
        auto x = static_cast<std::int64_t>(bits);
        if (out.counts.size() > 2) x += out.counts[out.counts.size() - 2];
        detail::check<format_error>(x >= 0 && x <= total - sum, "rle_from_string: count ", out.counts.size(), " is ", x, " with ", total - sum,
                                    " pixels left");
        sum += x;
        out.counts.push_back(static_cast<std::uint32_t>(x));
    }
    detail::check<format_error>(sum == total, "rle_from_string: the counts must add up to ", height, " x ", width, ", got ", sum);
    return out;
}

}  // namespace ocelli
