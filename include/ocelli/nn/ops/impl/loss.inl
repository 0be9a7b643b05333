#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/loss.hpp>

#include <cmath>
#include <limits>

namespace ocelli::nn {

namespace detail {

enum class loss_reduction { none, mean, sum };

inline loss_reduction loss_reduction_of(const node& n) {
    const std::string how = attr_string(n, "reduction", "mean");
    check<unsupported_operator>(n, how == "none" || how == "mean" || how == "sum", "reduction '", how, "' is not supported");
    return how == "none" ? loss_reduction::none : how == "mean" ? loss_reduction::mean : loss_reduction::sum;
}

inline void infer_loss(infer_context& c) {
    const bool each = loss_reduction_of(c.self) == loss_reduction::none;
    c.output(0, c.type(0), each ? c.shape(1) : symbolic_shape(dims{}));
    c.output(1, c.type(0), c.shape(0));  // SoftmaxCrossEntropyLoss alone has it
}

/// Scores (N, C, ...) seen as (outer, classes, inner).
struct class_planes {
    std::int64_t outer, classes, inner;
};

inline class_planes class_planes_of(const eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 2, "scores must have shape (N, C, ...), got ", text(x));
    dims expected = x.shape();
    expected.erase(expected.begin() + 1);
    check(c.self, c.input(1).shape() == expected, "labels must have shape ", ocelli::detail::shape_text(expected), ", got ", text(c.input(1)));
    check(c.self, !is_floating(c.input(1).type()), "labels must be integers, got ", text(c.input(1)));
    check(c.self, !c.has_input(2) || c.input(2).shape() == dims{x.extent(1)}, "weights must have shape (", x.extent(1), "), got ",
          c.has_input(2) ? text(c.input(2)) : "");
    return {x.extent(0), x.extent(1), product(x.shape(), 2, x.rank())};
}

/// Writes the loss from logarithms of probabilities.
inline void reduce_loss(eval_context& c, const class_planes& p, const std::vector<double>& log_probabilities) {
    const loss_reduction how = loss_reduction_of(c.self);
    const auto labels = c.input(1).to_ints();
    const auto weights = c.has_input(2) ? doubles(c.input(2)) : std::vector<double>(static_cast<std::size_t>(p.classes), 1.0);
    const bool ignores = has_attribute(c.self, "ignore_index");
    const std::int64_t ignored = attr_int(c.self, "ignore_index", 0);
    std::vector<double> each(labels.size(), 0.0);
    double sum = 0, weight_sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::int64_t label = labels[i];
        if (ignores && label == ignored) continue;
        check(c.self, label >= 0 && label < p.classes, "label ", label, " is outside ", p.classes, " classes");
        const std::int64_t n = static_cast<std::int64_t>(i) / p.inner, at = static_cast<std::int64_t>(i) % p.inner;
        const double weight = weights[static_cast<std::size_t>(label)];
        each[i] = -weight * log_probabilities[static_cast<std::size_t>((n * p.classes + label) * p.inner + at)];
        sum += each[i];
        weight_sum += weight;
    }
    const tensor& x = c.input(0);
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        if (how == loss_reduction::none) {
            T* y = c.output(0, x.type(), c.input(1).shape()).template mutable_data<T>();
            for (std::size_t i = 0; i < each.size(); ++i) y[i] = static_cast<T>(each[i]);
        } else {
            const double mean = weight_sum != 0 ? sum / weight_sum : std::numeric_limits<double>::quiet_NaN();
            *c.output(0, x.type(), {}).template mutable_data<T>() = static_cast<T>(how == loss_reduction::sum ? sum : mean);
        }
    });
}

inline void eval_negative_log_likelihood(eval_context& c) {
    reduce_loss(c, class_planes_of(c), doubles(c.input(0)));
}

inline void eval_softmax_cross_entropy(eval_context& c) {
    const class_planes p = class_planes_of(c);
    std::vector<double> x = doubles(c.input(0));
    for (std::int64_t n = 0; n < p.outer; ++n)
        for (std::int64_t i = 0; i < p.inner; ++i) {
            double* column = x.data() + n * p.classes * p.inner + i;
            double largest = -std::numeric_limits<double>::infinity();
            for (std::int64_t k = 0; k < p.classes; ++k) largest = std::max(largest, column[k * p.inner]);
            double sum = 0;
            for (std::int64_t k = 0; k < p.classes; ++k) sum += std::exp(column[k * p.inner] - largest);
            const double shift = largest + std::log(sum);
            for (std::int64_t k = 0; k < p.classes; ++k) column[k * p.inner] -= shift;
        }
    if (c.wants(1))
        dispatch(c.self, real_types{}, c.input(0).type(), [&]<class T>(type_tag<T>) {
            T* y = c.output(1, c.input(0).type(), c.input(0).shape()).template mutable_data<T>();
            for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<T>(x[i]);
        });
    reduce_loss(c, p, x);
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> loss_ops() {
    static constexpr op_def table[] = {
        {.name = "NegativeLogLikelihoodLoss", .since = 12, .min_inputs = 2, .max_inputs = 3, .attributes = "ignore_index:int reduction:string",
         .infer = detail::infer_loss, .eval = detail::in_float<detail::eval_negative_log_likelihood>, .results = exactness::rounding},
        {.name = "SoftmaxCrossEntropyLoss", .since = 12, .min_inputs = 2, .max_inputs = 3, .max_outputs = 2, .attributes = "ignore_index:int reduction:string",
         .infer = detail::infer_loss, .eval = detail::in_float<detail::eval_softmax_cross_entropy, 0>, .results = exactness::rounding},
    };
    return table;
}

}  // namespace ocelli::nn
