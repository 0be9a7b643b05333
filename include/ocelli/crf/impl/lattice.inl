#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/simd/dispatch.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/crf/detail/lattice.hpp>
#include <ocelli/crf/detail/scratch.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#define OCELLI_KERNEL_FILE <ocelli/crf/detail/lattice_rows.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>
#define OCELLI_KERNEL_FILE <ocelli/crf/detail/mean_field.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>
#define OCELLI_KERNEL_FILE <ocelli/crf/detail/lattice.kernel.hpp>
#include <ocelli/core/simd/for_each_target.hpp>

namespace ocelli::detail {

OCELLI_KERNEL_API_BEGIN
OCELLI_INLINE const lattice_tables& get_lattice_tables() {
    static const lattice_tables chosen = OCELLI_CHOOSE(make_lattice_tables);
    return chosen;
}
OCELLI_KERNEL_API_END

inline const lattice_kernels<float>& get_lattice_kernels(float) {
    return get_lattice_tables().f32;
}
inline const lattice_kernels<double>& get_lattice_kernels(double) {
    return get_lattice_tables().f64;
}

/// How a vertex's coordinates make up its key: each in a field of its own of one of the key's words. The last follows from the others.
struct key_packing {
    std::size_t words = 1;
    std::vector<std::int64_t> lowest;  ///< of each coordinate; fields count from it
    std::vector<std::size_t> word;
    std::vector<unsigned> shift;
    /// One vertex further around a simplex where the coordinate that wraps is i: +1 to every coordinate, -(d + 1) to this one.
    /// It is also the way to the previous vertex along axis i of the blur.
    std::vector<std::uint64_t> step;
};

/// Numbers keys in the order of their coming.
class vertex_table {
public:
    explicit vertex_table(std::size_t words, std::size_t expected = 1024) : words_(words) {
        resize(std::bit_ceil(4 * expected + 16));
    }
    void clear() {
        std::fill(slots_.begin(), slots_.end(), slot{0, none});
        keys_.clear();
        count_ = 0;
    }
    std::size_t size() const noexcept { return count_; }
    const std::vector<std::uint64_t>& keys() const noexcept { return keys_; }
    std::size_t words() const noexcept { return words_; }

    void prefetch(const std::uint64_t* key) const noexcept {
#if defined(__GNUC__) || defined(__clang__)
        __builtin_prefetch(slots_.data() + place(tag(key)));
#else
        (void)key;
#endif
    }
    /// insert() for keys of one word that mostly are there already, and where they belong.
    OCELLI_ALWAYS_INLINE std::uint32_t number_of(std::uint64_t key) {
        const slot s = slots_[place(key)];
        return s.tag == key && s.number != none ? s.number : insert(&key);
    }
    OCELLI_NOINLINE std::uint32_t insert(const std::uint64_t* key) {
        const std::uint64_t t = tag(key);
        for (std::size_t i = place(t);; i = (i + 1) & mask_) {
            slot& s = slots_[i];
            if (s.number == none) {
                s = {t, static_cast<std::uint32_t>(count_)};
                for (std::size_t w = 0; w < words_; ++w) keys_.push_back(key[w]);
                if (4 * ++count_ > mask_) grow();
                return static_cast<std::uint32_t>(count_ - 1);
            }
            if (s.tag == t && same(s.number, key)) return s.number;
        }
    }
    /// The key's number, or `none`.
    std::uint32_t find(const std::uint64_t* key) const noexcept {
        const std::uint64_t t = tag(key);
        for (std::size_t i = place(t);; i = (i + 1) & mask_) {
            const slot& s = slots_[i];
            if (s.number == none || (s.tag == t && same(s.number, key))) return s.number;
        }
    }
    /// find() for keys of one word.
    OCELLI_ALWAYS_INLINE std::uint32_t find_word(std::uint64_t key) const noexcept {
        for (std::size_t i = place(key);; i = (i + 1) & mask_) {
            const slot s = slots_[i];
            if (s.number == none || s.tag == key) return s.number;
        }
    }
    static constexpr std::uint32_t none = 0xffffffffu;

private:
    struct slot {
        std::uint64_t tag;
        std::uint32_t number;
    };

