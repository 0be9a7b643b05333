#pragma once

#include <ocelli/masks/hausdorff.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace ocelli::detail {

/// The largest squared distance from a point of `a` to the set `b`, at least `largest`.
inline double directed_hausdorff(const double* a, std::size_t n, const double* b, std::size_t m, std::size_t dimension, double largest) {
    // Most points lie near what the point before was near to, and need not be looked at further once they are close enough.
    std::size_t near = 0;
    for (std::size_t i = 0; i < n; ++i) {
        double least = std::numeric_limits<double>::max();
        for (std::size_t k = 0; k < m; ++k) {
            const std::size_t j = near + k < m ? near + k : near + k - m;
            double d = 0;
            for (std::size_t c = 0; c < dimension; ++c) {
                const double difference = a[i * dimension + c] - b[j * dimension + c];
                d += difference * difference;
            }
            if (d < least) {
                least = d;
                if (least <= largest) {
                    near = j;
                    break;
                }
            }
        }
        largest = std::max(largest, least);
    }
    return largest;
}

OCELLI_INLINE double hausdorff_distance(const double* a, std::size_t n, const double* b, std::size_t m, std::size_t dimension) {
    if (n == 0 && m == 0) return 0;
    if (n == 0 || m == 0) return std::numeric_limits<double>::infinity();
    return std::sqrt(directed_hausdorff(b, m, a, n, dimension, directed_hausdorff(a, n, b, m, dimension, 0)));
}

/// The pixels that are compared, 1 in `out`; gives their number.
inline std::size_t hausdorff_set(const std::uint8_t* mask, std::size_t h, std::size_t w, hausdorff_pixels of, std::uint8_t* out) {
    std::size_t count = 0;
    for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) {
            const std::uint8_t* p = mask + y * w + x;
            bool in = *p != 0;
            if (in && of == hausdorff_pixels::edges)
                in = y == 0 || x == 0 || y + 1 == h || x + 1 == w || p[-1] == 0 || p[1] == 0 || *(p - w) == 0 || p[w] == 0;
            out[y * w + x] = in ? 1 : 0;
            count += in ? 1 : 0;
        }
    return count;
}

OCELLI_INLINE double mask_hausdorff(const std::uint8_t* a, const std::uint8_t* b, std::size_t h, std::size_t w,
                                    const hausdorff_options& options) {
    const std::size_t n = h * w;
    std::vector<std::uint8_t> sets(2 * n), others(n);
    const std::size_t count[2] = {hausdorff_set(a, h, w, options.of, sets.data()), hausdorff_set(b, h, w, options.of, sets.data() + n)};
    if (count[0] == 0 && count[1] == 0) return 0;
    if (count[0] == 0 || count[1] == 0) return std::numeric_limits<double>::infinity();
    std::vector<std::int64_t> squares(n), found;
    double out = 0;
    for (std::size_t k = 0; k < 2; ++k) {
        const std::uint8_t *mine = sets.data() + k * n, *other = sets.data() + (1 - k) * n;
        for (std::size_t p = 0; p < n; ++p) others[p] = other[p] != 0 ? 0 : 1;
        squared_distances(others.data(), h, w, squares.data());
        found.clear();
        for (std::size_t p = 0; p < n; ++p)
            if (mine[p] != 0) found.push_back(squares[p]);
        const double at = options.percentile / 100 * static_cast<double>(found.size() - 1);
        const auto low = static_cast<std::size_t>(at);
        const auto nth = found.begin() + static_cast<std::ptrdiff_t>(low);
        std::nth_element(found.begin(), nth, found.end());
        double value = std::sqrt(static_cast<double>(*nth));
        if (low + 1 < found.size()) {
            const double next = std::sqrt(static_cast<double>(*std::min_element(nth + 1, found.end())));
            value += (at - static_cast<double>(low)) * (next - value);
        }
        out = std::max(out, value);
    }
    return out;
}

}  // namespace ocelli::detail
