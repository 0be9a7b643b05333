#pragma once

/// @file
/// The fully connected CRF of Krähenbühl and Koltun 2011: mean-field inference with Gaussian kernels of any features.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/crf/compatibility.hpp>
#include <ocelli/crf/detail/mean_field.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace ocelli {

namespace detail {

/// A standard deviation for each of N dimensions, from one for all or from a list.
template <std::size_t N>
struct deviations {
    std::array<double, N> values;
    deviations(double all) { values.fill(all); }  // NOLINT: implicit on purpose
    template <class... S>
        requires(sizeof...(S) == N && N > 1 && (std::is_arithmetic_v<S> && ...))
    deviations(S... each) : values{static_cast<double>(each)...} {}
    deviations(const std::array<double, N>& each) : values(each) {}  // NOLINT: implicit on purpose
};

inline void check_deviation(double sigma, const char* who) {
    check(sigma > 0 && is_finite(sigma), who, ": deviations must be positive, got ", sigma);
}

}  // namespace detail

/// A fully connected conditional random field over an image (R = 2), a list of points (R = 1) or a volume (R = 3).
///
/// Give it unary energies and pairwise terms, then infer the marginals of all labels. The shape of everything follows from the constructor's:
/// arrays of a number for each label and point are (L, H, W), label maps (H, W). T is float or double.
///
/// Marginals agree with pydensecrf's to 1e-3 (a few 1e-5 usually), and results do not depend on the number of threads. Building takes
/// O(N D^2) for each term, an iteration O(N L D); beside the energies and one lattice for each term no array of L x N is kept. const
/// functions may be called from several threads at once.
template <class T = float, std::size_t R = 2>
class dense_crf {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "dense_crf: float or double");
    static_assert(R >= 1, "dense_crf: at least one dimension");

