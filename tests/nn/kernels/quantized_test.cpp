// ctest: per_isa
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/kernels/quantized.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

using namespace ocelli;
using namespace ocelli::nn;

namespace {

struct dice {
    std::mt19937 random;
    std::int64_t operator()(std::int64_t low, std::int64_t high) { return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1)); }
    std::vector<std::uint8_t> bytes(std::int64_t n) {
        std::vector<std::uint8_t> out(static_cast<std::size_t>(n));
        for (auto& b : out) b = static_cast<std::uint8_t>(random() & 255);
        return out;
    }
};

std::int32_t value_of(std::uint8_t b, bool is_signed) {
    return is_signed ? static_cast<std::int8_t>(b) : b;
}

std::uint8_t nearest(float v, std::int32_t low, std::int32_t high, std::int32_t zero) {
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(std::nearbyint(std::clamp(v, static_cast<float>(low), static_cast<float>(high)))) + zero);
}

std::vector<std::int32_t> naive(const conv_layer& l, const byte_image& x, const std::vector<std::int16_t>& w, const std::int32_t* bias) {
    std::vector<std::int32_t> y;
    const std::int64_t c = l.channels / l.group, f = l.filters / l.group;
    for (std::int64_t n = 0; n < l.batch; ++n)
        for (std::int64_t v = 0; v < l.out_height; ++v)
            for (std::int64_t u = 0; u < l.out_width; ++u)
                for (std::int64_t m = 0; m < l.filters; ++m) {
                    std::int32_t sum = bias != nullptr ? bias[m] : 0;
                    for (std::int64_t k = 0; k < c; ++k)
                        for (std::int64_t i = 0; i < l.kernel_height; ++i)
                            for (std::int64_t j = 0; j < l.kernel_width; ++j) {
                                const std::int64_t a = v * l.stride_y - l.pad_top + i * l.dilation_y, b = u * l.stride_x - l.pad_left + j * l.dilation_x;
                                if (a < 0 || a >= l.height || b < 0 || b >= l.width) continue;
                                const auto at = static_cast<std::size_t>(((n * l.height + a) * l.width + b) * l.channels + m / f * c + k);
                                sum += (value_of(x.data[at], x.is_signed) - x.zero) * w[static_cast<std::size_t>(((m * c + k) * l.kernel_height + i) * l.kernel_width + j)];
                            }
                    y.push_back(sum);
                }
    return y;
}

}  // namespace

TEST_CASE("convolutions of bytes give the sums, bytes and floats that plain loops give") {
    dice pick{std::mt19937(11)};
    for (int round = 0; round < 220; ++round) {
        CAPTURE(round);
        conv_layer l;
        const bool depthwise = round % 4 == 1;
        l.batch = pick(1, 2);
        l.group = depthwise ? pick(2, 40) : round % 4 == 2 ? pick(1, 3) : 1;
        l.channels = l.group * (depthwise ? 1 : pick(1, 20));
        l.filters = l.group * (depthwise ? 1 : pick(1, round % 8 == 0 ? 100 : 40));
        l.kernel_height = pick(1, 3);
        l.kernel_width = pick(1, 4);
        l.dilation_y = pick(1, 2);
        l.dilation_x = pick(1, 2);
        l.stride_y = pick(1, 3);
        l.stride_x = pick(1, 2);
        const bool padded = round % 3 != 0;
        l.pad_top = padded ? pick(0, 2) : 0;
        l.pad_left = padded ? pick(0, 3) : 0;
        l.out_height = pick(1, 6);
        l.out_width = pick(1, round % 10 == 3 ? 60 : 9);
        if (round % 5 == 4) {  // a product of matrices
            l.kernel_height = l.kernel_width = l.stride_y = l.stride_x = 1;
            l.pad_top = l.pad_left = 0;
        }
        // Nothing, something or everything of the last windows lies behind the image.
        l.height = std::max<std::int64_t>(1, (l.out_height - 1) * l.stride_y + (l.kernel_height - 1) * l.dilation_y + 1 - l.pad_top + (padded ? pick(-2, 1) : pick(0, 1)));
        l.width = std::max<std::int64_t>(1, (l.out_width - 1) * l.stride_x + (l.kernel_width - 1) * l.dilation_x + 1 - l.pad_left + (padded ? pick(-2, 1) : pick(0, 1)));
        const auto data = pick.bytes(l.batch * l.height * l.width * l.channels);
        byte_image x{data.data(), pick(0, 1) == 1, 0};
        x.zero = static_cast<std::int32_t>(x.is_signed ? pick(-128, 127) : pick(0, 255));
        std::vector<std::int16_t> w(static_cast<std::size_t>(l.filters * l.channels / l.group * l.kernel_height * l.kernel_width));
        const std::int64_t most = round % 7 == 0 ? 255 : round % 7 == 1 ? 200 : 127;
        for (auto& each : w) each = static_cast<std::int16_t>(pick(-most - (most == 127), most));
        std::vector<std::int32_t> bias(static_cast<std::size_t>(l.filters));
        for (auto& b : bias) b = static_cast<std::int32_t>(pick(-5000, 5000));
        std::vector<float> scale(bias.size());
        for (auto& s : scale) s = static_cast<float>(pick(1, 1000)) * 1e-5f;
        // Halves are met.
        if (round % 2 == 0) std::fill(scale.begin(), scale.end(), 1.0f / 64);
        const bool biased = pick(0, 3) != 0;
        const auto expected = naive(l, x, w, biased ? bias.data() : nullptr);

        set_num_threads(round % 2 == 0 ? 1 : 3);
        for (const byte_form form : {byte_form::pairs, best_byte_form()}) {
            std::vector<std::int32_t> packed(static_cast<std::size_t>(byte_conv_packed_size(l, w.data(), form)));
            byte_conv_pack(l, w.data(), form, packed.data());
            byte_epilogue e{.form = byte_epilogue::result::sums, .bias = biased ? bias.data() : nullptr, .scale = scale.data()};
            std::vector<std::int32_t> sums(expected.size());
            byte_conv(l, x, packed.data(), form, e, sums.data());
            CHECK(sums == expected);

            e.form = byte_epilogue::result::bytes;
            e.zero = static_cast<std::int32_t>(pick(0, 255));
            e.low = static_cast<std::int32_t>(pick(-e.zero, 0));
            e.high = static_cast<std::int32_t>(pick(0, 255 - e.zero));
            std::vector<std::uint8_t> y(expected.size()), bytes;
            std::vector<float> floats(expected.size()), wanted;
            for (std::size_t i = 0; i < expected.size(); ++i) {
                wanted.push_back(static_cast<float>(expected[i]) * scale[i % scale.size()]);
                bytes.push_back(nearest(wanted.back(), e.low, e.high, e.zero));
            }
            byte_conv(l, x, packed.data(), form, e, y.data());
            CHECK(y == bytes);
            e.form = byte_epilogue::result::floats;
            byte_conv(l, x, packed.data(), form, e, floats.data());
            CHECK(floats == wanted);
        }
        set_num_threads(0);
    }
}

