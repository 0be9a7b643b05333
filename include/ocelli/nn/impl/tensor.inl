#pragma once

#include <ocelli/nn/tensor.hpp>

#include <algorithm>
#include <mutex>

namespace ocelli::nn {

namespace detail {

/// What a tensor's elements are copied to where somebody needs them aligned or multiplied. Copies that only align are not counted by memory limits, as the file
/// is not.
struct derived_copy {
    element_scale scale;
    std::once_flag once;
    std::shared_ptr<void> memory;
};

inline void multiply_elements(const void* from, std::int64_t n, const element_scale& scale, float* to) {
    const auto* p = static_cast<const char*>(from);
    const std::int64_t period = static_cast<std::int64_t>(scale.factors.size());
    for (std::int64_t i = 0, row = 0; i < n; i += scale.run, row = row + 1 == period ? 0 : row + 1) {
        std::memcpy(to + i, p + static_cast<std::size_t>(i) * sizeof(float), static_cast<std::size_t>(scale.run) * sizeof(float));
        const float factor = scale.factors[static_cast<std::size_t>(row)];
        for (std::int64_t j = 0; j < scale.run; ++j) to[i + j] *= factor;
    }
}

}  // namespace detail

OCELLI_NOINLINE OCELLI_INLINE const void* tensor::derived() const {
    std::call_once(apart_->once, [&] {
        if (apart_->scale.factors.empty()) {
            apart_->memory = detail::uncounted_memory(bytes());
            std::memcpy(apart_->memory.get(), memory_.get(), bytes());
        } else {
            apart_->memory = once().memory_;
        }
    });
    return apart_->memory.get();
}

OCELLI_INLINE const element_scale* tensor::scale() const noexcept {
    return apart_ == nullptr || apart_->scale.factors.empty() ? nullptr : &apart_->scale;
}

OCELLI_INLINE const void* tensor::identity() const noexcept {
    return scale() == nullptr ? memory_.get() : static_cast<const void*>(apart_.get());
}

OCELLI_INLINE tensor tensor::once() const {
    if (scale() == nullptr) return *this;
    tensor out(type_, shape_);
    detail::multiply_elements(unscaled(), size_, *scale(), out.mutable_data<float>());
    return out;
}

OCELLI_INLINE tensor tensor::scaled(const tensor& elements, element_scale scale) {
    const auto period = static_cast<std::int64_t>(scale.factors.size());
    ocelli::detail::check(elements.type() == dtype::float32, "tensor: float32 expected to be scaled, got ", elements);
    ocelli::detail::check(period > 0 && scale.run > 0 && elements.size() % scale.run == 0 && elements.size() / scale.run % period == 0, "tensor: ", period, " factors of ",
                          scale.run, " elements each do not go into ", elements);
    tensor out = elements.once();
    out.apart_ = std::make_shared<detail::derived_copy>();
    out.apart_->scale = std::move(scale);
    return out;
}

OCELLI_INLINE tensor::tensor(dtype type, dims shape) : type_(type), shape_(std::move(shape)) {
    ocelli::detail::check(size_of(type) != 0, "tensor: undefined element type");
    size_ = element_count(shape_);
    // Beyond the room there is for any tensor; how much others hold is the account's business.
    const std::size_t limit = memory_limit::widest();
    ocelli::detail::check(static_cast<std::uint64_t>(size_) <= limit / size_of(type), "tensor: shape ", shape_, " of ",
                          name(type), " needs more than the limit of ", limit, " bytes (memory_limit)");
    memory_ = detail::take_memory(bytes());
}

OCELLI_INLINE tensor tensor::sequence(std::vector<tensor> items) {
    tensor out;
    out.type_ = dtype::sequence;
    out.size_ = static_cast<std::int64_t>(items.size());
    out.shape_ = {out.size_};
    out.memory_ = std::make_shared<std::vector<tensor>>(std::move(items));
    return out;
}

OCELLI_INLINE tensor tensor::none() {
    tensor out;
    out.type_ = dtype::none;
    out.shape_ = {0};
    return out;
}

OCELLI_INLINE const std::vector<tensor>& tensor::items() const {
    ocelli::detail::check(type_ == dtype::sequence, "tensor: a sequence expected, got ", text(*this));
    return *static_cast<const std::vector<tensor>*>(memory_.get());
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
    if (size_of(type) > 1 && reinterpret_cast<std::uintptr_t>(memory) % size_of(type) != 0) out.apart_ = std::make_shared<detail::derived_copy>();
    return out;
}

OCELLI_INLINE tensor tensor::reshaped(dims shape) const {
    ocelli::detail::check(type_ != dtype::sequence && type_ != dtype::none, "tensor: a ", name(type_), " has no shape to change");
    const std::int64_t n = element_count(shape);
    ocelli::detail::check(n == size_, "tensor: shape ", shape_, " does not reshape to ", shape);
    tensor out = *this;
    out.shape_ = std::move(shape);
    return out;
}

OCELLI_INLINE tensor tensor::clone() const {
    if (!defined()) return {};
    if (type_ == dtype::none) return *this;
    if (type_ == dtype::sequence) {
        std::vector<tensor> copies;
        for (const tensor& item : items()) copies.push_back(item.clone());
        return sequence(std::move(copies));
    }
    tensor out(type_, shape_);
    if (size_ != 0) std::memcpy(out.memory_.get(), stored(), bytes());
    return out;
}

namespace detail {

// One loop per pair of all types would be 169 of them: what is narrower than float, double, int64 or uint64 passes through one of these,
// which holds its values exactly.
using conversion = void (*)(const void*, void*, std::int64_t);

template <class From, class To>
void convert_run(const void* x, void* y, std::int64_t n) {
    const From* from = static_cast<const From*>(x);
    To* to = static_cast<To*>(y);
    for (std::int64_t i = 0; i < n; ++i) to[i] = convert_element<To>(from[i]);
}

template <class From>
conversion conversion_to(dtype to) {
    conversion found = nullptr;
    dispatch_over(all_types{}, to, [&]<class To>(type_tag<To>) { found = &convert_run<From, To>; });
    return found;
}

inline conversion conversion_from_wide(dtype wide, dtype to) {
    switch (wide) {
    case dtype::float32: return conversion_to<float>(to);
    case dtype::float64: return conversion_to<double>(to);
    case dtype::uint64: return conversion_to<std::uint64_t>(to);
    default: return conversion_to<std::int64_t>(to);
    }
}

constexpr dtype wide_type(dtype type) noexcept {
    switch (type) {
    case dtype::float32:
    case dtype::float64:
    case dtype::int64:
    case dtype::uint64: return type;
    case dtype::float16:
    case dtype::bfloat16: return dtype::float32;
    default: return dtype::int64;
    }
}

OCELLI_INLINE void convert_elements(dtype from, const void* x, dtype to, void* y, std::int64_t n) {
    if (n == 0) return;
    if (from == to) {
        if (x != y) std::memmove(y, x, static_cast<std::size_t>(n) * size_of(from));
        return;
    }
    const dtype wide = wide_type(from);
    if (wide == from) return conversion_from_wide(wide, to)(x, y, n);
    conversion load = nullptr;
    using narrow_types = type_list<float16, bfloat16, std::int32_t, std::uint8_t, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t>;
    dispatch_over(narrow_types{}, from == dtype::boolean ? dtype::uint8 : from, [&]<class From>(type_tag<From>) {
        load = &convert_run<From, std::conditional_t<is_floating_v<From>, float, std::int64_t>>;
    });
    ocelli::detail::check(load != nullptr && to != dtype::undefined, "tensor: undefined element type");
    if (wide == to) return load(x, y, n);
    const conversion store = conversion_from_wide(wide, to);
    constexpr std::int64_t block = 512;
    alignas(64) std::byte room[block * 8];
    for (std::int64_t i = 0; i < n; i += block) {
        const std::int64_t m = n - i < block ? n - i : block;
        load(static_cast<const std::byte*>(x) + static_cast<std::size_t>(i) * size_of(from), room, m);
        store(room, static_cast<std::byte*>(y) + static_cast<std::size_t>(i) * size_of(to), m);
    }
}

}  // namespace detail

OCELLI_INLINE tensor tensor::cast(dtype type) const {
    if (type == type_) return *this;
    tensor out(type, shape_);
    detail::convert_elements(type_, raw(), type, out.memory_.get(), size_);
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
