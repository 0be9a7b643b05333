#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/order.hpp>

#include <numeric>

namespace ocelli::nn {

namespace detail {

// The lines of a tensor along one axis.
struct axis_lines {
    std::int64_t outer = 1, n = 1, inner = 1;

    axis_lines(const dims& shape, std::size_t axis)
        : outer(product(shape, 0, axis)), n(shape[axis]), inner(product(shape, axis + 1, shape.size())) {}
    std::int64_t count() const { return outer * inner; }
    /// First element of line i in a tensor whose axis has `extent` elements.
    std::int64_t first(std::int64_t i, std::int64_t extent) const { return i / inner * extent * inner + i % inner; }
};

// Keys that stand in the order of the elements, of any type: NaN behind everything, any two NaN equal, as both zeros.
inline std::vector<std::int64_t> order_keys(const tensor& x) {
    std::vector<std::int64_t> keys(static_cast<std::size_t>(x.size()));
    const std::span<std::int64_t> all(keys);
    const auto n = static_cast<std::int64_t>(keys.size());
    if (!is_floating(x.type())) {
        convert_elements(x.type(), x.raw(), dtype::int64, keys.data(), n);
        if (x.type() == dtype::uint64)
            for (std::int64_t& k : all) k ^= std::numeric_limits<std::int64_t>::min();
        return keys;
    }
    const tensor wide = converted(x, dtype::float64);
    const double* v = wide.data<double>();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto bits = std::bit_cast<std::int64_t>(v[i]);
        if (ocelli::detail::is_nan(v[i])) keys[i] = std::numeric_limits<std::int64_t>::max();
        else keys[i] = bits < 0 ? std::numeric_limits<std::int64_t>::min() - bits : bits;  // both zeros become 0
    }
    return keys;
}

// --- ArgMax, ArgMin -----------------------------------------------------------------------------------------------------------------------

inline void infer_arg(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, dtype::int64, {});
    std::vector<dim> out = x.extents();
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    if (attr_int(c.self, "keepdims", 1) != 0) out[axis] = dim(1);
    else out.erase(out.begin() + static_cast<std::ptrdiff_t>(axis));
    c.output(0, dtype::int64, symbolic_shape(std::move(out)));
}

template <bool largest>
void eval_arg_extreme(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", 0), x.rank());
    const bool last = attr_int(c.self, "select_last_index", 0) != 0;
    const axis_lines lines(x.shape(), axis);
    dims shape = x.shape();
    if (attr_int(c.self, "keepdims", 1) != 0) shape[axis] = 1;
    else shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    check(c.self, lines.n > 0 || lines.count() == 0, "there is no extreme of an empty axis");
    dispatch(c.self, wide_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        std::int64_t* to = c.output(0, dtype::int64, shape).template mutable_data<std::int64_t>();
        parallel_range(lines.count(), cheap_block / std::max<std::int64_t>(1, lines.n), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t line = begin; line < end; ++line) {
                const T* v = from + lines.first(line, lines.n);
                std::int64_t best = 0;
                for (std::int64_t i = 1; i < lines.n; ++i) {
                    const T now = v[i * lines.inner], before = v[best * lines.inner];
                    // NaN wins for both.
                    const bool better = nan_element(before) ? false : nan_element(now) ? true : largest ? now > before : now < before;
                    const bool equal = nan_element(now) ? nan_element(before) : now == before;
                    if (better || (last && equal)) best = i;
                }
                to[line] = best;
            }
        });
    });
}

template <bool largest>
void eval_arg(eval_context& c) {
    in_wide<eval_arg_extreme<largest>, numeric_types, -1>(c);
}

// --- TopK ----------------------------------------------------------------------------------------------------------------------------------

inline void infer_top_k(infer_context& c) {
    symbolic_shape out = c.shape(0);
    if (out.ranked()) {
        const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), out.rank());
        const auto k = c.self.opset < 10 ? std::optional(std::vector<std::int64_t>{attr_int(c.self, "k")}) : c.constant_ints(1);
        out[axis] = k && k->size() == 1 && (*k)[0] >= 0 ? dim((*k)[0]) : dim();
    }
    c.output(0, c.type(0), out);
    c.output(1, dtype::int64, out);
}

