#pragma once

/// @file
/// Any array in, dense memory inside, xtensor out. The only file that includes xtensor.
///
/// Public functions take an `array_expression`: any xtensor expression, any Eigen dense expression or map, a contiguous range of
/// numbers (rank 1) or of std::array (rank 2), or raw memory by view(). `as_dense` lends its memory where that is dense and
/// row-major, and otherwise evaluates it once.

#include <ocelli/core/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(__clang__) && __clang_major__ < 15 && __has_include(<xtensor/containers/xtensor.hpp>)
#    include <xtensor/core/xtensor_config.hpp>
#    if XTENSOR_VERSION_MAJOR == 0 && XTENSOR_VERSION_MINOR >= 27
#        error "xtensor 0.27 does not compile with Clang 14: use xtensor 0.24 to 0.26, or a newer Clang"
#    endif
#endif

#if defined(__GNUC__) && !defined(__clang__)
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wconversion"
#    pragma GCC diagnostic ignored "-Wsign-conversion"
#    pragma GCC diagnostic ignored "-Wshadow"
#endif
#if __has_include(<xtensor/containers/xtensor.hpp>)  // 0.26 moved every header
#    include <xtensor/containers/xadapt.hpp>
#    include <xtensor/containers/xarray.hpp>
#    include <xtensor/containers/xtensor.hpp>
#    include <xtensor/core/xnoalias.hpp>
#    include <xtensor/core/xoperation.hpp>
#else
#    include <xtensor/xadapt.hpp>
#    include <xtensor/xarray.hpp>
#    include <xtensor/xnoalias.hpp>
#    include <xtensor/xoperation.hpp>
#    include <xtensor/xtensor.hpp>
#endif
#if defined(__GNUC__) && !defined(__clang__)
#    pragma GCC diagnostic pop
#endif

namespace ocelli {

/// Raw dense row-major memory with a shape; does not own it. Made by view().
template <class T, std::size_t N>
class array_view {
public:
    using value_type = std::remove_cv_t<T>;

    constexpr array_view(T* data, const std::array<std::size_t, N>& shape) noexcept : data_(data), shape_(shape) {}

