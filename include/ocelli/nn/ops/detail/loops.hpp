#pragma once

/// @file
/// Loops of the operator files, split over threads: element-wise with broadcasting, and moving elements between layouts.
///
/// The pieces depend on the shapes alone, and every element is computed by itself: results do not depend on the number of threads.

#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/ops/support.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

namespace ocelli::nn::detail {

/// Elements that make a block worth a thread: of additions and moves, and of exponentials and their like.
inline constexpr std::int64_t cheap_block = std::int64_t{1} << 15;
inline constexpr std::int64_t costly_block = std::int64_t{1} << 11;

/// parallel_for over signed indices. The loop itself is compiled once, for a function pointer: an operator file has dozens of bodies.
void run_range(std::int64_t n, std::int64_t block, void* context, void (*body)(void*, std::int64_t, std::int64_t));

template <class F>
void parallel_range(std::int64_t n, std::int64_t block, F&& f) {
    using body = std::remove_reference_t<F>;
    run_range(n, block, const_cast<void*>(static_cast<const void*>(std::addressof(f))),
              [](void* context, std::int64_t begin, std::int64_t end) { (*static_cast<body*>(context))(begin, end); });
}

// --- strided loops over threads --------------------------------------------------------------------------------------------

/// Where the innermost rows are short and the axis outside them is longer, exchanges the two: the order does not matter to
/// element-wise work, and setting up a row costs more than a few elements.
template <std::size_t N>
void prefer_long_rows(strided_loop<N>& loop) {
    const std::size_t rank = loop.extents.size();
    if (rank < 2 || loop.extents[rank - 1] >= 16 || loop.extents[rank - 2] <= loop.extents[rank - 1]) return;
    std::swap(loop.extents[rank - 1], loop.extents[rank - 2]);
    for (auto& strides : loop.strides) std::swap(strides[rank - 1], strides[rank - 2]);
}

/// What parallel_rows calls: body(context, offsets, count, steps).
template <std::size_t N>
using row_body = void (*)(void*, const std::array<std::int64_t, N>&, std::int64_t, const std::array<std::int64_t, N>&);

template <std::size_t N>
void run_rows(const strided_loop<N>& loop, std::int64_t block, void* context, row_body<N> body) {
    if (loop.empty) return;
    std::array<std::int64_t, N> step{};
    if (loop.extents.empty()) {
        body(context, std::array<std::int64_t, N>{}, std::int64_t{1}, step);
        return;
    }
    const std::size_t inner = loop.extents.size() - 1;
    const std::int64_t length = loop.extents[inner];
    for (std::size_t k = 0; k < N; ++k) step[k] = loop.strides[k][inner];
    std::int64_t rows = 1;
    for (std::size_t axis = 0; axis < inner; ++axis) rows *= loop.extents[axis];
    const std::int64_t pieces = (length - 1) / block + 1;
    parallel_range(rows * pieces, pieces > 1 ? 1 : std::max<std::int64_t>(1, block / length), [&](std::int64_t begin, std::int64_t end) {
        std::array<std::int64_t, N> at{};
        dims index(inner, 0);
        std::int64_t rest = begin / pieces, piece = begin % pieces;
        for (std::size_t axis = inner; axis-- > 0;) {
            index[axis] = rest % loop.extents[axis];
            rest /= loop.extents[axis];
            for (std::size_t k = 0; k < N; ++k) at[k] += index[axis] * loop.strides[k][axis];
        }
        for (std::int64_t i = begin; i < end; ++i) {
            std::array<std::int64_t, N> here = at;
            const std::int64_t first = piece * block;
            for (std::size_t k = 0; k < N; ++k) here[k] += first * step[k];
            body(context, here, std::min(block, length - first), step);
            if (++piece < pieces) continue;
            piece = 0;
            for (std::size_t axis = inner; axis-- > 0;) {
                for (std::size_t k = 0; k < N; ++k) at[k] += loop.strides[k][axis];
                if (++index[axis] < loop.extents[axis]) break;
                for (std::size_t k = 0; k < N; ++k) at[k] -= loop.strides[k][axis] * loop.extents[axis];
                index[axis] = 0;
            }
        }
    });
}

/// Calls f(offsets, count, steps) for pieces of the innermost rows, `block` elements to a thread's piece of work; element i of
/// operand k lies at offsets[k] + i * steps[k].
template <std::size_t N, class F>
void parallel_rows(const strided_loop<N>& loop, std::int64_t block, F&& f) {
    using body = std::remove_reference_t<F>;
    run_rows<N>(loop, block, const_cast<void*>(static_cast<const void*>(std::addressof(f))),
                [](void* context, const std::array<std::int64_t, N>& at, std::int64_t n, const std::array<std::int64_t, N>& step) {
                    (*static_cast<body*>(context))(at, n, step);
                });
}

// --- element-wise ------------------------------------------------------------------------------------------------------------

/// out[i] = f(a[i]) for tensors of one shape. Both may be the same tensor.
template <class A, class R, class F>
void unary_loop(const tensor& a, tensor& out, std::int64_t block, F f) {
    const A* x = a.data<A>();
    R* y = out.mutable_data<R>();
    parallel_range(a.size(), block, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) y[i] = f(x[i]);
    });
}

