// Any bytes are either a file whose elements all can be read, or a format_error; what is read can be written and read again.

#include <ocelli/io/safetensors.hpp>

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
    try {
        const auto file = ocelli::read_safetensors(bytes);
        unsigned sum = 0;
        for (const auto& e : file.entries())
            for (const std::byte b : e.bytes) sum += static_cast<unsigned>(b);
        for (const auto& e : file.entries())
            if (e.name.empty()) return 0;  // valid to read, refused by the writer
        const auto again = ocelli::read_safetensors(ocelli::safetensors_bytes(file.entries(), file.metadata()));
        for (const auto& e : again.entries())
            for (const std::byte b : e.bytes) sum -= static_cast<unsigned>(b);
        if (sum != 0 || again.entries().size() != file.entries().size() || again.metadata() != file.metadata()) std::abort();
    } catch (const ocelli::format_error&) {
    }
    return 0;
}
