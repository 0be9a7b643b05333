// ctest: per_isa
// ctest: threads
#include "crf/support/reference.hpp"
#include "support/compare.hpp"
#include "support/fixtures.hpp"

#include <ocelli/core/parallel.hpp>
#include <ocelli/crf/dense_crf.hpp>
#include <ocelli/crf/unary.hpp>
#include <ocelli/io/image.hpp>
#include <ocelli/io/npy.hpp>

#include <doctest/doctest.h>

#include <Eigen/Core>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

using namespace ocelli;
using ocelli_test::largest_difference;
using ocelli_test::message_of;

namespace {

std::string at(const std::string& name) {
    return ocelli_test::golden("crf/" + name + ".npy");
}

const float no_number = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

/// The part of equal labels.
template <class A, class B>
double agreement(const A& a, const B& b) {
    REQUIRE(a.shape() == b.shape());
    std::size_t same = 0;
    for (std::size_t i = 0; i < a.size(); ++i) same += a.data()[i] == b.data()[i] ? 1 : 0;
    return static_cast<double>(same) / static_cast<double>(a.size());
}

xt::xtensor<unsigned char, 3> noise(std::size_t h, std::size_t w, std::size_t c, std::uint32_t seed) {
    ocelli_test::draws draw(seed);
    xt::xtensor<unsigned char, 3> out({h, w, c});
    for (auto& x : out) x = static_cast<unsigned char>(256 * draw());
    return out;
}

template <class T>
xt::xtensor<T, 3> energies(std::size_t l, std::size_t h, std::size_t w, std::uint32_t seed) {
    ocelli_test::draws draw(seed);
    xt::xtensor<T, 3> out({l, h, w});
    for (T& x : out) x = static_cast<T>(3 * draw());
    return out;
}

}  // namespace

TEST_CASE_TEMPLATE("marginals are pydensecrf's for every normalisation", T, float, double) {
    const auto image = read_npy<unsigned char, 3>(at("image"));
    const xt::xtensor<T, 3> u = xt::cast<T>(read_npy<float, 3>(at("unary_5")));
    const kernel_normalization kinds[] = {kernel_normalization::none, kernel_normalization::before, kernel_normalization::after,
                                          kernel_normalization::symmetric};
    for (std::size_t k = 0; k < 4; ++k) {
        const double little = k == 0 ? 0.02 : 1;
        dense_crf<T> crf({image.shape(0), image.shape(1)}, 5);
        crf.set_unary(u);
        crf.add_gaussian({3, 2}, 3 * little, kinds[k]);
        crf.add_bilateral({15, 20}, {13, 10, 20}, image, 5 * little, kinds[k]);
        CHECK(crf.terms() == 2);
        const auto expected = read_npy<float, 3>(at("normalization_" + std::to_string(k)));
        const auto q = crf.infer(5);
        CHECK(largest_difference(q, expected) < 1e-4);
        CHECK(agreement(crf.map(q), crf.map(expected)) >= 0.999);
        typename dense_crf<T>::marginals_type out(q.shape());
        crf.infer(5, out);
        CHECK(out == q);
    }
}

TEST_CASE("energies of labels, and of pairs of labels, are pydensecrf's; so are divergence and steps") {
    const auto image = read_npy<unsigned char, 3>(at("image"));
    const auto u = read_npy<float, 3>(at("unary_5"));
    const auto field = [&](const label_compatibility& c) {
        dense_crf<> crf({image.shape(0), image.shape(1)}, 5);
        crf.set_unary(u);
        crf.add_gaussian(3, c);
        crf.add_bilateral(30, 13, image, c);
        return crf;
    };
    CHECK(largest_difference(field(label_compatibility::per_label(read_npy<float, 1>(at("diagonal")))).infer(5),
                             read_npy<float, 3>(at("compat_diagonal"))) < 1e-4);
    const auto crf = field(label_compatibility::matrix(read_npy<float, 2>(at("full"))));
    CHECK(largest_difference(crf.infer(5), read_npy<float, 3>(at("compat_full"))) < 1e-4);

    const auto divergences = read_npy<double, 1>(at("divergences"));
    auto q = crf.start();
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(std::abs(crf.kl_divergence(q) - divergences(i)) < 1e-3 * std::abs(divergences(i)));
        if (i < 4) crf.step(q);
    }
    CHECK(largest_difference(q, read_npy<float, 3>(at("steps_4"))) < 1e-4);
    CHECK(q == crf.infer(4));
}

