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

/// What layers with weights share: packed weights, the epilogue, an input in blocks or planes.
class bound_blocked_layer : public bound_kernel {
public:
    std::string_view name() const noexcept override { return name_; }

protected:
    bound_blocked_layer(const graph& g, const node& n, weight_cache& cache)
        : node_(n), weights_(g.at(n.inputs[1]).what.constant), cache_(cache), layer_(layer_of_weights(n, weights_)),
          kernel_extents_(weights_.shape().begin() + 2, weights_.shape().end()), name_(attr_string(n, "kernel")), planes_(attr_ints(n, "channels").at(0) == 0) {
        read_activation(n, epilogue_);
    }
    /// Bias and slopes of so many filters, in whole blocks.
    void read_filters(const graph& g, std::int64_t filters) {
        const auto constant = [&](std::size_t i) -> const tensor* {
            return i < node_.inputs.size() && node_.inputs[i] != no_value ? &g.at(node_.inputs[i]).what.constant : nullptr;
        };
        bias_ = in_whole_blocks(constant(2), filters);
        slope_ = in_whole_blocks(constant(4), filters);
        epilogue_.bias = bias_.data<float>();
        epilogue_.slope = slope_.data<float>();
    }

    /// The spatial extents of an input of so many channels.
    dims extents_of(const tensor& x, std::int64_t channels) const {
        const std::size_t spatial = kernel_extents_.size();
        check(node_, x.rank() == spatial + (planes_ ? 2 : 3), "an input with ", spatial, " spatial axes expected, got ", x);
        if (planes_) check(node_, x.extent(1) == channels, "input must have ", channels, " channels, got ", x);
        else check_blocks(node_, x, channels);
        return {x.shape().begin() + 2, x.shape().begin() + 2 + static_cast<std::ptrdiff_t>(spatial)};
    }
    blocked_epilogue epilogue_for(const step_io& io, const dims& shape) const {
        blocked_epilogue e = epilogue_;
        if (io.inputs.size() > 3 && io.inputs[3] != nullptr) {
            check(node_, io.inputs[3]->shape() == shape, "shapes ", shape, " and ", io.inputs[3]->shape(), " of the fused Add differ");
            e.addend = io.inputs[3]->data<float>();
        }
        return e;
    }

    /// Under which packed weights are shared with other layers of the same ones.
    std::string key_of(std::string_view kernel) const { return ocelli::detail::concat(kernel, "/", layer_.group, "/", block_lanes()); }

    const node& node_;
    tensor weights_, bias_, slope_;
    weight_cache& cache_;
    conv_layer layer_;
    dims kernel_extents_;
    blocked_epilogue epilogue_;
    std::string name_;
    bool planes_;
};

/// ocelli.blocked.Conv.
class bound_blocked_conv final : public bound_blocked_layer {
public:
    bound_blocked_conv(const graph& g, const node& n, weight_cache& cache) : bound_blocked_layer(g, n, cache), windows_(read_windows(n, kernel_extents_)) {
        read_filters(g, layer_.filters);
        form_ = name_ == "blocked_depthwise"    ? form::depthwise
                : name_ == "blocked_grouped"    ? form::grouped
                : name_ == "blocked_by_extents" ? form::by_extents
                                                : form::dense;
        tile_ = name_ == "blocked_winograd4" ? 4 : name_ == "blocked_winograd2" ? 2 : 0;
        if (form_ == form::grouped)
            check(n, weights_.rank() == 4 && windows_.dilations[0] == 1 && blocked_grouped_takes(layer_), "groups that blocked_grouped() takes expected, got weights ",
                  weights_.shape(), " in ", layer_.group, " groups");
        rounds_ = cache.precision() == precision::bf16 && (form_ == form::dense || form_ == form::by_extents) && (!planes_ || blocked_conv_bf16_takes_planes(layer_));
        if (rounds_ && tile_ != 0) form_ = form::by_extents;  // chosen beside floats: direct convolution of pairs is faster than that
        if (form_ == form::by_extents) name_ = "blocked_by_extents";
        else if (rounds_) name_ += "_bf16";
        if (form_ != form::by_extents) packed_for(tile_);
    }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const windows w = windows_over(node_, windows_, extents_of(x, layer_.channels));
        const conv_layer l = with_windows(layer_, x, w);
        dims shape = image_shape(l.batch, block_count(l.filters, block_lanes()), w.output);
        shape.push_back(block_lanes());
        tensor& out = io.output(0, dtype::float32, shape);
        const blocked_epilogue e = epilogue_for(io, shape);
        const float* const from = x.data<float>();
        float* const y = out.mutable_data<float>();
        const int tile = form_ == form::by_extents ? winograd_tile(l, rounds_ ? bf16_speed() : 1) : tile_;
        if (tile == 0 && form_ != form::depthwise && form_ != form::grouped && !window_fits(l)) return run_reference(node_, io);
        const tensor& packed = packed_for(tile);
        if (form_ == form::depthwise) blocked_depthwise(l, from, packed.data<float>(), e, y);
        else if (form_ == form::grouped) blocked_grouped(l, from, packed.data<float>(), e, y);
        else if (tile != 0) winograd_conv(l, tile, from, packed.data<float>(), e, y);
        else if (rounds_) blocked_conv_bf16(l, from, planes_, packed.data<std::uint32_t>(), e, y);
        else blocked_conv(l, from, planes_, packed.data<float>(), e, y);
    }

    double operations(const step_io& io) const override {
        const dims& y = io.outputs[0]->shape();
        return 2 * static_cast<double>(y[0] * product(y, 2, y.size() - 1)) * static_cast<double>(weights_.size());
    }

