#pragma once

#include <ocelli/core/simd/isa.hpp>
#include <ocelli/nn/detail/blocks.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/blocked_bf16.hpp>
#include <ocelli/nn/kernels/blocked_pool.hpp>
#include <ocelli/nn/kernels/channels.hpp>
#include <ocelli/nn/kernels/depthwise.hpp>
#include <ocelli/nn/kernels/grouped.hpp>
#include <ocelli/nn/kernels/transposed.hpp>
#include <ocelli/nn/kernels/winograd.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/conv_transpose.hpp>
#include <ocelli/nn/ops/fused.hpp>

#include <array>
#include <mutex>

namespace ocelli::nn::detail {

/// ocelli.blocked.Conv and ConvTranspose.
class bound_blocked_conv final : public bound_kernel {
public:
    bound_blocked_conv(const graph& g, const node& n, weight_cache& cache) : node_(n), weights_(g.at(n.inputs[1]).what.constant), cache_(cache) {
        const std::size_t spatial = weights_.rank() - 2;
        const auto constant = [&](std::size_t i) -> const tensor* {
            return i < n.inputs.size() && n.inputs[i] != no_value ? &g.at(n.inputs[i]).what.constant : nullptr;
        };
        layer_ = layer_of_weights(n, weights_);
        kernel_extents_.assign(weights_.shape().begin() + 2, weights_.shape().end());
        transposed_ = n.op == "ConvTranspose";
        if (transposed_) {
            const dims strides = attr_ints(n, "strides", dims(spatial, 1));
            layer_.stride_x = strides.back();
            layer_.stride_y = spatial == 2 ? strides[0] : 1;
        } else {
            windows_ = read_windows(n, kernel_extents_);
        }
        in_ = transposed_ ? layer_.filters : layer_.channels;
        out_ = transposed_ ? layer_.channels : layer_.filters;
        planes_ = attr_ints(n, "channels").at(0) == 0;
        read_activation(n, epilogue_);
        bias_ = in_whole_blocks(constant(2), out_);
        slope_ = in_whole_blocks(constant(4), out_);
        epilogue_.bias = bias_.data<float>();
        epilogue_.slope = slope_.data<float>();
        name_ = attr_string(n, "kernel");
        depthwise_ = name_ == "blocked_depthwise";
        grouped_ = name_ == "blocked_grouped";
        if (grouped_)
            check(n, weights_.rank() == 4 && windows_.dilations[0] == 1 && blocked_grouped_takes(layer_), "groups that blocked_grouped() takes expected, got weights ",
                  weights_.shape(), " in ", layer_.group, " groups");
        columns_ = name_ == "blocked_transpose_columns";
        minimal_ = name_ == "blocked_transpose_winograd";
        by_extents_ = name_ == "blocked_by_extents";
        tile_ = name_ == "blocked_winograd4" ? 4 : name_ == "blocked_winograd2" ? 2 : 0;
        half_ = cache.precision() == precision::bf16 && !transposed_ && !depthwise_ && !grouped_ && (!planes_ || blocked_conv_bf16_takes_planes(layer_));
        if (half_ && tile_ == 0 && !by_extents_) name_ += "_bf16";
        if (half_ && tile_ != 0) {  // chosen beside floats: direct convolution of pairs is faster than that
            by_extents_ = true;
            name_ = "blocked_by_extents";
        }
        if (!by_extents_) packed(tile_);
    }

