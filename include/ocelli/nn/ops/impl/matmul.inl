#pragma once

#include <ocelli/nn/ops/detail/einsum.hpp>
#include <ocelli/nn/ops/detail/widen.hpp>
#include <ocelli/nn/ops/matmul.hpp>

#include <cmath>
#include <functional>
#include <map>

namespace ocelli::nn {

namespace detail {

// A matrix in memory: element (i, j) at i * row + j * column.
template <class T>
struct matrix_operand {
    const T* data = nullptr;
    std::int64_t row = 0, column = 0;
};

// C (m, n) = A (m, k) B (k, n), C dense; sums run over k in its order. Four rows and a strip of columns at a time, so that B is read
// once for four rows and the sums stay in the first cache.
template <class T>
void multiply_matrices(std::int64_t m, std::int64_t n, std::int64_t k, matrix_operand<T> a, matrix_operand<T> b, T* c) {
    if (m == 0 || n == 0) return;
    constexpr std::int64_t strip = 256, rows = 4;
    const std::int64_t strips = (n - 1) / strip + 1, bands = (m - 1) / rows + 1;
    // A B whose columns are dense is laid out by rows first, unless it is read once only.
    std::vector<T> packed;
    if (b.column != 1 && b.row == 1 && m > rows && k > 0) {
        packed.resize(static_cast<std::size_t>(k * n));
        strided_loop<2> loop;
        loop.push(k, {b.row, n});
        loop.push(n, {b.column, 1});
        move_words(b.data, packed.data(), loop);
        b = {packed.data(), n, 1};
    }
    const std::int64_t work = std::max<std::int64_t>(1, rows * std::min(n, strip) * std::max<std::int64_t>(1, k));
    parallel_range(bands * strips, (std::int64_t{1} << 16) / work, [&](std::int64_t begin, std::int64_t end) {
        T sum[rows][strip];
        for (std::int64_t id = begin; id < end; ++id) {
            const std::int64_t i0 = id / strips * rows, j0 = id % strips * strip;
            const std::int64_t mr = std::min(rows, m - i0), nc = std::min(strip, n - j0);
            if (b.column != 1 && a.column == 1 && b.row == 1) {
                // Dot products of dense rows and columns, in eight interleaved sums.
                for (std::int64_t i = 0; i < mr; ++i)
                    for (std::int64_t j = 0; j < nc; ++j) {
                        const T* x = a.data + (i0 + i) * a.row;
                        const T* y = b.data + (j0 + j) * b.column;
                        T part[8] = {};
                        std::int64_t p = 0;
                        for (; p + 8 <= k; p += 8)
                            for (std::int64_t u = 0; u < 8; ++u) part[u] += x[p + u] * y[p + u];
                        T total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
                        for (; p < k; ++p) total += x[p] * y[p];
                        c[(i0 + i) * n + j0 + j] = total;
                    }
                continue;
            }
            for (std::int64_t i = 0; i < mr; ++i) std::fill(sum[i], sum[i] + nc, T(0));
            for (std::int64_t p = 0; p < k; ++p) {
                const T* y = b.data + p * b.row + j0 * b.column;
                for (std::int64_t i = 0; i < mr; ++i) {
                    const T x = a.data[(i0 + i) * a.row + p * a.column];
                    T* s = sum[i];
                    if (b.column == 1)
                        for (std::int64_t j = 0; j < nc; ++j) s[j] += x * y[j];
                    else
                        for (std::int64_t j = 0; j < nc; ++j) s[j] += x * y[j * b.column];
                }
            }
            for (std::int64_t i = 0; i < mr; ++i) std::copy(sum[i], sum[i] + nc, c + (i0 + i) * n + j0);
        }
    });
}

// The types of products. Integers are computed modulo 2^64, narrower ones widened.
using product_types = type_list<float, double, float16, bfloat16, std::int32_t, std::int64_t, std::uint32_t, std::uint64_t>;
using multiplied_types = type_list<float, double, std::int64_t>;
template <class T>
using product_t = modular_t<T>;

// Signed and unsigned integers may alias.
template <class T>
const product_t<T>* product_elements(const tensor& x) {
    return static_cast<const product_t<T>*>(x.raw());
}

// --- MatMul ---------------------------------------------------------------------------------------------------------------------------

inline void infer_matmul(infer_context& c) {
    const symbolic_shape& a = c.shape(0);
    const symbolic_shape& b = c.shape(1);
    if (!a.ranked() || !b.ranked()) return c.output(0, c.type(0), {});
    check(c.self, a.rank() >= 1 && b.rank() >= 1, "operands must have rank 1 or more");
    const dim inner_a = a[a.rank() - 1], inner_b = b[b.rank() - (b.rank() == 1 ? 1 : 2)];
    check(c.self, !inner_a.known() || !inner_b.known() || inner_a.size == inner_b.size, "shapes ", a, " and ", b, " do not multiply");
    const auto batch = [](const symbolic_shape& s) {
        const std::size_t lead = s.rank() > 2 ? s.rank() - 2 : 0;
        return symbolic_shape(std::vector<dim>(s.extents().begin(), s.extents().begin() + static_cast<std::ptrdiff_t>(lead)));
    };
    const auto lead = broadcast(batch(a), batch(b));
    check(c.self, lead.has_value(), "shapes ", a, " and ", b, " do not multiply");
    std::vector<dim> out = lead->extents();
    if (a.rank() > 1) out.push_back(a[a.rank() - 2]);
    if (b.rank() > 1) out.push_back(b[b.rank() - 1]);
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

inline void eval_matmul(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& b = c.input(1);
    check_same_type(c.self, a, b);
    check(c.self, a.rank() >= 1 && b.rank() >= 1, "operands must have rank 1 or more, got ", a, " and ", b);
    // A vector is a row on the left, a column on the right.
    dims sa = a.shape(), sb = b.shape();
    if (a.rank() == 1) sa.insert(sa.begin(), 1);
    if (b.rank() == 1) sb.push_back(1);
    const std::int64_t m = sa[sa.size() - 2], k = sa[sa.size() - 1], n = sb[sb.size() - 1];
    check(c.self, sb[sb.size() - 2] == k, "shapes ", a, " and ", b, " do not multiply");
    const dims lead_a(sa.begin(), sa.end() - 2), lead_b(sb.begin(), sb.end() - 2);
    const dims lead = broadcast_shape(c.self, lead_a, lead_b);
    dims shape = lead;
    if (a.rank() > 1) shape.push_back(m);
    if (b.rank() > 1) shape.push_back(n);
    tensor& y = c.output(0, a.type(), shape);
    // Pairs of matrices in the order of the output; one matrix on the right: all rows of the left at once.
    const bool one = element_count(lead_b) == 1;
    std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
    if (one) pairs.emplace_back(0, 0);
    else {
        const dims step_a = broadcast_strides(lead_a, lead), step_b = broadcast_strides(lead_b, lead);
        strided_loop<2> loop;
        for (std::size_t i = 0; i < lead.size(); ++i) loop.push(lead[i], {step_a[i] * m * k, step_b[i] * k * n});
        loop.each_row([&](const auto& from, std::int64_t count, const auto& step) {
            for (std::int64_t i = 0; i < count; ++i) pairs.emplace_back(from[0] + i * step[0], from[1] + i * step[1]);
        });
    }
    const std::int64_t rows = one ? element_count(lead_a) * m : m;
    dispatch(c.self, multiplied_types{}, a.type(), [&]<class T>(type_tag<T>) {
        using P = product_t<T>;
        const P* pa = product_elements<T>(a);
        const P* pb = product_elements<T>(b);
        P* py = static_cast<P*>(y.mutable_raw());
        for (const auto& [from_a, from_b] : pairs) {
            multiply_matrices<P>(rows, n, k, {pa + from_a, k, 1}, {pb + from_b, n, 1}, py);
            py += rows * n;
        }
    });
}

// --- Gemm -------------------------------------------------------------------------------------------------------------------------------

inline void infer_gemm(infer_context& c) {
    const bool ta = attr_int(c.self, "transA", 0) != 0, tb = attr_int(c.self, "transB", 0) != 0;
    const symbolic_shape& a = c.shape(0);
    const symbolic_shape& b = c.shape(1);
    symbolic_shape out = symbolic_shape::of_rank(2);
    if (a.ranked()) {
        check(c.self, a.rank() == 2, "A must have rank 2, got ", a);
        out[0] = a[ta ? 1 : 0];
    }
    if (b.ranked()) {
        check(c.self, b.rank() == 2, "B must have rank 2, got ", b);
        out[1] = b[tb ? 0 : 1];
    }
    c.output(0, c.type(0), std::move(out));
}

inline void eval_gemm(eval_context& c) {
    const tensor& a = c.input(0);
    const tensor& b = c.input(1);
    check_same_type(c.self, a, b);
    check(c.self, a.rank() == 2 && b.rank() == 2, "A and B must have rank 2, got ", a, " and ", b);
    const bool ta = attr_int(c.self, "transA", 0) != 0, tb = attr_int(c.self, "transB", 0) != 0;
    const float alpha = attr_float(c.self, "alpha", 1.0f), beta = attr_float(c.self, "beta", 1.0f);
    const std::int64_t m = a.extent(ta ? 1 : 0), k = a.extent(ta ? 0 : 1), n = b.extent(tb ? 0 : 1);
    check(c.self, b.extent(tb ? 1 : 0) == k, "shapes ", a, " and ", b, " do not multiply");
    const dims shape = {m, n};
    if (c.has_input(2)) {
        check_same_type(c.self, a, c.input(2));
        const auto fits = broadcast(c.input(2).shape(), shape);
        check(c.self, fits && *fits == shape, "C ", c.input(2), " does not broadcast to ", ocelli::detail::shape_text(shape));
    }
    check<unsupported_operator>(c.self, c.self.opset >= 9 || is_floating(a.type()), "element type ", name(a.type()), " is not supported");
    tensor& y = c.output(0, a.type(), shape);
    dispatch(c.self, multiplied_types{}, a.type(), [&]<class T>(type_tag<T>) {
        using P = product_t<T>;
        multiply_matrices<P>(m, n, k, {product_elements<T>(a), ta ? 1 : k, ta ? m : 1}, {product_elements<T>(b), tb ? 1 : n, tb ? k : 1},
                             static_cast<P*>(y.mutable_raw()));
        // alpha A B + beta C, in the arithmetic of the floats that scale; sums of integers wrap.
        using S = std::conditional_t<std::is_integral_v<T>, double, T>;
        const auto scaled = [](float factor, T v) { return static_cast<P>(factor == 1.0f ? v : convert_element<T>(static_cast<S>(factor) * static_cast<S>(v))); };
        T* to = y.mutable_data<T>();
        if (c.has_input(2)) {
            const tensor& bias = c.input(2);
            const dims step = broadcast_strides(bias.shape(), shape);
            const T* from = bias.data<T>();
            for (std::int64_t i = 0; i < m; ++i)
                for (std::int64_t j = 0; j < n; ++j)
                    to[i * n + j] = static_cast<T>(scaled(alpha, to[i * n + j]) + scaled(beta, from[i * step[0] + j * step[1]]));
        } else if (alpha != 1.0f) {
            for (std::int64_t i = 0; i < m * n; ++i) to[i] = static_cast<T>(scaled(alpha, to[i]));
        }
    });
}

// --- Einsum -------------------------------------------------------------------------------------------------------------------------------

inline void infer_einsum(infer_context& c) {
    std::vector<std::size_t> ranks;
    for (std::size_t i = 0; i < c.input_count(); ++i) {
        if (!c.shape(i).ranked()) return c.output(0, c.type(0), {});
        ranks.push_back(c.shape(i).rank());
    }
    const einsum_equation e = read_equation(c.self, ranks);
    std::vector<dim> out;
    for (const int label : e.output) {
        dim found;
        for (std::size_t i = 0; i < e.inputs.size(); ++i)
            for (std::size_t d = 0; d < e.inputs[i].size(); ++d) {
                const dim& here = c.shape(i)[d];
                if (e.inputs[i][d] == label && here.known() && (!found.known() || found.size == 1)) found = here;
                else if (e.inputs[i][d] == label && !found.known() && found.symbol.empty()) found = here;
            }
        out.push_back(found);
    }
    c.output(0, c.type(0), symbolic_shape(std::move(out)));
}

// The operand with its labels in the order of `wanted`, diagonals taken; labels it lacks have extent 1.
inline tensor arrange_operand(const tensor& x, const std::vector<int>& labels, const std::vector<int>& wanted) {
    const dims from = dense_strides(x.shape());
    dims shape, step;
    for (const int label : wanted) {
        std::int64_t extent = 1, stride = 0;
        for (std::size_t d = 0; d < labels.size(); ++d)
            if (labels[d] == label) {
                extent = x.extent(d);
                stride += from[d];
            }
        shape.push_back(extent);
        step.push_back(stride);
    }
    tensor out(x.type(), shape);
    const dims to = dense_strides(shape);
    strided_loop<2> loop;
    for (std::size_t i = 0; i < shape.size(); ++i) loop.push(shape[i], {step[i], to[i]});
    move_elements(x, 0, out, 0, loop);
    return out;
}

inline void eval_einsum(eval_context& c) {
    const std::size_t count = c.input_count();
    std::vector<std::size_t> ranks;
    for (std::size_t i = 0; i < count; ++i) {
        check_same_type(c.self, c.input(0), c.input(i));
        ranks.push_back(c.input(i).rank());
    }
    const einsum_equation e = read_equation(c.self, ranks);
    std::map<int, std::int64_t> extents;
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t d = 0; d < ranks[i]; ++d) {
            const int label = e.inputs[i][d];
            const std::int64_t here = c.input(i).extent(d);
            std::int64_t& known = extents.try_emplace(label, here).first->second;
            // The axes of the ellipsis broadcast, letters do not.
            if (label < 0 && known == 1) known = here;
            check(c.self, known == here || (label < 0 && here == 1), "extents of one label differ: ", known, " and ", here);
        }
    dims shape;
    for (const int label : e.output) shape.push_back(extents[label]);
    tensor& y = c.output(0, c.input(0).type(), shape);
    if (y.size() == 0) return;
    // Two operands whose labels are batch, row, column or summed are a product of matrices.
    if (count == 2) {
        std::vector<int> batch, rows, columns, summed;
        bool plain = true;
        for (const auto& [label, extent] : extents) {
            const bool in_a = std::count(e.inputs[0].begin(), e.inputs[0].end(), label) > 0, in_b = std::count(e.inputs[1].begin(), e.inputs[1].end(), label) > 0;
            const bool in_out = std::count(e.output.begin(), e.output.end(), label) > 0;
            if (label < 0 && in_a && in_b)
                for (std::size_t i = 0; i < 2; ++i)
                    for (std::size_t d = 0; d < ranks[i]; ++d) plain = plain && (e.inputs[i][d] != label || c.input(i).extent(d) == extent);
            if (in_a && in_b) (in_out ? batch : summed).push_back(label);
            else if (in_out) (in_a ? rows : columns).push_back(label);
            else plain = false;
        }
        if (plain) {
            const auto join = [](std::vector<int> u, const std::vector<int>& v, const std::vector<int>& w) {
                u.insert(u.end(), v.begin(), v.end());
                u.insert(u.end(), w.begin(), w.end());
                return u;
            };
            const auto total = [&](const std::vector<int>& labels) {
                dims all;
                for (const int label : labels) all.push_back(extents[label]);
                return element_count(all);
            };
            const tensor a = arrange_operand(c.input(0), e.inputs[0], join(batch, rows, summed));
            const tensor b = arrange_operand(c.input(1), e.inputs[1], join(batch, summed, columns));
            const std::vector<int> order = join(batch, rows, columns);
            dims product_shape;
            for (const int label : order) product_shape.push_back(extents[label]);
            const std::int64_t batches = total(batch), m = total(rows), n = total(columns), k = total(summed);
            tensor result(y.type(), product_shape);
            dispatch(c.self, multiplied_types{}, y.type(), [&]<class T>(type_tag<T>) {
                using P = product_t<T>;
                P* to = static_cast<P*>(result.mutable_raw());
                for (std::int64_t i = 0; i < batches; ++i)
                    multiply_matrices<P>(m, n, k, {product_elements<T>(a) + i * m * k, k, 1}, {product_elements<T>(b) + i * k * n, n, 1}, to + i * m * n);
            });
            const tensor arranged = arrange_operand(result, order, e.output);
            std::memcpy(y.mutable_raw(), arranged.raw(), arranged.bytes());
            return;
        }
    }
    // Any other: a loop over the output's labels around a loop over the summed ones.
    std::vector<int> summed;
    for (const auto& [label, extent] : extents)
        if (std::find(e.output.begin(), e.output.end(), label) == e.output.end()) summed.push_back(label);
    std::vector<std::map<int, std::int64_t>> strides(count);
    for (std::size_t i = 0; i < count; ++i) {
        const dims own = dense_strides(c.input(i).shape());
        for (std::size_t d = 0; d < ranks[i]; ++d)
            if (c.input(i).extent(d) != 1) strides[i][e.inputs[i][d]] += own[d];
    }
    std::vector<std::int64_t> at(count, 0);
    const auto nest = [&](const auto& self, const std::vector<int>& labels, std::size_t depth, const std::function<void()>& body) -> void {
        if (depth == labels.size()) return body();
        const std::int64_t extent = extents[labels[depth]];
        const std::vector<std::int64_t> before = at;
        for (std::int64_t i = 0; i < extent; ++i) {
            self(self, labels, depth + 1, body);
            for (std::size_t k = 0; k < count; ++k)
                if (const auto s = strides[k].find(labels[depth]); s != strides[k].end()) at[k] += s->second;
        }
        at = before;
    };
    dispatch(c.self, multiplied_types{}, y.type(), [&]<class T>(type_tag<T>) {
        using P = product_t<T>;
        std::vector<const P*> data(count);
        for (std::size_t i = 0; i < count; ++i) data[i] = product_elements<T>(c.input(i));
        T* out = y.mutable_data<T>();
        P sum = 0;
        const std::function<void()> add = [&] {
            P term = 1;
            for (std::size_t k = 0; k < count; ++k) term *= data[k][at[k]];
            sum += term;
        };
        nest(nest, e.output, 0, [&] {
            sum = 0;
            nest(nest, summed, 0, add);
            *out++ = static_cast<T>(sum);
        });
    });
}

// --- Det ------------------------------------------------------------------------------------------------------------------------------------

inline void infer_det(infer_context& c) {
    const symbolic_shape& x = c.shape(0);
    if (!x.ranked()) return c.output(0, c.type(0), {});
    check(c.self, x.rank() >= 2, "input must have rank 2 or more, got ", x);
    c.output(0, c.type(0), symbolic_shape(std::vector<dim>(x.extents().begin(), x.extents().end() - 2)));
}

// By elimination with the largest pivot of the column; destroys a.
inline double determinant(std::vector<double>& a, std::size_t n) {
    double det = 1;
    for (std::size_t k = 0; k < n; ++k) {
        std::size_t pivot = k;
        for (std::size_t i = k + 1; i < n; ++i)
            if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
        if (pivot != k) {
            for (std::size_t j = k; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
            det = -det;
        }
        const double diagonal = a[k * n + k];
        det *= diagonal;
        if (diagonal == 0) return det;
        for (std::size_t i = k + 1; i < n; ++i) {
            const double factor = a[i * n + k] / diagonal;
            for (std::size_t j = k + 1; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return det;
}

inline void eval_det(eval_context& c) {
    const tensor& x = c.input(0);
    check(c.self, x.rank() >= 2 && x.extent(x.rank() - 1) == x.extent(x.rank() - 2), "input must hold square matrices, got ", x);
    const dims shape(x.shape().begin(), x.shape().end() - 2);
    const std::int64_t n = x.shape().back();
    dispatch(c.self, real_types{}, x.type(), [&]<class T>(type_tag<T>) {
        tensor& y = c.output(0, x.type(), shape);
        std::vector<double> matrix(static_cast<std::size_t>(n * n));
        for (std::int64_t i = 0; i < y.size(); ++i) {
            for (std::int64_t j = 0; j < n * n; ++j) matrix[static_cast<std::size_t>(j)] = static_cast<double>(x.data<T>()[i * n * n + j]);
            y.mutable_data<T>()[i] = static_cast<T>(determinant(matrix, static_cast<std::size_t>(n)));
        }
    });
}

}  // namespace detail

OCELLI_INLINE std::span<const op_def> matmul_ops() {
    using namespace detail;
    constexpr auto rounding = exactness::rounding;
    static constexpr op_def table[] = {
        {.name = "MatMul", .min_inputs = 2, .max_inputs = 2, .infer = infer_matmul, .eval = in_modular<eval_matmul, product_types>, .results = rounding},
        {.name = "Gemm", .until = 6, .min_inputs = 3, .max_inputs = 3, .attributes = "alpha:float beta:float broadcast:int transA:int transB:int",
         .infer = infer_gemm, .eval = in_wide<eval_gemm, product_types>, .results = rounding},
        {.name = "Gemm", .since = 7, .min_inputs = 2, .max_inputs = 3, .attributes = "alpha:float beta:float transA:int transB:int", .infer = infer_gemm,
         .eval = in_wide<eval_gemm, product_types>, .results = rounding},
        {.name = "Einsum", .since = 12, .max_inputs = -1, .attributes = "equation:string", .infer = infer_einsum, .eval = in_modular<eval_einsum, product_types>, .results = rounding},
        {.name = "Det", .since = 11, .infer = infer_det, .eval = in_float<eval_det>, .results = rounding},
    };
    return table;
}

}  // namespace ocelli::nn