    std::uint64_t tag(const std::uint64_t* key) const noexcept {
        if (words_ == 1) return *key;  // the key itself: nothing else need be compared
        std::uint64_t h = 0;
        for (std::size_t w = 0; w < words_; ++w) h = (h ^ key[w] ^ (h >> 29)) * 0xbf58476d1ce4e5b9u;
        return h;
    }
    std::size_t place(std::uint64_t t) const noexcept {
        return static_cast<std::size_t>(((t ^ (t >> 32)) * 0x9e3779b97f4a7c15u) >> shift_);
    }
    bool same(std::uint32_t number, const std::uint64_t* key) const noexcept {
        if (words_ == 1) return true;
        return std::equal(key, key + words_, keys_.data() + number * words_);
    }
    void resize(std::size_t capacity) {
        slots_.assign(capacity, slot{0, none});
        mask_ = capacity - 1;
        shift_ = static_cast<unsigned>(64 - std::countr_zero(capacity));
    }
    void grow() {
        check(count_ < (std::size_t{1} << 30), "permutohedral_lattice: more than 2^30 vertices");
        resize(2 * slots_.size());
        for (std::size_t n = 0; n < count_; ++n) {
            const std::uint64_t t = tag(keys_.data() + n * words_);
            std::size_t i = place(t);
            while (slots_[i].number != none) i = (i + 1) & mask_;
            slots_[i] = {t, static_cast<std::uint32_t>(n)};
        }
    }

