#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("RNN, GRU and LSTM in both directions agree with PyTorch") {
    CHECK(ocelli_test::check_golden_models("recurrent", 1e-5) == 3);
}

namespace {

// x -> tanh(x + previous), or another activation.
const tensor w = floats({1, 1, 1}, {1}), r = floats({1, 1, 1}, {1});

}  // namespace

TEST_CASE("behind the end of a shorter sequence the output is 0 and the last state that of its end") {
    const tensor x = floats({3, 2, 1}, {1, 1, 1, 1, 1, 1});
    const auto y = run_all("RNN", 14, {x, w, r, {}, of<std::int32_t>({2}, {1, 3})}, {{"activations", std::vector<std::string>{"Relu"}}}, 2);
    CHECK(elements<float>(y[0]) == std::vector<float>{1, 1, 0, 2, 0, 3});
    CHECK(elements<float>(y[1]) == std::vector<float>{1, 3});
    const auto back = run_all("RNN", 14, {x, w, r, {}, of<std::int32_t>({2}, {1, 3})},
                              {{"activations", std::vector<std::string>{"Relu"}}, word("direction", "reverse")}, 2);
    CHECK(elements<float>(back[0]) == std::vector<float>{1, 3, 0, 2, 0, 1});
    CHECK(elements<float>(back[1]) == std::vector<float>{1, 3});
}

TEST_CASE("clip bounds what enters the activation, and layout 1 puts the batch first") {
    const tensor x = floats({1, 2, 1}, {5, -5});
    const std::vector<attribute> attributes = {{"activations", std::vector<std::string>{"Affine"}}, {"activation_alpha", std::vector<float>{2}},
                                               real("clip", 1), number("layout", 1)};
    const auto y = run_all("RNN", 14, {x, w, r}, attributes, 2);
    CHECK(y[0].shape() == dims{1, 2, 1, 1});
    CHECK(elements<float>(y[0]) == std::vector<float>{2, -2});
    CHECK(y[1].shape() == dims{1, 1, 1});
}

TEST_CASE("an empty sequence gives the initial state") {
    const auto y = run_all("RNN", 14, {floats({0, 1, 1}, {}), w, r, {}, {}, floats({1, 1, 1}, {7})}, {}, 2);
    CHECK(y[0].shape() == dims{0, 1, 1, 1});
    CHECK(elements<float>(y[1]) == std::vector<float>{7});
}

TEST_CASE("recurrent layers refuse what does not fit") {
    const tensor x = floats({2, 1, 1}, {1, 1});
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {floats({2}, {1, 1}), w, r}), "must have rank 3");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, floats({1, 2, 1}, {1, 1}), r}), "W");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, w, r}, {number("hidden_size", 2)}), "hidden_size");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, w, r, floats({1, 3}, {1, 1, 1})}), "must have shape (1, 2)");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, w, r, {}, of<std::int32_t>({2}, {1, 1})}), "sequence_lens must have 1 elements");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, w, r, {}, of<std::int32_t>({1}, {3})}), "sequence length 3 is outside [0, 2]");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, w, r}, {{"activations", std::vector<std::string>{"Tanh", "Tanh"}}}), "activations must name 1");
    CHECK_REFUSED(unsupported_operator, run("RNN", 14, {x, w, r}, {{"activations", std::vector<std::string>{"Swoosh"}}}), "activation 'Swoosh'");
    CHECK_REFUSED(unsupported_operator, run("RNN", 14, {x, w, r}, {word("direction", "up")}), "direction 'up'");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, w, r}, {real("clip", -1)}), "clip must not be negative");
    CHECK_REFUSED(invalid_argument, run("RNN", 14, {x, of<double>({1, 1, 1}, {1}), r}), "one floating type");
}
