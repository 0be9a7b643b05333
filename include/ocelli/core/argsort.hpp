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

/// Sorts items by key, equal keys in their present order; `scratch` holds as many. Returns where the result lies, items or scratch.
template <class Item>
Item* radix_sort(Item* items, Item* scratch, std::size_t n) {
    if (n <= 48) {  // insertion: fewer steps than clearing histograms
        for (std::size_t i = 1; i < n; ++i) {
            const Item item = items[i];
            std::size_t j = i;
            for (; j > 0 && items[j - 1].key() > item.key(); --j) items[j] = items[j - 1];
            items[j] = item;
        }
        return items;
    }
    using key_type = decltype(items->key());
    constexpr unsigned key_bits = 8 * sizeof(key_type);
    const auto sort = [&](auto digit_bits) {
        constexpr unsigned bits = decltype(digit_bits)::value;
        constexpr unsigned passes = (key_bits + bits - 1) / bits;
        constexpr std::size_t buckets = std::size_t{1} << bits;
        constexpr key_type mask = buckets - 1;
        const auto counts = std::make_unique<std::uint32_t[]>(passes * buckets);
        for (std::size_t i = 0; i < n; ++i) {
            key_type key = items[i].key();
            for (unsigned p = 0; p < passes; ++p) {
                ++counts[p * buckets + static_cast<std::size_t>(key & mask)];
                key >>= bits;
            }
        }
        for (unsigned p = 0; p < passes; ++p) {
            std::uint32_t* const count = counts.get() + p * buckets;
            const unsigned shift = p * bits;
            if (count[static_cast<std::size_t>((items[0].key() >> shift) & mask)] == n) continue;  // all alike in this digit
            std::uint32_t sum = 0;
            for (std::size_t b = 0; b < buckets; ++b) sum += std::exchange(count[b], sum);
            for (std::size_t i = 0; i < n; ++i) scratch[count[static_cast<std::size_t>((items[i].key() >> shift) & mask)]++] = items[i];
            std::swap(items, scratch);
        }
    };
    if (n < 4096) {
        sort(std::integral_constant<unsigned, 8>());
    } else {
        sort(std::integral_constant<unsigned, 11>());
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