    std::size_t words_, count_ = 0, mask_ = 0;
    unsigned shift_ = 0;
    std::vector<slot> slots_;
    std::vector<std::uint64_t> keys_;
};

/// What building a block needs, kept for the next one.
template <class T>
struct embedding_room {
    explicit embedding_room(std::size_t d, std::size_t pitch, std::size_t words)
        : features(new_array<T>(d * pitch)), corner(new_array<T>(d * pitch)), order(new_array<T>((d + 1) * pitch)),
          weight(new_array<T>((d + 1) * pitch)), table(words) {
        std::fill_n(features.get(), d * pitch, T(0));
    }
    std::unique_ptr<T[]> features, corner, order, weight;
    vertex_table table;
};

template <class T>
std::vector<T> lattice_scale(std::size_t d) {
    // The elevation matrix's diagonal times the standard deviation that splatting, blurring and slicing together have (Adams et al. 2010, p. 5-6).
    const T deviation = static_cast<T>(std::sqrt(2.0 / 3.0) * static_cast<double>(d + 1));
    std::vector<T> scale(d);
    for (std::size_t i = 0; i < d; ++i) scale[i] = static_cast<T>(1.0 / std::sqrt(static_cast<double>((i + 2) * (i + 1))) * static_cast<double>(deviation));
    return scale;
}

/// Between which values features lie: `low` and `high` of each dimension.
template <class T>
void find_bounds(const block_layout& layout, const feature_source<T>& source, std::size_t pitch, const char* who, std::vector<double>& lo,
                 std::vector<double>& hi) {
    const std::size_t d = source.dimensions, blocks = layout.blocks();
    if (!source.low.empty()) {
        for (std::size_t j = 0; j < d; ++j) {
            lo[j] = static_cast<double>(source.low[j]), hi[j] = static_cast<double>(source.high[j]);
            check(is_finite(lo[j]) && is_finite(hi[j]), who, ": features must be finite, dimension ", j, " is not");
        }
        return;
    }
    std::vector<T> low(blocks * d), high(blocks * d);
    parallel_for(blocks, 4, [&](std::size_t begin, std::size_t end) {
        const auto f = new_array<T>(d * pitch);
        for (std::size_t b = begin; b < end; ++b) {
            const auto block = layout[b];
            source.fill(block, f.get(), pitch);
            for (std::size_t j = 0; j < d; ++j) {
                const T* x = f.get() + j * pitch;
                T least = x[0], most = x[0];
                int odd = 0;
                for (std::size_t i = 0; i < block.points(); ++i) {
                    least = x[i] < least ? x[i] : least;
                    most = x[i] > most ? x[i] : most;
                    odd |= is_finite(x[i]) ? 0 : 1;
                }
                check(odd == 0, who, ": features must be finite, dimension ", j, " is not");
                low[b * d + j] = least;
                high[b * d + j] = most;
            }
        }
    });
    for (std::size_t j = 0; j < d; ++j) {
        lo[j] = static_cast<double>(low[j]), hi[j] = static_cast<double>(high[j]);
        for (std::size_t b = 1; b < blocks; ++b) {
            lo[j] = std::min(lo[j], static_cast<double>(low[b * d + j]));
            hi[j] = std::max(hi[j], static_cast<double>(high[b * d + j]));
        }
    }
}

/// Refuses what has no place in a lattice, and lays out keys that hold the rest.
template <class T>
key_packing pack_keys(const block_layout& layout, const feature_source<T>& source, std::size_t pitch, const char* who) {
    const std::size_t d = source.dimensions;
    const std::vector<T> scale = lattice_scale<T>(d);
    std::vector<double> lo(d), hi(d);
    find_bounds(layout, source, pitch, who, lo, hi);
    for (std::size_t j = 0; j < d; ++j) lo[j] *= static_cast<double>(scale[j]), hi[j] *= static_cast<double>(scale[j]);
    key_packing keys;
    keys.lowest.resize(d);
    keys.word.resize(d);
    keys.shift.resize(d);
    const double limit = sizeof(T) == 4 ? 0x1p21 : 0x1p30;
    double sum_lo = 0, sum_hi = 0;
    std::vector<double> first(d + 1), last(d + 1);
    for (std::size_t j = d; j > 0; --j) {
        first[j] = sum_lo - static_cast<double>(j) * hi[j - 1];
        last[j] = sum_hi - static_cast<double>(j) * lo[j - 1];
        sum_lo += lo[j - 1];
        sum_hi += hi[j - 1];
    }
    first[0] = sum_lo, last[0] = sum_hi;
    unsigned used = 0;
    for (std::size_t i = 0; i < d; ++i) {
        check(first[i] > -limit && last[i] < limit, who, ": features are too large for the lattice: divided by their deviations they reach cell ",
              std::max(-first[i], last[i]), ", at most ", limit, " are possible");
        // Rounding, the way around a simplex, a neighbour: together less than three sides of a cell.
        const auto margin = static_cast<std::int64_t>(3 * (d + 1) + 1);
        keys.lowest[i] = static_cast<std::int64_t>(std::floor(first[i])) - margin;
        const auto range = static_cast<std::uint64_t>(static_cast<std::int64_t>(std::ceil(last[i])) + margin - keys.lowest[i]);
        const auto bits = static_cast<unsigned>(std::bit_width(range));
        if (used + bits > 64) {
            ++keys.words;
            used = 0;
        }
        keys.word[i] = keys.words - 1;
        keys.shift[i] = used;
        used += bits;
    }
    keys.step.assign((d + 1) * keys.words, 0);
    for (std::size_t i = 0; i <= d; ++i) {
        for (std::size_t j = 0; j < d; ++j) keys.step[i * keys.words + keys.word[j]] += std::uint64_t{1} << keys.shift[j];
        if (i < d) keys.step[i * keys.words + keys.word[i]] -= static_cast<std::uint64_t>(d + 1) << keys.shift[i];
    }
    return keys;
}

/// The vertices of a block's points, numbered in the table; `link` receives points x (d + 1) numbers.
template <class I, class T>
void link_points(const key_packing& keys, const embedding_room<T>& room, std::size_t d, std::size_t pitch, std::size_t points, vertex_table& table,
                 I* link, T* weight) {
    const std::size_t corners = d + 1;
    if (keys.words == 1) {
        std::uint64_t offset = 0;
        for (std::size_t i = 0; i < d; ++i) offset -= static_cast<std::uint64_t>(keys.lowest[i]) << keys.shift[i];
        for (std::size_t p = 0; p < points; ++p) {
            std::uint64_t key = offset;
            for (std::size_t i = 0; i < d; ++i)
                key += static_cast<std::uint64_t>(static_cast<std::int64_t>(room.corner[i * pitch + p])) << keys.shift[i];
            link[p * corners] = static_cast<I>(table.number_of(key));
            weight[p * corners] = room.weight[p];
            for (std::size_t k = 1; k < corners; ++k) {
                key += keys.step[static_cast<std::size_t>(static_cast<std::int32_t>(room.order[(corners - k) * pitch + p]))];
                link[p * corners + k] = static_cast<I>(table.number_of(key));
                weight[p * corners + k] = room.weight[k * pitch + p];
            }
        }
        return;
    }
    std::vector<std::uint64_t> key(keys.words);
    for (std::size_t p = 0; p < points; ++p) {
        std::fill(key.begin(), key.end(), 0);
        for (std::size_t i = 0; i < d; ++i)
            key[keys.word[i]] += static_cast<std::uint64_t>(static_cast<std::int64_t>(room.corner[i * pitch + p]) - keys.lowest[i]) << keys.shift[i];
        for (std::size_t k = 0; k < corners; ++k) {
            if (k > 0) {
                const auto wraps = static_cast<std::size_t>(static_cast<std::int32_t>(room.order[(corners - k) * pitch + p]));
                for (std::size_t w = 0; w < keys.words; ++w) key[w] += keys.step[wraps * keys.words + w];
            }
            link[p * corners + k] = static_cast<I>(table.insert(key.data()));
            weight[p * corners + k] = room.weight[k * pitch + p];
        }
    }
}

/// For each vertex the next one along axis j, or `none`.
inline std::vector<std::uint32_t> next_along(const key_packing& keys, const vertex_table& all, std::size_t j) {
    const std::size_t n = all.size(), words = keys.words;
    const std::uint64_t* step = keys.step.data() + j * words;
    std::vector<std::uint32_t> next(n);
    constexpr std::size_t ahead = 16;
    if (words == 1) {
        const std::uint64_t* key = all.keys().data();
        for (std::size_t v = 0; v < n; ++v) {
            const std::uint64_t later = key[std::min(v + ahead, n - 1)] - *step;
            all.prefetch(&later);
            next[v] = all.find_word(key[v] - *step);
        }
        return next;
    }
    std::vector<std::uint64_t> wanted(words);
    for (std::size_t v = 0; v < n; ++v) {
        for (std::size_t w = 0; w < words; ++w) wanted[w] = all.keys()[v * words + w] - step[w];
        next[v] = all.find(wanted.data());
    }
    return next;
}

/// The chains of vertices along axis j.
template <class T>
void link_axis(const key_packing& keys, const vertex_table& all, const std::vector<std::uint32_t>& home, std::size_t j,
               typename lattice<T>::axis& axis) {
    const std::size_t n = all.size();
    const std::vector<std::uint32_t> next = next_along(keys, all, j);
    std::vector<char> follows(n + 1, 0);  // the last for `none`, so that no branch is needed
    for (const std::uint32_t v : next) follows[std::min<std::size_t>(v, n)] = 1;
    axis.chain.clear();
    axis.cuts.assign(1, 0);
    for (std::size_t v = 0; v < n; ++v) {
        if (follows[v] != 0 || next[v] == vertex_table::none) continue;
        if (axis.chain.size() - axis.cuts.back() >= 2048) axis.cuts.push_back(axis.chain.size());
        axis.chain.push_back(home[v] | 0x80000000u);
        for (std::uint32_t u = next[v]; u != vertex_table::none; u = next[u]) axis.chain.push_back(home[u]);
    }
    axis.cuts.push_back(axis.chain.size());
}

/// Numbers the vertices of all blocks, whose keys are `found`, in the order of the blocks, and finds out which slots belong together.
template <class T>
vertex_table merge_blocks(lattice<T>& to, std::size_t words, const std::vector<std::vector<std::uint64_t>>& found, const char* who) {
    const std::size_t blocks = found.size();
    for (std::size_t b = 0; b < blocks; ++b) to.slot_begin[b + 1] = to.slot_begin[b] + found[b].size() / words;
    check(to.slots() < (std::size_t{1} << 31), who, ": more than 2^31 vertices");
    vertex_table all(words, to.slots() / 2);
    std::vector<std::uint32_t> copy_vertex;
    to.copy_begin.assign(1, 0);
    for (std::size_t b = 0; b < blocks; ++b) {
        const std::uint64_t* key = found[b].data();
        const std::size_t n = to.block_slots(b);
        for (std::size_t i = 0; i < n; ++i) {
            if (i + 16 < n) all.prefetch(key + (i + 16) * words);
            const std::uint32_t vertex = all.insert(key + i * words);
            const auto slot = static_cast<std::uint32_t>(to.slot_begin[b] + i);
            if (vertex == to.home.size()) {
                to.home.push_back(slot);
            } else {
                copy_vertex.push_back(vertex);
                to.copy_slot.push_back(slot);
                to.copy_home.push_back(to.home[vertex]);
            }
        }
        to.copy_begin.push_back(to.copy_slot.size());
    }
    to.vertices = all.size();

    std::vector<std::uint32_t> place(to.vertices, 0);  // of each vertex: how many slots besides its home, then where the next one goes
    for (const std::uint32_t v : copy_vertex) ++place[v];
    to.shared_begin.assign(1, 0);
    to.shared_slot.reserve(2 * copy_vertex.size());
    for (std::size_t v = 0; v < to.vertices; ++v) {
        if (place[v] == 0) continue;
        const std::size_t first = to.shared_slot.size();
        to.shared_slot.resize(first + 1 + place[v], to.home[v]);
        place[v] = static_cast<std::uint32_t>(first) + 1;
        to.shared_begin.push_back(static_cast<std::uint32_t>(to.shared_slot.size()));
    }
    for (std::size_t i = 0; i < copy_vertex.size(); ++i) to.shared_slot[place[copy_vertex[i]]++] = to.copy_slot[i];
    return all;
}

template <class T>
void build_lattice_any(lattice<T>& to, const block_layout& layout, const feature_source<T>& source, const char* who) {
    const auto& kernels = get_lattice_kernels(T());
    const std::size_t d = source.dimensions, corners = d + 1, blocks = layout.blocks(), points = layout.points();
    check(d >= 1 && d <= max_lattice_dimensions, who, ": points must have 1 to ", max_lattice_dimensions, " features, got ", d);
    check(points < (std::size_t{1} << 40), who, ": too many points, ", points);
    to = lattice<T>();
    to.layout = layout;
    to.dimensions = d;
    to.slot_begin.assign(blocks + 1, 0);
    to.axes.resize(corners);
    if (points == 0) {
        to.shared_begin.assign(1, 0);
        for (auto& axis : to.axes) axis.cuts.assign(1, 0);
        return;
    }
    constexpr std::size_t unit = 64;  // any target's lanes
    const std::size_t pitch = (layout.largest() + unit - 1) / unit * unit;
    const key_packing keys = pack_keys(layout, source, pitch, who);
    const std::vector<T> scale = lattice_scale<T>(d);
    to.narrow = new_large_array<std::uint16_t>(points * corners);
    to.weight = new_large_array<T>(points * corners);

    std::vector<std::vector<std::uint64_t>> found(blocks);
    scratch_pool<embedding_room<T>> rooms;
    // Numbers take 16 bits unless a block has more vertices; then all is done again with 32.
    for (const bool narrow : {true, false}) {
        std::atomic<bool> fits{true};
        parallel_for(blocks, 1, [&](std::size_t begin, std::size_t end) {
            const auto room = rooms.lease([&] { return std::make_unique<embedding_room<T>>(d, pitch, keys.words); });
            for (std::size_t b = begin; b < end && fits.load(std::memory_order_relaxed); ++b) {
                const auto block = layout[b];
                source.fill(block, room->features.get(), pitch);
                kernels.embed({room->features.get(), d, block.points(), pitch, scale.data(), room->corner.get(), room->order.get(), room->weight.get()});
                room->table.clear();
                const std::size_t at = block.begin * corners;
                if (narrow) link_points(keys, *room, d, pitch, block.points(), room->table, to.narrow.get() + at, to.weight.get() + at);
                else link_points(keys, *room, d, pitch, block.points(), room->table, to.wide.get() + at, to.weight.get() + at);
                found[b] = room->table.keys();
                if (narrow && room->table.size() > 65536) fits.store(false, std::memory_order_relaxed);
            }
        });
        if (fits.load()) break;
        to.narrow.reset();
        to.wide = new_large_array<std::uint32_t>(points * corners);
    }

    const vertex_table all = merge_blocks(to, keys.words, found, who);
    found.clear();
    parallel_for(corners, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t j = begin; j < end; ++j) link_axis<T>(keys, all, to.home, j, to.axes[j]);
    });
}

