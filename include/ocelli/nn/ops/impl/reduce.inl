#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
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
        if constexpr (std::is_unsigned_v<T>) return n == 0 ? 0 : s / static_cast<std::uint64_t>(n);
        else if constexpr (std::is_integral_v<T>) return n == 0 ? 0 : static_cast<std::int64_t>(s) / n;
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
struct reduce_sum_square : reduce_sum<T> {
    static void add(sum_t<T>& s, T v) { s += static_cast<sum_t<T>>(v) * static_cast<sum_t<T>>(v); }
};
template <class T>
struct reduce_l1 : reduce_sum<T> {
    static void add(sum_t<T>& s, T v) {
        if constexpr (std::is_integral_v<T>) s += v < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(v) : static_cast<std::uint64_t>(v);
        else s += std::abs(static_cast<double>(v));
    }
};
template <class T>
struct reduce_l2 : reduce_sum<T> {
    static void add(double& s, T v) { s += static_cast<double>(v) * static_cast<double>(v); }
    static T finish(double s, std::int64_t) { return static_cast<T>(std::sqrt(s)); }
};
template <class T>
struct reduce_log_sum : reduce_sum<T> {
    static T finish(double s, std::int64_t) { return static_cast<T>(std::log(s)); }
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
    static T finish(state s, std::int64_t) { return static_cast<T>(s.peak + std::log(s.sum)); }
};
// The largest, or the smallest; NaN wins.
template <class T, bool largest>
struct reduce_extreme {
    struct state {
        T value;
        bool nan;
    };
    static state start() {
        using limits = std::numeric_limits<T>;
        if constexpr (is_floating_v<T>) return {largest ? -limits::infinity() : limits::infinity(), false};
        else return {largest ? limits::lowest() : limits::max(), false};
    }
    static void add(state& s, T v) {
        s.nan = s.nan || nan_element(v);
        s.value = (largest ? v > s.value : v < s.value) ? v : s.value;
    }
    static void join(state& s, state other) {
        s.nan = s.nan || other.nan;
        s.value = (largest ? other.value > s.value : other.value < s.value) ? other.value : s.value;
    }
    static T finish(state s, std::int64_t) {
        if constexpr (is_floating_v<T>)
            if (s.nan) return std::numeric_limits<T>::quiet_NaN();
        return s.value;
    }
};
template <class T>
using reduce_max = reduce_extreme<T, true>;
template <class T>
using reduce_min = reduce_extreme<T, false>;

// --- the loop ------------------------------------------------------------------------------------------------------------------------

// What is added up for one result, or for a strip of neighbours: rows of n elements `step` apart, at these offsets.
struct summed_rows {
    std::vector<std::int64_t> offsets;
    std::int64_t n = 1, step = 1;
    /// All of them.
    std::int64_t count = 1;
};

// A reduction of one element type as two functions; geometry and threads are compiled once.
struct reduction_loops {
    std::size_t element;
    void (*one)(const void* x, const summed_rows& rows, void* y);
    void (*strip)(const void* x, const summed_rows& rows, std::int64_t width, void* y);
};

inline constexpr std::int64_t reduction_strip = 128;

// Sums of a dense row run in eight interleaved parts.
template <class R, class T>
void reduce_one(const void* x, const summed_rows& rows, void* y) {
    constexpr std::int64_t lanes = 8;
    typename R::state parts[lanes];
    for (auto& s : parts) s = R::start();
    for (const std::int64_t offset : rows.offsets) {
        const T* row = static_cast<const T*>(x) + offset;
        std::int64_t i = 0;
        if (rows.step == 1)
            for (; i + lanes <= rows.n; i += lanes)
                for (std::int64_t k = 0; k < lanes; ++k) R::add(parts[k], row[i + k]);
        for (; i < rows.n; ++i) R::add(parts[0], row[i * rows.step]);
    }
    for (std::int64_t k = 1; k < lanes; ++k) R::join(parts[0], parts[k]);
    *static_cast<T*>(y) = R::finish(parts[0], rows.count);
}