    std::string_view name() const noexcept override { return name_; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::size_t spatial = kernel_extents_.size();
        check(node_, x.rank() == spatial + (planes_ ? 2 : 3), "an input with ", spatial, " spatial axes expected, got ", x);
        if (planes_) check(node_, x.extent(1) == in_, "input must have ", in_, " channels, got ", x);
        else check_blocks(node_, x, in_);
        const dims extents(x.shape().begin() + 2, x.shape().begin() + 2 + static_cast<std::ptrdiff_t>(spatial));
        const windows w = transposed_ ? transposed_geometry(node_, extents, kernel_extents_) : windows_over(node_, windows_, extents);
        conv_layer l = with_windows(layer_, x, w);
        const std::int64_t lanes = block_lanes();
        dims shape = image_shape(l.batch, columns_ ? out_ : block_count(out_, lanes), w.output);
        if (!columns_) shape.push_back(lanes);
        if (columns_ && !transpose_columns_fits(turned(l))) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, shape);
        blocked_epilogue e = epilogue_;
        if (io.inputs.size() > 3 && io.inputs[3] != nullptr) {
            check(node_, io.inputs[3]->shape() == shape, "shapes ", shape, " and ",
                  io.inputs[3]->shape(), " of the fused Add differ");
            e.addend = io.inputs[3]->data<float>();
        }
        if (transposed_) {
            l = turned(l);
            if (columns_) {
                const gemm_epilogue rows{.row_bias = e.bias, .addend = e.addend, .function = e.function, .alpha = e.alpha, .beta = e.beta, .row_slope = e.slope};
                return transpose_columns(l, x.data<float>(), packed(0), rows, y.mutable_data<float>());
            }
            if (minimal_) return transpose_winograd(l, x.data<float>(), packed(0), e, y.mutable_data<float>());
            return blocked_transpose(l, x.data<float>(), planes_, packed(0), e, y.mutable_data<float>());
        }
        const int tile = by_extents_ ? winograd_tile(l, half_ ? bf16_speed() : 1) : tile_;
        if (depthwise_) blocked_depthwise(l, x.data<float>(), packed(0), e, y.mutable_data<float>());
        else if (grouped_) blocked_grouped(l, x.data<float>(), packed(0), e, y.mutable_data<float>());
        else if (tile != 0) winograd_conv(l, tile, x.data<float>(), packed(tile), e, y.mutable_data<float>());
        else if (!window_fits(l)) run_reference(node_, io);
        else if (half_) {
            blocked_conv_bf16(l, x.data<float>(), planes_, packed_tensor(0).data<std::uint32_t>(), e, y.mutable_data<float>());
        } else blocked_conv(l, x.data<float>(), planes_, packed(0), e, y.mutable_data<float>());
    }

