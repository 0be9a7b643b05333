#pragma once

/// @file
/// Weights by their PyTorch names, from and to safetensors files.

#include <ocelli/nn/tensor.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace ocelli::nn {

/// Tensors by name, as a PyTorch state_dict: "layer1.0.conv1.weight".
class state_dict {
public:
    /// @throws invalid_argument  naming what there is under the same prefix, where there is no such tensor
    const tensor& operator[](std::string_view name) const;
    /// The tensor, whose shape must be this.
    /// @throws invalid_argument  where it is not there or has another shape
    const tensor& at(std::string_view name, const dims& shape) const;
    bool contains(std::string_view name) const noexcept { return tensors_.find(name) != tensors_.end(); }
    /// Adds or replaces a tensor.
    void set(std::string name, tensor t) { tensors_[std::move(name)] = std::move(t); }
    /// The tensors below a module, under their names inside it: `scope("layer1.0")["conv1.weight"]`. They share the memory.
    state_dict scope(std::string_view module) const;

    std::size_t size() const noexcept { return tensors_.size(); }
    auto begin() const noexcept { return tensors_.begin(); }
    auto end() const noexcept { return tensors_.end(); }

private:
    std::map<std::string, tensor, std::less<>> tensors_;
};

/// Opens a safetensors file as weights. The tensors share the mapped file: nothing is copied (except elements that the file does not align).
/// @throws io_error      when the file cannot be opened
/// @throws format_error  when it is not a valid safetensors file, or has 8-bit floating elements, which no tensor has
state_dict read_weights(const std::string& path);

/// Writes weights to a safetensors file that PyTorch users can load.
/// @throws io_error  when the file cannot be written
void write_weights(const std::string& path, const state_dict& weights);

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/weights.inl>
#endif
