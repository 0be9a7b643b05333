#include <support/operators.hpp>

#include <cmath>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

namespace {

const tensor scores = floats({2, 3}, {1, 2, 3, 0, 0, 0});
const tensor labels = list({2, 0});
const float first = std::log(std::exp(-2.0f) + std::exp(-1.0f) + 1), second = std::log(3.0f);

}  // namespace

TEST_CASE("cross entropy is the likelihood loss of the logarithm of softmax") {
    const auto y = run_all("SoftmaxCrossEntropyLoss", 13, {scores, labels}, {word("reduction", "none")}, 2);
    CHECK(difference(elements<float>(y[0]), {first, second}) < 1e-6f);
    CHECK(difference(elements<float>(y[1]), elements<float>(run("LogSoftmax", 13, {scores}, {number("axis", 1)}))) < 1e-6f);
    CHECK(difference(elements<float>(run("NegativeLogLikelihoodLoss", 13, {y[1], labels}, {word("reduction", "none")})), {first, second}) < 1e-6f);
    CHECK(difference(elements<float>(run("SoftmaxCrossEntropyLoss", 12, {scores, labels})), {(first + second) / 2}) < 1e-6f);
    CHECK(difference(elements<float>(run("SoftmaxCrossEntropyLoss", 13, {scores, labels}, {word("reduction", "sum")})), {first + second}) < 1e-6f);
}

TEST_CASE("the mean is divided by the weights of the labels that count") {
    const tensor weights = floats({3}, {3, 5, 1});
    CHECK(difference(elements<float>(run("SoftmaxCrossEntropyLoss", 13, {scores, labels, weights})), {(first + 3 * second) / 4}) < 1e-6f);
    CHECK(difference(elements<float>(run("SoftmaxCrossEntropyLoss", 13, {scores, labels, weights}, {number("ignore_index", 0)})), {first}) < 1e-6f);
    CHECK(difference(elements<float>(run("SoftmaxCrossEntropyLoss", 13, {scores, list({2, -1})}, {number("ignore_index", -1), word("reduction", "none")})), {first, 0}) < 1e-6f);
    CHECK(same(elements<float>(run("SoftmaxCrossEntropyLoss", 13, {scores, list({1, 1})}, {number("ignore_index", 1)})), {qnan}));
    CHECK(same(elements<float>(run("SoftmaxCrossEntropyLoss", 13, {floats({0, 3}, {}), of<std::int64_t>({0}, {})}, {word("reduction", "sum")})), {0}));
}

TEST_CASE("large scores do not overflow, and every position has its own label") {
    const tensor y = run("SoftmaxCrossEntropyLoss", 13, {floats({1, 2, 2}, {1000, 0, 0, 1000}), of<std::int32_t>({1, 2}, {0, 0})}, {word("reduction", "none")});
    CHECK(y.shape() == dims{1, 2});
    CHECK(elements<float>(y) == std::vector<float>{0, 1000});
}

TEST_CASE("losses refuse labels and shapes that do not fit") {
    CHECK_REFUSED(invalid_argument, run("NegativeLogLikelihoodLoss", 13, {scores, list({3, 0})}), "label 3 is outside 3 classes");
    CHECK_REFUSED(invalid_argument, run("NegativeLogLikelihoodLoss", 13, {scores, list({-1, 0})}), "label -1 is outside");
    CHECK_REFUSED(invalid_argument, run("NegativeLogLikelihoodLoss", 13, {scores, list({0})}), "labels must have shape (2)");
    CHECK_REFUSED(invalid_argument, run("NegativeLogLikelihoodLoss", 13, {scores, floats({2}, {0, 1})}), "labels must be integers");
    CHECK_REFUSED(invalid_argument, run("NegativeLogLikelihoodLoss", 13, {floats({2}, {0, 1}), labels}), "scores must have shape (N, C, ...)");
    CHECK_REFUSED(invalid_argument, run("NegativeLogLikelihoodLoss", 13, {scores, labels, floats({2}, {1, 1})}), "weights must have shape (3)");
    CHECK_REFUSED(unsupported_operator, run("NegativeLogLikelihoodLoss", 13, {scores, labels}, {word("reduction", "max")}), "reduction 'max' is not supported");
}
