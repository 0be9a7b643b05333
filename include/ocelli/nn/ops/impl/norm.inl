#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/norm.hpp>

#include <cmath>

namespace ocelli::nn {

namespace detail {

struct moments {
    double mean = 0, variance = 0;
};

template <class T>
moments moments_of(const T* x, std::int64_t n) noexcept {
    moments m;
    for (std::int64_t i = 0; i < n; ++i) m.mean += static_cast<double>(x[i]);
    m.mean /= static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - m.mean;
        m.variance += d * d;
    }
    m.variance /= static_cast<double>(n);
    return m;
}

inline void check_per_channel(const eval_context& c, std::size_t input, std::int64_t channels) {
    check(c.self, c.input(input).size() == channels && is_floating(c.input(input).type()), "input ", input, " must have one floating element for each of ",
          channels, " channels, got ", text(c.input(input)));
}

// --- BatchNormalization -----------------------------------------------------------------------------------------------------

inline void infer_batch_norm(infer_context& c) {
    c.output(0, c.type(0), c.shape(0));
    c.output(1, c.type(3), c.shape(3));
    c.output(2, c.type(4), c.shape(4));
    c.output(3, c.type(3), c.shape(3));
    c.output(4, c.type(4), c.shape(4));
}

inline void eval_batch_norm(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 1, "input must have an axis at least");
    // Which mode it is was told by is_test, then by the number of outputs, then by training_mode.
    const std::int64_t version = c.self.opset;
    const bool training = version < 7    ? attr_int(c.self, "is_test", 0) == 0
                          : version < 14 ? c.self.outputs.size() > 1
                                         : attr_int(c.self, "training_mode", 0) != 0;
    check(c.self, training || c.self.outputs.size() <= 1, "only training gives statistics");
    // spatial = 0: each element of a channel has statistics of its own.
    const bool spatial = attr_int(c.self, "spatial", 1) != 0;
    const std::int64_t channels = !spatial ? product(x.shape(), 1, x.rank()) : x.rank() > 1 ? x.extent(1) : 1;
    for (std::size_t i = 1; i < 5; ++i) check_per_channel(c, i, channels);
    const auto scale = doubles(c.input(1)), bias = doubles(c.input(2));
    auto mean = doubles(c.input(3)), variance = doubles(c.input(4));
    const double epsilon = static_cast<double>(attr_float(c.self, "epsilon", 1e-5f));
    const std::int64_t batch = x.extent(0), size = spatial ? product(x.shape(), std::min<std::size_t>(2, x.rank()), x.rank()) : 1;
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        if (training) {
            const double momentum = static_cast<double>(attr_float(c.self, "momentum", 0.9f));
            check(c.self, batch * size > 0, "training statistics of an empty batch do not exist");
            std::vector<double> running_mean = mean, running_variance = variance;
            for (std::int64_t k = 0; k < channels; ++k) {
                const auto at = static_cast<std::size_t>(k);
                double sum = 0, squares = 0;
                const auto each = [&](auto&& f) {
                    for (std::int64_t n = 0; n < batch; ++n)
                        for (std::int64_t i = 0; i < size; ++i) f(static_cast<double>(from[(n * channels + k) * size + i]));
                };
                each([&](double v) { sum += v; });
                mean[at] = sum / static_cast<double>(batch * size);
                each([&](double v) { squares += (v - mean[at]) * (v - mean[at]); });
                variance[at] = squares / static_cast<double>(batch * size);
                running_mean[at] = running_mean[at] * momentum + mean[at] * (1 - momentum);
                running_variance[at] = running_variance[at] * momentum + variance[at] * (1 - momentum);
            }
            const auto give = [&](std::size_t i, const std::vector<double>& values, const tensor& like) {
                if (c.wants(i)) c.set_output(i, tensor::from<double>(like.shape(), std::span<const double>(values)).cast(like.type()));
            };
            give(1, running_mean, c.input(3));
            give(2, running_variance, c.input(4));
            give(3, mean, c.input(3));
            give(4, variance, c.input(4));
        }
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        for_each_index(batch * channels, size, [&](std::int64_t plane) {
            const auto k = static_cast<std::size_t>(plane % channels);
            const double a = scale[k] / std::sqrt(variance[k] + epsilon), b = bias[k] - mean[k] * a;
            for (std::int64_t i = plane * size; i < (plane + 1) * size; ++i) to[i] = static_cast<T>(static_cast<double>(from[i]) * a + b);
        });
    });
}

