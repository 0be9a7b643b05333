// ctest: threads
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/boxes/rotated.hpp>
#include <ocelli/core/random.hpp>
#include <ocelli/io/npy.hpp>

#include <Eigen/Core>

using ocelli::box_format;
using ocelli_test::golden;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

struct corner {
    long double x, y;
};

// The oracle: corners by the definition and clipping by half planes, plainly, in long double.
std::vector<corner> corners_of(const double* b) {
    const long double a = static_cast<long double>(b[4]) * 3.14159265358979323846264338327950288L / 180;
    const long double c = std::cos(a), s = std::sin(a);
    std::vector<corner> out;
    const int signs[4][2] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
    for (const auto& [i, j] : signs) {
        const long double w = static_cast<long double>(i) * b[2] / 2, h = static_cast<long double>(j) * b[3] / 2;
        out.push_back({b[0] + w * c + h * s, b[1] - w * s + h * c});
    }
    return out;
}

long double area_of(const std::vector<corner>& p) {
    long double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        const corner &a = p[i], &b = p[(i + 1) % p.size()];
        sum += (a.x - p[0].x) * (b.y - p[0].y) - (b.x - p[0].x) * (a.y - p[0].y);
    }
    return std::fabs(sum) / 2;
}

double oracle(const double* a, const double* b) {
    std::vector<corner> p = corners_of(a);
    const std::vector<corner> q = corners_of(b);
    for (std::size_t i = 0; i < q.size() && !p.empty(); ++i) {
        const corner from = q[i], to = q[(i + 1) % q.size()];
        const auto side = [&](const corner& v) { return (to.x - from.x) * (v.y - from.y) - (to.y - from.y) * (v.x - from.x); };
        std::vector<corner> out;
        for (std::size_t k = 0; k < p.size(); ++k) {
            const corner u = p[k], v = p[(k + 1) % p.size()];
            const long double su = side(u), sv = side(v);
            if (su >= 0) out.push_back(u);
            if ((su >= 0) != (sv >= 0)) out.push_back({u.x + (v.x - u.x) * su / (su - sv), u.y + (v.y - u.y) * su / (su - sv)});
        }
        p = out;
    }
    const long double inter = p.size() < 3 ? 0 : area_of(p);
    return static_cast<double>(inter / (area_of(corners_of(a)) + area_of(corners_of(b)) - inter));
}

xt::xtensor<double, 2> random_boxes(std::size_t n, std::uint64_t seed, double extent = 100) {
    ocelli::detail::random_sequence random(seed);
    auto out = xt::xtensor<double, 2>::from_shape({n, 5});
    for (std::size_t i = 0; i < n; ++i) {
        out(i, 0) = extent * random.unit();
        out(i, 1) = extent * random.unit();
        out(i, 2) = std::exp(5 * random.unit());
        out(i, 3) = std::exp(5 * random.unit());
        out(i, 4) = 1000 * (random.unit() - 0.5);
    }
    return out;
}

} // namespace

TEST_CASE_TEMPLATE("rotated_box_iou agrees with shapely's polygons", T, float, double) {
    const xt::xtensor<T, 2> boxes = xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/rotated/boxes.npy")));
    const auto expected = ocelli::read_npy<double, 2>(golden("boxes/rotated/iou.npy"));
    CHECK(largest_difference(ocelli::rotated_box_iou(boxes, boxes), expected) < (sizeof(T) == 4 ? 1e-7 : 1e-12));
}

TEST_CASE("rotated_box_iou agrees with clipping in long double") {
    const auto a = random_boxes(60, 1), b = random_boxes(60, 2);
    const auto got = ocelli::rotated_box_iou(a, b);
    double worst = 0;
    for (std::size_t i = 0; i < 60; ++i)
        for (std::size_t j = 0; j < 60; ++j) worst = std::max(worst, std::abs(got(i, j) - oracle(&a(i, 0), &b(j, 0))));
    CHECK(worst < 1e-13);
}

