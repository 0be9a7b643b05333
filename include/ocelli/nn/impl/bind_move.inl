#pragma once

#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/move.hpp>
#include <ocelli/nn/ops/arrange.hpp>

#include <span>

namespace ocelli::nn::detail {

/// The integers of an input that holds a list; none where it is absent.
inline dims ints_of(const step_io& io, std::size_t i) {
    dims out;
    if (i >= io.inputs.size() || io.inputs[i] == nullptr) return out;
    const tensor& t = *io.inputs[i];
    if (t.type() == dtype::int64) out.assign(t.data<std::int64_t>(), t.data<std::int64_t>() + t.size());
    else
        for (const std::int64_t v : t.to_ints()) out.push_back(v);
    return out;
}

class bound_transpose final : public bound_kernel {
public:
    explicit bound_transpose(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_transpose"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::size_t rank = x.rank();
        const dims perm = has_attribute(node_, "perm") ? attr_ints(node_, "perm") : reversed(rank);
        dims shape;
        move_axes axes;
        dims seen(rank, 0);
        bool fits = x.type() == dtype::float32 && perm.size() == rank;
        const dims from = dense_strides(x.shape());
        for (std::size_t i = 0; fits && i < rank; ++i) {
            const std::size_t axis = normalize_axis(node_, perm[i], rank);
            fits = seen[axis] == 0;
            seen[axis] = 1;
            shape.push_back(x.extent(axis));
        }
        if (!fits) return run_reference(node_, io);
        const dims to = dense_strides(shape);
        for (std::size_t i = 0; fits && i < rank; ++i) fits = axes.push(shape[i], from[normalize_axis(node_, perm[i], rank)], to[i]);
        if (!fits) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, shape);
        move_floats(axes, x.data<float>(), y.mutable_data<float>());
    }

private:
    static dims reversed(std::size_t rank) {
        dims out(rank);
        for (std::size_t i = 0; i < rank; ++i) out[i] = static_cast<std::int64_t>(rank - 1 - i);
        return out;
    }
    const node& node_;
};

class bound_concat final : public bound_kernel {
public:
    explicit bound_concat(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_concat"; }
    void run(const step_io& io) const override {
        const tensor& first = *io.inputs[0];
        if (!all_float32(io) || first.rank() == 0) return run_reference(node_, io);
        const std::size_t axis = concat_axis(node_, first.rank());
        dims shape = first.shape();
        shape[axis] = 0;
        for (const tensor* x : io.inputs) {
            bool fits = x != nullptr && x->rank() == first.rank();
            for (std::size_t d = 0; fits && d < x->rank(); ++d) fits = d == axis || x->extent(d) == shape[d];
            if (!fits) return run_reference(node_, io);  // which says why
            shape[axis] += x->extent(axis);
        }
        tensor& y = io.output(0, dtype::float32, shape);
        const std::int64_t outer = product(shape, 0, axis), pitch = product(shape, axis, shape.size());
        float* to = y.mutable_data<float>();
        if (io.inputs.size() == 2 && outer > 1 && pitch == 4 && product(first.shape(), axis, first.rank()) == 2)
            return join_pairs(outer, first.data<float>(), io.inputs[1]->data<float>(), to);
        for (const tensor* x : io.inputs) {
            const std::int64_t length = product(x->shape(), axis, x->rank());
            move_axes axes;
            axes.push(outer, length, pitch);
            axes.push(length, 1, 1);
            if (x->data<float>() != to) move_floats(axes, x->data<float>(), to);
            to += length;
        }
    }
    bool joins() const noexcept override { return true; }
    std::vector<std::int64_t> places(std::span<const dims> inputs) const override {
        if (inputs.empty() || inputs[0].empty()) return {};
        const std::size_t axis = concat_axis(node_, inputs[0].size());
        std::vector<std::int64_t> at;
        std::int64_t end = 0;
        for (const dims& x : inputs) {
            if (x.size() != inputs[0].size() || product(x, 0, axis) != 1) return {};
            at.push_back(end);
            end += product(x, axis, x.size());
        }
        return at;
    }

private:
    const node& node_;
};

class bound_split final : public bound_kernel {
public:
    explicit bound_split(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_split"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.rank() == 0) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", 0), x.rank());
        const std::int64_t extent = x.extent(axis), count = static_cast<std::int64_t>(io.outputs.size());
        dims parts = has_attribute(node_, "split") ? attr_ints(node_, "split") : ints_of(io, 1);
        if (parts.empty()) {
            if (node_.opset < 18 && extent % count != 0) return run_reference(node_, io);
            const std::int64_t part = (extent + count - 1) / count;
            for (std::int64_t i = 0; i < count; ++i) parts.push_back(std::clamp<std::int64_t>(extent - i * part, 0, part));
        }
        std::int64_t total = 0;
        bool fits = parts.size() == io.outputs.size() && attr_int(node_, "num_outputs", count) == count;
        for (const std::int64_t p : parts) {
            fits = fits && p >= 0 && p <= extent;
            if (fits) total += p;
        }
        if (!fits || total != extent) return run_reference(node_, io);
        const std::int64_t outer = product(x.shape(), 0, axis), inner = product(x.shape(), axis + 1, x.rank());
        const float* from = x.data<float>();
        for (std::size_t i = 0; i < parts.size(); from += parts[i] * inner, ++i) {
            if (io.outputs[i] == nullptr) continue;
            dims shape = x.shape();
            shape[axis] = parts[i];
            tensor& y = io.output(i, dtype::float32, shape);
            move_axes axes;
            axes.push(outer, extent * inner, parts[i] * inner);
            axes.push(parts[i] * inner, 1, 1);
            move_floats(axes, from, y.mutable_data<float>());
        }
    }

