#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/thread_pool.hpp>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>

#if defined(__unix__) || defined(__APPLE__)
#    include <pthread.h>
#endif

namespace ocelli {
namespace detail {

/// The default pool and the user's choice. Never destroyed: programs may still compute while static objects are torn down.
struct parallel_state {
    std::mutex mutex;
    std::shared_ptr<thread_pool> pool;
    std::size_t wanted = 0;  // 0: the default
    std::atomic<executor*> custom{nullptr};
    std::atomic<bool> forked{false};  // a child process has none of its parent's workers
};

OCELLI_INLINE void forked_child();

OCELLI_INLINE parallel_state& get_parallel_state() {
    static parallel_state& state = *[] {
        auto* made = new parallel_state;
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, forked_child);
#endif
        return made;
    }();
    return state;
}

struct calling_thread;
OCELLI_INLINE calling_thread*& this_calling_thread();

/// A child process has none of its parent's workers, and nobody to let go what they held.
OCELLI_INLINE void forked_child() {
    get_parallel_state().forked.store(true);
    this_calling_thread() = nullptr;
}

OCELLI_INLINE std::size_t default_num_threads() {
    if (const char* text = std::getenv("OCELLI_NUM_THREADS"); text && *text) {
        char* end = nullptr;
        const long n = std::strtol(text, &end, 10);
        check(*end == '\0' && n >= 1 && n <= 4096, "OCELLI_NUM_THREADS: expected a number from 1 to 4096, got '", text, "'");
        return static_cast<std::size_t>(n);
    }
    const std::size_t n = std::thread::hardware_concurrency();
    return n == 0 ? 1 : n;
}

OCELLI_INLINE std::shared_ptr<thread_pool> default_pool() {
    parallel_state& state = get_parallel_state();
    const std::lock_guard lock(state.mutex);
    if (!state.pool) {
        state.pool = std::make_shared<thread_pool>(state.wanted == 0 ? default_num_threads() : state.wanted);
    }
    return state.pool;
}

/// The helpers of this thread and what they came from.
struct calling_thread {
    std::shared_ptr<worker_team> team;
    std::size_t team_helpers = 0;       // as many as it is made for
    const executor* team_of = nullptr;  // who was asked for them; for comparison only
    // Of the region that is open:
    std::size_t regions = 0;
    std::int64_t spin_us = 0;
    bool asked = false;                 // for helpers
    std::shared_ptr<thread_pool> pool;  // kept while it may still be at work for the region
};

/// Null on no thread but the forked one's; programs may still compute when the thread's own objects are gone.
OCELLI_INLINE calling_thread*& this_calling_thread() {
    thread_local calling_thread* mine = nullptr;
    return mine;
}

OCELLI_INLINE calling_thread& get_calling_thread() {
    calling_thread*& mine = this_calling_thread();
    if (mine == nullptr) {
        struct owner {
            ~owner() {
                calling_thread*& last = this_calling_thread();
                delete last;
                last = nullptr;
            }
        };
        thread_local owner release;
        (void)release;
        mine = new calling_thread;
    }
    return *mine;
}

/// Where helpers come from, and how many: 0 where this thread works alone.
struct helper_source {
    executor* where = nullptr;
    std::shared_ptr<thread_pool> pool;
    std::size_t helpers = 0;

