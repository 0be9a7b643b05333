#pragma once

/// @file
/// What operator files share: loops over strided and broadcast tensors, axis arithmetic, spatial windows, element-wise application.

#include <ocelli/core/float_bits.hpp>
// Bodies include this file: they come to whoever includes op.hpp or graph.hpp, not through here.
#define OCELLI_NN_DECLARATIONS_ONLY
#include <ocelli/nn/ops/op.hpp>
#undef OCELLI_NN_DECLARATIONS_ONLY

#include <algorithm>
#include <array>
#include <string_view>

namespace ocelli::nn {

// --- axes ----------------------------------------------------------------------------------------------------------------

/// An axis counted from the front.
/// @throws invalid_argument  naming the node, unless axis lies in [-rank, rank)
inline std::size_t normalize_axis(const node& n, std::int64_t axis, std::size_t rank) {
    const auto r = static_cast<std::int64_t>(rank);
    check(n, axis >= -r && axis < r, "axis ", axis, " is outside a tensor of rank ", r);
    return static_cast<std::size_t>(axis < 0 ? axis + r : axis);
}
/// The same for the places around axes, where `rank` itself is allowed (Flatten, Unsqueeze's result).
inline std::size_t normalize_axis_or_end(const node& n, std::int64_t axis, std::size_t rank) {
    const auto r = static_cast<std::int64_t>(rank);
    check(n, axis >= -r && axis <= r, "axis ", axis, " is outside a tensor of rank ", r);
    return static_cast<std::size_t>(axis < 0 ? axis + r : axis);
}

/// Product of extents [from, to).
inline std::int64_t product(const dims& shape, std::size_t from, std::size_t to) {
    std::int64_t n = 1;
    for (std::size_t i = from; i < to; ++i) n *= shape[i];
    return n;
}

/// Calls f with a type_tag of the element type.
/// @throws unsupported_operator  naming the node, where the list lacks the type
template <class Types, class F>
void dispatch(const node& n, Types types, dtype type, F&& f) {
    if (!dispatch_over(types, type, f)) fail<unsupported_operator>(n, "element type ", name(type), " is not supported");
}

/// NaN by its bits: users compile with -ffast-math. False for integers.
template <class T>
constexpr bool is_nan_element(T x) noexcept {
    if constexpr (is_floating_v<T>) return ocelli::detail::is_nan(static_cast<arithmetic_t<T>>(x));
    else return false;
}

// --- strided loops -------------------------------------------------------------------------------------------------------

/// A loop over N operands of one common shape, each with strides of its own (0 where it is broadcast), with neighbouring axes
/// merged where all operands allow it.
template <std::size_t N>
struct strided_loop {
    dims extents;
    std::array<dims, N> strides;
    bool empty = false;

    /// Adds the next inner axis.
    void push(std::int64_t extent, const std::array<std::int64_t, N>& step) {
        if (extent == 0) empty = true;
        if (extent == 1) return;
        if (!extents.empty()) {
            bool merge = true;
            for (std::size_t k = 0; k < N; ++k) merge = merge && strides[k].back() == step[k] * extent;
            if (merge) {
                extents.back() *= extent;
                for (std::size_t k = 0; k < N; ++k) strides[k].back() = step[k];
                return;
            }
        }
        extents.push_back(extent);
        for (std::size_t k = 0; k < N; ++k) strides[k].push_back(step[k]);
    }

