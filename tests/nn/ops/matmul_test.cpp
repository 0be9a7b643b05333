#include <support/operators.hpp>

#include <array>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

namespace {

// Small integers: sums are exact in any order.
tensor pattern(dims shape, std::int64_t seed) {
    tensor t(nn::dtype::float32, std::move(shape));
    for (std::int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[i] = static_cast<float>((i * 7 + seed * 13) % 11 - 5);
    return t;
}

std::vector<float> plain_product(const tensor& a, const tensor& b, std::int64_t m, std::int64_t n, std::int64_t k, bool ta = false, bool tb = false) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
            float sum = 0;
            for (std::int64_t p = 0; p < k; ++p) sum += a.data<float>()[ta ? p * m + i : i * k + p] * b.data<float>()[tb ? j * k + p : p * n + j];
            out.push_back(sum);
        }
    return out;
}

}  // namespace

TEST_CASE("MatMul agrees with the plain sum for sizes around its blocks") {
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1}, {3, 5, 4}, {4, 256, 8}, {5, 257, 9}, {1, 300, 33}, {33, 1, 300}, {9, 513, 17}}) {
        const tensor a = pattern({m, k}, 1), b = pattern({k, n}, 2);
        CHECK(elements<float>(run("MatMul", 13, {a, b})) == plain_product(a, b, m, n, k));
    }
}

TEST_CASE("MatMul broadcasts batches and takes vectors") {
    const tensor a = pattern({2, 1, 3, 4}, 1), b = pattern({5, 4, 2}, 2);
    const tensor y = run("MatMul", 13, {a, b});
    CHECK(y.shape() == dims{2, 5, 3, 2});
    for (std::int64_t i = 0; i < 2; ++i)
        for (std::int64_t j = 0; j < 5; ++j) {
            const tensor left = tensor::from<float>({3, 4}, std::span(a.data<float>() + i * 12, 12)), right = tensor::from<float>({4, 2}, std::span(b.data<float>() + j * 8, 8));
            const float* block = y.data<float>() + (i * 5 + j) * 6;
            CHECK(std::vector<float>(block, block + 6) == plain_product(left, right, 3, 2, 4));
        }
    const tensor v = floats({2}, {1, 2}), m = floats({2, 3}, {1, 2, 3, 4, 5, 6});
    CHECK(run("MatMul", 13, {v, m}).shape() == dims{3});
    CHECK(elements<float>(run("MatMul", 13, {v, m})) == std::vector<float>{9, 12, 15});
    const tensor scalar = run("MatMul", 13, {v, v});
    CHECK(scalar.shape() == dims{});
    CHECK(elements<float>(scalar) == std::vector<float>{5});
    CHECK(elements<float>(run("MatMul", 13, {floats({2, 0}, {}), floats({0, 2}, {})})) == std::vector<float>{0, 0, 0, 0});
    CHECK(elements<std::int64_t>(run("MatMul", 13, {list({2, 3}), list({-4, 5})})) == std::vector<std::int64_t>{7});
    CHECK(elements<float>(run("MatMul", 13, {v.cast(nn::dtype::float16), m.cast(nn::dtype::float16)}).cast(nn::dtype::float32)) ==
          std::vector<float>{9, 12, 15});
    CHECK_REFUSED(invalid_argument, run("MatMul", 13, {m, m}), "do not multiply");
    CHECK_REFUSED(invalid_argument, run("MatMul", 13, {floats({}, {1}), m}), "rank 1");
    CHECK_REFUSED(unsupported_operator, run("MatMul", 13, {of<std::int8_t>({1}, {1}), of<std::int8_t>({1}, {1})}), "int8");
}

TEST_CASE("Gemm transposes, scales and adds a broadcast C") {
    for (const bool ta : {false, true})
        for (const bool tb : {false, true}) {
            const std::int64_t m = 6, n = 259, k = 19;
            const tensor a = pattern(ta ? dims{k, m} : dims{m, k}, 1), b = pattern(tb ? dims{n, k} : dims{k, n}, 2), c = pattern({n}, 3);
            std::vector<float> expected = plain_product(a, b, m, n, k, ta, tb);
            for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = 0.5f * expected[i] + 2 * c.data<float>()[i % static_cast<std::size_t>(n)];
            const tensor y = run("Gemm", 13, {a, b, c}, {number("transA", ta), number("transB", tb), real("alpha", 0.5f), real("beta", 2)});
            CHECK(elements<float>(y) == expected);
        }
    const tensor one = floats({1, 2}, {1, 2}), two = floats({2, 1}, {3, 4});
    CHECK(elements<float>(run("Gemm", 13, {one, two})) == std::vector<float>{11});
    CHECK(elements<float>(run("Gemm", 13, {two, one, floats({2, 1}, {1, 2})})) == std::vector<float>{4, 7, 6, 10});
    CHECK(elements<float>(run("Gemm", 6, {two, one, floats({2}, {1, 2})}, {number("broadcast", 1)})) == std::vector<float>{4, 8, 5, 10});
    CHECK(elements<std::int32_t>(run("Gemm", 13, {of<std::int32_t>({1, 2}, {1, -2}), of<std::int32_t>({2, 1}, {3, 4})}, {real("alpha", 2)})) ==
          std::vector<std::int32_t>{-10});
    CHECK_REFUSED(invalid_argument, run("Gemm", 13, {one, one}), "do not multiply");
    CHECK_REFUSED(invalid_argument, run("Gemm", 13, {one, two, floats({2}, {1, 2})}), "does not broadcast");
}

