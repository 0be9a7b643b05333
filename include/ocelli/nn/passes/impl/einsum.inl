#pragma once

#include <ocelli/nn/ops/detail/einsum.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/einsum.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace ocelli::nn::passes {

namespace detail_einsum {

using labels = std::vector<int>;

inline bool has(const labels& l, int label) {
    return std::find(l.begin(), l.end(), label) != l.end();
}
inline labels joined(const labels& a, const labels& b) {
    labels out = a;
    out.insert(out.end(), b.begin(), b.end());
    return out;
}

/// What labels are to a product.
struct roles {
    labels stack, left, right, sum;
};
inline std::optional<roles> roles_of(const nn::detail::einsum_equation& e) {
    roles out;
    const labels &a = e.inputs[0], &b = e.inputs[1];
    for (const labels* term : {&a, &b})
        for (const int label : *term)
            if (std::count(term->begin(), term->end(), label) != 1) return std::nullopt;  // a diagonal
    for (const int label : e.output) (has(a, label) && has(b, label) ? out.stack : has(a, label) ? out.left : out.right).push_back(label);
    for (const int label : a) {
        if (has(e.output, label)) continue;
        if (!has(b, label)) return std::nullopt;
        out.sum.push_back(label);
    }
    for (const int label : b)
        if (!has(e.output, label) && !has(a, label)) return std::nullopt;
    if (out.sum.empty()) return std::nullopt;
    return out;
}

/// Adds nodes to a patch, one behind the other.
class chain {
public:
    chain(const graph& g, patch& p, const node& from, value_id at) : g_(g), patch_(p), from_(from), at_(at) {}
    value_id at() const noexcept { return at_; }

    void turn(const labels& now, const labels& wanted) {
        if (now == wanted) return;
        std::vector<std::int64_t> perm;
        for (const int label : wanted) perm.push_back(std::find(now.begin(), now.end(), label) - now.begin());
        append({.name = from_.name, .op = "Transpose", .opset = from_.opset, .attributes = {{"perm", std::move(perm)}}, .inputs = {at_}});
    }
    void reshape(const std::vector<std::int64_t>& shape) {
        const tensor to = tensor::from<std::int64_t>({static_cast<std::int64_t>(shape.size())}, shape);
        append({.name = from_.name, .op = "Reshape", .opset = from_.opset, .inputs = {at_, patch_.add_constant(g_, from_.name, to)}});
    }
    void append(node n) {
        at_ = patch_.add_value(g_, from_.name, {});
        n.outputs = {at_};
        n.source = from_.source;
        patch_.nodes.push_back(std::move(n));
    }

private:
    const graph& g_;
    patch& patch_;
    const node& from_;
    value_id at_;
};

}  // namespace detail_einsum

OCELLI_INLINE std::vector<patch> einsum_products(const graph& g) {
    using namespace detail_einsum;
    std::vector<patch> found;
    for (const node& n : g.nodes) {
        if (n.op != "Einsum" || !n.domain.empty() || n.inputs.size() != 2) continue;
        const fact &a = g.at(n.inputs[0]).what, &b = g.at(n.inputs[1]).what;
        if (a.type != dtype::float32 || b.type != dtype::float32 || !a.shape.ranked() || !b.shape.ranked()) continue;
        const nn::detail::einsum_equation e = nn::detail::read_equation(n, {a.shape.rank(), b.shape.rank()});
        const auto r = roles_of(e);
        if (!r) continue;
        // Which operand stands left decides how the product lies: as the result begins.
        const bool swapped = !r->right.empty() && !r->left.empty() &&
                             std::find(e.output.begin(), e.output.end(), r->right[0]) < std::find(e.output.begin(), e.output.end(), r->left[0]);
        const std::size_t first = swapped ? 1 : 0;
        const labels &rows = swapped ? r->right : r->left, &columns = swapped ? r->left : r->right;
        const auto extent = [&](int label) {
            for (std::size_t i = 0; i < 2; ++i) {
                const auto at = std::find(e.inputs[i].begin(), e.inputs[i].end(), label);
                if (at != e.inputs[i].end()) return (i == 0 ? a : b).shape[static_cast<std::size_t>(at - e.inputs[i].begin())];
            }
            return dim();
        };
        bool fits = true;
        // The extent of axes that are joined; -1 for one that is found out, of which a shape may have one.
        const auto join = [&](const labels& l, int& unknown) {
            std::int64_t all = 1;
            for (const int label : l) {
                const dim d = extent(label);
                fits = fits && (!d.known() || d.size > 0);
                if (!d.known()) all = -1;
                else if (all > 0) all *= d.size;
            }
            if (all < 0) ++unknown;
            return all;
        };
        for (const int label : r->sum) {
            const auto of = [&](std::size_t i, const fact& f) {
                return f.shape[static_cast<std::size_t>(std::find(e.inputs[i].begin(), e.inputs[i].end(), label) - e.inputs[i].begin())];
            };
            const bool known = of(0, a).known() && of(1, b).known();
            fits = fits && (known ? of(0, a).size == of(1, b).size : label > 0);  // axes of an ellipsis may be stretched: another sum
        }
        if (!fits) continue;
        patch p{.reason = ocelli::detail::concat("Einsum '", n.name, "' (", attr_string(n, "equation"), ") is a product")};
        const std::vector<std::int64_t> kept(r->stack.size(), 0);  // as they are
        const auto operand = [&](std::size_t input, const labels& order, const labels& one, const labels& two) {
            chain c(g, p, n, n.inputs[input]);
            c.turn(e.inputs[input], order);
            if (one.size() != 1 || two.size() != 1) {
                int unknown = 0;
                std::vector<std::int64_t> shape = kept;
                shape.push_back(join(one, unknown));
                shape.push_back(join(two, unknown));
                fits = fits && unknown <= 1;
                c.reshape(shape);
            }
            return c.at();
        };
        const value_id left = operand(first, joined(joined(r->stack, rows), r->sum), rows, r->sum);
        const value_id right = operand(1 - first, joined(joined(r->stack, r->sum), columns), r->sum, columns);
        chain c(g, p, n, left);
        c.append({.name = n.name, .op = "MatMul", .opset = n.opset, .inputs = {left, right}});
        if (rows.size() != 1 || columns.size() != 1) {
            int unknown = 0;
            std::vector<std::int64_t> shape = kept;
            for (const labels* l : {&rows, &columns})
                for (const int label : *l) shape.push_back(join({label}, unknown));
            fits = fits && unknown <= 1;
            c.reshape(shape);
        }
        c.turn(joined(joined(r->stack, rows), columns), e.output);
        if (!fits) continue;
        p.values.back().name = g.at(n.outputs[0]).name;
        p.replace.push_back({n.outputs[0], c.at()});
        found.push_back(std::move(p));
    }
    return found;
}

}  // namespace ocelli::nn::passes
