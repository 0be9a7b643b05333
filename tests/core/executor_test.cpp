// ctest: threads
#include <ocelli/core/executor.hpp>
#include <ocelli/core/parallel.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace ocelli;

namespace {

/// Keeps what it is given, and says how often it was asked for how many.
struct keeping_executor : executor {
    explicit keeping_executor(std::size_t threads) : threads_(threads) {}
    std::size_t concurrency() const noexcept override { return threads_; }
    void run(std::size_t count, const std::function<void()>& task) override {
        counts.push_back(count);
        tasks.insert(tasks.end(), count, task);
    }
    std::vector<std::size_t> counts;
    std::vector<std::function<void()>> tasks;

private:
    std::size_t threads_;
};

struct assisting_executor final : keeping_executor {
    assisting_executor() : keeping_executor(3) {}
    void assist(std::size_t count, const std::shared_ptr<detail::worker_team>& team) override {
        for (std::size_t i = 0; i < count; ++i) threads.emplace_back([team] { team->help(); });
        assisted += count;
    }
    ~assisting_executor() override {
        for (std::thread& t : threads) t.join();
    }
    std::size_t assisted = 0;
    std::vector<std::thread> threads;
};

struct failing_executor final : executor {
    std::size_t concurrency() const noexcept override { return 4; }
    void run(std::size_t, const std::function<void()>&) override {
        ++asked;
        throw std::runtime_error("no threads today");
    }
    std::size_t asked = 0;
};

struct installed {
    explicit installed(executor& e) { set_executor(&e); }
    ~installed() { set_executor(nullptr); }
};

std::vector<int> visits(std::size_t n) {
    std::vector<int> seen(n, 0);
    parallel_for(n, 1, [&](std::size_t begin, std::size_t) { ++seen[begin]; });
    return seen;
}

}  // namespace

TEST_CASE("an executor is asked for a helper fewer than it has threads, and than there are blocks") {
    for (const std::size_t blocks : {2u, 3u, 50u}) {
        keeping_executor keeps(4);
        const installed here(keeps);
        CHECK(visits(blocks) == std::vector<int>(blocks, 1));
        CHECK(keeps.counts == std::vector<std::size_t>{std::min<std::size_t>(3, blocks - 1)});
    }
    keeping_executor keeps(4);
    const installed here(keeps);
    const thread_limit two(2);
    CHECK(visits(50) == std::vector<int>(50, 1));
    CHECK(keeps.counts == std::vector<std::size_t>{1});
}

TEST_CASE("an executor is not asked where the caller works alone") {
    for (const std::size_t threads : {0u, 1u}) {
        keeping_executor alone(threads);
        const installed here(alone);
        CHECK(visits(20) == std::vector<int>(20, 1));
        CHECK(alone.counts.empty());
    }
    keeping_executor keeps(4);
    const installed here(keeps);
    CHECK(visits(1) == std::vector<int>{1});
    const thread_limit one(1);
    CHECK(visits(20) == std::vector<int>(20, 1));
    CHECK(keeps.counts.empty());
}

TEST_CASE("a task is a helper of one loop, which another thread may run, and may be copied") {
    keeping_executor keeps(2);
    std::atomic<bool> helped{false};
    {
        const installed here(keeps);
        std::thread other;
        const auto self = std::this_thread::get_id();
        // The caller's first block waits for the helper, which the executor has kept: so it is the task that runs the second.
        std::atomic<int> begun{0};
        parallel_for(2, 1, [&](std::size_t, std::size_t) {
            if (std::this_thread::get_id() == self && begun++ == 0) {
                other = std::thread([copy = keeps.tasks.at(0)] { copy(); });
                while (!helped) std::this_thread::yield();
            } else if (std::this_thread::get_id() != self) {
                helped = true;
            }
        });
        other.join();
    }
    CHECK(helped);
    CHECK(keeps.tasks.size() == 1);
    keeps.tasks[0]();  // after its loop: finds nothing to do, and returns
}

TEST_CASE("assist() is asked in place of run() where an executor has its own") {
    assisting_executor assists;
    {
        const installed here(assists);
        CHECK(visits(50) == std::vector<int>(50, 1));
    }
    CHECK(assists.assisted == 2);
    CHECK(assists.counts.empty());
}

TEST_CASE("an executor that throws costs its help and nothing else") {
    failing_executor fails;
    const installed here(fails);
    CHECK(visits(50) == std::vector<int>(50, 1));
    CHECK(fails.asked == 1);
}

TEST_CASE("without an executor the default pool is asked again") {
    keeping_executor keeps(7);
    set_num_threads(3);
    {
        const installed here(keeps);
        CHECK(num_threads() == 7);
    }
    CHECK(num_threads() == 3);
    CHECK(visits(50) == std::vector<int>(50, 1));
    CHECK(keeps.counts.empty());
    set_num_threads(0);
}
