#pragma once

#include <ocelli/nn/ops/detail/loops.hpp>
#include <ocelli/nn/ops/reduce.hpp>

#include <cmath>
#include <limits>

namespace ocelli::nn {

namespace detail {

// --- what is reduced ---------------------------------------------------------------------------------------------------------------

// The axes to reduce, none where the operator does nothing; nothing where they are not known yet.
struct reduced_axes {
    std::vector<bool> marked;
    bool keep = true;
    bool idle = false;
};

inline reduced_axes mark_reduced(const node& n, std::size_t rank, const std::optional<std::vector<std::int64_t>>& axes) {
    reduced_axes out;
    out.keep = attr_int(n, "keepdims", 1) != 0;
    out.marked.assign(rank, false);
    if (!axes || axes->empty()) {
        out.idle = attr_int(n, "noop_with_empty_axes", 0) != 0;
        if (!out.idle) out.marked.assign(rank, true);
        return out;
    }
    for (const std::int64_t a : *axes) out.marked[normalize_axis(n, a, rank)] = true;
    return out;
}

inline void infer_reduce(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    std::optional<std::vector<std::int64_t>> axes;
    if (has_attribute(c.self, "axes")) axes = attr_ints(c.self, "axes");
    else if (c.has_input(1)) {
        axes = c.constant_ints(1);
        if (!axes) return c.output(0, c.type(0), x.ranked() && attr_int(c.self, "keepdims", 1) != 0 ? symbolic_shape::of_rank(x.rank()) : symbolic_shape());
    }
    if (!x.ranked()) return c.output(0, c.type(0), {});
    const reduced_axes r = mark_reduced(c.self, x.rank(), axes);
    std::vector<dim> out;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        if (!r.marked[i]) out.push_back(x[i]);
        else if (r.keep) out.emplace_back(1);
    }
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

// --- how -------------------------------------------------------------------------------------------------------------------------------

// Sums run in double, in uint64 modulo 2^64 for integers; where the result is a root or a logarithm always in double.
template <class T>
using sum_t = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

template <class T>
struct reduce_sum {
    using state = sum_t<T>;
    static state start() { return 0; }
    static void add(state& s, T v) { s += static_cast<state>(v); }
    static void join(state& s, state other) { s += other; }
    static T finish(state s, std::int64_t) { return static_cast<T>(s); }
};
template <class T>
struct reduce_mean : reduce_sum<T> {
    static T finish(sum_t<T> s, std::int64_t n) {
        if constexpr (std::is_unsigned_v<T>) return static_cast<T>(n == 0 ? 0 : s / static_cast<std::uint64_t>(n));
        else if constexpr (std::is_integral_v<T>) return static_cast<T>(n == 0 ? 0 : static_cast<std::int64_t>(s) / n);
        else return static_cast<T>(n == 0 ? std::numeric_limits<double>::quiet_NaN() : s / static_cast<double>(n));
    }
};
template <class T>
struct reduce_prod {
    using state = sum_t<T>;
    static state start() { return 1; }
    static void add(state& s, T v) { s *= static_cast<state>(v); }
    static void join(state& s, state other) { s *= other; }
    static T finish(state s, std::int64_t) { return static_cast<T>(s); }
};
template <class T>
struct reduce_sum_square {
    using state = sum_t<T>;
    static state start() { return 0; }
    static void add(state& s, T v) { s += static_cast<state>(v) * static_cast<state>(v); }
    static void join(state& s, state other) { s += other; }
    static T finish(state s, std::int64_t) { return static_cast<T>(s); }
};
template <class T>
struct reduce_l1 {
    using state = sum_t<T>;
    static state start() { return 0; }
    static void add(state& s, T v) {
        if constexpr (std::is_integral_v<T>) s += v < T(0) ? std::uint64_t{0} - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
        else s += std::abs(static_cast<double>(v));
    }
    static void join(state& s, state other) { s += other; }
    static T finish(state s, std::int64_t) { return static_cast<T>(s); }
};
template <class T>
struct reduce_l2 {
    using state = double;
    static state start() { return 0; }
    static void add(state& s, T v) { s += static_cast<double>(v) * static_cast<double>(v); }
    static void join(state& s, state other) { s += other; }
    static T finish(state s, std::int64_t) { return convert_element<T>(std::sqrt(s)); }
};
template <class T>
struct reduce_log_sum {
    using state = double;
    static state start() { return 0; }
    static void add(state& s, T v) { s += static_cast<double>(v); }
    static void join(state& s, state other) { s += other; }
    static T finish(state s, std::int64_t) { return convert_element<T>(std::log(s)); }
};
// The sum of exp(v - peak), with the largest v so far as peak: does not overflow.
template <class T>
struct reduce_log_sum_exp {
    struct state {
        double peak, sum;
    };
    static state start() { return {-std::numeric_limits<double>::infinity(), 0}; }
    static void add(state& s, T v) { join(s, {static_cast<double>(v), 1}); }
    static void join(state& s, state other) {
        if (other.sum == 0) return;
        if (other.peak == s.peak) s.sum += other.sum;  // also both infinite
        else if (other.peak > s.peak) s = {other.peak, s.sum * std::exp(s.peak - other.peak) + other.sum};
        else s.sum += other.sum * std::exp(other.peak - s.peak);  // NaN ends here and stays
    }
    static T finish(state s, std::int64_t) { return convert_element<T>(s.peak + std::log(s.sum)); }
};
template <class T>
struct reduce_max {
    struct state {
        T value;
        bool nan;
    };
    static T lowest() {
        if constexpr (is_floating_v<T>) return static_cast<T>(-std::numeric_limits<float>::infinity());
        else return std::numeric_limits<T>::lowest();
    }
    static state start() { return {lowest(), false}; }
    static void add(state& s, T v) {
        s.nan = s.nan || nan_element(v);
        s.value = v > s.value ? v : s.value;
    }
    static void join(state& s, state other) {
        s.nan = s.nan || other.nan;
        s.value = other.value > s.value ? other.value : s.value;
    }
    static T finish(state s, std::int64_t) {
        if constexpr (is_floating_v<T>)
            if (s.nan) return static_cast<T>(std::numeric_limits<float>::quiet_NaN());
        return s.value;
    }
};
template <class T>
struct reduce_min {
    using state = typename reduce_max<T>::state;
    static T highest() {
        if constexpr (is_floating_v<T>) return static_cast<T>(std::numeric_limits<float>::infinity());
        else return std::numeric_limits<T>::max();
    }
    static state start() { return {highest(), false}; }
    static void add(state& s, T v) {
        s.nan = s.nan || nan_element(v);
        s.value = v < s.value ? v : s.value;
    }
    static void join(state& s, state other) {
        s.nan = s.nan || other.nan;
        s.value = other.value < s.value ? other.value : s.value;
    }
    static T finish(state s, std::int64_t n) { return reduce_max<T>::finish(s, n); }
};

// --- the loop ------------------------------------------------------------------------------------------------------------------------

// Reduces x over the marked axes. Sums of a dense row run in eight interleaved parts, sums of columns side by side; both orders
// depend on the shape alone.
template <class R, class T>
void reduce_elements(const tensor& x, const std::vector<bool>& marked, T* y) {
    // Axes merge where neighbours are both kept or both reduced; those of extent 1 vanish.
    dims extents;
    std::vector<bool> reduced;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        if (x.extent(i) == 1) continue;
        if (!extents.empty() && reduced.back() == marked[i]) extents.back() *= x.extent(i);
        else {
            extents.push_back(x.extent(i));
            reduced.push_back(marked[i]);
        }
    }
    const dims steps = dense_strides(extents);
    strided_loop<1> kept, summed;
    std::int64_t results = 1, count = 1;
    const bool last_kept = !extents.empty() && !reduced.back();
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (reduced[i]) {
            count *= extents[i];
            summed.push(extents[i], {steps[i]});
        } else {
            results *= extents[i];
            kept.push(extents[i], {steps[i]});
        }
    }
    if (results == 0) return;
    using state = typename R::state;
    const T* from = x.data<T>();
    // Offset of a result's first element.
    const auto offset = [&](std::int64_t i) {
        std::int64_t at = 0;
        for (std::size_t axis = kept.extents.size(); axis-- > 0;) {
            at += i % kept.extents[axis] * kept.strides[0][axis];
            i /= kept.extents[axis];
        }
        return at;
    };
    const std::int64_t grain = std::max<std::int64_t>(1, cheap_block / std::max<std::int64_t>(1, count));
    if (last_kept) {
        constexpr std::int64_t strip = 128;
        const std::int64_t width = extents.back(), strips = (width - 1) / strip + 1;
        parallel_range(results / width * strips, std::max<std::int64_t>(1, grain / strip), [&](std::int64_t begin, std::int64_t end) {
            state parts[strip];
            for (std::int64_t id = begin; id < end; ++id) {
                const std::int64_t first = id / strips * width + id % strips * strip, n = std::min(strip, width - id % strips * strip);
                for (std::int64_t j = 0; j < n; ++j) parts[j] = R::start();
                const T* base = from + offset(first);
                summed.each_row([&](const auto& at, std::int64_t rows, const auto& step) {
                    for (std::int64_t i = 0; i < rows; ++i) {
                        const T* row = base + at[0] + i * step[0];
                        for (std::int64_t j = 0; j < n; ++j) R::add(parts[j], row[j]);
                    }
                });
                for (std::int64_t j = 0; j < n; ++j) y[first + j] = R::finish(parts[j], count);
            }
        });
        return;
    }
    parallel_range(results, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t id = begin; id < end; ++id) {
            constexpr std::int64_t lanes = 8;
            state parts[lanes];
            for (state& s : parts) s = R::start();
            const T* base = from + offset(id);
            summed.each_row([&](const auto& at, std::int64_t n, const auto& step) {
                const T* row = base + at[0];
                std::int64_t i = 0;
                if (step[0] == 1)
                    for (; i + lanes <= n; i += lanes)
                        for (std::int64_t k = 0; k < lanes; ++k) R::add(parts[k], row[i + k]);
                for (; i < n; ++i) R::add(parts[0], row[i * step[0]]);
            });
            for (std::int64_t k = 1; k < lanes; ++k) R::join(parts[0], parts[k]);
            y[id] = R::finish(parts[0], count);
        }
    });
}

