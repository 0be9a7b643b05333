#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/quantized.hpp>
#include <ocelli/nn/ops/detail/bytes.hpp>
#include <ocelli/nn/ops/quantized.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace ocelli::nn::detail {

/// The bytes of a tensor of 8-bit integers.
inline const std::uint8_t* bytes_of(const tensor& t) {
    return static_cast<const std::uint8_t*>(t.raw());
}
inline byte_image byte_image_of(const tensor& t, std::int64_t zero) {
    return {bytes_of(t), t.type() == dtype::int8, static_cast<std::int32_t>(zero)};
}

/// Weights of 8-bit layers as kernels take them: (filters, channels / group, kernel...), less their zero points.
class byte_weights {
public:
    /// @param turned  whether they are a matrix (K, N)
    byte_weights(const conv_layer& l, const tensor& w, const tensor* zero, bool turned, weight_cache& cache) : form_(best_byte_form()) {
        // The zero points are part of what is packed.
        const std::string format = ocelli::detail::concat("bytes/", static_cast<int>(form_), "/", l.group, "/", turned, "/",
                                                          zero == nullptr ? std::uintptr_t{0} : reinterpret_cast<std::uintptr_t>(zero->identity()));
        if (zero != nullptr) zero_ = *zero;
        packed_ = cache.get(w, format, [&] {
            const std::vector<std::int16_t> centred = centred_weights(l, w, zero, turned);
            tensor packed(dtype::int32, {byte_conv_packed_size(l, centred.data(), form_)});
            byte_conv_pack(l, centred.data(), form_, packed.mutable_data<std::int32_t>());
            return packed;
        });
    }

    /// Whether every sum of the layer fits 32 bits.
    static bool fits(const conv_layer& l, const tensor& w, const tensor* zero, const tensor* bias) {
        std::int64_t most = 0;
        if (bias != nullptr)
            for (const std::int64_t b : bias->to_ints()) most = std::max(most, b < 0 ? -b : b);
        const bool one_or_each = zero == nullptr || (is_byte(zero->type()) && (zero->size() == 1 || zero->size() == l.filters));
        return one_or_each && w.size() > 0 && l.channels / l.group * l.kernel_height * l.kernel_width < (std::int64_t{1} << 31) / (256 * 256) &&
               most + l.channels / l.group * l.kernel_height * l.kernel_width * 255 * 255 < std::int64_t{1} << 31;
    }

    /// Whether a layer's image with its padding and between its taps is not much larger than what there is.
    static bool sees_no_desert(const conv_layer& l) {
        if (l.pad_top < 0 || l.pad_left < 0) return false;
        const auto height = static_cast<double>(l.out_height) * static_cast<double>(l.stride_y) + static_cast<double>(l.kernel_height) * static_cast<double>(l.dilation_y);
        const auto width = static_cast<double>(l.out_width) * static_cast<double>(l.stride_x) + static_cast<double>(l.kernel_width) * static_cast<double>(l.dilation_x);
        const auto there = static_cast<double>(l.height * l.width + l.out_height * l.out_width);
        return height * width <= 16 * there + 65536;
    }

    void run(const conv_layer& l, const byte_image& x, const byte_epilogue& e, void* y) const { byte_conv(l, x, packed_.data<std::int32_t>(), form_, e, y); }
    std::string_view name() const noexcept { return form_ == byte_form::quads ? "bytes_vnni" : "bytes"; }

private:
    static std::vector<std::int16_t> centred_weights(const conv_layer& l, const tensor& w, const tensor* zero, bool turned) {
        const std::vector<std::int64_t> zeros = zero == nullptr ? std::vector<std::int64_t>{0} : zero->to_ints();
        const std::int64_t each = w.size() / l.filters;
        std::vector<std::int16_t> out(static_cast<std::size_t>(w.size()));
        const auto* const from = bytes_of(w);
        for (std::int64_t f = 0; f < l.filters; ++f)
            for (std::int64_t i = 0; i < each; ++i) {
                const std::uint8_t bits = from[turned ? i * l.filters + f : f * each + i];
                const int value = w.type() == dtype::int8 ? static_cast<std::int8_t>(bits) : static_cast<int>(bits);
                out[static_cast<std::size_t>(f * each + i)] = static_cast<std::int16_t>(value - static_cast<int>(zeros[zeros.size() == 1 ? 0 : static_cast<std::size_t>(f)]));
            }
        return out;
    }