template <class T>
void blur_lattice_any(const lattice<T>& l, std::size_t width, const T* scale, const T* matrix, bool reverse, T* values) {
    const auto& kernels = get_lattice_kernels(T());
    parallel_for(l.shared_begin.size() - 1, 1024, [&](std::size_t begin, std::size_t end) {
        kernels.merge(l.shared_begin.data() + begin, l.shared_slot.data(), end - begin, width, values);
    });
    if (scale != nullptr || matrix != nullptr)
        parallel_for(l.vertices, 2048, [&](std::size_t begin, std::size_t end) {
            if (scale != nullptr) kernels.scale(l.home.data() + begin, end - begin, width, scale, values);
            if (matrix == nullptr) return;
            const auto room = new_array<T>(width);
            kernels.mix(l.home.data() + begin, end - begin, width, matrix, room.get(), values);
        });
    for (std::size_t i = 0; i < l.axes.size(); ++i) {
        const auto& axis = l.axes[reverse ? l.axes.size() - 1 - i : i];
        parallel_for(axis.cuts.size() - 1, 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t k = begin; k < end; ++k) kernels.blur(axis.chain.data() + axis.cuts[k], axis.cuts[k + 1] - axis.cuts[k], width, values);
        });
    }
}

/// Asks for memory that will be read in an order of its own.
inline void prefetch_lines(const void* begin, std::size_t bytes) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(begin) + i);
#else
    (void)begin, (void)bytes;