template <template <class> class R, class Types>
void eval_reduce(eval_context& c) {
    const tensor& x = c.input(0);
    std::optional<std::vector<std::int64_t>> axes;
    if (has_attribute(c.self, "axes")) axes = attr_ints(c.self, "axes");
    else if (c.has_input(1)) axes = list_input(c, 1);
    const reduced_axes r = mark_reduced(c.self, x.rank(), axes);
    dims shape;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        if (!r.marked[i]) shape.push_back(x.extent(i));
        else if (r.keep) shape.push_back(1);
    }
    if (x.type() == dtype::boolean) {
        // Max and Min of bool, since operator set 20: any and all.
        const auto as_bytes = tensor::borrow(dtype::uint8, x.shape(), x.raw(), x.memory());
        constexpr bool takes_bool = std::is_same_v<R<std::uint8_t>, reduce_max<std::uint8_t>> || std::is_same_v<R<std::uint8_t>, reduce_min<std::uint8_t>>;
        if constexpr (takes_bool) {
            check<unsupported_operator>(c.self, c.self.opset >= 20, "element type bool is not supported");
            std::vector<std::uint8_t> result(static_cast<std::size_t>(element_count(shape)));
            reduce_elements<R<std::uint8_t>>(as_bytes, r.marked, result.data());
            bool* y = c.output(0, dtype::boolean, shape).template mutable_data<bool>();
            for (std::size_t i = 0; i < result.size(); ++i) y[i] = result[i] != 0;
            return;
        }
    }
    if (r.idle) {
        // Nothing to reduce; ONNX leaves the elements as they are.
        dispatch(c.self, Types{}, x.type(), [](auto) {});
        return c.set_output(0, x);
    }
    dispatch(c.self, Types{}, x.type(), [&]<class T>(type_tag<T>) {
        reduce_elements<R<T>>(x, r.marked, c.output(0, x.type(), shape).template mutable_data<T>());
    });
}