    /// Calls f(offsets, count, steps) for each innermost row: element i of operand k lies at offsets[k] + i * steps[k].
    template <class F>
    void each_row(F&& f) const {
        if (empty) return;
        std::array<std::int64_t, N> offset{};
        std::array<std::int64_t, N> step{};
        if (extents.empty()) {
            f(offset, std::int64_t{1}, step);
            return;
        }
        const std::size_t outer = extents.size() - 1;
        for (std::size_t k = 0; k < N; ++k) step[k] = strides[k][outer];
        dims index(outer, 0);
        for (;;) {
            f(offset, extents[outer], step);
            std::size_t axis = outer;
            while (axis > 0) {
                --axis;
                for (std::size_t k = 0; k < N; ++k) offset[k] += strides[k][axis];
                if (++index[axis] < extents[axis]) break;
                for (std::size_t k = 0; k < N; ++k) offset[k] -= strides[k][axis] * extents[axis];
                index[axis] = 0;
                if (axis == 0) return;
            }
            if (outer == 0) return;
        }
    }
};

/// Strides of a dense tensor of `shape` walked as if it had the (larger) shape `target`: 0 along stretched axes.
inline dims broadcast_strides(const dims& shape, const dims& target) {
    const dims own = dense_strides(shape);
    dims out(target.size(), 0);
    const std::size_t lead = target.size() - shape.size();
    for (std::size_t i = 0; i < shape.size(); ++i) out[lead + i] = shape[i] == 1 ? 0 : own[i];
    return out;
}

/// The loop over a result of shape `target` and operands broadcast to it.
template <std::size_t N>
strided_loop<N> broadcast_loop(const dims& target, const std::array<const dims*, N>& shapes) {
    std::array<dims, N> steps;
    for (std::size_t k = 0; k < N; ++k) steps[k] = broadcast_strides(*shapes[k], target);
    strided_loop<N> loop;
    for (std::size_t i = 0; i < target.size(); ++i) {
        std::array<std::int64_t, N> step{};
        for (std::size_t k = 0; k < N; ++k) step[k] = steps[k][i];
        loop.push(target[i], step);
    }
    return loop;
}

/// The shape of an element-wise result.
/// @throws invalid_argument  naming the node, where the shapes do not fit
inline dims broadcast_shape(const node& n, const dims& a, const dims& b) {
    auto out = broadcast(a, b);
    if (!out) fail(n, "shapes ", ocelli::detail::shape_text(a), " and ", ocelli::detail::shape_text(b), " do not broadcast");
    return *std::move(out);
}

/// out[i] = f(a[i]) for tensors of one shape.
template <class A, class R, class F>
void map_unary(const tensor& a, tensor& out, F f) {
    const A* x = a.data<A>();
    R* y = out.mutable_data<R>();
    const std::int64_t n = a.size();
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}

/// out = f(a, b) with broadcasting; out has the broadcast shape.
template <class A, class B, class R, class F>
void map_binary(const tensor& a, const tensor& b, tensor& out, F f) {
    const A* pa = a.data<A>();
    const B* pb = b.data<B>();
    R* pr = out.mutable_data<R>();
    const auto loop = broadcast_loop<3>(out.shape(), {&a.shape(), &b.shape(), &out.shape()});
    loop.each_row([&](const auto& at, std::int64_t n, const auto& step) {
        const A* x = pa + at[0];
        const B* y = pb + at[1];
        R* r = pr + at[2];
        // The three rows that occur; written out, so that the compiler sees unit strides.
        if (step[0] != 0 && step[1] != 0) {
            for (std::int64_t i = 0; i < n; ++i) r[i] = f(x[i], y[i]);
        } else if (step[0] != 0) {
            const B second = *y;
            for (std::int64_t i = 0; i < n; ++i) r[i] = f(x[i], second);
        } else {
            const A first = *x;
            for (std::int64_t i = 0; i < n; ++i) r[i] = f(first, step[1] != 0 ? y[i] : *y);
        }
    });
}

// --- shape inference that many operators share ------------------------------------------------------------------------------

/// The output has input 0's type and shape.
inline void infer_same(infer_context& c) {
    c.output(0, c.type(0), c.shape(0));
}

/// The output has input 0's type and the broadcast shape of inputs 0 and 1.
inline void infer_broadcast(infer_context& c) {
    symbolic_shape shape = c.shape(0);
    for (std::size_t i = 1; i < c.input_count(); ++i) {
        auto next = broadcast(shape, c.shape(i));
        check(c.self, next.has_value(), "shapes ", shape, " and ", c.shape(i), " do not broadcast");
        shape = *std::move(next);
    }
    c.output(0, c.type(0), std::move(shape));
}

// --- sliding windows (convolution, pooling) ---------------------------------------------------------------------------------

/// The windows of a convolution or pooling over the spatial axes of one input shape.
struct windows {
    dims kernel, strides, dilations, pads_begin, pads_end, output;
};

/// What a node says of its windows, before an input's extents are known. Kernels read it once, when they are bound.
struct window_attributes {
    enum class padding { as_given, same_upper, same_lower, valid };

