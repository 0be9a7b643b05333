#pragma once

/// @file
/// Distribution focal decoding (Generalized Focal Loss; NanoDet, YOLOv8): a distance is the mean of a distribution over bins.

#include <ocelli/boxes/detail/rows.hpp>
#include <ocelli/core/error.hpp>
#include <ocelli/core/tensor.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace ocelli {

namespace detail {

// Mean bin of softmax(logits), elements `step` apart.
template <class T>
T dfl_mean(const T* logits, std::size_t bins, std::size_t step) noexcept {
    T largest = logits[0];
    for (std::size_t r = 1; r < bins; ++r) largest = logits[r * step] > largest ? logits[r * step] : largest;
    T sum = 0, weighted = 0;
    for (std::size_t r = 0; r < bins; ++r) {
        const T e = std::exp(logits[r * step] - largest);
        sum += e;
        weighted += static_cast<T>(r) * e;
    }
    return weighted / sum;
}

} // namespace detail

/// Options of dfl_decode.
struct dfl_options {
    bool channels_first = false; ///< logits are (4 R, N), a network's output as it is, instead of (N, 4 R)
};

/// Decodes distributions to distances, into the caller's memory. @param out (N, 4)
template <array_expression L, class Out>
void dfl_decode(const L& logits, const dfl_options& options, Out&& out) {
    using T = scalar_t<L>;
    const auto x = as_dense<T, 2>(logits, "dfl_decode: logits");
    const std::size_t n = x.extent(options.channels_first ? 1 : 0), channels = x.extent(options.channels_first ? 0 : 1);
    detail::check(channels != 0 && channels % 4 == 0, "dfl_decode: logits must have shape ",
                  options.channels_first ? "(4 R, N)" : "(N, 4 R)", ", got ", detail::shape_text(x.shape()));
    const std::size_t bins = channels / 4, step = options.channels_first ? n : 1;
    T* o = detail::as_output<T, 2>(out, {n, 4}, "dfl_decode: out");
    constexpr std::size_t grain = 256;
    parallel_for(n, grain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            for (std::size_t side = 0; side < 4; ++side) {
                const T* first = options.channels_first ? x.data() + side * bins * n + i : x.data() + (i * 4 + side) * bins;
                o[4 * i + side] = detail::dfl_mean(first, bins, step);
            }
    });
}

/// Decodes four distributions per row to four distances: each the mean of softmax(logits) over the bins 0, 1, ..., R - 1.
///
/// Li et al., "Generalized Focal Loss", equation 5. The distances are in cells: ltrb_decode with the stride makes boxes of
/// them.
///
/// @param logits  (N, 4 R): R bins for left, then top, right, bottom; or (4 R, N), see dfl_options. A NaN gives NaN for its
///                side; -infinity takes a bin out; +infinity, or nothing but -infinity, gives NaN
/// @return        (N, 4) in [0, R - 1]
/// @throws invalid_argument  when the number of channels is not a positive multiple of 4
///
/// float and double. Agrees with ultralytics' DFL module (R = 16, channels_first).
template <array_expression L>
xt::xtensor<scalar_t<L>, 2> dfl_decode(const L& logits, const dfl_options& options = {}) {
    const auto x = as_dense<scalar_t<L>, 2>(logits, "dfl_decode: logits");
    auto out = detail::new_tensor<scalar_t<L>>(x.extent(options.channels_first ? 1 : 0), 4);
    dfl_decode(view(x.data(), x.shape()), options, out);
    return out;
}

/// Encodes distances as the distributions that distribution focal loss trains for: the two bins beside a distance share the
/// weight.
///
/// @param distances  (N, 4) in cells, in [0, bins - 1]
/// @param bins       R, at least 2
/// @return           (N, 4 R) probabilities; their mean is the distance
/// @throws invalid_argument  on another shape, or a distance that is NaN or outside [0, bins - 1]
template <array_expression D>
xt::xtensor<scalar_t<D>, 2> dfl_encode(const D& distances, std::int64_t bins) {
    using T = scalar_t<D>;
    const auto d = as_dense<T, 2>(distances, "dfl_encode: distances");
    detail::check_shape(d, {detail::any, 4}, "dfl_encode: distances");
    detail::check(bins >= 2, "dfl_encode: bins must be at least 2, got ", bins);
    const auto r = static_cast<std::size_t>(bins);
    for (std::size_t i = 0; i < d.size(); ++i)
        detail::check(detail::is_finite(d[i]) && d[i] >= T(0) && d[i] <= static_cast<T>(r - 1),
                      "dfl_encode: distances must be in [0, ", r - 1, "], row ", i / 4, " has ", d[i]);
    auto out = detail::new_tensor<T>(d.extent(0), 4 * r);
    T* o = out.data();
    for (std::size_t i = 0; i < out.size(); ++i) o[i] = 0;
    for (std::size_t i = 0; i < d.size(); ++i) {
        auto low = static_cast<std::size_t>(d[i]);
        if (low == r - 1) low = r - 2;
        const T part = d[i] - static_cast<T>(low);
        o[i * r + low] = 1 - part;
        o[i * r + low + 1] = part;
    }
    return out;
}

} // namespace ocelli
