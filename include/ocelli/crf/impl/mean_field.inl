#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/crf/detail/lattice.hpp>
#include <ocelli/crf/detail/mean_field.hpp>
#include <ocelli/crf/detail/scratch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

namespace ocelli::detail {

inline const lattice_kernels<float>& mean_field_kernels(float) {
    return get_lattice_tables().f32;
}
inline const lattice_kernels<double>& mean_field_kernels(double) {
    return get_lattice_tables().f64;
}

template <class T>
inline constexpr T log2_e = static_cast<T>(1.44269504088896340736);

template <class T>
void set_size_any(mean_field<T>& field, std::size_t height, std::size_t width, std::size_t labels, const char* who) {
    check(labels >= 1, who, ": there must be at least one label");
    const std::size_t limit = max_crf_elements;
    check(width == 0 || height <= limit / width, who, ": too many points, ", height, " x ", width);
    check(height * width == 0 || labels <= limit / (height * width), who, ": ", height * width, " points of ", labels,
          " labels are more than ", limit, " numbers");
    field.layout = block_layout::of_image(height, width);
    field.labels = labels;
    const std::size_t lanes = mean_field_kernels(T()).lanes;
    field.width = (labels + lanes - 1) / lanes * lanes;
}

/// Calls part(first internal point, points, offset in a plane) for runs of at most block_layout::tile points.
template <class F>
void for_each_run(const block_layout& layout, const block_layout::block& block, F&& part) {
    block.for_each_run([&](std::size_t i, std::size_t n, std::size_t y, std::size_t x) { part(block.begin + i, n, y * layout.width + x); });
}

/// Infinite energies may forbid a label; anything else that is not a number is refused.
template <class T>
void check_logits(const mean_field<T>& field, const T* planes, T sign, const char* who) {
    const std::size_t n = field.layout.points();
    for (std::size_t p = 0; p < n; ++p) {
        bool possible = false;
        for (std::size_t l = 0; l < field.labels; ++l) {
            const T x = planes[l * n + p] * (sign * log2_e<T>);
            check(!is_nan(x), who, ": NaN at label ", l, " of point ", p);
            check(is_finite(x) || x < 0, who, ": a label must not be infinitely likely, label ", l, " of point ", p, " is");
            possible = possible || is_finite(x);
        }
        check(possible, who, ": point ", p, " has no possible label");
    }
}

template <class T>
void set_logits_any(mean_field<T>& field, const T* planes, T sign, const char* who) {
    const auto& kernels = mean_field_kernels(T());
    const std::size_t n = field.layout.points();
    auto logits = new_large_array<T>(n * field.width);
    std::vector<char> odd(field.layout.blocks(), 0);
    parallel_for(field.layout.blocks(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b)
            for_each_run(field.layout, field.layout[b], [&](std::size_t p, std::size_t points, std::size_t at) {
                const bool found = kernels.to_rows(planes + at, n, points, field.labels, field.width, sign * log2_e<T>, -std::numeric_limits<T>::infinity(),
                                                   logits.get() + p * field.width);
                if (found) odd[b] = 1;
            });
    });
    if (std::find(odd.begin(), odd.end(), 1) != odd.end()) check_logits(field, planes, sign, who);
    field.logits = std::move(logits);
}

template <class T>
void invert_norms(T* norm, std::size_t points, bool symmetric) {
    const T little = static_cast<T>(1e-20);
    if (symmetric)
        for (std::size_t i = 0; i < points; ++i) norm[i] = 1 / std::sqrt(norm[i] + little);
    else
        for (std::size_t i = 0; i < points; ++i) norm[i] = 1 / (norm[i] + little);
}

/// weight[i, k] *= everywhere * norm[i], or by `everywhere` alone.
template <class T>
void scale_weights(T* weight, std::size_t points, std::size_t corners, const T* norm, T everywhere) {
    for (std::size_t i = 0; i < points; ++i, weight += corners) {
        const T by = norm == nullptr ? everywhere : norm[i] * everywhere;
        for (std::size_t k = 0; k < corners; ++k) weight[k] *= by;
    }
}

