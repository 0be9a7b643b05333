#if defined(__GNUC__) && !defined(__clang__)
// Under the sanitizers GCC 12 sees xtensor copy a shape of two extents into one of one, on a path that the check of the rank has closed.
#    pragma GCC diagnostic ignored "-Warray-bounds"
#    pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/core/float_bits.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/metrics/segmentation.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

TEST_CASE("the measures are numpy's") {
    const auto truth = read_npy<std::uint8_t, 3>(ocelli_test::golden("metrics/semantic/truth.npy"));
    const auto prediction = read_npy<std::uint8_t, 3>(ocelli_test::golden("metrics/semantic/prediction.npy"));
    confusion_matrix all(7, 255);
    all.add(truth, prediction);
    CHECK(all.counts() == read_npy<std::int64_t, 2>(ocelli_test::golden("metrics/semantic/counts.npy")));
    const auto classes = read_npy<double, 2>(ocelli_test::golden("metrics/semantic/classes.npy"));
    const auto means = read_npy<double, 1>(ocelli_test::golden("metrics/semantic/means.npy"));
    const xt::xtensor<double, 1> accuracy = xt::view(classes, 0, xt::all()), iou = xt::view(classes, 1, xt::all()),
                                 dice = xt::view(classes, 2, xt::all());
    CHECK(largest_difference(all.class_accuracy(), accuracy) < 1e-15);
    CHECK(largest_difference(all.iou(), iou) < 1e-15);
    CHECK(largest_difference(all.dice(), dice) < 1e-15);
    CHECK(std::fabs(all.pixel_accuracy() - means(0)) < 1e-14);
    CHECK(std::fabs(all.mean_accuracy() - means(1)) < 1e-14);
    CHECK(std::fabs(all.mean_iou() - means(2)) < 1e-14);
    CHECK(std::fabs(all.frequency_weighted_iou() - means(3)) < 1e-14);
    CHECK(std::fabs(all.mean_dice() - means(4)) < 1e-14);

    // Picture by picture, in two matrices that are merged.
    confusion_matrix odd(7, 255), even(7, 255);
    for (std::size_t i = 0; i < truth.shape(0); ++i)
        (i % 2 == 0 ? even : odd).add(xt::view(truth, i, xt::all(), xt::all()), xt::view(prediction, i, xt::all(), xt::all()));
    odd.merge(even);
    CHECK(odd.counts() == all.counts());
    CHECK(odd.total() == all.total());
    odd.reset();
    CHECK(odd.total() == 0);
}

TEST_CASE("labels of any integer type, rank and layout count alike") {
    const std::vector<int> t{0, 1, 2, 1}, p{0, 2, 2, 1};
    confusion_matrix flat(3), square(3), bytes(3), columns(3), raw(3);
    flat.add(t, p);
    square.add(xt::xtensor<std::int16_t, 2>{{0, 1}, {2, 1}}, xt::xtensor<std::uint64_t, 2>{{0, 2}, {2, 1}});
    bytes.add(xt::xtensor<std::uint8_t, 4>({{{{0, 1}, {2, 1}}}}), xt::xtensor<std::int64_t, 4>({{{{0, 2}, {2, 1}}}}));
    columns.add(xt::xtensor<int, 2, xt::layout_type::column_major>{{0, 1}, {2, 1}}, xt::xtensor<int, 2>{{0, 2}, {2, 1}});
    raw.add(view(t.data(), {2, 2}), view(p.data(), {2, 2}));
    for (const auto* m : {&square, &bytes, &columns, &raw}) CHECK(m->counts() == flat.counts());
    CHECK(flat.count(1, 2) == 1);
    CHECK(flat.count(2, 1) == 0);
    CHECK(flat.pixel_accuracy() == 0.75);
}

TEST_CASE("what is not there has no value and is left out of means") {
    confusion_matrix m(4, -1);
    CHECK(detail::is_nan(m.pixel_accuracy()));
    CHECK(detail::is_nan(m.mean_iou()));
    CHECK(detail::is_nan(m.mean_accuracy()));
    CHECK(detail::is_nan(m.mean_dice()));
    CHECK(detail::is_nan(m.frequency_weighted_iou()));
    m.add(std::vector<int>{0, 0, -1, -1}, std::vector<int>{0, 1, 99, -7});  // whatever is said of ignored pixels
    CHECK(m.total() == 2);
    const auto iou = m.iou(), accuracy = m.class_accuracy();
    CHECK(iou(0) == 0.5);
    CHECK(iou(1) == 0);
    CHECK(detail::is_nan(iou(2)));
    CHECK(detail::is_nan(accuracy(1)));
    CHECK(m.mean_iou() == 0.25);
    CHECK(m.mean_accuracy() == 0.5);
    m.add(std::vector<int>{}, std::vector<int>{});
    CHECK(m.total() == 2);
}

TEST_CASE("bad labels are refused and leave the counts alone") {
    confusion_matrix m(3, 255);
    CHECK(message_of([&] { m.add(std::vector<int>{0, 3}, std::vector<int>{0, 0}); }) ==
          "confusion_matrix: labels must be in [0, 3), got 3 in the truth at element 1");
    CHECK(message_of([&] { m.add(std::vector<int>{0, 1}, std::vector<int>{0, -1}); }) ==
          "confusion_matrix: labels must be in [0, 3), got -1 in the prediction at element 1");
    CHECK(message_of([&] { m.add(std::vector<std::uint64_t>{~std::uint64_t{0}}, std::vector<int>{0}); }) ==
          "confusion_matrix: labels must be in [0, 3), got 18446744073709551615 in the truth at element 0");
    CHECK(message_of([&] { m.add(std::vector<int>{0}, std::vector<int>{255}); }) ==
          "confusion_matrix: labels must be in [0, 3), got 255 in the prediction at element 0");
    CHECK(m.total() == 0);
    CHECK(message_of([&] { m.add(xt::xtensor<int, 2>({2, 3}, 0), xt::xtensor<int, 2>({3, 2}, 0)); }) ==
          "confusion_matrix: truth and prediction must have the same shape, got (2, 3) and (3, 2)");
    CHECK(message_of([&] { m.merge(confusion_matrix(4)); }) ==
          "confusion_matrix: merged matrices must have the same number of classes, got 3 and 4");
    CHECK(message_of([&] { (void)m.count(3, 0); }) == "confusion_matrix: labels must be in [0, 3), got 3 and 0");
    CHECK(message_of([] { confusion_matrix none(0); }) == "confusion_matrix: the number of classes must be in [1, 8192], got 0");
    CHECK(message_of([] { confusion_matrix million(1000000); }) == "confusion_matrix: the number of classes must be in [1, 8192], got 1000000");
}
