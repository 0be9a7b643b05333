// ctest: per_isa
#include "boxes/support/inputs.hpp"
#include "boxes/support/naive.hpp"

#include <ocelli/boxes/nms.hpp>

#include <doctest/doctest.h>

using namespace ocelli;
using ocelli_test::naive_nms;

template <class T>
std::vector<std::int64_t> fast(const std::vector<T>& boxes, const std::vector<T>& scores, const nms_options& o) {
    const auto kept = nms(view(boxes.data(), {scores.size(), 4}), scores, o);
    return {kept.begin(), kept.end()};
}

TEST_CASE_TEMPLATE("nms equals the clear version on random boxes", T, float, double) {
    for (const std::size_t n : std::initializer_list<std::size_t>{0, 1, 2, 15, 16, 17, 100, 700}) {
        for (const double thr : {0.0, 0.1, 0.3, 0.5, 0.7, 1.0}) {
            const auto uniform = ocelli_test::random_boxes<T>(n, n + 1);
            const auto clustered = ocelli_test::clustered_boxes<T>(n, n / 10 + 1, n + 2);
            const auto scores = ocelli_test::random_scores<T>(n, n + 3);
            const nms_options o{.iou_threshold = thr};
            CHECK(fast(uniform, scores, o) == naive_nms(uniform, scores, o));
            CHECK(fast(clustered, scores, o) == naive_nms(clustered, scores, o));
        }
    }
}
