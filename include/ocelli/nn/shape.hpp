#pragma once

/// @file
/// Extents of tensors: known ones (`dims`), and ones that may hold unknown or named dimensions (`symbolic_shape`); broadcasting.

#include <ocelli/core/error.hpp>
#include <ocelli/nn/fwd.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ocelli::nn {

/// The extents of a tensor, outermost first; empty for a scalar. Also axes, pads, strides: any short list of integers.
///
/// A vector whose first eight elements stand in itself: shapes are made, copied and compared for every node of every run, and must cost
/// no allocation. Converts from and to std::vector<std::int64_t>.
class dims {
public:
    using value_type = std::int64_t;
    using size_type = std::size_t;
    using difference_type = std::ptrdiff_t;
    using reference = std::int64_t&;
    using const_reference = const std::int64_t&;
    using iterator = std::int64_t*;
    using const_iterator = const std::int64_t*;

    dims() noexcept = default;
    explicit dims(std::size_t count, std::int64_t value = 0) { resize(count, value); }
    dims(std::initializer_list<std::int64_t> values) { assign(values.begin(), values.end()); }
    dims(const std::vector<std::int64_t>& values) { assign(values.begin(), values.end()); }  // NOLINT: implicit on purpose
    template <std::input_iterator It>
    dims(It first, It last) {
        assign(first, last);
    }
    dims(const dims& other) { assign(other.begin(), other.end()); }
    dims(dims&& other) noexcept { take(other); }
    dims& operator=(const dims& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    dims& operator=(dims&& other) noexcept {
        if (this != &other) {
            drop();
            take(other);
        }
        return *this;
    }
    ~dims() { drop(); }

    operator std::vector<std::int64_t>() const { return {begin(), end()}; }  // NOLINT: implicit on purpose

    std::int64_t* data() noexcept { return capacity_ > inside ? far_ : near_; }
    const std::int64_t* data() const noexcept { return capacity_ > inside ? far_ : near_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    iterator begin() noexcept { return data(); }
    iterator end() noexcept { return data() + size_; }
    const_iterator begin() const noexcept { return data(); }
    const_iterator end() const noexcept { return data() + size_; }
    const_iterator cbegin() const noexcept { return begin(); }
    const_iterator cend() const noexcept { return end(); }
    auto rbegin() noexcept { return std::make_reverse_iterator(end()); }
    auto rend() noexcept { return std::make_reverse_iterator(begin()); }
    auto rbegin() const noexcept { return std::make_reverse_iterator(end()); }
    auto rend() const noexcept { return std::make_reverse_iterator(begin()); }

    std::int64_t& operator[](std::size_t i) noexcept { return data()[i]; }
    const std::int64_t& operator[](std::size_t i) const noexcept { return data()[i]; }
    /// @throws invalid_argument  outside the list
    std::int64_t& at(std::size_t i) { return data()[checked(i)]; }
    const std::int64_t& at(std::size_t i) const { return data()[checked(i)]; }
    std::int64_t& front() noexcept { return data()[0]; }
    const std::int64_t& front() const noexcept { return data()[0]; }
    std::int64_t& back() noexcept { return data()[size_ - 1]; }
    const std::int64_t& back() const noexcept { return data()[size_ - 1]; }

    void clear() noexcept { size_ = 0; }
    void reserve(std::size_t count) {
        if (count > capacity_) grow(count);
    }
    void resize(std::size_t count, std::int64_t value = 0) {
        reserve(count);
        std::int64_t* p = data();
        for (std::size_t i = size_; i < count; ++i) p[i] = value;
        size_ = count;
    }
    void push_back(std::int64_t value) {
        if (size_ == capacity_) grow(2 * capacity_);
        data()[size_++] = value;
    }
    std::int64_t& emplace_back(std::int64_t value = 0) {
        push_back(value);
        return back();
    }
    void pop_back() noexcept { --size_; }
    void assign(std::size_t count, std::int64_t value) {
        clear();
        resize(count, value);
    }
    template <std::input_iterator It>
    void assign(It first, It last) {
        clear();
        if constexpr (std::forward_iterator<It>) reserve(static_cast<std::size_t>(std::distance(first, last)));
        for (; first != last; ++first) push_back(static_cast<std::int64_t>(*first));
    }
    iterator insert(const_iterator at, std::int64_t value) { return insert(at, &value, &value + 1); }
    iterator insert(const_iterator at, std::size_t count, std::int64_t value) {
        const dims same(count, value);
        return insert(at, same.begin(), same.end());
    }
    iterator insert(const_iterator at, std::initializer_list<std::int64_t> values) { return insert(at, values.begin(), values.end()); }
    /// The range must not lie in this list.
    template <std::input_iterator It>
    iterator insert(const_iterator at, It first, It last) {
        const auto place = static_cast<std::size_t>(at - begin());
        const std::size_t before = size_;
        for (; first != last; ++first) push_back(static_cast<std::int64_t>(*first));
        std::rotate(begin() + place, begin() + before, end());
        return begin() + place;
    }
    iterator erase(const_iterator at) { return erase(at, at + 1); }
    iterator erase(const_iterator first, const_iterator last) {
        const auto place = first - begin(), count = last - first;
        std::move(begin() + place + count, end(), begin() + place);
        size_ -= static_cast<std::size_t>(count);
        return begin() + place;
    }

    friend bool operator==(const dims& a, const dims& b) noexcept { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }
    friend auto operator<=>(const dims& a, const dims& b) noexcept {
        return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
    }

private:
    static constexpr std::size_t inside = 8;

    std::size_t checked(std::size_t i) const {
        ocelli::detail::check(i < size_, "dims: ", i, " is outside a list of ", size_);
        return i;
    }
    void grow(std::size_t count) {
        std::int64_t* more = new std::int64_t[count];
        std::copy(begin(), end(), more);
        drop();
        far_ = more;
        capacity_ = count;
    }
    void drop() noexcept {
        if (capacity_ > inside) delete[] far_;
        capacity_ = inside;
    }
    void take(dims& other) noexcept {
        size_ = other.size_;
        capacity_ = other.capacity_;
        if (capacity_ > inside) far_ = other.far_;
        else std::copy(other.near_, other.near_ + size_, near_);
        other.size_ = 0;
        other.capacity_ = inside;
    }

    std::size_t size_ = 0, capacity_ = inside;
    union {
        std::int64_t near_[inside] = {};
        std::int64_t* far_;
    };
};

/// Shapes stand in messages as they are: text is made only where one is thrown.
inline void append(std::string& out, const dims& shape) {
    out += ocelli::detail::shape_text(shape);
}

/// Product of the extents.
/// @throws invalid_argument  when an extent is negative or the product exceeds 2^62
inline std::int64_t element_count(const dims& shape) {
    std::int64_t n = 1;
    bool empty = false;
    for (const std::int64_t d : shape) {
        if (d < 0) ocelli::detail::fail("a shape has a negative extent: ", ocelli::detail::shape_text(shape));
        if (d == 0) {
            empty = true;
            continue;
        }
        if (n > (std::int64_t{1} << 62) / d) ocelli::detail::fail("a shape is too large: ", ocelli::detail::shape_text(shape));
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

/// As dims do.
inline void append(std::string& out, const symbolic_shape& shape) {
    out += text(shape);
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
