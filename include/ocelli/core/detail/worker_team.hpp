#pragma once

/// @file
/// The helpers of one calling thread: they claim blocks of its loops, one loop after the other, and stay awake between loops that
/// follow each other closely.
///
/// Each thread begins with blocks of its own that follow each other, the same part of every loop, and then takes what others have left:
/// loops over one image after the other find most of it in their own core's cache.

#include <algorithm>
#include <array>
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
/// claimed by counting down what is left of a share; whoever does so holds the loop open until it adds to `done_`, so the loop's description
/// cannot change under it.
///
/// What one core has written takes another 50 to 200 nanoseconds to read, and small loops follow each other by the microsecond: the caller's way through
/// a loop has no instruction that waits for such a line but for the last one, for the helpers' `done_`, and who is done with blocks of its own looks
/// there for the next loop before it looks at what others have left.
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

    /// Offers a loop to `threads`, the caller among them, whose the first block is; finish() must follow. By the caller.
    void begin(std::size_t blocks, std::size_t threads, void* context, block_function block) noexcept {
        const std::size_t shares = std::clamp<std::size_t>(threads, 1, shares_.size());
        if (failed_.load(std::memory_order_relaxed)) failed_.store(false, std::memory_order_relaxed);
        all_ += blocks;
        ++loop_;
        if (share_count_.load(std::memory_order_relaxed) != shares) share_count_.store(shares, std::memory_order_relaxed);
        for (std::size_t i = shares, end = blocks; i-- > 0;) {
            const std::size_t own = blocks / shares + (i < blocks % shares);
            share& s = shares_[i];
            s.end = end;
            s.loop = loop_;
            s.context = context;
            s.block = block;
            s.left.store(i == 0 ? own - 1 : own, std::memory_order_release);
            end -= own;
        }
        // Without a fence, which would wait until all of these lines are here: a helper that goes to sleep at this very moment may miss the loop, and
        // looks again before it does (more()).
        loops_.store(loop_, std::memory_order_release);
        if (sleeping_.load(std::memory_order_relaxed) != 0) wake(false, blocks - 1);
    }

    /// Works until no block is left, waits for the blocks that others have claimed, and rethrows the first exception. By the caller.
    void finish() {
        work_first();
        if (!over()) wait();
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
        const within_block guard;
        std::size_t seen = 0;
        if (std::this_thread::get_id() == caller_) {
            const std::size_t shares = share_count_.load(std::memory_order_relaxed);
            for (std::size_t i = 0; i < shares; ++i) mine_ += work(shares_[i], seen);
            return;
        }
        const std::size_t worker = helpers_.fetch_add(1, std::memory_order_relaxed);
        std::size_t own = 0;
        do {
            const std::size_t shares = share_count_.load(std::memory_order_relaxed);
            own = shares == 1 ? 0 : 1 + worker % (shares - 1);
            while (settle(work(shares_[own], seen)) && soon(own)) {}
            for (std::size_t i = 1; i < shares; ++i) settle(work(shares_[own + i < shares ? own + i : own + i - shares], seen));
        } while (open_.load(std::memory_order_seq_cst) && more(own, seen));
    }

