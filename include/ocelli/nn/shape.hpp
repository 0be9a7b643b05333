#pragma once

/// @file
/// Extents of tensors: known ones (`dims`), and ones that may hold unknown or named dimensions (`symbolic_shape`); broadcasting.

#include <ocelli/core/error.hpp>
#include <ocelli/nn/fwd.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ocelli::nn {

/// The extents of a tensor, outermost first; empty for a scalar.
using dims = std::vector<std::int64_t>;

/// Product of the extents.
/// @throws invalid_argument  when an extent is negative or the product exceeds 2^62
inline std::int64_t element_count(const dims& shape) {
    std::int64_t n = 1;
    bool empty = false;
    for (const std::int64_t d : shape) {
        ocelli::detail::check(d >= 0, "a shape has a negative extent: ", ocelli::detail::shape_text(shape));
        if (d == 0) {
            empty = true;
            continue;
        }
        ocelli::detail::check(n <= (std::int64_t{1} << 62) / d, "a shape is too large: ", ocelli::detail::shape_text(shape));
        n *= d;
    }
    return empty ? 0 : n;
}

/// Elements between neighbours along each axis of a dense row-major tensor.
inline dims dense_strides(const dims& shape) {
    dims strides(shape.size());
    std::int64_t step = 1;
    for (std::size_t i = shape.size(); i-- > 0;) {
        strides[i] = step;
        step *= shape[i];
    }
    return strides;
}

/// One extent: known, or unknown with or without a name ("batch").
struct dim {
    std::int64_t size = -1;
    std::string symbol;

    dim() = default;
    dim(std::int64_t known_size) : size(known_size) {}
    explicit dim(std::string name_of_unknown) : symbol(std::move(name_of_unknown)) {}

    bool known() const noexcept { return size >= 0; }
    /// Certainly equal: both known and the same, or the same name.
    bool operator==(const dim& other) const noexcept {
        return known() ? size == other.size : !other.known() && !symbol.empty() && symbol == other.symbol;
    }
};

/// The extents as far as they are known: perhaps not even their number.
class symbolic_shape {
public:
    /// Of unknown rank.
    symbolic_shape() = default;
    symbolic_shape(std::vector<dim> extents) : ranked_(true), extents_(std::move(extents)) {}
    symbolic_shape(std::initializer_list<dim> extents) : ranked_(true), extents_(extents) {}
    symbolic_shape(const dims& known) : ranked_(true), extents_(known.begin(), known.end()) {}

    /// `rank` extents, all unknown.
    static symbolic_shape of_rank(std::size_t rank) { return symbolic_shape(std::vector<dim>(rank)); }

    bool ranked() const noexcept { return ranked_; }
    std::size_t rank() const noexcept { return extents_.size(); }
    const std::vector<dim>& extents() const noexcept { return extents_; }
    const dim& operator[](std::size_t i) const { return extents_[i]; }
    dim& operator[](std::size_t i) { return extents_[i]; }

    /// True where the rank and every extent are known.
    bool known() const noexcept {
        if (!ranked_) return false;
        for (const dim& d : extents_)
            if (!d.known()) return false;
        return true;
    }
    /// The extents, where known() holds.
    std::optional<dims> concrete() const {
        if (!known()) return std::nullopt;
        dims out;
        out.reserve(extents_.size());
        for (const dim& d : extents_) out.push_back(d.size);
        return out;
    }
    /// Product of the extents, where known() holds.
    std::optional<std::int64_t> elements() const {
        const auto shape = concrete();
        if (!shape) return std::nullopt;
        return element_count(*shape);
    }

private:
    bool ranked_ = false;
    std::vector<dim> extents_;
};

/// "(1, 3, height, ?)", or "unknown" without a rank.
inline std::string text(const symbolic_shape& shape) {
    if (!shape.ranked()) return "unknown";
    std::string out = "(";
    for (std::size_t i = 0; i < shape.rank(); ++i) {
        if (i) out += ", ";
        const dim& d = shape[i];
        out += d.known() ? std::to_string(d.size) : d.symbol.empty() ? std::string("?") : d.symbol;
    }
    return out + ")";
}

/// True where a tensor of these extents may stand for the shape: same rank, equal known extents.
inline bool accepts(const symbolic_shape& shape, const dims& extents) {
    if (!shape.ranked()) return true;
    if (shape.rank() != extents.size()) return false;
    for (std::size_t i = 0; i < extents.size(); ++i)
        if (shape[i].known() && shape[i].size != extents[i]) return false;
    return true;
}

/// The shape of an element-wise result, aligned at the last axis; an extent of 1 stretches (ONNX's and NumPy's rule).
/// @return nothing where the two do not fit
inline std::optional<dims> broadcast(const dims& a, const dims& b) {
    const std::size_t rank = a.size() > b.size() ? a.size() : b.size();
    dims out(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        const std::int64_t x = i + a.size() >= rank ? a[i + a.size() - rank] : 1;
        const std::int64_t y = i + b.size() >= rank ? b[i + b.size() - rank] : 1;
        if (x != y && x != 1 && y != 1) return std::nullopt;
        out[i] = x == 1 ? y : x;
    }
    return out;
}

/// The same for shapes with unknown extents.
/// @return nothing where the two certainly do not fit
inline std::optional<symbolic_shape> broadcast(const symbolic_shape& a, const symbolic_shape& b) {
    if (!a.ranked() || !b.ranked()) return symbolic_shape();
    const std::size_t rank = a.rank() > b.rank() ? a.rank() : b.rank();
    std::vector<dim> out(rank);
    for (std::size_t i = 0; i < rank; ++i) {
        const dim x = i + a.rank() >= rank ? a[i + a.rank() - rank] : dim(1);
        const dim y = i + b.rank() >= rank ? b[i + b.rank() - rank] : dim(1);
        if (x.known() && y.known()) {
            if (x.size != y.size && x.size != 1 && y.size != 1) return std::nullopt;
            out[i] = x.size == 1 ? y : x;
        } else if (x == y) out[i] = x;
        else if (x.known()) out[i] = x.size == 1 ? y : x;  // an unknown one must be 1 or equal
        else if (y.known()) out[i] = y.size == 1 ? x : y;
    }
    return symbolic_shape(std::move(out));
}

}  // namespace ocelli::nn
