#pragma once

/// @file
/// A dense array of any element type and rank: what flows through a network.

#include <ocelli/core/config.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/nn/dtype.hpp>
#include <ocelli/nn/memory.hpp>
#include <ocelli/nn/shape.hpp>

#include <concepts>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ocelli::nn {

namespace detail {
struct derived_copy;
}

/// Factors of a tensor's elements, see tensor::scaled().
struct element_scale {
    std::vector<float> factors;
    /// Elements in a row that share one; after the last factor comes the first again.
    std::int64_t run = 1;
};

/// A dense row-major array: element type, extents, shared memory aligned to 64 bytes.
///
/// A handle: copies share the memory, so writing through one is seen through the other; clone() copies the elements. A
/// default-constructed tensor is *absent* (an optional input that is not there).
///
/// ONNX's other values take the same handle: a sequence() of tensors, and none(), the empty optional (one with an element is that element).
class tensor {
public:
    tensor() = default;

    /// Memory for a tensor; the elements are not initialised.
    /// @throws invalid_argument  on a negative extent, an undefined type or more bytes than the memory_limit
    /// @throws error  where the system has no such memory
    tensor(dtype type, dims shape);

    /// Makes a tensor of any array expression; dense row-major memory is copied once, `feed()` borrows it instead.
    /// @throws invalid_argument  on a rank that does not fit
    template <array_expression E>
        requires(!std::same_as<std::remove_cvref_t<E>, tensor> && !std::same_as<std::remove_cvref_t<E>, dims>)
    tensor(const E& expression) : tensor(borrow_expression(expression).clone()) {}  // NOLINT: implicit on purpose

    /// Copies `values` into a new tensor.
    /// @throws invalid_argument  when their number is not the product of the extents
    template <class T>
    static tensor from(dims shape, std::span<const T> values) {
        tensor out(dtype_of<T>, std::move(shape));
        ocelli::detail::check(values.size() == static_cast<std::size_t>(out.size()), "tensor: shape ",
                              ocelli::detail::shape_text(out.shape()), " does not hold ", values.size(), " elements");
        if (!values.empty()) std::memcpy(out.memory_.get(), values.data(), values.size() * sizeof(T));
        return out;
    }
    template <class T>
    static tensor from(dims shape, std::initializer_list<T> values) {
        return from<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
    }
    /// A tensor of rank 0.
    template <class T>
    static tensor scalar(T value) {
        return from<T>({}, std::span<const T>(&value, 1));
    }
    /// A tensor of rank 1 of 64-bit integers: shapes, axes, indices.
    static tensor ints(std::span<const std::int64_t> values) {
        return from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
    }
    /// A list of tensors, or of lists. Its type is dtype::sequence, its shape (length); the items are shared, not copied.
    static tensor sequence(std::vector<tensor> items);
    /// The optional value that is empty.
    static tensor none();
    /// Every element 0 (false).
    static tensor zeros(dtype type, dims shape);
    /// Wraps dense row-major memory without a copy. `owner` keeps it alive; without one the caller does. Memory that is not aligned to its elements, as a
    /// file's may be, stays where it is, too, for those who read stored(); others make a copy of it at the first access, once.
    static tensor borrow(dtype type, dims shape, const void* memory, std::shared_ptr<const void> owner = nullptr);
    /// The products of float32 elements and their factors, multiplied at the first access, once; they share the memory of `elements`. Who copies the elements
    /// anyway takes unscaled() and scale(), or once().
    /// @throws invalid_argument  on another type, or where the factors do not go into the elements
    static tensor scaled(const tensor& elements, element_scale scale);

    /// Borrows the memory of an array expression where it is dense and row-major, else copies.
    template <array_expression E>
    static tensor borrow_expression(const E& expression);

    /// False for a default-constructed tensor.
    bool defined() const noexcept { return type_ != dtype::undefined; }
    dtype type() const noexcept { return type_; }
    const dims& shape() const noexcept { return shape_; }
    std::size_t rank() const noexcept { return shape_.size(); }
    std::int64_t extent(std::size_t axis) const { return shape_[axis]; }
    /// Number of elements.
    std::int64_t size() const noexcept { return size_; }
    std::size_t bytes() const noexcept { return static_cast<std::size_t>(size_) * size_of(type_); }