TEST_CASE("rotated_box_iou is right for nearly equal boxes, far from the origin too") {
    ocelli::detail::random_sequence random(3);
    const auto a = random_boxes(200, 4, 1e4);
    for (const double noise : {0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3}) {
        xt::xtensor<double, 2> b = a;
        for (std::size_t i = 0; i < b.size(); ++i) b.data()[i] *= 1 + noise * (random.unit() - 0.5);
        const auto got = ocelli::paired_rotated_box_iou(a, b);
        double worst = 0;
        for (std::size_t i = 0; i < 200; ++i) worst = std::max(worst, std::abs(got(i) - oracle(&a(i, 0), &b(i, 0))));
        CAPTURE(noise);
        CHECK(worst < 1e-11);
        if (noise == 0)
            for (std::size_t i = 0; i < 200; ++i) CHECK(got(i) == 1);
    }
}

TEST_CASE("rotated_box_iou is the same for the same box written otherwise") {
    const auto a = random_boxes(40, 5), b = random_boxes(40, 6);
    const auto expected = ocelli::rotated_box_iou(a, b);
    xt::xtensor<double, 2> half_turn = a, quarter_turn = a;
    for (std::size_t i = 0; i < 40; ++i) {
        half_turn(i, 4) += 180;
        quarter_turn(i, 4) -= 90;
        std::swap(quarter_turn(i, 2), quarter_turn(i, 3));
    }
    CHECK(largest_difference(ocelli::rotated_box_iou(half_turn, b), expected) < 1e-12);
    CHECK(largest_difference(ocelli::rotated_box_iou(quarter_turn, b), expected) < 1e-12);
    const auto self = ocelli::rotated_box_iou(a, half_turn);
    for (std::size_t i = 0; i < 40; ++i) CHECK(self(i, i) == doctest::Approx(1).epsilon(1e-12));
}

TEST_CASE("rotated_box_iou is symmetric bit for bit, within [0, 1], and independent of threads") {
    const auto a = random_boxes(100, 7), b = random_boxes(90, 8);
    const auto there = ocelli::rotated_box_iou(a, b);
    ocelli::set_num_threads(1);
    const auto back = ocelli::rotated_box_iou(b, a);
    ocelli::set_num_threads(0);
    for (std::size_t i = 0; i < 100; ++i)
        for (std::size_t j = 0; j < 90; ++j) {
            CHECK(there(i, j) == back(j, i));
            CHECK(there(i, j) >= 0);
            CHECK(there(i, j) <= 1);
        }
}

TEST_CASE("rotated_box_iou of axis-aligned and right-angled boxes is exact") {
    const xt::xtensor<float, 2> boxes{
        {5, 5, 10, 10, 0}, {10, 5, 10, 10, 90}, {5, 5, 4, 2, -270}, {15, 5, 10, 10, 0}, {5, 5, 10, 10, 45}};
    const auto iou = ocelli::rotated_box_iou(boxes, boxes);
    CHECK(iou(0, 1) == 1.0f / 3);
    CHECK(iou(0, 2) == 0.08f);
    CHECK(iou(0, 3) == 0); // they touch
    CHECK(iou(0, 4) == doctest::Approx((2 * std::sqrt(2.0) - 2) / (2 - (2 * std::sqrt(2.0) - 2))));
}

TEST_CASE("rotated_box_iou turns counter-clockwise as seen with y down") {
    // A long box turned by 45 degrees counter-clockwise points to the upper right, where y is small.
    const xt::xtensor<double, 2> turned{{0, 0, 20, 2, 45}}, spots{{5, -5, 1, 1, 0}, {5, 5, 1, 1, 0}};
    const auto iou = ocelli::rotated_box_iou(turned, spots);
    CHECK(iou(0, 0) > 0);
    CHECK(iou(0, 1) == 0);
}

