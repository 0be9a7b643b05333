#pragma once

#include <ocelli/features/detail/resample.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/detail/resize_taps.hpp>
#include <ocelli/nn/ops/detection.hpp>

#include <cstring>
#include <mutex>

namespace ocelli::nn::detail {

/// The taps of an axis for all modes; nothing where positions are extrapolated, or positions do not fit 32 bits.
inline bool set_taps(const resize_settings& s, const resize_axis& a, ocelli::detail::tap_table<float>& t) {
    if (a.in < 1 || a.in > (1 << 24) || a.out > (std::int64_t{1} << 30)) return false;
    t.in = a.in;
    t.out = a.out;
    t.count = 1;
    t.source.clear();
    t.weight.clear();
    if (s.mode == "nearest" || a.identity()) {
        for (std::int64_t o = 0; o < a.out; ++o)
            t.source.push_back(static_cast<std::int32_t>(a.identity() ? o : nearest_position(s.nearest, source_coordinate(s.coordinates, a, o), a.in)));
        t.weight.assign(t.source.size(), 1.0f);
        return true;
    }
    const resize_taps taps = make_taps(s, a);
    for (std::size_t o = 0; o + 1 < taps.begin.size(); ++o) t.count = std::max(t.count, static_cast<std::int64_t>(taps.begin[o + 1] - taps.begin[o]));
    for (std::int64_t k = 0; k < t.count; ++k)
        for (std::size_t o = 0; o + 1 < taps.begin.size(); ++o) {
            const std::size_t at = taps.begin[o] + static_cast<std::size_t>(k);
            const bool there = at < taps.begin[o + 1];
            t.source.push_back(static_cast<std::int32_t>(taps.source[there ? at : taps.begin[o]]));
            t.weight.push_back(there ? taps.weight[at] : 0.0f);
        }
    return true;
}

/// Resize and Upsample of the last two axes, of planes or, in ocelli.blocked, of images in blocks.
class bound_resize final : public bound_kernel {
public:
    bound_resize(const node& n, bool blocked)
        : node_(n), plain_(blocked ? plain_form(n) : n), blocked_(blocked), settings_(resize_settings_of(plain_)), inputs_(resize_inputs_of(plain_)) {
        if (inputs_.scales == 0) attribute_scales_ = upsample_scales(plain_);
        if (blocked) channels_ = attr_ints(n, "channels").at(0);
    }
    std::string_view name() const noexcept override {
        if (settings_.mode == "nearest") return blocked_ ? "blocked_resize_nearest" : "resize_nearest";
        return blocked_ ? "blocked_resize_taps" : "resize_taps";
    }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.size() == 0 || settings_.coordinates == "tf_crop_and_resize" || x.rank() < (blocked_ ? 5 : 3) || x.rank() > (blocked_ ? 5 : 4))
            return run_reference(node_, io);
        const std::shared_ptr<const prepared> p = prepare(io);
        if (!p->fits) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, p->shape);
        const std::int64_t images = x.extent(0) * x.extent(1), inner = blocked_ ? x.extent(4) : 1;
        if (settings_.mode == "nearest") ocelli::detail::resize_copied(images, p->rows, p->columns, inner, x.data<float>(), y.mutable_data<float>());
        else ocelli::detail::resize_weighted(images, p->rows, p->columns, inner, x.data<float>(), y.mutable_data<float>());
    }