template <class T>
void add_term_any(mean_field<T>& field, const feature_source<T>& source, kernel_normalization normalization, const message_weights& weights,
                  const char* who) {
    const std::size_t labels = field.labels, width = field.width, n = field.layout.points();
    for (const double w : weights.values) check(is_finite(w), who, ": weights must be finite");
    mean_field_term<T> term;
    build_lattice(term.points, field.layout, source, who);
    const T alpha = term.points.alpha() * log2_e<T>;  // logits are to base 2
    T everywhere = 1;                                 // what all weights have to be multiplied by
    if (weights.values.size() == labels * labels && labels > 1) {
        check(width <= max_crf_elements / width, who, ": the matrix is too large");
        term.matrix.assign(width * width, T(0));
        for (std::size_t l = 0; l < labels; ++l)
            for (std::size_t m = 0; m < labels; ++m) term.matrix[m * width + l] = static_cast<T>(weights.values[l * labels + m]) * alpha;
    } else if (weights.values.size() == 1 && weights.values[0] > 0) {
        everywhere = std::sqrt(static_cast<T>(weights.values[0]) * alpha);  // on both ways
    } else {
        term.scale.assign(width, T(0));
        for (std::size_t l = 0; l < labels; ++l)
            term.scale[l] = static_cast<T>(weights.values.size() == 1 ? weights.values[0] : weights.values[l]) * alpha;
    }
    std::unique_ptr<T[]> norm;
    if (normalization != kernel_normalization::none) {
        norm = new_array<T>(n);
        std::fill_n(norm.get(), n, T(1));
        filter_points(term.points, norm.get(), 1, false, norm.get());
    }
    const bool symmetric = normalization == kernel_normalization::symmetric;
    const std::size_t corners = term.points.dimensions + 1;
    T* const weight = term.points.weight.get();
    T* const by = norm.get();
    parallel_for(n, 4096, [&](std::size_t begin, std::size_t end) {
        if (by != nullptr) invert_norms(by + begin, end - begin, symmetric);
        if (symmetric) scale_weights(weight + begin * corners, end - begin, corners, by + begin, everywhere);
        else if (everywhere != 1) scale_weights(weight + begin * corners, end - begin, corners, static_cast<const T*>(nullptr), everywhere);
    });
    if (normalization == kernel_normalization::before) term.before = std::move(norm);
    if (normalization == kernel_normalization::after) term.after = std::move(norm);
    // Terms of few dimensions first: one order for the kernels to know.
    const auto at = std::upper_bound(field.terms.begin(), field.terms.end(), corners,
                                     [](std::size_t c, const mean_field_term<T>& other) { return c < other.points.dimensions + 1; });
    field.terms.insert(at, std::move(term));
}

/// The memory of a run: each term's messages at its slots, and the marginals that the slots collect meanwhile.
template <class T>
struct mean_field_room {
    struct values {
        large_array<T> messages, sums;
    };
    std::vector<values> terms;
    scratch_pool<large_array<T>> rows;  ///< of a run of points, for each thread

    explicit mean_field_room(const mean_field<T>& field) {
        const std::size_t limit = std::numeric_limits<std::size_t>::max() / sizeof(T) / 4 / field.width;
        for (const auto& term : field.terms) {
            const std::size_t slots = term.points.slots();
            check(slots <= limit, "dense_crf: ", slots, " vertices of ", field.labels, " labels are too many");
            terms.push_back({new_large_array<T>(slots * field.width), new_large_array<T>(slots * field.width)});
        }
    }
    static std::unique_ptr<large_array<T>> new_rows(std::size_t width) {
        return std::make_unique<large_array<T>>(new_large_array<T>(block_layout::tile * width));
    }
};

/// What happens to a block's points in one pass.
template <class T>
struct mean_field_pass {
    const T* from = nullptr;  ///< planes to read; null: the unaries
    bool messages = false;    ///< add what the lattices hold
    bool softmax = true;
    bool spread = false;      ///< write to the lattices
    T* out = nullptr;         ///< planes to write
};