TEST_CASE("other sizes and numbers of labels are pydensecrf's") {
    for (const std::string name : {"2_70_131", "1_9_9", "21_20_24", "37_12_18", "3_1_60", "3_50_1"}) {
        CAPTURE(name);
        const auto image = read_npy<unsigned char, 3>(at("image_" + name));
        const auto u = read_npy<float, 3>(at("unary_" + name)), expected = read_npy<float, 3>(at("marginals_" + name));
        dense_crf<> crf({image.shape(0), image.shape(1)}, u.shape(0));
        crf.set_unary(u);
        crf.add_gaussian(3, 3);
        crf.add_bilateral(40, 13, image, 6);
        const auto q = crf.infer(5);
        CHECK(largest_difference(q, expected) < 1e-4);
        CHECK(agreement(crf.map(q), crf.map(expected)) >= 0.999);
        // The same picture as numbers of another type, and as features.
        dense_crf<> floats({image.shape(0), image.shape(1)}, u.shape(0));
        floats.set_unary(u);
        floats.add_gaussian(3, 3);
        floats.add_bilateral(40, 13, xt::cast<float>(image), 6);
        CHECK(floats.infer(5) == q);
    }
}

TEST_CASE("features of any dimension, for points without an image, are pydensecrf's") {
    for (const std::size_t d : std::initializer_list<std::size_t>{1, 3, 4, 7, 12}) {
        CAPTURE(d);
        const std::string n = std::to_string(d);
        const auto f = read_npy<float, 2>(at("features_" + n));
        const xt::xtensor<float, 2> rows = xt::transpose(f);
        dense_crf<float, 1> crf({400}, 4);
        crf.set_unary(read_npy<float, 2>(at("features_unary_" + n)));
        crf.add_pairwise(rows, 4);
        CHECK(largest_difference(crf.infer(5), read_npy<float, 2>(at("features_marginals_" + n))) < 1e-4);
    }
}

TEST_CASE("pydensecrf's example: its marginals and labels") {
    const auto picture = ocelli_test::fixture("crf/im1.png");
    if (picture.empty()) return;
    xt::xtensor<unsigned char, 3> bgr = read_image(picture);
    for (std::size_t i = 0; i < bgr.size(); i += 3) std::swap(bgr.data()[i], bgr.data()[i + 2]);
    const auto labels = read_npy<std::int32_t, 2>(ocelli_test::fixture("crf/im1.labels.npy"));
    const auto u = unary_from_labels(labels, 2, {.confidence = 0.7});
    CHECK(largest_difference(u, read_npy<float, 3>(ocelli_test::fixture("crf/im1.unary.npy"))) < 1e-6);
    dense_crf<> crf({240, 320}, 2);
    crf.set_unary(u);
    crf.add_gaussian(3, 3);
    crf.add_bilateral(80, 13, bgr, 10);
    const auto q = crf.infer(5);
    const auto expected = read_npy<float, 3>(ocelli_test::fixture("crf/im1.marginals.npy"));
    CHECK(largest_difference(q, expected) < 1e-3);
    CHECK(agreement(crf.map(q), crf.map(expected)) >= 0.999);
}

