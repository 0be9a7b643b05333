#pragma once

/// @file
/// Files mapped into memory, where the system has that (OCELLI_HAS_FILE_MAPPING).

#include <ocelli/core/error.hpp>

#if defined(__unix__) || defined(__APPLE__)
#    define OCELLI_HAS_FILE_MAPPING 1
#    include <cerrno>
#    include <cstddef>
#    include <cstdint>
#    include <cstring>
#    include <fcntl.h>
#    include <functional>
#    include <mutex>
#    include <span>
#    include <string>
#    include <sys/mman.h>
#    include <sys/stat.h>
#    include <unistd.h>
#    include <vector>

namespace ocelli::detail {

/// A whole file in memory, loaded as it is touched. Private: what is written to it stays with this process.
class file_mapping {
public:
    explicit file_mapping(const std::string& path) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        check<io_error>(file >= 0, path, ": cannot be opened: ", std::strerror(errno));
        struct stat info {};
        const bool regular = ::fstat(file, &info) == 0 && S_ISREG(info.st_mode);
        if (regular && info.st_size > 0) {
            size_ = static_cast<std::size_t>(info.st_size);
            memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
        }
        ::close(file);
        check<io_error>(regular, path, ": is not a regular file");
        check<io_error>(memory_ != MAP_FAILED, path, ": cannot be mapped into memory");
        const std::lock_guard lock(all().mutex);
        all().mappings.push_back(this);
    }
    ~file_mapping() {
        {
            const std::lock_guard lock(all().mutex);
            std::erase(all().mappings, this);
        }
        if (memory_ != nullptr) ::munmap(memory_, size_);
    }
    file_mapping(const file_mapping&) = delete;
    file_mapping& operator=(const file_mapping&) = delete;

    std::span<const std::byte> bytes() const noexcept { return {static_cast<const std::byte*>(memory_), size_}; }

    /// Gives the memory of whole pages among these bytes back; they are read again from the file where they are touched again. Only for
    /// bytes that nobody has written to.
    void release(const void* from, std::size_t size) const noexcept {
        const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
        const auto begin = (reinterpret_cast<std::uintptr_t>(from) + page - 1) / page * page;
        const auto end = (reinterpret_cast<std::uintptr_t>(from) + size) / page * page;
        if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }

    /// The same for bytes of which is not known whether they are a mapped file's; others stay as they are.
    static void release_if_mapped(const void* from, std::size_t size) noexcept {
        const std::lock_guard lock(all().mutex);
        if (const file_mapping* m = around(from, size)) m->release(from, size);
    }

    /// Asks for the pages of bytes that are about to be read, at one request instead of a fault for every few of them, where they are a mapped file's.
    static void fetch_if_mapped([[maybe_unused]] const void* from, [[maybe_unused]] std::size_t size) noexcept {
#    if defined(__linux__) && defined(MADV_POPULATE_READ)
        const std::lock_guard lock(all().mutex);
        if (around(from, size) == nullptr) return;
        const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE)), begin = reinterpret_cast<std::uintptr_t>(from) / page * page;
        ::madvise(reinterpret_cast<void*>(begin), reinterpret_cast<std::uintptr_t>(from) + size - begin, MADV_POPULATE_READ);
#    endif
    }

private:
    struct registry {
        std::mutex mutex;
        std::vector<const file_mapping*> mappings;
    };
    /// Never destroyed: mappings may be, later.
    static registry& all() {
        static registry& one = *new registry;
        return one;
    }

    /// The mapping that holds these bytes, or null. Under the registry's lock.
    static const file_mapping* around(const void* from, std::size_t size) noexcept {
        for (const file_mapping* m : all().mappings) {
            const auto* begin = static_cast<const std::byte*>(m->memory_);
            const auto* at = static_cast<const std::byte*>(from);
            if (m->size_ >= size && !std::less<>()(at, begin) && !std::less<>()(begin + (m->size_ - size), at)) return m;
        }
        return nullptr;
    }

    void* memory_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace ocelli::detail
#else
#    define OCELLI_HAS_FILE_MAPPING 0
#endif
