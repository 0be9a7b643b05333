// ctest: per_isa
#include <support/convolutions.hpp>

#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/transposed.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace convolutions;

namespace {

// From `in` channels of height x width to `out`; as many results behind the last whole window as `extra` says, which may be negative.
conv_layer layer_of(std::int64_t batch, std::int64_t in, std::int64_t out, std::int64_t height, std::int64_t width, std::int64_t pad_top = 1, std::int64_t pad_left = 1,
                    std::int64_t extra_y = -1, std::int64_t extra_x = -1) {
    conv_layer l;
    l.batch = batch;
    l.filters = in;
    l.channels = out;
    l.out_height = height;
    l.out_width = width;
    l.kernel_height = l.kernel_width = 4;
    l.stride_y = l.stride_x = 2;
    l.pad_top = pad_top;
    l.pad_left = pad_left;
    l.height = std::max<std::int64_t>(1, 2 * height + 2 - pad_top + extra_y);
    l.width = std::max<std::int64_t>(1, 2 * width + 2 - pad_left + extra_x);
    return l;
}

struct layer_run {
    tensor x, w, addend;
    std::vector<float> bias, slope, in, added, packed, out;
    blocked_epilogue e;

    layer_run(const conv_layer& l, activation function, bool adds, unsigned seed)
        : x(random_tensor({l.batch, l.filters, l.out_height, l.out_width}, seed)), w(random_tensor({l.filters, l.channels, 4, 4}, seed + 1)),
          addend(random_tensor({l.batch, l.channels, l.height, l.width}, seed + 2)), bias(in_whole_blocks(l.channels, seed + 3)),
          slope(in_whole_blocks(l.channels, seed + 4)), in(blocks_of(x)), added(blocks_of(addend)),
          packed(static_cast<std::size_t>(transpose_winograd_packed_size(l))), out(added.size(), 7.0f) {
        transpose_winograd_pack(l, w.data<float>(), packed.data());
        e.bias = bias.data();
        e.slope = slope.data();
        e.addend = adds ? added.data() : nullptr;
        e.function = function;
        e.alpha = 0.25f;
        e.beta = 0.75f;
    }
    void run(const conv_layer& l) { transpose_winograd(l, in.data(), packed.data(), e, out.data()); }
};

// Winograd's largest difference from sums in double, relative to the terms; and whether unused lanes are zero.
double error_of_winograd(const conv_layer& l, activation function, bool adds, unsigned seed) {
    layer_run r(l, function, adds, seed);
    r.run(l);
    const std::int64_t lanes = block_lanes(), blocks = block_count(l.channels, lanes), pixels = l.height * l.width;
    double worst = 0;
    std::vector<double> sums(static_cast<std::size_t>(pixels));
    for (std::int64_t n = 0; n < l.batch; ++n)
        for (std::int64_t f = 0; f < blocks * lanes; ++f) {
            const auto got = [&](std::int64_t i) { return static_cast<double>(r.out[static_cast<std::size_t>(((n * blocks + f / lanes) * pixels + i) * lanes + f % lanes)]); };
            if (f >= l.channels) {
                for (std::int64_t i = 0; i < pixels; ++i)
                    if (got(i) != 0) worst = 1e9;
                continue;
            }
            std::fill(sums.begin(), sums.end(), static_cast<double>(r.bias[static_cast<std::size_t>(f)]));
            for (std::int64_t c = 0; c < l.filters; ++c)
                for (std::int64_t i = 0; i < l.out_height * l.out_width; ++i)
                    for (std::int64_t tap = 0; tap < 16; ++tap) {
                        const std::int64_t row = 2 * (i / l.out_width) + tap / 4 - l.pad_top, column = 2 * (i % l.out_width) + tap % 4 - l.pad_left;
                        if (row < 0 || row >= l.height || column < 0 || column >= l.width) continue;
                        sums[static_cast<std::size_t>(row * l.width + column)] +=
                            static_cast<double>(r.w.data<float>()[(c * l.channels + f) * 16 + tap]) *
                            static_cast<double>(r.x.data<float>()[(n * l.filters + c) * l.out_height * l.out_width + i]);
                    }
            for (std::int64_t i = 0; i < pixels; ++i) {
                double sum = sums[static_cast<std::size_t>(i)];
                if (adds) sum += static_cast<double>(r.addend.data<float>()[(n * l.channels + f) * pixels + i]);
                sum = activated(sum, function, 0.25, 0.75, static_cast<double>(r.slope[static_cast<std::size_t>(f)]));
                worst = std::max(worst, std::abs(got(i) - sum) / static_cast<double>(4 * l.filters + 1));
            }
        }
    return worst;
}

}  // namespace