    /// The elements; T must be the element type.
    /// @throws invalid_argument  on another T
    template <class T>
    const T* data() const {
        if (dtype_of<T> != type_) [[unlikely]] wrong_type(dtype_of<T>);
        return static_cast<const T*>(raw());
    }
    template <class T>
    T* mutable_data() {
        if (dtype_of<T> != type_) [[unlikely]] wrong_type(dtype_of<T>);
        return static_cast<T*>(memory_.get());
    }
    template <class T>
    std::span<const T> values() const {
        return {data<T>(), static_cast<std::size_t>(size_)};
    }
    /// The items of a sequence.
    /// @throws invalid_argument  where this is none
    const std::vector<tensor>& items() const;
    const void* raw() const { return apart_ == nullptr ? memory_.get() : derived(); }
    /// The elements where they were given, which may not be aligned to their type (see borrow()); elsewhere the same as raw().
    const void* stored() const { return scale() == nullptr ? memory_.get() : raw(); }
    /// Null but for scaled() tensors.
    const element_scale* scale() const noexcept;
    /// The elements as stored, before they are multiplied with scale().
    const void* unscaled() const noexcept { return memory_.get(); }
    /// These elements for one who reads stored() once: a scaled() tensor's products in memory that goes with the handle.
    tensor once() const;
    /// Where two tensors of one type and size differ in this, their elements may.
    const void* identity() const noexcept;
    void* mutable_raw() noexcept { return memory_.get(); }
    /// Keeps the memory alive; for memory planners.
    const std::shared_ptr<void>& memory() const noexcept { return memory_; }

    /// The same memory under other extents.
    /// @throws invalid_argument  when the number of elements differs
    tensor reshaped(dims shape) const;
    /// A copy with memory of its own.
    tensor clone() const;
    /// The elements converted as a C++ cast does (floating to integer truncates and saturates, NaN becomes 0; to bool: not equal to 0).
    tensor cast(dtype type) const;
    /// The only element, converted to double or int64.
    /// @throws invalid_argument  unless there is exactly one element
    double item() const;
    /// The elements as 64-bit integers (of an integer or bool tensor of any rank).
    /// @throws invalid_argument  for floating types
    std::vector<std::int64_t> to_ints() const;

    /// Copies into an xtensor of element type T and rank N: `out["scores"].as<float, 3>()`.
    /// @throws invalid_argument  when the element type or the rank differ
    template <class T, std::size_t N>
    xt::xtensor<T, N> as() const {
        ocelli::detail::check(shape_.size() == N, "tensor: has shape ", ocelli::detail::shape_text(shape_), ", asked for as rank ", N);
        const T* from = data<T>();
        std::array<std::size_t, N> extents{};
        for (std::size_t i = 0; i < N; ++i) extents[i] = static_cast<std::size_t>(shape_[i]);
        auto out = xt::xtensor<T, N>::from_shape(extents);
        std::copy(from, from + size_, out.data());
        return out;
    }
    /// Lends the memory as an array expression for the other areas: `ocelli::nms(out["boxes"].view<float, 2>(), ...)`.
    /// @throws invalid_argument  when the element type or the rank differ
    template <class T, std::size_t N>
    array_view<const T, N> view() const {
        ocelli::detail::check(shape_.size() == N, "tensor: has shape ", ocelli::detail::shape_text(shape_), ", asked for as rank ", N);
        std::array<std::size_t, N> extents{};
        for (std::size_t i = 0; i < N; ++i) extents[i] = static_cast<std::size_t>(shape_[i]);
        return {data<T>(), extents};
    }

private:
    [[noreturn]] void wrong_type(dtype asked) const;
    const void* derived() const;

