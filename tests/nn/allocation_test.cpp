// What a run takes from the heap, counted by the program's own operator new.
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <support/fixtures.hpp>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<long> allocations{0};

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (alignment <= alignof(std::max_align_t)) return std::malloc(bytes == 0 ? 1 : bytes);
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment + (bytes == 0 ? alignment : 0));
}
void* allocate_or_throw(std::size_t bytes, std::size_t alignment = 1) {
    void* p = allocate(bytes, alignment);
    if (p == nullptr) throw std::bad_alloc();
    return p;
}

}  // namespace

#if defined(__GNUC__) && !defined(__clang__)
// Where it inlines only one of a pair, GCC takes free() for a mistake.
#    pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
void* operator new(std::size_t n) { return allocate_or_throw(n); }
void* operator new[](std::size_t n) { return allocate_or_throw(n); }
void* operator new(std::size_t n, std::align_val_t a) { return allocate_or_throw(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return allocate_or_throw(n, static_cast<std::size_t>(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, 1); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, 1); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return allocate(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return allocate(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { std::free(p); }

using namespace ocelli;
using namespace ocelli::nn;

namespace {

// x (1, 3, 96, 96) -> Conv 3x3 + Relu -> depthwise 3x3 -> Conv 1x1 + residual -> MaxPool -> Conv 3x3 -> Reshape -> y, and the pool's result;
// both, shuffled, -> two transposed convolutions -> t
graph network() {
    graph g;
    g.opsets[""] = 13;
    const auto weights = [&](const char* name, dims shape) {
        tensor t(dtype::float32, std::move(shape));
        for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = static_cast<float>(i * 7919 % 101) * 0.01f - 0.5f;
        return g.add_constant(name, t);
    };
    const auto node_of = [&](const char* op, const char* name, std::vector<attribute> attributes, std::vector<value_id> inputs) {
        const value_id out = g.add_value(name);
        g.add_node({.name = name, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {out}});
        return out;
    };
    const std::vector<std::int64_t> two{2, 2}, pads{1, 1, 1, 1};
    g.inputs = {g.add_value("x", {dtype::float32, symbolic_shape{1, 3, 96, 96}, {}})};
    const value_id a = node_of("Relu", "a", {}, {node_of("Conv", "c1", {{"pads", pads}}, {g.inputs[0], weights("w1", {16, 3, 3, 3})})});
    const value_id d = node_of("Conv", "d", {{"pads", pads}, {"group", std::int64_t{16}}}, {a, weights("w2", {16, 1, 3, 3})});
    const value_id r = node_of("Add", "r", {}, {node_of("Conv", "c3", {}, {d, weights("w3", {16, 16, 1, 1})}), a});
    const value_id p = node_of("MaxPool", "p", {{"kernel_shape", two}, {"strides", two}}, {r});
    const value_id c = node_of("Conv", "c4", {{"pads", pads}}, {p, weights("w4", {8, 16, 3, 3})});
    const value_id y = node_of("Reshape", "y", {}, {c, g.add_constant("shape", tensor::from<std::int64_t>({2}, {8, -1}))});
    const tensor order = tensor::from<std::int64_t>({12}, {1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10});
    const value_id q = node_of("Concat", "q", {{"axis", std::int64_t{1}}}, {node_of("Gather", "s", {{"axis", std::int64_t{1}}}, {p, g.add_constant("order", order)}), c});
    const value_id u = node_of("ConvTranspose", "u", {{"pads", pads}, {"strides", two}}, {q, weights("w5", {20, 16, 4, 4})});
    const value_id t = node_of("ConvTranspose", "t", {{"pads", pads}, {"strides", two}}, {u, weights("w6", {16, 2, 4, 4})});
    g.outputs = {y, p, t};
    infer_facts(g);
    return g;
}

struct restore_threads {
    ~restore_threads() { set_num_threads(0); }
};

}  // namespace

TEST_CASE("the counter counts") {
    const long before = allocations;
    ::operator delete(::operator new(4));  // called by name: a compiler may leave out `delete new int`, as Clang does
    CHECK(allocations - before == 1);
}

TEST_CASE("a run into the caller's memory allocates nothing from the second one on, with one thread and with several") {
    const restore_threads guard;
    for (const std::size_t threads : {1u, 2u, 3u}) {
        set_num_threads(threads);
        const session net(network());
        REQUIRE(net.explain().find("reference: Conv") == std::string::npos);
        REQUIRE(net.explain().find("blocked_transpose_winograd") != std::string::npos);
        REQUIRE(net.explain().find("blocked_transpose_columns") != std::string::npos);
        xt::xtensor<float, 4> x = xt::ones<float>({1, 3, 96, 96}), p = xt::zeros<float>({1, 16, 48, 48});
        xt::xtensor<float, 2> y = xt::zeros<float>({8, 2304});
        xt::xtensor<float, 4> t = xt::zeros<float>({1, 2, 192, 192});
        const feed_list feeds{{"x", x}};
        const output_list outputs{{"y", y}, {"p", p}, {"t", t}}, one{{"p", p}};
        const run_options options;
        const auto expected = net.run(feeds);
        for (int i = 0; i < 20; ++i) {  // helpers may come late: each thread that works once has its memory
            net.run(feeds, outputs, options);
            net.run(feeds, one, options);
        }
        long least = 1000;
        for (int round = 0; round < 5; ++round) {
            const long before = allocations;
            for (int i = 0; i < 10; ++i) net.run(feeds, outputs, options);
            for (int i = 0; i < 10; ++i) net.run(feeds, one, options);
            least = std::min(least, allocations - before);
        }
        CHECK(least == 0);
        CHECK(std::memcmp(y.data(), expected["y"].raw(), expected["y"].bytes()) == 0);
        CHECK(std::memcmp(t.data(), expected["t"].raw(), expected["t"].bytes()) == 0);
        CHECK(std::memcmp(p.data(), expected["p"].raw(), expected["p"].bytes()) == 0);
    }
}

TEST_CASE("nor does a run on bytes") {
    const restore_threads guard;
    graph g;
    g.opsets[""] = 13;
    const auto add = [&](const char* op, std::vector<value_id> inputs, std::vector<attribute> attributes = {}) {
        const value_id y = g.add_value("");
        g.add_node({.name = op, .op = op, .attributes = std::move(attributes), .inputs = std::move(inputs), .outputs = {y}});
        return y;
    };
    const auto filled = [&](dtype type, dims shape, int value) {
        tensor t(type, std::move(shape));
        std::memset(t.mutable_raw(), value, t.bytes());
        return g.add_constant("", t);
    };
    const value_id scale = g.add_constant("", tensor::scalar(0.05f)), zero = filled(dtype::uint8, {}, 100), none = filled(dtype::int8, {}, 0);
    const auto quantized = [&](value_id v) { return add("DequantizeLinear", {add("QuantizeLinear", {v, scale, zero}), scale, zero}); };
    const auto weights = [&](dims shape) { return add("DequantizeLinear", {filled(dtype::int8, std::move(shape), 3), scale, none}); };
    const value_id x = g.add_value("x", {dtype::float32, symbolic_shape{1, 3, 60, 60}, {}});
    g.inputs = {x};
    const std::vector<attribute> same{{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
    value_id v = quantized(add("Relu", {add("Conv", {quantized(x), weights({24, 3, 3, 3})}, same)}));
    v = quantized(add("Add", {v, quantized(add("Conv", {v, weights({24, 24, 3, 3})}, same))}));
    v = quantized(add("Mul", {v, quantized(add("Sigmoid", {quantized(add("GlobalAveragePool", {v}))}))}));
    v = quantized(add("MaxPool", {v}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}, {"strides", std::vector<std::int64_t>{2, 2}}}));
    v = quantized(add("GlobalAveragePool", {v}));
    v = add("MatMul", {quantized(add("Flatten", {v})), weights({24, 5})});
    g.outputs = {v};
    g.at(v).name = "y";
    for (const std::size_t threads : {1u, 3u}) {
        set_num_threads(threads);
        const session net(g);
        REQUIRE(net.explain().find("reference: Q") == std::string::npos);
        xt::xtensor<float, 4> image = xt::ones<float>({1, 3, 60, 60});
        xt::xtensor<float, 2> y = xt::zeros<float>({1, 5});
        const feed_list feeds{{"x", image}};
        const output_list outputs{{"y", y}};
        const run_options options;
        for (int i = 0; i < 20; ++i) net.run(feeds, outputs, options);
        long least = 1000;
        for (int round = 0; round < 5; ++round) {
            const long before = allocations;
            for (int i = 0; i < 10; ++i) net.run(feeds, outputs, options);
            least = std::min(least, allocations - before);
        }
        CHECK(least == 0);
    }
}
