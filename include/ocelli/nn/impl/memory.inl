#pragma once

#include <ocelli/core/error.hpp>
#include <ocelli/nn/memory.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#    include <unistd.h>
#endif
#if defined(__linux__)
#    include <sys/mman.h>
#endif

namespace ocelli::nn {

namespace detail {

/// The system's large pages, and what is worth asking for some of them.
inline constexpr std::size_t large_page = std::size_t{1} << 21, large_block = 2 * large_page;

#if defined(__linux__) && defined(MADV_POPULATE_WRITE)
/// Asks for pages that are all about to be written, at one request instead of one fault each: a tenth to a fifth of loading a network. The system's large
/// pages cost a seventh of the small ones they stand for, but many times as much where it has to find them first, or where a virtual machine's host has yet
/// to give the memory: one that took long is the last for a while, for longer each time until many in a row were quick. A single one is asked for where more
/// are `to_come`, or the last one was quick. Older systems refuse any of it, which costs nothing.
inline void populate(std::uintptr_t begin, std::uintptr_t end, bool to_come = false) noexcept {
    using clock = std::chrono::steady_clock;
    static constexpr std::uintptr_t large = large_page;
    static constexpr std::size_t shortest_pause = std::size_t{1} << 25, longest_pause = std::size_t{1} << 29;
    static constexpr clock::duration slow = std::chrono::microseconds(400);  // a large page: 0.1 ms; as many small ones: 0.7 ms
    static std::atomic<std::size_t> without{0}, pause{shortest_pause};       // bytes for which no large pages are asked
    static std::atomic<std::size_t> quick{0};                                // bytes of large pages since the last slow one
    const auto ask = [](std::uintptr_t from, std::uintptr_t to, int what) {
        return from >= to || ::madvise(reinterpret_cast<void*>(from), to - from, what) == 0;
    };
    const std::uintptr_t last = end / large * large;
    std::uintptr_t at = (begin + large - 1) / large * large;
    const std::size_t left = without.load(std::memory_order_relaxed);
    const std::size_t least = to_come || quick.load(std::memory_order_relaxed) != 0 ? large : 2 * large;
    if (left != 0) without.store(left - std::min<std::size_t>(left, end - begin), std::memory_order_relaxed);
    else if (last >= at + least && ask(at, last, MADV_HUGEPAGE)) {
        ask(begin, at, MADV_POPULATE_WRITE);
        for (begin = at; begin < last;) {
            const clock::time_point start = clock::now();
            ask(begin, begin + large, MADV_POPULATE_WRITE);
            begin += large;
            if (clock::now() - start > slow) {
                const std::size_t now = pause.load(std::memory_order_relaxed);
                without.store(now, std::memory_order_relaxed);
                pause.store(std::min(4 * now, longest_pause), std::memory_order_relaxed);
                quick.store(0, std::memory_order_relaxed);
                ask(begin, last, MADV_NOHUGEPAGE);
                break;
            }
            if (quick.fetch_add(large, std::memory_order_relaxed) + large >= shortest_pause) pause.store(shortest_pause, std::memory_order_relaxed);
        }
    }
    ask(begin, end, MADV_POPULATE_WRITE);
}
inline std::uintptr_t small_page() noexcept {
    static const auto bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}
#endif

/// Large blocks begin with a large page, so that they have as many as go into them.
inline std::align_val_t block_alignment(std::size_t bytes) noexcept {
    return std::align_val_t{bytes >= large_block ? large_page : 64};
}

inline void* new_block(std::size_t bytes) noexcept {
    void* const memory = ::operator new(bytes == 0 ? 1 : bytes, block_alignment(bytes), std::nothrow);
#if defined(__linux__) && defined(MADV_POPULATE_WRITE)
    // Not blocks so large that they may be meant to be used in part.
    if (memory != nullptr && bytes >= std::size_t{1} << 17 && bytes <= std::size_t{1} << 28) {
        const std::uintptr_t page = small_page(), from = reinterpret_cast<std::uintptr_t>(memory);
        const std::uintptr_t begin = (from + page - 1) / page * page, end = (from + bytes) / page * page;
        if (begin < end) populate(begin, end);
    }
#endif
    return memory;
}
inline void delete_block(void* p, std::size_t bytes) noexcept {
    ::operator delete(p, block_alignment(bytes));
}

inline std::size_t half_of_memory() noexcept {
    constexpr std::size_t unknown = sizeof(std::size_t) > 4 ? std::size_t{1} << (sizeof(std::size_t) > 4 ? 35 : 0) : std::size_t{1} << 30;
#if (defined(__unix__) || defined(__APPLE__)) && defined(_SC_PHYS_PAGES)
    const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0) return static_cast<std::size_t>(pages) / 2 * static_cast<std::size_t>(size);
#endif
    return unknown;
}

struct memory_account {
    std::size_t limit;
    std::shared_ptr<memory_account> outer;
    std::atomic<std::size_t> held{0};

