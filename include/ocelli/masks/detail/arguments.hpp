#pragma once

// Masks as arguments: bytes that are 0 or not, from any integer array.

#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace ocelli::detail {

/// The array as dense bytes, foreground being every byte that is not 0. Borrows arrays of bool and of 8-bit integers.
template <std::size_t N, array_expression E>
dense_view<std::uint8_t, N> as_mask(const E& e, std::string_view what) {
    using V = value_type_t<E>;
    static_assert(std::is_integral_v<V>, "a binary mask is an array of bool or integers: compare a soft mask with its threshold first, "
                                         "for example xt::cast<std::uint8_t>(masks > 0.5)");
    if constexpr (std::is_same_v<V, std::uint8_t>) {
        return as_dense<std::uint8_t, N>(e, what);
    } else {
        const auto dense = as_dense<V, N>(e, what);
        if constexpr (sizeof(V) == 1)
            if (dense.borrowed()) return dense_view<std::uint8_t, N>(reinterpret_cast<const std::uint8_t*>(dense.data()), dense.shape());
        const std::size_t n = dense.size();
        auto memory = new_array<std::uint8_t>(n);
        for (std::size_t i = 0; i < n; ++i) memory[i] = dense[i] != V(0) ? 1 : 0;
        return own<std::uint8_t, N>(dense.shape(), memory);
    }
}

}  // namespace ocelli::detail