    byte_form form_;
    tensor packed_, zero_;
};

/// The layer of weights (filters, channels, kernel...) of two axes, or of a matrix.
inline conv_layer byte_layer(const node& n, const tensor& w, bool turned) {
    if (w.rank() == 4) return layer_of_weights(n, w);
    conv_layer l;
    l.channels = w.extent(turned ? 0 : 1);
    l.filters = w.extent(turned ? 1 : 0);
    return l;
}

/// ocelli.QConv and ocelli.QMatMul.
class bound_quantized final : public bound_kernel {
public:
    bound_quantized(const graph& g, const node& n, weight_cache& cache)
        : node_(n), conv_(n.op == "QConv"), turned_(!conv_ && attr_int(n, "transB", 0) == 0), to_(static_cast<dtype>(attr_int(n, "to"))),
          zero_(attr_int(n, "x_zero", 0)), w_(*constant_input(g, n, 1)), layer_(byte_layer(n, w_, turned_)),
          weights_(layer_, w_, constant_input(g, n, 4), turned_, cache) {
        if (conv_) windows_ = read_windows(n, {w_.extent(2), w_.extent(3)});
        if (const tensor* scale = constant_input(g, n, 2)) scale_ = *scale;
        if (const tensor* bias = constant_input(g, n, 3)) bias_ = *bias;
        epilogue_.form = to_ == dtype::int32 ? byte_epilogue::result::sums : to_ == dtype::float32 ? byte_epilogue::result::floats : byte_epilogue::result::bytes;
        epilogue_.low = static_cast<std::int32_t>(attr_int(n, "low", -128));
        epilogue_.high = static_cast<std::int32_t>(attr_int(n, "high", 255));
        epilogue_.zero = static_cast<std::int32_t>(attr_int(n, "y_zero", 0));
        if (scale_.defined()) epilogue_.scale = scale_.data<float>();
        if (bias_.defined()) epilogue_.bias = bias_.data<std::int32_t>();
    }

    static bool takes(const graph& g, const node& n) {
        const tensor *const w = constant_input(g, n, 1), *const scale = constant_input(g, n, 2), *const bias = constant_input(g, n, 3), *const zero = constant_input(g, n, 4);
        if (!in_byte_range(n)) return false;
        const dtype type = g.at(n.inputs[0]).what.type, to = static_cast<dtype>(attr_int(n, "to"));
        if (w == nullptr || !is_byte(w->type()) || !is_byte(type) || w->rank() != (n.op == "QConv" ? 4u : 2u)) return false;
        const conv_layer l = byte_layer(n, *w, n.op != "QConv" && attr_int(n, "transB", 0) == 0);
        if (!left_out(n, 4) && zero == nullptr) return false;
        if (!left_out(n, 3) && (bias == nullptr || bias->type() != dtype::int32 || bias->size() != l.filters)) return false;
        if (to != dtype::int32 && (scale == nullptr || scale->type() != dtype::float32 || scale->size() != l.filters)) return false;
        if (scale != nullptr)
            for (std::int64_t i = 0; i < scale->size(); ++i)
                if (!ocelli::detail::is_finite(scale->data<float>()[i])) return false;
        return byte_weights::fits(l, *w, zero, bias);
    }

    std::string_view name() const noexcept override { return weights_.name(); }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        conv_layer l = layer_;
        dims shape = x.shape();
        if (conv_) {
            check(node_, x.rank() == 4 && x.extent(3) == l.channels, "input must have shape (N, H, W, ", l.channels, "), got ", x);
            const windows w = windows_over(node_, windows_, {x.extent(1), x.extent(2)});
            l.batch = x.extent(0);
            l.height = x.extent(1);
            l.width = x.extent(2);
            l.out_height = w.output[0];
            l.out_width = w.output[1];
            l.stride_y = w.strides[0];
            l.stride_x = w.strides[1];
            l.dilation_y = w.dilations[0];
            l.dilation_x = w.dilations[1];
            l.pad_top = w.pads_begin[0];
            l.pad_left = w.pads_begin[1];
            if (!byte_weights::sees_no_desert(l)) return run_reference(node_, io);
            shape = {l.batch, l.out_height, l.out_width, l.filters};
        } else {
            check(node_, x.rank() >= 1 && x.shape().back() == l.channels, "left operand must have shape (..., ", l.channels, "), got ", x);
            shape.back() = l.filters;
            l.width = l.out_width = product(shape, 0, shape.size() - 1);
        }
        check(node_, is_byte(x.type()), "operands must be bytes, got ", x);
        tensor& y = io.output(0, to_, shape);
        if (y.size() > 0) weights_.run(l, byte_image_of(x, zero_), epilogue_, y.mutable_raw());
    }

    double operations(const step_io& io) const override {
        return 2.0 * static_cast<double>(io.outputs[0]->size()) * static_cast<double>(w_.size() / layer_.filters);
    }

