#include <ocelli/pipelines/cityscapes_classes.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace {

TEST_CASE("Cityscapes' classes have names and colours of their own, in the order of networks") {
    CHECK(std::set<std::string_view>(ocelli::cityscapes_class_names.begin(), ocelli::cityscapes_class_names.end()).size() ==
          20);
    CHECK(ocelli::cityscapes_class_names[0] == "road");
    CHECK(ocelli::cityscapes_class_names[8] == "vegetation");
    CHECK(ocelli::cityscapes_class_names[13] == "car");
    for (std::size_t i = 0; i < 20; ++i)
        CHECK(std::count(ocelli::cityscapes_colours.begin(), ocelli::cityscapes_colours.end(), ocelli::cityscapes_colours[i]) ==
              1);
    CHECK(ocelli::cityscapes_colours[0] == ocelli::rgb{128, 64, 128});
    CHECK(ocelli::cityscapes_class_names[static_cast<std::size_t>(ocelli::cityscapes_things.front())] == "person");
    CHECK(ocelli::cityscapes_class_names[static_cast<std::size_t>(ocelli::cityscapes_things.back())] == "bicycle");
}

} // namespace
