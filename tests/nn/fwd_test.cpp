#include <ocelli/nn/fwd.hpp>

// A user's own header needs no more than the names.
namespace {
struct detector_header {
    ocelli::nn::session* net;
    const ocelli::nn::graph* original;
    const ocelli::nn::tensor* last;
};
}  // namespace

#include <ocelli/nn/session.hpp>

#include <doctest/doctest.h>

#include <type_traits>

TEST_CASE("the forward declarations name the types that the headers define") {
    ocelli::nn::graph g;
    const detector_header h{nullptr, &g, nullptr};
    CHECK(h.original->nodes.empty());
    CHECK(std::is_class_v<ocelli::nn::session>);
    CHECK(ocelli::nn::no_value < 0);
    CHECK(ocelli::nn::no_node < 0);
}