// Sums of columns run side by side.
template <class R, class T>
void reduce_strip(const void* x, const summed_rows& rows, std::int64_t width, void* y) {
    typename R::state parts[reduction_strip];
    for (std::int64_t j = 0; j < width; ++j) parts[j] = R::start();
    for (const std::int64_t offset : rows.offsets)
        for (std::int64_t i = 0; i < rows.n; ++i) {
            const T* row = static_cast<const T*>(x) + offset + i * rows.step;
            for (std::int64_t j = 0; j < width; ++j) R::add(parts[j], row[j]);
        }
    for (std::int64_t j = 0; j < width; ++j) static_cast<T*>(y)[j] = R::finish(parts[j], rows.count);
}

// Reduces x over the marked axes; the order of additions depends on the shape alone.
inline void run_reduction(const reduction_loops& loops, const tensor& x, const std::vector<bool>& marked, tensor& out) {
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
    dims kept_extents, kept_steps;
    std::int64_t results = 1;
    summed_rows rows;
    rows.offsets = {0};
    const bool last_kept = !extents.empty() && !reduced.back();
    // The innermost of the reduced axes is walked by the loops, the others are written out.
    std::size_t innermost = extents.size();
    for (std::size_t i = 0; i < extents.size(); ++i)
        if (reduced[i]) innermost = i;
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (!reduced[i]) {
            results *= extents[i];
            kept_extents.push_back(extents[i]);
            kept_steps.push_back(steps[i]);
            continue;
        }
        rows.count *= extents[i];
        if (i == innermost) {
            rows.n = extents[i];
            rows.step = steps[i];
            continue;
        }
        std::vector<std::int64_t> all;
        all.reserve(rows.offsets.size() * static_cast<std::size_t>(extents[i]));
        for (const std::int64_t offset : rows.offsets)
            for (std::int64_t k = 0; k < extents[i]; ++k) all.push_back(offset + k * steps[i]);
        rows.offsets = std::move(all);
    }
    if (results == 0) return;
    const auto* from = static_cast<const std::byte*>(x.raw());
    auto* to = static_cast<std::byte*>(out.mutable_raw());
    const auto width = static_cast<std::int64_t>(loops.element);
    // Offset of a result's first element.
    const auto offset = [&](std::int64_t i) {
        std::int64_t at = 0;
        for (std::size_t axis = kept_extents.size(); axis-- > 0;) {
            at += i % kept_extents[axis] * kept_steps[axis];
            i /= kept_extents[axis];
        }
        return at;
    };
    const std::int64_t grain = std::max<std::int64_t>(1, cheap_block / std::max<std::int64_t>(1, rows.count));
    if (last_kept) {
        const std::int64_t line = extents.back(), strips = (line - 1) / reduction_strip + 1;
        parallel_range(results / line * strips, std::max<std::int64_t>(1, grain / reduction_strip), [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t id = begin; id < end; ++id) {
                const std::int64_t at = id % strips * reduction_strip, first = id / strips * line + at;
                loops.strip(from + offset(first) * width, rows, std::min(reduction_strip, line - at), to + first * width);
            }
        });
        return;
    }
    parallel_range(results, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t id = begin; id < end; ++id) loops.one(from + offset(id) * width, rows, to + id * width);
    });
}

inline reduced_axes reduced_axes_of(const eval_context& c) {
    std::optional<std::vector<std::int64_t>> axes;
    if (has_attribute(c.self, "axes")) axes = attr_ints(c.self, "axes");
    else if (c.has_input(1)) axes = list_input(c, 1);
    return mark_reduced(c.self, c.input(0).rank(), axes);
}

inline dims reduced_shape(const tensor& x, const reduced_axes& r) {
    dims shape;
    for (std::size_t i = 0; i < x.rank(); ++i) {
        if (!r.marked[i]) shape.push_back(x.extent(i));
        else if (r.keep) shape.push_back(1);
    }
    return shape;
}

// `loops` gives the functions for an element type, or none.
inline void eval_reduction(eval_context& c, reduction_loops (*loops_of)(dtype)) {
    const tensor& x = c.input(0);
    const reduced_axes r = reduced_axes_of(c);
    if (r.idle) return c.set_output(0, x);  // nothing to reduce; ONNX leaves the elements as they are
    const dims shape = reduced_shape(x, r);
    const reduction_loops loops = loops_of(x.type());
    if (loops.one != nullptr) return run_reduction(loops, x, r.marked, c.output(0, x.type(), shape));
    // Integers whose result is a root or a logarithm.
    tensor result(dtype::float64, shape);
    run_reduction(loops_of(dtype::float64), converted(x, dtype::float64), r.marked, result);
    convert_into(result, c.output(0, x.type(), shape));
}

