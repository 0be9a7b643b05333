#include <support/operators.hpp>

#include <algorithm>
#include <numeric>

using namespace operators;
using ocelli::invalid_argument;

namespace {

tensor counting(dims shape) {
    tensor t(nn::dtype::float32, std::move(shape));
    std::iota(t.mutable_data<float>(), t.mutable_data<float>() + t.size(), 0.0f);
    return t;
}

}  // namespace

TEST_CASE("Transpose moves every element to its place, for every permutation of four axes") {
    // Large enough on two axes that tiles with remainders are used.
    const tensor x = counting({3, 37, 2, 45});
    std::vector<std::int64_t> perm = {0, 1, 2, 3};
    do {
        const tensor y = run("Transpose", 13, {x}, {numbers("perm", perm)});
        const dims from = nn::dense_strides(x.shape());
        bool right = true;
        std::int64_t at = 0;
        std::int64_t i[4];
        const auto p = [&](std::size_t k) { return static_cast<std::size_t>(perm[k]); };
        for (i[0] = 0; i[0] < y.extent(0); ++i[0])
            for (i[1] = 0; i[1] < y.extent(1); ++i[1])
                for (i[2] = 0; i[2] < y.extent(2); ++i[2])
                    for (i[3] = 0; i[3] < y.extent(3); ++i[3], ++at)
                        right = right && y.data<float>()[at] == static_cast<float>(i[0] * from[p(0)] + i[1] * from[p(1)] + i[2] * from[p(2)] + i[3] * from[p(3)]);
        CHECK(right);
    } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST_CASE("Transpose reverses axes by default and moves every width") {
    CHECK(run("Transpose", 13, {counting({2, 3, 4})}).shape() == dims{4, 3, 2});
    for (const nn::dtype type : {nn::dtype::uint8, nn::dtype::float16, nn::dtype::int32, nn::dtype::float64}) {
        const tensor y = run("Transpose", 13, {floats({2, 3}, {0, 1, 2, 3, 4, 5}).cast(type)});
        CHECK(elements<float>(y.cast(nn::dtype::float32)) == std::vector<float>{0, 3, 1, 4, 2, 5});
    }
    CHECK(run("Transpose", 13, {floats({}, {1})}).shape() == dims{});
    CHECK_REFUSED(invalid_argument, run("Transpose", 13, {counting({2, 2})}, {numbers("perm", {0})}), "perm");
    CHECK_REFUSED(invalid_argument, run("Transpose", 13, {counting({2, 2})}, {numbers("perm", {0, 0})}), "twice");
}

TEST_CASE("Expand broadcasts both ways, Tile repeats") {
    const tensor x = floats({2, 1}, {1, 2});
    CHECK(elements<float>(run("Expand", 13, {x, list({3})})) == std::vector<float>{1, 1, 1, 2, 2, 2});
    CHECK(run("Expand", 13, {x, list({2, 1, 1})}).shape() == dims{2, 2, 1});
    CHECK(run("Expand", 13, {x, list({0})}).shape() == dims{2, 0});
    CHECK_REFUSED(invalid_argument, run("Expand", 13, {x, list({3, 4})}), "(3, 4)");
    CHECK(elements<float>(run("Tile", 13, {floats({2, 2}, {1, 2, 3, 4}), list({2, 2})})) ==
          std::vector<float>{1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4});
    CHECK(run("Tile", 13, {x, list({1, 0})}).shape() == dims{2, 0});
    CHECK_REFUSED(invalid_argument, run("Tile", 13, {x, list({1})}), "repeats");
    CHECK_REFUSED(invalid_argument, run("Tile", 13, {x, list({1, -1})}), "negative");
}

TEST_CASE("Concat and Split undo each other along every axis") {
    const tensor x = counting({4, 6, 5});
    for (const std::int64_t axis : {-3, 1, 2}) {
        const std::int64_t extent = x.extent(static_cast<std::size_t>(axis < 0 ? axis + 3 : axis));
        const auto parts = run_all("Split", 13, {x, list({1, 0, extent - 1})}, {number("axis", axis)}, 3);
        CHECK(elements<float>(run("Concat", 13, parts, {number("axis", axis)})) == elements<float>(x));
    }
    CHECK_REFUSED(invalid_argument, run("Concat", 13, {x, counting({4, 6})}, {number("axis", 0)}), "rank");
    CHECK_REFUSED(invalid_argument, run("Concat", 13, {x, counting({4, 6, 4})}, {number("axis", 0)}), "differ");
    CHECK_REFUSED(invalid_argument, run("Concat", 13, {x}), "'axis' is missing");
    CHECK(run("Concat", 3, {x, x}).shape() == nn::dims{x.extent(0), 2 * x.extent(1), x.extent(2)});
}

TEST_CASE("Split takes equal parts, given parts, or a number of outputs") {
    const tensor x = counting({7});
    const auto uneven = run_all("Split", 18, {x}, {number("num_outputs", 3)}, 3);
    CHECK(elements<float>(uneven[0]) == std::vector<float>{0, 1, 2});
    CHECK(elements<float>(uneven[2]) == std::vector<float>{6});
    CHECK(elements<float>(run_all("Split", 2, {x}, {numbers("split", {2, 5})}, 2)[1]) == std::vector<float>{2, 3, 4, 5, 6});
    CHECK(elements<float>(run_all("Split", 11, {counting({4})}, {}, 2)[1]) == std::vector<float>{2, 3});
    CHECK_REFUSED(invalid_argument, run_all("Split", 13, {x}, {}, 2), "equal parts");
    CHECK_REFUSED(invalid_argument, run_all("Split", 13, {x, list({3, 3})}, {}, 2), "does not divide");
    CHECK_REFUSED(invalid_argument, run_all("Split", 13, {x, list({8, -1})}, {}, 2), "does not fit");
}

TEST_CASE("Slice takes negative and far bounds and steps, as Python does") {
    const tensor x = counting({4, 5});
    const std::int64_t far = std::numeric_limits<std::int64_t>::max(), low = std::numeric_limits<std::int64_t>::min();
    CHECK(elements<float>(run("Slice", 9, {x}, {numbers("starts", {1, -2}), numbers("ends", {3, far})})) == std::vector<float>{8, 9, 13, 14});
    CHECK(elements<float>(run("Slice", 13, {x, list({-1}), list({low}), list({1}), list({-2})})).size() == 12);
    CHECK(elements<float>(run("Slice", 13, {x, list({3, 4}), list({low, -6}), list({0, 1}), list({-3, -4})})) == std::vector<float>{19, 15, 4, 0});
    CHECK(elements<float>(run("Slice", 13, {x, list({1}), list({2}), list({0}), list({far})})) == std::vector<float>{5, 6, 7, 8, 9});
    CHECK(run("Slice", 13, {x, list({2}), list({1})}).shape() == dims{0, 5});
    CHECK(run("Slice", 13, {x, of<std::int32_t>({1}, {1}), of<std::int32_t>({1}, {-1}), {}, of<std::int32_t>({1}, {2})}).shape() == dims{1, 5});
    CHECK_REFUSED(invalid_argument, run("Slice", 13, {x, list({0}), list({1}), list({0}), list({0})}), "steps must not be 0");
    CHECK_REFUSED(invalid_argument, run("Slice", 13, {x, list({0}), list({1}), list({2})}), "axis 2");
    CHECK_REFUSED(invalid_argument, run("Slice", 13, {x, list({0, 1}), list({1})}), "one length");
}

TEST_CASE("ReverseSequence reverses the first elements of each sequence") {
    const tensor x = counting({4, 4});
    CHECK(elements<float>(run("ReverseSequence", 10, {x, list({1, 2, 3, 4})}, {number("time_axis", 1), number("batch_axis", 0)})) ==
          std::vector<float>{0, 1, 2, 3, 5, 4, 6, 7, 10, 9, 8, 11, 15, 14, 13, 12});
    CHECK(elements<float>(run("ReverseSequence", 10, {x, list({4, 0, 2, 1})})) ==
          std::vector<float>{12, 1, 6, 3, 8, 5, 2, 7, 4, 9, 10, 11, 0, 13, 14, 15});
    CHECK_REFUSED(invalid_argument, run("ReverseSequence", 10, {x, list({1, 2, 3, 5})}), "sequence length of 5");
}

TEST_CASE("Trilu keeps a triangle from any diagonal") {
    const tensor x = counting({2, 3});
    CHECK(elements<float>(run("Trilu", 14, {x})) == std::vector<float>{0, 1, 2, 0, 4, 5});
    CHECK(elements<float>(run("Trilu", 14, {x}, {number("upper", 0)})) == std::vector<float>{0, 0, 0, 3, 4, 0});
    CHECK(elements<float>(run("Trilu", 14, {x, list({1})})) == std::vector<float>{0, 1, 2, 0, 0, 5});
    CHECK(elements<float>(run("Trilu", 14, {x, list({std::numeric_limits<std::int64_t>::min()})})) == elements<float>(x));
    CHECK(elements<float>(run("Trilu", 14, {x, list({-99})}, {number("upper", 0)})) == std::vector<float>(6, 0.0f));
    CHECK_REFUSED(invalid_argument, run("Trilu", 14, {counting({3})}), "rank 2");
}

TEST_CASE("what a move leaves as it is keeps its memory: all of a slice, an expansion to the same shape, nothing joined to it") {
    const tensor x = counting({2, 3, 4}), none = counting({2, 0, 4});
    const auto same = [&](const tensor& y) { return y.shape() == x.shape() && elements<float>(y) == elements<float>(x); };
    CHECK(same(run("Slice", 13, {x, list({0, -3}), list({100, 3}), list({0, 1})})));
    CHECK(!same(run("Slice", 13, {x, list({-1}), list({-100}), list({0}), list({-1})})));
    CHECK(same(run("Expand", 13, {x, list({3, 1})})));
    CHECK(same(run("Concat", 13, {none, x, none}, {number("axis", 1)})));
    CHECK(run("Concat", 13, {none, none}, {number("axis", 1)}).shape() == dims{2, 0, 4});
    CHECK(same(run("Concat", 13, {run("Slice", 13, {x, list({0}), list({2}), list({2})}), run("Slice", 13, {x, list({2}), list({9}), list({2})})}, {number("axis", 2)})));
}
