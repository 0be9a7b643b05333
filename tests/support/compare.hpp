#pragma once

// Small helpers of several tests: how far arrays are apart, and what an exception says.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace ocelli_test {

/// The largest absolute difference of two arrays of the same shape; infinite where one of two elements alone is NaN.
template <class A, class B>
double largest_difference(const A& a, const B& b) {
    REQUIRE(a.shape() == b.shape());
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = static_cast<double>(a.data()[i]), y = static_cast<double>(b.data()[i]);
        if (ocelli::detail::is_nan(x) != ocelli::detail::is_nan(y)) return std::numeric_limits<double>::max();
        if (!ocelli::detail::is_nan(x)) worst = std::max(worst, std::abs(x - y));
    }
    return worst;
}

/// What an invalid_argument thrown by the call says; empty where it throws nothing.
template <class F>
std::string message_of(F&& call) {
    try {
        call();
    } catch (const ocelli::invalid_argument& e) {
        return e.what();
    }
    return "";
}

} // namespace ocelli_test
