#include <support/operators.hpp>

using namespace operators;
using ocelli::invalid_argument;

TEST_CASE("Softmax takes one axis since operator set 13, and all from the axis on before") {
    const tensor x = floats({1, 2, 2}, {0, 1, 2, 3});
    CHECK(difference(elements<float>(run("Softmax", 13, {x})), {0.26894142f, 0.73105858f, 0.26894142f, 0.73105858f}) < 1e-6f);
    CHECK(difference(elements<float>(run("Softmax", 13, {x}, {number("axis", 1)})), {0.11920292f, 0.11920292f, 0.88079708f, 0.88079708f}) < 1e-6f);
    CHECK(difference(elements<float>(run("Softmax", 11, {x})), {0.0320586f, 0.08714432f, 0.23688282f, 0.64391426f}) < 1e-6f);
    CHECK(difference(elements<float>(run("LogSoftmax", 13, {x})), {-1.31326169f, -0.31326169f, -1.31326169f, -0.31326169f}) < 1e-6f);
    CHECK(elements<float>(run("Hardmax", 13, {floats({2, 3}, {1, 3, 3, 2, 1, 0})})) == std::vector<float>{0, 1, 0, 1, 0, 0});
    CHECK_REFUSED(invalid_argument, run("Softmax", 13, {x}, {number("axis", 3)}), "axis 3");
}

TEST_CASE("Softmax stands large numbers, passes NaN on, and takes empty and scalar tensors") {
    CHECK(elements<float>(run("Softmax", 13, {floats({2}, {1000, -1000})})) == std::vector<float>{1, 0});
    CHECK(elements<float>(run("LogSoftmax", 13, {floats({2}, {1000, -1000})})) == std::vector<float>{0, -2000});
    CHECK(same(elements<float>(run("Softmax", 13, {floats({2}, {1, qnan})})), {qnan, qnan}));
    CHECK(run("Softmax", 13, {floats({0, 3}, {})}).shape() == dims{0, 3});
    CHECK(elements<float>(run("Softmax", 13, {floats({}, {5})})) == std::vector<float>{1});
}

TEST_CASE("Softmax over channels agrees with Softmax over the last axis of the transposed tensor") {
    tensor x(nn::dtype::float32, {3, 7, 500});
    for (std::int64_t i = 0; i < x.size(); ++i) x.mutable_data<float>()[i] = static_cast<float>((i * 37) % 101) * 0.05f;
    const attribute swap = numbers("perm", {0, 2, 1});
    const tensor direct = run("Softmax", 13, {x}, {number("axis", 1)});
    const tensor other = run("Transpose", 13, {run("Softmax", 13, {run("Transpose", 13, {x}, {swap})})}, {swap});
    CHECK(elements<float>(direct) == elements<float>(other));
}