    constexpr T* data() const noexcept { return data_; }
    constexpr const std::array<std::size_t, N>& shape() const noexcept { return shape_; }
    constexpr std::size_t extent(std::size_t i) const noexcept { return shape_[i]; }
    constexpr std::size_t size() const noexcept {
        std::size_t n = 1;
        for (const std::size_t e : shape_) n *= e;
        return n;
    }

private:
    T* data_;
    std::array<std::size_t, N> shape_;
};

namespace detail {

/// Any integer as an extent, so that view(p, {n, 4}) takes n of whatever type.
struct extent_argument {
    std::size_t value;
    template <class I>
        requires(std::is_integral_v<I>)
    constexpr extent_argument(I n) : value(static_cast<std::size_t>(n)) {  // NOLINT: implicit on purpose
        if constexpr (std::is_signed_v<I>) check(n >= 0, "view: extents must not be negative, got ", n);
    }
};

}  // namespace detail

/// Wraps dense row-major memory of the caller: `view(pointer, {n, 4})`. Nothing is copied; the memory must outlive the view.
/// @throws invalid_argument  on a negative extent
template <class T, std::size_t N>
constexpr array_view<T, N> view(T* data, const detail::extent_argument (&shape)[N]) {
    std::array<std::size_t, N> extents{};
    for (std::size_t i = 0; i < N; ++i) extents[i] = shape[i].value;
    return {data, extents};
}
/// The same with the shape as an array.
template <class T, std::size_t N>
constexpr array_view<T, N> view(T* data, const std::array<std::size_t, N>& shape) noexcept {
    return {data, shape};
}

namespace detail {

template <class E>
struct is_array_view : std::false_type {};
template <class T, std::size_t N>
struct is_array_view<array_view<T, N>> : std::true_type {};

template <class E>
concept raw_view = is_array_view<E>::value;

template <class E>
concept xtensor_expression = !raw_view<E> && xt::is_xexpression<E>::value;

// Recognised by its shape, so that Eigen need not be included.
template <class E>
concept eigen_expression = !xtensor_expression<E> && requires(const E& e) {
    typename E::Scalar;
    typename E::PlainObject;
    { E::RowsAtCompileTime };
    { E::ColsAtCompileTime };
    { E::IsRowMajor };
    e.derived();
    e.rows();
    e.cols();
    e.eval();
};

template <class E>
concept contiguous_range = !raw_view<E> && !xtensor_expression<E> && !eigen_expression<E> && requires(const E& e) {
    { std::data(e) };
    { std::size(e) };
} && std::is_pointer_v<decltype(std::data(std::declval<const E&>()))>;

template <class E>
using range_value_t = std::remove_cvref_t<decltype(*std::data(std::declval<const E&>()))>;

template <class V>
struct row_of : std::false_type {};
template <class T, std::size_t K>
    requires(std::is_arithmetic_v<T>)
struct row_of<std::array<T, K>> : std::true_type {
    using value_type = T;
    static constexpr std::size_t extent = K;
};

template <class E>
concept number_range = contiguous_range<E> && std::is_arithmetic_v<range_value_t<E>>;
template <class E>
concept row_range = contiguous_range<E> && row_of<range_value_t<E>>::value;

template <class E>
struct value_type_of {};
template <raw_view E>
struct value_type_of<E> {
    using type = typename E::value_type;
};
template <xtensor_expression E>
struct value_type_of<E> {
    using type = std::remove_cv_t<typename E::value_type>;
};
template <eigen_expression E>
struct value_type_of<E> {
    using type = typename E::Scalar;
};
template <number_range E>
struct value_type_of<E> {
    using type = range_value_t<E>;
};
template <row_range E>
struct value_type_of<E> {
    using type = typename row_of<range_value_t<E>>::value_type;
};

}  // namespace detail

/// What public functions accept as an array.
template <class E>
concept array_expression = requires { typename detail::value_type_of<std::remove_cvref_t<E>>::type; };

/// The element type of an array expression.
template <array_expression E>
using value_type_t = typename detail::value_type_of<std::remove_cvref_t<E>>::type;

namespace detail {

template <class T>
using floating_or_none = std::conditional_t<std::is_floating_point_v<T>, T, void>;

template <class A, class B>
struct wider {
    using type = std::conditional_t<(sizeof(A) >= sizeof(B)), A, B>;
};
template <class A>
struct wider<A, void> {
    using type = A;
};
template <class B>
struct wider<void, B> {
    using type = B;
};
template <>
struct wider<void, void> {
    using type = void;
};

template <class... Ts>
struct widest;
template <class T>
struct widest<T> {
    using type = floating_or_none<T>;
};
template <class T, class... Rest>
struct widest<T, Rest...> {
    using type = typename wider<floating_or_none<T>, typename widest<Rest...>::type>::type;
};

template <class... Ts>
using widest_or_double =
    std::conditional_t<std::is_void_v<typename widest<Ts...>::type>, double, typename widest<Ts...>::type>;

}  // namespace detail

/// The working type of a function of these arrays: the widest floating type among them; integers alone give double.
template <array_expression... E>
using scalar_t = detail::widest_or_double<value_type_t<E>...>;

/// Dense row-major memory of rank N to read from: borrowed from the argument or owned. Move-only.
template <class T, std::size_t N>
class dense_view {
public:
    using value_type = T;
    using shape_type = std::array<std::size_t, N>;

    dense_view(const T* data, const shape_type& shape) noexcept : data_(data), shape_(shape) {}
    dense_view(std::unique_ptr<T[]> owned, const shape_type& shape) noexcept
        : data_(owned.get()), shape_(shape), owned_(std::move(owned)) {}

    /// First element; rows follow each other without gaps. May be null when size() is 0.
    const T* data() const noexcept { return data_; }
    std::size_t extent(std::size_t i) const noexcept { return shape_[i]; }
    const shape_type& shape() const noexcept { return shape_; }
    std::size_t size() const noexcept {
        std::size_t n = 1;
        for (const std::size_t e : shape_) n *= e;
        return n;
    }
    /// True where the memory is the argument's own.
    bool borrowed() const noexcept { return owned_ == nullptr; }

    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size(); }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }

