#pragma once

/// @file
/// What two labels cost beside each other.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace ocelli {

/// The energy of a pairwise term: which labels like to stand beside each other.
///
/// A number w is Potts' model: equal labels gain w. `per_label` and `matrix` hold energies as pydensecrf does: what is *added* where
/// labels meet, so that Potts' w is the same as a per-label vector of -w, or a matrix with -w on its diagonal.
class label_compatibility {
public:
    /// Potts' model with weight w, from a number: add_gaussian(3, 3).
    label_compatibility(double w) : weights_{w}, labels_(0) {  // NOLINT: implicit on purpose
        check();
    }

    /// An energy for each label beside itself, (L). Negative energies attract.
    /// @throws invalid_argument  on NaN and infinity
    template <array_expression E>
    static label_compatibility per_label(const E& energies) {
        const auto e = as_dense<double, 1>(energies, "label_compatibility: energies");
        label_compatibility c(std::vector<double>(e.begin(), e.end()), e.extent(0));
        for (double& w : c.weights_) w = -w;
        return c;
    }

    /// An energy for each pair of labels, (L, L); the mean of it and its transpose is used.
    /// @throws invalid_argument  on another shape, NaN and infinity
    template <array_expression E>
    static label_compatibility matrix(const E& energies) {
        const auto e = as_dense<double, 2>(energies, "label_compatibility: energies");
        const std::size_t n = e.extent(0);
        detail::check(e.extent(1) == n, "label_compatibility: energies must have shape (L, L), got ", detail::shape_text(e.shape()));
        label_compatibility c(std::vector<double>(n * n), n);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) c.weights_[i * n + j] = -0.5 * (e[i * n + j] + e[j * n + i]);
        c.check();
        return c;
    }

    /// How many labels it is made for; 0: any number.
    std::size_t labels() const noexcept { return labels_; }
    /// What is gained where labels meet: one number, L, or L x L.
    const std::vector<double>& weights() const noexcept { return weights_; }

private:
    label_compatibility(std::vector<double> weights, std::size_t labels) : weights_(std::move(weights)), labels_(labels) {
        detail::check(labels >= 1, "label_compatibility: there must be at least one label");
        check();
    }
    void check() const {
        for (const double w : weights_) detail::check(detail::is_finite(w), "label_compatibility: energies must be finite, got ", w);
    }

    std::vector<double> weights_;
    std::size_t labels_;
};

}  // namespace ocelli