TEST_CASE("transposed convolutions on blocks agree with the reference in double over random layers and epilogues") {
    std::mt19937 random(29);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 90; ++i) {
        CAPTURE(i);
        layer l;
        l.transposed = true;
        l.blocks = i % 3 != 0;
        l.group = i % 5 == 0 ? std::int64_t{1} << pick(0, 2) : 1;
        l.x = {pick(1, 2), l.group > 1 ? 4 * pick(1, 6) * l.group : pick(1, 50)};
        l.w = {l.x[1], l.group > 1 ? 4 * pick(1, 6) : pick(1, 50)};
        const std::size_t spatial = i % 7 == 0 ? 1 : 2;
        for (std::size_t a = 0; a < spatial; ++a) {
            const std::int64_t kernel = pick(1, 5), stride = pick(1, 4);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(1);
            l.x.push_back(pick(2, 12));
            l.output_padding.push_back(pick(0, stride - 1));
        }
        for (std::size_t a = 0; a < 2 * spatial; ++a) l.pads.push_back(pick(0, std::min<std::int64_t>(1, l.w[2 + a % spatial] - 1)));
        CHECK(error_of(l, static_cast<activation>(i % 9), i % 2 == 0, i % 4 == 1, 1000 * i, "", "blocked_transpose") < 5e-7);
    }
    // What blocks do not take stays in planes.
    layer l{{1, 3, 5, 5}, {3, 4, 3, 3}, {2, 2}, {2, 2}, {1, 1, 1, 1}};
    l.transposed = true;
    CHECK(error_of(l, activation::relu, true, false, 1, "", "conv_transpose") < 5e-7);
}

TEST_CASE("transposed weights are packed with the factors of their filters, in one group, several, and several to a block") {
    for (const std::int64_t group : std::initializer_list<std::int64_t>{1, 2, 16}) {
        CAPTURE(group);
        conv_layer l;
        l.channels = group == 1 ? 45 : 64;
        l.filters = 32;
        l.group = group;
        l.kernel_height = 4;
        l.kernel_width = 3;
        l.stride_x = l.stride_y = 2;
        REQUIRE(blocked_transpose_takes(l));
        const std::int64_t out = l.channels / group, in = l.filters / group;
        const std::vector<float> w = floats_of(random_tensor({l.filters, out, 4, 3}, 3)), factors = floats_of(random_tensor({l.channels}, 4));
        std::vector<float> product = w;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const std::int64_t row = static_cast<std::int64_t>(i) / 12;
            product[i] *= factors[static_cast<std::size_t>(row / (in * out) * out + row % out)];
        }
        std::vector<float> one(static_cast<std::size_t>(blocked_transpose_packed_size(l)), 1.0f), other(one.size(), 2.0f);
        blocked_transpose_pack(l, product.data(), one.data());
        blocked_transpose_pack(l, w.data(), other.data(), factors.data());
        CHECK(one == other);
    }
}

