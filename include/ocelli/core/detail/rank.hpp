#pragma once

/// @file
/// How many dimensions an array expression has, where its type tells.

#include <ocelli/core/tensor.hpp>

#include <cstdint>
#include <tuple>
#include <utility>

namespace ocelli::detail {

/// The rank of an array expression; -1 where only the object knows (xt::xarray). Eigen's vectors have rank 1.
template <array_expression E>
constexpr int static_rank() {
    using A = std::remove_cvref_t<E>;
    if constexpr (raw_view<A>) {
        return static_cast<int>(std::tuple_size_v<std::remove_cvref_t<decltype(std::declval<A>().shape())>>);
    } else if constexpr (xtensor_expression<A>) {
        // The shape's own type tells: xt::get_rank does not see through views.
        if constexpr (requires { std::tuple_size<typename A::shape_type>::value; }) {
            return static_cast<int>(std::tuple_size<typename A::shape_type>::value);
        } else {
            return xt::get_rank<A>::value == SIZE_MAX ? -1 : static_cast<int>(xt::get_rank<A>::value);
        }
    } else if constexpr (eigen_expression<A>) {
        return A::RowsAtCompileTime == 1 || A::ColsAtCompileTime == 1 ? 1 : 2;
    } else {
        return number_range<A> ? 1 : 2;
    }
}

} // namespace ocelli::detail