TEST_CASE("mean field is what the equations say") {
    // Few points: messages by the plain lattice, everything else written out.
    const std::size_t h = 5, w = 7, n = h * w, labels = 3;
    const auto u = energies<double>(labels, h, w, 3);
    ocelli_test::points f(n);
    for (std::size_t i = 0; i < n; ++i) f[i] = {static_cast<double>(i % w) / 1.5, static_cast<double>(i / w) / 2.5};
    const ocelli_test::reference_lattice lattice(f);
    const auto norm = lattice.filter(std::vector<double>(n, 1));
    std::vector<std::vector<double>> q(labels, std::vector<double>(n));
    const auto softmax = [&](const std::vector<std::vector<double>>& z) {
        for (std::size_t i = 0; i < n; ++i) {
            double sum = 0;
            for (std::size_t l = 0; l < labels; ++l) sum += std::exp(z[l][i]);
            for (std::size_t l = 0; l < labels; ++l) q[l][i] = std::exp(z[l][i]) / sum;
        }
    };
    std::vector<std::vector<double>> z(labels, std::vector<double>(n));
    for (std::size_t l = 0; l < labels; ++l)
        for (std::size_t i = 0; i < n; ++i) z[l][i] = -u.data()[l * n + i];
    softmax(z);
    for (int step = 0; step < 3; ++step) {
        for (std::size_t l = 0; l < labels; ++l) {
            auto m = q[l];
            for (std::size_t i = 0; i < n; ++i) m[i] /= std::sqrt(norm[i]);
            m = lattice.filter(m);
            for (std::size_t i = 0; i < n; ++i) z[l][i] = -u.data()[l * n + i] + 2 * m[i] / std::sqrt(norm[i]);
        }
        softmax(z);
    }
    dense_crf<double> crf({h, w}, labels);
    crf.set_unary(u);
    crf.add_gaussian({2.5, 1.5}, 2);
    const auto found = crf.infer(3);
    for (std::size_t l = 0; l < labels; ++l)
        for (std::size_t i = 0; i < n; ++i) CHECK(std::abs(found.data()[l * n + i] - q[l][i]) < 1e-10);
}

TEST_CASE("the order of terms does not matter, and runs of any length agree with double's plain ones") {
    for (const std::size_t w : std::initializer_list<std::size_t>{1, 2, 3, 63, 64, 65, 67})
        for (const std::size_t labels : std::initializer_list<std::size_t>{2, 9, 21, 30, 40}) {
            CAPTURE(w);
            CAPTURE(labels);
            const auto image = noise(2, w, 3, 11);
            const auto u = energies<float>(labels, 2, w, 12);
            const auto run = [&]<class T>(T, int order) {
                dense_crf<T> crf({2, w}, labels);
                crf.set_unary(xt::xtensor<T, 3>(xt::cast<T>(u)));
                if (order == 2) crf.add_bilateral(20, 30, image, 2);
                crf.add_gaussian(3, 3);
                if (order == 1) crf.add_bilateral(20, 30, image, 2);
                if (order == 3) crf.add_bilateral(20, 30, image, 2, kernel_normalization::before);
                if (order == 4) crf.add_gaussian(9, 1);
                return crf.infer(3);
            };
            CHECK(run(0.0f, 1) == run(0.0f, 2));
            for (const int order : {0, 1, 3, 4}) CHECK(largest_difference(run(0.0f, order), run(0.0, order)) < 2e-5);
        }
}

TEST_CASE("results do not depend on the number of threads") {
    const auto image = noise(150, 300, 3, 1);
    const auto u = energies<float>(6, 150, 300, 2);
    const auto run = [&] {
        dense_crf<> crf({150, 300}, 6);
        crf.set_unary(u);
        crf.add_gaussian(3, 3, kernel_normalization::after);
        crf.add_bilateral(30, 20, image, label_compatibility::matrix(-2.0 * Eigen::MatrixXd::Identity(6, 6)));
        auto q = crf.infer(3);
        return std::pair(q, crf.kl_divergence(q));
    };
    set_num_threads(1);
    const auto one = run();
    set_num_threads(3);
    const auto three = run();
    set_num_threads(0);
    CHECK(one.first == three.first);
    CHECK(one.second == three.second);
}

TEST_CASE("marginals sum to one, and divergence falls") {
    const auto image = noise(33, 70, 1, 4);
    dense_crf<> crf({33, 70}, 21);
    crf.set_unary(energies<float>(21, 33, 70, 5));
    crf.add_bilateral(10, 40, image, 4);
    auto q = crf.start();
    double before = crf.kl_divergence(q);
    for (int i = 0; i < 5; ++i) {
        crf.step(q);
        const double now = crf.kl_divergence(q);
        CHECK(now <= before + 1e-6 * std::abs(before));
        before = now;
        for (std::size_t p = 0; p < 33 * 70; p += 17) {
            double sum = 0;
            for (std::size_t l = 0; l < 21; ++l) sum += static_cast<double>(q.data()[l * 33 * 70 + p]);
            CHECK(std::abs(sum - 1) < 1e-5);
        }
    }
}

