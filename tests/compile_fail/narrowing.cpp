// expect: xt::cast<float>
// double into float loses values silently.
#include <ocelli/core/tensor.hpp>

int main() {
    const xt::xtensor<double, 1> x{1.0, 2.0};
    return static_cast<int>(ocelli::as_dense<float, 1>(x, "x").size());
}
