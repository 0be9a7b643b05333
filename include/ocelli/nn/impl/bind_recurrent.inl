#pragma once

#include <ocelli/core/gemm.hpp>
#include <ocelli/core/parallel.hpp>
#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/recurrent.hpp>

#include <cctype>
#include <string>
#include <vector>

namespace ocelli::nn::detail {

/// LSTM and GRU with their default activations, sequences of one length, the batch behind the steps.
class bound_recurrent final : public bound_kernel {
public:
    bound_recurrent(const graph& g, const node& n, weight_cache& cache)
        : node_(n), lstm_(n.op == "LSTM"), gates_(lstm_ ? 4 : 3), backwards_(attr_string(n, "direction", "forward") == "reverse"),
          directions_(attr_string(n, "direction", "forward") == "bidirectional" ? 2 : 1), reset_late_(attr_int(n, "linear_before_reset", 0) != 0) {
        const tensor& w = g.at(n.inputs[1]).what.constant;
        if (!w.defined() || w.type() != dtype::float32 || w.rank() != 3) return;
        packed_ = cache.get(w, "recurrent", [&] {
            const std::int64_t rows = w.extent(1), depth = w.extent(2), each = gemm_packed_b_size(rows, depth);
            tensor to(dtype::float32, {w.extent(0), each});
            for (std::int64_t d = 0; d < w.extent(0); ++d)
                gemm_pack_b(rows, depth, {static_cast<const float*>(w.stored()) + d * rows * depth, 1, depth}, to.mutable_data<float>() + d * each);
            return to;
        });
    }

    static bool takes(const node& n) {
        if (n.domain != "" || (n.op != "LSTM" && n.op != "GRU") || n.inputs.size() < 3) return false;
        const std::string direction = attr_string(n, "direction", "forward");
        if (direction != "forward" && direction != "reverse" && direction != "bidirectional") return false;
        if (has_attribute(n, "clip") || attr_int(n, "layout", 0) != 0 || attr_int(n, "input_forget", 0) != 0) return false;
        if (n.inputs.size() > 7 && n.inputs[7] != no_value) return false;  // peepholes
        const std::vector<std::string> names = n.op == "LSTM" ? std::vector<std::string>{"sigmoid", "tanh", "tanh"} : std::vector<std::string>{"sigmoid", "tanh"};
        std::vector<std::string> given = attr_strings(n, "activations", {});
        for (std::size_t i = 0; i < given.size(); ++i) {
            for (char& c : given[i]) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            if (given[i] != names[i % names.size()]) return false;
        }
        return given.empty() || given.size() == names.size() * (direction == "bidirectional" ? 2 : 1);
    }

    std::string_view name() const noexcept override { return lstm_ ? "lstm" : "gru"; }