#endif
}

template <class T>
void fetch_block_any(const lattice<T>& l, std::size_t block, std::size_t width, T* values) {
    prefetch_lines(values + l.slot_begin[block] * width, l.block_slots(block) * width * sizeof(T));
    const std::size_t begin = l.copy_begin[block];
    get_lattice_kernels(T()).copy(l.copy_home.data() + begin, l.copy_slot.data() + begin, l.copy_begin[block + 1] - begin, width, values);
}

template <class T>
void filter_points_any(const lattice<T>& l, const T* in, std::size_t channels, bool reverse, T* out) {
    if (channels == 0 || l.layout.points() == 0) return;
    const auto& kernels = get_lattice_kernels(T());
    const std::size_t width = lattice_width(T(), channels), run = 64;
    check(l.slots() <= std::numeric_limits<std::size_t>::max() / sizeof(T) / width / 4, "permutohedral_lattice: ", channels, " channels are too many");
    const auto values = new_large_array<T>(l.slots() * width);
    const T alpha = l.alpha();
    const std::vector<T> scale(width, alpha);
    const parallel_region region;
    parallel_for(l.layout.blocks(), 1, [&](std::size_t begin, std::size_t end) {
        const auto rows = new_array<T>(run * width);
        std::fill_n(rows.get(), run * width, T(0));
        for (std::size_t b = begin; b < end; ++b) {
            const auto block = l.layout[b];
            T* to = values.get() + l.slot_begin[b] * width;
            std::fill_n(to, l.block_slots(b) * width, T(0));
            for (std::size_t p = block.begin; p < block.begin + block.points(); p += run) {
                const std::size_t n = std::min(run, block.begin + block.points() - p);
                const T* from = in + p * channels;
                if (width != channels) {
                    for (std::size_t i = 0; i < n; ++i) std::copy_n(from + i * channels, channels, rows.get() + i * width);
                    from = rows.get();
                }
                kernels.splat(l.links(p, nullptr), n, from, width, to);
            }
        }
    });
    blur_lattice_any<T>(l, width, scale.data(), nullptr, reverse, values.get());
    parallel_for(l.layout.blocks(), 1, [&](std::size_t begin, std::size_t end) {
        const auto rows = new_array<T>(run * width);
        for (std::size_t b = begin; b < end; ++b) {
            const auto block = l.layout[b];
            fetch_block_any<T>(l, b, width, values.get());
            const T* from = values.get() + l.slot_begin[b] * width;
            for (std::size_t p = block.begin; p < block.begin + block.points(); p += run) {
                const std::size_t n = std::min(run, block.begin + block.points() - p);
                T* to = width == channels ? out + p * channels : rows.get();
                std::fill_n(to, n * width, T(0));
                kernels.slice(l.links(p, nullptr), n, to, from, width, to);
                if (width != channels)
                    for (std::size_t i = 0; i < n; ++i) std::copy_n(rows.get() + i * width, channels, out + (p + i) * channels);
            }
        }
    });
}

