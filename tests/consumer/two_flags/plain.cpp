#include "use.hpp"

double plain_sum() {
    return iou_sum();
}