TEST_CASE("rotated_box_iou is 0 for boxes without area, NaN and infinity") {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    const xt::xtensor<double, 2> good{{0, 0, 2, 2, 0}};
    const xt::xtensor<double, 2> odd{{0, 0, 0, 2, 0},   {0, 0, -2, 2, 0},  {nan, 0, 2, 2, 0},  {0, inf, 2, 2, 0},
                                     {0, 0, inf, 2, 0}, {0, 0, 2, 2, nan}, {0, 0, 2, 2, -inf}, {0, 0, 1e300, 1e300, 3}};
    const auto iou = ocelli::rotated_box_iou(good, odd);
    for (std::size_t j = 0; j < odd.shape(0); ++j) CHECK(iou(0, j) == 0);
    const auto self = ocelli::rotated_box_iou(odd, odd);
    for (std::size_t j = 0; j < 7; ++j) CHECK(self(j, j) == 0);
    CHECK(ocelli::rotated_box_iou(good, xt::xtensor<double, 2>::from_shape({0, 5})).shape() ==
          std::array<std::size_t, 2>{1, 0});
    CHECK(ocelli::rotated_box_iou(xt::xtensor<double, 2>::from_shape({0, 5}), good).shape() ==
          std::array<std::size_t, 2>{0, 1});
}

TEST_CASE("rotated_box_iou takes any array and writes into given memory") {
    Eigen::MatrixXf boxes(2, 5);
    boxes << 0, 0, 2, 2, 0, 1, 0, 2, 2, 0;
    std::vector<float> memory(4);
    auto out = ocelli::view(memory.data(), {2, 2});
    ocelli::rotated_box_iou(boxes, std::vector<std::array<float, 5>>{{0, 0, 2, 2, 0}, {9, 9, 1, 1, 1}}, out);
    CHECK(memory == std::vector<float>{1, 0, 1.0f / 3, 0});
}

TEST_CASE("rotated_nms and batched_rotated_nms agree with a greedy loop over shapely's overlaps") {
    const auto boxes = ocelli::read_npy<float, 2>(golden("boxes/rotated/boxes.npy"));
    const auto scores = ocelli::read_npy<float, 1>(golden("boxes/rotated/scores.npy"));
    const auto classes = ocelli::read_npy<std::int64_t, 1>(golden("boxes/rotated/classes.npy"));
    CHECK(ocelli::rotated_nms(boxes, scores, 0.3) == ocelli::read_npy<std::int64_t, 1>(golden("boxes/rotated/nms.npy")));
    CHECK(ocelli::batched_rotated_nms(boxes, scores, classes, 0.3) ==
          ocelli::read_npy<std::int64_t, 1>(golden("boxes/rotated/batched_nms.npy")));
}

TEST_CASE("rotated_nms keeps the first of equal scores, all empty boxes, and boxes at the threshold") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> boxes{{0, 0, 2, 2, 0}, {0, 0, 2, 2, 90},  {0, 0, 0, 2, 0},
                                      {0, 0, 0, 2, 0}, {nan, 0, 2, 2, 0}, {0, 0, 2, 1, 0}};
    const std::vector<float> scores{1, 1, 1, 1, 1, 0.5f};
    CHECK(ocelli::rotated_nms(boxes, scores, 0.5) ==
          xt::xtensor<std::int64_t, 1>{0, 2, 3, 4, 5}); // the last has IoU 0.5 exactly
    CHECK(ocelli::rotated_nms(boxes, scores, 0.49) == xt::xtensor<std::int64_t, 1>{0, 2, 3, 4});
    CHECK(ocelli::rotated_nms(xt::xtensor<float, 2>::from_shape({0, 5}), std::vector<float>{}, 0.5).size() == 0);
}

