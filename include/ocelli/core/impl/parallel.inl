#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/thread_pool.hpp>

#include <cstdlib>
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

OCELLI_INLINE parallel_state& get_parallel_state() {
    static parallel_state& state = *[] {
        auto* made = new parallel_state;
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, [] { get_parallel_state().forked.store(true); });
#endif
        return made;
    }();
    return state;
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

OCELLI_INLINE void run_blocks(std::size_t blocks, void* context, void (*block)(void*, std::size_t)) {
    parallel_state& state = get_parallel_state();
    std::size_t threads = 1;
    executor* custom = nullptr;
    std::shared_ptr<thread_pool> pool;
    // After fork() the child has no workers, and the pool's mutex may be held by a thread that is gone: stay on this thread.
    if (!inside_parallel() && thread_limit::current() > 1) {
        custom = state.custom.load(std::memory_order_acquire);
        if (custom) {
            threads = custom->concurrency();
        } else if (!state.forked.load(std::memory_order_relaxed)) {
            pool = default_pool();
            threads = pool->concurrency();
        }
        if (threads > thread_limit::current()) threads = thread_limit::current();
    }
    if (threads <= 1) {
        // The same blocks in order; an exception ends the loop at once.
        bool& inside = inside_parallel();
        struct restore {
            bool& flag;
            bool before;
            ~restore() { flag = before; }
        } guard{inside, inside};
        inside = true;
        for (std::size_t i = 0; i < blocks; ++i) block(context, i);
        return;
    }
    const auto job = std::make_shared<parallel_job>(blocks, context, block);
    const std::size_t helpers = (threads < blocks ? threads : blocks) - 1;
    executor& where = custom ? *custom : static_cast<executor&>(*pool);
    try {
        where.run(helpers, [job] { job->work(); });
    } catch (...) {
        // An executor that cannot start helpers costs speed only.
    }
    job->work();
    job->wait();
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