TEST_CASE("Einsum reads equations of every kind") {
    const auto einsum = [](std::string equation, std::vector<tensor> inputs) { return run("Einsum", 12, std::move(inputs), {word("equation", std::move(equation))}); };
    const tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = floats({3, 2}, {1, 2, 3, 4, 5, 6}), v = floats({3}, {1, 10, 100});
    CHECK(elements<float>(einsum("ij,jk->ik", {a, b})) == elements<float>(run("MatMul", 13, {a, b})));
    CHECK(elements<float>(einsum("ij, jk", {a, b})) == elements<float>(run("MatMul", 13, {a, b})));
    CHECK(elements<float>(einsum("ij,jk->ki", {a, b})) == std::vector<float>{22, 49, 28, 64});
    CHECK(elements<float>(einsum("ij->ji", {a})) == std::vector<float>{1, 4, 2, 5, 3, 6});
    CHECK(elements<float>(einsum("ij->i", {a})) == std::vector<float>{6, 15});
    CHECK(elements<float>(einsum("ij->", {a})) == std::vector<float>{21});
    CHECK(elements<float>(einsum("ij,j->i", {a, v})) == std::vector<float>{321, 654});
    CHECK(elements<float>(einsum("i,j->ij", {floats({2}, {1, 2}), v})) == std::vector<float>{1, 10, 100, 2, 20, 200});
    CHECK(elements<float>(einsum("ii->i", {floats({2, 2}, {1, 2, 3, 4})})) == std::vector<float>{1, 4});
    CHECK(elements<float>(einsum("ii", {floats({2, 2}, {1, 2, 3, 4})})) == std::vector<float>{5});
    CHECK(elements<float>(einsum("...ij,...jk->...ik", {floats({2, 1, 2}, {1, 2, 3, 4}), floats({2, 2, 1}, {1, 2, 3, 4})})) == std::vector<float>{5, 25});
    CHECK(elements<float>(einsum("...j->...", {a})) == std::vector<float>{6, 15});
    CHECK(elements<float>(einsum("...,...", {floats({2, 1}, {1, 2}), floats({3}, {1, 2, 3})})) == std::vector<float>{1, 2, 3, 2, 4, 6});
    CHECK(elements<float>(einsum("i,i,i->", {v, v, floats({3}, {1, 1, 0})})) == std::vector<float>{101});
    CHECK_REFUSED(invalid_argument, einsum("ij,jk->il", {a, b}), "output label");
    CHECK_REFUSED(invalid_argument, einsum("ij->ij", {a, b}), "1 terms for 2 inputs");
    CHECK_REFUSED(invalid_argument, einsum("i->i", {a}), "of rank 2");
    CHECK_REFUSED(invalid_argument, einsum("i1->i", {a}), "holds '1'");
    CHECK_REFUSED(invalid_argument, einsum("i.->i", {a}), "stray");
    CHECK_REFUSED(invalid_argument, einsum("ij,ij->ij", {a, b}), "extents of one label differ");
}

TEST_CASE("Det takes batches, and is 0 for singular matrices") {
    CHECK(elements<float>(run("Det", 11, {floats({2, 2}, {0, 1, 2, 3})})) == std::vector<float>{-2});
    const tensor y = run("Det", 11, {floats({2, 3, 3}, {2, 0, 0, 0, 3, 0, 0, 0, 4, 1, 2, 3, 2, 4, 6, 1, 1, 1})});
    CHECK(y.shape() == dims{2});
    CHECK(difference(elements<float>(y), {24, 0}) < 1e-6f);
    CHECK_REFUSED(invalid_argument, run("Det", 11, {floats({1, 2}, {1, 2})}), "square");
}