    /// Counts bytes here and in the limits around. @return what is held already where they do not fit, else nothing
    std::optional<std::size_t> take(std::size_t bytes) noexcept {
        const std::size_t before = held.fetch_add(bytes, std::memory_order_relaxed);
        const bool fits = before <= limit && bytes <= limit - before;
        const auto refused = !fits ? std::optional(before) : outer != nullptr ? outer->take(bytes) : std::nullopt;
        if (refused) held.fetch_sub(bytes, std::memory_order_relaxed);
        return refused;
    }
    void give_back(std::size_t bytes) noexcept {
        for (memory_account* a = this; a != nullptr; a = a->outer.get()) a->held.fetch_sub(bytes, std::memory_order_relaxed);
    }
};

/// The blocks of a memory_pool, the one let go of last at the end.
struct memory_blocks {
    struct block {
        void* memory;
        std::size_t bytes;
    };
    std::mutex mutex;
    std::vector<block> idle;
    std::size_t idle_bytes = 0, used_bytes = 0, most_used_bytes = 0;

    ~memory_blocks() {
        for (const block& b : idle) delete_block(b.memory, b.bytes);
    }

    /// A block of `bytes`, or of a quarter more at most; nothing where there is none, and the caller makes one. Then idle ones, the oldest first, go back to the
    /// system, as far as there is more than three times what was ever in use at once: tensors that follow each other are not as large as each other, and the next
    /// run wants all of their blocks again.
    std::optional<block> take(std::size_t bytes) noexcept {
        const std::lock_guard lock(mutex);
        auto best = idle.end();
        for (auto it = idle.begin(); it != idle.end(); ++it)
            if (it->bytes >= bytes && it->bytes - bytes <= bytes / 4 && (best == idle.end() || it->bytes <= best->bytes)) best = it;
        if (best != idle.end()) {
            const block found = *best;
            idle.erase(best);
            idle_bytes -= found.bytes;
            use(found.bytes);
            return found;
        }
        use(bytes);
        std::size_t freed = 0;
        auto last = idle.begin();
        for (; last != idle.end() && used_bytes + (idle_bytes - freed) > 3 * most_used_bytes; ++last) {
            freed += last->bytes;
            delete_block(last->memory, last->bytes);
        }
        idle.erase(idle.begin(), last);
        idle_bytes -= freed;
        return std::nullopt;
    }
    void give_back(block b) noexcept {
        const std::lock_guard lock(mutex);
        used_bytes -= b.bytes;
        try {
            idle.push_back(b);
            idle_bytes += b.bytes;
        } catch (...) {
            delete_block(b.memory, b.bytes);  // no memory to note it down
        }
    }
    /// The block that take() did not find could not be made.
    void forget(std::size_t bytes) noexcept {
        const std::lock_guard lock(mutex);
        used_bytes -= bytes;
    }

private:
    void use(std::size_t bytes) noexcept {
        used_bytes += bytes;
        most_used_bytes = std::max(most_used_bytes, used_bytes);
    }
};

/// A tensor's hold on its memory.
struct memory_keeper {
    std::shared_ptr<memory_account> account;
    std::shared_ptr<memory_blocks> blocks;
    std::size_t counted, bytes;

    void operator()(void* p) const noexcept {
        if (blocks != nullptr) blocks->give_back({p, bytes});
        else delete_block(p, bytes);
        if (account != nullptr) account->give_back(counted);
    }
};

/// Memory that is given out from its beginning on.
struct slab_block {
    slab_block(std::size_t size, std::size_t certain) noexcept
        : bytes(size), expected(certain), memory(static_cast<char*>(::operator new(size, alignment(size), std::nothrow))) {}
    ~slab_block() { ::operator delete(memory, alignment(bytes)); }
    slab_block(const slab_block&) = delete;
    slab_block& operator=(const slab_block&) = delete;

