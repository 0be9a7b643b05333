#pragma once

/// @file
/// Weights in the layout a kernel reads, made once and shared by all plans of a session.

#include <ocelli/core/config.hpp>
#include <ocelli/io/detail/file_mapping.hpp>
#include <ocelli/nn/memory.hpp>
#include <ocelli/nn/precision.hpp>
#include <ocelli/nn/tensor.hpp>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace ocelli::nn {

/// Packed weights by (initializer, format). Safe to use from several threads.
class weight_cache {
public:
    explicit weight_cache(nn::precision rounded_to = nn::precision::f32) : precision_(rounded_to) {}
    /// What kernels that can are to round weights to.
    nn::precision precision() const noexcept { return precision_; }
    /// The packed form, made by `pack` at the first call. The initializer is kept alive with it.
    tensor get(const tensor& initializer, const std::string& format, const std::function<tensor()>& pack) {
        const std::lock_guard lock(mutex_);
        entry& e = entries_[{initializer.identity(), format}];
        if (!e.packed.defined()) {
            const memory_slab::scope together(slab_);
#if OCELLI_HAS_FILE_MAPPING
            if (initializer.bytes() >= std::size_t{1} << 17) ocelli::detail::file_mapping::fetch_if_mapped(initializer.unscaled(), initializer.bytes());
#endif
            e.packed = pack();
            e.initializer = initializer;
#if OCELLI_HAS_FILE_MAPPING
            // The packed form is what runs read: what was touched of the file goes back to the system.
            ocelli::detail::file_mapping::release_if_mapped(initializer.unscaled(), initializer.bytes());
#endif
        }
        return e.packed;
    }
    /// How many bytes of small and middling weights will be packed, at least.
    void expect(std::size_t bytes) { slab_.expect(bytes); }
    /// Bytes held.
    std::size_t bytes() const {
        const std::lock_guard lock(mutex_);
        std::size_t n = 0;
        for (const auto& [key, e] : entries_) n += e.packed.bytes();
        return n;
    }

private:
    struct entry {
        tensor packed, initializer;
    };
    const nn::precision precision_;
    memory_slab slab_;
    mutable std::mutex mutex_;
    std::map<std::pair<const void*, std::string>, entry> entries_;
};

}  // namespace ocelli::nn
