// ctest: threads
#include <ocelli/nn/ops/detail/loops.hpp>

#include <doctest/doctest.h>

#include <set>
#include <vector>

namespace nn = ocelli::nn;

TEST_CASE("parallel_rows visits every element once, whatever the block") {
    const nn::dims shape = {3, 5, 7};
    for (const std::int64_t block : {1, 2, 7, 8, 100}) {
        nn::strided_loop<2> loop;
        loop.push(3, {1, 35});  // operand 0 walks the axes in the opposite order
        loop.push(5, {3, 7});
        loop.push(7, {15, 1});
        std::vector<int> seen(105, 0);
        std::vector<std::int64_t> from(105, -1);
        nn::detail::parallel_rows(loop, block, [&](const auto& at, std::int64_t n, const auto& step) {
            for (std::int64_t i = 0; i < n; ++i) {
                ++seen[static_cast<std::size_t>(at[1] + i * step[1])];
                from[static_cast<std::size_t>(at[1] + i * step[1])] = at[0] + i * step[0];
            }
        });
        CHECK(seen == std::vector<int>(105, 1));
        CHECK(std::set<std::int64_t>(from.begin(), from.end()).size() == 105);
        CHECK(from[static_cast<std::size_t>(1 * 35 + 2 * 7 + 3)] == 1 + 2 * 3 + 3 * 15);
    }
}

TEST_CASE("prefer_long_rows exchanges a short inner axis with a longer one") {
    nn::strided_loop<1> loop;
    loop.push(100, {5});
    loop.push(3, {2});
    nn::detail::prefer_long_rows(loop);
    CHECK(loop.extents == nn::dims{3, 100});
    CHECK(loop.strides[0] == nn::dims{2, 5});
}

TEST_CASE("move_words transposes, fills and reverses") {
    std::vector<std::uint32_t> x(70 * 50), y(70 * 50);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint32_t>(i);
    nn::strided_loop<2> transpose;
    transpose.push(50, {1, 70});
    transpose.push(70, {50, 1});
    nn::detail::move_words(x.data(), y.data(), transpose);
    bool right = true;
    for (std::size_t r = 0; r < 70; ++r)
        for (std::size_t c = 0; c < 50; ++c) right = right && y[c * 70 + r] == x[r * 50 + c];
    CHECK(right);
    nn::strided_loop<2> reverse;
    reverse.push(70 * 50, {-1, 1});
    nn::detail::move_words(x.data() + 70 * 50 - 1, y.data(), reverse);
    CHECK(y.front() == x.back());
    CHECK(y.back() == x.front());
    nn::strided_loop<2> fill;
    fill.push(70 * 50, {0, 1});
    nn::detail::move_words(x.data() + 9, y.data(), fill);
    CHECK(y == std::vector<std::uint32_t>(70 * 50, 9));
}