    double operations(const step_io& io) const override {
        const dims& y = io.outputs[0]->shape();
        double pixels = static_cast<double>(y[0]);
        for (std::size_t i = 2; i + (columns_ ? 0 : 1) < y.size(); ++i) pixels *= static_cast<double>(y[i]);
        // A transposed convolution uses each tap for one in stride * stride results.
        const double stride = transposed_ ? static_cast<double>(element_count(attr_ints(node_, "strides", dims(kernel_extents_.size(), 1)))) : 1;
        return 2 * pixels * static_cast<double>(weights_.size()) / stride;
    }

private:
    /// The weights for Winograd's tile, or for the other kernels (0): packed at the first call.
    const float* packed(int tile) const {
        const tensor& t = packed_tensor(tile);
        return t.type() == dtype::float32 ? t.data<float>() : nullptr;
    }
    const tensor& packed_tensor(int tile) const {
        weights_for& w = packed_[static_cast<std::size_t>(tile / 2)];
        std::call_once(w.once, [&] {
            const std::string kernel = !by_extents_ ? name_ : tile == 0 ? "blocked_direct" : ocelli::detail::concat("blocked_winograd", tile);
            std::string key = ocelli::detail::concat(kernel, "/", layer_.group, "/", block_lanes());
            if (transposed_) key += ocelli::detail::concat("/", layer_.stride_y, "/", layer_.stride_x);
            if (half_ && tile == 0) key += "/bf16";
            w.memory = cache_.get(weights_, key, [&] { return pack(tile); });
        });
        return w.memory;
    }
    /// The convolution that a transposed one turns around goes from y to x.
    static conv_layer turned(conv_layer l) {
        std::swap(l.width, l.out_width);
        std::swap(l.height, l.out_height);
        return l;
    }
    /// How much faster than floats the processor multiplies pairs.
    static double bf16_speed() { return ocelli::simd::has_bf16() ? 1.9 : 0.7; }
    tensor pack(int tile) const {
        const std::int64_t lanes = block_lanes(), taps = layer_.kernel_height * layer_.kernel_width;
        if (half_ && tile == 0) {
            tensor pairs(dtype::uint32, {blocked_conv_bf16_packed_size(layer_)});
            blocked_conv_bf16_pack(layer_, static_cast<const float*>(weights_.once().stored()), pairs.mutable_data<std::uint32_t>());
            return pairs;
        }
        tensor packed(dtype::float32, {columns_     ? transpose_columns_packed_size(layer_)
                                       : minimal_   ? transpose_winograd_packed_size(layer_)
                                       : transposed_ ? blocked_transpose_packed_size(layer_)
                                       : depthwise_ ? block_count(layer_.filters, lanes) * lanes * taps
                                       : grouped_   ? blocked_grouped_packed_size(layer_)
                                       : tile != 0  ? winograd_packed_size(layer_, tile)
                                                    : blocked_conv_packed_size(layer_)});
        float* to = packed.mutable_data<float>();
        // Packing reads any address. Large transposed layers come with their batch normalisation, which their packing multiplies in.
        const element_scale* const scale = weights_.scale();
        const bool multiplies = scale != nullptr && transposed_ && !columns_ && std::ssize(scale->factors) == layer_.channels && scale->run == taps;
        const tensor weights = multiplies ? weights_ : weights_.once();
        const auto* from = static_cast<const float*>(multiplies ? weights.unscaled() : weights.stored());
        const float* const factors = multiplies ? scale->factors.data() : nullptr;
        if (columns_) transpose_columns_pack(layer_, from, to);
        else if (minimal_) transpose_winograd_pack(layer_, from, to, factors);
        else if (transposed_) blocked_transpose_pack(layer_, from, to, factors);
        else if (depthwise_) blocked_depthwise_pack(layer_, from, to);
        else if (grouped_) blocked_grouped_pack(layer_, from, to);
        else if (tile != 0) winograd_pack(layer_, tile, from, to);
        else blocked_conv_pack(layer_, from, to);
        return packed;
    }

    struct weights_for {
        std::once_flag once;
        tensor memory;
    };

    const node& node_;
    tensor weights_, bias_, slope_;
    weight_cache& cache_;
    /// For tiles of 0, 2 and 4.
    mutable std::array<weights_for, 3> packed_;
    dims kernel_extents_;
    window_attributes windows_;  ///< not of a transposed one
    conv_layer layer_;
    blocked_epilogue epilogue_;
    std::string name_;
    std::int64_t in_ = 0, out_ = 0;
    /// The extents of an image, and so what is fastest, are known when it runs.
    bool by_extents_ = false;
    bool planes_ = false, depthwise_ = false, grouped_ = false, transposed_ = false;
    /// A transposed one's other forms.
    bool columns_ = false, minimal_ = false;
    /// Weights and image rounded to bfloat16, where no Winograd is.
    bool half_ = false;
    int tile_ = 0;
};

/// ocelli.blocked.MaxPool and AveragePool.
class bound_blocked_pool final : public bound_pooling {
public:
    explicit bound_blocked_pool(const node& n) : bound_pooling(n), channels_(attr_ints(n, "channels").at(0)) {}

    std::string_view name() const noexcept override { return average_ ? "blocked_pool_average" : "blocked_pool_max"; }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        check_blocks(node_, x, channels_);
        check(node_, x.rank() == windows_.kernel.size() + 3, "an input with ", windows_.kernel.size(), " spatial axes expected, got ", x);
        const windows w = windows_over(node_, windows_, {x.shape().begin() + 2, x.shape().end() - 1});
        conv_layer l = with_windows({}, x, w);
        l.channels = l.filters = l.group = channels_;
        dims shape = image_shape(l.batch, x.extent(1), w.output);
        shape.push_back(x.shape().back());
        tensor& y = io.output(0, dtype::float32, shape);
        if (!average_) return blocked_max_pool(l, x.data<float>(), y.mutable_data<float>());
        blocked_average_pool(l, x.data<float>(), row_counts(w, x).data(), column_counts(w, x).data(), y.mutable_data<float>());
    }