/// Rows of two operands and a result, `steps` elements apart.
using binary_row = void (*)(const void* context, const void* a, const void* b, void* r, std::int64_t n, const std::int64_t* steps);

/// Calls `row` for the rows of out = f(a, b) with broadcasting; out has the broadcast shape, and may be a or b where that has the same shape.
void run_binary(const tensor& a, const tensor& b, tensor& out, std::int64_t block, const void* context, binary_row row);

/// out = f(a, b) with broadcasting, as run_binary.
template <class A, class B, class R, class F>
void binary_loop(const tensor& a, const tensor& b, tensor& out, std::int64_t block, F f) {
    run_binary(a, b, out, block, &f, [](const void* context, const void* pa, const void* pb, void* pr, std::int64_t n, const std::int64_t* step) {
        const F& g = *static_cast<const F*>(context);
        const A* x = static_cast<const A*>(pa);
        const B* y = static_cast<const B*>(pb);
        R* r = static_cast<R*>(pr);
        // The rows that matter, written out so that the compiler sees unit strides.
        if (step[2] == 1 && step[0] == 1 && step[1] == 1) {
            for (std::int64_t i = 0; i < n; ++i) r[i] = g(x[i], y[i]);
        } else if (step[2] == 1 && step[0] == 1 && step[1] == 0) {
            const B second = *y;
            for (std::int64_t i = 0; i < n; ++i) r[i] = g(x[i], second);
        } else if (step[2] == 1 && step[0] == 0 && step[1] == 1) {
            const A first = *x;
            for (std::int64_t i = 0; i < n; ++i) r[i] = g(first, y[i]);
        } else {
            for (std::int64_t i = 0; i < n; ++i) r[i * step[2]] = g(x[i * step[0]], y[i * step[1]]);
        }
    });
}

/// The type in which arithmetic on T is done so that integers wrap: unsigned, of 32 bits at least because narrower ones are promoted
/// to int.
template <class T>
using modular_t = std::conditional_t<std::is_integral_v<T>, std::conditional_t<sizeof(T) <= 4, std::uint32_t, std::uint64_t>, arithmetic_t<T>>;

/// NaN of any floating type, by its bits.
template <class T>
bool nan_element(T x) noexcept {
    if constexpr (is_floating_v<T>) return ocelli::detail::is_nan(static_cast<arithmetic_t<T>>(x));
    else return false;
}

// --- moving elements -----------------------------------------------------------------------------------------------------------

// Elements of any type of a width, as memory that may alias that type.
struct [[gnu::may_alias]] word8 {
    std::uint8_t bits;
};
struct [[gnu::may_alias]] word16 {
    std::uint16_t bits;
};
struct [[gnu::may_alias]] word32 {
    std::uint32_t bits;
};
struct [[gnu::may_alias]] word64 {
    std::uint64_t bits;
};

/// Calls f with a type_tag of the word as wide as the element.
template <class F>
void dispatch_words(dtype type, F&& f) {
    switch (size_of(type)) {
    case 1: f(type_tag<word8>{}); return;
    case 2: f(type_tag<word16>{}); return;
    case 4: f(type_tag<word32>{}); return;
    case 8: f(type_tag<word64>{}); return;
    default: ocelli::detail::fail("a tensor without element type");
    }
}

