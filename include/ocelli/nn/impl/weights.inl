#pragma once

#include <ocelli/io/safetensors.hpp>
#include <ocelli/nn/weights.hpp>

#include <cstring>
#include <vector>

namespace ocelli::nn {

namespace detail {

// By the order of safetensors_dtype.
inline constexpr dtype safetensors_dtypes[] = {dtype::boolean,   dtype::uint8,   dtype::int8,     dtype::undefined, dtype::undefined,
                                               dtype::int16,     dtype::uint16,  dtype::float16,  dtype::bfloat16,  dtype::int32,
                                               dtype::uint32,    dtype::float32, dtype::float64,  dtype::int64,     dtype::uint64};

}  // namespace detail

OCELLI_INLINE const tensor& state_dict::operator[](std::string_view name) const {
    const auto found = tensors_.find(name);
    if (found != tensors_.end()) return found->second;
    // Neighbours under the same module tell what was meant.
    const std::string_view module = name.substr(0, name.rfind('.') == std::string_view::npos ? 0 : name.rfind('.') + 1);
    std::string near;
    std::size_t shown = 0;
    for (const auto& entry : tensors_)
        if (entry.first.compare(0, module.size(), module) == 0 && shown++ < 8) near += (near.empty() ? "" : ", ") + entry.first;
    ocelli::detail::fail("weights: no tensor is named '", name, "'; there are ", near.empty() ? std::string("none in its module") : near, shown > 8 ? ", ..." : "");
}

OCELLI_INLINE const tensor& state_dict::at(std::string_view name, const dims& shape) const {
    const tensor& t = (*this)[name];
    ocelli::detail::check(t.shape() == shape, "weights: '", name, "' has shape ", ocelli::detail::shape_text(t.shape()), ", expected ",
                          ocelli::detail::shape_text(shape));
    return t;
}

OCELLI_INLINE state_dict state_dict::scope(std::string_view module) const {
    state_dict out;
    const std::string prefix = std::string(module) + ".";
    for (auto it = tensors_.lower_bound(prefix); it != tensors_.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it)
        out.set(it->first.substr(prefix.size()), it->second);
    return out;
}

OCELLI_INLINE state_dict read_weights(const std::string& path) {
    const safetensors_file file = read_safetensors(path);
    state_dict out;
    for (const safetensors_entry& e : file.entries()) {
        const dtype type = detail::safetensors_dtypes[static_cast<std::size_t>(e.dtype)];
        ocelli::detail::check<format_error>(type != dtype::undefined, path, ": '", e.name, "' has elements of type ", ocelli::name(e.dtype),
                                            ", which is not supported");
        if (type == dtype::boolean || e.bytes.empty()) {
            tensor t(type, e.shape);
            for (std::size_t i = 0; type == dtype::boolean && i < e.bytes.size(); ++i) t.mutable_data<bool>()[i] = e.bytes[i] != std::byte{0};
            out.set(e.name, std::move(t));
        } else out.set(e.name, tensor::borrow(type, e.shape, e.bytes.data(), file.owner()));
    }
    return out;
}

OCELLI_INLINE void write_weights(const std::string& path, const state_dict& weights) {
    std::vector<safetensors_entry> entries;
    for (const auto& [name, t] : weights) {
        std::size_t at = 0;
        while (at < std::size(detail::safetensors_dtypes) && detail::safetensors_dtypes[at] != t.type()) ++at;
        ocelli::detail::check(t.defined() && at < std::size(detail::safetensors_dtypes), "weights: '", name, "' is absent");
        entries.push_back({name, static_cast<safetensors_dtype>(at), t.shape(), {static_cast<const std::byte*>(t.raw()), t.bytes()}});
    }
    write_safetensors(path, entries);
}

}  // namespace ocelli::nn
