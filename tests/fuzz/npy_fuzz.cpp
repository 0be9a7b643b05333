// Any bytes are either an array whose elements all can be read, or a format_error.

#include <ocelli/io/npy.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
    try {
        const auto any = ocelli::read_npy(bytes);
        switch (any.rank()) {
        case 0:
            (void)any.as<double, 0>();
            break;
        case 1:
            (void)any.as<double, 1>();
            break;
        case 2:
            (void)any.as<double, 2>();
            break;
        case 3:
            (void)any.as<double, 3>();
            break;
        default:
            (void)any.as<double, 4>();
            break;
        }
    } catch (const ocelli::format_error&) {
    }
    return 0;
}