TEST_CASE("a volume, other arrays, no unary, no terms") {
    dense_crf<double, 3> volume({4, 5, 6}, 2);
    xt::xtensor<double, 4> u({2, 4, 5, 6}, 0.0);
    ocelli_test::draws draw(6);
    for (double& x : u) x = draw();
    volume.set_unary(u);
    volume.add_gaussian({1, 2, 3}, 2);
    xt::xtensor<double, 2> f({120, 3});
    for (std::size_t i = 0; i < 120; ++i) {
        f(i, 0) = static_cast<double>(i % 6) / 3;
        f(i, 1) = static_cast<double>(i / 6 % 5) / 2;
        f(i, 2) = static_cast<double>(i / 30);
    }
    dense_crf<double, 1> list({120}, 2);
    list.set_unary(view(u.data(), {2, 120}));
    list.add_pairwise(f, 2);
    const auto q = volume.infer(4);
    const auto r = list.infer(4);
    for (std::size_t i = 0; i < 240; ++i) CHECK(std::abs(q.data()[i] - r.data()[i]) < 1e-9);
    CHECK(volume.map(q).shape() == std::array<std::size_t, 3>{4, 5, 6});

    dense_crf<> empty({2, 3}, 4);
    for (const float x : empty.infer(2)) CHECK(std::abs(x - 0.25f) < 1e-6f);
    empty.set_unary(xt::xtensor<float, 3>({4, 2, 3}, 1.0f) + 0.0f);
    for (const float x : empty.infer(2)) CHECK(std::abs(x - 0.25f) < 1e-6f);
    CHECK(empty.map(empty.start())(1, 2) == 0);  // the first of equal ones
}

TEST_CASE("images without pixels, and without channels") {
    for (const std::array<std::size_t, 2> shape : {std::array<std::size_t, 2>{0, 5}, {5, 0}, {0, 0}}) {
        dense_crf<> crf(shape, 3);
        crf.set_unary(xt::xtensor<float, 3>({3, shape[0], shape[1]}));
        crf.add_gaussian(3, 3);
        crf.add_bilateral(3, 3, xt::xtensor<unsigned char, 3>({shape[0], shape[1], 3}), 3);
        CHECK(crf.infer(3).size() == 0);
        CHECK(crf.map(crf.start()).size() == 0);
        CHECK(crf.kl_divergence(crf.start()) == 0);
    }
    dense_crf<> grey({4, 4}, 2), plain({4, 4}, 2);
    grey.add_bilateral(3, std::vector<double>{}, xt::xtensor<unsigned char, 3>({4, 4, 0}), 3);
    plain.add_gaussian(3, 3);
    CHECK(grey.infer(1) == plain.infer(1));
}

TEST_CASE("an infinite energy forbids a label, huge ones stay harmless") {
    auto u = energies<float>(3, 6, 9, 8);
    for (std::size_t i = 0; i < 54; ++i) u.data()[54 + i] = inf;
    u(0, 2, 2) = 3e38f;
    u(2, 3, 3) = -1e38f;
    dense_crf<> crf({6, 9}, 3);
    crf.set_unary(u);
    crf.add_gaussian(2, 3);
    const auto q = crf.infer(3);
    for (std::size_t i = 0; i < q.size(); ++i) REQUIRE(detail::is_finite(q.data()[i]));
    for (std::size_t i = 0; i < 54; ++i) CHECK(q.data()[54 + i] == 0);
    CHECK(q(2, 3, 3) == 1);
    CHECK(detail::is_finite(crf.kl_divergence(q)));
}

