#pragma once

/// @file
/// Splitting work over threads: parallel_for, the executor interface, and the number of threads.

#include <ocelli/core/config.hpp>
#include <ocelli/core/executor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace ocelli {

/// Makes every later parallel_for use this executor; nullptr restores the default pool. Not owned: it must outlive its use.
void set_executor(executor* custom) noexcept;

/// Sets the size of the default pool, the calling thread included; 1 never starts a thread, 0 restores the default
/// (the environment variable OCELLI_NUM_THREADS, or else the number of processors).
void set_num_threads(std::size_t n);

/// The number of threads parallel_for uses at most, the calling thread included.
std::size_t num_threads();

/// Limits the threads of every parallel_for of this thread while it lives; limits nest, the smallest counts.
class thread_limit {
public:
    explicit thread_limit(std::size_t n) noexcept : before_(current()) {
        if (n != 0 && n < before_) current() = n;
    }
    ~thread_limit() { current() = before_; }
    thread_limit(const thread_limit&) = delete;
    thread_limit& operator=(const thread_limit&) = delete;

    static std::size_t& current() noexcept {
        thread_local std::size_t limit = static_cast<std::size_t>(-1);
        return limit;
    }

private:
    std::size_t before_;
};

namespace detail {

/// Runs block(context, i) for each i in [0, blocks) on at most the allowed number of threads.
void run_blocks(std::size_t blocks, void* context, void (*block)(void*, std::size_t));

/// Keeps the helpers of this thread's parallel_for calls while it lives, so that many small loops in a row wake them once.
///
/// The helpers come at the first loop that more than one thread can share. Between loops they look for work for `spin_us`
/// microseconds and then sleep. Inside a parallel_for, or with one thread, it does nothing. Regions nest.
class parallel_region {
public:
    explicit parallel_region(std::int64_t spin_us = 1000);
    ~parallel_region();
    parallel_region(const parallel_region&) = delete;
    parallel_region& operator=(const parallel_region&) = delete;

private:
    bool counted_ = false;
};

}  // namespace detail

/// Calls fn(begin, end) for consecutive ranges of at most `grain` indices that cover [0, n), on several threads.
///
/// The ranges depend on n and grain alone, never on the number of threads. The caller works too; a call from inside another
/// parallel_for runs on its own thread; the first exception of fn is rethrown here after the others have ended.
///
/// @param grain  indices per range, at least 1 (0 counts as 1); choose it so that a range takes 10 microseconds or more
template <class F>
void parallel_for(std::size_t n, std::size_t grain, F&& fn) {
    if (n == 0) return;
    if (grain == 0) grain = 1;
    struct state {
        std::remove_reference_t<F>* fn;
        std::size_t n, grain;
    } s{std::addressof(fn), n, grain};
    const std::size_t blocks = (n - 1) / grain + 1;
    const auto block = [](void* context, std::size_t i) {
        const state& job = *static_cast<state*>(context);
        const std::size_t begin = i * job.grain;
        (*job.fn)(begin, job.n - begin < job.grain ? job.n : begin + job.grain);
    };
    if (blocks == 1) {
        block(&s, 0);
        return;
    }
    detail::run_blocks(blocks, &s, block);
}

}  // namespace ocelli

#if OCELLI_HEADER_ONLY
#    include <ocelli/core/impl/parallel.inl>
#endif
