// Greedy suppression. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// A candidate, each number in every lane.
template <class T>
struct nms_candidate {
    vec<T> x1, y1, x2, y2, area;
};

/// The area of a row, 0 for empty boxes, NaN where a coordinate is. `plus`: 1 for the legacy pixel, otherwise 0.
template <class T>
OCELLI_ALWAYS_INLINE T row_area(const T* box, T plus) {
    const T w = (box[2] - box[0]) + plus;
    const T h = (box[3] - box[1]) + plus;
    return rounded((T(0) > w ? T(0) : w) * (T(0) > h ? T(0) : h));
}

/// True for an empty box, a NaN and an infinite area: IoU 0 with every box, so it neither suppresses nor is suppressed.
template <class T>
OCELLI_ALWAYS_INLINE bool stands_alone(T area) {
    return !(area > T(0)) || !(area <= (sizeof(T) == 4 ? T(3.4028234663852886e38) : T(1.7976931348623157e308)));
}

/// What a pass compares with. `low` is a little less than the threshold.
template <class T>
struct nms_limits {
    vec<T> low, threshold, plus;
    bool diou;
};

/// True where a lane's kept box suppresses the candidate. Plain: by IoU, without the legacy pixel; a form of its own, because it is what nearly
/// everybody asks for, while four forms would be most of this header's compile time.
template <bool Plain, class T>
OCELLI_ALWAYS_INLINE bool suppressed_by(const nms_candidate<T>& c, const T* kept, const nms_limits<T>& limits) {
    using V = vec<T>;
    const V zero{};
    const V x1 = load(kept), y1 = load(kept + nms_block), x2 = load(kept + 2 * nms_block), y2 = load(kept + 3 * nms_block);
    V w = min(c.x2, x2) - max(c.x1, x1);
    V h = min(c.y2, y2) - max(c.y1, y1);
    if constexpr (!Plain) {
        w = w + limits.plus;
        h = h + limits.plus;
    }
    const V inter = rounded(max(w, zero) * max(h, zero));
    const V united = (c.area + load(kept + 4 * nms_block)) - inter;
    // Division only where it can matter: "greater than the threshold" implies this, by a margin of many roundings.
    if (greater_bits(inter, rounded(limits.low * united)) == 0) return false;
    V measure = inter / united;
    if constexpr (!Plain) {
        if (limits.diou) {
            const V cw = (max(c.x2, x2) - min(c.x1, x1)) + limits.plus;
            const V ch = (max(c.y2, y2) - min(c.y1, y1)) + limits.plus;
            const V half = broadcast(T(0.5));
            const V diagonal = (rounded(cw * cw) + rounded(ch * ch)) + broadcast(T(1e-7));
            const V dx = rounded((c.x1 + c.x2) * half) - rounded((x1 + x2) * half);
            const V dy = rounded((c.y1 + c.y2) * half) - rounded((y1 + y2) * half);
            measure = measure - (rounded(dx * dx) + rounded(dy * dy)) / diagonal;
        }
    }
    return greater_bits(measure, limits.threshold) != 0;
}

/// Appends a box to a list that begins at `blocks`.
template <class T>
OCELLI_ALWAYS_INLINE void append_box(T* blocks, std::size_t count, const T* box, T area) {
    T* const block = blocks + count / nms_block * nms_block_numbers;
    const std::size_t at = count % nms_block;
    if (at == 0) {
        constexpr std::size_t L = lanes<T>;
        for (std::size_t k = 0; k < 2 * nms_block; k += L) {
            store(block + k, broadcast(T(1e30)));
            store(block + 2 * nms_block + k, broadcast(T(-1e30)));
        }
        for (std::size_t k = 0; k < nms_block; k += L) store(block + 4 * nms_block + k, vec<T>{});
    }
    for (std::size_t k = 0; k < 4; ++k) block[k * nms_block + at] = box[k];
    block[4 * nms_block + at] = area;
}

template <bool Plain, class T>
OCELLI_ALWAYS_INLINE bool suppressed_in(const nms_candidate<T>& c, const T* blocks, std::size_t count, const nms_limits<T>& limits) {
    constexpr std::size_t L = lanes<T>;
    for (std::size_t k = 0; k < count; k += L)
        if (suppressed_by<Plain, T>(c, blocks + k / nms_block * nms_block_numbers + k % nms_block, limits)) return true;
    return false;
}

