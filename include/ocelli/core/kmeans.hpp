#pragma once

/// @file
/// k-means with the distance as a parameter: anchor priors on 1 - IoU, embeddings on squared distances.

#include <ocelli/core/error.hpp>
#include <ocelli/core/float_bits.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/random.hpp>
#include <ocelli/core/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace ocelli {

/// Options of kmeans.
struct kmeans_options {
    std::uint64_t seed = 0;            ///< the same seed gives the same clusters on every machine, with any number of threads
    std::int64_t max_iterations = 300; ///< per start
    std::int64_t starts = 1;           ///< independent starts, of which the best counts
};

/// What kmeans gives.
template <class T>
struct kmeans_result {
    xt::xtensor<T, 2> centres;           ///< (K, D)
    xt::xtensor<std::int64_t, 1> labels; ///< (N) index of each point's centre
    double cost = 0;                     ///< sum of the distances of the points to their centres
    std::int64_t iterations = 0;         ///< of the best start
};

/// The squared Euclidean distance of two rows.
struct squared_distance {
    template <class T>
    double operator()(const T* a, const T* b, std::size_t dimensions) const noexcept {
        double sum = 0;
        for (std::size_t d = 0; d < dimensions; ++d) {
            const double diff = static_cast<double>(a[d]) - static_cast<double>(b[d]);
            sum += diff * diff;
        }
        return sum;
    }
};

namespace detail {

template <class T, class Distance>
class kmeans_run {
public:
    kmeans_run(const T* points, std::size_t n, std::size_t dimensions, std::size_t k, const Distance& distance)
        : points_(points), n_(n), d_(dimensions), k_(k), distance_(distance), centres_(k * dimensions), labels_(n), costs_(n) {}

    // Centres far from each other: each next one is a point drawn with its distance to the nearest so far as weight
    // (k-means++).
    void seed(random_sequence& random) {
        std::vector<double> nearest(n_, -1.0);
        std::size_t chosen = static_cast<std::size_t>(random.below(n_));
        for (std::size_t c = 0;; ++c) {
            for (std::size_t d = 0; d < d_; ++d) centres_[c * d_ + d] = points_[chosen * d_ + d];
            if (c + 1 == k_) return;
            double total = 0;
            for (std::size_t i = 0; i < n_; ++i) {
                const double to = distance_(points_ + i * d_, centres_.data() + c * d_, d_);
                if (nearest[i] < 0 || to < nearest[i]) nearest[i] = to;
                total += nearest[i];
            }
            double left = random.unit() * total;
            chosen = n_ - 1;
            for (std::size_t i = 0; i < n_; ++i) {
                left -= nearest[i];
                if (left < 0) {
                    chosen = i;
                    break;
                }
            }
        }
    }

    // Gives every point its nearest centre (the first of equals); true where a label changed.
    bool assign() {
        parallel_for(n_, 1024, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                double best = distance_(points_ + i * d_, centres_.data(), d_);
                std::size_t label = 0;
                for (std::size_t c = 1; c < k_; ++c) {
                    const double to = distance_(points_ + i * d_, centres_.data() + c * d_, d_);
                    if (to < best) best = to, label = c;
                }
                costs_[i] = best;
                next_label(i) = label;
            }
        });
        bool changed = false;
        cost_ = 0;
        for (std::size_t i = 0; i < n_; ++i) {
            changed = changed || labels_[i] != next_[i];
            labels_[i] = next_[i];
            cost_ += costs_[i];
        }
        return changed;
    }

    // Moves every centre to the mean of its points; one without points goes to the point that is served worst.
    void move() {
        std::vector<double> sums(k_ * d_);
        std::vector<std::size_t> counts(k_);
        for (std::size_t i = 0; i < n_; ++i) {
            ++counts[labels_[i]];
            for (std::size_t d = 0; d < d_; ++d) sums[labels_[i] * d_ + d] += static_cast<double>(points_[i * d_ + d]);
        }
        for (std::size_t c = 0; c < k_; ++c) {
            if (counts[c] != 0) {
                for (std::size_t d = 0; d < d_; ++d)
                    centres_[c * d_ + d] = static_cast<T>(sums[c * d_ + d] / static_cast<double>(counts[c]));
                continue;
            }
            std::size_t worst = 0;
            for (std::size_t i = 1; i < n_; ++i)
                if (costs_[i] > costs_[worst]) worst = i;
            costs_[worst] = 0;
            for (std::size_t d = 0; d < d_; ++d) centres_[c * d_ + d] = points_[worst * d_ + d];
        }
    }

    double cost() const noexcept { return cost_; }
    const std::vector<T>& centres() const noexcept { return centres_; }
    const std::vector<std::size_t>& labels() const noexcept { return labels_; }

