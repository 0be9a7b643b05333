#pragma once

/// @file
/// Ocelli's results as Eigen objects, without a copy.

#include <ocelli/core/tensor.hpp>

#include <Eigen/Core>

namespace ocelli {

/// Maps a rank-2 result as a row-major Eigen matrix; a view of the same memory, valid while the result lives.
template <class T>
Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> as_eigen(xt::xtensor<T, 2>& result) {
    return {result.data(), static_cast<Eigen::Index>(result.shape()[0]), static_cast<Eigen::Index>(result.shape()[1])};
}
/// The same, read-only.
template <class T>
Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> as_eigen(const xt::xtensor<T, 2>& result) {
    return {result.data(), static_cast<Eigen::Index>(result.shape()[0]), static_cast<Eigen::Index>(result.shape()[1])};
}
/// Maps a rank-1 result as an Eigen column vector.
template <class T>
Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>> as_eigen(xt::xtensor<T, 1>& result) {
    return {result.data(), static_cast<Eigen::Index>(result.size())};
}
/// The same, read-only.
template <class T>
Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, 1>> as_eigen(const xt::xtensor<T, 1>& result) {
    return {result.data(), static_cast<Eigen::Index>(result.size())};
}

// A map of a temporary would dangle.
template <class T, std::size_t N>
void as_eigen(xt::xtensor<T, N>&&) = delete;

}  // namespace ocelli