template <class T>
void pass_block(const mean_field<T>& field, mean_field_room<T>& room, T* rows, std::size_t b, const mean_field_pass<T>& pass) {
    const auto& kernels = mean_field_kernels(T());
    const std::size_t width = field.width, n = field.layout.points();
    const auto block = field.layout[b];
    // What a run of points begins with: in `rows`, or where it lies already.
    const auto start = [&](std::size_t p, std::size_t points, std::size_t at) -> const T* {
        if (pass.from != nullptr) {
            kernels.to_rows(pass.from + at, n, points, field.labels, width, T(1), T(0), rows);
        } else if (field.logits) {
            return field.logits.get() + p * width;
        } else {
            for (std::size_t i = 0; i < points * width; ++i) rows[i] = i % width < field.labels ? T(0) : -std::numeric_limits<T>::infinity();
        }
        return rows;
    };
    // A block's slots of a term.
    const auto messages = [&](std::size_t t) { return room.terms[t].messages.get() + field.terms[t].points.slot_begin[b] * width; };
    const auto sums = [&](std::size_t t) { return room.terms[t].sums.get() + field.terms[t].points.slot_begin[b] * width; };
    for (std::size_t t = 0; t < field.terms.size(); ++t) {
        if (pass.messages) fetch_block(field.terms[t].points, b, width, room.terms[t].messages.get());
        if (pass.spread) std::fill_n(sums(t), field.terms[t].points.block_slots(b) * width, T(0));
    }
    // The usual passes, in one kernel: from the unaries to the lattices, from lattices to lattices, from the lattices to the result.
    bool together = pass.from == nullptr && pass.softmax && pass.spread == (pass.out == nullptr) && (pass.messages || pass.spread) && field.logits &&
                    width <= 4 * kernels.lanes;
    for (const auto& term : field.terms) together = together && term.points.narrow && !term.before && !term.after;
    if (together) {
        std::vector<lattice_exchange<T>> exchanges(field.terms.size());
        for_each_run(field.layout, block, [&](std::size_t p, std::size_t points, std::size_t at) {
            for (std::size_t t = 0; t < field.terms.size(); ++t) exchanges[t] = {field.terms[t].points.links(p, nullptr), messages(t), sums(t)};
            kernels.update(exchanges.data(), exchanges.size(), points, field.logits.get() + p * width, width, pass.messages,
                           pass.out == nullptr ? nullptr : rows);
            if (pass.out != nullptr) kernels.to_planes(rows, points, field.labels, width, pass.out + at, n);
        });
        return;
    }
    for_each_run(field.layout, block, [&](std::size_t p, std::size_t points, std::size_t at) {
        const T* base = start(p, points, at);
        for (std::size_t t = 0; t < field.terms.size() && pass.messages; ++t) {
            const auto& term = field.terms[t];
            kernels.slice(term.points.links(p, term.after.get()), points, base, messages(t), width, rows);
            base = rows;
        }
        if (base != rows) std::copy_n(base, points * width, rows);
        if (pass.softmax) kernels.softmax(rows, points, width);
        if (pass.spread)
            for (std::size_t t = 0; t < field.terms.size(); ++t) {
                const auto& term = field.terms[t];
                kernels.splat(term.points.links(p, term.before.get()), points, rows, width, sums(t));
            }
        if (!pass.softmax && pass.out != nullptr)
            for (std::size_t i = 0; i < points * width; ++i) rows[i] /= log2_e<T>;
        if (pass.out != nullptr) kernels.to_planes(rows, points, field.labels, width, pass.out + at, n);
    });
}

template <class T>
void pass_all(const mean_field<T>& field, mean_field_room<T>& room, const mean_field_pass<T>& pass) {
    parallel_for(field.layout.blocks(), 1, [&](std::size_t begin, std::size_t end) {
        const auto rows = room.rows.lease([&] { return room.new_rows(field.width); });
        for (std::size_t b = begin; b < end; ++b) pass_block(field, room, rows->get(), b, pass);
    });
    if (!pass.spread) return;
    for (std::size_t t = 0; t < field.terms.size(); ++t) {
        const auto& term = field.terms[t];
        blur_lattice(term.points, field.width, term.scale.empty() ? nullptr : term.scale.data(), term.matrix.empty() ? nullptr : term.matrix.data(), false,
                     room.terms[t].sums.get());
        std::swap(room.terms[t].messages, room.terms[t].sums);
    }
}

template <class T>
void run_any(const mean_field<T>& field, std::size_t steps, const mean_field_ends<T>& ends) {
    if (field.layout.points() == 0) return;
    const parallel_region region;
    mean_field_room<T> room(field);
    for (std::size_t i = 0; i <= steps; ++i) {
        const bool first = i == 0, last = i == steps;
        const bool given = first && ends.marginals != nullptr;
        pass_all(field, room, {given ? ends.marginals : nullptr, !first, !given && !(last && ends.logits_out), !last, last ? ends.out : nullptr});
    }
}

