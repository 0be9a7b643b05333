#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/generate.hpp>

#include <cmath>
#include <optional>

namespace ocelli::nn {

namespace detail {

// --- ConstantOfShape ---------------------------------------------------------------------------------------------------------------

inline tensor fill_value(const node& n) {
    if (!has_attribute(n, "value")) return tensor::scalar(0.0f);
    const tensor& value = attr_tensor(n, "value");
    check(n, value.size() == 1, "attribute 'value' must hold one element, got ", value);
    return value;
}

OCELLI_INLINE void infer_constant_of_shape(infer_context& c) {
    const dtype type = fill_value(c.self).type();
    if (const auto shape = c.constant_ints(0)) {
        for (const std::int64_t e : *shape) check(c.self, e >= 0, "shape ", ocelli::detail::shape_text(*shape), " has a negative extent");
        return c.output(0, type, symbolic_shape(dims(*shape)));
    }
    const symbolic_shape& list = c.shape(0);
    if (list.ranked() && list.rank() == 1 && list[0].known() && list[0].size <= 64)
        return c.output(0, type, symbolic_shape::of_rank(static_cast<std::size_t>(list[0].size)));
    c.output(0, type, {});
}

OCELLI_INLINE void eval_constant_of_shape(eval_context& c) {
    const tensor value = fill_value(c.self).reshaped({});
    const dims shape = list_input(c, 0);
    for (const std::int64_t e : shape) check(c.self, e >= 0, "shape ", ocelli::detail::shape_text(shape), " has a negative extent");
    tensor& y = c.output(0, value.type(), shape);
    move_elements(value, 0, y, 0, broadcast_loop<2>(shape, {&value.shape(), &shape}));
}

// --- Range ----------------------------------------------------------------------------------------------------------------------------

/// The elements of a range, or nothing where they are without end or number.
template <class T>
std::optional<std::int64_t> range_count(T first, T limit, T delta) {
    constexpr std::int64_t most = std::int64_t{1} << 48;
    if (delta == T(0)) return {};
    if constexpr (std::is_integral_v<T>) {
        // In unsigned arithmetic: the distance may exceed the type.
        const auto a = static_cast<std::uint64_t>(first), b = static_cast<std::uint64_t>(limit), d = static_cast<std::uint64_t>(delta);
        std::uint64_t n = 0;
        if (delta > 0 && limit > first) n = (b - a - 1) / d + 1;
        if (delta < 0 && limit < first) n = (a - b - 1) / (0 - d) + 1;
        return n <= static_cast<std::uint64_t>(most) ? std::optional(static_cast<std::int64_t>(n)) : std::nullopt;
    } else {
        const double n = std::ceil((static_cast<double>(limit) - static_cast<double>(first)) / static_cast<double>(delta));
        if (ocelli::detail::is_nan(n) || n > static_cast<double>(most)) return {};
        return n > 0 ? static_cast<std::int64_t>(n) : 0;
    }
}

inline void infer_range(infer_context& c) {
    symbolic_shape shape = symbolic_shape::of_rank(1);
    const auto number = [&](std::size_t i) {
        const tensor* t = c.constant(i);
        return t != nullptr && size_of(t->type()) != 0 && t->size() == 1 ? t : nullptr;
    };
    const tensor *start = number(0), *limit = number(1), *delta = number(2);
    if (start != nullptr && limit != nullptr && delta != nullptr) {
        const bool whole = is_integer(start->type());
        const auto count = [&]<class T>(dtype type, type_tag<T>) {
            const tensor a = start->cast(type), b = limit->cast(type), d = delta->cast(type);
            return range_count(*a.data<T>(), *b.data<T>(), *d.data<T>());
        };
        const auto n = whole ? count(dtype::int64, type_tag<std::int64_t>{}) : count(dtype::float64, type_tag<double>{});
        if (n) shape = symbolic_shape(dims{*n});
    }
    c.output(0, c.type(0), std::move(shape));
}

inline void eval_range(eval_context& c) {
    const tensor& start = c.input(0);
    for (std::size_t i = 0; i < 3; ++i) {
        check_same_type(c.self, start, c.input(i));
        check(c.self, c.input(i).size() == 1, "start, limit and delta must be scalars, got ", c.input(i));
    }
    dispatch(c.self, type_list<float, double, std::int64_t>{}, start.type(), [&]<class T>(type_tag<T>) {
        const T first = *start.data<T>(), limit = *c.input(1).data<T>(), delta = *c.input(2).data<T>();
        check(c.self, delta != T(0) && !nan_element(first) && !nan_element(limit) && !nan_element(delta), "delta must not be 0, and nothing NaN");
        const auto count = range_count(first, limit, delta);
        check(c.self, count.has_value(), "a range from ", first, " to ", limit, " by ", delta, " is too long");
        T* y = c.output(0, start.type(), {*count}).template mutable_data<T>();
        for (std::int64_t i = 0; i < *count; ++i) {
            if constexpr (std::is_integral_v<T>)
                y[i] = static_cast<T>(static_cast<std::uint64_t>(first) + static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(delta));
            else y[i] = first + static_cast<T>(i) * delta;
        }
    });
}

// --- EyeLike --------------------------------------------------------------------------------------------------------------------------

inline dtype eye_type(const node& n, dtype input) {
    if (!has_attribute(n, "dtype")) return input;
    const std::int64_t to = attr_int(n, "dtype");
    const auto type = to > 0 && to < 32 ? static_cast<dtype>(to) : dtype::undefined;
    check<unsupported_operator>(n, size_of(type) != 0, "attribute dtype = ", to, ": this element type is not supported");
    return type;
}

inline void infer_eye_like(infer_context& c) {
    c.output(0, eye_type(c.self, c.type(0)), c.shape(0));
}

inline void eval_eye_like(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() == 2, "input must have rank 2, got ", x);
    const std::int64_t k = attr_int(c.self, "k", 0), rows = x.extent(0), columns = x.extent(1);
    const dtype type = eye_type(c.self, x.type());
    tensor& y = c.output(0, type, x.shape());
    if (y.size() == 0) return;
    std::memset(y.mutable_raw(), 0, y.bytes());
    if (k <= -rows || k >= columns) return;
    const tensor one = tensor::scalar(1.0f).cast(type);
    const std::size_t width = size_of(type);
    for (std::int64_t row = std::max<std::int64_t>(0, -k); row < rows && row + k < columns; ++row)
        std::memcpy(static_cast<std::byte*>(y.mutable_raw()) + static_cast<std::size_t>(row * columns + row + k) * width, one.raw(), width);
}

// --- OneHot ----------------------------------------------------------------------------------------------------------------------------

inline void infer_one_hot(infer_context& c) {
    const symbolic_shape& index = c.shape(0);
    if (!index.ranked()) return c.output(0, c.type(2), {});
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), index.rank() + 1);
    std::vector<dim> out = index.extents();
    const auto depth = c.constant_ints(1);
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), depth && depth->size() == 1 && (*depth)[0] >= 0 ? dim((*depth)[0]) : dim());
    c.output(0, c.type(2), symbolic_shape(std::move(out)));
}