private:
    const T* data_;
    shape_type shape_;
    std::unique_ptr<T[]> owned_;
};

namespace detail {

template <class T, std::size_t N>
dense_view<T, N> own(const std::array<std::size_t, N>& shape, std::unique_ptr<T[]>& memory) {
    return dense_view<T, N>(std::move(memory), shape);
}

template <class T>
std::unique_ptr<T[]> new_array(std::size_t n) {
    return std::unique_ptr<T[]>(new T[n == 0 ? 1 : n]);  // not make_unique: it would write zeros
}

inline std::size_t product(const std::size_t* first, std::size_t n) {
    std::size_t p = 1;
    for (std::size_t i = 0; i < n; ++i) p *= first[i];
    return p;
}

template <std::size_t N>
[[noreturn]] void fail_rank(std::string_view what, const std::string& shape) {
    fail(what, " must have ", N, N == 1 ? " dimension" : " dimensions", ", got shape ", shape);
}

// True where elements lie as in a dense row-major array. Dimensions of extent 1 do not count: xtensor gives them stride 0.
template <std::size_t N, class Strides>
bool dense_strides(const std::array<std::size_t, N>& shape, const Strides& strides) {
    std::ptrdiff_t expected = 1;
    for (std::size_t i = N; i-- > 0;) {
        if (shape[i] == 0) return true;
        if (shape[i] != 1 && static_cast<std::ptrdiff_t>(strides[i]) != expected) return false;
        expected *= static_cast<std::ptrdiff_t>(shape[i]);
    }
    return true;
}

template <class T, std::size_t N, xtensor_expression E>
dense_view<T, N> dense_from_xtensor(const E& e, std::string_view what) {
    using V = std::remove_cv_t<typename E::value_type>;
    // Before any assignment: xtensor 0.24 writes past the end when ranks differ.
    if (e.dimension() != N) fail_rank<N>(what, shape_text(e.shape()));
    std::array<std::size_t, N> shape{};
    for (std::size_t i = 0; i < N; ++i) shape[i] = static_cast<std::size_t>(e.shape()[i]);
    if constexpr (requires {
                      { e.data() } -> std::convertible_to<const T*>;
                      e.strides();
                      e.data_offset();
                  } && std::is_same_v<V, T>) {
        if (dense_strides(shape, e.strides())) return dense_view<T, N>(e.data() + e.data_offset(), shape);
    }
    const std::size_t n = product(shape.data(), N);
    auto memory = new_array<T>(n);
    if (n > 0) {
        auto out = xt::adapt(memory.get(), n, xt::no_ownership(), shape);
        if constexpr (std::is_same_v<V, T>) {
            xt::noalias(out) = e;
        } else {
            xt::noalias(out) = xt::cast<T>(e);
        }
    }
    return own<T, N>(shape, memory);
}

template <class T, std::size_t N, class M>
dense_view<T, N> dense_from_eigen(const M& m, std::string_view what) {
    const auto rows = static_cast<std::size_t>(m.rows());
    const auto cols = static_cast<std::size_t>(m.cols());
    std::array<std::size_t, N> shape{};
    if constexpr (N == 1) {
        if (rows != 1 && cols != 1 && rows * cols != 0) fail_rank<N>(what, shape_text(std::array{rows, cols}));
        shape[0] = rows * cols;
    } else if constexpr (N == 2) {
        shape = {rows, cols};
    } else {
        fail_rank<N>(what, shape_text(std::array{rows, cols}));
    }
    if constexpr (requires {
                      { m.data() } -> std::convertible_to<const T*>;
                      m.outerStride();
                      m.innerStride();
                  }) {
        const auto outer = static_cast<std::ptrdiff_t>(m.outerStride());
        const auto inner = static_cast<std::ptrdiff_t>(m.innerStride());
        const std::array<std::size_t, 2> both{rows, cols};
        const std::array<std::ptrdiff_t, 2> strides =
            M::IsRowMajor ? std::array<std::ptrdiff_t, 2>{outer, inner} : std::array<std::ptrdiff_t, 2>{inner, outer};
        if (dense_strides(both, strides)) return dense_view<T, N>(m.data(), shape);
        auto memory = new_array<T>(rows * cols);
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < cols; ++j)
                memory[i * cols + j] =
                    m.data()[static_cast<std::ptrdiff_t>(i) * strides[0] + static_cast<std::ptrdiff_t>(j) * strides[1]];
        return own<T, N>(shape, memory);
    } else {
        const auto evaluated = m.eval();  // products and other expressions without memory
        auto memory = new_array<T>(rows * cols);
        using index = decltype(m.rows());
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < cols; ++j)
                memory[i * cols + j] = static_cast<T>(evaluated.coeff(static_cast<index>(i), static_cast<index>(j)));
        return own<T, N>(shape, memory);
    }
}

