#pragma once

#include <ocelli/core/gemm_bf16.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/ops/fused.hpp>

namespace ocelli::nn::detail {

/// ocelli.MatMul: constant weights on the right.
class bound_matmul final : public bound_kernel {
public:
    bound_matmul(const graph& g, const node& n, weight_cache& cache) : node_(n), weights_(g.at(n.inputs[1]).what.constant), cache_(cache) {
        transposed_ = attr_int(n, "transB", 0) != 0;
        k_ = weights_.extent(transposed_ ? 1 : 0);
        n_ = weights_.extent(transposed_ ? 0 : 1);
        if (n.inputs.size() > 2 && n.inputs[2] != no_value) bias_ = g.at(n.inputs[2]).what.constant;
        if (bias_.defined()) epilogue_.column_bias = bias_.data<float>();
        read_activation(n, epilogue_);
        // Packed at load where there are rows enough, as far as it is known; else when they come.
        const symbolic_shape& a = g.at(n.inputs[0]).what.shape;
        std::int64_t rows = 1;
        for (std::size_t i = 0; i + 1 < a.rank(); ++i) rows *= a[i].known() ? a[i].size : 1;
        if (rows > in_place_rows) packed();
    }

    std::string_view name() const noexcept override { return half() ? "gemm_bf16" : "gemm"; }

    void run(const step_io& io) const override {
        const tensor& a = *io.inputs[0];
        check(node_, a.rank() >= 1 && a.shape().back() == k_, "left operand must have shape (..., ", k_, "), got ", a);
        dims shape = a.shape();
        shape.back() = n_;
        tensor& y = io.output(0, dtype::float32, shape);
        gemm_epilogue e = epilogue_;
        if (io.inputs.size() > 3 && io.inputs[3] != nullptr) {
            check(node_, io.inputs[3]->shape() == shape, "shapes ", shape, " and ",
                  io.inputs[3]->shape(), " of the fused Add differ");
            e.addend = io.inputs[3]->data<float>();
            e.addend_stride = n_;
        }
        const std::int64_t rows = product(shape, 0, shape.size() - 1);
        const matrix_argument left{a.data<float>(), k_, 1}, right{static_cast<const float*>(weights_.stored()), transposed_ ? 1 : n_, transposed_ ? k_ : 1};
        if (rows > in_place_rows && half()) gemm_bf16(rows, n_, k_, left, packed().data<std::uint32_t>(), y.mutable_data<float>(), n_, e);
        else if (rows <= in_place_rows) gemm(rows, n_, k_, left, right, y.mutable_data<float>(), n_, e);
        else gemm_packed_b(rows, n_, k_, left, packed().data<float>(), y.mutable_data<float>(), n_, e);
    }

    double operations(const step_io& io) const override { return 2.0 * static_cast<double>(io.outputs[0]->size()) * static_cast<double>(k_); }

private:
    /// Up to so many rows the weights are read where they lie: they are read once.
    static constexpr std::int64_t in_place_rows = 3;

    bool half() const noexcept { return cache_.precision() == precision::bf16; }

    tensor packed() const {
        return cache_.get(weights_, ocelli::detail::concat(name(), "_b/", transposed_), [&] {
            const matrix_argument from{static_cast<const float*>(weights_.stored()), transposed_ ? 1 : n_, transposed_ ? k_ : 1};
            tensor to(half() ? dtype::uint32 : dtype::float32, {half() ? gemm_bf16_packed_b_size(n_, k_) : gemm_packed_b_size(n_, k_)});
            if (half()) gemm_bf16_pack_b(n_, k_, from, to.mutable_data<std::uint32_t>());
            else gemm_pack_b(n_, k_, from, to.mutable_data<float>());
            return to;
        });
    }

    const node& node_;
    tensor weights_, bias_;
    weight_cache& cache_;
    std::int64_t k_ = 0, n_ = 0;
    gemm_epilogue epilogue_;
    bool transposed_ = false;
};

/// MatMul of two matrices, or two stacks of them, that are both computed.
class bound_product final : public bound_kernel {
public:
    bound_product(const node& n, precision rounded_to) : node_(n), half_(rounded_to == precision::bf16) {}
    std::string_view name() const noexcept override { return half_ ? "gemm_bf16" : "gemm"; }
    void run(const step_io& io) const override {
        const tensor &a = *io.inputs[0], &b = *io.inputs[1];
        const bool fits = a.rank() >= 2 && b.rank() >= 2 && a.type() == dtype::float32 && b.type() == dtype::float32;
        if (!fits || a.shape().back() != b.extent(b.rank() - 2)) return run_reference(node_, io);
        std::int64_t m = a.extent(a.rank() - 2);
        const std::int64_t k = a.shape().back(), n = b.shape().back();
        const dims stack_a(a.shape().begin(), a.shape().end() - 2), stack_b(b.shape().begin(), b.shape().end() - 2);
        dims shape = broadcast_shape(node_, stack_a, stack_b);
        std::int64_t count = element_count(shape);
        const dims step_a = broadcast_strides(stack_a, shape), step_b = broadcast_strides(stack_b, shape), stack = shape;
        shape.insert(shape.end(), {m, n});
        tensor& y = io.output(0, dtype::float32, shape);
        const float *left = a.data<float>(), *right = b.data<float>();
        float* to = y.mutable_data<float>();
        // One right side for all of them: the rows of a stack are those of one matrix.
        if (stack_a == stack && element_count(stack_b) == 1) {
            m *= count;
            count = std::min<std::int64_t>(count, 1);
        }
        const auto one = [&](std::int64_t i) {
            std::int64_t at_a = 0, at_b = 0, rest = i;
            for (std::size_t d = stack.size(); d-- > 0; rest /= stack[d]) {
                at_a += rest % stack[d] * step_a[d];
                at_b += rest % stack[d] * step_b[d];
            }
            const matrix_argument l{left + at_a * a.extent(a.rank() - 2) * k, k, 1}, r{right + at_b * k * n, n, 1};
            if (half_) gemm_bf16(m, n, k, l, r, to + i * m * n, n);
            else gemm(m, n, k, l, r, to + i * m * n, n);
        };
        if (count == 1) return one(0);
        const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 18) / std::max<std::int64_t>(1, m * n * k));
        parallel_for(static_cast<std::size_t>(count), static_cast<std::size_t>(grain), [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) one(static_cast<std::int64_t>(i));
        });
    }
    double operations(const step_io& io) const override {
        return 2.0 * static_cast<double>(io.outputs[0]->size()) * static_cast<double>(io.inputs[0]->shape().back());
    }

private:
    const node& node_;
    const bool half_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_product(const graph& g, const node& n, weight_cache& weights) {
    if (n.op != "MatMul") return nullptr;
    if (n.domain == "ocelli") return std::make_unique<bound_matmul>(g, n, weights);
    if (n.domain.empty() && n.inputs.size() == 2 && n.inputs[1] != no_value && g.at(n.inputs[1]).what.type == dtype::float32) 
        return std::make_unique<bound_product>(n, weights.precision());
    return nullptr;
}

}  // namespace ocelli::nn::detail