using reduced_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint32_t, std::uint64_t>;
using compared_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint32_t, std::uint64_t, std::uint8_t, std::int8_t>;

template <template <class> class R, class Types>
constexpr std::array<op_def, 2> reduction(std::string_view name, int axes_as_input, exactness results) {
    op_def before{.name = name, .until = axes_as_input - 1, .attributes = "axes:ints keepdims:int", .infer = infer_reduce, .eval = eval_reduce<R, Types>,
                  .results = results};
    op_def after{.name = name, .since = axes_as_input, .max_inputs = 2, .attributes = "keepdims:int noop_with_empty_axes:int", .infer = infer_reduce,
                 .eval = eval_reduce<R, Types>, .results = results};
    return {before, after};
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> reduce_ops() {
    using namespace detail;
    // Each twice: axes as attribute, axes as input (since 13 for ReduceSum, 18 for the others).
    static constexpr auto table = [] {
        constexpr auto rounding = exactness::rounding;
        const std::array<op_def, 2> pairs[] = {
            reduction<reduce_sum, reduced_types>("ReduceSum", 13, rounding),
            reduction<reduce_mean, reduced_types>("ReduceMean", 18, rounding),
            reduction<reduce_max, compared_types>("ReduceMax", 18, exactness::exact),
            reduction<reduce_min, compared_types>("ReduceMin", 18, exactness::exact),
            reduction<reduce_prod, reduced_types>("ReduceProd", 18, rounding),
            reduction<reduce_l1, reduced_types>("ReduceL1", 18, rounding),
            reduction<reduce_l2, reduced_types>("ReduceL2", 18, rounding),
            reduction<reduce_log_sum, reduced_types>("ReduceLogSum", 18, rounding),
            reduction<reduce_log_sum_exp, reduced_types>("ReduceLogSumExp", 18, rounding),
            reduction<reduce_sum_square, reduced_types>("ReduceSumSquare", 18, rounding),
        };
        std::array<op_def, 2 * std::size(pairs)> all;
        for (std::size_t i = 0; i < std::size(pairs); ++i) {
            all[2 * i] = pairs[i][0];
            all[2 * i + 1] = pairs[i][1];
        }
        return all;
    }();
    return table;
}

}  // namespace ocelli::nn
