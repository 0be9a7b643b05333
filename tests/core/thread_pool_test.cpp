// ctest: threads
#include <ocelli/core/thread_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

using namespace ocelli;

TEST_CASE("a pool counts the caller among its threads, and has at least that one") {
    CHECK(thread_pool(0).concurrency() == 1);
    CHECK(thread_pool(1).concurrency() == 1);
    CHECK(thread_pool(5).concurrency() == 5);
}

TEST_CASE("tasks run on as many other threads as were asked for, at the same time") {
    std::mutex mutex;
    std::condition_variable met;
    std::set<std::thread::id> seen;
    thread_pool pool(3);
    pool.run(2, [&] {
        std::unique_lock lock(mutex);
        seen.insert(std::this_thread::get_id());
        met.notify_all();
        met.wait(lock, [&] { return seen.size() == 2; });  // returns only if both are here together
    });
    std::unique_lock lock(mutex);
    met.wait(lock, [&] { return seen.size() == 2; });
    CHECK(seen.count(std::this_thread::get_id()) == 0);
}

TEST_CASE("a pool of one thread starts nothing, and none gets more tasks than it has workers") {
    std::atomic<int> calls{0};
    {
        thread_pool alone(1);
        alone.run(4, [&] { ++calls; });
    }
    CHECK(calls == 0);
    {
        thread_pool two(2);
        two.run(0, [&] { ++calls; });
        two.run(100, [&] { ++calls; });
    }
    CHECK(calls == 1);
}

TEST_CASE("a pool that ends finishes what it was given") {
    std::atomic<int> calls{0};
    {
        thread_pool pool(4);
        for (int i = 0; i < 50; ++i) pool.run(3, [&] { ++calls; });
    }
    CHECK(calls == 150);
}