private:
    const node& node_;
};

/// Slice with positive steps.
class bound_slice final : public bound_kernel {
public:
    explicit bound_slice(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_slice"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const bool old = node_.opset < 10;
        const auto starts = old ? attr_ints(node_, "starts") : ints_of(io, 1), ends = old ? attr_ints(node_, "ends") : ints_of(io, 2);
        auto which = old ? attr_ints(node_, "axes", dims()) : ints_of(io, 3), steps = old ? dims() : ints_of(io, 4);
        if (which.empty())
            for (std::size_t i = 0; i < starts.size(); ++i) which.push_back(static_cast<std::int64_t>(i));
        if (steps.empty()) steps.assign(starts.size(), 1);
        bool fits = x.type() == dtype::float32 && ends.size() == starts.size() && which.size() == starts.size() && steps.size() == starts.size();
        if (!fits) return run_reference(node_, io);
        dims shape = x.shape(), first(x.rank(), 0), step(x.rank(), 1);
        dims cut(x.rank(), 0);
        for (std::size_t i = 0; i < which.size(); ++i) {
            const std::size_t axis = normalize_axis(node_, which[i], x.rank());
            const std::int64_t extent = x.extent(axis);
            if (cut[axis] != 0 || steps[i] < 1) return run_reference(node_, io);
            cut[axis] = 1;
            const auto place = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? (at < -extent ? 0 : at + extent) : at, 0, extent); };
            const std::int64_t begin = place(starts[i]), end = place(ends[i]);
            first[axis] = begin;
            shape[axis] = end > begin ? (end - begin - 1) / steps[i] + 1 : 0;
            step[axis] = shape[axis] > 1 ? steps[i] : 1;
        }
        const dims from = dense_strides(x.shape()), to = dense_strides(shape);
        move_axes axes;
        std::int64_t at = 0;
        for (std::size_t i = 0; fits && i < x.rank(); ++i) {
            at += first[i] * from[i];
            fits = axes.push(shape[i], from[i] * step[i], to[i]);
        }
        if (!fits) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, shape);
        if (y.size() != 0) move_floats(axes, x.data<float>() + at, y.mutable_data<float>());
    }

private:
    const node& node_;
};

