// What a user writes first: boxes in the containers they have, and the two most used functions.
#include <ocelli/boxes.hpp>

#include <array>
#include <cstdio>
#include <vector>

int main() {
    const std::vector<std::array<float, 4>> boxes{{0, 0, 10, 10}, {1, 1, 11, 11}, {50, 50, 60, 60}};
    const std::vector<float> scores{0.6f, 0.9f, 0.8f};
    const auto keep = ocelli::nms(boxes, scores, 0.5);
    const auto iou = ocelli::box_iou(boxes, boxes);
    const bool right = keep.size() == 2 && keep(0) == 1 && keep(1) == 2 && iou(0, 0) == 1.0f && iou(0, 2) == 0.0f;
    std::printf("%s\n", right ? "ok" : "wrong");
    return right ? 0 : 1;
}