private:
    /// By extents: an image's are known when it runs, and so what is fastest.
    enum class form { dense, depthwise, grouped, by_extents };

    /// How much faster than floats the processor multiplies pairs.
    static double bf16_speed() { return ocelli::simd::has_bf16() ? 1.9 : 0.7; }

    /// The weights for Winograd's tile, or for the other kernels (0): packed at the first call.
    const tensor& packed_for(int tile) const {
        packed_weights& w = packed_[static_cast<std::size_t>(tile / 2)];
        std::call_once(w.once, [&] {
            const std::string kernel = form_ != form::by_extents ? name_ : tile == 0 ? "blocked_direct" : ocelli::detail::concat("blocked_winograd", tile);
            std::string key = key_of(kernel);
            if (rounds_ && tile == 0) key += "/bf16";
            w.memory = cache_.get(weights_, key, [&] { return pack(tile); });
        });
        return w.memory;
    }
    tensor pack(int tile) const {
        const tensor once = weights_.once();
        const auto* const from = static_cast<const float*>(once.stored());  // packing reads any address
        if (rounds_ && tile == 0) {
            tensor pairs(dtype::uint32, {blocked_conv_bf16_packed_size(layer_)});
            blocked_conv_bf16_pack(layer_, from, pairs.mutable_data<std::uint32_t>());
            return pairs;
        }
        const auto packed = [](std::int64_t size, const auto& pack_into) {
            tensor to(dtype::float32, {size});
            pack_into(to.mutable_data<float>());
            return to;
        };
        const conv_layer& l = layer_;
        if (form_ == form::depthwise)
            return packed(block_count(l.filters, block_lanes()) * block_lanes() * element_count(kernel_extents_), [&](float* to) { blocked_depthwise_pack(l, from, to); });
        if (form_ == form::grouped) return packed(blocked_grouped_packed_size(l), [&](float* to) { blocked_grouped_pack(l, from, to); });
        if (tile != 0) return packed(winograd_packed_size(l, tile), [&](float* to) { winograd_pack(l, tile, from, to); });
        return packed(blocked_conv_packed_size(l), [&](float* to) { blocked_conv_pack(l, from, to); });
    }

    struct packed_weights {
        std::once_flag once;
        tensor memory;
    };

    window_attributes windows_;
    form form_;
    int tile_;     ///< Winograd's, or 0
    bool rounds_;  ///< weights and image to bfloat16, where no Winograd is
    /// For tiles of 0, 2 and 4.
    mutable std::array<packed_weights, 3> packed_;
};