private:
    const node& node_;
    bool conv_, turned_;
    dtype to_;
    std::int64_t zero_;
    tensor w_, scale_, bias_;
    conv_layer layer_;
    byte_weights weights_;
    window_attributes windows_;
    byte_epilogue epilogue_;
};

/// MatMulInteger and ConvInteger by constant weights; the image's zero point may be computed.
class bound_integers final : public bound_kernel {
public:
    bound_integers(const graph& g, const node& n, weight_cache& cache)
        : node_(n), conv_(n.op == "ConvInteger"), w_(*constant_input(g, n, 1)), layer_(byte_layer(n, w_, !conv_)), weights_(layer_, w_, constant_input(g, n, 3), !conv_, cache) {
        if (conv_) windows_ = read_windows(n, {w_.extent(2), w_.extent(3)});
    }

    static bool takes(const graph& g, const node& n) {
        const tensor *const w = constant_input(g, n, 1), *const zero = constant_input(g, n, 3);
        const bool conv = n.op == "ConvInteger";
        if (w == nullptr || !is_byte(w->type()) || !is_byte(g.at(n.inputs[0]).what.type) || w->rank() != (conv ? 4u : 2u)) return false;
        if (!left_out(n, 3) && (zero == nullptr || zero->rank() > 1)) return false;
        return byte_weights::fits(byte_layer(n, *w, !conv), *w, zero, nullptr);
    }

    std::string_view name() const noexcept override { return weights_.name(); }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const tensor* const zero = io.inputs.size() > 2 ? io.inputs[2] : nullptr;
        conv_layer l = layer_;
        const std::size_t channels = conv_ ? 1 : x.rank() - 1;
        const bool fits = is_byte(x.type()) && (conv_ ? x.rank() == 4 : x.rank() >= 2) && x.extent(channels) == l.channels && (zero == nullptr || (zero->size() == 1 && is_byte(zero->type())));
        if (!fits) return run_reference(node_, io);
        const byte_image image = byte_image_of(x, zero != nullptr ? zero->to_ints()[0] : 0);
        const byte_epilogue e{.form = byte_epilogue::result::sums};
        if (!conv_) {
            dims shape = x.shape();
            shape.back() = l.filters;
            l.width = l.out_width = product(shape, 0, shape.size() - 1);
            tensor& y = io.output(0, dtype::int32, shape);
            if (y.size() > 0) weights_.run(l, image, e, y.mutable_raw());
            return;
        }
        const windows w = windows_over(node_, windows_, {x.extent(2), x.extent(3)});
        l = with_windows(l, x, w);
        if (!byte_weights::sees_no_desert(l)) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::int32, image_shape(l.batch, l.filters, w.output));
        if (y.size() == 0) return;
        // Channels last, and back.
        tensor turned(x.type(), x.shape()), sums(dtype::int32, y.shape());
        byte_transpose(l.batch, l.channels, l.height * l.width, 1, x.raw(), turned.mutable_raw());
        weights_.run(l, {bytes_of(turned), image.is_signed, image.zero}, e, sums.mutable_raw());
        byte_transpose(l.batch, l.out_height * l.out_width, l.filters, 4, sums.raw(), y.mutable_raw());
    }

    double operations(const step_io& io) const override {
        return 2.0 * static_cast<double>(io.outputs[0]->size()) * static_cast<double>(w_.size() / layer_.filters);
    }

private:
    const node& node_;
    bool conv_;
    tensor w_;
    conv_layer layer_;
    byte_weights weights_;
    window_attributes windows_;
};

