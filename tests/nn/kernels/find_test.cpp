#include <support/nodes.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/find.hpp>

#include <algorithm>
#include <cmath>

using namespace nodes;

namespace {

bool same_ints(const tensor& a, const tensor& b) {
    return a.type() == dtype::int64 && b.type() == dtype::int64 && a.shape() == b.shape() &&
           std::equal(a.data<std::int64_t>(), a.data<std::int64_t>() + a.size(), b.data<std::int64_t>());
}

tensor random_marks(const dims& shape, unsigned seed, unsigned of) {
    std::mt19937 random(seed);
    tensor t(dtype::boolean, shape);
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<bool>()[i] = random() % 1024 < of;
    return t;
}

}  // namespace

TEST_CASE("NonZero of marks agrees with the reference, whatever the shape and however many are set") {
    unsigned seed = 0;
    for (const dims& shape : {dims{1}, dims{7}, dims{8}, dims{64}, dims{200003}, dims{3, 70001}, dims{501, 4}, dims{2, 3, 5, 67}, dims{0}, dims{4, 0, 3}, dims{1, 1, 1}})
        for (const unsigned of : std::initializer_list<unsigned>{0, 1, 30, 512, 1024}) {
            CAPTURE(shape);
            CAPTURE(of);
            const result r = run_node({.op = "NonZero"}, {random_marks(shape, ++seed, of)});
            CHECK(r.kernel == "find_marked");
            CHECK(same_ints(r.outputs[0], r.expected[0]));
        }
}

TEST_CASE("marks are set by any byte that is not zero, and the same places are found by any number of threads") {
    std::vector<std::uint8_t> marks(300007, 0);
    std::vector<std::int64_t> expected;
    std::mt19937 random(3);
    for (std::size_t i = 0; i < marks.size(); ++i)
        if (random() % 5 == 0) {
            marks[i] = static_cast<std::uint8_t>(1 + random() % 255);
            expected.push_back(static_cast<std::int64_t>(i));
        }
    for (const std::size_t threads : std::initializer_list<std::size_t>{1, 2, 3}) {
        const thread_limit limit(threads);
        const marked_places found(static_cast<std::int64_t>(marks.size()), marks.data());
        REQUIRE(found.count() == static_cast<std::int64_t>(expected.size()));
        std::vector<std::int64_t> places(expected.size());
        found.write(places.data());
        CHECK(places == expected);
    }
}

TEST_CASE("TopK agrees with the reference: equal ones in order, NaN above all, both zeros equal") {
    unsigned seed = 0;
    for (const dims& shape : {dims{5}, dims{3, 67}, dims{20000}, dims{2, 2, 3000}})
        for (const std::int64_t largest : std::initializer_list<std::int64_t>{0, 1})
            for (const std::int64_t k : {std::int64_t{0}, std::int64_t{1}, std::min<std::int64_t>(300, shape.back() / 2), shape.back()})
                for (const int kind : std::initializer_list<int>{0, 1, 2, 3}) {
                    CAPTURE(shape);
                    CAPTURE(largest);
                    CAPTURE(k);
                    CAPTURE(kind);
                    tensor x = random_tensor(shape, ++seed, -3, 3);
                    float* p = x.mutable_data<float>();
                    const float special[] = {qnan, infinity, -infinity, 0.0f, -0.0f};
                    for (std::int64_t i = 0; i < x.size(); ++i) {
                        if (kind == 1) p[i] = i % 29 < 5 ? special[i % 29] : std::round(p[i]);  // many equal ones
                        else if (kind == 2) p[i] = static_cast<float>(i);                      // each is better than those before
                        else if (kind == 3) p[i] = static_cast<float>(-i);
                    }
                    const node n{.op = "TopK", .attributes = {{"largest", largest}}};
                    const result r = run_node(n, {x, tensor::from<std::int64_t>({1}, {k})}, {}, 18, 2);
                    CHECK(r.kernel == "find_top");
                    CHECK(error_of(r, 1e-30) == 0);
                    CHECK(same_ints(r.outputs[1], r.expected[1]));
                }
}

TEST_CASE("TopK along another axis, of an attribute, and of too many") {
    const tensor x = random_tensor({4, 9, 5}, 1);
    const result along = run_node({.op = "TopK", .attributes = {{"axis", std::int64_t{1}}}}, {x, tensor::from<std::int64_t>({1}, {3})}, {}, 18, 2);
    CHECK(error_of(along, 1e-30) == 0);
    CHECK(same_ints(along.outputs[1], along.expected[1]));
    const result old = run_node({.op = "TopK", .attributes = {{"k", std::int64_t{4}}}}, {x}, {}, 9, 2);
    CHECK(old.kernel == "find_top");
    CHECK(error_of(old, 1e-30) == 0);
    CHECK(same_ints(old.outputs[1], old.expected[1]));
    CHECK_THROWS_AS(run_node({.op = "TopK"}, {x, tensor::from<std::int64_t>({1}, {6})}, {}, 18, 2), invalid_argument);
    CHECK_THROWS_AS(run_node({.op = "TopK"}, {x, tensor::from<std::int64_t>({1}, {-1})}, {}, 18, 2), invalid_argument);
}
