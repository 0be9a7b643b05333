// ctest: threads
#include <ocelli/core/parallel.hpp>
#include <ocelli/core/thread_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <numeric>
#include <thread>
#include <vector>

#if defined(__unix__)
#    include <sys/wait.h>
#    include <unistd.h>
#endif

using namespace ocelli;

namespace {

std::vector<int> visits(std::size_t n, std::size_t grain) {
    std::vector<int> seen(n, 0);
    parallel_for(n, grain, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) ++seen[i];
    });
    return seen;
}

struct restore_threads {
    ~restore_threads() {
        set_executor(nullptr);
        set_num_threads(0);
    }
};

struct inline_executor final : executor {  // runs its helpers at once, on the caller's thread
    std::size_t concurrency() const noexcept override { return 3; }
    void run(std::size_t count, const std::function<void()>& task) override {
        for (std::size_t i = 0; i < count; ++i) task();
        calls += count;
    }
    std::size_t calls = 0;
};

struct waiting_executor final : executor {  // starts threads, and waits for them
    std::size_t concurrency() const noexcept override { return 3; }
    void run(std::size_t count, const std::function<void()>& task) override {
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < count; ++i) threads.emplace_back(task);
        for (std::thread& t : threads) t.join();
        ++calls;
    }
    std::size_t calls = 0;
};

struct never_executor final : executor {  // keeps its tasks until after the loop has returned
    std::size_t concurrency() const noexcept override { return 4; }
    void run(std::size_t count, const std::function<void()>& task) override { tasks.insert(tasks.end(), count, task); }
    std::vector<std::function<void()>> tasks;
};

}  // namespace

TEST_CASE("every index is visited once for any number of threads") {
    const restore_threads guard;
    for (const std::size_t threads : {1u, 2u, 3u, 8u}) {
        set_num_threads(threads);
        CHECK(num_threads() == threads);
        for (const std::size_t n : {0u, 1u, 7u, 1000u})
            for (const std::size_t grain : {0u, 1u, 3u, 1000u, 5000u}) CHECK(visits(n, grain) == std::vector<int>(n, 1));
    }
}

TEST_CASE("loops of fewer blocks than threads, and by more threads than there are shares of a loop, visit every index once") {
    const restore_threads restore;
    for (const std::size_t threads : std::initializer_list<std::size_t>{2, 5, 40}) {
        set_num_threads(threads);
        const detail::parallel_region region;
        for (int round = 0; round < 3; ++round)
            for (std::size_t n = 1; n <= 50; ++n) {
                const std::vector<int> seen = visits(n, 1);
                CHECK(std::accumulate(seen.begin(), seen.end(), 0) == static_cast<int>(n));
                CHECK(std::count(seen.begin(), seen.end(), 1) == static_cast<std::ptrdiff_t>(n));
            }
    }
}

TEST_CASE("ranges depend on n and grain alone") {
    const restore_threads guard;
    const auto ranges = [] {
        std::vector<std::size_t> ends(4, 0);
        parallel_for(10, 3, [&](std::size_t begin, std::size_t end) { ends[begin / 3] = end; });
        return ends;
    };
    set_num_threads(1);
    const auto one = ranges();
    CHECK(one == std::vector<std::size_t>{3, 6, 9, 10});
    set_num_threads(4);
    CHECK(ranges() == one);
}

TEST_CASE("nested loops run inline and finish") {
    const restore_threads guard;
    set_num_threads(4);
    std::atomic<int> count{0};
    parallel_for(16, 1, [&](std::size_t, std::size_t) {
        const auto outer = std::this_thread::get_id();
        parallel_for(16, 1, [&](std::size_t, std::size_t) {
            CHECK(std::this_thread::get_id() == outer);
            ++count;
        });
    });
    CHECK(count == 256);
}

TEST_CASE("the first exception reaches the caller and the pool stays usable") {
    const restore_threads guard;
    for (const std::size_t threads : {1u, 4u}) {
        set_num_threads(threads);
        CHECK_THROWS_WITH(parallel_for(100, 1,
                                       [](std::size_t begin, std::size_t) {
                                           if (begin == 42) throw std::runtime_error("block 42");
                                       }),
                          "block 42");
        CHECK(visits(100, 1) == std::vector<int>(100, 1));
    }
}

TEST_CASE("several threads may loop at once on a busy pool") {
    const restore_threads guard;
    set_num_threads(3);
    std::vector<std::thread> callers;
    std::atomic<int> right{0};
    for (int c = 0; c < 6; ++c)
        callers.emplace_back([&] {
            for (int round = 0; round < 20; ++round)
                if (visits(200, 7) == std::vector<int>(200, 1)) ++right;
        });
    for (auto& caller : callers) caller.join();
    CHECK(right == 120);
}