TEST_CASE("what stands between convolutions of bytes is what plain loops give") {
    dice pick{std::mt19937(12)};
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        const std::int64_t n = round == 59 ? 70000 : pick(0, 200), rows = pick(1, 5);
        const auto a = pick.bytes(n * rows), b = pick.bytes(n * rows);
        const bool sa = pick(0, 1) == 1, sb = pick(0, 1) == 1;
        byte_operand left{a.data(), sa, static_cast<std::int32_t>(sa ? pick(-128, 127) : pick(0, 255)), static_cast<float>(pick(1, 300)) * 0.01f};
        byte_operand right{b.data(), sb, static_cast<std::int32_t>(sb ? pick(-128, 127) : pick(0, 255)), 0.5f};
        const auto zero = static_cast<std::int32_t>(pick(0, 255));
        std::vector<std::uint8_t> y(a.size()), expected(a.size());
        const auto number = [](const byte_operand& x, std::int64_t i) { return static_cast<float>(value_of(x.data[i], x.is_signed) - x.zero); };
        set_num_threads(round % 2 == 0 ? 1 : 3);

        for (std::int64_t i = 0; i < n * rows; ++i) {
            volatile float first = number(left, i) * left.scale, second = number(right, i) * right.scale;
            expected[static_cast<std::size_t>(i)] = nearest(first + second, -zero, 255 - zero, zero);
        }
        byte_add(n * rows, left, right, -zero, 255 - zero, zero, y.data());
        CHECK(y == expected);

        for (std::int64_t i = 0; i < n * rows; ++i)
            expected[static_cast<std::size_t>(i)] = nearest(number(left, i) * number(right, i % n) * 0.01f, -zero, 255 - zero, zero);
        byte_multiply(rows, n, left, right, 0.01f, -zero, 255 - zero, zero, y.data());
        CHECK(y == expected);

        const auto table = pick.bytes(256);
        for (std::size_t i = 0; i < a.size(); ++i) expected[i] = table[a[i]];
        byte_table(n * rows, a.data(), table.data(), y.data());
        CHECK(y == expected);

        std::vector<float> x(a.size()), back(a.size());
        for (auto& v : x) v = static_cast<float>(pick(-1000, 1000)) * 0.25f;
        if (!x.empty()) x[x.size() / 2] = std::numeric_limits<float>::quiet_NaN(), x[x.size() / 3] = std::numeric_limits<float>::infinity();
        const float scale = round % 2 == 0 ? 0.5f : 0.7f;
        const std::int32_t least = sa ? -128 : 0;
        for (std::size_t i = 0; i < x.size(); ++i)
            expected[i] = static_cast<std::uint8_t>(x[i] != x[i] ? left.zero : nearest(x[i] / scale, least - left.zero, least + 255 - left.zero, left.zero));
        byte_quantize(n * rows, x.data(), scale, left.zero, sa, y.data());
        CHECK(y == expected);
        byte_dequantize(n * rows, a.data(), sa, scale, left.zero, back.data());
        bool same = true;
        for (std::int64_t i = 0; i < n * rows; ++i) same = same && back[static_cast<std::size_t>(i)] == number(left, i) * scale;
        CHECK(same);

        std::vector<std::int32_t> sums(static_cast<std::size_t>(n)), totals(static_cast<std::size_t>(n), 0);
        for (std::int64_t i = 0; i < n * rows; ++i) totals[static_cast<std::size_t>(i % n)] += value_of(a[static_cast<std::size_t>(i)], sa);
        byte_pixel_sums(1, rows, n, a.data(), sa, sums.data());
        CHECK(sums == totals);

        for (std::int64_t i = 0; i < n * rows; ++i) expected[static_cast<std::size_t>(i % n * rows + i / n)] = a[static_cast<std::size_t>(i)];
        byte_transpose(1, rows, n, 1, a.data(), y.data());
        CHECK(y == expected);
        set_num_threads(0);
    }
}

