#pragma once
#include <ocelli/ocelli.hpp>

#include <vector>

// A sum over a pairwise IoU: exercised from both files, and equal to the last bit.
inline double iou_sum() {
    std::vector<std::array<float, 4>> boxes;
    for (int i = 0; i < 57; ++i) {
        const auto x = static_cast<float>(i * 7 % 31), y = static_cast<float>(i * 11 % 29);
        boxes.push_back({x, y, x + 10.3f, y + 7.7f});
    }
    const auto iou = ocelli::box_iou(boxes, boxes);
    double sum = 0;
    for (const float v : iou) sum += static_cast<double>(v);
    return sum;
}
