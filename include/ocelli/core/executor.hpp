#pragma once

/// @file
/// The interface between parallel_for and whatever owns the threads.

#include <ocelli/core/detail/worker_team.hpp>

#include <cstddef>
#include <functional>
#include <memory>

namespace ocelli {

/// Where parallel_for finds its helpers. The default is Ocelli's own pool; set_executor() installs another.
class executor {
public:
    virtual ~executor() = default;

    /// How many threads can work at once, the caller included; at least 1.
    virtual std::size_t concurrency() const noexcept = 0;

    /// Starts `count` calls of `task` on other threads, now or later, and need not wait for them.
    ///
    /// A call that comes late, or never, costs speed and nothing else: the caller of parallel_for works too and waits only for work
    /// that somebody has begun. `task` never throws and may be copied. During a network's run a task lasts as long as the run: between
    /// loops it looks for work for some microseconds and then sleeps.
    virtual void run(std::size_t count, const std::function<void()>& task) = 0;

    /// What parallel_for calls: the same for the helpers of one caller, `count` calls of `team->help()`. Override it to spare run()'s copies of a function.
    virtual void assist(std::size_t count, const std::shared_ptr<detail::worker_team>& team) {
        run(count, [team] { team->help(); });
    }
};

}  // namespace ocelli
