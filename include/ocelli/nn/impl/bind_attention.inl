#pragma once

#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/attention.hpp>
#include <ocelli/nn/ops/attention.hpp>

namespace ocelli::nn::detail {

/// ocelli.Attention.
class bound_attention final : public bound_kernel {
public:
    explicit bound_attention(const node& n) : node_(n), form_(attention_form_of(n)) {
        for (std::int64_t s = 0; s < form_.matrices; ++s) {
            for (std::size_t i = 0; i < form_.inputs; ++i) places_[i].push_back(form_.at[i][0] + form_.place(s, form_.at[i].data() + 1));
            result_.push_back(form_.place(s, form_.result.data()));
        }
    }
    std::string_view name() const noexcept override { return "attention"; }

    void run(const step_io& io) const override {
        const std::size_t row = form_.stack.size() + 1;
        bool fits = all_float32(io) && form_.at[0][row + 1] == 1;
        for (std::size_t i = 3; i < form_.inputs; ++i) fits = fits && (form_.at[i][row + 1] == 1 || form_.keys == 1);
        if (!fits) return run_reference(node_, io);
        attention_operand operands[attention_form::most];
        for (std::size_t i = 0; i < form_.inputs; ++i) {
            check_attention_input(node_, form_, i, *io.inputs[i]);
            operands[i] = {io.inputs[i]->data<float>(), places_[i].data(), form_.at[i][row], form_.at[i][row + 1]};
        }
        tensor& y = io.output(0, dtype::float32, form_.shape);
        attention({form_.matrices, form_.queries, form_.keys, form_.depth, form_.width, form_.scale, form_.empty_is_zero}, operands[0], operands[1], operands[2],
                  std::span<const attention_operand>(operands + 3, form_.inputs - 3), y.mutable_data<float>(), result_.data(), form_.result[row - 1]);
    }

    double operations(const step_io&) const override {
        return 2.0 * static_cast<double>(form_.matrices) * static_cast<double>(form_.queries) * static_cast<double>(form_.keys) * static_cast<double>(form_.depth + form_.width);
    }

private:
    const node& node_;
    attention_form form_;
    dims places_[attention_form::most], result_;  // of each matrix
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_attention(const node& n) {
    constexpr std::int64_t most = std::int64_t{1} << 16;  // places are kept
    return attention_form_of(n).matrices > most ? nullptr : std::make_unique<bound_attention>(n);
}

}  // namespace ocelli::nn::detail
