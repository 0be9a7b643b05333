#include "scenes/label_map.hpp"

#include <doctest/doctest.h>

namespace {

TEST_CASE("A label map has the ground where no object is seen, and else the object's class") {
    const auto frame = scenes::scene(5).render(3);
    const auto map = scenes::label_map(frame);
    REQUIRE(map.shape() == std::array<std::size_t, 2>{192, 256});
    std::size_t ground = map.size();
    for (std::size_t i = 0; i < frame.labels.size(); ++i)
        for (std::size_t y = 0; y < 192; ++y)
            for (std::size_t x = 0; x < 256; ++x)
                if (frame.masks(i, y, x) != 0) {
                    --ground;
                    REQUIRE(map(y, x) == frame.labels(i) + 1);
                }
    CHECK(ground < map.size());
    for (const std::uint8_t label : map) ground -= label == 0;
    CHECK(ground == 0);
    for (std::size_t c = 0; c < scenes::class_names.size(); ++c)
        CHECK(std::string_view(scenes::map_names[c + 1]) == scenes::class_names[c]);
}

} // namespace
