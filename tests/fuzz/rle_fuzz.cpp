// Any string is either a mask whose every use stays inside it, or a format_error. Two bytes of height, two of width, then the string.

#include <ocelli/masks/rle.hpp>

#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    const auto height = static_cast<std::int64_t>(data[0] | data[1] << 8), width = static_cast<std::int64_t>(data[2] | data[3] << 8);
    const std::string_view text(reinterpret_cast<const char*>(data + 4), size - 4);
    try {
        const ocelli::rle mask = ocelli::rle_from_string(text, height, width);
        if (ocelli::rle_from_string(ocelli::rle_to_string(mask), height, width) != mask) std::abort();
        const std::vector<ocelli::rle> both{mask, ocelli::rle{height, width, {0, static_cast<std::uint32_t>(height * width)}}};
        const std::uint64_t area = ocelli::rle_area(mask);
        const auto boxes = ocelli::rle_boxes(both);
        if ((boxes(0, 2) - boxes(0, 0)) * (boxes(0, 3) - boxes(0, 1)) < static_cast<double>(area)) std::abort();
        if (ocelli::rle_area(ocelli::rle_merge(both, true)) != area) std::abort();
        const auto iou = ocelli::rle_iou(both, both);
        if (iou(0, 0) != (area == 0 ? 0 : 1)) std::abort();
        if (height * width > 1 << 18) return 0;
        const ocelli::rle again = ocelli::rle_encode_one(ocelli::rle_decode(mask));
        if (ocelli::rle_area(again) != area || (area != 0 && ocelli::rle_iou(std::vector{mask}, std::vector{again})(0, 0) != 1)) std::abort();
    } catch (const ocelli::format_error&) {
    }
    return 0;
}
