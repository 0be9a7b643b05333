// Greedy suppression. Compiled once per target by for_each_target.hpp: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

/// A candidate, each number in every lane.
template <class T>
struct nms_candidate {
    vec<T> x1, y1, x2, y2, area;
};

/// True where a lane's kept box suppresses the candidate.
template <bool Diou, bool Legacy, class T>
OCELLI_ALWAYS_INLINE bool suppressed_by(const nms_candidate<T>& c, const T* kept, std::size_t stride, vec<T> threshold) {
    using V = vec<T>;
    const V zero{};
    const V one = broadcast(T(1));
    const V x1 = load(kept), y1 = load(kept + stride), x2 = load(kept + 2 * stride), y2 = load(kept + 3 * stride);
    V w = min(c.x2, x2) - max(c.x1, x1);
    V h = min(c.y2, y2) - max(c.y1, y1);
    if constexpr (Legacy) {
        w = w + one;
        h = h + one;
    }
    const V inter = rounded(max(w, zero) * max(h, zero));
    const V united = (c.area + load(kept + 4 * stride)) - inter;
    V measure = inter / united;
    if constexpr (Diou) {
        V cw = max(c.x2, x2) - min(c.x1, x1);
        V ch = max(c.y2, y2) - min(c.y1, y1);
        if constexpr (Legacy) {
            cw = cw + one;
            ch = ch + one;
        }
        const V half = broadcast(T(0.5));
        const V diagonal = (rounded(cw * cw) + rounded(ch * ch)) + broadcast(T(1e-7));
        const V dx = rounded((c.x1 + c.x2) * half) - rounded((x1 + x2) * half);
        const V dy = rounded((c.y1 + c.y2) * half) - rounded((y1 + y2) * half);
        measure = measure - (rounded(dx * dx) + rounded(dy * dy)) / diagonal;
    }
    return movemask(measure > threshold) != 0;
}

template <bool Diou, bool Legacy, class T>
void greedy_kernel_of(nms_pass<T>& pass) {
    constexpr std::size_t L = lanes<T>;
    const vec<T> threshold = broadcast(pass.threshold);
    const T plus = Legacy ? T(1) : T(0);
    std::size_t i = pass.next;
    for (; i < pass.candidates && pass.kept_count < pass.max_kept; ++i) {
        if (pass.kept_here == pass.capacity) break;
        const T* box = pass.boxes + 4 * static_cast<std::size_t>(pass.order[i]);
        T w = box[2] - box[0];
        T h = box[3] - box[1];
        if constexpr (Legacy) {
            w = w + plus;
            h = h + plus;
        }
        const T area = rounded((T(0) > w ? T(0) : w) * (T(0) > h ? T(0) : h));
        // An empty box, a NaN and an infinite area: IoU 0 with every box, so it neither suppresses nor is suppressed.
        const bool alone = !(area > T(0)) || area - area != T(0);
        if (!alone) {
            const nms_candidate<T> c{broadcast(box[0]), broadcast(box[1]), broadcast(box[2]), broadcast(box[3]), broadcast(area)};
            bool gone = false;
            for (std::size_t k = 0; k < pass.kept_here && !gone; k += L)
                gone = suppressed_by<Diou, Legacy, T>(c, pass.kept + k, pass.capacity, threshold);
            if (gone) continue;
            const std::size_t at = pass.kept_here++;
            if (at % L == 0) {
                // Boxes that no candidate meets, in the lanes to come.
                for (std::size_t k = at; k < at + L; ++k) {
                    pass.kept[k] = pass.kept[pass.capacity + k] = T(1e30);
                    pass.kept[2 * pass.capacity + k] = pass.kept[3 * pass.capacity + k] = T(-1e30);
                    pass.kept[4 * pass.capacity + k] = T(0);
                }
            }
            for (std::size_t k = 0; k < 4; ++k) pass.kept[k * pass.capacity + at] = box[k];
            pass.kept[4 * pass.capacity + at] = area;
        }
        pass.kept_positions[pass.kept_count++] = static_cast<std::uint32_t>(i);
    }
    pass.next = i;
}

template <class T>
void greedy_kernel(nms_pass<T>& pass) {
    if (pass.diou) {
        if (pass.legacy) {
            greedy_kernel_of<true, true, T>(pass);
        } else {
            greedy_kernel_of<true, false, T>(pass);
        }
    } else {
        if (pass.legacy) {
            greedy_kernel_of<false, true, T>(pass);
        } else {
            greedy_kernel_of<false, false, T>(pass);
        }
    }
}

inline nms_tables make_nms_tables() {
    nms_tables tables{};
    tables.f32.greedy = &greedy_kernel<float>;
    tables.f64.greedy = &greedy_kernel<double>;
    return tables;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