/// ocelli.QAdd and ocelli.QMul.
class bound_quantized_pair final : public bound_kernel {
public:
    explicit bound_quantized_pair(const node& n)
        : node_(n), adds_(n.op == "QAdd"), to_(static_cast<dtype>(attr_int(n, "to"))), low_(static_cast<std::int32_t>(attr_int(n, "low", -128))),
          high_(static_cast<std::int32_t>(attr_int(n, "high", 255))), zero_(static_cast<std::int32_t>(attr_int(n, "y_zero", 0))),
          a_zero_(static_cast<std::int32_t>(attr_int(n, "a_zero", 0))), b_zero_(static_cast<std::int32_t>(attr_int(n, "b_zero", 0))),
          a_scale_(attr_float(n, "a_scale")), b_scale_(attr_float(n, "b_scale", 1)) {}
    std::string_view name() const noexcept override { return adds_ ? "bytes_add" : "bytes_multiply"; }
    void run(const step_io& io) const override {
        const tensor &a = *io.inputs[0], &b = *io.inputs[1];
        if (!is_byte(a.type()) || !is_byte(b.type())) return run_reference(node_, io);
        const bool same = a.shape() == b.shape();
        if (!same && (adds_ || !by_channel(a.shape(), b.shape()))) return run_reference(node_, io);
        tensor& y = io.output(0, to_, a.shape());
        auto* const to = static_cast<std::uint8_t*>(y.mutable_raw());
        const byte_operand left{bytes_of(a), a.type() == dtype::int8, a_zero_, a_scale_};
        byte_operand right{bytes_of(b), b.type() == dtype::int8, b_zero_, b_scale_};
        if (adds_) return byte_add(a.size(), left, right, low_, high_, zero_, to);
        if (same) return byte_multiply(1, a.size(), left, right, a_scale_, low_, high_, zero_, to);
        const std::int64_t pixels = a.extent(1) * a.extent(2), channels = a.extent(3);
        for (std::int64_t n = 0; n < a.extent(0); ++n) {
            byte_operand image = left, factors = right;
            image.data += n * pixels * channels;
            factors.data += n * channels;
            byte_multiply(pixels, channels, image, factors, a_scale_, low_, high_, zero_, to + n * pixels * channels);
        }
    }

private:
    const node& node_;
    bool adds_;
    dtype to_;
    std::int32_t low_, high_, zero_, a_zero_, b_zero_;
    float a_scale_, b_scale_;
};

/// ocelli.QTable with a constant table.
class bound_quantized_table final : public bound_kernel {
public:
    bound_quantized_table(const node& n, tensor table) : node_(n), table_(std::move(table)) {}
    std::string_view name() const noexcept override { return "bytes_table"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (!is_byte(x.type())) return run_reference(node_, io);
        byte_table(x.size(), bytes_of(x), bytes_of(table_), static_cast<std::uint8_t*>(io.output(0, table_.type(), x.shape()).mutable_raw()));
    }

private:
    const node& node_;
    tensor table_;
};

/// ocelli.QMaxPool.
class bound_quantized_max_pool final : public bound_kernel {
public:
    explicit bound_quantized_max_pool(const node& n) : node_(n), windows_(read_windows(n, attr_ints(n, "kernel_shape"), attr_int(n, "ceil_mode", 0) != 0)) {}
    std::string_view name() const noexcept override { return "bytes_max_pool"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        check(node_, x.rank() == 4 && is_byte(x.type()), "input must be bytes (N, H, W, C), got ", x);
        const windows w = windows_over(node_, windows_, {x.extent(1), x.extent(2)});
        conv_layer l;
        l.batch = x.extent(0);
        l.channels = l.filters = l.group = x.extent(3);
        l.height = x.extent(1);
        l.width = x.extent(2);
        l.out_height = w.output[0];
        l.out_width = w.output[1];
        l.kernel_height = w.kernel[0];
        l.kernel_width = w.kernel[1];
        l.stride_y = w.strides[0];
        l.stride_x = w.strides[1];
        l.dilation_y = w.dilations[0];
        l.dilation_x = w.dilations[1];
        l.pad_top = w.pads_begin[0];
        l.pad_left = w.pads_begin[1];
        tensor& y = io.output(0, x.type(), {l.batch, l.out_height, l.out_width, l.channels});
        byte_max_pool(l, bytes_of(x), x.type() == dtype::int8, static_cast<std::uint8_t*>(y.mutable_raw()));
    }

private:
    const node& node_;
    window_attributes windows_;
};