TEST_CASE("rotated_nms limits scores, candidates and results as asked, and compares as asked") {
    const std::size_t n = 300;
    const auto boxes = random_boxes(n, 31);
    std::vector<double> scores(n);
    std::vector<std::int64_t> classes(n);
    for (std::size_t i = 0; i < n; ++i) {
        scores[i] = static_cast<double>((i * 37) % 50) / 50;
        classes[i] = static_cast<std::int64_t>(i % 3);
    }
    const auto overlap = ocelli::rotated_box_iou(boxes, boxes);
    for (const double least : {-1.0, 0.5})
        for (const std::size_t before : std::initializer_list<std::size_t>{0, 60})
            for (const std::size_t after : std::initializer_list<std::size_t>{0, 7, 1000})
                for (const bool within : {false, true}) {
                    std::vector<std::size_t> order;
                    for (std::size_t i = 0; i < n; ++i)
                        if (scores[i] > least) order.push_back(i);
                    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
                    if (before != 0 && order.size() > before) order.resize(before);
                    std::vector<std::int64_t> expected;
                    for (const std::size_t i : order) {
                        if (after != 0 && expected.size() == after) break;
                        if (std::none_of(expected.begin(), expected.end(), [&](std::int64_t k) {
                                const auto j = static_cast<std::size_t>(k);
                                return (!within || classes[i] == classes[j]) && overlap(i, j) > 0.1;
                            }))
                            expected.push_back(static_cast<std::int64_t>(i));
                    }
                    const ocelli::nms_options o{
                        .iou_threshold = 0.1, .score_threshold = least, .pre_top_k = before, .max_output = after};
                    const auto got =
                        within ? ocelli::batched_rotated_nms(boxes, scores, classes, o) : ocelli::rotated_nms(boxes, scores, o);
                    CHECK(std::vector<std::int64_t>(got.begin(), got.end()) == expected);
                }
    const xt::xtensor<double, 2> half{{0, 0, 2, 2, 0}, {0, 0, 2, 1, 0}}; // IoU 0.5 exactly
    const std::vector<double> two{2, 1};
    CHECK(ocelli::rotated_nms(half, two, {.iou_threshold = 0.5}).size() == 2);
    CHECK(ocelli::rotated_nms(half, two, {.iou_threshold = 0.5, .comparison = ocelli::nms_comparison::greater_equal}).size() == 1);
}

TEST_CASE("rotated overlaps and suppression say what they do not accept") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const xt::xtensor<float, 2> one{{0, 0, 2, 2, 0}}, four = xt::zeros<float>({1, 4});
    CHECK(message_of([&] { (void)ocelli::rotated_box_iou(one, four); }) ==
          "rotated_box_iou: boxes2 must have shape (N, 5), got (1, 4)");
    CHECK(message_of([&] { (void)ocelli::quad_iou(one, one); }) == "quad_iou: quads1 must have shape (N, 8), got (1, 5)");
    CHECK(message_of([&] {
              (void)ocelli::paired_rotated_box_iou(one, xt::xtensor<float, 2>::from_shape({2, 5}));
          }) == "paired_rotated_box_iou: boxes1 and boxes2 must have the same length, got 1 and 2");
    CHECK(message_of([&] { (void)ocelli::rotated_nms(one, std::vector<float>{nan}, 0.5); }) ==
          "rotated_nms: scores must be numbers, got NaN at 0");
    CHECK(message_of([&] { (void)ocelli::rotated_nms(one, std::vector<float>{1}, 1.5); }) ==
          "rotated_nms: iou_threshold must be in [0, 1], got 1.5");
    CHECK(message_of([&] {
              (void)ocelli::rotated_nms(one, std::vector<float>{1, 2}, 0.5);
          }) == "rotated_nms: boxes and scores must have the same length, got 1 and 2");
    CHECK(message_of([&] { (void)ocelli::batched_rotated_nms(one, std::vector<float>{1}, std::vector<int>{}, 0.5); }) ==
          "batched_rotated_nms: boxes and classes must have the same length, got 1 and 0");
    CHECK(message_of([&] { (void)ocelli::rotated_nms(four, std::vector<float>{1}, 0.5); }) ==
          "rotated_nms: boxes must have shape (N, 5), got (1, 4)");
    const std::vector<float> score{1};
    CHECK(message_of([&] { (void)ocelli::rotated_nms(one, score, {.criterion = ocelli::nms_criterion::diou}); }) ==
          "rotated_nms: neither the distance criterion nor the legacy pixel is defined for rotated boxes");
    CHECK(message_of([&] { (void)ocelli::rotated_nms(one, score, {.score_threshold = std::numeric_limits<double>::quiet_NaN()}); }) ==
          "rotated_nms: score_threshold must be a number, got NaN");
    CHECK(message_of([&] {
              (void)ocelli::rotated_nms(one, score, {.iou_threshold = 0, .comparison = ocelli::nms_comparison::greater_equal});
          }) == "rotated_nms: iou_threshold must be greater than 0 where equal values suppress");
    CHECK(message_of([&] {
              (void)ocelli::paired_quad_iou(xt::xtensor<float, 2>::from_shape({1, 8}), xt::xtensor<float, 2>::from_shape({3, 8}));
          }) == "paired_quad_iou: quads1 and quads2 must have the same length, got 1 and 3");
}

