#pragma once

/// @file
/// How much of the work of a layer is done twice, so that every thread has some.

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/conv.hpp>

#include <algorithm>
#include <cstdint>

namespace ocelli::nn::detail {

/// The threads that a loop begun here is shared by.
inline std::int64_t threads_at_hand() {
    return ocelli::detail::inside_parallel() ? 1 : static_cast<std::int64_t>(num_threads());
}

/// Into how many tasks each of `tasks` is to be cut for the threads at hand: as few as keep them busy.
inline std::int64_t tasks_for_threads(std::int64_t tasks) {
    const std::int64_t threads = threads_at_hand();
    std::int64_t cuts = 1;
    while (tasks * cuts < 4 * threads && tasks * cuts % threads != 0) ++cuts;
    return cuts;
}

/// The least number from `parts` to `most` that gives the threads at hand as many each; `parts`, where there is none, or so many that it does not
/// matter. What a part computes must not depend on their number.
inline std::int64_t even_parts(std::int64_t parts, std::int64_t most) {
    const std::int64_t threads = threads_at_hand();
    for (std::int64_t n = parts; n <= most && n < 16 * threads; ++n)
        if (n % threads == 0) return n;
    return parts;
}

/// How many tasks of so many operations each a thread takes at once: no fewer than are worth claiming, and where there are few of them, so that threads
/// take as many each.
inline std::size_t even_grain(std::int64_t tasks, std::int64_t operations_per_task) {
    const auto grain = static_cast<std::int64_t>(conv_grain(operations_per_task));
    if (grain == 1 || grain >= tasks) return static_cast<std::size_t>(grain);
    const std::int64_t blocks = even_parts((tasks + grain - 1) / grain, tasks);
    return static_cast<std::size_t>((tasks + blocks - 1) / blocks);
}

/// The number of parts, `least` to `most`, with which `units` of each are done soonest by the threads at hand, where a task is `together` units of a part, or
/// what is left of them, and a unit takes part_time(parts); the least such. What a part computes must not depend on their number.
template <class Time>
std::int64_t parts_of_least_time(std::int64_t least, std::int64_t most, std::int64_t units, std::int64_t together, const Time& part_time) {
    const std::int64_t threads = threads_at_hand();
    const auto shared = [&](std::int64_t tasks) { return (tasks + threads - 1) / threads; };
    std::int64_t best = least, best_time = 0;
    for (std::int64_t n = least; n <= most; ++n) {
        // Smaller tasks fill up what larger ones leave.
        const std::int64_t in_turn = units % together == 0 ? together * shared(n * (units / together)) : std::max(std::min(units, together), shared(n * units));
        const std::int64_t time = in_turn * part_time(n);
        if (n != least && time >= best_time) continue;
        best = n;
        best_time = time;
    }
    return best;
}

}  // namespace ocelli::nn::detail