private:
    /// The taps for one shape of input and of result.
    struct prepared {
        tensor scales, sizes;  ///< what they were made from
        dims input, shape;
        ocelli::detail::tap_table<float> rows, columns;
        bool fits = false;
    };
    static bool same(const tensor& a, const tensor* b) {
        if (b == nullptr) return !a.defined();
        return a.type() == b->type() && a.size() == b->size() && (a.size() == 0 || std::memcmp(a.raw(), b->raw(), a.bytes()) == 0);
    }
    std::shared_ptr<const prepared> prepare(const step_io& io) const {
        const tensor& x = *io.inputs[0];
        const auto given = [&](std::size_t i) { return i != 0 && i < io.inputs.size() ? io.inputs[i] : nullptr; };
        const tensor* scales = inputs_.scales == 0 ? &attribute_scales_ : given(inputs_.scales);
        const tensor* sizes = given(inputs_.sizes);
        {
            const std::lock_guard lock(mutex_);
            if (last_ != nullptr && last_->input == x.shape() && same(last_->scales, scales) && same(last_->sizes, sizes)) return last_;
        }
        auto p = std::make_shared<prepared>();
        p->input = x.shape();
        if (scales != nullptr) p->scales = scales->clone();
        if (sizes != nullptr) p->sizes = sizes->clone();
        dims planes = x.shape();
        if (blocked_) planes = {planes[0], channels_, planes[2], planes[3]};
        const auto axes = resize_axes(plain_, planes, nullptr, scales, sizes);
        p->fits = axes[0].identity() && axes[1].identity() && set_taps(settings_, axes.size() == 4 ? axes[2] : resize_axis{}, p->rows) &&
                  set_taps(settings_, axes.back(), p->columns);
        for (const resize_axis& a : axes) p->shape.push_back(a.out);
        if (blocked_) p->shape = {x.extent(0), x.extent(1), axes[2].out, axes[3].out, x.extent(4)};
        const std::lock_guard lock(mutex_);
        last_ = p;
        return p;
    }

    const node& node_;
    node plain_;
    bool blocked_;
    resize_settings settings_;
    resize_inputs inputs_;
    tensor attribute_scales_;
    std::int64_t channels_ = 0;
    mutable std::mutex mutex_;
    mutable std::shared_ptr<const prepared> last_;
};

/// GridSample, bilinear.
class bound_grid_sample final : public bound_kernel {
public:
    explicit bound_grid_sample(const node& n) : node_(n), border_(attr_string(n, "padding_mode", "zeros") == "border"), align_(attr_int(n, "align_corners", 0) != 0) {}
    /// Whether this kernel is made for the node.
    static bool takes(const node& n) {
        const std::string mode = attr_string(n, "mode", n.opset < 20 ? "bilinear" : "linear"), padding = attr_string(n, "padding_mode", "zeros");
        return (mode == "bilinear" || mode == "linear") && (padding == "zeros" || padding == "border");
    }
    std::string_view name() const noexcept override { return "grid_sample"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &grid = *io.inputs[1];
        if (!all_float32(io) || x.rank() != 4 || grid.rank() != 4 || grid.extent(0) != x.extent(0) || grid.extent(3) != 2) return run_reference(node_, io);
        const ocelli::detail::grid_sampling s{x.extent(0), x.extent(1), x.extent(2), x.extent(3), grid.extent(1) * grid.extent(2), align_, border_};
        if (!ocelli::detail::grid_sample_takes(s)) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, {s.batch, s.channels, grid.extent(1), grid.extent(2)});
        ocelli::detail::grid_sample_bilinear(s, x.data<float>(), grid.data<float>(), y.mutable_data<float>());
    }
    double operations(const step_io& io) const override { return 8.0 * static_cast<double>(io.outputs[0]->size()); }

private:
    const node& node_;
    bool border_, align_;
};

/// RoiAlign.
class bound_roi_align final : public bound_kernel {
public:
    explicit bound_roi_align(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "roi_align"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &rois = *io.inputs[1], &images = *io.inputs[2];
        if (x.type() != dtype::float32 || rois.type() != dtype::float32) return run_reference(node_, io);
        const roi_align_options options = roi_align_options_of(node_, x, rois, images);
        align_float_rois(x, rois, images, options, io.output(0, dtype::float32, {rois.extent(0), x.extent(1), options.output_height, options.output_width}));
    }

private:
    const node& node_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_resample(const graph&, const node& n) {
    if (n.op == "Resize" || n.op == "Upsample") return std::make_unique<bound_resize>(n, false);
    if (n.op == "GridSample" && bound_grid_sample::takes(n)) return std::make_unique<bound_grid_sample>(n);
    if (n.op == "RoiAlign") return std::make_unique<bound_roi_align>(n);
    return nullptr;
}

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_blocked_resample(const graph&, const node& n) {
    if (n.op == "Resize" || n.op == "Upsample") return std::make_unique<bound_resize>(n, true);
    return nullptr;
}

}  // namespace ocelli::nn::detail
