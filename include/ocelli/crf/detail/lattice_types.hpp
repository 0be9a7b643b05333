#pragma once

// What crosses the border of the lattice's kernels: pointers, sizes, plain structs.

#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

/// Most features of a point.
inline constexpr std::size_t max_lattice_dimensions = 255;

/// Most points of a call of lattice_kernels::update.
inline constexpr std::size_t lattice_run = 64;

/// A block's points in the lattice: `features` dimensions rows of `pitch` in; out the simplex of each point.
///
/// Rows of the outputs are `pitch` apart too. pitch is a multiple of the lanes, and what lies behind the last point may hold anything finite.
template <class T>
struct lattice_embedding {
    const T* features;
    std::size_t dimensions, points, pitch;
    const T* scale;  ///< of each dimension
    T* corner;       ///< dimensions rows: coordinates of the vertex of colour 0
    T* order;        ///< dimensions + 1 rows: the coordinate of rank 0 (the largest rest), of rank 1, ...
    T* weight;       ///< dimensions + 1 rows: barycentric weight of the vertex of colour 0, 1, ...
};

/// A block's points and their vertices of one lattice. Vertices are numbered within the block; a value has `width` elements.
template <class T>
struct lattice_links {
    const std::uint16_t* narrow;  ///< points x corners numbers, or null:
    const std::uint32_t* wide;
    const T* weight;              ///< points x corners
    std::size_t corners;
    const T* factor;  ///< of each point, or null
};

/// A term of a mean-field step: where its messages come from and where marginals go to.
template <class T>
struct lattice_exchange {
    lattice_links<T> links;  ///< narrow, without factors
    const T* values;
    T* sums;
};

template <class T>
struct lattice_kernels {
    std::size_t lanes;  ///< widths other than 1 are multiples of it
    void (*embed)(const lattice_embedding<T>& e);
    /// to[p] = base[p] + factor[p] sum_k weight[p, k] values[link[p, k]]
    void (*slice)(const lattice_links<T>& links, std::size_t points, const T* base, const T* values, std::size_t width, T* to);
    /// values[link[p, k]] += factor[p] weight[p, k] from[p]
    void (*splat)(const lattice_links<T>& links, std::size_t points, const T* from, std::size_t width, T* values);
    /// values[slot[begin[v]]] += the values of slots slot[s], s in (begin[v], begin[v + 1]), in their order.
    void (*merge)(const std::uint32_t* begin, const std::uint32_t* slot, std::size_t vertices, std::size_t width, T* values);
    /// values[row[i]] *= scale, which has `width` elements.
    void (*scale)(const std::uint32_t* row, std::size_t rows, std::size_t width, const T* scale, T* values);
    /// row = matrix row for rows row[i] of the values: out[i] = sum_j matrix[j * width + i] in[j]; `room` holds `width` elements.
    void (*mix)(const std::uint32_t* row, std::size_t rows, std::size_t width, const T* matrix, T* room, T* values);
    /// values[to[i]] = values[from[i]]
    void (*copy)(const std::uint32_t* from, const std::uint32_t* to, std::size_t rows, std::size_t width, T* values);
    /// values[v] += (before + after) / 2 along chains of vertices, in place; the highest bit marks the first of a chain.
    void (*blur)(const std::uint32_t* chain, std::size_t length, std::size_t width, T* values);
    /// slice of each term (if `read`), softmax, splat to each term: the same bits as one after the other, in registers. Up to
    /// lattice_run points and four vectors of width. With `rows`: reads, and writes the marginals there instead.
    void (*update)(const lattice_exchange<T>* terms, std::size_t count, std::size_t points, const T* base, std::size_t width, bool read, T* rows);
    /// Rows of logarithms to base 2 to rows of probabilities, in place; lanes without a label hold -inf and become 0.
    void (*softmax)(T* rows, std::size_t points, std::size_t width);
    /// rows[p, c] = sign * planes[c * stride + p] for c < channels, `rest` for the other lanes. True where one is NaN or infinite.
    bool (*to_rows)(const T* planes, std::size_t stride, std::size_t points, std::size_t channels, std::size_t width, T sign, T rest, T* rows);
    /// planes[c * stride + p] = rows[p, c] for c < channels.
    void (*to_planes)(const T* rows, std::size_t points, std::size_t channels, std::size_t width, T* planes, std::size_t stride);
};

struct lattice_tables {
    lattice_kernels<float> f32;
    lattice_kernels<double> f64;
};

}  // namespace ocelli::detail
