#pragma once

#include <ocelli/nn/detail/planes.hpp>
#include <ocelli/nn/ops/rearrange.hpp>

namespace ocelli::nn {

namespace detail {

inline std::int64_t blocksize(const node& n) {
    const std::int64_t b = attr_int(n, "blocksize");
    check(n, b >= 1 && b < (std::int64_t{1} << 20), "blocksize must be at least 1, got ", b);
    return b;
}

inline void infer_depth_to_space(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    symbolic_shape out;
    if (x.ranked()) {
        check(c.self, x.rank() == 4, "input must have shape (N, C, H, W), got ", x);
        const std::int64_t b = blocksize(c.self);
        out = symbolic_shape::of_rank(4);
        out[0] = x[0];
        if (x[1].known()) {
            check(c.self, x[1].size % (b * b) == 0, "blocksize ", b, " does not fit ", x[1].size, " channels");
            out[1] = dim(x[1].size / (b * b));
        }
        for (std::size_t i = 2; i < 4; ++i)
            if (x[i].known() && x[i].size < (std::int64_t{1} << 40)) out[i] = dim(x[i].size * b);
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_depth_to_space(eval_context& c) {
    const tensor& x = c.input(0);
    const std::int64_t b = blocksize(c.self);
    const std::string mode = attr_string(c.self, "mode", "DCR");
    check<unsupported_operator>(c.self, mode == "DCR" || mode == "CRD", "mode '", mode, "' is not supported");
    check(c.self, x.rank() == 4 && x.extent(1) % (b * b) == 0, "input must have shape (N, C, H, W) with C a multiple of ", b * b, ", got ", text(x));
    const std::int64_t channels = x.extent(1) / (b * b), height = x.extent(2), width = x.extent(3);
    tensor& y = c.output(0, x.type(), {x.extent(0), channels, height * b, width * b});
    dispatch_by_size(x.type(), [&]<class T>(type_tag<T>) {
        const T* from = static_cast<const T*>(x.raw());
        T* to = static_cast<T*>(y.mutable_raw());
        for_each_index(x.extent(0) * channels, b * b * height * width, [&](std::int64_t plane) {
            const std::int64_t n = plane / channels, k = plane % channels;
            for (std::int64_t i = 0; i < b; ++i)
                for (std::int64_t j = 0; j < b; ++j) {
                    const std::int64_t channel = mode == "DCR" ? (i * b + j) * channels + k : (k * b + i) * b + j;
                    const T* source = from + (n * x.extent(1) + channel) * height * width;
                    for (std::int64_t row = 0; row < height; ++row) {
                        T* out = to + ((plane * height + row) * b + i) * width * b + j;
                        for (std::int64_t column = 0; column < width; ++column) out[column * b] = source[row * width + column];
                    }
                }
        });
    });
}

inline void infer_space_to_depth(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    symbolic_shape out;
    if (x.ranked()) {
        check(c.self, x.rank() == 4, "input must have shape (N, C, H, W), got ", x);
        const std::int64_t b = blocksize(c.self);
        out = symbolic_shape::of_rank(4);
        out[0] = x[0];
        if (x[1].known() && x[1].size < (std::int64_t{1} << 20)) out[1] = dim(x[1].size * b * b);
        for (std::size_t i = 2; i < 4; ++i)
            if (x[i].known()) {
                check(c.self, x[i].size % b == 0, "blocksize ", b, " does not divide ", x[i].size);
                out[i] = dim(x[i].size / b);
            }
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_space_to_depth(eval_context& c) {
    const tensor& x = c.input(0);
    const std::int64_t b = blocksize(c.self);
    check(c.self, x.rank() == 4 && x.extent(2) % b == 0 && x.extent(3) % b == 0, "input must have shape (N, C, H, W) with H and W multiples of ", b,
          ", got ", text(x));
    const std::int64_t channels = x.extent(1), height = x.extent(2) / b, width = x.extent(3) / b;
    tensor& y = c.output(0, x.type(), {x.extent(0), channels * b * b, height, width});
    dispatch_by_size(x.type(), [&]<class T>(type_tag<T>) {
        const T* from = static_cast<const T*>(x.raw());
        T* to = static_cast<T*>(y.mutable_raw());
        for_each_index(x.extent(0) * channels * b * b, height * width, [&](std::int64_t plane) {
            const std::int64_t n = plane / (channels * b * b), rest = plane % (channels * b * b);
            const std::int64_t i = rest / channels / b, j = rest / channels % b, k = rest % channels;
            const T* source = from + (n * channels + k) * height * b * width * b;
            T* out = to + plane * height * width;
            for (std::int64_t row = 0; row < height; ++row)
                for (std::int64_t column = 0; column < width; ++column) out[row * width + column] = source[(row * b + i) * width * b + column * b + j];
        });
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> rearrange_ops() {
    static constexpr op_def table[] = {
        {.name = "DepthToSpace", .until = 10, .attributes = "blocksize:int", .infer = detail::infer_depth_to_space, .eval = detail::eval_depth_to_space},
        {.name = "DepthToSpace", .since = 11, .attributes = "blocksize:int mode:string", .infer = detail::infer_depth_to_space,
         .eval = detail::eval_depth_to_space},
        {.name = "SpaceToDepth", .attributes = "blocksize:int", .infer = detail::infer_space_to_depth, .eval = detail::eval_space_to_depth},
    };
    return table;
}

}  // namespace ocelli::nn