/// ocelli.QMean.
class bound_quantized_mean final : public bound_kernel {
public:
    explicit bound_quantized_mean(const node& n) : node_(n), to_(static_cast<dtype>(attr_int(n, "to"))), zero_(attr_int(n, "x_zero", 0)), scale_(attr_float(n, "scale")) {}
    std::string_view name() const noexcept override { return "bytes_mean"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::int64_t pixels = x.rank() == 4 ? x.extent(1) * x.extent(2) : 0;
        if (!is_byte(x.type()) || pixels == 0 || pixels > (std::int64_t{1} << 22)) return run_reference(node_, io);
        const std::int64_t channels = x.extent(3);
        tensor& y = io.output(0, to_, {x.extent(0), 1, 1, channels});
        auto* const sums = reinterpret_cast<std::int32_t*>(ocelli::detail::thread_scratch(static_cast<std::size_t>(y.size()), 2));
        byte_pixel_sums(x.extent(0), pixels, channels, bytes_of(x), x.type() == dtype::int8, sums);
        quantized_sink sink(node_, y);
        const float scale = scale_ / static_cast<float>(pixels);
        for (std::int64_t i = 0; i < y.size(); ++i) sink.sum(i, sums[i] - zero_ * pixels, scale);
    }

private:
    const node& node_;
    dtype to_;
    std::int64_t zero_;
    float scale_;
};

/// QuantizeLinear to bytes and DequantizeLinear of them, by one constant scale.
class bound_byte_scale final : public bound_kernel {
public:
    bound_byte_scale(const node& n, float scale, std::int32_t zero, bool is_signed)
        : node_(n), quantizes_(n.op == "QuantizeLinear"), is_signed_(is_signed), scale_(scale), zero_(zero) {}
    std::string_view name() const noexcept override { return quantizes_ ? "bytes_quantize" : "bytes_dequantize"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const dtype type = is_signed_ ? dtype::int8 : dtype::uint8;
        if (x.type() != (quantizes_ ? dtype::float32 : type)) return run_reference(node_, io);
        if (quantizes_) byte_quantize(x.size(), x.data<float>(), scale_, zero_, is_signed_, static_cast<std::uint8_t*>(io.output(0, type, x.shape()).mutable_raw()));
        else byte_dequantize(x.size(), bytes_of(x), is_signed_, scale_, zero_, io.output(0, dtype::float32, x.shape()).mutable_data<float>());
    }

private:
    const node& node_;
    bool quantizes_, is_signed_;
    float scale_;
    std::int32_t zero_;
};

/// Transpose of bytes between images in planes and with their channels last.
class bound_byte_transpose final : public bound_kernel {
public:
    explicit bound_byte_transpose(const node& n) : node_(n), last_(attr_ints(n, "perm")[1] == 2) {}
    static bool takes(const node& n) {
        const dims perm = attr_ints(n, "perm", {});
        return perm == dims{0, 2, 3, 1} || perm == dims{0, 3, 1, 2};
    }
    std::string_view name() const noexcept override { return "bytes_transpose"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (!is_byte(x.type()) || x.rank() != 4) return run_reference(node_, io);
        const dims& s = x.shape();
        tensor& y = io.output(0, x.type(), last_ ? dims{s[0], s[2], s[3], s[1]} : dims{s[0], s[3], s[1], s[2]});
        if (y.size() > 0) byte_transpose(s[0], last_ ? s[1] : s[1] * s[2], last_ ? s[2] * s[3] : s[3], 1, x.raw(), y.mutable_raw());
    }

private:
    const node& node_;
    bool last_;
};

/// DynamicQuantizeLinear.
class bound_dynamic_quantize final : public bound_kernel {
public:
    explicit bound_dynamic_quantize(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "bytes_quantize"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32) return run_reference(node_, io);
        const auto [low, high] = range_with_zero(x.size(), x.data<float>());
        const float scale = high == low ? 1.0f : (high - low) / 255.0f, steps = -low / scale;
        const auto zero = static_cast<std::uint8_t>(steps > 0 ? std::min(std::nearbyint(steps), 255.0f) : 0.0f);  // NaN: 0
        byte_quantize(x.size(), x.data<float>(), scale, zero, false, static_cast<std::uint8_t*>(io.output(0, dtype::uint8, x.shape()).mutable_raw()));
        if (io.outputs.size() > 1 && io.outputs[1] != nullptr) io.output(1, dtype::float32, {}).mutable_data<float>()[0] = scale;
        if (io.outputs.size() > 2 && io.outputs[2] != nullptr) io.output(2, dtype::uint8, {}).mutable_data<std::uint8_t>()[0] = zero;
    }

private:
    const node& node_;
};