TEST_CASE("a user's executor may run inline, late or never") {
    const restore_threads guard;
    inline_executor at_once;
    set_executor(&at_once);
    CHECK(num_threads() == 3);
    CHECK(visits(50, 1) == std::vector<int>(50, 1));
    CHECK(at_once.calls == 2);
    never_executor never;
    set_executor(&never);
    CHECK(visits(50, 1) == std::vector<int>(50, 1));
    CHECK(never.tasks.size() == 3);
    for (const auto& task : never.tasks) task();  // long after the loop: nothing left to claim
}

TEST_CASE("loops inside a region visit every index once, whatever the executor does") {
    const restore_threads guard;
    const auto loops = [] {
        const detail::parallel_region awake;
        for (int round = 0; round < 200; ++round)
            if (visits(1 + static_cast<std::size_t>(round % 7) * 5, 2) != std::vector<int>(1 + static_cast<std::size_t>(round % 7) * 5, 1)) return false;
        return true;
    };
    for (const std::size_t threads : {1u, 2u, 5u}) {
        set_num_threads(threads);
        CHECK(loops());
        CHECK(loops());
    }
    inline_executor at_once;
    set_executor(&at_once);
    CHECK(loops());
    CHECK(at_once.calls == 2);
    waiting_executor waits;
    set_executor(&waits);
    CHECK(loops());
    CHECK(waits.calls == 1);
    never_executor never;
    set_executor(&never);
    CHECK(loops());
    CHECK(never.tasks.size() == 3);
    // Tasks that come late find the region closed, or the next one open.
    std::thread late([&] {
        for (const auto& task : never.tasks) task();
    });
    CHECK(loops());
    late.join();
}

TEST_CASE("a region asks for helpers once, at its first loop of several blocks") {
    const restore_threads guard;
    never_executor never;
    set_executor(&never);
    {
        const detail::parallel_region awake;
        CHECK(visits(5, 5) == std::vector<int>(5, 1));
        CHECK(never.tasks.empty());
        for (int i = 0; i < 10; ++i) CHECK(visits(5, 1) == std::vector<int>(5, 1));
        CHECK(never.tasks.size() == 3);
    }
    {
        // Those asked for before may still come: no more than there can be work for.
        const detail::parallel_region again;
        CHECK(visits(5, 1) == std::vector<int>(5, 1));
        CHECK(never.tasks.size() == 3);
    }
    const thread_limit one(1);
    const detail::parallel_region alone;
    CHECK(visits(5, 1) == std::vector<int>(5, 1));
    CHECK(never.tasks.size() == 3);
}

TEST_CASE("helpers of a region serve its later loops, those after a pause, and throw to the caller") {
    const restore_threads guard;
    set_num_threads(3);
    std::atomic<int> elsewhere{0};
    const auto self = std::this_thread::get_id();
    const auto wait_for_another = [&] {
        // The first block to run waits until another thread has come for the second one.
        std::atomic<int> here{0};
        parallel_for(2, 1, [&](std::size_t, std::size_t) {
            ++here;
            while (here != 2) std::this_thread::yield();
            if (std::this_thread::get_id() != self) ++elsewhere;
        });
    };
    {
        const detail::parallel_region awake;
        for (int i = 0; i < 50; ++i) wait_for_another();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));  // they sleep now
        wait_for_another();
        CHECK_THROWS_WITH(parallel_for(8, 1, [](std::size_t begin, std::size_t) {
                              if (begin == 3) throw std::runtime_error("block 3");
                          }),
                          "block 3");
        wait_for_another();
        set_num_threads(2);  // while the others are still at work
        wait_for_another();
    }
    CHECK(elsewhere >= 53);
    CHECK(visits(100, 1) == std::vector<int>(100, 1));
}

TEST_CASE("regions of several threads share a pool") {
    const restore_threads guard;
    set_num_threads(3);
    std::vector<std::thread> callers;
    std::atomic<int> right{0};
    for (int c = 0; c < 6; ++c)
        callers.emplace_back([&] {
            for (int run = 0; run < 10; ++run) {
                const detail::parallel_region awake(20);
                for (int round = 0; round < 20; ++round)
                    if (visits(100, 7) == std::vector<int>(100, 1)) ++right;
            }
        });
    for (auto& caller : callers) caller.join();
    CHECK(right == 1200);
}

TEST_CASE("a thread limit holds for its scope") {
    const restore_threads guard;
    set_num_threads(4);
    {
        const thread_limit one(1);
        CHECK(num_threads() == 1);
        const auto self = std::this_thread::get_id();
        parallel_for(64, 1, [&](std::size_t, std::size_t) { CHECK(std::this_thread::get_id() == self); });
    }
    CHECK(num_threads() == 4);
}

#if defined(__unix__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked child computes on its own thread") {
    const restore_threads guard;
    set_num_threads(3);
    CHECK(visits(100, 1) == std::vector<int>(100, 1));
    const pid_t child = fork();
    if (child == 0) _exit(visits(100, 1) == std::vector<int>(100, 1) ? 0 : 1);
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
#endif
