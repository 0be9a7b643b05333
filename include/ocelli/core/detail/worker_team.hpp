#pragma once

/// @file
/// The helpers of one calling thread: they claim blocks of its loops, one loop after the other, and stay awake between loops that
/// follow each other closely.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>

namespace ocelli::detail {

/// True on a thread that is inside a block of parallel_for: nested calls run inline.
inline bool& inside_parallel() noexcept {
    thread_local bool inside = false;
    return inside;
}

/// Lets the other hardware thread of a core work while this one looks at a variable again and again.
inline void relax_processor() noexcept {
#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
    __builtin_ia32_pause();
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
    __asm__ volatile("yield");
#endif
}

/// Shared by the calling thread and the tasks it gave to an executor, which may arrive late, never, or long after the loop.
///
/// Nobody waits for a helper to arrive: the caller claims blocks too, and waits only for those that others have claimed. A block is
/// claimed by counting `left_` down from n; whoever does so holds the loop open, so the loop's description cannot change under it.
class worker_team {
public:
    using block_function = void (*)(void*, std::size_t);

    /// Keeps helpers that find no work: they look for some `spin_us` microseconds, then sleep until the next loop. By the caller.
    void open(std::int64_t spin_us) noexcept {
        spin_us_.store(spin_us, std::memory_order_relaxed);
        open_.store(true, std::memory_order_seq_cst);
    }

    /// Sends helpers away as soon as they find no work. By the caller.
    void close() noexcept {
        open_.store(false, std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst) != 0) wake(true, 0);
    }

    /// Offers a loop; finish() must follow. By the caller.
    void begin(std::size_t blocks, void* context, block_function block) noexcept {
        blocks_ = blocks;
        context_ = context;
        block_ = block;
        failed_.store(false, std::memory_order_relaxed);
        done_.store(0, std::memory_order_relaxed);
        left_.store(blocks, std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst) != 0) wake(false, blocks - 1);
    }

    /// Works until no block is left, waits for the blocks that others have claimed, and rethrows the first exception. By the caller.
    void finish() {
        work();
        if (done_.load(std::memory_order_acquire) != blocks_) wait();
        if (failed_.load(std::memory_order_acquire)) {
            std::exception_ptr error;
            {
                const std::lock_guard lock(mutex_);
                error = std::move(error_);
                error_ = nullptr;
            }
            std::rethrow_exception(error);
        }
    }

    /// While an executor is being asked for helpers: until it answers, none of them sleeps for long, since it may wait for them.
    void asking(bool now) noexcept { asking_.store(now, std::memory_order_seq_cst); }

    /// What a helper does: works until the team is closed. Returns at once on the thread of the caller, which must go on.
    void help() noexcept {
        if (std::this_thread::get_id() == caller_) {
            work();
            return;
        }
        do {
            work();
        } while (open_.load(std::memory_order_seq_cst) && more());
    }

private:
    bool offered() const noexcept { return left_.load(std::memory_order_relaxed) != 0; }

    /// Claims blocks until none is left.
    void work() noexcept {
        bool& inside = inside_parallel();
        const bool before = inside;
        inside = true;
        for (;;) {
            std::size_t left = left_.load(std::memory_order_relaxed);
            while (left != 0 && !left_.compare_exchange_weak(left, left - 1, std::memory_order_acquire, std::memory_order_relaxed)) {}
            if (left == 0) break;
            const std::size_t blocks = blocks_;
            if (!failed_.load(std::memory_order_relaxed)) {
                try {
                    block_(context_, blocks - left);
                } catch (...) {
                    const std::lock_guard lock(mutex_);
                    if (!failed_.load(std::memory_order_relaxed)) {
                        error_ = std::current_exception();
                        failed_.store(true, std::memory_order_release);
                    }
                }
            }
            // From here on the loop may be over and another one begun.
            if (done_.fetch_add(1, std::memory_order_seq_cst) + 1 == blocks && waiting_.load(std::memory_order_seq_cst)) {
                const std::lock_guard lock(mutex_);
                finished_.notify_one();
            }
        }
        inside = before;
    }

    /// Waits for more work. @return false: leave
    bool more() noexcept {
        using clock = std::chrono::steady_clock;
        const auto end = clock::now() + std::chrono::microseconds(spin_us_.load(std::memory_order_relaxed));
        do {
            for (int i = 0; i < 16; ++i) {
                if (offered()) return true;
                if (!open_.load(std::memory_order_relaxed)) return false;
                relax_processor();
            }
        } while (clock::now() < end);
        std::unique_lock lock(mutex_);
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        const auto called = [&] { return left_.load(std::memory_order_seq_cst) != 0 || !open_.load(std::memory_order_seq_cst); };
        bool stay = true;
        while (!called()) {
            if (!asking_.load(std::memory_order_seq_cst)) wake_.wait(lock);
            else if (!wake_.wait_for(lock, std::chrono::milliseconds(2), called) && asking_.load(std::memory_order_seq_cst)) {
                stay = false;  // the executor waits for its tasks
                break;
            }
        }
        sleeping_.fetch_sub(1, std::memory_order_seq_cst);
        return stay && offered();
    }

    void wake(bool all, std::size_t count) noexcept {
        const std::lock_guard lock(mutex_);  // between a helper's test and its sleep
        if (all || count >= sleeping_.load(std::memory_order_relaxed)) wake_.notify_all();
        else
            for (; count != 0; --count) wake_.notify_one();
    }

    void wait() noexcept {
        using clock = std::chrono::steady_clock;
        const auto over = [&] { return done_.load(std::memory_order_seq_cst) == blocks_; };
        const auto end = clock::now() + std::chrono::microseconds(100);
        do {
            for (int i = 0; i < 16; ++i) {
                if (over()) return;
                relax_processor();
            }
        } while (clock::now() < end);
        waiting_.store(true, std::memory_order_seq_cst);
        {
            std::unique_lock lock(mutex_);
            finished_.wait(lock, over);
        }
        waiting_.store(false, std::memory_order_relaxed);
    }

    // The loop: written before left_ is set, read by those who counted left_ down, until they add to done_.
    std::size_t blocks_ = 0;
    void* context_ = nullptr;
    block_function block_ = nullptr;
    std::atomic<std::int64_t> spin_us_{0};
    const std::thread::id caller_ = std::this_thread::get_id();

    // Apart from what is read all the time: each of these is written by everybody.
    alignas(64) std::atomic<std::size_t> left_{0};
    std::atomic<bool> open_{false};
    std::atomic<bool> asking_{false};
    std::atomic<std::size_t> sleeping_{0};
    alignas(64) std::atomic<std::size_t> done_{0};
    std::atomic<bool> failed_{false};
    std::atomic<bool> waiting_{false};

    std::mutex mutex_;
    std::condition_variable wake_, finished_;
    std::exception_ptr error_;
};

}  // namespace ocelli::detail
