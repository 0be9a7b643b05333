#pragma once

/// @file
/// Splitting work over threads: parallel_for, the executor interface, and the number of threads.

#include <ocelli/core/config.hpp>
#include <ocelli/core/executor.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
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

/// True on a thread that is inside a block of parallel_for: nested calls run inline.
inline bool& inside_parallel() noexcept {
    thread_local bool inside = false;
    return inside;
}

/// The state of one parallel_for, shared with helpers that may arrive after it has returned.
class parallel_job {
public:
    parallel_job(std::size_t blocks, void* context, void (*block)(void*, std::size_t)) noexcept
        : blocks_(blocks), context_(context), block_(block) {}

    /// Claims blocks until none is left.
    void work() noexcept {
        bool& inside = inside_parallel();
        const bool before = inside;
        inside = true;
        std::size_t done = 0;
        for (std::size_t i = next_.fetch_add(1, std::memory_order_relaxed); i < blocks_;
             i = next_.fetch_add(1, std::memory_order_relaxed)) {
            if (!failed_.load(std::memory_order_relaxed)) {
                try {
                    block_(context_, i);
                } catch (...) {
                    const std::lock_guard lock(mutex_);
                    if (!failed_.exchange(true)) error_ = std::current_exception();
                }
            }
            ++done;
        }
        inside = before;
        if (done != 0 && done_.fetch_add(done, std::memory_order_acq_rel) + done == blocks_) {
            const std::lock_guard lock(mutex_);  // between the waiter's test and its sleep
            finished_.notify_all();
        }
    }

    /// Waits for the blocks that others have claimed, and rethrows the first exception.
    void wait() {
        if (done_.load(std::memory_order_acquire) != blocks_) {
            std::unique_lock lock(mutex_);
            finished_.wait(lock, [&] { return done_.load(std::memory_order_acquire) == blocks_; });
        }
        if (failed_.load(std::memory_order_acquire)) {
            const std::lock_guard lock(mutex_);
            std::rethrow_exception(error_);
        }
    }

private:
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> done_{0};
    std::atomic<bool> failed_{false};
    const std::size_t blocks_;
    void* context_;
    void (*block_)(void*, std::size_t);
    std::mutex mutex_;
    std::condition_variable finished_;
    std::exception_ptr error_;
};

/// Runs block(context, i) for each i in [0, blocks) on at most the allowed number of threads.
void run_blocks(std::size_t blocks, void* context, void (*block)(void*, std::size_t));

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