template <class T>
OCELLI_NOINLINE void insert_in_cells(nms_pass<T>& pass, const T* box, T area, const nms_range& range) {
    if (range.wide == 0) {
        append_box(pass.everywhere, pass.everywhere_count++, box, area);
        return;
    }
    const nms_grid_cells& g = pass.cells;
    for (std::uint32_t dy = 0; dy < range.high; ++dy) {
        const std::uint32_t row = ((static_cast<std::uint32_t>(range.first_y) + dy) & g.mask_y) << g.shift;
        for (std::uint32_t dx = 0; dx < range.wide; ++dx) {
            const std::uint32_t cell = row + ((static_cast<std::uint32_t>(range.first_x) + dx) & g.mask_x);
            append_box(pass.blocks + static_cast<std::size_t>(g.first_block[cell]) * nms_block_numbers, g.count[cell]++, box, area);
        }
    }
}

template <bool Grid, bool Plain, class T>
void greedy_kernel_of(nms_pass<T>& pass) {
    constexpr std::size_t L = lanes<T>;
    const T plus = pass.legacy ? T(1) : T(0);
    const vec<T> threshold = broadcast(pass.threshold);
    const nms_limits<T> limits{threshold - threshold * broadcast(sizeof(T) == 4 ? T(1e-5) : T(1e-13)), threshold, broadcast(plus), pass.diou};
    std::size_t tests = 0;
    std::size_t i = pass.next;
    for (; i < pass.candidates && pass.kept_count < pass.max_kept; ++i) {
        if constexpr (!Grid)
            if (tests > pass.tests_allowed) break;
        const T* box = pass.boxes + 4 * static_cast<std::size_t>(pass.order[i]);
        const T area = row_area(box, plus);
        if (!stands_alone(area)) {
            const nms_candidate<T> c{broadcast(box[0]), broadcast(box[1]), broadcast(box[2]), broadcast(box[3]), broadcast(area)};
            if constexpr (!Grid) tests += (pass.everywhere_count + L - 1) / L;
            bool gone = suppressed_in<Plain, T>(c, pass.everywhere, pass.everywhere_count, limits);
            if constexpr (Grid) {
                const nms_range& range = pass.ranges[i - pass.ranges_begin];
                const nms_grid_cells& g = pass.cells;
                const std::uint32_t cell = ((static_cast<std::uint32_t>(range.y) & g.mask_y) << g.shift) +
                                           (static_cast<std::uint32_t>(range.x) & g.mask_x);
                gone = gone || suppressed_in<Plain, T>(
                                   c, pass.blocks + static_cast<std::size_t>(g.first_block[cell]) * nms_block_numbers, g.count[cell], limits);
                if (pass.suppressors ? pass.suppressors[i] != 0 : !gone) insert_in_cells(pass, box, area, range);
            } else {
                if (pass.suppressors ? pass.suppressors[i] != 0 : !gone)
                    append_box(pass.everywhere, pass.everywhere_count++, box, area);
            }
            if (gone) continue;
        }
        pass.kept_positions[pass.kept_count++] = static_cast<std::uint32_t>(i);
    }
    pass.tests += tests;
    pass.next = i;
}

template <bool Grid, class T>
void greedy_kernel(nms_pass<T>& pass) {
    if (pass.diou || pass.legacy) greedy_kernel_of<Grid, false, T>(pass);
    else greedy_kernel_of<Grid, true, T>(pass);
}

/// A coordinate's cell: truncation and clamping keep the order of coordinates, which is all that is asked of it.
template <class T>
OCELLI_ALWAYS_INLINE std::int32_t cell_of(T x, T per) {
    constexpr T most = T(1000000);
    T c = x * per;
    c = c < most ? c : most;
    c = c > -most ? c : -most;
    return static_cast<std::int32_t>(c);
}

