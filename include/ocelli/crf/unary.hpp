#pragma once

/// @file
/// Unary energies from labels and from probabilities.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/crf/detail/mean_field.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace ocelli {

/// How far labels are trusted, and which of them say nothing.
struct unary_from_labels_options {
    /// The probability that a label is right, in (0, 1).
    double confidence = 0.5;
    /// 0 is unknown and the first label is 1 (pydensecrf's zero_unsure); otherwise the first label is 0.
    bool zero_is_unknown = true;
    /// One more value that is unknown, such as 255.
    std::optional<std::int64_t> ignore = std::nullopt;
};

/// Turns labels to energies -log p: p is the confidence for the label, the others share the rest, and unknown points have equal energies.
///
/// @param labels    any shape of R dimensions, integers: (H, W) with R = 2
/// @param n_labels  how many there are, the unknown not counted; at least 1 (with one label all energies are 0)
/// @return          (L, extents of labels)
/// @throws invalid_argument  on a confidence outside (0, 1) and on labels out of range (pydensecrf takes negative ones from the end)
///
/// T is float or double. Equal to pydensecrf.utils.unary_from_labels within rounding.
template <class T = float, std::size_t R = 2, array_expression E>
xt::xtensor<T, R + 1> unary_from_labels(const E& labels, std::size_t n_labels, const unary_from_labels_options& options = {}) {
    static_assert(std::is_floating_point_v<T>);
    const auto in = as_dense<std::int64_t, R>(labels, "unary_from_labels: labels");
    detail::check(options.confidence > 0 && options.confidence < 1, "unary_from_labels: the confidence must be in (0, 1), got ", options.confidence);
    detail::check(n_labels >= 1, "unary_from_labels: there must be at least one label");
    const std::size_t n = in.size();
    detail::check(n == 0 || n_labels <= detail::max_crf_elements / n, "unary_from_labels: ", n, " points of ", n_labels, " labels are more than ",
                  detail::max_crf_elements, " numbers");
    const std::int64_t first = options.zero_is_unknown ? 1 : 0;
    for (std::size_t i = 0; i < n; ++i) {
        const bool unknown = (options.zero_is_unknown && in[i] == 0) || (options.ignore && in[i] == *options.ignore);
        detail::check(unknown || (in[i] >= first && in[i] - first < static_cast<std::int64_t>(n_labels)), "unary_from_labels: label ", in[i],
                      " of point ", i, " is not one of ", n_labels, " from ", first);
    }
    std::array<std::size_t, R + 1> shape{n_labels};
    for (std::size_t i = 0; i < R; ++i) shape[i + 1] = in.extent(i);
    auto out = xt::xtensor<T, R + 1>::from_shape(shape);
    const double k = static_cast<double>(n_labels);
    const T right = n_labels == 1 ? T(0) : static_cast<T>(-std::log(options.confidence));
    const T wrong = n_labels == 1 ? T(0) : static_cast<T>(-std::log((1 - options.confidence) / (k - 1)));
    const T unsure = static_cast<T>(-std::log(1 / k));
    T* to = out.data();
    for (std::size_t l = 0; l < n_labels; ++l)
        for (std::size_t i = 0; i < n; ++i) {
            const bool unknown = (options.zero_is_unknown && in[i] == 0) || (options.ignore && in[i] == *options.ignore);
            to[l * n + i] = unknown ? unsure : in[i] - first == static_cast<std::int64_t>(l) ? right : wrong;
        }
    return out;
}

/// How far probabilities are trusted.
struct unary_from_probabilities_options {
    /// Mixes the probabilities with equal ones: scale * p + (1 - scale) / L; in (0, 1].
    double scale = 1;
    /// Probabilities below count as this much, so that no energy is infinite; in [0, 1). With 0 a probability of 0 forbids its label.
    double clip = 1e-5;
};

namespace detail {

template <class T, std::size_t R>
void unary_from_probabilities(const dense_view<T, R>& p, const unary_from_probabilities_options& options, T* out) {
    check(options.scale > 0 && options.scale <= 1, "unary_from_probabilities: the scale must be in (0, 1], got ", options.scale);
    check(options.clip >= 0 && options.clip < 1, "unary_from_probabilities: the clip must be in [0, 1), got ", options.clip);
    const T scale = static_cast<T>(options.scale), clip = static_cast<T>(options.clip);
    const T rest = p.extent(0) == 0 ? T(0) : static_cast<T>((1 - options.scale) / static_cast<double>(p.extent(0)));
    for (std::size_t i = 0; i < p.size(); ++i) {
        check(is_finite(p[i]) && p[i] >= 0, "unary_from_probabilities: probabilities must be finite and not negative, got ", p[i]);
        T x = scale * p[i] + rest;
        x = x < clip ? clip : x > 1 ? T(1) : x;
        out[i] = -std::log(x);
    }
}

}  // namespace detail

/// Turns probabilities to energies -log p.
///
/// A form with a last argument `out` writes into the caller's memory, dense and row-major; it may be the probabilities' own.
///
/// @param probabilities  (L, ...) of R dimensions, such as a softmax's output (L, H, W) with R = 3; they need not sum to 1
/// @return               the same shape
/// @throws invalid_argument  on NaN, infinite or negative probabilities, and on options out of range
///
/// Equal to pydensecrf.utils.unary_from_softmax within rounding.
template <std::size_t R = 3, array_expression E>
xt::xtensor<scalar_t<E>, R> unary_from_probabilities(const E& probabilities, const unary_from_probabilities_options& options = {}) {
    using T = scalar_t<E>;
    const auto p = as_dense<T, R>(probabilities, "unary_from_probabilities: probabilities");
    auto out = xt::xtensor<T, R>::from_shape(p.shape());
    detail::unary_from_probabilities(p, options, out.data());
    return out;
}
template <std::size_t R = 3, array_expression E, class Out>
    requires array_expression<std::remove_cvref_t<Out>>
void unary_from_probabilities(const E& probabilities, const unary_from_probabilities_options& options, Out&& out) {
    using T = scalar_t<E>;
    const auto p = as_dense<T, R>(probabilities, "unary_from_probabilities: probabilities");
    detail::unary_from_probabilities(p, options, detail::as_output<T, R>(out, p.shape(), "unary_from_probabilities: out"));
}

}  // namespace ocelli
