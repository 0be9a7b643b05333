#include <ocelli/core/error.hpp>
#include <ocelli/nn/planner/memory.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace ocelli::nn;

namespace {

// The most that is alive at once: no layout can be smaller.
std::size_t floor_of(const std::vector<buffer_request>& requests) {
    std::size_t most = 0;
    for (std::size_t step = 0; step < 64; ++step) {
        std::size_t alive = 0;
        for (const buffer_request& r : requests)
            if (r.first <= step && step <= r.last) alive += (r.bytes + 63) / 64 * 64;
        most = std::max(most, alive);
    }
    return most;
}

void check_apart(const std::vector<buffer_request>& requests, const memory_layout& layout) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
        REQUIRE(layout.offsets[i] % 64 == 0);
        REQUIRE(layout.offsets[i] + requests[i].bytes <= layout.bytes);
        for (std::size_t j = 0; j < i; ++j) {
            if (requests[i].last < requests[j].first || requests[j].last < requests[i].first) continue;
            REQUIRE((layout.offsets[i] + requests[i].bytes <= layout.offsets[j] || layout.offsets[j] + requests[j].bytes <= layout.offsets[i]));
        }
    }
}

}  // namespace

TEST_CASE("buffers of a chain share two places") {
    std::vector<buffer_request> chain;
    for (std::size_t i = 0; i < 10; ++i) chain.push_back({1000, i, i + 1});
    const memory_layout layout = place_buffers(chain);
    check_apart(chain, layout);
    CHECK(layout.bytes == 2 * 1024);
}

TEST_CASE("buffers that live together never overlap, and little is wasted") {
    std::mt19937 random(3);
    for (int round = 0; round < 50; ++round) {
        std::vector<buffer_request> requests;
        for (int i = 0; i < 40; ++i) {
            const std::size_t first = random() % 60;
            requests.push_back({random() % 5000, first, std::min<std::size_t>(63, first + random() % 6)});
        }
        const memory_layout layout = place_buffers(requests);
        check_apart(requests, layout);
        CHECK(layout.bytes <= floor_of(requests) * 3 / 2);
    }
    CHECK(place_buffers({}).bytes == 0);
}

TEST_CASE("buffers larger than any memory are refused, also where their sum would wrap around") {
    const std::size_t half = std::size_t{1} << (sizeof(std::size_t) * 8 - 1);
    CHECK_THROWS_WITH_AS(place_buffers({{half, 0, 1}, {half, 0, 1}}), "place_buffers: the buffers are larger than any memory", ocelli::invalid_argument);
    CHECK_THROWS_AS(place_buffers({{~std::size_t{0}, 0, 1}}), ocelli::invalid_argument);
    CHECK_THROWS_AS(place_buffers({{half / 3, 0, 1}, {half / 3, 2, 3}}), ocelli::invalid_argument);
}
