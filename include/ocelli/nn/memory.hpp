#pragma once

/// @file
/// Where tensors' memory comes from: how much may be taken, and what is used again.

#include <ocelli/core/config.hpp>

#include <cstddef>
#include <memory>

namespace ocelli::nn {

namespace detail {

struct memory_account;
struct memory_blocks;
struct slab_blocks;

/// The address sanitizer sees the end of a tensor only where its memory goes back.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool pools_memory = false;
#elif defined(__has_feature)
inline constexpr bool pools_memory = !__has_feature(address_sanitizer);
#else
inline constexpr bool pools_memory = true;
#endif

/// Memory for a tensor, aligned to 64 bytes, from this thread's memory_slab or memory_pool where it has one, counted by its memory_limits while it lives.
/// @throws invalid_argument  where the limits have no room
/// @throws error  where the system has no such memory
std::shared_ptr<void> take_memory(std::size_t bytes);
/// The same from the system, whatever limits and pools there are.
std::shared_ptr<void> uncounted_memory(std::size_t bytes);

}  // namespace detail

/// Limits the bytes that the tensors made by this thread while it lives hold at any time, all together; limits nest, the smallest room
/// counts. A network's shapes come from a file: without a limit a hostile one takes all memory. Where none is set, no single tensor may
/// take more than half of the machine's memory.
class memory_limit {
public:
    /// @param bytes  0: no limit of its own
    explicit memory_limit(std::size_t bytes) noexcept;
    ~memory_limit();
    memory_limit(const memory_limit&) = delete;
    memory_limit& operator=(const memory_limit&) = delete;

    /// The bytes that this thread's tensors may still take.
    static std::size_t current() noexcept;
    /// The bytes that this thread's tensors may take together.
    static std::size_t widest() noexcept;

private:
    friend std::shared_ptr<void> detail::take_memory(std::size_t bytes);
    static memory_limit*& innermost() noexcept;
    const std::shared_ptr<detail::memory_account>& own();

    std::size_t bytes_;
    memory_limit* outer_ = nullptr;
    /// What tensors of this limit hold; they keep it, and may outlive the limit. Made for the first tensor, so that a limit costs nothing
    /// where none is made.
    std::shared_ptr<detail::memory_account> account_;
};

/// Large blocks of memory that tensors have let go of, for the next ones: what the system gives anew it has to clear, page by page, which
/// costs more than most operators. With what is in use it holds no more than three times what its scopes ever used at one time. Safe to use from
/// several threads.
class memory_pool {
public:
    memory_pool();
    ~memory_pool();
    memory_pool(const memory_pool&) = delete;
    memory_pool& operator=(const memory_pool&) = delete;

    /// While it lives, this thread's tensors take their memory from the pool. A tensor may outlive the scope and the pool.
    class scope {
    public:
        explicit scope(const memory_pool& pool) noexcept;
        ~scope();
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        const memory_pool* outer_;
    };

    /// Bytes that wait for a tensor.
    std::size_t idle_bytes() const;

private:
    friend std::shared_ptr<void> detail::take_memory(std::size_t bytes);
    static const memory_pool*& innermost() noexcept;

    std::shared_ptr<detail::memory_blocks> blocks_;
};

/// Memory for tensors that live for long together, as a network's packed weights do: they stand side by side in few blocks, for whose pages the system is
/// asked in few and large pieces. Safe to use from several threads.
class memory_slab {
public:
    /// A tensor of so many bytes has a block of its own.
    static constexpr std::size_t too_large = std::size_t{1} << 22;

    memory_slab();
    ~memory_slab();
    memory_slab(const memory_slab&) = delete;
    memory_slab& operator=(const memory_slab&) = delete;

    /// How much is to come at least; what was said before the first tensor counts.
    void expect(std::size_t bytes);

    /// While it lives, this thread's tensors take their memory from the slab. A tensor may outlive the scope and the slab.
    class scope {
    public:
        explicit scope(const memory_slab& slab) noexcept;
        ~scope();
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        const memory_slab* outer_;
    };

private:
    friend std::shared_ptr<void> detail::take_memory(std::size_t bytes);
    static const memory_slab*& innermost() noexcept;

    std::shared_ptr<detail::slab_blocks> blocks_;
};

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/memory.inl>
#endif