inline void eval_top_k(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), x.rank());
    const std::int64_t k = c.self.opset < 10 ? attr_int(c.self, "k") : int_input(c, 1);
    check(c.self, k >= 0 && k <= x.extent(axis), "k = ", k, " is outside [0, ", x.extent(axis), "]");
    const bool largest = attr_int(c.self, "largest", 1) != 0;  // `sorted` = 0 allows any order: sorted is one
    const axis_lines lines(x.shape(), axis);
    dims shape = x.shape();
    shape[axis] = k;
    check<unsupported_operator>(c.self, x.type() != dtype::boolean, "element type bool is not supported");
    tensor& values = c.output(0, x.type(), shape);
    std::int64_t* where = c.output(1, dtype::int64, shape).mutable_data<std::int64_t>();
    if (values.size() == 0) return;
    std::vector<std::int64_t> keys = order_keys(x);
    if (largest)
        for (std::int64_t& key : keys) key = ~key;
    parallel_range(lines.count(), costly_block / std::max<std::int64_t>(1, lines.n), [&](std::int64_t begin, std::int64_t end) {
        std::vector<std::pair<std::int64_t, std::int64_t>> order(static_cast<std::size_t>(lines.n));
        for (std::int64_t line = begin; line < end; ++line) {
            const std::int64_t first = lines.first(line, lines.n), to = lines.first(line, k);
            for (std::int64_t i = 0; i < lines.n; ++i) order[static_cast<std::size_t>(i)] = {keys[static_cast<std::size_t>(first + i * lines.inner)], i};
            std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end());  // equal keys by index
            for (std::int64_t i = 0; i < k; ++i) where[to + i * lines.inner] = order[static_cast<std::size_t>(i)].second;
        }
    });
    dispatch_words(x.type(), [&]<class W>(type_tag<W>) {
        const W* from = static_cast<const W*>(x.raw());
        W* to = static_cast<W*>(values.mutable_raw());
        for (std::int64_t i = 0; i < values.size(); ++i) {
            const std::int64_t outer = i / (k * lines.inner), inner = i % lines.inner;
            to[i] = from[(outer * lines.n + where[i]) * lines.inner + inner];
        }
    });
}

// --- NonZero --------------------------------------------------------------------------------------------------------------------------------

inline void infer_non_zero(infer_context& c) {
    symbolic_shape out = symbolic_shape::of_rank(2);
    if (c.shape(0).ranked()) out[0] = dim(static_cast<std::int64_t>(c.shape(0).rank()));
    c.output(0, dtype::int64, std::move(out));
}

inline void eval_non_zero(eval_context& c) {
    const tensor& x = c.input(0);
    const tensor truth = converted(x, dtype::boolean);
    const auto* marks = static_cast<const unsigned char*>(truth.raw());
    std::vector<std::int64_t> found;
    for (std::int64_t i = 0; i < x.size();) {
        std::uint64_t eight = 0;
        const std::int64_t n = std::min<std::int64_t>(8, x.size() - i);
        std::memcpy(&eight, marks + i, static_cast<std::size_t>(n));  // mostly nothing is found in a score map
        for (std::int64_t k = 0; eight != 0 && k < n; ++k)
            if (marks[i + k] != 0) found.push_back(i + k);
        i += n;
    }
    const auto count = static_cast<std::int64_t>(found.size());
    std::int64_t* y = c.output(0, dtype::int64, {static_cast<std::int64_t>(x.rank()), count}).mutable_data<std::int64_t>();
    for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t at = found[static_cast<std::size_t>(i)];
        for (std::size_t axis = x.rank(); axis-- > 0;) {
            y[static_cast<std::int64_t>(axis) * count + i] = at % x.extent(axis);
            at /= x.extent(axis);
        }
    }
}

// --- Unique ---------------------------------------------------------------------------------------------------------------------------------

inline void infer_unique(infer_context& c) {
    symbolic_shape values = symbolic_shape::of_rank(1);
    if (has_attribute(c.self, "axis")) {
        values = c.shape(0);
        if (values.ranked()) values[normalize_axis(c.self, attr_int(c.self, "axis"), values.rank())] = dim();
    }
    c.output(0, c.type(0), std::move(values));
    for (std::size_t i = 1; i < 4; ++i) c.output(i, dtype::int64, symbolic_shape::of_rank(1));
}

