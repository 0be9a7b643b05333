#pragma once

#include <ocelli/nn/ops/detail/loops.hpp>

namespace ocelli::nn::detail {

OCELLI_INLINE void run_range(std::int64_t n, std::int64_t block, void* context, void (*body)(void*, std::int64_t, std::int64_t)) {
    if (n <= 0) return;
    ocelli::parallel_for(static_cast<std::size_t>(n), static_cast<std::size_t>(std::max<std::int64_t>(1, block)),
                         [=](std::size_t begin, std::size_t end) { body(context, static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)); });
}

OCELLI_INLINE void run_binary(const tensor& a, const tensor& b, tensor& out, std::int64_t block, const void* context, binary_row row) {
    const auto* pa = static_cast<const std::byte*>(a.raw());
    const auto* pb = static_cast<const std::byte*>(b.raw());
    auto* pr = static_cast<std::byte*>(out.mutable_raw());
    const auto wa = static_cast<std::int64_t>(size_of(a.type())), wb = static_cast<std::int64_t>(size_of(b.type())),
               wr = static_cast<std::int64_t>(size_of(out.type()));
    auto loop = broadcast_loop<3>(out.shape(), {&a.shape(), &b.shape(), &out.shape()});
    prefer_long_rows(loop);
    parallel_rows(loop, block, [&](const auto& at, std::int64_t n, const auto& step) {
        row(context, pa + at[0] * wa, pb + at[1] * wb, pr + at[2] * wr, n, step.data());
    });
}

OCELLI_INLINE void move_elements(const tensor& x, std::int64_t from, tensor& y, std::int64_t to, const strided_loop<2>& loop) {
    if (loop.empty) return;
    dispatch_words(x.type(), [&]<class W>(type_tag<W>) {
        move_words(static_cast<const W*>(x.raw()) + from, static_cast<W*>(y.mutable_raw()) + to, loop);
    });
}

OCELLI_INLINE void convert_into(const tensor& x, tensor& y) {
    const auto* from = static_cast<const std::byte*>(x.raw());
    auto* to = static_cast<std::byte*>(y.mutable_raw());
    const auto in = static_cast<std::int64_t>(size_of(x.type())), out = static_cast<std::int64_t>(size_of(y.type()));
    parallel_range(x.size(), cheap_block, [&](std::int64_t begin, std::int64_t end) {
        convert_elements(x.type(), from + begin * in, y.type(), to + begin * out, end - begin);
    });
}

OCELLI_INLINE tensor converted(const tensor& x, dtype type) {
    if (x.type() == type) return x;
    tensor y(type, x.shape());
    convert_into(x, y);
    return y;
}

}  // namespace ocelli::nn::detail
