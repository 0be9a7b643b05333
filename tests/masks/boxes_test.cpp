// ctest: per_isa
#include "masks/support/inputs.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/io/npy.hpp>
#include <ocelli/masks/boxes.hpp>
#include <ocelli/masks/rle.hpp>

#include <doctest/doctest.h>

using namespace ocelli;

TEST_CASE("masks_to_boxes is torchvision's") {
    const auto masks = read_npy<std::uint8_t, 3>(ocelli_test::golden("masks/iou/a.npy"));
    CHECK(masks_to_boxes(masks) == read_npy<float, 2>(ocelli_test::golden("masks/boxes/boxes.npy")));
}

TEST_CASE("border corners are those of run-length masks") {
    for (const std::size_t w : std::initializer_list<std::size_t>{1, 63, 64, 65, 130}) {
        const auto masks = ocelli_test::random_masks(10, 23, w, w);
        const auto m = view(masks.data(), {std::size_t{10}, std::size_t{23}, w});
        const auto boxes = masks_to_boxes(m, mask_box_corner::border);
        CHECK(boxes == rle_boxes(rle_encode(m)));
        xt::xtensor<float, 2> out({10, 4});
        masks_to_boxes(m, out, mask_box_corner::border);
        CHECK(out == boxes);
    }
}

TEST_CASE("empty masks have a box of zeros, a single pixel one of its indices") {
    xt::xtensor<bool, 3> masks({2, 70, 80}, false);
    masks(1, 69, 79) = true;
    const auto boxes = masks_to_boxes(masks);
    CHECK(boxes == xt::xtensor<float, 2>{{0, 0, 0, 0}, {79, 69, 79, 69}});
    CHECK(masks_to_boxes(masks, mask_box_corner::border)(1, 2) == 80);
    CHECK(masks_to_boxes(xt::xtensor<int, 3>({0, 4, 4})).shape(0) == 0);
    CHECK(masks_to_boxes(xt::xtensor<int, 3>({1, 0, 4})) == xt::xtensor<float, 2>({1, 4}, 0.0f));
    CHECK(ocelli_test::message_of([] { (void)masks_to_boxes(xt::xtensor<int, 2>({4, 4})); }) ==
          "masks_to_boxes: masks must have 3 dimensions, got shape (4, 4)");
}
