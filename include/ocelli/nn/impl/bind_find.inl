#pragma once

#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/find.hpp>

namespace ocelli::nn::detail {

/// NonZero of marks.
class bound_non_zero final : public bound_kernel {
public:
    explicit bound_non_zero(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "find_marked"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::boolean || x.rank() == 0) return run_reference(node_, io);
        const marked_places found(x.size(), static_cast<const std::uint8_t*>(x.raw()));
        const std::int64_t count = found.count();
        std::int64_t* rows = io.output(0, dtype::int64, {static_cast<std::int64_t>(x.rank()), count}).mutable_data<std::int64_t>();
        found.write(rows + static_cast<std::int64_t>(x.rank() - 1) * count);
        split_places(x.shape(), count, rows);
    }

private:
    const node& node_;
};

/// TopK along the last axis.
class bound_top_k final : public bound_kernel {
public:
    explicit bound_top_k(const node& n) : node_(n), largest_(attr_int(n, "largest", 1) != 0) {}
    std::string_view name() const noexcept override { return "find_top"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.rank() == 0 || normalize_axis(node_, attr_int(node_, "axis", -1), x.rank()) + 1 != x.rank())
            return run_reference(node_, io);
        const std::int64_t n = x.shape().back();
        const bool given = node_.opset >= 10;
        if (given && (io.inputs.size() < 2 || io.inputs[1] == nullptr || io.inputs[1]->type() != dtype::int64 || io.inputs[1]->size() != 1))
            return run_reference(node_, io);
        const std::int64_t k = given ? *io.inputs[1]->data<std::int64_t>() : attr_int(node_, "k");
        if (k < 0 || k > n || n > std::numeric_limits<std::int32_t>::max()) return run_reference(node_, io);  // which says why
        dims shape = x.shape();
        shape.back() = k;
        tensor spare_values, spare_places;  // of an output nobody wants
        const auto make = [&](std::size_t i, dtype type, tensor& spare) -> tensor& {
            if (i < io.outputs.size() && io.outputs[i] != nullptr) return io.output(i, type, shape);
            return spare = tensor(type, shape);
        };
        tensor& values = make(0, dtype::float32, spare_values);
        tensor& places = make(1, dtype::int64, spare_places);
        find_top(largest_, product(shape, 0, shape.size() - 1), n, k, x.data<float>(), values.mutable_data<float>(), places.mutable_data<std::int64_t>());
    }

private:
    const node& node_;
    bool largest_;
};

/// NonMaxSuppression, whose evaluation is the library's own.
class bound_suppression final : public bound_kernel {
public:
    explicit bound_suppression(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "nms"; }
    void run(const step_io& io) const override { run_reference(node_, io); }

private:
    const node& node_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_find(const graph& g, const node& n) {
    if (!n.domain.empty()) return nullptr;
    const dtype type = g.at(n.inputs[0]).what.type;
    if (n.op == "NonZero" && type == dtype::boolean) return std::make_unique<bound_non_zero>(n);
    if (n.op == "TopK" && type == dtype::float32) return std::make_unique<bound_top_k>(n);
    if (n.op == "NonMaxSuppression") return std::make_unique<bound_suppression>(n);
    return nullptr;
}

}  // namespace ocelli::nn::detail
