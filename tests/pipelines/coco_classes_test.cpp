#include <ocelli/pipelines/coco_classes.hpp>

#include "support/fixtures.hpp"

#include <fstream>
#include <set>

namespace {

TEST_CASE("COCO's class names are eighty different ones, in the networks' order") {
    const std::set<std::string_view> different(ocelli::coco_class_names.begin(), ocelli::coco_class_names.end());
    CHECK(different.size() == 80);
    CHECK(ocelli::coco_class_names[0] == "person");
    CHECK(ocelli::coco_class_names[2] == "car");
    CHECK(ocelli::coco_class_names[79] == "toothbrush");
}

TEST_CASE("COCO's class names stand in the order of FastestDet's own list") {
    const auto path = ocelli_test::fixture("fastestdet/coco.names");
    if (path.empty()) return;
    std::ifstream file(path);
    std::string line;
    for (const std::string_view name : ocelli::coco_class_names) {
        REQUIRE(std::getline(file, line));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
        // Darknet's list has older names for some.
        const std::set<std::string> older = {"motorbike", "aeroplane", "sofa", "pottedplant", "diningtable", "tvmonitor"};
        if (older.count(line) == 0) CHECK(line == name);
    }
}

} // namespace