// --- InstanceNormalization, GroupNormalization ------------------------------------------------------------------------------

inline void eval_instance_norm(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 3, "input must have shape (N, C, ...), got ", text(x));
    const std::int64_t channels = x.extent(1), size = product(x.shape(), 2, x.rank());
    check_per_channel(c, 1, channels);
    check_per_channel(c, 2, channels);
    const auto scale = doubles(c.input(1)), bias = doubles(c.input(2));
    const double epsilon = static_cast<double>(attr_float(c.self, "epsilon", 1e-5f));
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        for_each_index(x.extent(0) * channels, 3 * size, [&](std::int64_t plane) {
            const auto k = static_cast<std::size_t>(plane % channels);
            const moments m = moments_of(from + plane * size, size);
            const double a = scale[k] / std::sqrt(m.variance + epsilon), b = bias[k] - m.mean * a;
            for (std::int64_t i = plane * size; i < (plane + 1) * size; ++i) to[i] = static_cast<T>(static_cast<double>(from[i]) * a + b);
        });
    });
}

inline void eval_group_norm(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 3, "input must have shape (N, C, ...), got ", text(x));
    const std::int64_t channels = x.extent(1), size = product(x.shape(), 2, x.rank()), groups = attr_int(c.self, "num_groups");
    check(c.self, groups >= 1 && channels % groups == 0, "num_groups ", groups, " does not divide ", channels, " channels");
    const std::int64_t per_group = channels / groups;
    // Operator set 18 scales whole groups, 21 channels.
    const bool by_group = c.self.opset < 21;
    check_per_channel(c, 1, by_group ? groups : channels);
    check_per_channel(c, 2, by_group ? groups : channels);
    const auto scale = doubles(c.input(1)), bias = doubles(c.input(2));
    const double epsilon = static_cast<double>(attr_float(c.self, "epsilon", 1e-5f));
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        for_each_index(x.extent(0) * groups, 3 * per_group * size, [&](std::int64_t at) {
            const moments m = moments_of(from + at * per_group * size, per_group * size);
            const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
            for (std::int64_t k = 0; k < per_group; ++k) {
                const std::int64_t group = at % groups;
                const auto which = static_cast<std::size_t>(by_group ? group : group * per_group + k);
                const double a = scale[which] * inverse, b = bias[which] - m.mean * a;
                const std::int64_t begin = (at * per_group + k) * size;
                for (std::int64_t i = begin; i < begin + size; ++i) to[i] = static_cast<T>(static_cast<double>(from[i]) * a + b);
            }
        });
    });
}

// --- LayerNormalization -----------------------------------------------------------------------------------------------------

inline dtype stash_type(const node& n) {
    const std::int64_t type = attr_int(n, "stash_type", 1);
    check<unsupported_operator>(n, type == 1 || type == 10 || type == 11 || type == 16, "stash_type ", type, " is not a floating type");
    return static_cast<dtype>(type);
}

inline void infer_layer_norm(infer_context& c) {
    symbolic_shape shape = c.shape(0);
    c.output(0, c.type(0), shape);
    if (shape.ranked())
        for (std::size_t i = normalize_axis(c.self, attr_int(c.self, "axis", -1), shape.rank()); i < shape.rank(); ++i) shape[i] = dim(1);
    c.output(1, stash_type(c.self), shape);
    c.output(2, stash_type(c.self), shape);
}

// A parameter of the normalised axes as one element per position, whatever it was broadcast from.
inline std::vector<double> spread(const node& n, const tensor& parameter, const dims& shape) {
    const auto fits = broadcast(parameter.shape(), shape);
    check(n, fits && *fits == shape, "scale or bias ", text(parameter), " does not broadcast to the normalised shape ", ocelli::detail::shape_text(shape));
    const std::vector<double> elements = doubles(parameter);
    std::vector<double> out(static_cast<std::size_t>(element_count(shape)));
    broadcast_loop<2>(shape, {&parameter.shape(), &shape}).each_row([&](const auto& at, std::int64_t count, const auto& step) {
        for (std::int64_t i = 0; i < count; ++i)
            out[static_cast<std::size_t>(at[1] + i * step[1])] = elements[static_cast<std::size_t>(at[0] + i * step[0])];
    });
    return out;
}

