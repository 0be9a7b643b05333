// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"

#include <ocelli/boxes/iou.hpp>

#include <doctest/doctest.h>

using namespace ocelli;

TEST_CASE_TEMPLATE("box_iou has the clear version's bits", T, float, double) {
    for (const std::size_t m : std::initializer_list<std::size_t>{1, 3, 8, 16, 17, 100}) {
        const auto a = ocelli_test::random_boxes<T>(37, 1, 200);
        const auto b = ocelli_test::random_boxes<T>(m, 2, 200);
        for (const bool legacy : {false, true}) {
            const auto iou = box_iou(view(a.data(), {37, 4}), view(b.data(), {m, 4}), {.legacy_plus_one = legacy});
            for (std::size_t i = 0; i < 37; ++i)
                for (std::size_t j = 0; j < m; ++j) REQUIRE(iou(i, j) == ocelli_test::naive_iou(&a[4 * i], &b[4 * j], legacy));
        }
    }
}
