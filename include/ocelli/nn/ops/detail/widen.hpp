#pragma once

/// @file
/// Evaluation of rare element types in common ones: an operator's body is compiled for float, double and 64-bit integers alone.

#include <ocelli/nn/ops/detail/loops.hpp>

#include <span>

namespace ocelli::nn::detail {

/// A set of element types, a bit for each number.
using type_set = std::uint32_t;

template <class... Ts>
constexpr type_set type_set_of(type_list<Ts...>) noexcept {
    return ((type_set{1} << static_cast<unsigned>(dtype_of<Ts>)) | ... | type_set{0});
}

/// How integers are widened: 8 to 32 bits (and bool) to int64. Where only the result's low bits count (sums, products, logic), uint64 becomes
/// int64 as well.
/// `real`: all of them are computed in double, and results saturate.
enum class integers { stay, exact, modular, real };

/// Evaluates an operator whose body knows few types: inputs of 16-bit floating types become float, integers 64-bit ones, the body runs, and its
/// outputs are rounded (floating) or wrapped (integers) back.
///
/// @param types    element types of input 0 that the operator takes; others are refused
/// @param sources  for each output the input whose element type it has, -1 where the body decides
void eval_widened(eval_context& c, void (*body)(eval_context&), type_set types, integers how, std::span<const int> sources);

/// eval_widened as an op_def's `eval`: floating types. Output 0 has the type of input 0, the next ones those of the inputs listed.
template <void (*body)(eval_context&), int... sources>
void in_float(eval_context& c) {
    static constexpr int list[] = {0, sources..., -1};
    eval_widened(c, body, type_set_of(floating_types{}), integers::stay, list);
}

/// The same for another list of types, with output 0 of the type of input `first`.
template <void (*body)(eval_context&), class Types, int first = 0>
void in_float_for(eval_context& c) {
    static constexpr int list[] = {first};
    eval_widened(c, body, type_set_of(Types{}), integers::stay, list);
}

/// Integers in double: the body sees float and double.
template <void (*body)(eval_context&)>
void in_real(eval_context& c) {
    static constexpr int list[] = {0};
    eval_widened(c, body, type_set_of(numeric_types{}), integers::real, list);
}

/// The same for a list of types; the body sees float, double, int64 and uint64. Output 0 has the type of input `first`; -1: what the body gives it.
template <void (*body)(eval_context&), class Types = numeric_types, int first = 0>
void in_wide(eval_context& c) {
    static constexpr int list[] = {first};
    eval_widened(c, body, type_set_of(Types{}), integers::exact, list);
}

/// The same; the body sees float, double and int64 (which stands for uint64 too).
template <void (*body)(eval_context&), class Types = numeric_types, int first = 0>
void in_modular(eval_context& c) {
    static constexpr int list[] = {first};
    eval_widened(c, body, type_set_of(Types{}), integers::modular, list);
}

}  // namespace ocelli::nn::detail

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/ops/detail/impl/widen.inl>
#endif