    void* take(std::size_t size) noexcept {
        if (memory == nullptr || size > bytes - used) return nullptr;
        void* const taken = memory + used;
        used += size;
        touch();
        return taken;
    }

private:
    static std::align_val_t alignment(std::size_t bytes) noexcept { return std::max(block_alignment(bytes), std::align_val_t{4096}); }

    /// Pages for what was taken and, in larger steps, for some of what is expected.
    void touch() noexcept {
#if defined(__linux__) && defined(MADV_POPULATE_WRITE)
        if (used <= touched) return;
        const auto up_to = [&](std::size_t step) { return std::min((used + step - 1) / step * step, bytes); };
        const bool certain = bytes >= large_block && up_to(large_page) <= expected;
        const std::size_t next = certain ? up_to(large_page) : std::max(up_to(std::size_t{1} << 16), std::min(up_to(std::size_t{1} << 18), expected));
        const std::uintptr_t page = small_page(), at = reinterpret_cast<std::uintptr_t>(memory);
        populate((at + touched + page - 1) / page * page, (at + next) / page * page, certain);
        touched = next;
#endif
    }

public:
    const std::size_t bytes, expected;
    std::size_t used = 0, touched = 0;
    char* const memory;
};

struct slab_blocks {
    std::mutex mutex;
    std::shared_ptr<slab_block> last;
    std::size_t expected = 0, bytes = 0;  ///< of the next block, and of all

    /// Memory and the block it stands in; nothing where it should have a block of its own, or there is none.
    std::pair<void*, std::shared_ptr<slab_block>> take(std::size_t wanted) {
        const std::size_t size = (std::max<std::size_t>(wanted, 1) + 63) / 64 * 64;
        if (size >= memory_slab::too_large) return {};
        const std::lock_guard lock(mutex);
        void* memory = last == nullptr ? nullptr : last->take(size);
        if (memory == nullptr) {
            last = std::make_shared<slab_block>(std::max({size, expected, bytes / 4, std::size_t{1} << 16}), expected);
            bytes += last->bytes;
            expected = 0;
            memory = last->take(size);
        }
        return {memory, memory == nullptr ? nullptr : last};
    }
};

/// A tensor's hold on its part of a slab. What was taken last can be taken again.
struct slab_keeper {
    std::shared_ptr<memory_account> account;
    std::shared_ptr<slab_blocks> slab;
    std::shared_ptr<slab_block> block;
    std::size_t counted;

    void operator()(void* p) const noexcept {
        {
            const std::lock_guard lock(slab->mutex);
            const std::size_t size = (counted + 63) / 64 * 64;
            if (static_cast<char*>(p) + size == block->memory + block->used) block->used -= size;
        }
        if (account != nullptr) account->give_back(counted);
    }
};

/// Below this the system's allocator is quick.
inline constexpr std::size_t pooled_bytes = std::size_t{1} << 16;

OCELLI_INLINE std::shared_ptr<void> take_memory(std::size_t bytes) {
    // A small tensor takes more than its elements.
    memory_keeper keeper{nullptr, nullptr, std::max<std::size_t>(bytes, 64), bytes};
    if (memory_limit* const limit = memory_limit::innermost()) {
        keeper.account = limit->own();
        if (const auto held = keeper.account->take(keeper.counted)) {
            ocelli::detail::fail("tensor: ", bytes, " bytes are more than the limit of ", memory_limit::widest(), " bytes allows, of which ", *held,
                                 " are in use (memory_limit)");
        }
    }
    if (const memory_slab* const slab = memory_slab::innermost(); pools_memory && slab != nullptr) {
        auto [part, block] = slab->blocks_->take(bytes);
        if (part != nullptr) return std::shared_ptr<void>(part, slab_keeper{keeper.account, slab->blocks_, std::move(block), keeper.counted});
    }
    void* memory = nullptr;
    if (const memory_pool* const pool = memory_pool::innermost(); pools_memory && pool != nullptr && bytes >= pooled_bytes) {
        keeper.blocks = pool->blocks_;
        if (const auto block = keeper.blocks->take(bytes)) {
            memory = block->memory;
            keeper.bytes = block->bytes;
        }
    }
    if (memory == nullptr) memory = new_block(bytes);
    if (memory == nullptr && keeper.account != nullptr) keeper.account->give_back(keeper.counted);
    if (memory == nullptr && keeper.blocks != nullptr) keeper.blocks->forget(bytes);
    ocelli::detail::check<error>(memory != nullptr, "tensor: the system has no ", bytes, " bytes of memory");
    return std::shared_ptr<void>(memory, std::move(keeper));
}

OCELLI_INLINE std::shared_ptr<void> uncounted_memory(std::size_t bytes) {
    void* const memory = new_block(bytes);
    ocelli::detail::check<error>(memory != nullptr, "tensor: the system has no ", bytes, " bytes of memory");
    return std::shared_ptr<void>(memory, memory_keeper{nullptr, nullptr, 0, bytes});
}

}  // namespace detail

