#include <ocelli/nn/memory.hpp>
#include <ocelli/nn/tensor.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

TEST_CASE("a limit on memory holds for the tensors of a thread while it lives, and the smallest counts") {
    {
        const memory_limit outer(1000);
        CHECK_NOTHROW(tensor(dtype::float32, {250}));
        CHECK_THROWS_WITH_AS(tensor(dtype::float32, {251}), "tensor: shape (251) of float32 needs more than the limit of 1000 bytes (memory_limit)", invalid_argument);
        {
            const memory_limit inner(100), wider(5000), none(0);
            CHECK_THROWS_AS(tensor(dtype::float32, {26}), invalid_argument);
        }
        CHECK_NOTHROW(tensor(dtype::float32, {250}));
    }
    CHECK_NOTHROW(tensor(dtype::float32, {251}));
    {
        // What is alive counts, all together, also what another limit's tensors hold inside.
        const memory_limit outer(1000);
        tensor kept(dtype::float32, {100});
        CHECK(memory_limit::current() == 600);
        {
            const memory_limit inner(500);
            tensor more(dtype::float32, {100});
            CHECK(memory_limit::current() == 100);
            CHECK_THROWS_WITH_AS(tensor(dtype::float32, {100}), "tensor: 400 bytes are more than the limit of 500 bytes allows, of which 400 are in use (memory_limit)",
                                 invalid_argument);
            kept = more;  // outlives the limit
        }
        CHECK(memory_limit::current() == 600);
        CHECK_NOTHROW(tensor(dtype::float32, {150}));
        kept = tensor();
        CHECK_NOTHROW(tensor(dtype::float32, {250}));
    }
    // Without one: half of the machine's memory, whatever the extents.
    CHECK_THROWS_AS(tensor(dtype::float64, {std::int64_t{1} << 61}), invalid_argument);
}

// The address sanitizer's builds pool nothing.
TEST_CASE("a pool gives a tensor the memory that another has let go of") {
    constexpr bool pools = nn::detail::pools_memory;
    const memory_pool pool;
    const memory_pool::scope here(pool);
    const void* memory = nullptr;
    {
        const tensor t(dtype::float32, {100000});
        memory = t.raw();
        const tensor other(dtype::float32, {100000});
        CHECK(other.raw() != memory);
        CHECK(pool.idle_bytes() == 0);
    }
    CHECK(pool.idle_bytes() == (pools ? 800000 : 0));
    {
        // A little smaller fits; `other` was let go of first, and is found first or second.
        const tensor first(dtype::uint8, {390000}), second(dtype::int64, {50000});
        if (pools) CHECK((first.raw() == memory || second.raw() == memory));
        CHECK(pool.idle_bytes() == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(first.raw()) % 64 == 0);
    }
    // Nothing fits much smaller ones, and small ones are none of its business.
    CHECK(pool.idle_bytes() == (pools ? 800000 : 0));
    const tensor small(dtype::uint8, {1000});
    CHECK(pool.idle_bytes() == (pools ? 800000 : 0));
}

TEST_CASE("a pool keeps the blocks of tensors that follow each other, up to three times what was in use at once") {
    constexpr bool pools = nn::detail::pools_memory;
    const memory_pool pool;
    const memory_pool::scope here(pool);
    const auto memory_of = [](std::int64_t bytes) { return tensor(dtype::uint8, {bytes}).raw(); };
    const void* const first = memory_of(400000);
    const void* const second = memory_of(700000);
    CHECK(pool.idle_bytes() == (pools ? 1100000 : 0));
    for (int run = 0; pools && run < 3; ++run) {
        CHECK(memory_of(400000) == first);
        CHECK(memory_of(700000) == second);
    }
    memory_of(150000);
    CHECK(pool.idle_bytes() == (pools ? 1250000 : 0));
    memory_of(200000);
    memory_of(300000);
    CHECK(pool.idle_bytes() == (pools ? 1750000 : 0));
    // The oldest that is not asked for goes: that of 400000.
    memory_of(500000);
    CHECK(pool.idle_bytes() == (pools ? 1850000 : 0));
    if (pools) CHECK(memory_of(700000) == second);
}

