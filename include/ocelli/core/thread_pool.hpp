#pragma once

/// @file
/// The default executor: a few standard threads, one mutex, one condition variable.
///
/// The shared counter of parallel_for does the balancing, so nothing finer is needed here. Nothing starts before the first use.

#include <ocelli/core/executor.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace ocelli {

/// A fixed number of sleeping workers. Users may own one and install it with set_executor().
class thread_pool final : public executor {
public:
    /// @param threads  how many work at once, the calling thread included; at least 1
    explicit thread_pool(std::size_t threads) : threads_(threads == 0 ? 1 : threads) {}

    ~thread_pool() override {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;

    std::size_t concurrency() const noexcept override { return threads_; }

    void run(std::size_t count, const std::function<void()>& task) override {
        if (threads_ == 1 || count == 0) return;
        {
            const std::lock_guard lock(mutex_);
            start_workers();
            // A helper more than there are workers could only find the work done.
            const std::size_t useful = count < workers_.size() ? count : workers_.size();
            for (std::size_t i = 0; i < useful; ++i) tasks_.push_back(task);
            count = useful;
        }
        for (std::size_t i = 0; i < count; ++i) wake_.notify_one();
    }

private:
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
            wake_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
            if (tasks_.empty()) return;
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
    }

    const std::size_t threads_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> tasks_;
    std::vector<std::thread> workers_;
    bool stopping_ = false;
};

}  // namespace ocelli