/// Moves elements along a loop over (from, to), whose strides may be 0 (from) or negative.
template <class W>
void move_words(const W* from, W* to, const strided_loop<2>& loop) {
    if (loop.empty) return;
    const std::size_t rank = loop.extents.size();
    const auto& in = loop.strides[0];
    const auto& out = loop.strides[1];
    // A transposition: one side runs along the inner axis, the other along another one. In tiles, so that whole cache lines are
    // used on both sides.
    if (rank >= 2 && out[rank - 1] == 1 && in[rank - 1] != 1 && in[rank - 1] != 0) {
        std::size_t other = rank;
        for (std::size_t axis = 0; axis + 1 < rank; ++axis)
            if (in[axis] == 1 && loop.extents[axis] >= 4) other = axis;
        if (other != rank && loop.extents[rank - 1] >= 4) {
            constexpr std::int64_t tile = 32;
            const std::int64_t columns = loop.extents[rank - 1], rows = loop.extents[other];
            const std::int64_t column_tiles = (columns - 1) / tile + 1, row_tiles = (rows - 1) / tile + 1;
            std::int64_t rest = 1;
            for (std::size_t axis = 0; axis + 1 < rank; ++axis)
                if (axis != other) rest *= loop.extents[axis];
            const std::int64_t in_step = in[rank - 1], out_step = out[other];
            parallel_range(rest * column_tiles * row_tiles, cheap_block / (tile * tile), [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t i = begin; i < end; ++i) {
                    std::int64_t id = i;
                    const std::int64_t c0 = id % column_tiles * tile;
                    id /= column_tiles;
                    const std::int64_t r0 = id % row_tiles * tile;
                    id /= row_tiles;
                    const W* x = from + r0 + c0 * in_step;
                    W* y = to + r0 * out_step + c0;
                    for (std::size_t axis = rank - 1; axis-- > 0;) {
                        if (axis == other) continue;
                        x += id % loop.extents[axis] * in[axis];
                        y += id % loop.extents[axis] * out[axis];
                        id /= loop.extents[axis];
                    }
                    const std::int64_t nr = std::min(tile, rows - r0), nc = std::min(tile, columns - c0);
                    for (std::int64_t r = 0; r < nr; ++r)
                        for (std::int64_t c = 0; c < nc; ++c) y[r * out_step + c] = x[r + c * in_step];
                }
            });
            return;
        }
    }
    parallel_rows(loop, cheap_block, [&](const auto& at, std::int64_t n, const auto& step) {
        const W* x = from + at[0];
        W* y = to + at[1];
        if (step[0] == 1 && step[1] == 1) {
            std::memcpy(y, x, static_cast<std::size_t>(n) * sizeof(W));
        } else if (step[0] == 0 && step[1] == 1) {
            const W value = *x;
            for (std::int64_t i = 0; i < n; ++i) y[i] = value;
        } else if (step[1] == 1) {
            for (std::int64_t i = 0; i < n; ++i) y[i] = x[i * step[0]];
        } else {
            for (std::int64_t i = 0; i < n; ++i) y[i * step[1]] = x[i * step[0]];
        }
    });
}

/// Moves elements from x (beginning at its element `from`) to y (at `to`) along a loop over both.
void move_elements(const tensor& x, std::int64_t from, tensor& y, std::int64_t to, const strided_loop<2>& loop);

/// The elements converted as tensor::cast does, over threads.
tensor converted(const tensor& x, dtype type);
/// The same into the memory of y, of y's type.
void convert_into(const tensor& x, tensor& y);

/// The loop that copies `blocks` blocks of `length` elements, from blocks `from_pitch` apart to blocks `to_pitch` apart.
inline strided_loop<2> block_loop(std::int64_t blocks, std::int64_t length, std::int64_t from_pitch, std::int64_t to_pitch) {
    strided_loop<2> loop;
    loop.push(blocks, {from_pitch, to_pitch});
    loop.push(length, {1, 1});
    return loop;
}

// --- what operator files check alike ---------------------------------------------------------------------------------------------

/// Throws unless two inputs have one element type.
inline void check_same_type(const node& n, const tensor& a, const tensor& b) {
    check(n, a.type() == b.type(), "inputs must have one element type, got ", a, " and ", b);
}

/// The integers of an input that holds a list (axes, extents, starts): rank 1, or one number.
inline std::vector<std::int64_t> list_input(const eval_context& c, std::size_t i) {
    const tensor& t = c.input(i);
    check(c.self, t.rank() <= 1 && (t.type() == dtype::int64 || t.type() == dtype::int32), "input ", i,
          " must be a list of int64 or int32, got ", t);
    return t.to_ints();
}

/// The single integer of an input.
inline std::int64_t int_input(const eval_context& c, std::size_t i) {
    const tensor& t = c.input(i);
    check(c.self, t.size() == 1 && is_integer(t.type()), "input ", i, " must be one integer, got ", t);
    return t.to_ints()[0];
}

// --- operands of two ------------------------------------------------------------------------------------------------------------

/// Gives the second operand of a binary operator the first one's axes. Operator sets 1 to 6 align the second operand by attributes: equal shapes unless `broadcast`, then its axes stand at `axis`
/// of the first one, or at the end.
inline tensor legacy_operand(const node& n, const tensor& a, const tensor& b) {
    if (attr_int(n, "broadcast", 0) == 0) {
        check(n, a.shape() == b.shape() || b.size() == 1, "shapes ", ocelli::detail::shape_text(a.shape()), " and ",
              ocelli::detail::shape_text(b.shape()), " differ and attribute 'broadcast' is not set");
        return b.size() == 1 && a.shape() != b.shape() ? b.reshaped({}) : b;
    }
    check(n, b.rank() <= a.rank(), "the second operand has more axes than the first");
    if (!has_attribute(n, "axis")) return b;
    const std::size_t axis = normalize_axis_or_end(n, attr_int(n, "axis"), a.rank());
    check(n, axis + b.rank() <= a.rank(), "the second operand does not fit at axis ", axis);
    dims shape = b.shape();
    shape.resize(a.rank() - axis, 1);
    return b.reshaped(shape);
}

inline tensor second_operand(const eval_context& c) {
    return c.self.opset < 7 ? legacy_operand(c.self, c.input(0), c.input(1)) : c.input(1);
}

inline void infer_binary(infer_context& c) {
    if (c.self.opset < 7) infer_same(c);
    else infer_broadcast(c);
}

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/detail/impl/loops.inl>
#endif
