#pragma once

#include <ocelli/nn/detail/bound.hpp>
#include <ocelli/nn/kernels/elementwise.hpp>
#include <ocelli/nn/kernels/select.hpp>

#include <limits>
#include <optional>

namespace ocelli::nn::detail {

/// A function of one element, with its two numbers.
struct unary_choice {
    unary_function function;
    float a = 0, b = 0;
};

inline std::optional<unary_choice> choose_unary(const graph& g, const node& n) {
    using f = unary_function;
    const std::string_view op = n.op;
    const auto alpha = [&](float otherwise) { return attr_float(n, "alpha", otherwise); };
    if (op == "Relu") return unary_choice{f::relu};
    if (op == "LeakyRelu") return unary_choice{f::leaky_relu, alpha(0.01f)};
    if (op == "ThresholdedRelu") return unary_choice{f::thresholded_relu, alpha(1.0f)};
    if (op == "Sigmoid") return unary_choice{f::sigmoid};
    if (op == "HardSigmoid") return unary_choice{f::hard_sigmoid, alpha(0.2f), attr_float(n, "beta", 0.5f)};
    if (op == "HardSwish") return unary_choice{f::hard_swish};
    if (op == "Swish") return unary_choice{f::swish, alpha(1.0f)};
    if (op == "Tanh") return unary_choice{f::tanh};
    if (op == "Exp") return unary_choice{f::exp};
    if (op == "Log") return unary_choice{f::log};
    if (op == "Sqrt") return unary_choice{f::sqrt};
    if (op == "Reciprocal") return unary_choice{f::reciprocal};
    if (op == "Neg") return unary_choice{f::negate};
    if (op == "Abs") return unary_choice{f::absolute};
    if (op == "Floor") return unary_choice{f::floor};
    if (op == "Ceil") return unary_choice{f::ceil};
    if (op == "Round") return unary_choice{f::round};
    if (op == "Sin") return unary_choice{f::sin};
    if (op == "Cos") return unary_choice{f::cos};
    if (op == "Erf") return unary_choice{f::erf};
    if (op == "Gelu") return unary_choice{attr_string(n, "approximate", "none") == "tanh" ? f::gelu_tanh : f::gelu};
    if (op == "Softplus") return unary_choice{f::softplus};
    if (op == "Softsign") return unary_choice{f::softsign};
    if (op == "FakeQuantize") return unary_choice{f::fake_quantize, attr_float(n, "scale"), attr_float(n, "low")};
    if (op == "Mish") return unary_choice{f::mish};
    if (op == "Elu") return unary_choice{f::elu, alpha(1.0f)};
    if (op == "Selu" && n.opset >= 6) return unary_choice{f::selu, alpha(1.67326319217681884765625f), attr_float(n, "gamma", 1.05070102214813232421875f)};
    if (op == "Celu" && alpha(1.0f) != 0.0f) return unary_choice{f::celu, alpha(1.0f)};
    if (op == "Clip") {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        unary_choice c{f::clip, -infinity, infinity};
        if (n.opset < 11) {
            c.a = attr_float(n, "min", c.a);
            c.b = attr_float(n, "max", c.b);
            return c;
        }
        for (std::size_t i = 1; i < n.inputs.size(); ++i) {
            if (n.inputs[i] == no_value) continue;
            const tensor& bound = g.at(n.inputs[i]).what.constant;
            if (!bound.defined() || bound.type() != dtype::float32 || bound.size() != 1) return std::nullopt;
            (i == 1 ? c.a : c.b) = *bound.data<float>();
        }
        return c;
    }
    if (op == "Pow" && n.opset >= 7) {
        const tensor& e = g.at(n.inputs[1]).what.constant;
        if (!e.defined() || e.size() != 1 || !(is_floating(e.type()) || is_integer(e.type()))) return std::nullopt;
        // A longer exponent would give the result its rank.
        const symbolic_shape& shape = g.at(n.inputs[0]).what.shape;
        if (e.rank() > 0 && (!shape.ranked() || shape.rank() < e.rank())) return std::nullopt;
        const double power = e.item();
        if (power == 2) return unary_choice{f::square};
        if (power == -1) return unary_choice{f::reciprocal};
        if (power == 3) return unary_choice{f::cube};
    }
    return std::nullopt;
}

inline constexpr std::string_view unary_names[] = {"relu", "leaky_relu", "clip",    "thresholded_relu", "sigmoid",  "hard_sigmoid", "hard_swish", "swish", "tanh",
                                                   "exp",  "log",        "sqrt",    "reciprocal",       "square",   "negate",       "absolute",   "erf",   "gelu",
                                                   "gelu_tanh", "softplus", "softsign", "mish",         "elu",      "selu",         "celu",
                                                   "floor", "ceil",     "round",    "cube",             "sin",      "cos",  "fake_quantize"};
static_assert(std::size(unary_names) == static_cast<std::size_t>(unary_function::count_));

class bound_unary final : public bound_kernel {
public:
    bound_unary(const node& n, const unary_choice& c) : node_(n), choice_(c) {}
    std::string_view name() const noexcept override { return unary_names[static_cast<std::size_t>(choice_.function)]; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, x.shape());
        apply_unary(choice_.function, choice_.a, choice_.b, x.size(), x.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    unary_choice choice_;
};

inline std::optional<binary_function> choose_binary(const node& n) {
    if (n.inputs.size() != 2 || n.inputs[1] == no_value) return std::nullopt;
    if (n.opset < 7 && n.op != "Max" && n.op != "Min" && n.op != "Sum") return std::nullopt;  // operands are aligned by attributes
    if (n.op == "Add" || n.op == "Sum") return binary_function::add;
    if (n.op == "Sub") return binary_function::subtract;
    if (n.op == "Mul") return binary_function::multiply;
    if (n.op == "Div") return binary_function::divide;
    if (n.op == "Max") return binary_function::maximum;
    if (n.op == "Min") return binary_function::minimum;
    if (n.op == "PRelu") return binary_function::prelu;
    if (n.op == "Pow") return binary_function::power;
    return std::nullopt;
}

class bound_binary final : public bound_kernel {
public:
    bound_binary(const node& n, binary_function f) : node_(n), function_(f) {}
    std::string_view name() const noexcept override {
        constexpr std::string_view names[] = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "prelu", "power"};
        static_assert(std::size(names) == static_cast<std::size_t>(binary_function::count_));
        return names[static_cast<std::size_t>(function_)];
    }
    void run(const step_io& io) const override {
        const tensor &a = *io.inputs[0], &b = *io.inputs[1];
        binary_axes axes;
        if (!all_float32(io) || !axes.set(a.shape(), b.shape())) return run_reference(node_, io);
        const dims shape = a.shape() == b.shape() ? a.shape() : broadcast_shape(node_, a.shape(), b.shape());
        if (function_ == binary_function::prelu && shape != a.shape()) return run_reference(node_, io);  // which rejects it
        tensor& y = io.output(0, dtype::float32, shape);
        apply_binary(function_, axes, a.data<float>(), b.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
    binary_function function_;
};

/// Where of floats.
class bound_select final : public bound_kernel {
public:
    explicit bound_select(const node& n) : node_(n) {}
    std::string_view name() const noexcept override { return "select"; }
    void run(const step_io& io) const override {
        const tensor &condition = *io.inputs[0], &a = *io.inputs[1], &b = *io.inputs[2];
        if (condition.type() != dtype::boolean || a.type() != dtype::float32 || b.type() != dtype::float32) return run_reference(node_, io);
        const dims shape = broadcast_shape(node_, condition.shape(), broadcast_shape(node_, a.shape(), b.shape()));
        select_axes axes;
        if (!axes.set(shape, condition.shape(), a.shape(), b.shape())) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::float32, shape);
        select(axes, static_cast<const std::uint8_t*>(condition.raw()), a.data<float>(), b.data<float>(), y.mutable_data<float>());
    }

private:
    const node& node_;
};

/// Equal, Less, Greater and their kin of floats.
class bound_compare final : public bound_kernel {
public:
    bound_compare(const node& n, comparison f) : node_(n), function_(f), turned_(n.op.starts_with("Greater")) {}
    std::string_view name() const noexcept override { return "compare"; }
    void run(const step_io& io) const override {
        const tensor &a = *io.inputs[turned_ ? 1 : 0], &b = *io.inputs[turned_ ? 0 : 1];
        binary_axes axes;
        if (!all_float32(io) || !axes.set(a.shape(), b.shape())) return run_reference(node_, io);
        tensor& y = io.output(0, dtype::boolean, a.shape() == b.shape() ? a.shape() : broadcast_shape(node_, a.shape(), b.shape()));
        compare(function_, axes, a.data<float>(), b.data<float>(), static_cast<std::uint8_t*>(y.mutable_raw()));
    }
    static std::unique_ptr<bound_kernel> of(const node& n) {
        if (!n.domain.empty() || n.opset < 7 || n.inputs.size() != 2) return nullptr;
        if (n.op == "Equal") return std::make_unique<bound_compare>(n, comparison::equal);
        if (n.op == "Less" || n.op == "Greater") return std::make_unique<bound_compare>(n, comparison::less);
        if (n.op == "LessOrEqual" || n.op == "GreaterOrEqual") return std::make_unique<bound_compare>(n, comparison::less_or_equal);
        return nullptr;
    }

private:
    const node& node_;
    comparison function_;
    bool turned_;
};

/// ArgMax and ArgMin along an axis that is not the last.
class bound_arg_extreme final : public bound_kernel {
public:
    explicit bound_arg_extreme(const node& n) : node_(n), largest_(n.op == "ArgMax"), last_(attr_int(n, "select_last_index", 0) != 0) {}
    std::string_view name() const noexcept override { return largest_ ? "arg_max" : "arg_min"; }
    void run(const step_io& io) const override {
        const tensor& x = *io.inputs[0];
        if (x.type() != dtype::float32 || x.size() == 0 || last_) return run_reference(node_, io);
        const std::size_t axis = normalize_axis(node_, attr_int(node_, "axis", 0), x.rank());
        const std::int64_t n = x.extent(axis), inner = product(x.shape(), axis + 1, x.rank());
        if ((inner != 1 && inner < 4) || n > std::numeric_limits<std::int32_t>::max()) return run_reference(node_, io);
        dims shape = x.shape();
        if (attr_int(node_, "keepdims", 1) != 0) shape[axis] = 1;
        else shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
        find_extremes(largest_, product(x.shape(), 0, axis), n, inner, x.data<float>(), io.output(0, dtype::int64, shape).mutable_data<std::int64_t>());
    }

private:
    const node& node_;
    bool largest_, last_;
};

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_select(const graph& g, const node& n) {
    const bool fits = n.op == "Where" && n.domain.empty() && n.inputs.size() == 3 && n.inputs[1] != no_value && n.inputs[2] != no_value;
    if (fits && g.at(n.inputs[1]).what.type == dtype::float32) return std::make_unique<bound_select>(n);
    return nullptr;
}

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_pointwise(const graph& g, const node& n) {
    if (n.op == "ArgMax" || n.op == "ArgMin") return std::make_unique<bound_arg_extreme>(n);
    if (auto kernel = bound_compare::of(n)) return kernel;
    if (const auto unary = choose_unary(g, n)) return std::make_unique<bound_unary>(n, *unary);
    if (const auto binary = choose_binary(n)) return std::make_unique<bound_binary>(n, *binary);
    return nullptr;
}

}  // namespace ocelli::nn::detail
