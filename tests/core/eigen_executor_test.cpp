#include <ocelli/core/eigen_executor.hpp>

#include <doctest/doctest.h>

#include <vector>

TEST_CASE("loops run on an Eigen pool, and every index once") {
    Eigen::ThreadPool pool(2);
    ocelli::eigen_executor on_eigen(pool);
    ocelli::set_executor(&on_eigen);
    CHECK(ocelli::num_threads() == 3);
    std::vector<int> seen(1000, 0);
    ocelli::parallel_for(seen.size(), 10, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) ++seen[i];
    });
    ocelli::set_executor(nullptr);
    CHECK(seen == std::vector<int>(1000, 1));
}