TEST_CASE("a million labels are possible where they fit") {
    const std::size_t labels = 1000000;
    dense_crf<> crf({1, 3}, labels);
    xt::xtensor<float, 3> u({labels, 1, 3}, 0.0f);
    u(777777, 0, 0) = u(777777, 0, 2) = -20;
    crf.set_unary(u);
    crf.add_gaussian(3, 10);
    CHECK(crf.map(crf.infer(2))(0, 1) == 777777);
    CHECK(message_of([] { dense_crf<> too_many({480, 640}, 1000000); }) ==
          "dense_crf: 307200 points of 1000000 labels are more than 8589934592 numbers");
    CHECK(message_of([] { dense_crf<> too_large({std::size_t{1} << 40, std::size_t{1} << 40}, 2); }).find("dense_crf: too many points") == 0);
}

TEST_CASE("bad arguments are refused") {
    dense_crf<> crf({2, 3}, 2);
    const xt::xtensor<float, 3> right({2, 2, 3}, 0.0f);
    auto u = right;
    CHECK(message_of([] { dense_crf<> none({2, 3}, 0); }) == "dense_crf: there must be at least one label");
    CHECK(message_of([&] { crf.set_unary(xt::xtensor<float, 3>({3, 2, 3})); }) == "dense_crf: energies must have shape (2, 2, 3), got (3, 2, 3)");
    u(1, 0, 2) = no_number;
    CHECK(message_of([&] { crf.set_unary(u); }) == "dense_crf: energies: NaN at label 1 of point 2");
    u(1, 0, 2) = -inf;
    CHECK(message_of([&] { crf.set_unary(u); }) == "dense_crf: energies: a label must not be infinitely likely, label 1 of point 2 is");
    u(1, 0, 2) = -3e38f;  // infinite to base 2
    CHECK(message_of([&] { crf.set_unary(u); }) == "dense_crf: energies: a label must not be infinitely likely, label 1 of point 2 is");
    u(1, 0, 2) = u(0, 0, 2) = inf;
    CHECK(message_of([&] { crf.set_unary(u); }) == "dense_crf: energies: point 2 has no possible label");
    CHECK(message_of([&] { crf.add_gaussian(0, 3); }) == "dense_crf: add_gaussian: deviations must be positive, got 0");
    CHECK(message_of([&] { crf.add_gaussian({1, no_number}, 3); }) == "dense_crf: add_gaussian: deviations must be positive, got nan");
    CHECK(message_of([&] { crf.add_gaussian(3, label_compatibility::per_label(std::vector<double>{1, 2, 3})); }) ==
          "dense_crf: add_gaussian: energies for 3 labels, the field has 2");
    const xt::xtensor<unsigned char, 3> image({2, 3, 3}, 0);
    CHECK(message_of([&] { crf.add_bilateral(3, {1, 2}, image, 3); }) == "dense_crf: add_bilateral: a picture of 3 channels has 2 deviations");
    CHECK(message_of([&] { crf.add_bilateral(3, 3, xt::xtensor<unsigned char, 3>({3, 2, 3}), 3); }) ==
          "dense_crf: the picture must have shape (2, 3) and channels, got (3, 2, 3)");
    CHECK(message_of([&] { crf.add_bilateral(3, 3, xt::xtensor<float, 3>({2, 3, 1}, no_number), 3); }) ==
          "dense_crf: add_bilateral: features must be finite, dimension 2 is not");
    CHECK(message_of([&] { crf.add_gaussian(1e-9, 3); }).find("dense_crf: add_gaussian: features are too large for the lattice") == 0);
    CHECK(message_of([&] { crf.add_pairwise(xt::xtensor<float, 3>({3, 2, 1}), 3); }) ==
          "dense_crf: features must have shape (2, 3) and dimensions, got (3, 2, 1)");
    CHECK(message_of([&] { (void)crf.map(xt::xtensor<float, 3>({2, 3, 2})); }) == "dense_crf: marginals must have shape (2, 2, 3), got (2, 3, 2)");
    xt::xtensor<float, 3> small({2, 2, 2});
    CHECK(message_of([&] { crf.infer(1, small); }) == "dense_crf: out must have shape (2, 2, 3), got (2, 2, 2)");
    CHECK(message_of([&] { crf.step(small); }) == "dense_crf: marginals must have shape (2, 2, 3), got (2, 2, 2)");
    CHECK(crf.terms() == 0);
}