    dims kernel, strides, dilations, pads;
    padding padded = padding::as_given;
    /// Round the number of windows up (a window that would begin in the padding behind the input is dropped).
    bool ceil = false;
};

/// Reads strides, dilations, pads and auto_pad of a node.
/// @param kernel  kernel extents
/// @throws invalid_argument  naming the node, on attributes that contradict each other
inline window_attributes read_windows(const node& n, const dims& kernel, bool ceil = false) {
    using padding = window_attributes::padding;
    const std::size_t rank = kernel.size();
    window_attributes a;
    a.kernel = kernel;
    a.strides = attr_ints(n, "strides", dims(rank, 1));
    a.dilations = attr_ints(n, "dilations", dims(rank, 1));
    a.pads = attr_ints(n, "pads", dims(2 * rank, 0));
    a.ceil = ceil;
    check(n, a.strides.size() == rank && a.dilations.size() == rank && a.pads.size() == 2 * rank,
          "strides, dilations or pads have the wrong length for ", rank, " spatial axes");
    const std::string auto_pad = attr_string(n, "auto_pad", "NOTSET");
    if (auto_pad == "SAME_UPPER") a.padded = padding::same_upper;
    else if (auto_pad == "SAME_LOWER") a.padded = padding::same_lower;
    else if (auto_pad == "VALID") a.padded = padding::valid;
    else check(n, auto_pad == "NOTSET", "auto_pad '", auto_pad, "' is not supported");
    constexpr std::int64_t limit = std::int64_t{1} << 40, small = std::int64_t{1} << 20;
    for (std::size_t i = 0; i < rank; ++i) {
        check(n, kernel[i] >= 1 && kernel[i] < small && a.strides[i] >= 1 && a.strides[i] < limit && a.dilations[i] >= 1 && a.dilations[i] < small,
              "kernel extents, strides and dilations must be at least 1 and not absurdly large");
        check(n, a.pads[i] > -limit && a.pads[i] < limit && a.pads[i + rank] > -limit && a.pads[i + rank] < limit, "pads are out of range");
    }
    return a;
}

/// The windows over an input.
/// @param n        names errors
/// @param spatial  extents of the spatial axes
/// @throws invalid_argument  naming the node, where the kernel does not fit
inline windows windows_over(const node& n, const window_attributes& a, const dims& spatial) {
    using padding = window_attributes::padding;
    const std::size_t rank = spatial.size();
    check(n, a.kernel.size() == rank, "a kernel of ", a.kernel.size(), " axes has the wrong length for ", rank, " spatial axes");
    windows w;
    w.kernel = a.kernel;
    w.strides = a.strides;
    w.dilations = a.dilations;
    w.pads_begin.assign(a.pads.begin(), a.pads.begin() + static_cast<std::ptrdiff_t>(rank));
    w.pads_end.assign(a.pads.begin() + static_cast<std::ptrdiff_t>(rank), a.pads.end());
    w.output.resize(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t reach = (a.kernel[i] - 1) * a.dilations[i] + 1;
        if (a.padded == padding::same_upper || a.padded == padding::same_lower) {
            w.output[i] = (spatial[i] + a.strides[i] - 1) / a.strides[i];
            const std::int64_t all = std::max<std::int64_t>(0, (w.output[i] - 1) * a.strides[i] + reach - spatial[i]);
            w.pads_begin[i] = a.padded == padding::same_upper ? all / 2 : all - all / 2;
            w.pads_end[i] = all - w.pads_begin[i];
            continue;
        }
        if (a.padded == padding::valid) w.pads_begin[i] = w.pads_end[i] = 0;
        const std::int64_t room = spatial[i] + w.pads_begin[i] + w.pads_end[i] - reach;
        check(n, room >= 0, "a kernel that reaches over ", reach, " elements does not fit into ", spatial[i], " with padding ", w.pads_begin[i], " and ",
              w.pads_end[i]);
        w.output[i] = (a.ceil ? room + a.strides[i] - 1 : room) / a.strides[i] + 1;
        if (a.ceil && (w.output[i] - 1) * a.strides[i] >= spatial[i] + w.pads_begin[i]) --w.output[i];
    }
    return w;
}

/// Both: the windows of a node over an input.
inline windows window_geometry(const node& n, const dims& spatial, const dims& kernel, bool ceil = false) {
    check(n, kernel.size() == spatial.size(), "a kernel of ", kernel.size(), " axes has the wrong length for ", spatial.size(), " spatial axes");
    return windows_over(n, read_windows(n, kernel, ceil), spatial);
}

}  // namespace ocelli::nn
