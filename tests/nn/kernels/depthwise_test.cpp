// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/nn/kernels/depthwise.hpp>

using namespace convolutions;

TEST_CASE("depthwise convolutions of three and five columns agree with the reference in double, whatever the row's width and padding") {
    unsigned i = 0;
    for (const std::int64_t kernel : {3, 5})
        for (const std::int64_t stride : {1, 2})
            for (const std::int64_t pad : {0, 1, 2, 4})
                for (const std::int64_t width : {1, 2, 4, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 31, 40, 63, 93}) {
                    if (width + 2 * pad < kernel) continue;
                    CAPTURE(kernel);
                    CAPTURE(stride);
                    CAPTURE(pad);
                    CAPTURE(width);
                    layer l{{1, 19, 6, width}, {19, 1, 3, kernel}, {1, stride}, {1, 1}, {1, pad, 1, i % 3 == 0 ? 0 : pad}, 19};
                    if (width + pad + l.pads[3] < kernel) l.pads[3] = pad;
                    CHECK(error_of(l, static_cast<activation>(i % 9), i % 2 == 0, i % 5 < 2, 1000 * i, "", "blocked_depthwise") < 5e-7);
                    ++i;
                }
}
