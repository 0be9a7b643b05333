#pragma once

#include <ocelli/nn/passes/pass.hpp>

namespace ocelli::nn {

OCELLI_INLINE std::vector<applied_patch> run_passes(graph& g, std::span<const pass> passes) {
    std::vector<applied_patch> done;
    // A pass that undoes another would go on for ever; no honest list needs this many rounds.
    const std::size_t most = 64 * passes.size();
    std::size_t in_vain = 0;  // passes, since one found anything
    for (std::size_t i = 0; i < most && in_vain < passes.size(); ++i) {
        const pass& p = passes[i % passes.size()];
        std::vector<patch> found = p.find(g);
        ++in_vain;
        if (found.empty()) continue;
        for (const patch& f : found) done.push_back({std::string(p.name), f.reason});
        apply(g, std::move(found));
        in_vain = 0;
    }
    return done;
}

namespace detail {

OCELLI_INLINE bool used_once(const graph& g, const std::vector<std::int32_t>& uses, value_id v) {
    if (v == no_value || uses[static_cast<std::size_t>(v)] != 1) return false;
    for (const value_id out : g.outputs)
        if (out == v) return false;
    return true;
}

}  // namespace detail

}  // namespace ocelli::nn
