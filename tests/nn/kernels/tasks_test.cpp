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
        CHECK(even_parts(1, 4, 1) == 2);
        CHECK(even_parts(3, 9, 1) == 4);
        CHECK(even_parts(3, 9, 2) == 3);
        CHECK(even_parts(3, 3, 1) == 3);   // no room
        CHECK(even_parts(1, 0, 1) == 1);
        CHECK(even_parts(9, 20, 1) == 9);  // enough to be dealt out
        CHECK(tasks_for_threads(3) == 2);
        const thread_limit one(1);
        CHECK(even_parts(3, 9, 1) == 3);
    }
    const installed use(three);
    CHECK(even_parts(1, 9, 1) == 3);
    CHECK(even_parts(1, 2, 1) == 1);
    CHECK(even_parts(4, 9, 1) == 6);
    CHECK(even_parts(2, 9, 5) == 2);  // fifteen are dealt out well enough, but so are ten
}