template <class T>
std::size_t lattice_width_any(std::size_t channels) {
    const std::size_t lanes = get_lattice_kernels(T()).lanes;
    return channels == 1 ? 1 : (channels + lanes - 1) / lanes * lanes;
}

OCELLI_INLINE std::size_t lattice_width(float, std::size_t channels) {
    return lattice_width_any<float>(channels);
}
OCELLI_INLINE std::size_t lattice_width(double, std::size_t channels) {
    return lattice_width_any<double>(channels);
}
OCELLI_INLINE void build_lattice(lattice<float>& to, const block_layout& layout, const feature_source<float>& source, const char* who) {
    build_lattice_any(to, layout, source, who);
}
OCELLI_INLINE void build_lattice(lattice<double>& to, const block_layout& layout, const feature_source<double>& source, const char* who) {
    build_lattice_any(to, layout, source, who);
}
OCELLI_INLINE void blur_lattice(const lattice<float>& l, std::size_t width, const float* scale, const float* matrix, bool reverse, float* values) {
    blur_lattice_any(l, width, scale, matrix, reverse, values);
}
OCELLI_INLINE void blur_lattice(const lattice<double>& l, std::size_t width, const double* scale, const double* matrix, bool reverse, double* values) {
    blur_lattice_any(l, width, scale, matrix, reverse, values);
}
OCELLI_INLINE void fetch_block(const lattice<float>& l, std::size_t block, std::size_t width, float* values) {
    fetch_block_any(l, block, width, values);
}
OCELLI_INLINE void fetch_block(const lattice<double>& l, std::size_t block, std::size_t width, double* values) {
    fetch_block_any(l, block, width, values);
}
OCELLI_INLINE void filter_points(const lattice<float>& l, const float* in, std::size_t channels, bool reverse, float* out) {
    filter_points_any(l, in, channels, reverse, out);
}
OCELLI_INLINE void filter_points(const lattice<double>& l, const double* in, std::size_t channels, bool reverse, double* out) {
    filter_points_any(l, in, channels, reverse, out);
}

}  // namespace ocelli::detail