TEST_CASE("few filters as columns agree with the reference in double over random layers and epilogues") {
    std::mt19937 random(37);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 90; ++i) {
        CAPTURE(i);
        layer l;
        l.transposed = true;
        l.blocks = i % 3 != 0;
        l.known = i % 4 == 0;
        l.x = {pick(1, 3), pick(1, 67)};
        l.w = {l.x[1], pick(1, block_lanes() / 2)};
        const std::size_t spatial = i % 7 == 0 ? 1 : 2;
        for (std::size_t a = 0; a < spatial; ++a) {
            const std::int64_t kernel = pick(1, 5), stride = i % 2 == 0 ? 2 : pick(1, 4);
            l.w.push_back(kernel);
            l.strides.push_back(stride);
            l.dilations.push_back(1);
            l.x.push_back(pick(3, 40));
            l.output_padding.push_back(pick(0, stride - 1));
        }
        for (std::size_t a = 0; a < 2 * spatial; ++a) l.pads.push_back(pick(0, std::min<std::int64_t>(i % 5 == 0 ? 3 : 1, l.w[2 + a % spatial])));
        CHECK(error_of(l, static_cast<activation>(i % 9), i % 2 == 0, i % 4 == 1, 1000 * i, "", "blocked_transpose_columns") < 5e-7);
    }
    // Sums in parts; several tasks; padding that leaves one result; one pixel.
    const auto check = [](dims x, dims w, std::int64_t stride, std::int64_t pad) {
        layer l{std::move(x), std::move(w), {stride, stride}, {1, 1}, {pad, pad, pad, pad}};
        l.transposed = true;
        CHECK(error_of(l, activation::silu, true, true, 3, "", "blocked_transpose_columns") < 5e-7);
    };
    check({1, 700, 9, 7}, {700, 2, 4, 4}, 2, 1);
    check({2, 20, 70, 90}, {20, 2, 4, 4}, 2, 1);
    check({1, 20, 3, 3}, {20, 2, 4, 4}, 2, 3);
    check({1, 20, 1, 1}, {20, 1, 7, 7}, 1, 0);
    check({1, 5, 4, 4}, {5, 1, 2, 2}, 5, 0);
}

TEST_CASE("few filters: what is no number stays with the results that add it, and threads change no bit") {
    conv_layer l = layer_of(2, 20, 2, 41, 33);
    l.pad_top = 0;
    tensor x = random_tensor({2, 20, 41, 33}, 1);
    x.mutable_data<float>()[5 * 33 + 7] = std::numeric_limits<float>::quiet_NaN();
    const tensor w = random_tensor({20, 2, 4, 4}, 2);
    const std::vector<float> in = blocks_of(x);
    std::vector<float> packed(static_cast<std::size_t>(transpose_columns_packed_size(l))), out(static_cast<std::size_t>(2 * 2 * l.height * l.width)), other = out;
    transpose_columns_pack(l, w.data<float>(), packed.data());
    set_num_threads(1);
    transpose_columns(l, in.data(), packed.data(), {}, out.data());
    set_num_threads(3);
    transpose_columns(l, in.data(), packed.data(), {}, other.data());
    set_num_threads(0);
    CHECK(std::memcmp(out.data(), other.data(), out.size() * sizeof(float)) == 0);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(out.size()); ++i) {
        const std::int64_t row = i / l.width % l.height - 2 * 5, column = i % l.width - (2 * 7 - 1);
        const bool reads = i < 2 * l.height * l.width && row >= 0 && row < 4 && column >= 0 && column < 4;
        CHECK(std::isnan(out[static_cast<std::size_t>(i)]) == reads);
    }
}

TEST_CASE("4 x 4 kernels at stride 2 by Winograd agree with sums in double over random layers and epilogues") {
    std::mt19937 random(41);
    const auto pick = ocelli_test::whole_numbers(random);
    for (unsigned i = 0; i < 60; ++i) {
        CAPTURE(i);
        const conv_layer l = layer_of(pick(1, 3), pick(1, 67), pick(1, 67), pick(1, 12), pick(1, 12), pick(0, 4), pick(0, 4), pick(-3, 1), pick(-3, 1));
        CHECK(error_of_winograd(l, static_cast<activation>(i % 9), i % 3 == 0, 100 * i) < 5e-7);
    }
    // Several tasks by tiles, and by filters; sums in parts.
    CHECK(error_of_winograd(layer_of(1, 40, 20, 33, 30), activation::relu, true, 1) < 5e-7);
    CHECK(error_of_winograd(layer_of(1, 100, 100, 16, 16), activation::silu, true, 2) < 5e-7);
    CHECK(error_of_winograd(layer_of(1, 300, 20, 5, 6), activation::none, false, 3) < 5e-7);
}