inline void eval_layer_norm(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), x.rank());
    const dims normalised(x.shape().begin() + static_cast<std::ptrdiff_t>(axis), x.shape().end());
    const std::int64_t rows = product(x.shape(), 0, axis), size = element_count(normalised);
    const auto scale = spread(c.self, c.input(1), normalised);
    const auto bias = c.has_input(2) ? spread(c.self, c.input(2), normalised) : std::vector<double>(scale.size(), 0.0);
    const double epsilon = static_cast<double>(attr_float(c.self, "epsilon", 1e-5f));
    std::vector<double> means(static_cast<std::size_t>(rows)), inverses(means.size());
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        for_each_index(rows, 3 * size, [&](std::int64_t row) {
            const moments m = moments_of(from + row * size, size);
            const double inverse = 1.0 / std::sqrt(m.variance + epsilon);
            means[static_cast<std::size_t>(row)] = m.mean;
            inverses[static_cast<std::size_t>(row)] = inverse;
            for (std::int64_t i = 0; i < size; ++i)
                to[row * size + i] = static_cast<T>((static_cast<double>(from[row * size + i]) - m.mean) * inverse * scale[static_cast<std::size_t>(i)] +
                                                    bias[static_cast<std::size_t>(i)]);
        });
    });
    dims reduced = x.shape();
    std::fill(reduced.begin() + static_cast<std::ptrdiff_t>(axis), reduced.end(), 1);
    if (c.wants(1)) c.set_output(1, tensor::from<double>(reduced, std::span<const double>(means)).cast(stash_type(c.self)));
    if (c.wants(2)) c.set_output(2, tensor::from<double>(reduced, std::span<const double>(inverses)).cast(stash_type(c.self)));
}

// --- MeanVarianceNormalization ----------------------------------------------------------------------------------------------

inline void eval_mean_variance_norm(eval_context& c) {
    const tensor& x = c.input(0);
    const dims axes = attr_ints(c.self, "axes", {0, 2, 3});
    std::vector<bool> reduced(x.rank(), false);
    for (const std::int64_t axis : axes) reduced[normalize_axis(c.self, axis, x.rank())] = true;
    // Two broadcast loops: over the statistics' shape, where reduced axes stay in place.
    dims kept = x.shape();
    std::int64_t count = 1;
    for (std::size_t i = 0; i < x.rank(); ++i)
        if (reduced[i]) {
            count *= kept[i];
            kept[i] = 1;
        }
    std::vector<double> mean(static_cast<std::size_t>(element_count(kept)), 0.0), variance(mean.size(), 0.0);
    const auto loop = broadcast_loop<2>(x.shape(), {&x.shape(), &kept});
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        const auto each = [&](auto&& f) {
            loop.each_row([&](const auto& at, std::int64_t n, const auto& step) {
                for (std::int64_t i = 0; i < n; ++i) f(at[0] + i * step[0], static_cast<std::size_t>(at[1] + i * step[1]));
            });
        };
        each([&](std::int64_t i, std::size_t k) { mean[k] += static_cast<double>(from[i]); });
        for (double& m : mean) m /= static_cast<double>(count);
        each([&](std::int64_t i, std::size_t k) {
            const double d = static_cast<double>(from[i]) - mean[k];
            variance[k] += d * d;
        });
        // 1e-9 beside the deviation, as ONNX's definition of the operator has it.
        for (double& v : variance) v = 1.0 / (std::sqrt(v / static_cast<double>(count)) + 1e-9);
        each([&](std::int64_t i, std::size_t k) { to[i] = static_cast<T>((static_cast<double>(from[i]) - mean[k]) * variance[k]); });
    });
}

// --- LpNormalization, LRN ---------------------------------------------------------------------------------------------------

inline void eval_lp_norm(eval_context& c) {
    const tensor& x = c.input(0);
    const std::size_t axis = normalize_axis(c.self, attr_int(c.self, "axis", -1), x.rank());
    const std::int64_t p = attr_int(c.self, "p", 2);
    check(c.self, p == 1 || p == 2, "p must be 1 or 2, got ", p);
    const std::int64_t outer = product(x.shape(), 0, axis), extent = x.extent(axis), inner = product(x.shape(), axis + 1, x.rank());
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        const T* from = x.data<T>();
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        for_each_index(outer, 2 * extent * inner, [&](std::int64_t o) {
            std::vector<double> norm(static_cast<std::size_t>(inner), 0.0);
            const T* in = from + o * extent * inner;
            T* out = to + o * extent * inner;
            for (std::int64_t k = 0; k < extent; ++k)
                for (std::int64_t i = 0; i < inner; ++i) {
                    const double v = static_cast<double>(in[k * inner + i]);
                    norm[static_cast<std::size_t>(i)] += p == 1 ? std::abs(v) : v * v;
                }
            for (double& n : norm) n = p == 1 ? n : std::sqrt(n);
            for (std::int64_t k = 0; k < extent; ++k)
                for (std::int64_t i = 0; i < inner; ++i) {
                    const double n = norm[static_cast<std::size_t>(i)];
                    out[k * inner + i] = static_cast<T>(n == 0 ? 0.0 : static_cast<double>(in[k * inner + i]) / n);
                }
        });
    });
}

