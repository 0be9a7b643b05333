#pragma once

/// @file
/// Mean field as a layer after a segmentation network (Zheng et al. 2015): the CRF's weights are learned with the network.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/tensor.hpp>
#include <ocelli/crf/detail/mean_field.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ocelli {

/// The layer's kernels and how often it iterates; the defaults are those of the authors' PyTorch code (crfasrnn_pytorch).
struct crf_as_rnn_options {
    double alpha = 160;  ///< deviation of positions in the bilateral kernel, in pixels
    double beta = 3;     ///< deviation of colours in the bilateral kernel, in units of the image
    double gamma = 3;    ///< deviation of positions in the spatial kernel, in pixels
    double spatial_weight = 3;    ///< what training starts from: this for each label,
    double bilateral_weight = 5;  ///< and this
    std::size_t iterations = 5;   ///< the network that comes with the code has 10
};

/// Refines a network's logits by mean field with learned weights of the labels.
///
/// An iteration is: softmax; a spatial and a bilateral filter, each divided by the filtered ones; their weights (L x L, usually diagonal); the sum
/// through the compatibility matrix (L x L), *added* to the network's logits. Unlike dense_crf the matrices are not made symmetric, and
/// weights attract where they are positive. T is float or double.
///
/// Agrees with crfasrnn_pytorch (its CrfRnn module in evaluation) to 1e-3 of the largest logit; that takes a batch of one only.
template <class T = float>
class crf_as_rnn {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "crf_as_rnn: float or double");

public:
    /// A layer with the options' weights on the diagonals and the identity as compatibility.
    /// @throws invalid_argument  on no label or more than 4096, and on deviations that are not positive
    explicit crf_as_rnn(std::size_t labels, const crf_as_rnn_options& options = {}) : labels_(labels), options_(options) {
        detail::check(labels >= 1 && labels <= 4096, "crf_as_rnn: the labels must be from 1 to 4096, got ", labels);
        for (const double s : {options.alpha, options.beta, options.gamma})
            detail::check(s > 0 && detail::is_finite(s), "crf_as_rnn: deviations must be positive, got ", s);
        spatial_ = diagonal(options.spatial_weight);
        bilateral_ = diagonal(options.bilateral_weight);
        compatibility_ = diagonal(1);
    }

    std::size_t labels() const noexcept { return labels_; }

    /// Sets the learned matrices, each (L, L), rows by the label that receives: `spatial_ker_weights`, `bilateral_ker_weights` and
    /// `compatibility_matrix` of a state dictionary.
    /// @throws invalid_argument  on another shape, NaN and infinity
    template <array_expression S, array_expression B, array_expression C>
    void set_weights(const S& spatial, const B& bilateral, const C& compatibility) {
        auto s = matrix(spatial, "crf_as_rnn: spatial weights"), b = matrix(bilateral, "crf_as_rnn: bilateral weights"),
             c = matrix(compatibility, "crf_as_rnn: compatibility");
        spatial_.swap(s);
        bilateral_.swap(b);
        compatibility_.swap(c);
    }
    /// Sets one weight for each label, (L) each: the diagonals of the spatial and the bilateral matrix.
    template <array_expression S, array_expression B>
    void set_class_weights(const S& spatial, const B& bilateral) {
        auto s = diagonal_of(spatial, "crf_as_rnn: spatial weights"), b = diagonal_of(bilateral, "crf_as_rnn: bilateral weights");
        spatial_.swap(s);
        bilateral_.swap(b);
    }

    /// The refined logits; their softmax are the marginals.
    ///
    /// @param images  (N, C, H, W), any number of channels, as the network got them; scale beta with them
    /// @param logits  (N, L, H, W), finite or -inf
    /// @return        (N, L, H, W)
    /// @throws invalid_argument  on shapes that do not fit, NaN or infinite images, NaN or +inf logits, a pixel whose logits are all -inf
    template <array_expression I, array_expression Z>
    xt::xtensor<T, 4> operator()(const I& images, const Z& logits) const {
        const auto i = as_dense<T, 4>(images, "crf_as_rnn: images");
        const auto z = as_dense<T, 4>(logits, "crf_as_rnn: logits");
        auto out = xt::xtensor<T, 4>::from_shape(z.shape());
        run(i, z, out.data());
        return out;
    }
    /// The same into the caller's memory, dense and row-major; it may be the logits' own.
    template <array_expression I, array_expression Z, class Out>
        requires array_expression<std::remove_cvref_t<Out>>
    void operator()(const I& images, const Z& logits, Out&& out) const {
        const auto i = as_dense<T, 4>(images, "crf_as_rnn: images");
        const auto z = as_dense<T, 4>(logits, "crf_as_rnn: logits");
        run(i, z, detail::as_output<T, 4>(out, z.shape(), "crf_as_rnn: out"));
    }

