// expect: deleted function
// A map of a temporary result would dangle.
#include <ocelli/interop/eigen.hpp>

int main() {
    ocelli::as_eigen(xt::xtensor<float, 2>());
}