template <class T, std::size_t N, class V>
dense_view<T, N> dense_from_memory(const V* data, const std::array<std::size_t, N>& shape) {
    if constexpr (std::is_same_v<V, T>) {
        return dense_view<T, N>(data, shape);
    } else {
        const std::size_t n = product(shape.data(), N);
        auto memory = new_array<T>(n);
        for (std::size_t i = 0; i < n; ++i) memory[i] = static_cast<T>(data[i]);
        return own<T, N>(shape, memory);
    }
}

// Conversions that lose values silently are refused where they are written.
template <class T, class V>
inline constexpr bool converts_safely =
    std::is_same_v<T, V> || (std::is_floating_point_v<T> && (std::is_integral_v<V> || sizeof(V) <= sizeof(T))) ||
    (std::is_integral_v<T> && std::is_integral_v<V>);

}  // namespace detail

/// Gives the array's elements as dense row-major memory of type T and rank N.
///
/// Borrows where the memory is already so; evaluates the expression once into owned memory otherwise (column-major or strided memory,
/// lazy expressions, another element type). The argument must outlive the result where it is borrowed.
///
/// @param what  the argument's name in messages, "nms: boxes"
/// @throws invalid_argument  when the rank differs
template <class T, std::size_t N, array_expression E>
dense_view<T, N> as_dense(const E& e, std::string_view what) {
    using V = value_type_t<E>;
    static_assert(detail::converts_safely<T, V>,
                  "this array's element type does not fit (double into float, or floating point into integers): convert it "
                  "yourself, for example with xt::cast<float>(array) or matrix.cast<float>()");
    if constexpr (detail::raw_view<E>) {
        if constexpr (std::tuple_size_v<std::remove_cvref_t<decltype(e.shape())>> != N) {
            detail::fail_rank<N>(what, detail::shape_text(e.shape()));
        } else {
            return detail::dense_from_memory<T, N>(static_cast<const V*>(e.data()), e.shape());
        }
    } else if constexpr (detail::xtensor_expression<E>) {
        return detail::dense_from_xtensor<T, N>(e, what);
    } else if constexpr (detail::eigen_expression<E>) {
        return detail::dense_from_eigen<T, N>(e.derived(), what);
    } else if constexpr (detail::number_range<E>) {
        if constexpr (N == 1) {
            return detail::dense_from_memory<T, 1>(std::data(e), {std::size(e)});
        } else {
            detail::fail_rank<N>(what, detail::shape_text(std::array{std::size(e)}));
        }
    } else {
        using row = detail::row_of<detail::range_value_t<E>>;
        if constexpr (N == 2) {
            static_assert(sizeof(detail::range_value_t<E>) == row::extent * sizeof(V));
            const V* first = std::size(e) == 0 ? nullptr : std::data(e)->data();
            return detail::dense_from_memory<T, 2>(first, {std::size(e), row::extent});
        } else {
            detail::fail_rank<N>(what, detail::shape_text(std::array{std::size(e), row::extent}));
        }
    }
}