TEST_CASE_TEMPLATE("quad_iou agrees with shapely on hulls of any four points", T, float, double) {
    const xt::xtensor<T, 2> quads = xt::cast<T>(ocelli::read_npy<float, 2>(golden("boxes/rotated/quads.npy")));
    const auto expected = ocelli::read_npy<double, 2>(golden("boxes/rotated/quad_iou.npy"));
    CHECK(largest_difference(ocelli::quad_iou(quads, quads), expected) < (sizeof(T) == 4 ? 1e-7 : 1e-12));
}

TEST_CASE("quad_iou is rotated_box_iou for the corners of boxes, in any order of the points") {
    const auto a = random_boxes(40, 9), b = random_boxes(40, 10);
    const auto qa = ocelli::box_convert(a, box_format::cxcywhr, box_format::xyxyxyxy);
    auto qb = ocelli::box_convert(b, box_format::cxcywhr, box_format::xyxyxyxy);
    const auto expected = ocelli::rotated_box_iou(a, b);
    CHECK(largest_difference(ocelli::quad_iou(qa, qb), expected) < 1e-12);
    for (std::size_t i = 0; i < 40; ++i) { // exchange two corners: a bow tie, or the other sense of rotation
        std::swap(qb(i, 2), qb(i, 2 + 2 * (1 + i % 2)));
        std::swap(qb(i, 3), qb(i, 3 + 2 * (1 + i % 2)));
    }
    const auto there = ocelli::quad_iou(qa, qb), back = ocelli::quad_iou(qb, qa);
    CHECK(largest_difference(there, expected) < 1e-12);
    for (std::size_t i = 0; i < 40; ++i)
        for (std::size_t j = 0; j < 40; ++j) CHECK(there(i, j) == back(j, i));
    const auto paired = ocelli::paired_quad_iou(qa, qb);
    for (std::size_t i = 0; i < 40; ++i) CHECK(paired(i) == there(i, i));
    const auto self = ocelli::quad_iou(qa, qa);
    for (std::size_t i = 0; i < 40; ++i) CHECK(self(i, i) == doctest::Approx(1).epsilon(1e-12));
}

TEST_CASE("quad_iou is 0 for points on a line, NaN and infinity") {
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const xt::xtensor<float, 2> square{{0, 0, 4, 0, 4, 4, 0, 4}};
    const xt::xtensor<float, 2> odd{
        {0, 0, 1, 1, 2, 2, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, nan, 0, 4, 4, 0, 4}, {0, 0, inf, 0, 4, 4, 0, 4}};
    const auto iou = ocelli::quad_iou(square, odd);
    for (std::size_t j = 0; j < 4; ++j) CHECK(iou(0, j) == 0);
    // An arrow head counts as its hull, here a triangle of half the square.
    CHECK(ocelli::quad_iou(square, xt::xtensor<float, 2>{{0, 0, 4, 0, 1, 1, 0, 4}})(0, 0) == 0.5f);
    CHECK(ocelli::quad_iou(square, xt::xtensor<float, 2>::from_shape({0, 8})).shape(1) == 0);
    xt::xtensor<float, 2> out = xt::zeros<float>({1, 1});
    ocelli::quad_iou(square, square, out);
    CHECK(out(0, 0) == 1);
}