private:
    using weights = std::vector<double>;

    weights diagonal(double w) const {
        detail::check(detail::is_finite(w), "crf_as_rnn: weights must be finite, got ", w);
        weights m(labels_ * labels_, 0);
        for (std::size_t l = 0; l < labels_; ++l) m[l * labels_ + l] = w;
        return m;
    }
    template <class E>
    weights matrix(const E& given, std::string_view what) const {
        const auto m = as_dense<double, 2>(given, what);
        detail::check(m.extent(0) == labels_ && m.extent(1) == labels_, what, " must have shape (", labels_, ", ", labels_, "), got ",
                      detail::shape_text(m.shape()));
        for (const double w : m) detail::check(detail::is_finite(w), what, " must be finite, got ", w);
        return {m.begin(), m.end()};
    }
    template <class E>
    weights diagonal_of(const E& given, std::string_view what) const {
        const auto d = as_dense<double, 1>(given, what);
        detail::check(d.extent(0) == labels_, what, " must have shape (", labels_, "), got ", detail::shape_text(d.shape()));
        weights m = diagonal(0);
        for (std::size_t l = 0; l < labels_; ++l) {
            detail::check(detail::is_finite(d[l]), what, " must be finite, got ", d[l]);
            m[l * labels_ + l] = d[l];
        }
        return m;
    }
    /// Both linear maps at once; a diagonal where they are.
    weights message(const weights& kernel) const {
        const std::size_t n = labels_;
        bool plain = true;
        for (std::size_t i = 0; i < n * n && plain; ++i) plain = i % (n + 1) == 0 || (kernel[i] == 0 && compatibility_[i] == 0);
        weights m;
        if (plain) {
            for (std::size_t l = 0; l < n; ++l) m.push_back(compatibility_[l * n + l] * kernel[l * n + l]);
            return m;
        }
        m.assign(n * n, 0);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t k = 0; k < n; ++k)
                for (std::size_t j = 0; j < n; ++j) m[i * n + j] += compatibility_[i * n + k] * kernel[k * n + j];
        return m;
    }

    void run(const dense_view<T, 4>& images, const dense_view<T, 4>& logits, T* out) const {
        const std::size_t n = logits.extent(0), height = logits.extent(2), width = logits.extent(3), channels = images.extent(1);
        detail::check(logits.extent(1) == labels_, "crf_as_rnn: logits must have ", labels_, " labels, got ", detail::shape_text(logits.shape()));
        detail::check(images.extent(0) == n && images.extent(2) == height && images.extent(3) == width,
                      "crf_as_rnn: images and logits must have the same N, H and W, got ", detail::shape_text(images.shape()), " and ",
                      detail::shape_text(logits.shape()));
        const std::size_t plane = height * width;
        if (n * plane == 0) return;
        const weights spatial = message(spatial_), bilateral = message(bilateral_);
        for (std::size_t i = 0; i < n; ++i) {
            detail::mean_field<T> field;
            detail::set_mean_field_size(field, height, width, labels_, "crf_as_rnn");
            const T* z = logits.data() + i * labels_ * plane;
            detail::set_mean_field_logits(field, z, T(1), "crf_as_rnn: logits");
            detail::add_mean_field_term(field, positions(options_.gamma, nullptr, 0, plane, width), kernel_normalization::after, {spatial}, "crf_as_rnn");
            detail::add_mean_field_term(field, positions(options_.alpha, images.data() + i * channels * plane, channels, plane, width),
                                        kernel_normalization::after, {bilateral}, "crf_as_rnn: images");
            detail::run_mean_field(field, options_.iterations, detail::mean_field_ends<T>{nullptr, out + i * labels_ * plane, true});
        }
    }

    detail::feature_source<T> positions(double deviation, const T* image, std::size_t channels, std::size_t plane, std::size_t width) const {
        return {2 + channels, [=, beta = static_cast<T>(options_.beta)](const detail::block_layout::block& b, T* to, std::size_t pitch) {
                    const T sigma = static_cast<T>(deviation);
                    b.for_each_run([&](std::size_t i, std::size_t n, std::size_t y, std::size_t x0) {
                        for (std::size_t x = 0; x < n; ++x) to[i + x] = static_cast<T>(x0 + x) / sigma;
                        std::fill_n(to + pitch + i, n, static_cast<T>(y) / sigma);
                        for (std::size_t c = 0; c < channels; ++c) {
                            const T* from = image + c * plane + y * width + x0;
                            for (std::size_t x = 0; x < n; ++x) to[(2 + c) * pitch + i + x] = from[x] / beta;
                        }
                    });
                }};
    }

    std::size_t labels_;
    crf_as_rnn_options options_;
    weights spatial_, bilateral_, compatibility_;
};

}  // namespace ocelli
