#pragma once

// What the kernels of the vector tests hand over: plain numbers and pointers.

#include <cstddef>

namespace ocelli::detail {

struct vec_test_table {
    int level;       // 0 baseline, 1 avx2, 2 avx512 as the preprocessor saw it
    int lanes_f32, lanes_f64, lanes_i32, lanes_i64;
    // Each reads `a` and `b` (one vector) and writes one vector to `out`; the numbers of the last ones are their results.
    void (*copy_f32)(const float* a, float* out);
    void (*copy_f64)(const double* a, double* out);
    void (*larger_f32)(const float* a, const float* b, float* out);
    void (*larger_f64)(const double* a, const double* b, double* out);
    void (*smaller_f32)(const float* a, const float* b, float* out);
    void (*smaller_f64)(const double* a, const double* b, double* out);
    void (*product_minus_f32)(const float* a, const float* b, const float* c, float* out);
    void (*product_minus_f64)(const double* a, const double* b, const double* c, double* out);
    float (*scalar_product_minus_f32)(float a, float b, float c);
    double (*scalar_product_minus_f64)(double a, double b, double c);
    void (*first_f32)(const float* a, int n, float* out);
    void (*first_f64)(const double* a, int n, double* out);
    void (*store_first_f32)(const float* a, int n, float* out);
    void (*store_first_f64)(const double* a, int n, double* out);
    void (*broadcast_f32)(float x, float* out);
    void (*broadcast_f64)(double x, double* out);
    void (*iota_f32)(float* out);
    void (*iota_i64)(long long* out);
    unsigned (*mask_f32)(const float* a, const float* b);
    unsigned (*mask_f64)(const double* a, const double* b);
    unsigned (*greater_f32)(const float* a, const float* b);
    unsigned (*greater_f64)(const double* a, const double* b);
    float (*sum_f32)(const float* a);
    double (*sum_f64)(const double* a);
    float (*max_lane_f32)(const float* a);
    double (*max_lane_f64)(const double* a);
};

}  // namespace ocelli::detail
