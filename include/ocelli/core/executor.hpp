#pragma once

/// @file
/// The interface between parallel_for and whatever owns the threads.

#include <cstddef>
#include <functional>

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
    /// that somebody has begun. `task` never throws and may be copied.
    virtual void run(std::size_t count, const std::function<void()>& task) = 0;
};

}  // namespace ocelli