template <template <class> class R, class Types>
void eval_reduce(eval_context& c) {
    eval_reduction(c, [](dtype type) {
        reduction_loops loops{};
        dispatch_over(Types{}, type, [&]<class T>(type_tag<T>) { loops = {sizeof(T), reduce_one<R<T>, T>, reduce_strip<R<T>, T>}; });
        return loops;
    });
}

// Sums modulo 2^64 need no code for uint64; absolute values of unsigned integers are the integers.
using modular_reduction = type_list<float, double, std::int64_t>;

inline void eval_reduce_l1(eval_context& c) {
    if (c.input(0).type() == dtype::uint64) eval_reduce<reduce_sum, wide_types>(c);
    else eval_reduce<reduce_l1, modular_reduction>(c);
}

using reduced_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint32_t, std::uint64_t>;
using compared_types = type_list<float, double, float16, bfloat16, std::int64_t, std::int32_t, std::uint32_t, std::uint64_t, std::uint8_t, std::int8_t, bool>;

// Max and Min of bool, since operator set 20: any and all.
template <template <class> class R, bool largest>
void eval_extreme(eval_context& c) {
    const tensor& x = c.input(0);
    check<unsupported_operator>(c.self, c.self.opset >= 20 || x.type() != dtype::boolean, "element type bool is not supported");
    if (x.size() == 0 && !is_floating(x.type())) {  // the end of its own type's range, not of the wide one's
        tensor& y = c.output(0, x.type(), reduced_shape(x, reduced_axes_of(c)));
        const double end = largest ? -1e30 : 1e30;  // conversion saturates
        const tensor one = x.type() == dtype::boolean ? tensor::scalar(!largest) : tensor::scalar(end).cast(x.type());
        return move_elements(one, 0, y, 0, broadcast_loop<2>(y.shape(), {&one.shape(), &y.shape()}));
    }
    in_wide<eval_reduce<R, wide_types>, compared_types>(c);
}

constexpr std::array<op_def, 2> reduction(std::string_view name, int axes_as_input, void (*eval)(eval_context&), exactness results) {
    op_def before{.name = name, .until = axes_as_input - 1, .attributes = "axes:ints keepdims:int", .infer = infer_reduce, .eval = eval,
                  .results = results};
    op_def after{.name = name, .since = axes_as_input, .max_inputs = 2, .attributes = "keepdims:int noop_with_empty_axes:int", .infer = infer_reduce,
                 .eval = eval, .results = results};
    return {before, after};
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> reduce_ops() {
    using namespace detail;
    // Each twice: axes as attribute, axes as input (since 13 for ReduceSum, 18 for the others).
    static constexpr auto table = [] {
        constexpr auto rounding = exactness::rounding;
        const std::array<op_def, 2> pairs[] = {
            reduction("ReduceSum", 13, in_modular<eval_reduce<reduce_sum, modular_reduction>, reduced_types>, rounding),
            reduction("ReduceMean", 18, in_wide<eval_reduce<reduce_mean, wide_types>, reduced_types>, rounding),
            reduction("ReduceMax", 18, eval_extreme<reduce_max, true>, exactness::exact),
            reduction("ReduceMin", 18, eval_extreme<reduce_min, false>, exactness::exact),
            reduction("ReduceProd", 18, in_modular<eval_reduce<reduce_prod, modular_reduction>, reduced_types>, rounding),
            reduction("ReduceL1", 18, in_wide<eval_reduce_l1, reduced_types>, rounding),
            reduction("ReduceL2", 18, in_wide<eval_reduce<reduce_l2, real_types>, reduced_types>, rounding),
            reduction("ReduceLogSum", 18, in_wide<eval_reduce<reduce_log_sum, real_types>, reduced_types>, rounding),
            reduction("ReduceLogSumExp", 18, in_wide<eval_reduce<reduce_log_sum_exp, real_types>, reduced_types>, rounding),
            reduction("ReduceSumSquare", 18, in_modular<eval_reduce<reduce_sum_square, modular_reduction>, reduced_types>, rounding),
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
