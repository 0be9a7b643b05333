#pragma once

/// @file
/// How much of the work of a layer is done twice, so that every thread has some.

#include <ocelli/core/parallel.hpp>

#include <cstdint>

namespace ocelli::nn::detail {

/// Into how many tasks each of `tasks` is to be cut for the threads at hand: as few as keep them busy.
inline std::int64_t tasks_for_threads(std::int64_t tasks) {
    const auto threads = ocelli::detail::inside_parallel() ? 1 : static_cast<std::int64_t>(num_threads());
    std::int64_t cuts = 1;
    while (tasks * cuts < 4 * threads && tasks * cuts % threads != 0) ++cuts;
    return cuts;
}

}  // namespace ocelli::nn::detail
