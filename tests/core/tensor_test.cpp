#include <ocelli/core/tensor.hpp>

#include <Eigen/Core>
#include <doctest/doctest.h>

#include <span>
#include <vector>

#if __has_include(<xtensor/views/xview.hpp>)
#    include <xtensor/views/xview.hpp>
#else
#    include <xtensor/xview.hpp>
#endif

using namespace ocelli;

TEST_CASE("dense memory is borrowed, by pointer equality") {
    const xt::xtensor<float, 2> t{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
    CHECK(as_dense<float, 2>(t, "t").data() == t.data());
    const xt::xarray<float> a = t;
    CHECK(as_dense<float, 2>(a, "a").data() == a.data());
    const xt::xtensor<float, 2> one{{1, 2, 3, 4}};  // extent 1 has stride 0 in xtensor
    CHECK(as_dense<float, 2>(one, "one").data() == one.data());
    const auto rows = xt::view(t, xt::range(1, 3), xt::all());
    const auto dense_rows = as_dense<float, 2>(rows, "rows");
    CHECK(dense_rows.data() == t.data() + 4);
    CHECK(dense_rows.extent(0) == 2);
    Eigen::Matrix<float, Eigen::Dynamic, 4, Eigen::RowMajor> m(3, 4);
    m.setRandom();
    CHECK(as_dense<float, 2>(m, "m").data() == m.data());
    CHECK(as_dense<float, 2>(m.middleRows(1, 2), "block").data() == m.data() + 4);
    const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> map(t.data(), 3, 4);
    CHECK(as_dense<float, 2>(map, "map").data() == t.data());
    const Eigen::Ref<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> ref(m);
    CHECK(as_dense<float, 2>(ref, "ref").data() == m.data());
    const Eigen::VectorXf v = Eigen::VectorXf::LinSpaced(5, 0, 4);
    CHECK(as_dense<float, 1>(v, "v").data() == v.data());
    const Eigen::RowVectorXf rv = v.transpose();
    CHECK(as_dense<float, 1>(rv, "rv").data() == rv.data());
    const std::vector<float> numbers{1, 2, 3};
    CHECK(as_dense<float, 1>(numbers, "numbers").data() == numbers.data());
    CHECK(as_dense<float, 1>(std::span(numbers), "span").data() == numbers.data());
    const std::vector<std::array<float, 4>> boxes{{0, 0, 1, 1}, {2, 2, 3, 3}};
    const auto b = as_dense<float, 2>(boxes, "boxes");
    CHECK(b.data() == boxes[0].data());
    CHECK(b.shape() == std::array<std::size_t, 2>{2, 4});
    const std::size_t n = 3;
    CHECK(as_dense<float, 2>(view(t.data(), {n, 4}), "view").data() == t.data());
    CHECK(as_dense<float, 2>(view(t.data(), {n, 4}), "view").borrowed());
}

TEST_CASE("other layouts and types are evaluated once, in row-major order") {
    const xt::xtensor<float, 2> t{{1, 2, 3}, {4, 5, 6}};
    const auto expect = [](const auto& d, std::initializer_list<double> values) {
        REQUIRE(d.size() == values.size());
        std::size_t i = 0;
        for (const double x : values) CHECK(static_cast<double>(d[i++]) == x);
        CHECK_FALSE(d.borrowed());
    };
    xt::xtensor<float, 2, xt::layout_type::column_major> c = t;
    expect(as_dense<float, 2>(c, "c"), {1, 2, 3, 4, 5, 6});
    expect(as_dense<float, 2>(xt::view(t, xt::all(), xt::range(0, 2)), "view"), {1, 2, 4, 5});
    expect(as_dense<float, 2>(xt::view(t, xt::all(), xt::range(0, 3, 2)), "steps"), {1, 3, 4, 6});
    expect(as_dense<float, 2>(t * 2.0f + 1.0f, "lazy"), {3, 5, 7, 9, 11, 13});
    expect(as_dense<double, 2>(t, "widened"), {1, 2, 3, 4, 5, 6});
    const Eigen::MatrixXf m = (Eigen::MatrixXf(2, 3) << 1, 2, 3, 4, 5, 6).finished();
    expect(as_dense<float, 2>(m, "column-major"), {1, 2, 3, 4, 5, 6});
    expect(as_dense<float, 2>(m * Eigen::MatrixXf::Identity(3, 3), "product"), {1, 2, 3, 4, 5, 6});
    expect(as_dense<float, 2>(m + m, "sum"), {2, 4, 6, 8, 10, 12});
    expect(as_dense<double, 2>(m, "widened matrix"), {1, 2, 3, 4, 5, 6});
    expect(as_dense<float, 1>(m.row(1), "strided row"), {4, 5, 6});
    const std::vector<int> ints{7, 8};
    expect(as_dense<double, 1>(ints, "ints"), {7, 8});
}

TEST_CASE("the working type is the widest floating type, integers alone give double") {
    using f = std::vector<float>;
    using d = xt::xtensor<double, 2>;
    using i = std::vector<int>;
    static_assert(std::is_same_v<scalar_t<f, f>, float>);
    static_assert(std::is_same_v<scalar_t<f, d>, double>);
    static_assert(std::is_same_v<scalar_t<i, f>, float>);
    static_assert(std::is_same_v<scalar_t<i, i>, double>);
    static_assert(std::is_same_v<scalar_t<Eigen::MatrixXf>, float>);
    static_assert(!array_expression<int>);
    static_assert(!array_expression<std::vector<std::string>>);
}

TEST_CASE("a wrong rank is named with what came") {
    const xt::xtensor<float, 3> t = xt::zeros<float>({2, 3, 4});
    CHECK_THROWS_WITH_AS((as_dense<float, 2>(t, "nms: boxes")), "nms: boxes must have 2 dimensions, got shape (2, 3, 4)",
                         invalid_argument);
    const std::vector<float> v(3);
    CHECK_THROWS_WITH_AS((as_dense<float, 2>(v, "nms: boxes")), "nms: boxes must have 2 dimensions, got shape (3)",
                         invalid_argument);
    CHECK_THROWS_WITH_AS((as_dense<float, 1>(Eigen::MatrixXf(2, 3), "scores")), "scores must have 1 dimension, got shape (2, 3)",
                         invalid_argument);
    CHECK_THROWS_AS((view(v.data(), {-1, 4})), invalid_argument);
}

TEST_CASE("shape checks name the expectation") {
    const xt::xtensor<float, 2> t = xt::zeros<float>({3, 5});
    const auto d = as_dense<float, 2>(t, "t");
    CHECK_THROWS_WITH_AS(detail::check_shape(d, {detail::any, 4}, "nms: boxes"), "nms: boxes must have shape (N, 4), got (3, 5)",
                         invalid_argument);
    detail::check_shape(d, {3, detail::any}, "t");
}

TEST_CASE("outputs are any dense row-major memory of the right shape") {
    const std::array<std::size_t, 2> shape{2, 3};
    xt::xtensor<float, 2> t = xt::zeros<float>({2, 3});
    CHECK(detail::as_output<float, 2>(t, shape, "f: out") == t.data());
    Eigen::Matrix<float, 2, 3, Eigen::RowMajor> m;
    CHECK(detail::as_output<float, 2>(m, shape, "f: out") == m.data());
    auto raw = view(t.data(), {2, 3});
    CHECK(detail::as_output<float, 2>(raw, shape, "f: out") == t.data());
    std::vector<std::array<float, 3>> rows(2);
    CHECK(detail::as_output<float, 2>(rows, shape, "f: out") == rows[0].data());
    xt::xtensor<float, 2> wrong = xt::zeros<float>({3, 2});
    CHECK_THROWS_WITH_AS((detail::as_output<float, 2>(wrong, shape, "f: out")), "f: out must have shape (2, 3), got (3, 2)",
                         invalid_argument);
    Eigen::MatrixXf columns(2, 3);
    CHECK_THROWS_WITH_AS((detail::as_output<float, 2>(columns, shape, "f: out")), "f: out must be dense and row-major",
                         invalid_argument);
}
