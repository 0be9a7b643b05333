#pragma once

/// @file
/// What passes ask of the nodes around a value.

#include <ocelli/nn/passes/pass.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ocelli::nn::passes {

/// The node that makes v, if it is one of ONNX's own of this name.
inline const node* made_by(const graph& g, value_id v, std::string_view op) {
    if (v == no_value || g.at(v).producer == no_node) return nullptr;
    const node& n = g.node_at(g.at(v).producer);
    return n.domain.empty() && n.op == op && !n.inputs.empty() && n.outputs.size() == 1 ? &n : nullptr;
}

/// Walks over nodes of ONNX's own domain from a value to its producer and its only user.
class walker {
public:
    explicit walker(const graph& g) : g_(g), uses_(g.use_counts()), user_(g.values.size(), no_node) {
        for (std::size_t i = 0; i < g.nodes.size(); ++i)
            for (const value_id v : g.nodes[i].inputs)
                if (v != no_value) user_[static_cast<std::size_t>(v)] = static_cast<node_id>(i);
    }
    const node* producer(value_id v, std::string_view op) const { return made_by(g_, v, op); }
    /// The node that alone uses the value.
    const node* user(value_id v, std::string_view op) const {
        return detail::used_once(g_, uses_, v) ? last_user(v, op) : nullptr;
    }
    /// The last node that uses the value.
    const node* last_user(value_id v, std::string_view op) const {
        if (user_[static_cast<std::size_t>(v)] == no_node) return nullptr;
        const node& n = g_.node_at(user_[static_cast<std::size_t>(v)]);
        return n.domain.empty() && n.op == op && n.outputs.size() == 1 ? &n : nullptr;
    }
    const std::vector<std::int32_t>& uses() const noexcept { return uses_; }
    bool used(value_id v, std::int32_t times) const { return uses_[static_cast<std::size_t>(v)] == times; }
    /// The number that an input holds.
    std::optional<double> number(const node& n, std::size_t i) const {
        const tensor* t = detail::constant_input(g_, n, i);
        if (t == nullptr || t->size() != 1 || t->rank() > 1 || t->type() != dtype::float32) return std::nullopt;
        return t->item();
    }
    /// Where a node has such a number as one of two inputs: the other input.
    value_id beside(const node& n, double wanted) const {
        if (n.inputs.size() != 2) return no_value;
        for (std::size_t i = 0; i < 2; ++i) {
            const auto x = number(n, i);
            if (x && std::abs(*x - wanted) <= 1e-6 * std::abs(wanted)) return n.inputs[1 - i];
        }
        return no_value;
    }
    /// The other one of two inputs.
    static value_id other(const node& n, value_id v) {
        if (n.inputs.size() != 2) return no_value;
        return n.inputs[0] == v ? n.inputs[1] : n.inputs[1] == v ? n.inputs[0] : no_value;
    }
    bool is_float(value_id v) const { return g_.at(v).what.type == dtype::float32; }

private:
    const graph& g_;
    std::vector<std::int32_t> uses_;
    std::vector<node_id> user_;
};

}  // namespace ocelli::nn::passes
