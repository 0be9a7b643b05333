// expect: the output's element type must be the result's
#include <ocelli/core/tensor.hpp>

int main() {
    xt::xtensor<double, 1> out{1.0, 2.0};
    return ocelli::detail::as_output<float, 1>(out, {2}, "f: out") == nullptr;
}