inline void eval_one_hot(eval_context& c) {
    const tensor& index = c.input(0);
    const tensor& values = c.input(2);
    check(c.self, c.input(1).size() == 1, "depth must be one number, got ", c.input(1));
    const std::int64_t depth = c.input(1).cast(dtype::int64).data<std::int64_t>()[0];
    check(c.self, depth >= 0, "depth must not be negative, got ", depth);
    check(c.self, values.rank() == 1 && values.size() == 2, "values must be (off, on), got ", values);
    check(c.self, index.type() != dtype::boolean, "indices must be numbers, got ", index);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), index.rank() + 1);
    dims shape = index.shape();
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), depth);
    const std::int64_t inner = product(index.shape(), axis, index.rank());
    const std::vector<std::int64_t> indices = index.cast(dtype::int64).to_ints();
    tensor& y = c.output(0, values.type(), shape);
    dispatch_words(values.type(), [&]<class W>(type_tag<W>) {
        const W off = static_cast<const W*>(values.raw())[0], on = static_cast<const W*>(values.raw())[1];
        W* to = static_cast<W*>(y.mutable_raw());
        std::fill(to, to + y.size(), off);
        for (std::size_t i = 0; i < indices.size(); ++i) {
            std::int64_t hot = indices[i];
            if (hot < 0) hot = hot < -depth ? -1 : hot + depth;
            if (hot < 0 || hot >= depth) continue;  // out of range: off everywhere
            const auto at = static_cast<std::int64_t>(i);
            to[(at / inner * depth + hot) * inner + at % inner] = on;
        }
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> generate_ops() {
    using namespace detail;
    static constexpr op_def table[] = {
        {.name = "ConstantOfShape", .since = 9, .attributes = "value:tensor", .infer = infer_constant_of_shape, .eval = eval_constant_of_shape},
        {.name = "Range", .since = 11, .min_inputs = 3, .max_inputs = 3, .infer = infer_range, .eval = in_wide<eval_range, type_list<float, double, float16, bfloat16, std::int16_t, std::int32_t, std::int64_t>>},
        {.name = "EyeLike", .since = 9, .attributes = "dtype:int k:int", .infer = infer_eye_like, .eval = eval_eye_like},
        {.name = "OneHot", .since = 9, .min_inputs = 3, .max_inputs = 3, .attributes = "axis:int", .infer = infer_one_hot, .eval = eval_one_hot},
    };
    return table;
}

}  // namespace ocelli::nn