public:
    using marginals_type = xt::xtensor<T, R + 1>;
    using map_type = xt::xtensor<std::int64_t, R>;

    /// A field of this shape ({height, width}; {points} with R = 1) without terms, all energies 0. The shape may be empty.
    /// @throws invalid_argument  where there is no label, or more than 2^33 numbers of labels and points
    dense_crf(const std::array<std::size_t, R>& shape, std::size_t labels) : shape_(shape) {
        std::size_t rows = 1;
        for (std::size_t i = 0; i + 1 < R; ++i) {
            detail::check(shape[i] == 0 || rows <= detail::max_crf_elements / shape[i], "dense_crf: too many points, ", detail::shape_text(shape));
            rows *= shape[i];
        }
        detail::set_mean_field_size(field_, rows, shape[R - 1], labels, "dense_crf");
    }

    const std::array<std::size_t, R>& shape() const noexcept { return shape_; }
    std::size_t labels() const noexcept { return field_.labels; }
    /// How many pairwise terms there are.
    std::size_t terms() const noexcept { return field_.terms.size(); }

    /// Copies the energies of labels (L, H, W): -log of a probability, see unary_from_labels and unary_from_probabilities.
    ///
    /// @throws invalid_argument  on another shape, NaN, an energy of -inf (or below -2e38 for float), a point whose labels are all
    ///                           forbidden by +inf
    template <array_expression E>
    void set_unary(const E& energies) {
        const auto e = as_dense<T, R + 1>(energies, "dense_crf: energies");
        detail::check(e.shape() == full_shape(), "dense_crf: energies must have shape ", detail::shape_text(full_shape()), ", got ",
                      detail::shape_text(e.shape()));
        detail::set_mean_field_logits(field_, e.data(), T(-1), "dense_crf: energies");
    }

    /// Adds a term that smooths: features are positions, divided by a deviation in each direction (y, x), or one for all, in pixels.
    ///
    /// pydensecrf's addPairwiseGaussian (whose sxy is in the order x, y). Kernel types (CONST, DIAG, FULL) make no difference to inference
    /// there; a full covariance is a linear map of the features, see add_pairwise.
    /// @throws invalid_argument  on a deviation that is not positive, energies for another number of labels
    void add_gaussian(const detail::deviations<R>& sigma, const label_compatibility& compatibility,
                      kernel_normalization normalization = kernel_normalization::symmetric) {
        add_positions<unsigned char>(sigma, nullptr, 0, {}, compatibility, normalization, "dense_crf: add_gaussian");
    }

    /// Adds a term that smooths within regions of like colour: features are positions and the picture's channels, divided by their deviations.
    ///
    /// pydensecrf's addPairwiseBilateral, with any number of channels and any type of pixel.
    ///
    /// @param sigma         in pixels, as in add_gaussian
    /// @param sigma_colour  one for all channels, or as many as there are channels, in units of the picture
    /// @param picture       (H, W, C), with the field's shape
    /// @throws invalid_argument  on another shape, a deviation that is not positive, NaN in the picture
    template <array_expression E>
    void add_bilateral(const detail::deviations<R>& sigma, const std::vector<double>& sigma_colour, const E& picture,
                       const label_compatibility& compatibility, kernel_normalization normalization = kernel_normalization::symmetric) {
        using V = std::conditional_t<std::is_same_v<value_type_t<E>, unsigned char>, unsigned char, T>;
        const auto p = as_dense<V, R + 1>(picture, "dense_crf: picture");
        bool same = true;
        for (std::size_t i = 0; i < R; ++i) same = same && p.extent(i) == shape_[i];
        detail::check(same, "dense_crf: the picture must have shape ", detail::shape_text(shape_), " and channels, got ", detail::shape_text(p.shape()));
        const std::size_t channels = p.extent(R);
        detail::check(sigma_colour.size() == channels || sigma_colour.size() == 1, "dense_crf: add_bilateral: a picture of ", channels,
                      " channels has ", sigma_colour.size(), " deviations");
        std::vector<double> each = sigma_colour;
        if (channels > 1) each.resize(channels, sigma_colour[0]);
        add_positions(sigma, p.data(), channels, each, compatibility, normalization, "dense_crf: add_bilateral");
    }
    /// The same with one deviation for all channels.
    template <array_expression E>
    void add_bilateral(const detail::deviations<R>& sigma, double sigma_colour, const E& picture, const label_compatibility& compatibility,
                       kernel_normalization normalization = kernel_normalization::symmetric) {
        add_bilateral(sigma, std::vector<double>{sigma_colour}, picture, compatibility, normalization);
    }

    /// Adds a term of features of your own, in units of the kernel's deviation: any number of dimensions from 1 to 255.
    ///
    /// @param features  (H, W, D), with the field's shape (pydensecrf's addPairwiseEnergy takes (D, N))
    /// @throws invalid_argument  on another shape, features that are not finite or too large for the lattice (see permutohedral_lattice)
    template <array_expression E>
    void add_pairwise(const E& features, const label_compatibility& compatibility,
                      kernel_normalization normalization = kernel_normalization::symmetric) {
        const auto f = as_dense<T, R + 1>(features, "dense_crf: features");
        bool same = true;
        for (std::size_t i = 0; i < R; ++i) same = same && f.extent(i) == shape_[i];
        detail::check(same, "dense_crf: features must have shape ", detail::shape_text(shape_), " and dimensions, got ", detail::shape_text(f.shape()));
        const std::size_t d = f.extent(R), width = field_.layout.width;
        add({d,
             [&](const detail::block_layout::block& b, T* to, std::size_t pitch) {
                 b.for_each_run([&](std::size_t i, std::size_t n, std::size_t y, std::size_t x) {
                     const T* from = f.data() + (y * width + x) * d;
                     for (std::size_t p = 0; p < n; ++p)
                         for (std::size_t j = 0; j < d; ++j) to[j * pitch + i + p] = from[p * d + j];
                 });
             }},
            compatibility, normalization, "dense_crf: add_pairwise");
    }

    /// The marginals after n mean-field iterations, (L, H, W); n = 0: the softmax of the negated energies.
    marginals_type infer(std::size_t n) const {
        auto out = marginals_type::from_shape(full_shape());
        detail::run_mean_field(field_, n, detail::mean_field_ends<T>{nullptr, out.data(), false});
        return out;
    }
    /// The same into the caller's memory, dense and row-major.
    template <class Out>
        requires array_expression<std::remove_cvref_t<Out>>
    void infer(std::size_t n, Out&& out) const {
        T* to = detail::as_output<T, R + 1>(out, full_shape(), "dense_crf: out");
        detail::run_mean_field(field_, n, detail::mean_field_ends<T>{nullptr, to, false});
    }

    /// The marginals before the first iteration: infer(0).
    marginals_type start() const { return infer(0); }
    /// Replaces marginals (L, H, W) by those one iteration later. n steps from start() give infer(n), bit for bit.
    template <class Q>
        requires array_expression<std::remove_cvref_t<Q>>
    void step(Q&& marginals) const {
        T* q = detail::as_output<T, R + 1>(marginals, full_shape(), "dense_crf: marginals");
        detail::run_mean_field(field_, 1, detail::mean_field_ends<T>{q, q, false});
    }

    /// The most likely label of each point, (H, W); the first of equal ones, as NumPy's argmax.
    template <array_expression Q>
    map_type map(const Q& marginals) const {
        const auto q = marginals_of(marginals);
        auto out = map_type::from_shape(shape_);
        detail::mean_field_map(q.data(), field_.layout.points(), labels(), out.data());
        return out;
    }

    /// The Kullback-Leibler divergence of these marginals from the field, but for a constant, as pydensecrf counts it (each pair twice).
    ///
    /// Falls over the iterations as far as the kernels are symmetric: a test for convergence.
    template <array_expression Q>
    double kl_divergence(const Q& marginals) const {
        const auto q = marginals_of(marginals);
        return detail::mean_field_divergence(field_, q.data());
    }

