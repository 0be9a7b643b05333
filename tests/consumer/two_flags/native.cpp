#include "use.hpp"

double native_sum() {
    return iou_sum();
}
