#pragma once

/// @file
/// What every pipeline from a picture through a network checks and looks up.

#include <ocelli/core/error.hpp>
#include <ocelli/image/resize.hpp>
#include <ocelli/nn/session.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ocelli::detail {

/// Height and width of a picture (H, W, 3) that is not empty.
inline image_size picture_size(const std::array<std::size_t, 3>& shape, const char* who) {
    check(shape[0] > 0 && shape[1] > 0 && shape[2] == 3, who, ": image must have shape (H, W, 3), got ", shape_text(shape));
    return {static_cast<std::int64_t>(shape[0]), static_cast<std::int64_t>(shape[1])};
}

/// How many inputs a network must be fed, and the last of them.
struct needed_inputs {
    std::size_t count = 0;
    const nn::value_info* input = nullptr;
};
inline needed_inputs needed_inputs_of(const nn::session& network) {
    needed_inputs out;
    for (const nn::value_info& i : network.inputs()) {
        if (i.optional) continue;
        out.input = &i;
        ++out.count;
    }
    return out;
}

/// The name of a label; "class 7" where none is known.
inline std::string label_name(const std::vector<std::string>& names, std::int64_t label) {
    if (label >= 0 && static_cast<std::size_t>(label) < names.size()) return names[static_cast<std::size_t>(label)];
    return "class " + std::to_string(label);
}

} // namespace ocelli::detail
