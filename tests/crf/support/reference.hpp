#pragma once

// The permutohedral lattice and mean field as one would write them first: one point after the other, vertices in a map, double precision.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <vector>

namespace ocelli_test {

using points = std::vector<std::vector<double>>;  // a row for each point

/// Adams, Baek and Davis 2010: splat, blur, slice.
class reference_lattice {
public:
    explicit reference_lattice(const points& features) {
        const std::size_t d = features.empty() ? 1 : features[0].size();
        dimensions_ = d;
        for (const auto& f : features) {
            // Onto the plane where coordinates sum to zero.
            std::vector<double> e(d + 1, 0);
            for (std::size_t j = 0; j < d; ++j) {
                const double k = static_cast<double>(j + 1);
                const double x = f[j] * std::sqrt(2.0 / 3.0) * static_cast<double>(d + 1) / std::sqrt(k * (k + 1));
                for (std::size_t i = 0; i <= j; ++i) e[i] += x;
                e[j + 1] -= k * x;
            }
            // The nearest point whose coordinates are multiples of d + 1 and sum to zero.
            const double side = static_cast<double>(d + 1);
            std::vector<double> near(d + 1);
            for (std::size_t i = 0; i <= d; ++i) near[i] = std::round(e[i] / side) * side;
            std::vector<std::size_t> order(d + 1);
            std::iota(order.begin(), order.end(), std::size_t{0});
            std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return e[a] - near[a] > e[b] - near[b]; });
            auto excess = static_cast<int>(std::lround(std::accumulate(near.begin(), near.end(), 0.0) / side));
            for (; excess > 0; --excess) {  // the smallest rests go down first
                near[order.back()] -= side;
                std::rotate(order.begin(), order.end() - 1, order.end());
            }
            for (; excess < 0; ++excess) {
                near[order.front()] += side;
                std::rotate(order.begin(), order.begin() + 1, order.end());
            }
            // From the vertex of colour 0 around the simplex: vertex k is one further in all coordinates, and d + 1 back in the last k of the order.
            corner_of_point c;
            for (std::size_t k = 0; k <= d; ++k) {
                std::vector<int> key(d + 1);
                for (std::size_t i = 0; i <= d; ++i) key[i] = static_cast<int>(near[i]) + static_cast<int>(k);
                for (std::size_t i = d + 1 - k; i <= d; ++i) key[order[i]] -= static_cast<int>(d + 1);
                const auto rest = [&](std::size_t rank) { return (e[order[rank]] - near[order[rank]]) / side; };
                const double weight = k == 0 ? 1 + rest(d) - rest(0) : rest(d - k) - rest(d + 1 - k);
                c.vertex.push_back(vertices_.try_emplace(key, vertices_.size()).first->second);
                c.weight.push_back(weight);
            }
            points_.push_back(c);
        }
    }

    std::size_t vertices() const { return vertices_.size(); }

    std::vector<double> filter(const std::vector<double>& values, bool reverse = false) const {
        std::vector<double> v(vertices_.size(), 0);
        for (std::size_t p = 0; p < points_.size(); ++p)
            for (std::size_t k = 0; k <= dimensions_; ++k) v[points_[p].vertex[k]] += points_[p].weight[k] * values[p];
        for (std::size_t a = 0; a <= dimensions_; ++a) {
            const std::size_t axis = reverse ? dimensions_ - a : a;
            std::vector<double> next(v);
            for (const auto& [key, i] : vertices_)
                for (const int way : {-1, 1}) {
                    std::vector<int> other(key);
                    for (int& x : other) x += way;
                    other[axis] -= way * static_cast<int>(dimensions_ + 1);
                    if (const auto at = vertices_.find(other); at != vertices_.end()) next[i] += 0.5 * v[at->second];
                }
            v = next;
        }
        std::vector<double> out(values.size(), 0);
        for (std::size_t p = 0; p < points_.size(); ++p)
            for (std::size_t k = 0; k <= dimensions_; ++k) out[p] += points_[p].weight[k] * v[points_[p].vertex[k]];
        for (double& x : out) x /= 1 + std::pow(2.0, -static_cast<double>(dimensions_));
        return out;
    }

private:
    struct corner_of_point {
        std::vector<std::size_t> vertex;
        std::vector<double> weight;
    };
    std::size_t dimensions_ = 0;
    std::map<std::vector<int>, std::size_t> vertices_;
    std::vector<corner_of_point> points_;
};

/// Numbers in [0, 1), the same everywhere.
class draws {
public:
    explicit draws(std::uint32_t seed) : state_(seed * 2654435761u + 1) {}
    double operator()() {
        state_ = state_ * 1664525u + 1013904223u;
        return static_cast<double>(state_ >> 8) / 16777216.0;
    }

private:
    std::uint32_t state_;
};

}  // namespace ocelli_test