template <class T>
bool ranges_kernel(const T* boxes, const std::uint32_t* order, std::size_t n, const nms_grid_shape<T>& shape, nms_range* out) {
    const T plus = shape.legacy ? T(1) : T(0);
    bool fine = true;
    for (std::size_t i = 0; i < n; ++i) {
        const T* box = boxes + 4 * static_cast<std::size_t>(order[i]);
        const T w = (box[2] - box[0]) + plus;
        const T h = (box[3] - box[1]) + plus;
        const T area = (T(0) > w ? T(0) : w) * (T(0) > h ? T(0) : h);
        nms_range& r = out[i];
        r = nms_range{0, 0, 0, 0, 1, 1};
        if (stands_alone(area)) continue;
        // With the legacy pixel a side below 1 comes from a difference near -1: relative errors are not small then.
        fine = fine && area >= shape.smallest && w >= plus && h >= plus;
        const T cx = box[0] * T(0.5) + (box[2] + plus) * T(0.5);
        const T cy = box[1] * T(0.5) + (box[3] + plus) * T(0.5);
        const T blur_x = ((box[0] > 0 ? box[0] : -box[0]) + (box[2] > 0 ? box[2] : -box[2]) + plus) * shape.blur;
        const T blur_y = ((box[1] > 0 ? box[1] : -box[1]) + (box[3] > 0 ? box[3] : -box[3]) + plus) * shape.blur;
        const T rx = w * shape.reach + (shape.extra_x + blur_x);
        const T ry = h * shape.reach + (shape.extra_y + blur_y);
        r.x = cell_of(cx, shape.per_x);
        r.y = cell_of(cy, shape.per_y);
        r.first_x = cell_of(cx - rx, shape.per_x);
        r.first_y = cell_of(cy - ry, shape.per_y);
        const std::int32_t wide = cell_of(cx + rx, shape.per_x) - r.first_x + 1;
        const std::int32_t high = cell_of(cy + ry, shape.per_y) - r.first_y + 1;
        const bool small = wide <= 64 && high <= 64 && wide * high <= 64;
        r.wide = static_cast<std::uint16_t>(small ? wide : 0);
        r.high = static_cast<std::uint16_t>(small ? high : 0);
    }
    return fine;
}

template <class T>
void insert_kernel(nms_pass<T>& pass, std::size_t row, const nms_range& range) {
    const T* box = pass.boxes + 4 * row;
    const T area = row_area(box, pass.legacy ? T(1) : T(0));
    if (!stands_alone(area)) insert_in_cells(pass, box, area, range);
}

/// The IoUs above 0 of a box with entries [from, to) of a list, in the list's order.
template <class T>
std::size_t overlaps_kernel(const T* blocks, std::size_t from, std::size_t to, const T* box, bool legacy, T* out) {
    constexpr std::size_t L = lanes<T>;
    const vec<T> zero{};
    const vec<T> plus = broadcast(legacy ? T(1) : T(0));
    const T area = row_area(box, legacy ? T(1) : T(0));
    if (stands_alone(area)) return 0;
    const nms_candidate<T> c{broadcast(box[0]), broadcast(box[1]), broadcast(box[2]), broadcast(box[3]), broadcast(area)};
    std::size_t found = 0;
    for (std::size_t k = from / L * L; k < to; k += L) {
        const T* kept = blocks + k / nms_block * nms_block_numbers + k % nms_block;
        const vec<T> w = (min(c.x2, load(kept + 2 * nms_block)) - max(c.x1, load(kept))) + plus;
        const vec<T> h = (min(c.y2, load(kept + 3 * nms_block)) - max(c.y1, load(kept + nms_block))) + plus;
        const vec<T> inter = rounded(max(w, zero) * max(h, zero));
        unsigned bits = greater_bits(inter, zero);
        if (k < from) bits &= ~0u << (from - k);
        if (bits == 0) continue;
        T lane[L];
        store(lane, inter / ((c.area + load(kept + 4 * nms_block)) - inter));
        for (; bits != 0; bits &= bits - 1) out[found++] = lane[__builtin_ctz(bits)];
    }
    return found;
}

template <class T>
inline void fill_nms_kernels(nms_kernels<T>& table) {
    table.everywhere = &greedy_kernel<false, T>;
    table.grid = &greedy_kernel<true, T>;
    table.ranges = &ranges_kernel<T>;
    table.insert = &insert_kernel<T>;
    table.overlaps = &overlaps_kernel<T>;
}

inline nms_tables make_nms_tables() {
    nms_tables tables{};
    fill_nms_kernels(tables.f32);
    fill_nms_kernels(tables.f64);
    return tables;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
