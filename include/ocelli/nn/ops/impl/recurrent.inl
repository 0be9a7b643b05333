#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/recurrent.hpp>

#include <cctype>
#include <cmath>

namespace ocelli::nn {

namespace detail {

/// An activation of a recurrent layer, by ONNX's name.
struct gate_activation {
    enum class kind { sigmoid, tanh, relu, affine, leaky_relu, thresholded_relu, scaled_tanh, hard_sigmoid, elu, softsign, softplus } what = kind::tanh;
    double alpha = 0, beta = 0;

    double operator()(double x) const noexcept {
        switch (what) {
        case kind::sigmoid: return 1 / (1 + std::exp(-x));
        case kind::tanh: return std::tanh(x);
        case kind::relu: return x > 0 ? x : 0;
        case kind::affine: return alpha * x + beta;
        case kind::leaky_relu: return x >= 0 ? x : alpha * x;
        case kind::thresholded_relu: return x >= alpha ? x : 0;
        case kind::scaled_tanh: return alpha * std::tanh(beta * x);
        case kind::hard_sigmoid: return std::clamp(alpha * x + beta, 0.0, 1.0);
        case kind::elu: return x >= 0 ? x : alpha * (std::exp(x) - 1);
        case kind::softsign: return x / (1 + std::abs(x));
        default: return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));  // softplus
        }
    }
};

// The activations of all directions, from the attributes or the layer's defaults.
inline std::vector<gate_activation> gate_activations(const node& n, std::vector<std::string> defaults, std::size_t directions) {
    using kind = gate_activation::kind;
    struct row {
        const char* name;
        kind what;
        double alpha, beta;
        int parameters;
    };
    static constexpr row rows[] = {
        {"sigmoid", kind::sigmoid, 0, 0, 0},        {"tanh", kind::tanh, 0, 0, 0},         {"relu", kind::relu, 0, 0, 0},
        {"affine", kind::affine, 1, 0, 2},          {"leakyrelu", kind::leaky_relu, 0.01, 0, 1}, {"thresholdedrelu", kind::thresholded_relu, 1, 0, 1},
        {"scaledtanh", kind::scaled_tanh, 1, 1, 2}, {"hardsigmoid", kind::hard_sigmoid, 0.2, 0.5, 2}, {"elu", kind::elu, 1, 0, 1},
        {"softsign", kind::softsign, 0, 0, 0},      {"softplus", kind::softplus, 0, 0, 0}};
    const std::size_t each = defaults.size();
    std::vector<std::string> names;
    for (std::size_t d = 0; d < directions; ++d) names.insert(names.end(), defaults.begin(), defaults.end());
    names = attr_strings(n, "activations", names);
    check(n, names.size() == each * directions, "activations must name ", each * directions, " functions, got ", names.size());
    const auto alphas = attr_floats(n, "activation_alpha", {}), betas = attr_floats(n, "activation_beta", {});
    std::size_t next_alpha = 0, next_beta = 0;
    std::vector<gate_activation> out;
    for (const std::string& given : names) {
        std::string wanted = given;
        for (char& c : wanted) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        const row* found = nullptr;
        for (const row& r : rows)
            if (wanted == r.name) found = &r;
        check<unsupported_operator>(n, found != nullptr, "activation '", given, "' is not supported");
        gate_activation a{found->what, found->alpha, found->beta};
        // Parameters are listed for those functions that have them.
        if (found->parameters >= 1 && next_alpha < alphas.size()) a.alpha = static_cast<double>(alphas[next_alpha++]);
        if (found->parameters >= 2 && next_beta < betas.size()) a.beta = static_cast<double>(betas[next_beta++]);
        out.push_back(a);
    }
    return out;
}

enum class cell_kind { rnn, gru, lstm };

inline cell_kind cell_of(const node& n) {
    return n.op == "RNN" ? cell_kind::rnn : n.op == "GRU" ? cell_kind::gru : cell_kind::lstm;
}

inline std::int64_t direction_count(const node& n) {
    const std::string direction = attr_string(n, "direction", "forward");
    check<unsupported_operator>(n, direction == "forward" || direction == "reverse" || direction == "bidirectional", "direction '", direction, "' is not supported");
    return direction == "bidirectional" ? 2 : 1;
}