    void run(const step_io& io) const override {
        const tensor &x = *io.inputs[0], &w = *io.inputs[1], &r = *io.inputs[2];
        const auto input = [&](std::size_t i) { return i < io.inputs.size() ? io.inputs[i] : nullptr; };
        const tensor *const bias = input(3), *const lengths = input(4), *const first_h = input(5), *const first_c = lstm_ ? input(6) : nullptr;
        bool fits = x.rank() == 3 && r.rank() == 3 && x.size() != 0;
        for (const tensor* t : {&x, &w, &r, bias, first_h, first_c}) fits = fits && (t == nullptr || t->type() == dtype::float32);
        if (!fits) return run_reference(node_, io);
        const std::int64_t steps = x.extent(0), batch = x.extent(1), depth = x.extent(2), hidden = r.extent(2), rows = gates_ * hidden;
        const dims state{directions_, batch, hidden};
        fits = hidden >= 1 && w.shape() == dims{directions_, rows, depth} && r.shape() == dims{directions_, rows, hidden} && attr_int(node_, "hidden_size", hidden) == hidden;
        fits = fits && (bias == nullptr || bias->shape() == dims{directions_, 2 * rows});
        for (const tensor* t : {first_h, first_c}) fits = fits && (t == nullptr || t->shape() == state);
        if (lengths != nullptr) {
            const auto all = lengths->to_ints();
            fits = fits && static_cast<std::int64_t>(all.size()) == batch && std::all_of(all.begin(), all.end(), [&](std::int64_t l) { return l == steps; });
        }
        if (!fits) return run_reference(node_, io);  // which says why, or does it
        const auto wanted = [&](std::size_t i) { return i < io.outputs.size() && io.outputs[i] != nullptr; };
        float* const y = wanted(0) ? io.output(0, dtype::float32, {steps, directions_, batch, hidden}).mutable_data<float>() : nullptr;
        tensor spare_h, spare_c;
        tensor& h = wanted(1) ? io.output(1, dtype::float32, state) : (spare_h = tensor(dtype::float32, state));
        tensor& c = lstm_ && wanted(2) ? io.output(2, dtype::float32, state) : (spare_c = tensor(dtype::float32, state));
        for (const auto& [from, to] : {std::pair<const tensor*, tensor*>{first_h, &h}, {first_c, &c}}) {
            if (from != nullptr) std::copy_n(from->data<float>(), from->size(), to->mutable_data<float>());
            else std::fill_n(to->mutable_data<float>(), to->size(), 0.0f);
        }
        float *const to_h = h.mutable_data<float>(), *const to_c = c.mutable_data<float>();
        const float *const from_x = x.data<float>(), *const from_r = r.data<float>(), *const from_w = packed_.defined() ? nullptr : w.data<float>();
        const auto bias_of = [&](std::int64_t d) { return bias != nullptr ? bias->data<float>() + d * 2 * rows : nullptr; };
        std::vector<tensor> given;
        for (std::int64_t d = 0; d < directions_; ++d) given.push_back(inputs_of(d, steps * batch, depth, rows, from_x, from_w, bias_of(d)));
        // The directions know nothing of each other.
        ocelli::parallel_for(static_cast<std::size_t>(directions_), 1, [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                const auto d = static_cast<std::int64_t>(i);
                const recurrent_layer l{steps, batch, hidden, backwards_ || d == 1, directions_ * batch * hidden};
                const float *const own_given = given[i].data<float>(), *const own_r = from_r + d * rows * hidden, *const b = bias_of(d);
                float *const own_y = y != nullptr ? y + d * batch * hidden : nullptr, *const own_h = to_h + d * batch * hidden;
                if (lstm_) lstm(l, own_given, own_r, own_h, to_c + d * batch * hidden, own_y);
                else gru(l, own_given, own_r, b != nullptr ? b + rows + 2 * hidden : nullptr, reset_late_, own_h, own_y);
            }
        });
    }

    double operations(const step_io& io) const override {
        const double steps = static_cast<double>(io.inputs[0]->extent(0) * io.inputs[0]->extent(1));
        return 2.0 * steps * static_cast<double>(io.inputs[1]->size() + io.inputs[2]->size());
    }

private:
    /// What inputs and biases give to the gates of all steps.
    tensor inputs_of(std::int64_t d, std::int64_t count, std::int64_t depth, std::int64_t rows, const float* x, const float* w, const float* bias) const {
        tensor sums, given(dtype::float32, {count, rows});
        gemm_epilogue e;
        if (bias != nullptr) {
            sums = tensor(dtype::float32, {rows});
            // The bias of a late reset's product is inside the reset.
            const std::int64_t both = lstm_ || !reset_late_ ? rows : rows / 3 * 2;
            for (std::int64_t i = 0; i < rows; ++i) sums.mutable_data<float>()[i] = bias[i] + (i < both ? bias[rows + i] : 0.0f);
            e.column_bias = sums.data<float>();
        }
        const matrix_argument left{x, depth, 1};
        if (packed_.defined()) gemm_packed_b(count, rows, depth, left, packed_.data<float>() + d * packed_.extent(1), given.mutable_data<float>(), rows, e);
        else gemm(count, rows, depth, left, {w + d * rows * depth, 1, depth}, given.mutable_data<float>(), rows, e);
        return given;
    }

    const node& node_;
    bool lstm_;
    std::int64_t gates_;
    bool backwards_;
    std::int64_t directions_;
    bool reset_late_;
    tensor packed_;  // weights of the inputs, where they are constant
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_recurrent(const graph& g, const node& n, weight_cache& weights) {
    return bound_recurrent::takes(n) ? std::make_unique<bound_recurrent>(g, n, weights) : nullptr;
}

}  // namespace ocelli::nn::detail
