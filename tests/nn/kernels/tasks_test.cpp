#include <ocelli/nn/kernels/detail/tasks.hpp>

#include <ocelli/core/thread_pool.hpp>

#include <doctest/doctest.h>

using namespace ocelli;
using namespace ocelli::nn::detail;

namespace {

struct installed {
    explicit installed(thread_pool& pool) { set_executor(&pool); }
    ~installed() { set_executor(nullptr); }
};

}  // namespace

TEST_CASE("parts are cut so that threads have as much each, where there are few of them and room for more") {
    thread_pool two(2), three(3);
    {
        const installed use(two);
        CHECK(even_parts(1, 4) == 2);
        CHECK(even_parts(3, 9) == 4);
        CHECK(even_parts(3, 3) == 3);    // no room
        CHECK(even_parts(1, 0) == 1);
        CHECK(even_parts(11, 20) == 12);
        CHECK(even_parts(33, 40) == 33);  // enough to be dealt out
        CHECK(even_grain(8, 1 << 20) == 1u);
        CHECK(even_grain(8, (1 << 16) / 3) == 2u);  // four times two, not three and three and two
        CHECK(even_grain(9, (1 << 16) / 3) == 3u);
        CHECK(even_grain(2, 1 << 10) == 64u);
        CHECK(tasks_for_threads(3) == 2);
        const thread_limit one(1);
        CHECK(even_parts(3, 9) == 3);
        CHECK(even_grain(8, (1 << 16) / 3) == 3u);
    }
    const installed use(three);
    CHECK(even_parts(1, 9) == 3);
    CHECK(even_parts(1, 2) == 1);
    CHECK(even_parts(4, 9) == 6);
    CHECK(even_grain(9, (1 << 16) / 2) == 2u);  // no six of nine: five are dealt out well enough
}

TEST_CASE("parts are as few as give the least time, with what each does beside its share") {
    thread_pool two(2), three(3);
    const auto with = [](std::int64_t each) { return [each](std::int64_t parts) { return (120 + parts - 1) / parts + each; }; };
    {
        const installed use(two);
        CHECK(parts_of_least_time(1, 9, 1, 1, with(2)) == 2);
        CHECK(parts_of_least_time(1, 9, 2, 1, with(2)) == 1);
        CHECK(parts_of_least_time(1, 9, 3, 1, with(2)) == 2);
        CHECK(parts_of_least_time(1, 9, 3, 1, with(100)) == 1);  // not worth what is done twice
        CHECK(parts_of_least_time(3, 9, 1, 1, with(2)) == 4);
        CHECK(parts_of_least_time(3, 3, 1, 1, with(2)) == 3);
        CHECK(parts_of_least_time(3, 1, 1, 1, with(2)) == 3);
        // Two units together, and one that is left: two parts, whose small tasks fill up what the large ones leave.
        CHECK(parts_of_least_time(1, 9, 2, 2, with(2)) == 2);
        CHECK(parts_of_least_time(1, 9, 3, 2, with(2)) == 2);
        CHECK(parts_of_least_time(1, 9, 4, 2, with(2)) == 1);
        CHECK(parts_of_least_time(1, 9, 5, 2, with(40)) == 1);
        CHECK(parts_of_least_time(1, 9, 1, 2, with(2)) == 2);
        const thread_limit one(1);
        CHECK(parts_of_least_time(3, 9, 1, 1, with(2)) == 3);
        CHECK(parts_of_least_time(1, 9, 3, 2, with(2)) == 1);
    }
    const installed use(three);
    CHECK(parts_of_least_time(1, 9, 1, 1, with(2)) == 3);
    CHECK(parts_of_least_time(1, 9, 4, 1, with(2)) == 3);
}
