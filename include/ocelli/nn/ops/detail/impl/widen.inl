#pragma once

#include <ocelli/nn/ops/detail/widen.hpp>

namespace ocelli::nn::detail {

constexpr dtype widened_type(dtype type, integers how) noexcept {
    switch (type) {
    case dtype::float16:
    case dtype::bfloat16: return dtype::float32;
    case dtype::int64: return how == integers::real ? dtype::float64 : type;
    case dtype::uint64: return how == integers::real ? dtype::float64 : how == integers::modular ? dtype::int64 : type;
    case dtype::int8:
    case dtype::int16:
    case dtype::int32:
    case dtype::uint8:
    case dtype::uint16:
    case dtype::uint32:
    case dtype::boolean: return how == integers::stay ? type : how == integers::real ? dtype::float64 : dtype::int64;
    default: return type;
    }
}

OCELLI_INLINE void eval_widened(eval_context& c, void (*body)(eval_context&), type_set types, integers how, std::span<const int> sources) {
    const dtype type = c.input(0).type();
    check<unsupported_operator>(c.self, static_cast<unsigned>(type) < 32 && (types >> static_cast<unsigned>(type) & 1u) != 0, "element type ", name(type), " is not supported");
    bool wide = true;
    for (std::size_t i = 0; i < c.input_count(); ++i)
        if (c.has_input(i)) wide = wide && widened_type(c.input(i).type(), how) == c.input(i).type();
    if (wide) return body(c);
    std::vector<tensor> in(c.input_count()), out(c.output_count());
    for (std::size_t i = 0; i < in.size(); ++i)
        if (c.has_input(i)) in[i] = converted(c.input(i), widened_type(c.input(i).type(), how));
    eval_context inner(c.self, in, out);
    body(inner);
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (!out[i].defined()) continue;
        const int source = i < sources.size() ? sources[i] : -1;
        const dtype target = source < 0 ? out[i].type() : c.input(static_cast<std::size_t>(source)).type();
        if (target == out[i].type() || widened_type(target, how) != out[i].type()) c.set_output(i, std::move(out[i]));
        else convert_into(out[i], c.output(i, target, out[i].shape()));
    }
}

}  // namespace ocelli::nn::detail
