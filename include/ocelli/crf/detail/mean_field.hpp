#pragma once

// Mean-field inference over points with a unary and any number of filtered pairwise terms: the engine of dense_crf and crf_as_rnn.
//
// A label's message is linear in the filtered values, and so is the filter: compatibilities are applied to the vertices, which are few, and one
// pass over the points reads the messages from the lattices, takes the softmax and spreads the new marginals again, without storing them.

#include <ocelli/core/error.hpp>
#include <ocelli/crf/detail/lattice.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ocelli {

/// How a pairwise term's kernel is normalised, n being the filtered ones (Krähenbühl and Koltun 2013, their code's NormalizationType).
enum class kernel_normalization {
    none,      ///< K
    before,    ///< K / n: each point sends the same amount
    after,     ///< n \ K: each point receives a weighted mean
    symmetric  ///< n^-1/2 K n^-1/2
};

namespace detail {

/// What a term adds to the logits of label l: sum_m weight[l, m] filtered[m]. One weight: the same diagonal for all; L: a diagonal; L x L: all.
struct message_weights {
    std::vector<double> values;
};

template <class T>
struct mean_field_term {
    lattice<T> points;
    std::unique_ptr<T[]> before, after;  ///< factors of the points, or null
    std::vector<T> scale, matrix;        ///< one of the two: of the vertices' values
};

template <class T>
struct mean_field {
    block_layout layout;
    std::size_t labels = 0, width = 0;
    large_array<T> logits;  ///< internal points x width, to base 2, or null: zeros
    std::vector<mean_field_term<T>> terms;
};

/// More numbers than this in one array of marginals are refused before anything is allocated.
inline constexpr std::size_t max_crf_elements = std::size_t{1} << 33;

/// Where numbers of labels x points come from or go to: plane l at data + l * points, points as the image has them.
template <class T>
struct mean_field_ends {
    const T* marginals = nullptr;  ///< to start from; null: from the unaries
    T* out = nullptr;
    bool logits_out = false;  ///< write what the last softmax would read
};

#define OCELLI_MEAN_FIELD_(T)                                                                                                              \
    /** Sizes of a field. @throws invalid_argument  naming `who` where labels or points are too many */                                    \
    void set_mean_field_size(mean_field<T>& field, std::size_t height, std::size_t width, std::size_t labels, const char* who);            \
    /** Copies sign * planes as logits. @throws invalid_argument  on NaN, an energy of -inf, a point without a possible label */           \
    void set_mean_field_logits(mean_field<T>& field, const T* planes, T sign, const char* who);                                            \
    void add_mean_field_term(mean_field<T>& field, const feature_source<T>& source, kernel_normalization normalization,                    \
                             const message_weights& weights, const char* who);                                                             \
    /** Runs `steps` updates. */                                                                                                           \
    void run_mean_field(const mean_field<T>& field, std::size_t steps, const mean_field_ends<T>& ends);                                    \
    /** Sum of q log q + q energy + q (energies of the messages of q), as pydensecrf's klDivergence. */                                    \
    double mean_field_divergence(const mean_field<T>& field, const T* marginals);                                                          \
    /** The label of the largest marginal, the first of equal ones. */                                                                     \
    void mean_field_map(const T* marginals, std::size_t points, std::size_t labels, std::int64_t* out);
OCELLI_MEAN_FIELD_(float)
OCELLI_MEAN_FIELD_(double)
#undef OCELLI_MEAN_FIELD_

}  // namespace detail
}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/crf/impl/mean_field.inl>
#endif
