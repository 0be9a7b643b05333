#pragma once

/// @file
/// The names and colours of Cityscapes' nineteen street classes.

#include <ocelli/image/draw.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace ocelli {

/// Cityscapes' classes in the order in which networks number them (the data set's "train ids"), and what some networks add as
/// class 19 (Cordts et al. 2016, cityscapes-dataset.com).
inline constexpr std::array<std::string_view, 20> cityscapes_class_names = {
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky",  "person",   "rider",    "car",  "truck", "bus",  "train",         "motorcycle",   "bicycle",    "background"};

/// The data set's own colours of these classes; the background's is ours.
inline constexpr std::array<rgb, 20> cityscapes_colours = {
    {{128, 64, 128}, {244, 35, 232}, {70, 70, 70},    {102, 102, 156}, {190, 153, 153}, {153, 153, 153}, {250, 170, 30},
     {220, 220, 0},  {107, 142, 35}, {152, 251, 152}, {70, 130, 180},  {220, 20, 60},   {255, 0, 0},     {0, 0, 142},
     {0, 0, 70},     {0, 60, 100},   {0, 80, 100},    {0, 0, 230},     {119, 11, 32},   {230, 200, 160}}};

/// The classes of countable things, person to bicycle; the others are stuff.
inline constexpr std::array<std::int64_t, 8> cityscapes_things = {11, 12, 13, 14, 15, 16, 17, 18};

} // namespace ocelli
