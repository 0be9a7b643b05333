#include <support/golden_models.hpp>

using namespace operators;
using ocelli::invalid_argument;
using ocelli::unsupported_operator;

TEST_CASE("transposed and deformable convolutions and folding agree with PyTorch") {
    CHECK(ocelli_test::check_golden_models("conv_transpose", 1e-5) == 4);
}

TEST_CASE("a transposed convolution undoes a stride, and output_shape decides its padding") {
    const tensor x = floats({1, 1, 2}, {1, 2}), w = floats({1, 1, 3}, {1, 10, 100});
    CHECK(elements<float>(run("ConvTranspose", 11, {x, w}, {numbers("strides", {2})})) == std::vector<float>{1, 10, 102, 20, 200});
    CHECK(elements<float>(run("ConvTranspose", 11, {x, w}, {numbers("strides", {2}), numbers("output_shape", {4}), word("auto_pad", "SAME_UPPER")})) ==
          std::vector<float>{1, 10, 102, 20});
    CHECK(elements<float>(run("ConvTranspose", 11, {x, w}, {numbers("strides", {2}), numbers("output_shape", {4}), word("auto_pad", "SAME_LOWER")})) ==
          std::vector<float>{10, 102, 20, 200});
    CHECK(elements<float>(run("ConvTranspose", 11, {x, w, floats({1}, {0.5f})}, {numbers("strides", {2}), numbers("output_padding", {1})})) ==
          std::vector<float>{1.5f, 10.5f, 102.5f, 20.5f, 200.5f, 0.5f});
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {x, floats({2, 1, 1}, {1, 1})}), "channels do not fit");
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {x, w, floats({2}, {1, 1})}), "one element per output channel");
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {x, w}, {numbers("kernel_shape", {2})}), "contradicts the weights' shape");
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {x, w}, {numbers("pads", {3, 3})}), "larger than the result");
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {x, w}, {word("auto_pad", "SOME")}), "auto_pad 'SOME' is not supported");
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {x, w}, {numbers("strides", {0})}), "must be at least 1");
    CHECK_REFUSED(invalid_argument, run("ConvTranspose", 11, {floats({1, 2}, {1, 2}), w}), "input and weights must have shapes");
}

TEST_CASE("a deformable convolution without offsets is a convolution, and a place outside reads 0") {
    const tensor x = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), w = floats({1, 1, 1, 1}, {2});
    const tensor zero = tensor::zeros(nn::dtype::float32, {1, 2, 3, 3});
    CHECK(elements<float>(run("DeformConv", 19, {x, w, zero})) == std::vector<float>{2, 4, 6, 8, 10, 12, 14, 16, 18});
    tensor down = zero.clone();
    for (int i = 0; i < 9; ++i) down.mutable_data<float>()[i] = 0.5f;
    CHECK(elements<float>(run("DeformConv", 19, {x, w, down})) == std::vector<float>{5, 7, 9, 11, 13, 15, 7, 8, 9});
    CHECK_REFUSED(unsupported_operator, run("DeformConv", 19, {floats({1, 1, 3}, {1, 2, 3}), floats({1, 1, 1}, {1}), zero}), "only two spatial axes");
    CHECK_REFUSED(invalid_argument, run("DeformConv", 19, {x, w, tensor::zeros(nn::dtype::float32, {1, 2, 2, 3})}), "offset has shape");
    CHECK_REFUSED(invalid_argument, run("DeformConv", 19, {x, w, zero, floats({2}, {1, 1})}), "bias must have one element");
    CHECK_REFUSED(invalid_argument, run("DeformConv", 19, {x, w, zero, floats({1}, {1}), zero}), "does not fit offset");
}

TEST_CASE("Col2Im adds what overlaps") {
    const tensor blocks = floats({1, 2, 3}, {1, 2, 3, 10, 20, 30});
    CHECK(elements<float>(run("Col2Im", 18, {blocks, list({4}), list({2})})) == std::vector<float>{1, 12, 23, 30});
    CHECK_REFUSED(invalid_argument, run("Col2Im", 18, {blocks, list({5}), list({2})}), "does not hold blocks of 2 elements at 4 positions");
    CHECK_REFUSED(invalid_argument, run("Col2Im", 18, {blocks, list({4}), list({2, 1})}), "1 to 3 elements each");
    CHECK_REFUSED(invalid_argument, run("Col2Im", 18, {floats({2, 3}, {1, 2, 3, 4, 5, 6}), list({4}), list({2})}), "input must have shape (N,");
}
