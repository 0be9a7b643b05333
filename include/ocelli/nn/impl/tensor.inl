#pragma once

#include <ocelli/nn/tensor.hpp>

#include <new>

#if defined(__unix__) || defined(__APPLE__)
#    include <unistd.h>
#endif

namespace ocelli::nn {

namespace detail {

inline std::shared_ptr<void> allocate_aligned(std::size_t bytes) {
    constexpr std::align_val_t alignment{64};
    void* memory = ::operator new(bytes == 0 ? 1 : bytes, alignment, std::nothrow);
    ocelli::detail::check<error>(memory != nullptr, "tensor: the system has no ", bytes, " bytes of memory");
    return std::shared_ptr<void>(memory, [](void* p) { ::operator delete(p, std::align_val_t{64}); });
}

inline std::size_t half_of_memory() noexcept {
    constexpr std::size_t unknown = sizeof(std::size_t) > 4 ? std::size_t{1} << (sizeof(std::size_t) > 4 ? 35 : 0) : std::size_t{1} << 30;
#if (defined(__unix__) || defined(__APPLE__)) && defined(_SC_PHYS_PAGES)
    const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0) return static_cast<std::size_t>(pages) / 2 * static_cast<std::size_t>(size);
#endif
    return unknown;
}

}  // namespace detail

OCELLI_INLINE std::size_t& memory_limit::current() noexcept {
    static const std::size_t otherwise = detail::half_of_memory();
    thread_local std::size_t limit = otherwise;
    return limit;
}

OCELLI_INLINE tensor::tensor(dtype type, dims shape) : type_(type), shape_(std::move(shape)) {
    ocelli::detail::check(type != dtype::undefined, "tensor: undefined element type");
    size_ = element_count(shape_);
    const std::size_t limit = memory_limit::current();
    ocelli::detail::check(static_cast<std::uint64_t>(size_) <= limit / size_of(type), "tensor: shape ", ocelli::detail::shape_text(shape_), " of ",
                          name(type), " needs more than the limit of ", limit, " bytes (memory_limit)");
    memory_ = detail::allocate_aligned(bytes());
}

OCELLI_INLINE tensor tensor::zeros(dtype type, dims shape) {
    tensor out(type, std::move(shape));
    std::memset(out.memory_.get(), 0, out.bytes());
    return out;
}

OCELLI_INLINE tensor tensor::borrow(dtype type, dims shape, const void* memory, std::shared_ptr<const void> owner) {
    ocelli::detail::check(type != dtype::undefined, "tensor: undefined element type");
    tensor out;
    out.type_ = type;
    out.shape_ = std::move(shape);
    out.size_ = element_count(out.shape_);
    out.memory_ = std::shared_ptr<void>(std::const_pointer_cast<void>(std::move(owner)), const_cast<void*>(memory));
    return out;
}

OCELLI_INLINE tensor tensor::reshaped(dims shape) const {
    const std::int64_t n = element_count(shape);
    ocelli::detail::check(n == size_, "tensor: shape ", ocelli::detail::shape_text(shape_), " does not reshape to ",
                          ocelli::detail::shape_text(shape));
    tensor out = *this;
    out.shape_ = std::move(shape);
    return out;
}

OCELLI_INLINE tensor tensor::clone() const {
    if (!defined()) return {};
    tensor out(type_, shape_);
    if (size_ != 0) std::memcpy(out.memory_.get(), memory_.get(), bytes());
    return out;
}

OCELLI_INLINE tensor tensor::cast(dtype type) const {
    if (type == type_) return *this;
    tensor out(type, shape_);
    dispatch_over(all_types{}, type_, [&]<class From>(type_tag<From>) {
        dispatch_over(all_types{}, type, [&]<class To>(type_tag<To>) {
            const From* from = static_cast<const From*>(memory_.get());
            To* to = static_cast<To*>(out.memory_.get());
            for (std::int64_t i = 0; i < size_; ++i) to[i] = detail::convert_element<To>(from[i]);
        });
    });
    return out;
}

OCELLI_INLINE double tensor::item() const {
    ocelli::detail::check(defined() && size_ == 1, "tensor: one element expected, got ", text(*this));
    return *cast(dtype::float64).data<double>();
}

OCELLI_INLINE std::vector<std::int64_t> tensor::to_ints() const {
    ocelli::detail::check(is_integer(type_) || type_ == dtype::boolean, "tensor: integers expected, got ", text(*this));
    const tensor wide = cast(dtype::int64);
    const std::int64_t* first = wide.data<std::int64_t>();
    return {first, first + size_};
}

OCELLI_INLINE void tensor::wrong_type(dtype asked) const {
    ocelli::detail::fail("tensor: elements are ", name(type_), ", asked for as ", name(asked));
}

OCELLI_INLINE std::string text(const tensor& t) {
    if (!t.defined()) return "absent";
    return std::string(name(t.type())) + " " + ocelli::detail::shape_text(t.shape());
}

}  // namespace ocelli::nn
