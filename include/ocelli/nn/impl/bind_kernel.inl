#pragma once

#include <ocelli/nn/plan.hpp>

namespace ocelli::nn {

OCELLI_INLINE std::unique_ptr<bound_kernel> bind_kernel(const graph&, const node&, weight_cache&) {
    return nullptr;
}

}  // namespace ocelli::nn
