#include <ocelli/nn/tensor.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

TEST_CASE("a tensor copies from xtensor and back") {
    const xt::xtensor<float, 2> a = {{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}};
    const tensor t = a;
    CHECK(t.type() == dtype::float32);
    CHECK(t.shape() == dims{2, 3});
    CHECK(t.as<float, 2>() == a);
    CHECK(t.raw() != static_cast<const void*>(a.data()));
    CHECK(tensor::borrow_expression(a).raw() == static_cast<const void*>(a.data()));
    CHECK(tensor(xt::xarray<float>(a)).shape() == dims{2, 3});
    CHECK(tensor(std::vector<std::int64_t>{1, 2}).type() == dtype::int64);
    CHECK(tensor(2.f * a).as<float, 2>()(1, 2) == 12.f);
}

TEST_CASE("a tensor is a handle: copies share memory, clones do not") {
    tensor t = tensor::from<float>({2}, {1.f, 2.f});
    tensor copy = t;
    const tensor clone = t.clone();
    copy.mutable_data<float>()[0] = 7.f;
    CHECK(t.data<float>()[0] == 7.f);
    CHECK(clone.data<float>()[0] == 1.f);
    CHECK(reinterpret_cast<std::uintptr_t>(tensor(dtype::int8, {3}).raw()) % 64 == 0);
}

TEST_CASE("memory that is not aligned is borrowed where it is, and copied once for those who need it aligned") {
    const float values[3] = {1.5f, -2.0f, 4.0f};
    std::vector<std::byte> file(1 + sizeof values);
    std::memcpy(file.data() + 1, values, sizeof values);
    const std::byte* at = file.data() + (reinterpret_cast<std::uintptr_t>(file.data()) % 4 == 3 ? 0 : 1);
    if (at == file.data()) std::memmove(file.data(), file.data() + 1, sizeof values);
    const tensor t = tensor::borrow(dtype::float32, {3}, at);
    CHECK(t.stored() == static_cast<const void*>(at));
    CHECK(reinterpret_cast<std::uintptr_t>(t.data<float>()) % 64 == 0);
    CHECK(t.as<float, 1>() == xt::xtensor<float, 1>{1.5f, -2.0f, 4.0f});
    const tensor same = t.reshaped({1, 3});
    CHECK(same.raw() == t.raw());
    CHECK(same.stored() == t.stored());
    CHECK(t.clone().data<float>()[2] == 4.0f);
    CHECK(t.cast(dtype::int32).data<std::int32_t>()[1] == -2);
    const tensor aligned = tensor::from<float>({1}, {1.0f});
    CHECK(aligned.stored() == aligned.raw());
}

TEST_CASE("a scaled tensor is multiplied where somebody reads it, and shares its elements' memory until then") {
    const tensor t = tensor::from<float>({2, 2, 2}, {1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f});
    const tensor s = tensor::scaled(t, {{2.f, -1.f}, 2});
    CHECK(s.shape() == t.shape());
    CHECK(s.unscaled() == t.raw());
    REQUIRE(s.scale() != nullptr);
    CHECK(s.scale()->factors == std::vector<float>{2.f, -1.f});
    CHECK(s.identity() != t.identity());
    const xt::xtensor<float, 3> expected = {{{2.f, 4.f}, {-3.f, -4.f}}, {{10.f, 12.f}, {-7.f, -8.f}}};
    const tensor once = s.once();
    CHECK(once.scale() == nullptr);
    CHECK(once.as<float, 3>() == expected);
    CHECK(s.as<float, 3>() == expected);
    CHECK(s.stored() == s.raw());
    CHECK(s.raw() != t.raw());
    CHECK(s.reshaped({8}).raw() == s.raw());
    CHECK(s.clone().as<float, 3>() == expected);
    CHECK(s.cast(dtype::int32).data<std::int32_t>()[2] == -3);
    CHECK(t.data<float>()[2] == 3.f);
    CHECK(t.scale() == nullptr);
    CHECK(t.once().raw() == t.raw());
    // Once more: of the products.
    CHECK(tensor::scaled(s, {{10.f}, 1}).as<float, 3>()(0, 1, 0) == -30.f);
    CHECK_THROWS_WITH_AS(tensor::scaled(t, {{1.f, 2.f, 3.f}, 2}), "tensor: 3 factors of 2 elements each do not go into float32 (2, 2, 2)", invalid_argument);
    CHECK_THROWS_WITH_AS(tensor::scaled(tensor::scalar<double>(1), {{1.f}, 1}), "tensor: float32 expected to be scaled, got float64 ()", invalid_argument);
}

TEST_CASE("asking for another type, rank or size names both") {
    const tensor t = tensor::from<float>({2}, {1.f, 2.f});
    CHECK_THROWS_WITH_AS(t.data<double>(), "tensor: elements are float32, asked for as float64", invalid_argument);
    CHECK_THROWS_WITH_AS((t.as<float, 2>()), "tensor: has shape (2), asked for as rank 2", invalid_argument);
    CHECK_THROWS_WITH_AS(t.reshaped({3}), "tensor: shape (2) does not reshape to (3)", invalid_argument);
    CHECK_THROWS_WITH_AS(tensor(dtype::float32, {2, -1}), "a shape has a negative extent: (2, -1)", invalid_argument);
    CHECK_THROWS_AS(tensor(dtype::float32, {std::int64_t{1} << 40, std::int64_t{1} << 40}), invalid_argument);
    CHECK_THROWS_AS(t.to_ints(), invalid_argument);
    CHECK_THROWS_AS(t.item(), invalid_argument);
}

TEST_CASE("casts truncate, saturate and turn NaN to zero") {
    const float inf = std::numeric_limits<float>::infinity();
    const tensor t = tensor::from<float>({5}, {-1.7f, 300.f, inf, -inf, std::numeric_limits<float>::quiet_NaN()});
    CHECK(t.cast(dtype::int64).to_ints() == std::vector<std::int64_t>{-1, 300, std::numeric_limits<std::int64_t>::max(),
                                                                        std::numeric_limits<std::int64_t>::min(), 0});
    CHECK(t.cast(dtype::uint8).to_ints() == std::vector<std::int64_t>{0, 255, 255, 0, 0});
    CHECK(t.cast(dtype::boolean).to_ints() == std::vector<std::int64_t>{1, 1, 1, 1, 1});
}

TEST_CASE("a tensor without its contents, and views of the wrong shape, are refused by name") {
    CHECK_THROWS_WITH_AS(tensor(dtype::undefined, {1}), "tensor: undefined element type", invalid_argument);
    CHECK_THROWS_WITH_AS(tensor::borrow(dtype::undefined, {1}, nullptr), "tensor: undefined element type", invalid_argument);
    CHECK_THROWS_WITH_AS(tensor::from<float>({3}, {1.f, 2.f}), "tensor: shape (3) does not hold 2 elements", invalid_argument);
    const tensor t = tensor::from<float>({2, 1}, {1.f, 2.f});
    CHECK_THROWS_WITH_AS((t.view<float, 1>()), "tensor: has shape (2, 1), asked for as rank 1", invalid_argument);
    CHECK_THROWS_WITH_AS(t.item(), "tensor: one element expected, got float32 (2, 1)", invalid_argument);
    CHECK_THROWS_WITH_AS(t.to_ints(), "tensor: integers expected, got float32 (2, 1)", invalid_argument);
    CHECK(text(tensor()) == "absent");
    CHECK((t.view<float, 2>().data()) == t.data<float>());
}