OCELLI_INLINE memory_limit*& memory_limit::innermost() noexcept {
    thread_local memory_limit* limit = nullptr;
    return limit;
}

OCELLI_INLINE memory_limit::memory_limit(std::size_t bytes) noexcept : bytes_(bytes) {
    if (bytes == 0) return;
    outer_ = innermost();
    innermost() = this;
}

OCELLI_INLINE memory_limit::~memory_limit() {
    if (bytes_ != 0) innermost() = outer_;
}

OCELLI_INLINE std::size_t memory_limit::widest() noexcept {
    static const std::size_t machine = detail::half_of_memory();
    std::size_t bytes = machine;
    for (const memory_limit* m = innermost(); m != nullptr; m = m->outer_) bytes = std::min(bytes, m->bytes_);
    return bytes;
}

OCELLI_INLINE std::size_t memory_limit::current() noexcept {
    std::size_t room = widest();
    for (const memory_limit* m = innermost(); m != nullptr; m = m->outer_) {
        const std::size_t held = m->account_ == nullptr ? 0 : m->account_->held.load(std::memory_order_relaxed);
        room = std::min(room, held < m->bytes_ ? m->bytes_ - held : 0);
    }
    return room;
}

OCELLI_INLINE const std::shared_ptr<detail::memory_account>& memory_limit::own() {
    using detail::memory_account;
    if (account_ == nullptr) account_ = std::shared_ptr<memory_account>(new memory_account{bytes_, outer_ == nullptr ? nullptr : outer_->own()});
    return account_;
}

OCELLI_INLINE memory_slab::memory_slab() : blocks_(std::make_shared<detail::slab_blocks>()) {}
OCELLI_INLINE memory_slab::~memory_slab() = default;

OCELLI_INLINE void memory_slab::expect(std::size_t bytes) {
    const std::lock_guard lock(blocks_->mutex);
    if (blocks_->last == nullptr) blocks_->expected = std::min(bytes, memory_limit::widest());
}

OCELLI_INLINE const memory_slab*& memory_slab::innermost() noexcept {
    thread_local const memory_slab* slab = nullptr;
    return slab;
}

OCELLI_INLINE memory_slab::scope::scope(const memory_slab& slab) noexcept : outer_(innermost()) {
    innermost() = &slab;
}
OCELLI_INLINE memory_slab::scope::~scope() {
    innermost() = outer_;
}

OCELLI_INLINE memory_pool::memory_pool() : blocks_(std::make_shared<detail::memory_blocks>()) {}
OCELLI_INLINE memory_pool::~memory_pool() = default;

OCELLI_INLINE const memory_pool*& memory_pool::innermost() noexcept {
    thread_local const memory_pool* pool = nullptr;
    return pool;
}

OCELLI_INLINE memory_pool::scope::scope(const memory_pool& pool) noexcept : outer_(innermost()) {
    innermost() = &pool;
}
OCELLI_INLINE memory_pool::scope::~scope() {
    innermost() = outer_;
}

OCELLI_INLINE std::size_t memory_pool::idle_bytes() const {
    const std::lock_guard lock(blocks_->mutex);
    return blocks_->idle_bytes;
}

}  // namespace ocelli::nn