private:
    std::int64_t channels_;
};

/// ocelli.blocked.GlobalAveragePool.
class bound_blocked_mean final : public bound_kernel {
public:
    explicit bound_blocked_mean(const node& n) : node_(n), channels_(attr_ints(n, "channels").at(0)) {}
    std::string_view name() const noexcept override { return "blocked_mean"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        check_blocks(node_, x, channels_);
        dims shape = x.shape();
        for (std::size_t i = 2; i + 1 < shape.size(); ++i) shape[i] = 1;
        tensor& y = io.output(0, dtype::float32, shape);
        const std::int64_t blocks = shape[0] * shape[1], pixels = product(x.shape(), 2, x.rank() - 1);
        check(node_, pixels > 0, "the mean of no pixels is asked for: ", x);
        blocked_mean(blocks, pixels, x.data<float>(), y.mutable_data<float>());
    }
    double operations(const step_io& io) const override { return static_cast<double>(io.inputs[0]->size()); }

private:
    const node& node_;
    std::int64_t channels_;
};

/// Block and Unblock.
class bound_reorder final : public bound_kernel {
public:
    explicit bound_reorder(const node& n) : node_(n), back_(n.op == "Unblock"), channels_(back_ ? attr_int(n, "channels") : 0) {}
    std::string_view name() const noexcept override { return "reorder"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (back_) {
            check_blocks(node_, x, channels_);
            dims shape = x.shape();
            shape.pop_back();
            shape[1] = channels_;
            tensor& y = io.output(0, dtype::float32, shape);
            from_blocks(shape[0], channels_, product(shape, 2, shape.size()), x.data<float>(), y.mutable_data<float>());
            return;
        }
        check(node_, x.rank() >= 2, "an image (N, C, ...) expected, got ", x);
        const std::int64_t lanes = block_lanes();
        dims shape = x.shape();
        shape[1] = block_count(shape[1], lanes);
        shape.push_back(lanes);
        tensor& y = io.output(0, dtype::float32, shape);
        to_blocks(x.extent(0), x.extent(1), product(x.shape(), 2, x.rank()), x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    bool back_;
    std::int64_t channels_;
};

/// ocelli.Channels.
class bound_channels final : public bound_kernel {
public:
    explicit bound_channels(const node& n) : bound_channels(n, places_of(n)) {}
    std::string_view name() const noexcept override { return "blocked_channels"; }
    void run(const step_io& io) const override {
        if (!all_float32(io)) return run_reference(node_, io);
        const tensor& x = *io.inputs[0];
        const std::int64_t lanes = block_lanes();
        check(node_, x.rank() >= 3 && x.shape().back() == lanes, "images in blocks of ", lanes, " channels expected, got ", x);
        thread_local std::vector<const float*> images;
        thread_local std::vector<std::int64_t> blocks;
        images.clear();
        blocks.clear();
        for (std::size_t i = 0; i < io.inputs.size(); ++i) {
            const tensor& image = *io.inputs[i];
            check(node_, image.rank() == x.rank(), "images of one rank expected, got ", image);
            for (std::size_t d = 0; d < x.rank(); ++d)
                check(node_, d == 1 || image.extent(d) == x.extent(d), "images of one shape expected, got ", x, " and ", image);
            check(node_, runs_[i].end <= image.extent(1) * lanes, "there is no channel ", runs_[i].end - 1, " of input ", i);
            blocks.push_back(image.extent(1));
            images.push_back(image.data<float>());
        }
        dims shape = x.shape();
        shape[1] = picks_.blocks();
        const std::int64_t pixels = product(shape, 2, shape.size() - 1);
        tensor& y = io.output(0, dtype::float32, shape);
        if (shape[0] != 1 || !in_place(images, blocks, pixels, shape[1], y.data<float>())) pick_channels(shape[0], pixels, picks_, images, blocks, y.mutable_data<float>());
    }
    bool joins() const noexcept override { return true; }
    std::vector<std::int64_t> places(std::span<const dims> inputs) const override {
        std::vector<std::int64_t> at;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const dims& x = inputs[i];
            if (x.size() < 3 || x[0] != 1) return {};
            at.push_back(whole(i, x[1]) ? runs_[i].first / block_lanes() * product(x, 2, x.size() - 1) * block_lanes() : -1);
        }
        return at;
    }

private:
    /// Channels of an image, from its first on, that follow each other in the result; behind the last one that is picked.
    struct stretch {
        std::int64_t first = 0, channels = 0, end = 0;
    };
    static std::vector<channel_place> places_of(const node& n) {
        const dims images = attr_ints(n, "images"), channels = attr_ints(n, "channels");  // which infer() has checked
        std::vector<channel_place> places;
        for (std::size_t i = 0; i < images.size(); ++i) places.push_back({images[i], channels.at(i)});
        return places;
    }
    bound_channels(const node& n, const std::vector<channel_place>& places) : node_(n), picks_(places), runs_(n.inputs.size()) {
        for (std::size_t i = 0, end; i < places.size(); i = end) {
            stretch& r = runs_.at(static_cast<std::size_t>(places[i].image));
            for (end = i + 1; end < places.size() && places[end].image == places[i].image && places[end].channel == places[end - 1].channel + 1;) ++end;
            if (places[i].channel == 0 && r.channels == 0) {
                r.first = static_cast<std::int64_t>(i);
                r.channels = static_cast<std::int64_t>(end - i);
            }
            r.end = std::max(r.end, places[end - 1].channel + 1);
        }
    }
    /// Whether an image of so many blocks is some blocks of the result.
    bool whole(std::size_t image, std::int64_t blocks) const {
        return runs_[image].first % block_lanes() == 0 && blocks > 0 && runs_[image].channels >= blocks * block_lanes();
    }
    bool in_place(std::span<const float* const> images, std::span<const std::int64_t> blocks, std::int64_t pixels, std::int64_t all, const float* y) const {
        for (std::size_t i = 0; i < images.size(); all -= blocks[i], ++i)
            if (!whole(i, blocks[i]) || images[i] != y + runs_[i].first * pixels) return false;
        return all == 0;
    }

    const node& node_;
    channel_picks picks_;
    std::vector<stretch> runs_;  ///< of each image
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_blocked(const graph& g, const node& n, weight_cache& weights) {
    const std::int64_t lanes = block_lanes();
    if (n.domain == "ocelli" && n.op == "Unblock") return std::make_unique<bound_reorder>(n);
    if (n.domain == "ocelli" && n.op == "Block" && attr_int(n, "lanes") == lanes) return std::make_unique<bound_reorder>(n);
    if (n.domain == "ocelli" && n.op == "Channels" && attr_int(n, "lanes") == lanes) return std::make_unique<bound_channels>(n);
    if (n.domain != "ocelli.blocked" || attr_int(n, "lanes") != lanes) return nullptr;
    if ((n.op == "Conv" || n.op == "ConvTranspose") && has_attribute(n, "kernel")) return std::make_unique<bound_blocked_conv>(g, n, weights);
    if (auto kernel = bind_pointwise_depthwise(g, n, weights)) return kernel;
    if (auto kernel = bind_gated_conv(g, n, weights)) return kernel;
    if (n.op == "GlobalAveragePool") return std::make_unique<bound_blocked_mean>(n);
    if (n.op == "MaxPool" || n.op == "AveragePool") {
        const std::size_t axes = attr_ints(n, "kernel_shape").size();
        if (axes == 1 || axes == 2) return std::make_unique<bound_blocked_pool>(n);
    }
    if (auto kernel = bind_blocked_normalize(g, n)) return kernel;
    return bind_blocked_resample(g, n);
}

}  // namespace ocelli::nn::detail