inline void infer_recurrent(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    const bool batch_first = attr_int(c.self, "layout", 0) != 0;
    symbolic_shape y = symbolic_shape::of_rank(4), last = symbolic_shape::of_rank(3);
    const dim directions(direction_count(c.self));
    dim hidden;
    if (c.shape(2).ranked() && c.shape(2).rank() == 3) hidden = c.shape(2)[2];
    if (x.ranked() && x.rank() == 3) {
        const dim sequence = x[batch_first ? 1 : 0], batch = x[batch_first ? 0 : 1];
        y[0] = batch_first ? batch : sequence;
        y[1] = batch_first ? sequence : directions;
        y[2] = batch_first ? directions : batch;
        last[0] = batch_first ? batch : directions;
        last[1] = batch_first ? directions : batch;
    }
    y[3] = last[2] = hidden;
    c.output(0, c.type(0), y);
    c.output(1, c.type(0), last);
    c.output(2, c.type(0), last);
}

inline void eval_recurrent(eval_context& c) {
    const cell_kind cell = cell_of(c.self);
    const std::int64_t gates = cell == cell_kind::rnn ? 1 : cell == cell_kind::gru ? 3 : 4;
    const tensor& x = c.input(0);
    const tensor& w = c.input(1);
    const tensor& r = c.input(2);
    const std::int64_t directions = direction_count(c.self);
    const bool batch_first = attr_int(c.self, "layout", 0) != 0;
    check(c.self, x.rank() == 3 && w.rank() == 3 && r.rank() == 3, "input, W and R must have rank 3, got ", text(x), ", ", text(w), " and ", text(r));
    const std::int64_t sequence = x.extent(batch_first ? 1 : 0), batch = x.extent(batch_first ? 0 : 1), features = x.extent(2), hidden = r.extent(2);
    check(c.self, hidden >= 1 && hidden < (std::int64_t{1} << 30) && w.shape() == dims{directions, gates * hidden, features} &&
                      r.shape() == dims{directions, gates * hidden, hidden},
          "W ", text(w), " and R ", text(r), " do not fit ", directions, " directions, ", gates, " gates and ", features, " features");
    check(c.self, attr_int(c.self, "hidden_size", hidden) == hidden, "hidden_size contradicts the shape of R ", text(r));
    check(c.self, is_floating(x.type()) && w.type() == x.type() && r.type() == x.type(), "input, W and R must have one floating type");
    const auto optional = [&](std::size_t i, const dims& shape, const char* what) {
        if (!c.has_input(i)) return std::vector<double>();
        check(c.self, c.input(i).shape() == shape, what, " must have shape ", ocelli::detail::shape_text(shape), ", got ", text(c.input(i)));
        return doubles(c.input(i));
    };
    const dims state_shape = batch_first ? dims{batch, directions, hidden} : dims{directions, batch, hidden};
    const auto in = doubles(x), weights = doubles(w), recurrence = doubles(r);
    const auto bias = optional(3, {directions, 2 * gates * hidden}, "B");
    const auto initial_h = optional(5, state_shape, "initial_h");
    const auto initial_c = cell == cell_kind::lstm ? optional(6, state_shape, "initial_c") : std::vector<double>();
    const auto peephole = cell == cell_kind::lstm ? optional(7, {directions, 3 * hidden}, "P") : std::vector<double>();
    std::vector<std::int64_t> lengths(static_cast<std::size_t>(batch), sequence);
    if (c.has_input(4)) {
        lengths = c.input(4).to_ints();
        check(c.self, static_cast<std::int64_t>(lengths.size()) == batch, "sequence_lens must have ", batch, " elements");
        for (const std::int64_t l : lengths) check(c.self, l >= 0 && l <= sequence, "sequence length ", l, " is outside [0, ", sequence, "]");
    }
    const std::vector<std::string> names = cell == cell_kind::rnn   ? std::vector<std::string>{"Tanh"}
                                           : cell == cell_kind::gru ? std::vector<std::string>{"Sigmoid", "Tanh"}
                                                                    : std::vector<std::string>{"Sigmoid", "Tanh", "Tanh"};
    const auto activations = gate_activations(c.self, names, static_cast<std::size_t>(directions));
    const bool clips = has_attribute(c.self, "clip");
    const double limit = static_cast<double>(attr_float(c.self, "clip", 0.0f));
    check(c.self, limit >= 0, "clip must not be negative");
    const bool reverse_first = attr_string(c.self, "direction", "forward") == "reverse";
    const bool reset_late = attr_int(c.self, "linear_before_reset", 0) != 0, couples = attr_int(c.self, "input_forget", 0) != 0;

    const dims y_shape = batch_first ? dims{batch, sequence, directions, hidden} : dims{sequence, directions, batch, hidden};
    std::vector<double> y(static_cast<std::size_t>(element_count(y_shape)), 0.0), last_h(static_cast<std::size_t>(element_count(state_shape)), 0.0), last_c(last_h);
    const auto h_count = static_cast<std::size_t>(hidden);
    for_each_index(directions * batch, sequence * gates * hidden * (features + hidden), [&](std::int64_t at) {
        const std::int64_t d = at / batch, b = at % batch;
        const auto state_at = static_cast<std::size_t>((batch_first ? b * directions + d : d * batch + b) * hidden);
        std::vector<double> h(h_count, 0.0), memory(h_count, 0.0), gate(static_cast<std::size_t>(gates * hidden)), reset(h_count);
        if (!initial_h.empty()) std::copy_n(initial_h.begin() + static_cast<std::ptrdiff_t>(state_at), h_count, h.begin());
        if (!initial_c.empty()) std::copy_n(initial_c.begin() + static_cast<std::ptrdiff_t>(state_at), h_count, memory.begin());
        const gate_activation* act = activations.data() + static_cast<std::size_t>(d) * names.size();
        const double* own_w = weights.data() + d * gates * hidden * features;
        const double* own_r = recurrence.data() + d * gates * hidden * hidden;
        const double* own_b = bias.empty() ? nullptr : bias.data() + d * 2 * gates * hidden;
        const double* p = peephole.empty() ? nullptr : peephole.data() + d * 3 * hidden;
        const auto clipped = [&](double v) { return clips ? std::clamp(v, -limit, limit) : v; };
        const auto from_state = [&](std::int64_t row, const std::vector<double>& state) {
            double sum = own_b != nullptr ? own_b[gates * hidden + row] : 0.0;
            for (std::int64_t k = 0; k < hidden; ++k) sum += own_r[row * hidden + k] * state[static_cast<std::size_t>(k)];
            return sum;
        };
        const bool backwards = reverse_first || d == 1;
        const std::int64_t length = lengths[static_cast<std::size_t>(b)];
        for (std::int64_t step = 0; step < length; ++step) {
            const std::int64_t t = backwards ? length - 1 - step : step;
            const double* from = in.data() + (batch_first ? b * sequence + t : t * batch + b) * features;
            for (std::int64_t row = 0; row < gates * hidden; ++row) {
                double sum = own_b != nullptr ? own_b[row] : 0.0;
                for (std::int64_t k = 0; k < features; ++k) sum += own_w[row * features + k] * from[k];
                gate[static_cast<std::size_t>(row)] = sum;
            }
            const auto g = [&](std::int64_t which, std::int64_t k) -> double& { return gate[static_cast<std::size_t>(which * hidden + k)]; };
            if (cell == cell_kind::rnn) {
                for (std::int64_t k = 0; k < hidden; ++k) g(0, k) = act[0](clipped(g(0, k) + from_state(k, h)));
                std::copy(gate.begin(), gate.end(), h.begin());
            } else if (cell == cell_kind::gru) {
                for (std::int64_t k = 0; k < hidden; ++k) {
                    g(0, k) = act[0](clipped(g(0, k) + from_state(k, h)));
                    g(1, k) = act[0](clipped(g(1, k) + from_state(hidden + k, h)));
                    reset[static_cast<std::size_t>(k)] = g(1, k) * h[static_cast<std::size_t>(k)];
                }
                for (std::int64_t k = 0; k < hidden; ++k) {
                    const double recurrent = reset_late ? g(1, k) * from_state(2 * hidden + k, h) : from_state(2 * hidden + k, reset);
                    g(2, k) = act[1](clipped(g(2, k) + recurrent));
                }
                for (std::int64_t k = 0; k < hidden; ++k) {
                    double& state = h[static_cast<std::size_t>(k)];
                    state = (1 - g(0, k)) * g(2, k) + g(0, k) * state;
                }
            } else {
                for (std::int64_t row = 0; row < gates * hidden; ++row) gate[static_cast<std::size_t>(row)] += from_state(row, h);
                for (std::int64_t k = 0; k < hidden; ++k) {
                    double& m = memory[static_cast<std::size_t>(k)];
                    const double i = act[0](clipped(g(0, k) + (p != nullptr ? p[k] * m : 0.0)));
                    const double f = couples ? 1 - i : act[0](clipped(g(2, k) + (p != nullptr ? p[2 * hidden + k] * m : 0.0)));
                    m = f * m + i * act[1](clipped(g(3, k)));
                    const double o = act[0](clipped(g(1, k) + (p != nullptr ? p[hidden + k] * m : 0.0)));
                    h[static_cast<std::size_t>(k)] = o * act[2](m);
                }
            }
            const std::int64_t y_at = batch_first ? (b * sequence + t) * directions + d : (t * directions + d) * batch + b;
            std::copy(h.begin(), h.end(), y.begin() + y_at * hidden);
        }
        std::copy(h.begin(), h.end(), last_h.begin() + static_cast<std::ptrdiff_t>(state_at));
        std::copy(memory.begin(), memory.end(), last_c.begin() + static_cast<std::ptrdiff_t>(state_at));
    });
    const auto give = [&](std::size_t i, const dims& shape, const std::vector<double>& values) {
        if (c.wants(i)) c.set_output(i, tensor::from<double>(shape, std::span<const double>(values)).cast(x.type()));
    };
    give(0, y_shape, y);
    give(1, state_shape, last_h);
    if (cell == cell_kind::lstm) give(2, state_shape, last_c);
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> recurrent_ops() {
    // Before operator set 7 attribute output_sequence told whether Y is wanted: whether it is used tells that too.
    static constexpr op_def table[] = {
        {.name = "RNN", .until = 6, .min_inputs = 3, .max_inputs = 6, .max_outputs = 2,
         .attributes = "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string hidden_size:int output_sequence:int",
         .infer = detail::infer_recurrent, .eval = detail::eval_recurrent, .results = exactness::rounding},
        {.name = "GRU", .until = 6, .min_inputs = 3, .max_inputs = 6, .max_outputs = 2,
         .attributes = "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string hidden_size:int output_sequence:int "
                       "linear_before_reset:int",
         .infer = detail::infer_recurrent, .eval = detail::eval_recurrent, .results = exactness::rounding},
        {.name = "LSTM", .until = 6, .min_inputs = 3, .max_inputs = 8, .max_outputs = 3,
         .attributes = "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string hidden_size:int input_forget:int "
                       "output_sequence:int",
         .infer = detail::infer_recurrent, .eval = detail::eval_recurrent, .results = exactness::rounding},
        {.name = "RNN", .since = 7, .min_inputs = 3, .max_inputs = 6, .max_outputs = 2,
         .attributes = "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string hidden_size:int layout:int",
         .infer = detail::infer_recurrent, .eval = detail::eval_recurrent, .results = exactness::rounding},
        {.name = "GRU", .since = 7, .min_inputs = 3, .max_inputs = 6, .max_outputs = 2,
         .attributes = "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string hidden_size:int layout:int "
                       "linear_before_reset:int",
         .infer = detail::infer_recurrent, .eval = detail::eval_recurrent, .results = exactness::rounding},
        {.name = "LSTM", .since = 7, .min_inputs = 3, .max_inputs = 8, .max_outputs = 3,
         .attributes = "activation_alpha:floats activation_beta:floats activations:strings clip:float direction:string hidden_size:int input_forget:int "
                       "layout:int",
         .infer = detail::infer_recurrent, .eval = detail::eval_recurrent, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