namespace detail {

/// The memory of an array to write to: dense, row-major, of exactly this type and shape; throws invalid_argument otherwise.
template <class T, std::size_t N, class Out>
T* as_output(Out& out, const std::array<std::size_t, N>& expected, std::string_view what) {
    using O = std::remove_cvref_t<Out>;
    static_assert(array_expression<O>, "the output must be an array with memory: an xtensor container or view, an Eigen matrix or "
                                       "map, a vector, or ocelli::view(pointer, shape)");
    static_assert(std::is_same_v<value_type_t<O>, T>, "the output's element type must be the result's");
    const auto check_extents = [&](const auto& shape) {
        bool same = std::size(shape) == N;
        for (std::size_t i = 0; same && i < N; ++i) same = static_cast<std::size_t>(shape[i]) == expected[i];
        check(same, what, " must have shape ", shape_text(expected), ", got ", shape_text(shape));
    };
    if constexpr (raw_view<O>) {
        check_extents(out.shape());
        return out.data();
    } else if constexpr (xtensor_expression<O>) {
        check_extents(out.shape());
        std::array<std::size_t, N> shape = expected;
        check(dense_strides(shape, out.strides()), what, " must be dense and row-major");
        return out.data() + out.data_offset();
    } else if constexpr (eigen_expression<O>) {
        const std::array<std::size_t, 2> shape{static_cast<std::size_t>(out.rows()), static_cast<std::size_t>(out.cols())};
        if constexpr (N == 1) {
            check((shape[0] == 1 || shape[1] == 1 || expected[0] == 0) && shape[0] * shape[1] == expected[0], what, " must have shape ",
                  shape_text(expected), ", got ", shape_text(shape));
        } else {
            check_extents(shape);
        }
        const auto outer = static_cast<std::ptrdiff_t>(out.outerStride());
        const auto inner = static_cast<std::ptrdiff_t>(out.innerStride());
        const std::array<std::ptrdiff_t, 2> strides =
            O::IsRowMajor ? std::array<std::ptrdiff_t, 2>{outer, inner} : std::array<std::ptrdiff_t, 2>{inner, outer};
        check(dense_strides(shape, strides), what, " must be dense and row-major");
        return out.derived().data();
    } else if constexpr (number_range<O>) {
        check_extents(std::array<std::size_t, 1>{std::size(out)});
        return std::data(out);
    } else {
        check_extents(std::array<std::size_t, 2>{std::size(out), row_of<range_value_t<O>>::extent});
        return std::size(out) == 0 ? nullptr : std::data(out)->data();
    }
}

/// An xtensor of this shape whose elements are not written yet.
template <class T, class... Extents>
xt::xtensor<T, sizeof...(Extents)> new_tensor(Extents... extents) {
    return xt::xtensor<T, sizeof...(Extents)>::from_shape(
        std::array<std::size_t, sizeof...(Extents)>{static_cast<std::size_t>(extents)...});
}

/// A free extent in check_shape.
inline constexpr std::int64_t any = -1;

inline std::string expected_text(std::initializer_list<std::int64_t> expected) {
    // Free extents by the letters of the field: N, then M, K, L.
    constexpr char letters[] = {'N', 'M', 'K', 'L'};
    std::string out = "(";
    std::size_t used = 0;
    bool first = true;
    for (const std::int64_t e : expected) {
        if (!first) out += ", ";
        first = false;
        if (e == any) {
            out += letters[used < 3 ? used : 3];
            ++used;
        } else {
            out += std::to_string(e);
        }
    }
    if (expected.size() == 1) out += ',';
    out += ')';
    return out;
}

/// Throws unless the extents are as expected: check_shape(boxes, {any, 4}, "nms: boxes").
template <class View>
void check_shape(const View& v, std::initializer_list<std::int64_t> expected, std::string_view what) {
    bool same = std::size(v.shape()) == expected.size();
    std::size_t i = 0;
    for (const std::int64_t e : expected) {
        if (!same) break;
        same = e == any || static_cast<std::size_t>(v.shape()[i]) == static_cast<std::size_t>(e);
        ++i;
    }
    if (!same) [[unlikely]] fail(what, " must have shape ", expected_text(expected), ", got ", shape_text(v.shape()));
}

/// Throws unless both have the same first extent.
template <class A, class B>
void check_same_length(const A& a, const B& b, std::string_view what) {
    if (a.extent(0) != b.extent(0)) [[unlikely]]
        fail(what, " must have the same length, got ", a.extent(0), " and ", b.extent(0));
}

}  // namespace detail
}  // namespace ocelli