inline void eval_lrn(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 2, "input must have shape (N, C, ...), got ", text(x));
    const std::int64_t size = attr_int(c.self, "size");
    check(c.self, size >= 1 && size < (std::int64_t{1} << 30), "size must be at least 1, got ", size);
    const double alpha = static_cast<double>(attr_float(c.self, "alpha", 1e-4f)), beta = static_cast<double>(attr_float(c.self, "beta", 0.75f)),
                 bias = static_cast<double>(attr_float(c.self, "bias", 1.0f));
    const std::int64_t channels = x.extent(1), plane = product(x.shape(), 2, x.rank());
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        T* to = c.output(0, x.type(), x.shape()).template mutable_data<T>();
        for_each_index(x.extent(0) * channels, plane * std::min(size, channels), [&](std::int64_t at) {
            const std::int64_t n = at / channels, k = at % channels;
            const std::int64_t first = std::max<std::int64_t>(0, k - (size - 1) / 2), last = std::min(channels - 1, k + size / 2);
            const T* image = x.data<T>() + n * channels * plane;
            std::vector<double> sum(static_cast<std::size_t>(plane), 0.0);
            for (std::int64_t j = first; j <= last; ++j)
                for (std::int64_t i = 0; i < plane; ++i) {
                    const double v = static_cast<double>(image[j * plane + i]);
                    sum[static_cast<std::size_t>(i)] += v * v;
                }
            for (std::int64_t i = 0; i < plane; ++i)
                to[at * plane + i] = static_cast<T>(static_cast<double>(image[k * plane + i]) /
                                                    std::pow(bias + alpha / static_cast<double>(size) * sum[static_cast<std::size_t>(i)], beta));
        });
    });
}

// --- Dropout ----------------------------------------------------------------------------------------------------------------

inline void infer_dropout(infer_context& c) {
    c.output(0, c.type(0), c.shape(0));
    c.output(1, c.self.opset >= 10 ? dtype::boolean : c.type(0), c.shape(0));
}

/// The Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded with one number; NumPy's RandomState gives the same numbers.
class twister {
public:
    explicit twister(std::uint32_t seed) noexcept {
        state_[0] = seed;
        for (std::uint32_t i = 1; i < 624; ++i) state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
    }
    /// In [0, 1), with 53 bits.
    double next() noexcept {
        const std::uint32_t high = word() >> 5, low = word() >> 6;
        return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
    }

private:
    std::uint32_t word() noexcept {
        if (at_ == 624) {
            for (std::size_t i = 0; i < 624; ++i) {
                const std::uint32_t mixed = (state_[i] & 0x80000000u) | (state_[(i + 1) % 624] & 0x7fffffffu);
                state_[i] = state_[(i + 397) % 624] ^ (mixed >> 1) ^ ((mixed & 1u) != 0 ? 0x9908b0dfu : 0u);
            }
            at_ = 0;
        }
        std::uint32_t y = state_[at_++];
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        return y ^ (y >> 18);
    }

    std::array<std::uint32_t, 624> state_;
    std::size_t at_ = 624;
};

