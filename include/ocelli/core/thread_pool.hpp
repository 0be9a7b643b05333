#pragma once

/// @file
/// The default executor: a few standard threads, one mutex, one condition variable.
///
/// The shares of parallel_for do the balancing, so nothing finer is needed here. Nothing starts before the first use.

#include <ocelli/core/executor.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ocelli {

/// A fixed number of workers, which sleep when there has been nothing to do for 200 microseconds. Users may own one and install it with set_executor().
class thread_pool final : public executor {
public:
    /// @param threads  how many work at once, the calling thread included; at least 1
    explicit thread_pool(std::size_t threads) : threads_(threads == 0 ? 1 : threads) {}

    ~thread_pool() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            called_.store(true, std::memory_order_relaxed);
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    std::size_t concurrency() const noexcept override { return threads_; }

    void run(std::size_t count, const std::function<void()>& task) override { add(count, {task, nullptr}); }

    /// Allocates nothing once its queue has been as long before.
    void assist(std::size_t count, const std::shared_ptr<detail::worker_team>& team) override { add(count, {nullptr, team}); }

private:
    struct queued {
        std::function<void()> task;
        std::shared_ptr<detail::worker_team> team;
    };

    void add(std::size_t count, const queued& one) {
        if (threads_ == 1 || count == 0) return;
        {
            const std::lock_guard lock(mutex_);
            start_workers();
            // A helper more than there are workers could only find the work done.
            if (count > workers_.size()) count = workers_.size();
            if (next_ == queue_.size() || next_ > 1000) {  // what lies before next_ is done with
                queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(next_));
                next_ = 0;
            }
            queue_.insert(queue_.end(), count, one);
            called_.store(true, std::memory_order_relaxed);
        }
        for (std::size_t i = 0; i < count; ++i) wake_.notify_one();
    }

    void start_workers() {
        while (workers_.size() + 1 < threads_) {
            try {
                workers_.emplace_back([this] { serve(); });
            } catch (const std::system_error&) {
                break;  // no more threads to be had: the caller does the rest
            }
        }
    }

    void serve() {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return stopping_ || next_ != queue_.size(); });
            if (next_ == queue_.size()) return;
            bool team = false;
            {
                const queued now = std::move(queue_[next_++]);
                if (next_ == queue_.size() && !stopping_) called_.store(false, std::memory_order_relaxed);
                lock.unlock();
                team = now.team != nullptr;
                if (team) now.team->help();
                else now.task();
            }
            if (team) linger();
            lock.lock();
        }
    }

    /// Loops often follow others closely, and to wake a sleeping thread takes as long as a small layer of a network: a worker looks for more before it
    /// sleeps.
    void linger() const noexcept {
        using clock = std::chrono::steady_clock;
        const auto end = clock::now() + std::chrono::microseconds(200);
        do {
            for (int i = 0; i < 16; ++i) {
                if (called_.load(std::memory_order_relaxed)) return;
                detail::relax_processor();
            }
        } while (clock::now() < end);
    }

    const std::size_t threads_;
    std::atomic<bool> called_{false};  // whether something waits in the queue, or the pool ends
    std::mutex mutex_;
    std::condition_variable wake_;
    // In a vector, whose memory stays; waiting are those from next_ on.
    std::vector<queued> queue_;
    std::size_t next_ = 0;
    std::vector<std::thread> workers_;
    bool stopping_ = false;
};

}  // namespace ocelli
