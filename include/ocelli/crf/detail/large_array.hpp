#pragma once

// Arrays of megabytes in large pages, where the system has them: fewer page faults, and fewer misses of the address cache.

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

#if defined(__linux__)
#    include <sys/mman.h>
#endif

namespace ocelli::detail {

struct free_memory {
    void operator()(void* p) const noexcept { std::free(p); }
};
template <class T>
using large_array = std::unique_ptr<T[], free_memory>;

/// n elements that are not written yet.
template <class T>
large_array<T> new_large_array(std::size_t n) {
    static_assert(std::is_trivial_v<T>);
    constexpr std::size_t page = std::size_t{1} << 21, line = 64;
    if (n > (std::numeric_limits<std::size_t>::max() - 2 * page) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = n * sizeof(T) + line;  // rows may be read by whole vectors
    const bool large = bytes >= 2 * page;
    const std::size_t unit = large ? page : line;
    const std::size_t rounded = (bytes + unit - 1) / unit * unit;
    void* p = std::aligned_alloc(unit, rounded);
    if (p == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (large) ::madvise(p, rounded, MADV_HUGEPAGE);  // a wish: small pages do as well
#endif
    return large_array<T>(static_cast<T*>(p));
}

}  // namespace ocelli::detail