private:
    /// Blocks that follow each other, of which the first are claimed, and the loop they belong to: a helper finds all in one place. But for `left`, written
    /// before it and read by those who have claimed a block, until they add to `done_`.
    struct alignas(64) share {
        std::atomic<std::size_t> left{0};
        std::size_t end = 0;
        std::size_t loop = 0;  ///< what `loops_` is meanwhile
        void* context = nullptr;
        block_function block = nullptr;
    };

    /// Sets inside_parallel() while it lives.
    struct within_block {
        bool& flag = inside_parallel();
        const bool before = flag;
        within_block() noexcept { flag = true; }
        ~within_block() { flag = before; }
        within_block(const within_block&) = delete;
        within_block& operator=(const within_block&) = delete;
    };

    void run(const share& from, std::size_t i) noexcept {
        if (failed_.load(std::memory_order_relaxed)) return;
        try {
            from.block(from.context, i);
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!failed_.load(std::memory_order_relaxed)) {
                error_ = std::current_exception();
                failed_.store(true, std::memory_order_release);
            }
        }
    }

    /// Claims and runs what is left of a share. @return how many blocks
    std::size_t work(share& from, std::size_t& seen) noexcept {
        for (std::size_t claimed = 0;; ++claimed) {
            std::size_t left = from.left.load(std::memory_order_relaxed);
            while (left != 0 && !from.left.compare_exchange_weak(left, left - 1, std::memory_order_acquire, std::memory_order_relaxed)) {}
            if (left == 0) return claimed;
            seen = from.loop;
            run(from, from.end - left);
        }
    }

    /// The caller's part of a loop. Its first block needs no claim, which would wait for the lines that begin() has written.
    void work_first() noexcept {
        const within_block guard;
        run(shares_[0], 0);
        ++mine_;
        std::size_t seen = 0;
        const std::size_t shares = share_count_.load(std::memory_order_relaxed);
        for (std::size_t i = 0; i < shares; ++i) mine_ += work(shares_[i], seen);
    }

    /// Adds what a helper has done: from here on the loop may be over and another one begun.
    bool settle(std::size_t claimed) noexcept {
        if (claimed == 0) return false;
        done_.fetch_add(claimed, std::memory_order_seq_cst);
        if (waiting_.load(std::memory_order_seq_cst)) {
            const std::lock_guard lock(mutex_);
            finished_.notify_one();
        }
        return true;
    }

    bool over() const noexcept { return done_.load(std::memory_order_seq_cst) + mine_ == all_; }

    /// Whether the next loop comes at once.
    bool soon(std::size_t own) const noexcept {
        if (!open_.load(std::memory_order_relaxed)) return false;
        for (int i = 0; i < 32; ++i) {
            if (shares_[own].left.load(std::memory_order_relaxed) != 0) return true;
            relax_processor();
        }
        return false;
    }

    /// Waits for more work, in its own share or by another loop than those it has seen. @return false: leave
    bool more(std::size_t own, std::size_t& seen) noexcept {
        using clock = std::chrono::steady_clock;
        const auto end = clock::now() + std::chrono::microseconds(spin_us_.load(std::memory_order_relaxed));
        const auto another = [&] { return loops_.load(std::memory_order_seq_cst) != seen; };
        const auto look = [&] {
            const std::size_t now = loops_.load(std::memory_order_seq_cst);
            const bool found = now != seen;
            seen = now;
            return found;
        };
        do {
            for (int i = 0; i < 16; ++i) {
                if (shares_[own].left.load(std::memory_order_relaxed) != 0) return true;
                relax_processor();
            }
            if (look()) return true;
            if (!open_.load(std::memory_order_relaxed)) return false;
        } while (clock::now() < end);
        const auto called = [&] { return another() || !open_.load(std::memory_order_seq_cst); };
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        // What the caller wrote before it could see this arrives meanwhile.
        for (int i = 0; i < 256 && !called(); ++i) relax_processor();
        bool stay = true;
        {
            std::unique_lock lock(mutex_);
            while (!called()) {
                if (!asking_.load(std::memory_order_seq_cst)) wake_.wait(lock);
                else if (!wake_.wait_for(lock, std::chrono::milliseconds(2), called) && asking_.load(std::memory_order_seq_cst)) {
                    stay = false;  // the executor waits for its tasks
                    break;
                }
            }
            sleeping_.fetch_sub(1, std::memory_order_seq_cst);
        }
        return stay && look();
    }

    void wake(bool all, std::size_t count) noexcept {
        const std::lock_guard lock(mutex_);  // between a helper's test and its sleep
        if (all || count >= sleeping_.load(std::memory_order_relaxed)) wake_.notify_all();
        else
            for (; count != 0; --count) wake_.notify_one();
    }

    void wait() noexcept {
        using clock = std::chrono::steady_clock;
        for (int i = 0; i < 16; ++i) {
            if (over()) return;
            relax_processor();
        }
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
            finished_.wait(lock, [&] { return over(); });
        }
        waiting_.store(false, std::memory_order_relaxed);
    }

    std::atomic<std::int64_t> spin_us_{0};
    std::atomic<std::size_t> share_count_{1};
    std::atomic<std::size_t> helpers_{0};  ///< that have come so far
    const std::thread::id caller_ = std::this_thread::get_id();

    // More threads than that share shares.
    std::array<share, 16> shares_{};
    // Apart from each other, as different threads write them: the caller, helpers, the caller for itself alone.
    alignas(64) std::atomic<std::size_t> loops_{0};  ///< that have begun
    std::atomic<bool> open_{false};
    std::atomic<bool> asking_{false};
    std::atomic<std::size_t> sleeping_{0};
    alignas(64) std::atomic<std::size_t> done_{0};  ///< blocks so far, of all loops, by helpers
    std::atomic<bool> failed_{false};
    std::atomic<bool> waiting_{false};

    alignas(64) std::size_t all_ = 0;  ///< blocks so far, of all loops
    std::size_t mine_ = 0;             ///< of them, those that the caller has run
    std::size_t loop_ = 0;
    alignas(64) std::mutex mutex_;
    std::condition_variable wake_, finished_;
    std::exception_ptr error_;
};

}  // namespace ocelli::detail
