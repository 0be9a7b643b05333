#pragma once

/// @file
/// Stable sorting of indices by decreasing value, by radix: what suppression, matching and evaluation begin with.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace ocelli::detail {

/// A value as an unsigned number that grows where the value falls; both zeros give the same key.
constexpr std::uint32_t descending_key(float x) noexcept {
    std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
    if (bits == 0x80000000u) bits = 0;
    return (bits & 0x80000000u) != 0 ? bits : bits ^ 0x7fffffffu;
}
constexpr std::uint64_t descending_key(double x) noexcept {
    std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
    if (bits == 0x8000000000000000u) bits = 0;
    return (bits & 0x8000000000000000u) != 0 ? bits : bits ^ 0x7fffffffffffffffu;
}
constexpr std::uint64_t ascending_key(std::int64_t x) noexcept {
    return static_cast<std::uint64_t>(x) ^ 0x8000000000000000u;
}

/// A 32-bit key with its index in one word: half the memory traffic of a pair.
struct packed_item {
    std::uint64_t word;
    static packed_item make(std::uint32_t key, std::uint32_t index) noexcept { return {std::uint64_t{key} << 32 | index}; }
    std::uint32_t key() const noexcept { return static_cast<std::uint32_t>(word >> 32); }
    std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(word); }
};
struct wide_item {
    std::uint64_t key_;
    std::uint32_t index_;
    static wide_item make(std::uint64_t key, std::uint32_t index) noexcept { return {key, index}; }
    std::uint64_t key() const noexcept { return key_; }
    std::uint32_t index() const noexcept { return index_; }
};

/// The item type for keys of T: packed_item for 32 bits, wide_item for 64.
template <class T>
using sort_item = std::conditional_t<sizeof(T) == 4, packed_item, wide_item>;

/// One stable pass: items to `to` by the digit of `bits` bits at `shift`, whose histogram `count` holds (it is used up).
template <class Item>
void radix_pass(const Item* from, Item* to, std::size_t n, unsigned shift, unsigned bits, std::uint32_t* count) {
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    std::uint32_t sum = 0;
    for (std::size_t b = 0; b <= mask; ++b) sum += std::exchange(count[b], sum);
    for (std::size_t i = 0; i < n; ++i) to[count[(std::uint64_t{from[i].key()} >> shift) & mask]++] = from[i];
}

/// Sorts by insertion, equal keys in their present order; gives up, leaving a permutation, once `moves` are used up.
template <class Item>
bool insertion_sort(Item* items, std::size_t n, std::size_t moves) {
    for (std::size_t i = 1; i < n; ++i) {
        const Item item = items[i];
        std::size_t j = i;
        for (; j > 0 && items[j - 1].key() > item.key(); --j) items[j] = items[j - 1];
        items[j] = item;
        if (i - j > moves) return false;
        moves -= i - j;
    }
    return true;
}

/// Sorts items by key, equal keys in their present order; `scratch` holds as many. Returns where the result lies, items or scratch.
///
/// Two passes over the upper digits in which the keys differ bring nearly all items of real scores to their places, and insertion does
/// the rest; where it would take long, passes over all digits follow. n < 2^32.
template <class Item>
Item* radix_sort(Item* items, Item* scratch, std::size_t n) {
    if (n <= 48) {
        insertion_sort(items, n, n * n);
        return items;
    }
    std::uint64_t differs = 0;
    for (std::size_t i = 1; i < n; ++i) differs |= std::uint64_t{items[i].key() ^ items[0].key()};
    const unsigned width = static_cast<unsigned>(std::bit_width(differs));
    if (width == 0) return items;
    const unsigned digit = n < 2048 ? 8 : n < 4096 ? 9 : 11;
    std::uint32_t counts[2][2048];
    const unsigned high_bits = width < digit ? width : digit;
    const unsigned low_bits = width - high_bits < digit ? width - high_bits : digit;
    const unsigned shift = width - high_bits - low_bits;
    const std::uint64_t high_mask = (std::uint64_t{1} << high_bits) - 1, low_mask = (std::uint64_t{1} << low_bits) - 1;
    for (std::size_t b = 0; b <= high_mask; ++b) counts[1][b] = 0;
    for (std::size_t b = 0; b <= low_mask; ++b) counts[0][b] = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint64_t key = std::uint64_t{items[i].key()} >> shift;
        ++counts[0][key & low_mask];
        ++counts[1][(key >> low_bits) & high_mask];
    }
    if (low_bits != 0) {
        radix_pass(items, scratch, n, shift, low_bits, counts[0]);
        std::swap(items, scratch);
    }
    radix_pass(items, scratch, n, shift + low_bits, high_bits, counts[1]);
    std::swap(items, scratch);
    if (shift == 0 || insertion_sort(items, n, 4 * n)) return items;
    // Many keys share their upper digits. Equal keys are still in order, so passes may start from here.
    for (unsigned at = 0; at < width; at += digit) {
        const unsigned bits = width - at < digit ? width - at : digit;
        const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
        for (std::size_t b = 0; b <= mask; ++b) counts[0][b] = 0;
        for (std::size_t i = 0; i < n; ++i) ++counts[0][(std::uint64_t{items[i].key()} >> at) & mask];
        radix_pass(items, scratch, n, at, bits, counts[0]);
        std::swap(items, scratch);
    }
    return items;
}

/// Writes the indices of `values` by decreasing value, equal ones in input order. NaN and n >= 2^32 are the caller's to refuse.
template <class T>
void argsort_descending(const T* values, std::size_t n, std::uint32_t* order) {
    using item = sort_item<T>;
    const std::unique_ptr<item[]> memory(new item[2 * n + 1]);
    for (std::size_t i = 0; i < n; ++i) memory[i] = item::make(descending_key(values[i]), static_cast<std::uint32_t>(i));
    const item* sorted = radix_sort(memory.get(), memory.get() + n, n);
    for (std::size_t i = 0; i < n; ++i) order[i] = sorted[i].index();
}

}  // namespace ocelli::detail