template <class T>
double divergence_any(const mean_field<T>& field, const T* marginals) {
    if (field.layout.points() == 0) return 0;
    const auto& kernels = mean_field_kernels(T());
    const std::size_t width = field.width, n = field.layout.points(), blocks = field.layout.blocks();
    mean_field_room<T> room(field);
    pass_all(field, room, {marginals, false, false, true, nullptr});
    std::vector<double> sums(blocks, 0);
    parallel_for(blocks, 1, [&](std::size_t begin, std::size_t end) {
        const auto q = new_array<T>(block_layout::tile * width), logits = new_array<T>(block_layout::tile * width);
        for (std::size_t b = begin; b < end; ++b) {
            for (std::size_t t = 0; t < field.terms.size(); ++t) fetch_block(field.terms[t].points, b, width, room.terms[t].messages.get());
            for_each_run(field.layout, field.layout[b], [&](std::size_t p, std::size_t points, std::size_t at) {
                kernels.to_rows(marginals + at, n, points, field.labels, width, T(1), T(0), q.get());
                if (field.logits) std::copy_n(field.logits.get() + p * width, points * width, logits.get());
                else std::fill_n(logits.get(), points * width, T(0));
                for (std::size_t t = 0; t < field.terms.size(); ++t) {
                    const auto& term = field.terms[t];
                    kernels.slice(term.points.links(p, term.after.get()), points, logits.get(),
                                  room.terms[t].messages.get() + term.points.slot_begin[b] * width, width, logits.get());
                }
                for (std::size_t i = 0; i < points; ++i)
                    for (std::size_t l = 0; l < field.labels; ++l) {
                        const auto x = static_cast<double>(q[i * width + l]);
                        if (x != 0) sums[b] += x * std::log(std::max(x, 1e-20)) - x * static_cast<double>(logits[i * width + l] / log2_e<T>);
                    }
            });
        }
    });
    double sum = 0;
    for (const double s : sums) sum += s;
    return sum;
}

template <class T>
void map_any(const T* marginals, std::size_t points, std::size_t labels, std::int64_t* out) {
    parallel_for(points, 4096, [&](std::size_t begin, std::size_t end) {
        std::vector<T> best(marginals + begin, marginals + end);
        std::fill(out + begin, out + end, 0);
        for (std::size_t l = 1; l < labels; ++l) {
            const T* q = marginals + l * points;
            for (std::size_t i = begin; i < end; ++i) {
                const bool better = q[i] > best[i - begin];
                best[i - begin] = better ? q[i] : best[i - begin];
                out[i] = better ? static_cast<std::int64_t>(l) : out[i];
            }
        }
    });
}

#define OCELLI_MEAN_FIELD_(T)                                                                                                               \
    OCELLI_INLINE void set_mean_field_size(mean_field<T>& field, std::size_t height, std::size_t width, std::size_t labels, const char* who) { \
        set_size_any(field, height, width, labels, who);                                                                                    \
    }                                                                                                                                       \
    OCELLI_INLINE void set_mean_field_logits(mean_field<T>& field, const T* planes, T sign, const char* who) {                              \
        set_logits_any(field, planes, sign, who);                                                                                           \
    }                                                                                                                                       \
    OCELLI_INLINE void add_mean_field_term(mean_field<T>& field, const feature_source<T>& source, kernel_normalization normalization,       \
                                           const message_weights& weights, const char* who) {                                               \
        add_term_any(field, source, normalization, weights, who);                                                                           \
    }                                                                                                                                       \
    OCELLI_INLINE void run_mean_field(const mean_field<T>& field, std::size_t steps, const mean_field_ends<T>& ends) {                      \
        run_any(field, steps, ends);                                                                                                        \
    }                                                                                                                                       \
    OCELLI_INLINE double mean_field_divergence(const mean_field<T>& field, const T* marginals) {                                            \
        return divergence_any(field, marginals);                                                                                            \
    }                                                                                                                                       \
    OCELLI_INLINE void mean_field_map(const T* marginals, std::size_t points, std::size_t labels, std::int64_t* out) {                      \
        map_any(marginals, points, labels, out);                                                                                            \
    }
OCELLI_MEAN_FIELD_(float)
OCELLI_MEAN_FIELD_(double)
#undef OCELLI_MEAN_FIELD_

}  // namespace ocelli::detail