TEST_CASE("images are turned between planes and channels last") {
    dice pick{std::mt19937(14)};
    for (int round = 0; round < 40; ++round) {
        const std::int64_t batch = pick(1, 2), rows = round % 4 == 0 ? 3 : pick(1, 70), columns = pick(1, 150);
        CAPTURE(rows);
        CAPTURE(columns);
        const auto x = pick.bytes(4 * batch * rows * columns);
        for (const std::int64_t size : std::initializer_list<std::int64_t>{1, 4}) {
            std::vector<std::uint8_t> y(static_cast<std::size_t>(size * batch * rows * columns)), expected(y.size());
            std::vector<std::uint8_t> from(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(y.size()));
            for (std::int64_t n = 0; n < batch; ++n)
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t c = 0; c < columns; ++c)
                        for (std::int64_t k = 0; k < size; ++k)
                            expected[static_cast<std::size_t>(((n * columns + c) * rows + r) * size + k)] = from[static_cast<std::size_t>(((n * rows + r) * columns + c) * size + k)];
            byte_transpose(batch, rows, columns, size, from.data(), y.data());
            CHECK(y == expected);
        }
    }
}

TEST_CASE("the maximum of bytes over windows leaves the padding out") {
    dice pick{std::mt19937(13)};
    for (int round = 0; round < 40; ++round) {
        CAPTURE(round);
        conv_layer l;
        l.batch = pick(1, 2);
        l.channels = l.filters = l.group = pick(1, 90);
        l.height = pick(1, 7);
        l.width = pick(1, 7);
        l.kernel_height = pick(1, 3);
        l.kernel_width = pick(1, 3);
        l.stride_y = pick(1, 2);
        l.stride_x = pick(1, 2);
        l.pad_top = pick(0, l.kernel_height - 1);
        l.pad_left = pick(0, l.kernel_width - 1);
        l.out_height = std::max<std::int64_t>(1, (l.height + 2 * l.pad_top - l.kernel_height) / l.stride_y + 1);
        l.out_width = std::max<std::int64_t>(1, (l.width + 2 * l.pad_left - l.kernel_width) / l.stride_x + 1);
        const bool is_signed = round % 2 == 0;
        const auto x = pick.bytes(l.batch * l.height * l.width * l.channels);
        std::vector<std::uint8_t> y(static_cast<std::size_t>(l.batch * l.out_height * l.out_width * l.channels)), expected(y.size());
        for (std::size_t i = 0; i < y.size(); ++i) {
            const auto at = static_cast<std::int64_t>(i);
            const std::int64_t c = at % l.channels, u = at / l.channels % l.out_width, v = at / l.channels / l.out_width % l.out_height,
                               n = at / l.channels / l.out_width / l.out_height;
            std::int32_t best = is_signed ? -128 : 0;
            for (std::int64_t a = 0; a < l.kernel_height; ++a)
                for (std::int64_t b = 0; b < l.kernel_width; ++b) {
                    const std::int64_t p = v * l.stride_y - l.pad_top + a, q = u * l.stride_x - l.pad_left + b;
                    if (p < 0 || q < 0 || p >= l.height || q >= l.width) continue;
                    best = std::max(best, value_of(x[static_cast<std::size_t>(((n * l.height + p) * l.width + q) * l.channels + c)], is_signed));
                }
            expected[i] = static_cast<std::uint8_t>(best);
        }
        byte_max_pool(l, x.data(), is_signed, y.data());
        CHECK(y == expected);
    }
}