/// ocelli.blocked.ConvTranspose. The layer is that of the convolution it turns around, from y to x.
class bound_blocked_transpose final : public bound_blocked_layer {
public:
    bound_blocked_transpose(const graph& g, const node& n, weight_cache& cache) : bound_blocked_layer(g, n, cache) {
        read_filters(g, layer_.channels);
        const dims strides = attr_ints(n, "strides", dims(kernel_extents_.size(), 1));
        layer_.stride_x = strides.back();
        layer_.stride_y = strides.size() == 2 ? strides[0] : 1;
        form_ = name_ == "blocked_transpose_columns" ? form::columns : name_ == "blocked_transpose_winograd" ? form::minimal : form::phases;
        packed_ = cache.get(weights_, ocelli::detail::concat(key_of(name_), "/", layer_.stride_y, "/", layer_.stride_x), [&] { return pack(); });
    }

    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const windows w = transposed_geometry(node_, extents_of(x, layer_.filters), kernel_extents_);
        conv_layer l = with_windows(layer_, x, w);
        std::swap(l.width, l.out_width);
        std::swap(l.height, l.out_height);
        const bool to_planes = form_ == form::columns;
        dims shape = image_shape(l.batch, to_planes ? l.channels : block_count(l.channels, block_lanes()), w.output);
        if (!to_planes) shape.push_back(block_lanes());
        else if (!transpose_columns_fits(l)) return run_reference(node_, io);
        tensor& out = io.output(0, dtype::float32, shape);
        const blocked_epilogue e = epilogue_for(io, shape);
        const float *const from = x.data<float>(), *const packed = packed_.data<float>();
        float* const y = out.mutable_data<float>();
        if (form_ == form::minimal) return transpose_winograd(l, from, packed, e, y);
        if (form_ == form::phases) return blocked_transpose(l, from, planes_, packed, e, y);
        const gemm_epilogue rows{.row_bias = e.bias, .addend = e.addend, .function = e.function, .alpha = e.alpha, .beta = e.beta, .row_slope = e.slope};
        transpose_columns(l, from, packed, rows, y);
    }

    double operations(const step_io& io) const override {
        const dims& y = io.outputs[0]->shape();
        // Each tap is used for one in stride * stride results.
        const double taps = static_cast<double>(weights_.size()) / static_cast<double>(layer_.stride_x * layer_.stride_y);
        return 2 * static_cast<double>(y[0] * product(y, 2, y.size() - (form_ == form::columns ? 0 : 1))) * taps;
    }

private:
    enum class form { phases, columns, minimal };

    tensor pack() const {
        const std::int64_t size = form_ == form::columns   ? transpose_columns_packed_size(layer_)
                                  : form_ == form::minimal ? transpose_winograd_packed_size(layer_)
                                                           : blocked_transpose_packed_size(layer_);
        tensor packed(dtype::float32, {size});
        float* const to = packed.mutable_data<float>();
        // Large layers come with their batch normalisation, which their packing multiplies in.
        const element_scale* const scale = weights_.scale();
        const bool multiplies = scale != nullptr && form_ != form::columns && std::ssize(scale->factors) == layer_.channels &&
                                scale->run == layer_.kernel_height * layer_.kernel_width;
        const tensor weights = multiplies ? weights_ : weights_.once();
        const auto* const from = static_cast<const float*>(multiplies ? weights.unscaled() : weights.stored());
        const float* const factors = multiplies ? scale->factors.data() : nullptr;
        if (form_ == form::columns) transpose_columns_pack(layer_, from, to);
        else if (form_ == form::minimal) transpose_winograd_pack(layer_, from, to, factors);
        else blocked_transpose_pack(layer_, from, to, factors);
        return packed;
    }

    form form_;
    tensor packed_;
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
    explicit bound_reorder(const node& n) : node_(n), back_(n.op == "Unblock"), last_(attr_int(n, "last", 0) != 0), channels_(back_ ? attr_int(n, "channels") : 0) {}
    std::string_view name() const noexcept override { return "reorder"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (back_) {
            check_blocks(node_, x, channels_);
            dims shape = x.shape();
            shape.pop_back();
            shape[1] = channels_;
            if (last_) {
                const std::int64_t pixels = product(shape, 2, shape.size());
                std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
                join_blocks(shape[0], channels_, pixels, x.data<float>(), io.output(0, dtype::float32, shape).mutable_data<float>());
                return;
            }
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
    bool back_, last_;
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
    if (n.op == "Conv" && has_attribute(n, "kernel")) return std::make_unique<bound_blocked_conv>(g, n, weights);
    if (n.op == "ConvTranspose" && has_attribute(n, "kernel")) return std::make_unique<bound_blocked_transpose>(g, n, weights);
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
