#pragma once

// What crosses the border of the suppression kernels: pointers, sizes, plain structs.

#include <cstddef>
#include <cstdint>

namespace ocelli::detail {

/// One greedy pass over candidates in order of their scores.
template <class T>
struct nms_pass {
    // The problem.
    const T* boxes;              // all boxes, rows of four
    const std::uint32_t* order;  // the candidates' rows, best first
    std::size_t candidates;
    std::size_t max_kept;
    T threshold;  // a candidate goes if its measure is greater
    bool diou;
    bool legacy;

    // Kept boxes that every candidate meets: columns x1 y1 x2 y2 area of `capacity` elements each, a multiple of 16.
    T* kept;
    std::size_t capacity;
    std::size_t kept_here;  // how many of `capacity` are in use

    // The state, advanced by each call.
    std::size_t next;       // the next candidate
    std::size_t kept_count;
    std::uint32_t* kept_positions;  // positions in `order`
};

template <class T>
struct nms_kernels {
    /// Works until all candidates are seen, max_kept are kept, or `kept` is full.
    void (*greedy)(nms_pass<T>& pass);
};

struct nms_tables {
    nms_kernels<float> f32;
    nms_kernels<double> f64;
};

}  // namespace ocelli::detail