private:
    std::array<std::size_t, R + 1> full_shape() const {
        std::array<std::size_t, R + 1> s{field_.labels};
        for (std::size_t i = 0; i < R; ++i) s[i + 1] = shape_[i];
        return s;
    }

    template <class Q>
    dense_view<T, R + 1> marginals_of(const Q& marginals) const {
        auto q = as_dense<T, R + 1>(marginals, "dense_crf: marginals");
        detail::check(q.shape() == full_shape(), "dense_crf: marginals must have shape ", detail::shape_text(full_shape()), ", got ",
                      detail::shape_text(q.shape()));
        return q;
    }

    void add(const detail::feature_source<T>& source, const label_compatibility& compatibility, kernel_normalization normalization, const char* who) {
        detail::check(compatibility.labels() == 0 || compatibility.labels() == labels(), who, ": energies for ", compatibility.labels(),
                      " labels, the field has ", labels());
        detail::add_mean_field_term(field_, source, normalization, {compatibility.weights()}, who);
    }

    /// Positions in the order of pydensecrf: x first.
    template <class V>
    void add_positions(const detail::deviations<R>& sigma, const V* picture, std::size_t channels, const std::vector<double>& sigma_colour,
                       const label_compatibility& compatibility, kernel_normalization normalization, const char* who) {
        for (const double s : sigma.values) detail::check_deviation(s, who);
        for (const double s : sigma_colour) detail::check_deviation(s, who);
        const std::size_t width = field_.layout.width;
        std::vector<T> low, high;
        std::vector<T> bright;  // each channel's quotients of the 256 values of a byte
        if constexpr (std::is_same_v<V, unsigned char>) {
            for (std::size_t j = R; j-- > 0;) {
                low.push_back(0);
                high.push_back(static_cast<T>(shape_[j]) / static_cast<T>(sigma.values[j]));
            }
            for (const double s : sigma_colour) {
                for (int i = 0; i < 256; ++i) bright.push_back(static_cast<T>(i) / static_cast<T>(s));
                low.push_back(0);
                high.push_back(bright.back());
            }
        }
        add({R + channels,
             [&](const detail::block_layout::block& b, T* to, std::size_t pitch) {
                 b.for_each_run([&](std::size_t i, std::size_t n, std::size_t row, std::size_t x0) {
                     const T along = static_cast<T>(sigma.values[R - 1]);
                     for (std::size_t x = 0; x < n; ++x) to[i + x] = static_cast<T>(x0 + x) / along;
                     const V* pixels = picture + (row * width + x0) * channels;
                     for (std::size_t j = R - 1; j-- > 0; row /= shape_[j]) {  // a row stands for R - 1 dimensions
                         const T at = static_cast<T>(row % shape_[j]) / static_cast<T>(sigma.values[j]);
                         std::fill_n(to + (R - 1 - j) * pitch + i, n, at);
                     }
                     for (std::size_t c = 0; c < channels; ++c) {
                         T* line = to + (R + c) * pitch + i;
                         if constexpr (std::is_same_v<V, unsigned char>) {
                             const T* values = bright.data() + 256 * c;
                             for (std::size_t x = 0; x < n; ++x) line[x] = values[pixels[x * channels + c]];
                         } else {
                             const T colour = static_cast<T>(sigma_colour[c]);
                             for (std::size_t x = 0; x < n; ++x) line[x] = static_cast<T>(pixels[x * channels + c]) / colour;
                         }
                     }
                 });
             },
             low, high},
            compatibility, normalization, who);
    }

    std::array<std::size_t, R> shape_;
    detail::mean_field<T> field_;
};

}  // namespace ocelli
