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

namespace {

// Every part lies where its join says, or shares no byte of the whole while both are alive; requests that are no parts of each other are apart.
void check_joined(const std::vector<buffer_request>& requests, const std::vector<buffer_join>& joins, const memory_layout& layout, std::size_t in_place) {
    const auto inside = [&](std::size_t a, std::size_t b) {
        return layout.offsets[a] >= layout.offsets[b] && layout.offsets[a] + requests[a].bytes <= layout.offsets[b] + requests[b].bytes;
    };
    std::size_t found = 0;
    for (const buffer_join& j : joins)
        for (std::size_t i = 0; i < j.parts.size(); ++i) found += layout.offsets[j.parts[i]] == layout.offsets[j.whole] + j.offsets[i];
    CHECK(found == in_place);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        REQUIRE(layout.offsets[i] + requests[i].bytes <= layout.bytes);
        for (std::size_t j = 0; j < i; ++j) {
            if (requests[i].last < requests[j].first || requests[j].last < requests[i].first || inside(i, j) || inside(j, i)) continue;
            REQUIRE((layout.offsets[i] + requests[i].bytes <= layout.offsets[j] || layout.offsets[j] + requests[j].bytes <= layout.offsets[i]));
        }
    }
}

}  // namespace

TEST_CASE("parts lie in their whole, also where it is a part itself, and the whole lives as long as any of them") {
    // 0 and 1 make 2, which 3 follows in 4; 0 is read once more behind that; 5 and 6 live beside the parts.
    const std::vector<buffer_request> requests{{128, 0, 9}, {192, 1, 2}, {320, 2, 4}, {64, 3, 4}, {384, 4, 5}, {320, 0, 3}, {384, 6, 9}};
    const std::vector<buffer_join> joins{{2, {0, 1}, {0, 128}}, {4, {2, 3}, {0, 320}}};
    const memory_layout layout = place_buffers(requests, joins);
    check_joined(requests, joins, layout, 4);
    CHECK(layout.offsets[1] == layout.offsets[4] + 128);
    // Buffer 6 is written while 0, in 4, is still read.
    CHECK((layout.offsets[6] >= layout.offsets[4] + 384 || layout.offsets[4] >= layout.offsets[6] + 384));
}

TEST_CASE("wholes that begin with the same parts lie in each other") {
    // What a dense block makes: 0 1, 0 1 2, 0 1 2 3.
    const std::vector<buffer_request> requests{{64, 0, 8}, {64, 1, 8}, {128, 2, 3}, {64, 3, 8}, {192, 4, 5}, {64, 5, 8}, {256, 8, 9}};
    const std::vector<buffer_join> joins{{2, {0, 1}, {0, 64}}, {4, {0, 1, 3}, {0, 64, 128}}, {6, {0, 1, 3, 5}, {0, 64, 128, 192}}};
    const memory_layout layout = place_buffers(requests, joins);
    check_joined(requests, joins, layout, 9);
    CHECK(layout.bytes == 256);
}

TEST_CASE("parts stay apart that do not begin at a multiple of 64, are taken twice, or would take much more memory") {
    const std::vector<buffer_request> odd{{100, 0, 2}, {100, 1, 2}, {200, 2, 3}};
    const std::vector<buffer_join> at_100{{2, {0, 1}, {0, 100}}};
    check_joined(odd, at_100, place_buffers(odd, at_100), 1);
    const std::vector<buffer_request> twice{{64, 0, 2}, {128, 2, 3}};
    const std::vector<buffer_join> both{{1, {0, 0}, {0, 64}}};
    check_joined(twice, both, place_buffers(twice, both), 1);
    // The whole would live from the beginning, beside a large buffer.
    const std::vector<buffer_request> early{{64, 0, 3}, {6400, 1, 2}, {6400, 3, 4}};
    const std::vector<buffer_join> late{{2, {0}, {0}}};
    const memory_layout layout = place_buffers(early, late);
    CHECK(layout.bytes == 6464);
    check_joined(early, late, layout, 0);
    CHECK(place_buffers(odd, std::vector<buffer_join>{}).offsets == place_buffers(odd).offsets);
}

TEST_CASE("random joins never put two values that are needed at once into the same bytes") {
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        CAPTURE(round);
        std::vector<buffer_request> requests;
        std::vector<buffer_join> joins;
        const std::size_t steps = 24;
        for (std::size_t step = 0; step < steps; ++step) {
            requests.push_back({64 * (1 + random() % 4), step, step});
            if (step == 0 || random() % 2 == 0) continue;
            buffer_join j{step, {}, {}};
            requests[step].bytes = 0;
            for (std::size_t i = 0, n = 1 + random() % 4; i < n; ++i) {
                const std::size_t part = random() % step;
                requests[part].last = step;
                j.parts.push_back(part);
                j.offsets.push_back(requests[step].bytes);
                requests[step].bytes += requests[part].bytes;
            }
            joins.push_back(j);
        }
        for (std::size_t i = 0; i < steps; ++i)
            if (random() % 3 == 0) requests[i].last = std::max<std::size_t>(requests[i].last, i + random() % (steps - i));
        const memory_layout layout = place_buffers(requests, joins);
        // Runs it: every byte of a value keeps what was written, up to its last use.
        std::vector<int> memory(layout.bytes / 64, -1);
        std::vector<std::vector<int>> wanted(steps);
        int next = 0;
        for (std::size_t step = 0, join = 0; step < steps; ++step) {
            const std::size_t at = layout.offsets[step] / 64, blocks = requests[step].bytes / 64;
            if (join < joins.size() && joins[join].whole == step) {
                const buffer_join& j = joins[join++];
                std::vector<int> result;
                for (std::size_t i = 0; i < j.parts.size(); ++i) {
                    const std::size_t from = layout.offsets[j.parts[i]] / 64;
                    for (std::size_t b = 0; b < wanted[j.parts[i]].size(); ++b) {
                        result.push_back(memory[from + b]);
                        if (from != at + j.offsets[i] / 64) memory[at + j.offsets[i] / 64 + b] = memory[from + b];
                    }
                }
                wanted[step] = result;
            } else {
                for (std::size_t b = 0; b < blocks; ++b) wanted[step].push_back(memory[at + b] = next++);
            }
            for (std::size_t i = 0; i <= step; ++i)
                for (std::size_t b = 0; requests[i].last >= step && b < wanted[i].size(); ++b) REQUIRE(memory[layout.offsets[i] / 64 + b] == wanted[i][b]);
        }
    }
}