private:
    std::size_t& next_label(std::size_t i) { return next_[i]; }

    const T* points_;
    std::size_t n_, d_, k_;
    const Distance& distance_;
    std::vector<T> centres_;
    std::vector<std::size_t> labels_, next_ = std::vector<std::size_t>(n_);
    std::vector<double> costs_;
    double cost_ = 0;
};

} // namespace detail

/// Groups points into k clusters: Lloyd's iteration from k-means++ starts, with any distance.
///
/// Stops when no point changes its cluster. With a distance other than the squared Euclidean one a step may raise the cost; the
/// cheapest state seen is returned. A cluster that loses all its points starts again at the point farthest from its centre.
///
/// @param points    (N, D), finite
/// @param k         number of clusters, in [1, N]
/// @param distance  distance(const T* a, const T* b, std::size_t dimensions), not negative; called from several threads
/// @return          centres, labels, cost; the same bits for any number of threads
/// @throws invalid_argument  on another rank, k outside [1, N], NaN or infinity, max_iterations or starts below 1
///
/// O(N K D) per iteration; float and double. Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding".
template <array_expression P, class Distance = squared_distance>
kmeans_result<scalar_t<P>> kmeans(const P& points, std::int64_t k, const Distance& distance = {},
                                  const kmeans_options& options = {}) {
    using T = scalar_t<P>;
    const auto p = as_dense<T, 2>(points, "kmeans: points");
    const std::size_t n = p.extent(0), dimensions = p.extent(1);
    detail::check(k >= 1 && static_cast<std::size_t>(k) <= n, "kmeans: k must be in [1, ", n, "] (the number of points), got ",
                  k);
    detail::check(options.max_iterations >= 1 && options.starts >= 1,
                  "kmeans: max_iterations and starts must be at least 1, got ", options.max_iterations, " and ",
                  options.starts);
    for (std::size_t i = 0; i < p.size(); ++i)
        detail::check(detail::is_finite(p[i]), "kmeans: points must be finite, row ", i / dimensions, " is not");
    const auto clusters = static_cast<std::size_t>(k);
    kmeans_result<T> best{detail::new_tensor<T>(clusters, dimensions), detail::new_tensor<std::int64_t>(n)};
    bool any_state = false;
    detail::random_sequence random(options.seed);
    for (std::int64_t start = 0; start < options.starts; ++start) {
        detail::kmeans_run<T, Distance> run(p.data(), n, dimensions, clusters, distance);
        run.seed(random);
        for (std::int64_t iteration = 1; iteration <= options.max_iterations; ++iteration) {
            const bool changed = run.assign();
            if (!any_state || run.cost() < best.cost) {
                any_state = true;
                best.cost = run.cost();
                best.iterations = iteration;
                for (std::size_t i = 0; i < run.centres().size(); ++i) best.centres.data()[i] = run.centres()[i];
                for (std::size_t i = 0; i < n; ++i) best.labels.data()[i] = static_cast<std::int64_t>(run.labels()[i]);
            }
            if (!changed && iteration > 1) break;
            run.move();
        }
    }
    return best;
}

} // namespace ocelli