/// Expand and Tile.
class bound_repeat final : public bound_kernel {
public:
    explicit bound_repeat(const node& n) : node_(n), tile_(n.op == "Tile") {}
    std::string_view name() const noexcept override { return "move_repeat"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const dims wanted = ints_of(io, 1);
        bool fits = x.type() == dtype::float32 && (!tile_ || wanted.size() == x.rank());
        for (const std::int64_t e : wanted) fits = fits && e >= 0;
        if (!fits) return run_reference(node_, io);
        dims shape;
        if (tile_)
            for (std::size_t i = 0; i < x.rank(); ++i) shape.push_back(element_count({x.extent(i), wanted[i]}));
        else shape = broadcast_shape(node_, x.shape(), wanted);
        tensor& y = io.output(0, dtype::float32, shape);  // first: it knows whether the extents' product is too large
        const dims to = dense_strides(shape), from = tile_ ? dense_strides(x.shape()) : broadcast_strides(x.shape(), shape);
        move_axes axes;
        for (std::size_t i = 0; fits && i < shape.size(); ++i) {
            if (tile_) fits = axes.push(wanted[i], 0, x.extent(i) * to[i]) && axes.push(x.extent(i), from[i], to[i]);
            else fits = axes.push(shape[i], from[i], to[i]);
        }
        if (!fits) return run_reference(node_, io);
        if (y.size() != 0) move_floats(axes, x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    bool tile_;
};

/// The integers of a list of indices, those that count from the end of an axis turned around.
class axis_places {
public:
    /// @throws invalid_argument  where one is outside the axis
    axis_places(const node& n, const tensor& index, std::int64_t extent) {
        // Indices from the front can be used where they lie.
        bool plain = index.type() == dtype::int64;
        if (plain)
            for (const std::int64_t p : index.values<std::int64_t>()) plain &= static_cast<std::uint64_t>(p) < static_cast<std::uint64_t>(extent);
        if (plain) {
            all_ = index.values<std::int64_t>();
            return;
        }
        counted_ = index.to_ints();
        for (std::int64_t& p : counted_) {
            check(n, p >= -extent && p < extent, "index ", p, " is outside an axis of extent ", extent);
            if (p < 0) p += extent;
        }
        all_ = counted_;
    }
    axis_places(const axis_places&) = delete;
    axis_places& operator=(const axis_places&) = delete;
    std::span<const std::int64_t> all() const noexcept { return all_; }

private:
    std::vector<std::int64_t> counted_;
    std::span<const std::int64_t> all_;
};
inline bool is_index(const tensor& t) noexcept {
    return t.type() == dtype::int64 || t.type() == dtype::int32;
}

class bound_gather final : public bound_kernel {
public:
    explicit bound_gather(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_gather"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &index = *io.inputs[1];
        if (x.type() != dtype::float32 || x.rank() == 0 || !is_index(index)) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", 0), x.rank());
        const std::int64_t extent = x.extent(axis);
        const axis_places places(node_, index, extent);
        const auto at = x.shape().begin() + static_cast<std::ptrdiff_t>(axis);
        dims shape(x.shape().begin(), at);
        shape.insert(shape.end(), index.shape().begin(), index.shape().end());
        shape.insert(shape.end(), at + 1, x.shape().end());
        tensor& y = io.output(0, dtype::float32, shape);
        gather_floats(product(x.shape(), 0, axis), extent, product(x.shape(), axis + 1, x.rank()), places.all(), x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
};

/// GatherND of indices along the first axis alone, as masks select.
class bound_gather_nd final : public bound_kernel {
public:
    explicit bound_gather_nd(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_gather"; }
    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &index = *io.inputs[1];
        if (x.type() != dtype::float32 || x.rank() == 0 || !is_index(index) || index.rank() == 0 || index.shape().back() != 1) return run_reference(node_, io);
        const axis_places places(node_, index, x.extent(0));
        dims shape(index.shape().begin(), index.shape().end() - 1);
        shape.insert(shape.end(), x.shape().begin() + 1, x.shape().end());
        tensor& y = io.output(0, dtype::float32, shape);
        gather_floats(1, x.extent(0), product(x.shape(), 1, x.rank()), places.all(), x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
};

/// Pad with a constant.
class bound_pad final : public bound_kernel {
public:
    explicit bound_pad(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "move_pad"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        const std::size_t rank = x.rank();
        const auto given = node_.opset < 11 ? attr_ints(node_, "pads") : ints_of(io, 1);
        const tensor* value = node_.opset >= 11 && io.inputs.size() > 2 ? io.inputs[2] : nullptr;
        auto which = ints_of(io, 3);
        if (io.inputs.size() <= 3 || io.inputs[3] == nullptr)
            for (std::size_t i = 0; i < rank; ++i) which.push_back(static_cast<std::int64_t>(i));
        bool fits = x.type() == dtype::float32 && given.size() == 2 * which.size() && (value == nullptr || (value->type() == dtype::float32 && value->size() == 1));
        for (const std::int64_t p : given) fits = fits && p > -(std::int64_t{1} << 40) && p < (std::int64_t{1} << 40);
        if (!fits) return run_reference(node_, io);
        dims shape = x.shape(), count = x.shape(), first(rank, 0), into(rank, 0);
        dims seen(rank, 0);
        for (std::size_t i = 0; i < which.size(); ++i) {
            const std::size_t axis = normalize_axis(node_, which[i], rank);
            const std::int64_t before = given[i], after = given[i + which.size()], extent = x.extent(axis);
            shape[axis] = extent + before + after;
            if (seen[axis] != 0 || shape[axis] < 0) return run_reference(node_, io);
            seen[axis] = 1;
            first[axis] = std::min(extent, std::max<std::int64_t>(0, -before));
            into[axis] = std::max<std::int64_t>(0, before);
            count[axis] = std::max<std::int64_t>(0, extent - first[axis] - std::max<std::int64_t>(0, -after));
        }
        tensor& y = io.output(0, dtype::float32, shape);  // first: it knows whether the extents' product is too large
        const dims from = dense_strides(x.shape()), to = dense_strides(shape);
        move_axes axes;
        std::int64_t read = 0, write = 0;
        for (std::size_t i = 0; fits && i < rank; ++i) {
            read += first[i] * from[i];
            write += into[i] * to[i];
            fits = axes.push(count[i], from[i], to[i]);
        }
        if (!fits) return run_reference(node_, io);
        const float fill = node_.opset < 11 ? attr_float(node_, "value", 0.0f) : value != nullptr ? *value->data<float>() : 0.0f;
        if (shape != x.shape()) fill_floats(y.size(), fill, y.mutable_data<float>());
        if (y.size() != 0 && !axes.empty) move_floats(axes, x.data<float>() + read, y.mutable_data<float>() + write);
    }

private:
    const node& node_;
};

/// ConstantOfShape of a float.
class bound_fill final : public bound_kernel {
public:
    bound_fill(const node& n, float value) : node_(n), value_(value) {}
    std::string_view name() const noexcept override { return "move_fill"; }
    void run(const step_io& io) const override {
        const dims shape = ints_of(io, 0);
        for (const std::int64_t e : shape)
            if (e < 0) return run_reference(node_, io);  // which says why
        tensor& y = io.output(0, dtype::float32, shape);
        fill_floats(y.size(), value_, y.mutable_data<float>());
    }

private:
    const node& node_;
    float value_;
};

/// ocelli.ScatterRows of whole rows: each row of the result is written once, from where the last scatter has it.
class bound_scatter_rows final : public bound_kernel {
public:
    explicit bound_scatter_rows(const node& n) : node_(n), filled_(has_attribute(n, "value")) {
        if (filled_) value_ = *attr_tensor(n, "value").data<float>();
    }
    static bool takes(const graph& g, const node& n) {
        if (n.inputs.size() % 3 != 1 || n.inputs.size() < 4) return false;
        if (!has_attribute(n, "value")) return g.at(n.inputs[0]).what.type == dtype::float32;
        const tensor& value = attr_tensor(n, "value");
        return value.type() == dtype::float32 && value.size() == 1;
    }
    std::string_view name() const noexcept override { return "move_rows"; }
    void run(const step_io& io) const override {
        const dims shape = filled_ ? ints_of(io, 0) : io.inputs[0]->shape();
        if (!whole_rows(io, shape)) return run_reference(node_, io);
        const std::int64_t rows = shape[0], inner = product(shape, 1, shape.size());
        std::vector<const float*> sources(static_cast<std::size_t>(rows), nullptr);
        if (!filled_)
            for (std::int64_t r = 0; r < rows; ++r) sources[static_cast<std::size_t>(r)] = io.inputs[0]->data<float>() + r * inner;
        for (std::size_t i = 1; i < io.inputs.size(); i += 3) {
            const float* from = io.inputs[i + 1]->data<float>();
            for (const std::int64_t place : ints_of(io, i)) {
                if (place < -rows || place >= rows) return run_reference(node_, io);
                sources[static_cast<std::size_t>(place < 0 ? place + rows : place)] = from;
                from += inner;
            }
        }
        collect_rows(inner, sources, value_, io.output(0, dtype::float32, shape).mutable_data<float>());
    }

private:
    /// Whether every scatter writes rows of the data as they are.
    bool whole_rows(const step_io& io, const dims& shape) const {
        if (shape.empty() || (!filled_ && io.inputs[0]->type() != dtype::float32)) return false;
        for (const std::int64_t e : shape)
            if (e < 0) return false;
        for (std::size_t i = 1; i < io.inputs.size(); i += 3) {
            const tensor &index = *io.inputs[i], &updates = *io.inputs[i + 1];
            if (!is_index(index) || updates.type() != dtype::float32 || (index.rank() != shape.size() && index.size() != 1)) return false;
            if (updates.shape() != broadcast_shape(node_, index.shape(), ints_of(io, i + 2)) || updates.rank() != shape.size()) return false;
            if (updates.extent(0) != (index.size() == 1 ? 1 : index.extent(0))) return false;
            for (std::size_t d = 1; d < shape.size(); ++d)
                if (updates.extent(d) != shape[d] || (index.size() != 1 && index.extent(d) != 1)) return false;
        }
        return true;
    }

    const node& node_;
    bool filled_;
    float value_ = 0;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_by_shape(const graph& g, const node& n) {
    if (n.op == "ScatterRows" && n.domain == "ocelli" && bound_scatter_rows::takes(g, n)) return std::make_unique<bound_scatter_rows>(n);
    if (n.op == "ConstantOfShape" && n.domain.empty()) {
        if (!has_attribute(n, "value")) return std::make_unique<bound_fill>(n, 0.0f);
        const tensor& value = attr_tensor(n, "value");
        if (value.type() == dtype::float32 && value.size() == 1) return std::make_unique<bound_fill>(n, *value.data<float>());
    }
    return nullptr;
}

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_move(const graph&, const node& n) {
    if (n.op == "Transpose") return std::make_unique<bound_transpose>(n);
    if (n.op == "Concat") return std::make_unique<bound_concat>(n);
    if (n.op == "Split" && n.opset >= 2) return std::make_unique<bound_split>(n);
    if (n.op == "Slice") return std::make_unique<bound_slice>(n);
    if (n.op == "Expand" || n.op == "Tile") return std::make_unique<bound_repeat>(n);
    if (n.op == "Gather") return std::make_unique<bound_gather>(n);
    if (n.op == "GatherND" && attr_int(n, "batch_dims", 0) == 0) return std::make_unique<bound_gather_nd>(n);
    if (n.op == "Pad" && n.opset >= 2 && attr_string(n, "mode", "constant") == "constant") return std::make_unique<bound_pad>(n);
    return nullptr;
}

}  // namespace ocelli::nn::detail