inline void eval_dropout(eval_context& c) {
    const tensor& x = c.input(0);
    const bool training = c.self.opset >= 12 ? c.has_input(2) && c.input(2).item() != 0 : c.self.opset < 7 && attr_int(c.self, "is_test", 0) == 0;
    const double ratio = c.self.opset >= 12 ? (c.has_input(1) ? c.input(1).item() : 0.5) : static_cast<double>(attr_float(c.self, "ratio", 0.5f));
    const auto give_mask = [&](tensor mask) {
        if (c.wants(1)) c.set_output(1, c.self.opset >= 10 ? std::move(mask) : mask.cast(x.type()));
    };
    tensor mask(dtype::boolean, x.shape());
    std::fill_n(mask.mutable_data<bool>(), mask.size(), true);
    if (!training || ratio == 0) {
        c.set_output(0, x);
        return give_mask(std::move(mask));
    }
    check(c.self, ratio > 0 && ratio < 1, "ratio must lie in [0, 1), got ", ratio);
    // Without a seed it is 0: a network gives the same results in every run.
    twister random(static_cast<std::uint32_t>(attr_int(c.self, "seed", 0)));
    for (std::int64_t i = 0; i < mask.size(); ++i) mask.mutable_data<bool>()[i] = random.next() >= ratio;
    check<unsupported_operator>(c.self, is_floating(x.type()), "element type ", name(x.type()), " is not supported");
    const tensor wide = converted(x, dtype::float64);
    tensor scaled(dtype::float64, x.shape());
    for (std::int64_t i = 0; i < mask.size(); ++i)
        scaled.mutable_data<double>()[i] = mask.data<bool>()[i] ? wide.data<double>()[i] / (1 - ratio) : 0.0;
    convert_into(scaled, c.output(0, x.type(), x.shape()));
    give_mask(std::move(mask));
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> norm_ops() {
    static constexpr op_def table[] = {
        {.name = "BatchNormalization", .until = 6, .min_inputs = 5, .max_inputs = 5, .max_outputs = 5,
         .attributes = "consumed_inputs:ints epsilon:float is_test:int momentum:float spatial:int", .infer = detail::infer_batch_norm,
         .eval = detail::in_float<detail::eval_batch_norm, 3, 4, 3, 4>, .results = exactness::rounding},
        {.name = "BatchNormalization", .since = 7, .until = 13, .min_inputs = 5, .max_inputs = 5, .max_outputs = 5,
         .attributes = "epsilon:float momentum:float spatial:int", .infer = detail::infer_batch_norm, .eval = detail::in_float<detail::eval_batch_norm, 3, 4, 3, 4>,
         .results = exactness::rounding},
        {.name = "BatchNormalization", .since = 14, .min_inputs = 5, .max_inputs = 5, .max_outputs = 3,
         .attributes = "epsilon:float momentum:float training_mode:int", .infer = detail::infer_batch_norm, .eval = detail::in_float<detail::eval_batch_norm, 3, 4, 3, 4>,
         .results = exactness::rounding},
        {.name = "InstanceNormalization", .min_inputs = 3, .max_inputs = 3, .attributes = "consumed_inputs:ints epsilon:float", .infer = infer_same,
         .eval = detail::in_float<detail::eval_instance_norm>, .results = exactness::rounding},
        {.name = "GroupNormalization", .since = 18, .min_inputs = 3, .max_inputs = 3, .attributes = "epsilon:float num_groups:int stash_type:int",
         .infer = infer_same, .eval = detail::in_float<detail::eval_group_norm>, .results = exactness::rounding},
        {.name = "LayerNormalization", .since = 17, .min_inputs = 2, .max_inputs = 3, .max_outputs = 3,
         .attributes = "axis:int epsilon:float stash_type:int", .infer = detail::infer_layer_norm, .eval = detail::in_float<detail::eval_layer_norm>,
         .results = exactness::rounding},
        {.name = "MeanVarianceNormalization", .since = 9, .attributes = "axes:ints", .infer = infer_same, .eval = detail::in_float<detail::eval_mean_variance_norm>,
         .results = exactness::rounding},
        {.name = "LpNormalization", .attributes = "axis:int p:int", .infer = infer_same, .eval = detail::in_float<detail::eval_lp_norm>, .results = exactness::rounding},
        {.name = "LRN", .attributes = "alpha:float beta:float bias:float size:int", .infer = infer_same, .eval = detail::in_float<detail::eval_lrn>,
         .results = exactness::rounding},
        {.name = "Dropout", .until = 6, .max_outputs = 2, .attributes = "consumed_inputs:ints is_test:int ratio:float", .infer = detail::infer_dropout,
         .eval = detail::eval_dropout},
        {.name = "Dropout", .since = 7, .until = 11, .max_outputs = 2, .attributes = "ratio:float", .infer = detail::infer_dropout,
         .eval = detail::eval_dropout},
        {.name = "Dropout", .since = 12, .max_inputs = 3, .max_outputs = 2, .attributes = "seed:int", .infer = detail::infer_dropout,
         .eval = detail::eval_dropout},
    };
    return table;
}

}  // namespace ocelli::nn
