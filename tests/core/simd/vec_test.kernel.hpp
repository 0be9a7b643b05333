// Each operation of vec.kernel.hpp behind a pointer. Compiled once per target: no guard, no includes.

namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET {

template <class T>
void test_copy(const T* a, T* out) {
    store(out, load(a));
}
template <class T>
void test_larger(const T* a, const T* b, T* out) {
    store(out, max(load(a), load(b)));
}
template <class T>
void test_smaller(const T* a, const T* b, T* out) {
    store(out, min(load(a), load(b)));
}
template <class T>
void test_product_minus(const T* a, const T* b, const T* c, T* out) {
    store(out, rounded(load(a) * load(b)) - load(c));
}
template <class T>
T test_scalar_product_minus(T a, T b, T c) {
    return rounded(a * b) - c;
}
template <class T>
void test_first(const T* a, int n, T* out) {
    store(out, load_first(a, n));
}
template <class T>
void test_store_first(const T* a, int n, T* out) {
    store_first(out, load(a), n);
}
template <class T>
void test_broadcast(T x, T* out) {
    store(out, broadcast(x));
}
inline void test_iota_f32(float* out) {
    store(out, iota<float>());
}
inline void test_iota_i64(long long* out) {
    const vi64 v = iota<std::int64_t>();
    for (int i = 0; i < lanes<std::int64_t>; ++i) out[i] = v[i];
}
template <class T>
unsigned test_mask(const T* a, const T* b) {
    return movemask(load(a) < load(b));
}
template <class T>
unsigned test_greater(const T* a, const T* b) {
    return greater_bits(load(a), load(b));
}
template <class T>
T test_sum(const T* a) {
    return sum_lanes<T>(load(a));
}

template <class T>
T test_max_lane(const T* a) {
    return max_lane<T>(load(a));
}

inline vec_test_table make_vec_test_table() {
    vec_test_table t{};
    t.level = OCELLI_TARGET_LEVEL;
    t.lanes_f32 = lanes<float>;
    t.lanes_f64 = lanes<double>;
    t.lanes_i32 = lanes<std::int32_t>;
    t.lanes_i64 = lanes<std::int64_t>;
    t.copy_f32 = &test_copy<float>;
    t.copy_f64 = &test_copy<double>;
    t.larger_f32 = &test_larger<float>;
    t.larger_f64 = &test_larger<double>;
    t.smaller_f32 = &test_smaller<float>;
    t.smaller_f64 = &test_smaller<double>;
    t.product_minus_f32 = &test_product_minus<float>;
    t.product_minus_f64 = &test_product_minus<double>;
    t.scalar_product_minus_f32 = &test_scalar_product_minus<float>;
    t.scalar_product_minus_f64 = &test_scalar_product_minus<double>;
    t.first_f32 = &test_first<float>;
    t.first_f64 = &test_first<double>;
    t.store_first_f32 = &test_store_first<float>;
    t.store_first_f64 = &test_store_first<double>;
    t.broadcast_f32 = &test_broadcast<float>;
    t.broadcast_f64 = &test_broadcast<double>;
    t.iota_f32 = &test_iota_f32;
    t.iota_i64 = &test_iota_i64;
    t.mask_f32 = &test_mask<float>;
    t.mask_f64 = &test_mask<double>;
    t.greater_f32 = &test_greater<float>;
    t.greater_f64 = &test_greater<double>;
    t.sum_f32 = &test_sum<float>;
    t.sum_f64 = &test_sum<double>;
    t.max_lane_f32 = &test_max_lane<float>;
    t.max_lane_f64 = &test_max_lane<double>;
    return t;
}

}  // namespace ocelli::detail::inline OCELLI_ABI_TAG::OCELLI_TARGET