    dtype type_ = dtype{};
    dims shape_;
    std::int64_t size_ = 0;
    std::shared_ptr<void> memory_;
    /// Of memory that is not aligned, or scaled.
    std::shared_ptr<detail::derived_copy> apart_;
};

/// "float32 (1, 3, 240, 320)", or "absent".
std::string text(const tensor& t);

/// In messages a tensor stands as its text, which is made only where one is thrown.
inline void append(std::string& out, const tensor& t) {
    out += text(t);
}

namespace detail {

/// Converts n elements as tensor::cast does; the two must not overlap unless they are the same memory and type.
void convert_elements(dtype from, const void* x, dtype to, void* y, std::int64_t n);

// The rank of an expression, where its type tells.
template <class E>
consteval std::size_t static_rank() {
    if constexpr (ocelli::detail::raw_view<E>) return std::tuple_size_v<std::remove_cvref_t<decltype(std::declval<const E&>().shape())>>;
    else if constexpr (ocelli::detail::eigen_expression<E>) return (E::RowsAtCompileTime == 1 || E::ColsAtCompileTime == 1) ? 1 : 2;
    else if constexpr (ocelli::detail::number_range<E>) return 1;
    else if constexpr (ocelli::detail::row_range<E>) return 2;
    else return 0;
}

template <std::size_t N, class E>
tensor tensor_of_rank(const E& e) {
    using T = value_type_t<E>;
    const auto dense = as_dense<T, N>(e, "tensor: expression");
    dims shape(N);
    for (std::size_t i = 0; i < N; ++i) shape[i] = static_cast<std::int64_t>(dense.extent(i));
    const tensor borrowed = tensor::borrow(dtype_of<T>, std::move(shape), dense.data());
    return dense.borrowed() ? borrowed : borrowed.clone();
}

/// A tensor on the memory of an array that is to be written; throws where the array has none of its own.
template <std::size_t N, class E>
tensor tensor_on_array_of_rank(E& e, const char* what) {
    using T = value_type_t<std::remove_cvref_t<E>>;
    const tensor extents = tensor_of_rank<N>(e);
    std::array<std::size_t, N> shape{};
    for (std::size_t i = 0; i < N; ++i) shape[i] = static_cast<std::size_t>(extents.extent(i));
    T* const memory = ocelli::detail::as_output<T, N>(e, shape, what);
    return tensor::borrow(dtype_of<T>, extents.shape(), memory);
}
template <class E>
tensor tensor_on_array(E& e, const char* what) {
    if constexpr (constexpr std::size_t rank = static_rank<std::remove_cvref_t<E>>(); rank != 0) {
        return tensor_on_array_of_rank<rank>(e, what);
    } else {
        switch (e.dimension()) {
        case 1: return tensor_on_array_of_rank<1>(e, what);
        case 2: return tensor_on_array_of_rank<2>(e, what);
        case 3: return tensor_on_array_of_rank<3>(e, what);
        case 4: return tensor_on_array_of_rank<4>(e, what);
        case 5: return tensor_on_array_of_rank<5>(e, what);
        default: ocelli::detail::fail(what, " must have rank 1 to 5, got shape ", ocelli::detail::shape_text(e.shape()));
        }
    }
}

}  // namespace detail

template <array_expression E>
tensor tensor::borrow_expression(const E& expression) {
    using X = std::remove_cvref_t<E>;
    if constexpr (constexpr std::size_t rank = detail::static_rank<X>(); rank != 0) {
        return detail::tensor_of_rank<rank>(expression);
    } else {
        switch (expression.dimension()) {
        case 1: return detail::tensor_of_rank<1>(expression);
        case 2: return detail::tensor_of_rank<2>(expression);
        case 3: return detail::tensor_of_rank<3>(expression);
        case 4: return detail::tensor_of_rank<4>(expression);
        case 5: return detail::tensor_of_rank<5>(expression);
        default: ocelli::detail::fail("tensor: expressions of rank 1 to 5 are taken, got shape ",
                                      ocelli::detail::shape_text(expression.shape()));
        }
    }
}

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/tensor.inl>
#endif
