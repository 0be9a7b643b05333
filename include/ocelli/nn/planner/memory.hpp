#pragma once

/// @file
/// Places buffers with known lifetimes in one block of memory.

#include <cstddef>
#include <span>
#include <vector>

namespace ocelli::nn {

/// A buffer that is written at step `first` and read last at step `last`.
struct buffer_request {
    std::size_t bytes = 0;
    std::size_t first = 0;
    std::size_t last = 0;
};

struct memory_layout {
    /// Where each request lies, a multiple of 64.
    std::vector<std::size_t> offsets;
    /// Size of the block.
    std::size_t bytes = 0;
};

/// A buffer that is made of others, which may lie in it from the beginning: nothing is copied then.
struct buffer_join {
    std::size_t whole = 0;            ///< a request, as the parts
    std::vector<std::size_t> parts;   ///< some of them
    std::vector<std::size_t> offsets; ///< where each lies in the whole, in bytes
};

/// Greedy by size: the largest buffer first, each at the lowest offset where no buffer that is alive at the same time lies.
/// O(n^2) in the number of requests.
/// @throws invalid_argument  where the requests are more than a quarter of the address space together
memory_layout place_buffers(const std::vector<buffer_request>& requests);

/// The same, with parts in their wholes, in the order in which these are made: each part in the last that can hold it. A whole of which all parts
/// lie beside each other in another one, as chains of concatenations have them, lies there, too. None of it where that would take an eighth more
/// memory: a part lives as long as its whole.
memory_layout place_buffers(const std::vector<buffer_request>& requests, std::span<const buffer_join> joins);

}  // namespace ocelli::nn

#include <ocelli/core/config.hpp>
#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/planner/impl/memory.inl>
#endif