TEST_CASE("a pool's tensors count for the limits, and outlive the pool") {
    tensor kept;
    {
        const memory_pool pool;
        const memory_pool::scope here(pool);
        const memory_limit limit(1000000);
        kept = tensor::zeros(dtype::uint8, {600000});
        CHECK_THROWS_AS(tensor(dtype::uint8, {600000}), invalid_argument);
        { const tensor other(dtype::uint8, {400000}); }
        CHECK(memory_limit::current() == 400000);
        // Let go of in another thread.
        std::thread([&] { kept = tensor(); }).join();
        CHECK(memory_limit::current() == 1000000);
        kept = tensor::zeros(dtype::uint8, {600000});
    }
    CHECK(kept.data<std::uint8_t>()[599999] == 0);
}

TEST_CASE("a slab's tensors stand side by side, count for the limits and outlive the slab") {
    constexpr bool slabs = nn::detail::pools_memory;
    tensor kept;
    {
        memory_slab slab;
        slab.expect(300000);
        const memory_slab::scope here(slab);
        const memory_limit limit(10000000);
        kept = tensor::zeros(dtype::uint8, {100001});
        const tensor next(dtype::uint8, {64});
        CHECK(reinterpret_cast<std::uintptr_t>(next.raw()) % 64 == 0);
        if (slabs) CHECK(static_cast<const char*>(next.raw()) == static_cast<const char*>(kept.raw()) + 100032);
        CHECK(memory_limit::current() == 10000000 - 100001 - 64);
        const void* last = nullptr;
        {
            const tensor passing(dtype::uint8, {5000});
            last = passing.raw();
        }
        if (slabs) CHECK(tensor(dtype::uint8, {100}).raw() == last);
        // More than was expected, much more, and one with a block of its own.
        for (const std::int64_t bytes : std::initializer_list<std::int64_t>{250000, 1000000, static_cast<std::int64_t>(memory_slab::too_large), 70}) {
            tensor t(dtype::uint8, {bytes});
            std::memset(t.mutable_raw(), 3, t.bytes());
            CHECK(reinterpret_cast<std::uintptr_t>(t.raw()) % 64 == 0);
        }
        CHECK_THROWS_AS(tensor(dtype::uint8, {10000000}), invalid_argument);
        CHECK(memory_limit::current() == 10000000 - 100001 - 64);
    }
    CHECK(kept.data<std::uint8_t>()[100000] == 0);
}

TEST_CASE("a slab that expects many large pages can be written to its end, from several threads") {
    memory_slab slab;
    slab.expect(std::size_t{11} << 20);
    const auto fill = [&] {
        const memory_slab::scope here(slab);
        std::vector<tensor> all;
        for (int i = 0; i < 40; ++i) {
            all.emplace_back(dtype::uint8, dims{70000 + 10000 * i});
            std::memset(all.back().mutable_raw(), i, all.back().bytes());
        }
        for (int i = 0; i < 40; ++i) {
            const auto* p = all[static_cast<std::size_t>(i)].data<std::uint8_t>();
            CHECK((p[0] == i && p[all[static_cast<std::size_t>(i)].size() - 1] == i));
        }
    };
    std::thread other(fill);
    fill();
    other.join();
}

TEST_CASE("blocks of all sizes about the system's large pages can be written to their ends") {
    for (const std::int64_t megabytes : std::initializer_list<std::int64_t>{1, 2, 4, 5, 6, 9, 33})
        for (const std::int64_t more : std::initializer_list<std::int64_t>{-4096, -1, 0, 1, 4096}) {
            tensor t(dtype::uint8, {(megabytes << 20) + more});
            std::memset(t.mutable_raw(), 7, t.bytes());
            CHECK(t.data<std::uint8_t>()[t.size() - 1] == 7);
        }
}