/// Cast of 32-bit sums to float32.
class bound_sums_to_floats final : public bound_kernel {
public:
    explicit bound_sums_to_floats(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "sums_to_floats"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::int32) return run_reference(node_, io);
        sums_to_floats(x.size(), x.data<std::int32_t>(), io.output(0, dtype::float32, x.shape()).mutable_data<float>());
    }

private:
    const node& node_;
};

/// Concat of bytes.
class bound_byte_concat final : public bound_kernel {
public:
    explicit bound_byte_concat(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "bytes_concat"; }
    void run(const step_io& io) const override {
        const tensor& first = *io.inputs[0];
        const std::size_t rank = first.rank();
        if (rank == 0) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis"), rank);
        dims shape = first.shape();
        shape[axis] = 0;
        for (const tensor* t : io.inputs) {
            bool fits = t != nullptr && t->type() == first.type() && t->rank() == rank && is_byte(t->type());
            for (std::size_t i = 0; fits && i < rank; ++i) fits = i == axis || t->extent(i) == shape[i];
            if (!fits) return run_reference(node_, io);
            shape[axis] += t->extent(axis);
        }
        tensor& y = io.output(0, first.type(), shape);
        const std::int64_t outer = product(shape, 0, axis), inner = product(shape, axis + 1, rank), row = shape[axis] * inner;
        auto* const to = static_cast<std::uint8_t*>(y.mutable_raw());
        parallel_for(static_cast<std::size_t>(outer), conv_grain(row / 8 + 1), [&](std::size_t begin, std::size_t end) {
            for (auto i = static_cast<std::int64_t>(begin); i < static_cast<std::int64_t>(end); ++i) {
                std::int64_t at = i * row;
                for (const tensor* t : io.inputs) {
                    const std::int64_t n = t->extent(axis) * inner;
                    if (n > 0) std::memcpy(to + at, bytes_of(*t) + i * n, static_cast<std::size_t>(n));
                    at += n;
                }
            }
        });
    }

private:
    const node& node_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_quantized(const graph& g, const node& n, weight_cache& weights) {
    if (n.outputs.empty() || n.outputs[0] == no_value) return nullptr;
    const dtype type = g.at(n.inputs[0]).what.type;
    if (n.domain == "ocelli") {
        if ((n.op == "QConv" || n.op == "QMatMul") && bound_quantized::takes(g, n)) return std::make_unique<bound_quantized>(g, n, weights);
        if ((n.op == "QAdd" || n.op == "QMul") && in_byte_range(n) && is_byte(static_cast<dtype>(attr_int(n, "to")))) return std::make_unique<bound_quantized_pair>(n);
        if (const tensor* const table = n.op == "QTable" ? constant_input(g, n, 1) : nullptr; table != nullptr && is_byte(table->type()) && table->size() == 256)
            return std::make_unique<bound_quantized_table>(n, *table);
        if (n.op == "QMaxPool" && attr_ints(n, "kernel_shape").size() == 2) return std::make_unique<bound_quantized_max_pool>(n);
        if (n.op == "QMean" && in_byte_range(n)) return std::make_unique<bound_quantized_mean>(n);
        return nullptr;
    }
    if (!n.domain.empty()) return nullptr;
    if ((n.op == "MatMulInteger" || n.op == "ConvInteger") && bound_integers::takes(g, n)) return std::make_unique<bound_integers>(g, n, weights);
    if (n.op == "Transpose" && is_byte(type) && bound_byte_transpose::takes(n)) return std::make_unique<bound_byte_transpose>(n);
    if (n.op == "DynamicQuantizeLinear" && type == dtype::float32) return std::make_unique<bound_dynamic_quantize>(n);
    if (n.op == "Cast" && type == dtype::int32 && attr_int(n, "to", 0) == static_cast<std::int64_t>(dtype::float32)) return std::make_unique<bound_sums_to_floats>(n);
    if (n.op == "Concat" && is_byte(type)) return std::make_unique<bound_byte_concat>(n);
    const bool quantizes = n.op == "QuantizeLinear" && type == dtype::float32;
    if (!quantizes && (n.op != "DequantizeLinear" || !is_byte(type))) return nullptr;
    const auto scale = byte_scale_of(g, n);
    if (!scale || (!quantizes && scale->is_signed != (type == dtype::int8) && !left_out(n, 2))) return nullptr;
    return std::make_unique<bound_byte_scale>(n, scale->scale, scale->zero, quantizes ? scale->is_signed : type == dtype::int8);
}

}  // namespace ocelli::nn::detail