    explicit helper_source(parallel_state& state) {
        std::size_t threads = 1;
        where = state.custom.load(std::memory_order_acquire);
        if (where != nullptr) {
            threads = where->concurrency();
        } else if (!state.forked.load(std::memory_order_relaxed)) {
            // After fork() the child has no workers, and the pool's mutex may be held by a thread that is gone.
            pool = default_pool();
            where = pool.get();
            threads = pool->concurrency();
        }
        if (threads > thread_limit::current()) threads = thread_limit::current();
        helpers = threads <= 1 ? 0 : threads - 1;
    }
};

/// Makes sure that as many helpers are there or on their way.
OCELLI_INLINE void ask_for_helpers(calling_thread& mine, const helper_source& source, std::size_t wanted) {
    // Each task that is still to come or at work shares the team.
    const auto there = static_cast<std::size_t>(mine.team.use_count() - 1);
    if (there >= wanted) return;
    mine.team->asking(true);
    try {
        source.where->assist(wanted - there, mine.team);
    } catch (...) {
        // An executor that cannot start helpers costs speed only.
    }
    mine.team->asking(false);
}

/// A team of at most so many: helpers of a larger one might still look for work, and another executor might keep its tasks for ever.
OCELLI_INLINE void ready_team(calling_thread& mine, const helper_source& source) {
    if (mine.team == nullptr || mine.team_helpers > source.helpers || mine.team_of != source.where) mine.team = std::make_shared<worker_team>();
    mine.team_helpers = source.helpers;
    mine.team_of = source.where;
}

OCELLI_INLINE void run_blocks(std::size_t blocks, void* context, void (*block)(void*, std::size_t)) {
    bool& inside = inside_parallel();
    if (!inside && thread_limit::current() > 1) {
        calling_thread& mine = get_calling_thread();
        if (mine.regions != 0 && mine.asked) {
            if (mine.team_helpers != 0) {
                mine.team->begin(blocks, mine.team_helpers + 1, context, block);
                mine.team->finish();
                return;
            }
        } else {
            helper_source source(get_parallel_state());
            if (mine.regions != 0) {
                mine.asked = true;
                ready_team(mine, source);
                mine.pool = source.pool;
                if (source.helpers != 0) mine.team->open(mine.spin_us);
            }
            if (source.helpers != 0) {
                if (mine.regions == 0) ready_team(mine, source);
                mine.team->begin(blocks, source.helpers + 1, context, block);
                ask_for_helpers(mine, source, mine.regions != 0 || source.helpers < blocks ? source.helpers : blocks - 1);
                mine.team->finish();
                return;
            }
        }
    }
    // The same blocks in order; an exception ends the loop at once.
    struct restore {
        bool& flag;
        bool before;
        ~restore() { flag = before; }
    } guard{inside, inside};
    inside = true;
    for (std::size_t i = 0; i < blocks; ++i) block(context, i);
}

OCELLI_INLINE parallel_region::parallel_region(std::int64_t spin_us) {
    if (inside_parallel() || thread_limit::current() <= 1) return;
    calling_thread& mine = get_calling_thread();
    if (mine.regions++ == 0) {
        mine.spin_us = spin_us;
        mine.asked = false;
    }
    counted_ = true;
}

OCELLI_INLINE parallel_region::~parallel_region() {
    if (!counted_) return;
    calling_thread& mine = get_calling_thread();
    if (mine.regions == 0 || --mine.regions != 0) return;  // 0: a forked child has left its region behind
    if (mine.asked && mine.team != nullptr) mine.team->close();
    mine.asked = false;
    mine.pool.reset();
}

}  // namespace detail

OCELLI_INLINE void set_executor(executor* custom) noexcept {
    detail::get_parallel_state().custom.store(custom, std::memory_order_release);
}

OCELLI_INLINE void set_num_threads(std::size_t n) {
    detail::parallel_state& state = detail::get_parallel_state();
    std::shared_ptr<thread_pool> old;  // declared first: joined after the lock is released, when its last user lets go
    const std::lock_guard lock(state.mutex);
    state.wanted = n;
    old = std::move(state.pool);
    state.pool.reset();
}

OCELLI_INLINE std::size_t num_threads() {
    detail::parallel_state& state = detail::get_parallel_state();
    std::size_t n = 0;
    if (executor* custom = state.custom.load(std::memory_order_acquire)) {
        n = custom->concurrency();
    } else {
        n = detail::default_pool()->concurrency();
    }
    return n < thread_limit::current() ? n : thread_limit::current();
}

}  // namespace ocelli