inline void eval_unique(eval_context& c) {
    const tensor& given = c.input(0);
    const bool sorted = attr_int(c.self, "sorted", 1) != 0, flat = !has_attribute(c.self, "axis");
    const tensor x = flat ? given.reshaped({given.size()}) : given;
    const std::size_t axis = flat ? 0 : normalize_axis(c.self, attr_int(c.self, "axis"), x.rank());
    const axis_lines lines(x.shape(), axis);
    const auto n = static_cast<std::size_t>(lines.n);
    const std::vector<std::int64_t> keys = order_keys(x);
    // Slices compare element by element in the order of memory; NaN counts as the largest and equals itself.
    const auto compare = [&](std::int64_t i, std::int64_t j) {
        for (std::int64_t o = 0; o < lines.outer; ++o)
            for (std::int64_t k = 0; k < lines.inner; ++k) {
                const std::int64_t a = keys[static_cast<std::size_t>((o * lines.n + i) * lines.inner + k)];
                const std::int64_t b = keys[static_cast<std::size_t>((o * lines.n + j) * lines.inner + k)];
                if (a != b) return a < b ? -1 : 1;
            }
        return 0;
    };
    std::vector<std::int64_t> order(n);
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) { return compare(i, j) < 0; });
    // Groups of equal slices in sorted order; the first of each is the one that comes first in the input.
    std::vector<std::int64_t> group(n), first;
    std::vector<std::int64_t> counts;
    for (std::size_t i = 0; i < n; ++i) {
        if (i == 0 || compare(order[i - 1], order[i]) != 0) {
            first.push_back(order[i]);
            counts.push_back(0);
        }
        ++counts.back();
        group[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(first.size()) - 1;
    }
    if (!sorted) {
        std::vector<std::int64_t> by_occurrence(first.size()), rank(first.size());
        std::iota(by_occurrence.begin(), by_occurrence.end(), std::int64_t{0});
        std::sort(by_occurrence.begin(), by_occurrence.end(),
                  [&](std::int64_t a, std::int64_t b) { return first[static_cast<std::size_t>(a)] < first[static_cast<std::size_t>(b)]; });
        std::vector<std::int64_t> first_now, counts_now;
        for (std::size_t i = 0; i < by_occurrence.size(); ++i) {
            const auto old = static_cast<std::size_t>(by_occurrence[i]);
            rank[old] = static_cast<std::int64_t>(i);
            first_now.push_back(first[old]);
            counts_now.push_back(counts[old]);
        }
        first = std::move(first_now);
        counts = std::move(counts_now);
        for (std::int64_t& g : group) g = rank[static_cast<std::size_t>(g)];
    }
    const auto found = static_cast<std::int64_t>(first.size());
    dims shape = x.shape();
    shape[axis] = found;
    auto* y = static_cast<std::byte*>(c.output(0, x.type(), shape).mutable_raw());
    const std::size_t block = static_cast<std::size_t>(lines.inner) * size_of(x.type());
    for (std::int64_t o = 0; o < lines.outer && block != 0; ++o)
        for (std::int64_t i = 0; i < found; ++i, y += block)
            std::memcpy(y, static_cast<const std::byte*>(x.raw()) + static_cast<std::size_t>(o * lines.n + first[static_cast<std::size_t>(i)]) * block, block);
    c.set_output(1, tensor::ints(first));
    c.set_output(2, tensor::ints(group));
    c.set_output(3, tensor::ints(counts));
}

// --- CumSum ----------------------------------------------------------------------------------------------------------------------------------

inline void eval_cum_sum(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis(c.self, int_input(c, 1), x.rank());
    const bool exclusive = attr_int(c.self, "exclusive", 0) != 0, reverse = attr_int(c.self, "reverse", 0) != 0;
    const axis_lines lines(x.shape(), axis);
    dispatch(c.self, type_list<float, double, std::int64_t>{}, x.type(), [&]<class T>(type_tag<T>) {
        using S = std::conditional_t<std::is_integral_v<T>, modular_t<T>, double>;
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        parallel_range(lines.count(), cheap_block / std::max<std::int64_t>(1, lines.n), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t line = begin; line < end; ++line) {
                const std::int64_t first = lines.first(line, lines.n);
                S sum = 0;
                for (std::int64_t i = 0; i < lines.n; ++i) {
                    const std::int64_t at = first + (reverse ? lines.n - 1 - i : i) * lines.inner;
                    const S v = static_cast<S>(from[at]);
                    if (exclusive) to[at] = static_cast<T>(sum);
                    sum += v;
                    if (!exclusive) to[at] = static_cast<T>(sum);
                }
            }
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> order_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "ArgMax", .until = 11, .attributes = "axis:int keepdims:int", .infer = infer_arg, .eval = eval_arg<true>},
        {.name = "ArgMax", .since = 12, .attributes = "axis:int keepdims:int select_last_index:int", .infer = infer_arg, .eval = eval_arg<true>},
        {.name = "ArgMin", .until = 11, .attributes = "axis:int keepdims:int", .infer = infer_arg, .eval = eval_arg<false>},
        {.name = "ArgMin", .since = 12, .attributes = "axis:int keepdims:int select_last_index:int", .infer = infer_arg, .eval = eval_arg<false>},
        {.name = "TopK", .until = 9, .max_outputs = 2, .attributes = "axis:int k:int", .infer = infer_top_k, .eval = eval_top_k},
        {.name = "TopK", .since = 10, .until = 10, .min_inputs = 2, .max_inputs = 2, .max_outputs = 2, .attributes = "axis:int", .infer = infer_top_k,
         .eval = eval_top_k},
        {.name = "TopK", .since = 11, .min_inputs = 2, .max_inputs = 2, .max_outputs = 2, .attributes = "axis:int largest:int sorted:int",
         .infer = infer_top_k, .eval = eval_top_k},
        {.name = "NonZero", .since = 9, .infer = infer_non_zero, .eval = eval_non_zero},
        {.name = "Unique", .since = 11, .max_outputs = 4, .attributes = "axis:int sorted:int", .infer = infer_unique, .eval = eval_unique},
        {.name = "CumSum", .since = 11, .min_inputs = 2, .max_inputs = 2, .attributes = "exclusive:int reverse:int", .infer = infer_same,
         .eval = in_modular<eval_cum_sum, type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint32_t, std::uint64_t>>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