TEST_CASE("Winograd: an image of a batch keeps the bits it has alone, on any number of threads") {
    const conv_layer l = layer_of(5, 100, 100, 9, 14);
    conv_layer one = l;
    one.batch = 1;
    layer_run r(l, activation::relu, false, 9);
    set_num_threads(3);
    r.run(l);
    const std::vector<float> all = r.out;
    set_num_threads(1);
    const auto in_each = static_cast<std::int64_t>(r.in.size()) / l.batch, out_each = static_cast<std::int64_t>(r.out.size()) / l.batch;
    for (std::int64_t n = 0; n < l.batch; ++n) transpose_winograd(one, r.in.data() + n * in_each, r.packed.data(), r.e, r.out.data() + n * out_each);
    set_num_threads(0);
    CHECK(std::memcmp(all.data(), r.out.data(), all.size() * sizeof(float)) == 0);
}

TEST_CASE("Winograd: a NaN stays within the tiles that read it") {
    const conv_layer l = layer_of(1, 16, 16, 9, 9);
    layer_run r(l, activation::relu, false, 1);
    r.in[static_cast<std::size_t>((4 * 9 + 4) * block_lanes())] = std::numeric_limits<float>::quiet_NaN();  // pixel (4, 4) is read by results 6 to 11 of the uncut image
    r.run(l);
    for (std::int64_t i = 0; i < l.height * l.width; ++i) {
        const std::int64_t row = i / l.width + 1, column = i % l.width + 1;
        CHECK(std::isnan(r.out[static_cast<std::size_t>(i * block_lanes())]) == (row >= 6 && row < 12 && column >= 6 && column < 12));
    }
}

TEST_CASE("transposed weights are packed wherever they lie") {
    for (const std::int64_t filters : {3, 45}) {
        const conv_layer l = layer_of(1, 37, filters, 6, 6);
        const tensor w = random_tensor({37, filters, 4, 4}, 11);
        std::vector<std::byte> file(w.bytes() + 1);
        std::memcpy(file.data() + 1, w.raw(), w.bytes());
        const auto* there = static_cast<const float*>(static_cast<const void*>(file.data() + 1));
        const auto alike = [&](std::int64_t size, auto pack) {
            std::vector<float> one(static_cast<std::size_t>(size), 1.0f), other(one.size(), 2.0f);
            pack(l, w.data<float>(), one.data());
            pack(l, there, other.data());
            CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0);
        };
        alike(transpose_columns_packed_size(l), transpose_columns_pack);
        alike(transpose_winograd_packed_size(l), [](auto&&... arguments) { transpose_winograd_pack(arguments...); });
    }
}

TEST_CASE("transposed weights are transformed with the factors of their filters") {
    const conv_layer l = layer_of(1, 37, 45, 6, 6);
    const tensor w = random_tensor({37, 45, 4, 4}, 11), factors = random_tensor({45}, 12);
    tensor product = w.clone();
    for (std::int64_t i = 0; i < w.size(); ++i) product.mutable_data<float>()[i] *= factors.data<float>()[i / 16 % 45];
    std::vector<float> one(static_cast<std::size_t>(transpose_winograd_packed_size(l)), 1.0f), other(one.size(), 2.0f);
    transpose_winograd_pack(l, product.data<float>(), one.data());
    transpose_winograd_pack(l, w.data<float>(), other.data(), factors.data<float>());
    CHECK(one == other);
}

TEST_CASE("transposed convolutions are made by Winograd, columns or phases as their shapes want") {
    CHECK(transpose_winograd_pays(layer_of(1, 128, 64, 32, 32)));
    CHECK(transpose_winograd_pays(layer_of(1, 256, 256, 16, 12)));
    CHECK(!transpose_winograd_pays(layer_of(1, 1024, 512, 4, 4)));
    CHECK(!transpose_winograd_pays(layer_of(1, 128, 3, 32, 32)));
    conv_layer other = layer_of(1, 128, 64, 32, 32);
    other.stride_x = 1;
    CHECK(!transpose_winograd_pays(other));
    other = layer_of(1, 128, 64, 32, 32);
    other.width = 0;
    CHECK(!transpose_winograd_pays(other));

    layer l{{1, 64, 24, 24}, {64, 64, 4, 4}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
    l.transposed = l.known = true;
    CHECK(error_of(l, activation::relu, true, true, 1, "", "blocked_transpose_winograd") < 5e-7);
    l.pads = {0, 2, 1, 0};
    l.output_padding = {1, 1};
    CHECK(error_of(l, activation::none, true, false, 1, "", "blocked_transpose_winograd") < 5e-7);
}
