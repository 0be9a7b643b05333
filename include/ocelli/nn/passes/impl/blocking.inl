#pragma once

#include <ocelli/nn/kernels/grouped.hpp>
#include <ocelli/nn/kernels/transposed.hpp>
#include <ocelli/nn/kernels/winograd.hpp>
#include <ocelli/nn/ops/blocked.hpp>
#include <ocelli/nn/ops/op.hpp>
#include <ocelli/nn/passes/blocking.hpp>

#include <algorithm>
#include <map>
#include <string_view>

namespace ocelli::nn::passes {

namespace detail_blocking {

enum class zeros {
    lost,
    kept,    ///< f(0) = 0: unused lanes stay zero
    changed  ///< works where every lane is used
};
inline zeros unary_zeros(std::string_view op) {
    constexpr std::string_view kept[] = {"Relu", "LeakyRelu", "Elu",  "Celu", "Selu",  "Tanh", "Abs",  "Neg", "Sqrt", "HardSwish",
                                         "Gelu", "Erf",       "Sign", "Ceil", "Floor", "Round", "Mish", "Sin", "Atan", "Softsign",
                                         "FakeQuantize"};
    constexpr std::string_view changed[] = {"Sigmoid", "HardSigmoid", "Exp", "Softplus", "Clip", "Log", "Reciprocal"};
    if (std::find(std::begin(kept), std::end(kept), op) != std::end(kept)) return zeros::kept;
    return std::find(std::begin(changed), std::end(changed), op) != std::end(changed) ? zeros::changed : zeros::lost;
}
inline zeros binary_zeros(std::string_view op) {
    if (op == "Add" || op == "Sub" || op == "Mul") return zeros::kept;
    return op == "Div" || op == "Max" || op == "Min" || op == "Pow" || op == "PRelu" ? zeros::changed : zeros::lost;
}

/// A constant that broadcasts against (N, channels, ...) of this rank, laid out to broadcast against its blocks; undefined where it does not.
inline tensor constant_in_blocks(const tensor& t, std::size_t rank, std::int64_t channels, std::int64_t lanes) {
    if (t.type() != dtype::float32 || t.rank() > rank) return {};
    dims shape(rank - t.rank(), 1);
    shape.insert(shape.end(), t.shape().begin(), t.shape().end());
    if (shape[1] == 1) {
        shape.push_back(1);
        return t.reshaped(shape);
    }
    if (shape[1] != channels) return {};
    return in_blocks(t.reshaped(shape), lanes);
}

/// The walk over the graph, and the patch it writes.
class walk {
public:
    explicit walk(const graph& g) : g_(g), lanes_(block_lanes()) {
        for (const node& n : g.nodes)
            if (n.domain == "ocelli" && n.op == "Unblock" && attr_int(n, "last", 0) == 0) blocks_[n.outputs[0]] = {n.inputs[0], attr_int(n, "channels")};
    }

    std::vector<patch> run() {
        for (const node& n : g_.nodes) {
            if (n.inputs.empty() || n.inputs[0] == no_value) continue;
            if (n.domain.empty() && n.op == "Split") split(n);
            if (n.outputs.size() != 1 || n.outputs[0] == no_value) continue;
            if (n.domain == "ocelli" && n.op == "Conv") convolution(n);
            else if (n.domain == "ocelli" && n.op == "ConvTranspose") transposed(n);
            else if (n.domain == "ocelli" && n.op == "FakeQuantize") elementwise(n);
            else if (!n.domain.empty()) continue;
            else if (n.op == "Concat") concat(n);
            else if (n.op == "Gather") gather(n);
            else if (has_blocked_form(n)) window(n);
            else elementwise(n);
        }
        if (p_.nodes.empty()) return {};
        p_.reason = ocelli::detail::concat("images in blocks of ", lanes_, " channels", p_.reason);
        std::vector<patch> found;
        found.push_back(std::move(p_));
        return found;
    }

private:
    struct image {
        value_id value = no_value;
        std::int64_t channels = 0;
    };

    const image* blocks_of(value_id v) const {
        const auto it = blocks_.find(v);
        return it == blocks_.end() ? nullptr : &it->second;
    }
    /// The blocks of v, of an image with `channels`.
    value_id need_blocks(value_id v, std::int64_t channels) {
        if (const image* there = blocks_of(v)) return there->value;
        const value_id made = p_.add_value(g_, g_.at(v).name + " in blocks", {dtype::float32, {}, {}});
        p_.nodes.push_back({.name = g_.at(v).name, .op = "Block", .domain = "ocelli", .opset = 1, .attributes = {{"lanes", lanes_}}, .inputs = {v}, .outputs = {made}});
        blocks_[v] = {made, channels};
        return made;
    }
    /// The node in place of `old`, with a result in blocks; and the same in planes, for those who need them.
    void put(node n, const node& old, std::int64_t channels) { put(std::move(n), old, old.outputs[0], channels); }
    void put(node n, const node& old, value_id out, std::int64_t channels) {
        p_.reason += ocelli::detail::concat("\n    ", old.op, " '", old.name, "'");
        if (has_attribute(n, "kernel")) p_.reason += " on " + attr_string(n, "kernel");
        if (attr_int(n, "planes", 0) != 0) {
            n.outputs = {p_.add_value(g_, g_.at(out).name, g_.at(out).what)};
            p_.replace.push_back({out, n.outputs[0]});
            p_.nodes.push_back(std::move(n));
            return;
        }
        const value_id made = p_.add_value(g_, g_.at(out).name + " in blocks", {dtype::float32, {}, {}});
        n.outputs = {made};
        p_.nodes.push_back(std::move(n));
        const value_id planes = p_.add_value(g_, g_.at(out).name, g_.at(out).what);
        p_.nodes.push_back({.name = g_.at(out).name, .op = "Unblock", .domain = "ocelli", .opset = 1, .attributes = {{"channels", channels}}, .inputs = {made},
                            .outputs = {planes}});
        p_.replace.push_back({out, planes});
        blocks_[out] = {made, channels};
    }
    /// Mostly empty lanes cost more than planes.
    bool worthwhile(std::int64_t channels) const { return 2 * block_count(channels, lanes_) * lanes_ <= 3 * channels; }

    void convolution(const node& n) {
        if (has_attribute(n, "kernel")) return;
        const tensor* w = detail::constant_input(g_, n, 1);
        if (w == nullptr) return;
        conv_layer l;
        l.group = attr_int(n, "group", 1);
        l.filters = w->extent(0);
        l.channels = w->extent(1) * l.group;
        if (l.group < 1 || l.filters % l.group != 0) return;
        const conv_choice chosen = choose_kernel(l, n, *w);
        if (!chosen.kernel.empty()) put_convolution(n, l.channels, l.filters, chosen.needs_blocks, chosen.kernel);
    }

    struct conv_choice {
        std::string kernel = {};  ///< empty: the layer stays on planes
        bool needs_blocks = false;
    };
    conv_choice choose_kernel(const conv_layer& l, const node& n, const tensor& w) const {
        const bool depthwise = l.group > 1 && w.extent(1) == 1 && l.filters == l.group;
        if (depthwise) return w.rank() > 4 ? conv_choice{} : conv_choice{"blocked_depthwise", true};
        const conv_layer whole = with_extents(l, n, w);
        if (w.rank() == 4 && whole.kernel_height != 0 && blocked_grouped_pays(whole)) return {"blocked_grouped", true};
        if (!blocked_conv_takes(l)) return {};
        if (winograd_takes(whole)) {
            if (whole.out_height == 0) return {"blocked_by_extents", true};
            if (const int tile = winograd_tile(whole); tile != 0) return {ocelli::detail::concat("blocked_winograd", tile), true};
        }
        const bool pointwise = std::all_of(w.shape().begin() + 2, w.shape().end(), [](std::int64_t e) { return e == 1; });
        return {pointwise ? "blocked_pointwise" : "blocked_direct", false};
    }

    void transposed(const node& n) {
        if (has_attribute(n, "kernel")) return;
        const tensor* w = detail::constant_input(g_, n, 1);
        if (w == nullptr || w->rank() > 4) return;
        conv_layer l;
        l.group = attr_int(n, "group", 1);
        l.filters = w->extent(0);
        l.channels = w->extent(1) * l.group;
        const std::vector<std::int64_t> ones(w->rank() - 2, 1), strides = attr_ints(n, "strides", ones), dilations = attr_ints(n, "dilations", ones);
        if (strides.size() != ones.size() || dilations.size() != ones.size()) return;
        l.stride_x = strides.back();
        l.dilation_x = dilations.back();
        l.stride_y = strides.size() == 2 ? strides[0] : 1;
        l.dilation_y = strides.size() == 2 ? dilations[0] : 1;
        if (l.stride_x < 1 || l.stride_y < 1 || l.stride_x > 64 || l.stride_y > 64 || !blocked_transpose_takes(l)) return;
        const conv_layer whole = transposed_with_extents(l, n, *w);
        if (transpose_columns_takes(whole)) put_convolution(n, l.filters, l.channels, true, "blocked_transpose_columns", true);
        else if (transpose_winograd_pays(whole)) put_convolution(n, l.filters, l.channels, true, "blocked_transpose_winograd");
        else put_convolution(n, l.filters, l.channels, false, "blocked_transpose");
    }

    /// The layer with its kernel's and images' extents; those of images 0 where they are not known, or there are not two axes.
    conv_layer transposed_with_extents(conv_layer l, const node& n, const tensor& w) const {
        const auto in = g_.at(n.inputs[0]).what.shape, out = g_.at(n.outputs[0]).what.shape;
        l.kernel_width = w.shape().back();
        l.kernel_height = w.rank() == 4 ? w.extent(2) : 1;
        l.height = l.out_height = l.width = l.out_width = 0;
        if (w.rank() != 4 || !in.ranked() || !out.ranked() || in.rank() != 4 || out.rank() != 4) return l;
        for (std::size_t i = 2; i < 4; ++i)
            if (!in[i].known() || !out[i].known() || in[i].size > (1 << 24) || out[i].size > (1 << 24)) return l;
        l.out_height = in[2].size;
        l.out_width = in[3].size;
        l.height = out[2].size;
        l.width = out[3].size;
        const auto pad = [](std::int64_t x, std::int64_t stride, std::int64_t kernel, std::int64_t y) { return std::max<std::int64_t>(0, (x - 1) * stride + kernel - y) / 2; };
        l.pad_top = pad(l.out_height, l.stride_y, l.kernel_height, l.height);
        l.pad_left = pad(l.out_width, l.stride_x, l.kernel_width, l.width);
        return l;
    }

    /// The convolution on blocks. It reads planes as well as blocks, unless it needs blocks. `planes`: its addend and result are planes.
    void put_convolution(const node& n, std::int64_t in, std::int64_t out, bool needs_blocks, std::string kernel, bool planes = false) {
        std::vector<std::int64_t> channels(n.inputs.size(), 0);
        std::vector<value_id> inputs = n.inputs;
        if (needs_blocks || blocks_of(inputs[0]) != nullptr) {
            inputs[0] = need_blocks(inputs[0], in);
            channels[0] = in;
        }
        if (inputs.size() > 3 && inputs[3] != no_value && !planes) {
            inputs[3] = need_blocks(inputs[3], out);
            channels[3] = out;
        }
        node blocked = blocked_form(n, lanes_, std::move(channels));
        blocked.inputs = std::move(inputs);
        set_attribute(blocked, "kernel", std::move(kernel));
        if (planes) set_attribute(blocked, "planes", std::int64_t{1});
        put(std::move(blocked), n, out);
    }

    /// The layer with its windows and extents, as far as Winograd asks for them; extents 0 where they are not known, kernel 0 where there
    /// are not two axes at least.
    conv_layer with_extents(conv_layer l, const node& n, const tensor& w) const {
        const auto in = g_.at(n.inputs[0]).what.shape, out = g_.at(n.outputs[0]).what.shape;
        const std::size_t rank = w.rank();
        const dims ones(rank - 2, 1), strides = attr_ints(n, "strides", ones), dilations = attr_ints(n, "dilations", ones);
        if (rank < 4 || strides.size() != ones.size() || dilations.size() != ones.size()) {
            l.kernel_height = 0;
            return l;
        }
        l.kernel_height = w.extent(rank - 2);
        l.kernel_width = w.extent(rank - 1);
        l.kernel_depth = rank == 5 ? w.extent(2) : 1;
        l.stride_y = strides[rank - 4];
        l.stride_x = strides[rank - 3];
        l.dilation_y = dilations[rank - 4];
        l.dilation_x = dilations[rank - 3];
        l.out_height = l.out_width = 0;
        bool known = in.ranked() && out.ranked() && in.rank() == rank && out.rank() == rank;
        for (std::size_t i = rank - 2; known && i < rank; ++i) known = in[i].known() && out[i].known();
        constexpr std::int64_t far = std::int64_t{1} << 31;  // no image; the sums below stay numbers
        known = known && l.dilation_y < far && l.dilation_x < far && in[rank - 2].size < far && in[rank - 1].size < far && out[rank - 2].size < far &&
                out[rank - 1].size < far;
        if (!known) return l;
        l.height = in[rank - 2].size;
        l.width = in[rank - 1].size;
        l.out_height = out[rank - 2].size;
        l.out_width = out[rank - 1].size;
        const auto pad = [](std::int64_t results, std::int64_t taps, std::int64_t dilation, std::int64_t extent) {  // strides are 1 where it matters
            return std::max<std::int64_t>(0, results - 1 + (taps - 1) * dilation + 1 - extent) / 2;
        };
        l.pad_top = pad(l.out_height, l.kernel_height, l.dilation_y, l.height);
        l.pad_left = pad(l.out_width, l.kernel_width, l.dilation_x, l.width);
        return l;
    }

    /// Whether what stands beside the image is constant, and leaves the channels as they are.
    bool parameters_fit(const node& n, std::int64_t channels) const {
        if (n.op == "InstanceNormalization" || n.op == "BatchNormalization") {
            for (std::size_t i = 1; i < n.inputs.size(); ++i) {
                const tensor* t = detail::constant_input(g_, n, i);
                if (t == nullptr || t->type() != dtype::float32 || t->size() != channels) return false;
            }
            const bool training = attr_int(n, "training_mode", 0) != 0 || (n.op == "BatchNormalization" && n.opset < 7 && attr_int(n, "is_test", 0) == 0);
            return !training && attr_int(n, "spatial", 1) == 1;
        }
        if (n.op == "Resize" || n.op == "Upsample") {
            // Extents that are known before a run, for rows and columns of planes.
            const auto in = g_.at(n.inputs[0]).what.shape, out = g_.at(n.outputs[0]).what.shape;
            if (!in.ranked() || !out.ranked() || in.rank() != 4 || out.rank() != 4) return false;
            for (std::size_t i = 1; i < n.inputs.size(); ++i)
                if (n.inputs[i] != no_value && detail::constant_input(g_, n, i) == nullptr) return false;
            return attr_string(n, "coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize" && !has_attribute(n, "axes") &&
                   in[1].known() && out[1].known() && in[1].size == channels && out[1].size == channels;
        }
        return true;
    }

    void window(const node& n) {
        const image* x = blocks_of(n.inputs[0]);
        if (x == nullptr || !worthwhile(x->channels) || !parameters_fit(n, x->channels)) return;
        const std::int64_t channels = x->channels;
        node blocked = blocked_form(n, lanes_, {channels});
        blocked.inputs = n.inputs;
        blocked.inputs[0] = x->value;
        put(std::move(blocked), n, channels);
    }

    bool along_channels(const node& n, std::int64_t fallback) const {
        const symbolic_shape& shape = g_.at(n.inputs[0]).what.shape;
        const std::int64_t axis = attr_int(n, "axis", fallback);
        return shape.ranked() && shape.rank() >= 3 && (axis == 1 || axis + static_cast<std::int64_t>(shape.rank()) == 1);
    }

    void concat(const node& n) {
        if (!along_channels(n, 1)) return;
        node blocked = n;
        set_attribute(blocked, "axis", std::int64_t{1});
        std::int64_t channels = 0;
        bool whole = true;
        std::vector<place> all;
        for (std::size_t i = 0; i < n.inputs.size(); ++i) {
            const image* x = n.inputs[i] == no_value ? nullptr : blocks_of(n.inputs[i]);
            if (x == nullptr) return;
            // A block with unused lanes fits at the end only; and what is picked from others need not be there.
            const auto from = places_.find(n.inputs[i]);
            const bool picked = from != places_.end() && from->second.picked;
            const bool there = picked && channels % lanes_ == 0 && x->channels % lanes_ == 0 && read_whole(n.inputs[i]);
            whole = whole && channels % lanes_ == 0 && (!picked || there);
            channels += x->channels;
            blocked.inputs[i] = x->value;
            const std::vector<place> these = there ? channels_of(*x) : places_of(n.inputs[i]);
            all.insert(all.end(), these.begin(), these.end());
        }
        if (whole) {
            put(std::move(blocked), n, channels);
            places_[n.outputs[0]] = {std::move(all), false};
        } else put_picked(n, n.outputs[0], std::move(all));
    }

    /// Channels by number.
    void gather(const node& n) {
        const tensor* indices = detail::constant_input(g_, n, 1);
        const image* x = blocks_of(n.inputs[0]);
        if (x == nullptr || indices == nullptr || indices->rank() != 1 || indices->type() != dtype::int64 || indices->size() == 0 || !along_channels(n, 0)) return;
        const std::vector<place> from = places_of(n.inputs[0]);
        std::vector<place> all;
        for (std::int64_t i = 0; i < indices->size(); ++i) {
            std::int64_t channel = indices->data<std::int64_t>()[i];
            if (channel < 0) channel += x->channels;
            if (channel < 0 || channel >= x->channels) return;
            all.push_back(from[static_cast<std::size_t>(channel)]);
        }
        put_picked(n, n.outputs[0], std::move(all));
    }

    void split(const node& n) {
        const image* x = blocks_of(n.inputs[0]);
        if (x == nullptr || !along_channels(n, 0)) return;
        const std::vector<place> from = places_of(n.inputs[0]);
        std::int64_t first = 0;
        std::vector<std::int64_t> channels;
        for (const value_id v : n.outputs) {
            const symbolic_shape& shape = v == no_value ? symbolic_shape() : g_.at(v).what.shape;
            if (!shape.ranked() || shape.rank() < 3 || !shape[1].known() || shape[1].size < 1) return;
            channels.push_back(shape[1].size);
            first += shape[1].size;
        }
        if (first != x->channels) return;
        first = 0;
        for (std::size_t i = 0; i < channels.size(); first += channels[i++])
            put_picked(n, n.outputs[i], {from.begin() + static_cast<std::ptrdiff_t>(first), from.begin() + static_cast<std::ptrdiff_t>(first + channels[i])});
    }

    /// A channel of an image in blocks.
    struct place {
        value_id image;
        std::int64_t channel;
    };
    /// Where the channels of v, which has blocks, come from.
    std::vector<place> places_of(value_id v) const {
        if (const auto it = places_.find(v); it != places_.end()) return it->second.all;
        return channels_of(blocks_.at(v));
    }
    static std::vector<place> channels_of(const image& x) {
        std::vector<place> all;
        for (std::int64_t c = 0; c < x.channels; ++c) all.push_back({x.value, c});
        return all;
    }
    /// Whether v is read by more than what picks from where its channels come from.
    bool read_whole(value_id v) const {
        return std::any_of(g_.nodes.begin(), g_.nodes.end(), [&](const node& n) {
            return n.op != "Concat" && n.op != "Gather" && n.op != "Split" && std::find(n.inputs.begin(), n.inputs.end(), v) != n.inputs.end();
        });
    }
    /// `out` of `old` as channels picked from images in blocks. Who picks from it in turn picks from those.
    void put_picked(const node& old, value_id out, std::vector<place> all) {
        node n{.name = old.name, .op = "Channels", .domain = "ocelli", .opset = 1};
        std::vector<std::int64_t> images, channels;
        for (const place& p : all) {
            const auto at = std::find(n.inputs.begin(), n.inputs.end(), p.image);
            images.push_back(at - n.inputs.begin());
            channels.push_back(p.channel);
            if (at == n.inputs.end()) n.inputs.push_back(p.image);
        }
        n.attributes = {{"lanes", lanes_}, {"images", std::move(images)}, {"channels", std::move(channels)}};
        const auto count = static_cast<std::int64_t>(all.size());
        put(std::move(n), old, out, count);
        places_[out] = {std::move(all), true};
    }

    void elementwise(const node& n) {
        const bool clip = n.op == "Clip";
        const std::size_t count = clip ? 1 : n.inputs.size();
        const zeros kind = count == 1 ? unary_zeros(n.op) : count == 2 ? binary_zeros(n.op) : zeros::lost;
        const image* first = nullptr;
        std::size_t rank = 0;
        for (std::size_t i = 0; i < count; ++i)
            if (const image* x = n.inputs[i] == no_value ? nullptr : blocks_of(n.inputs[i]); x != nullptr && first == nullptr) {
                first = x;
                rank = g_.at(n.inputs[i]).what.shape.rank();
            }
        if (first == nullptr || kind == zeros::lost || rank < 3 || !worthwhile(first->channels)) return;
        const std::int64_t channels = first->channels;
        const bool full = channels % lanes_ == 0;
        if (kind == zeros::changed && !full) return;
        node blocked = n;
        std::vector<std::pair<std::size_t, tensor>> constants;
        for (std::size_t i = 0; i < count; ++i) {
            if (n.inputs[i] == no_value) return;
            if (const image* x = blocks_of(n.inputs[i])) {
                if (x->channels != channels || g_.at(n.inputs[i]).what.shape.rank() != rank) return;
                blocked.inputs[i] = x->value;
                continue;
            }
            const tensor* t = detail::constant_input(g_, n, i);
            tensor blocks = t == nullptr ? tensor() : constant_in_blocks(*t, rank, channels, lanes_);
            // A number added to unused lanes would not leave them zero.
            if (!blocks.defined() || !(full || n.op == "Mul" || blocks.shape().back() == lanes_)) return;
            constants.emplace_back(i, std::move(blocks));
        }
        for (auto& [i, blocks] : constants) blocked.inputs[i] = p_.add_constant(g_, "", std::move(blocks));
        put(std::move(blocked), n, channels);
    }

    const graph& g_;
    const std::int64_t lanes_;
    patch p_;
    std::map<value_id, image> blocks_;
    struct origin {
        std::vector<place> all;
        bool picked = false;  ///< by a Channels node
    };
    std::map<value_id, origin> places_;
};

/// Half blocks that tiles multiply for so many filters: a second block of which half is used costs half.
inline std::int64_t half_blocks(std::int64_t filters, std::int64_t lanes) {
    const std::int64_t full = filters / lanes, rest = filters % lanes;
    return 2 * full + (rest == 0 ? 0 : full % 2 == 1 && 2 * rest <= lanes ? 1 : 2);
}
/// Whether two convolutions of one image can be one.
inline bool alike(const node& a, const node& b, const tensor& wa, const tensor& wb) {
    if (a.inputs[0] != b.inputs[0] || wa.rank() != wb.rank() || !std::equal(wa.shape().begin() + 1, wa.shape().end(), wb.shape().begin() + 1)) return false;
    for (const char* name : {"dilations", "pads", "strides"})
        if (attr_ints(a, name, {}) != attr_ints(b, name, {})) return false;
    for (const char* name : {"alpha", "beta"})
        if (attr_float(a, name, 0.0f) != attr_float(b, name, 0.0f)) return false;
    return attr_string(a, "auto_pad", "NOTSET") == attr_string(b, "auto_pad", "NOTSET") && attr_string(a, "activation", "none") == attr_string(b, "activation", "none");
}

}  // namespace detail_blocking

OCELLI_INLINE std::vector<patch> sibling_convolutions(const graph& g) {
    using namespace detail_blocking;
    const std::int64_t lanes = block_lanes();
    // Those whose filters are few, and that no depthwise convolution takes along.
    const auto takes_part = [&](const node& n) {
        if (n.domain != "ocelli" || n.op != "Conv" || n.inputs[0] == no_value || attr_int(n, "group", 1) != 1 || has_attribute(n, "kernel")) return false;
        const tensor *w = detail::constant_input(g, n, 1), *b = detail::constant_input(g, n, 2);
        if (w == nullptr || w->type() != dtype::float32 || w->rank() < 3 || w->extent(0) % lanes == 0 || w->extent(1) < lanes) return false;
        const bool has_bias = n.inputs.size() > 2 && n.inputs[2] != no_value;
        if (has_bias && (b == nullptr || b->type() != dtype::float32 || b->size() != w->extent(0))) return false;
        for (std::size_t i = 3; i < n.inputs.size(); ++i)
            if (n.inputs[i] != no_value) return false;
        return true;
    };
    std::vector<const node*> few;
    for (const node& n : g.nodes)
        if (takes_part(n)) few.push_back(&n);
    for (const node& n : g.nodes)
        if (n.op == "Conv" && attr_int(n, "group", 1) != 1) std::erase_if(few, [&](const node* f) { return f->outputs[0] == n.inputs[0]; });
    std::vector<patch> found;
    for (std::size_t first = 0; first < few.size(); ++first) {
        if (few[first] == nullptr) continue;
        const tensor& w = *detail::constant_input(g, *few[first], 1);
        std::vector<const node*> together;
        std::int64_t filters = 0, apart = 0, picked = 0;
        for (std::size_t i = first; i < few.size(); ++i) {
            if (few[i] == nullptr) continue;
            const tensor& v = *detail::constant_input(g, *few[i], 1);
            if (!alike(*few[first], *few[i], w, v)) continue;
            together.push_back(few[i]);
            filters += v.extent(0);
            apart += half_blocks(v.extent(0), lanes);
            picked += block_count(v.extent(0), lanes);
        }
        // To pick a pixel's channels out of the result again takes as long as 26 products of a block.
        const std::int64_t saved = apart - half_blocks(filters, lanes), taps = w.size() / w.extent(0);
        if (together.size() < 2 || 8 * saved < apart || saved * taps < 52 * picked) continue;
        patch p{.reason = ocelli::detail::concat(together.size(), " convolutions of the image that '", few[first]->name, "' reads run as one")};
        dims shape = w.shape();
        shape[0] = filters;
        tensor weights(dtype::float32, shape), bias(dtype::float32, {filters}), counts(dtype::int64, {static_cast<std::int64_t>(together.size())});
        node split{.name = few[first]->name + ".split", .op = "Split", .opset = 13, .attributes = {{"axis", std::int64_t{1}}}};
        std::int64_t at = 0;
        for (std::size_t i = 0; i < together.size(); ++i) {
            const node& n = *together[i];
            const tensor &from = *detail::constant_input(g, n, 1), *b = detail::constant_input(g, n, 2);
            std::copy_n(from.data<float>(), from.size(), weights.mutable_data<float>() + at * taps);
            if (b != nullptr) std::copy_n(b->data<float>(), b->size(), bias.mutable_data<float>() + at);
            else std::fill_n(bias.mutable_data<float>() + at, from.extent(0), 0.0f);
            counts.mutable_data<std::int64_t>()[i] = from.extent(0);
            at += from.extent(0);
            split.outputs.push_back(p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what));
            p.replace.push_back({n.outputs[0], split.outputs.back()});
        }
        node all = *few[first];
        const value_id result = p.add_value(g, "", {});
        all.inputs = {all.inputs[0], p.add_constant(g, "", weights), p.add_constant(g, "", bias)};
        all.outputs = {result};
        split.inputs = {result, p.add_constant(g, "", counts)};
        p.nodes.push_back(std::move(all));
        p.nodes.push_back(std::move(split));
        found.push_back(std::move(p));
        std::replace_if(few.begin(), few.end(), [&](const node* n) { return std::find(together.begin(), together.end(), n) != together.end(); }, nullptr);
    }
    return found;
}

OCELLI_INLINE std::vector<patch> channel_blocking(const graph& g) {
    return detail_blocking::walk(g).run();
}

namespace detail_blocking {

inline bool runs_as(const node& n, std::string_view kernel) {
    return n.domain == "ocelli.blocked" && n.op == "Conv" && attr_string(n, "kernel", "") == kernel;
}
inline bool has_input(const node& n, std::size_t i) {
    return i < n.inputs.size() && n.inputs[i] != no_value;
}
/// A pointwise convolution of an image in blocks, pixel by pixel: one group, stride 1, no padding.
inline bool is_pointwise(const graph& g, const node& n) {
    const auto are = [&](std::string_view name, std::int64_t wanted) {
        const dims found = attr_ints(n, name, dims());
        return std::all_of(found.begin(), found.end(), [&](std::int64_t i) { return i == wanted; });
    };
    if (!runs_as(n, "blocked_pointwise")) return false;
    const tensor* w = detail::constant_input(g, n, 1);
    return w != nullptr && w->rank() == 4 && attr_int(n, "group", 1) == 1 && are("strides", 1) && are("pads", 0) && attr_ints(n, "channels").at(0) != 0;
}

}  // namespace detail_blocking

OCELLI_INLINE std::vector<patch> channels_last(const graph& g) {
    std::vector<patch> found;
    const auto uses = g.use_counts();
    for (const node& n : g.nodes) {
        if (!n.domain.empty() || n.op != "Transpose" || g.at(n.inputs[0]).producer == no_node || !detail::used_once(g, uses, n.inputs[0])) continue;
        const node& unblock = g.node_at(g.at(n.inputs[0]).producer);
        const dims perm = attr_ints(n, "perm", {});
        if (unblock.domain != "ocelli" || unblock.op != "Unblock" || attr_int(unblock, "last", 0) != 0 || perm.size() < 3 || perm[0] != 0 || perm.back() != 1) continue;
        bool fits = true;
        for (std::size_t i = 1; i + 1 < perm.size(); ++i) fits = fits && perm[i] == static_cast<std::int64_t>(i + 1);
        if (!fits) continue;
        patch p{.reason = ocelli::detail::concat("Transpose '", n.name, "' reads blocks")};
        node joined = unblock;
        joined.name = n.name;
        set_attribute(joined, "last", std::int64_t{1});
        joined.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
        p.replace.push_back({n.outputs[0], joined.outputs[0]});
        p.nodes.push_back(std::move(joined));
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> depthwise_fusion(const graph& g) {
    using namespace detail_blocking;
    std::vector<patch> found;
    const auto uses = g.use_counts();
    for (const node& n : g.nodes) {
        if (!runs_as(n, "blocked_depthwise") || has_input(n, 3) || g.at(n.inputs[0]).producer == no_node || !detail::used_once(g, uses, n.inputs[0])) continue;
        const node& first = g.node_at(g.at(n.inputs[0]).producer);
        const tensor* w = detail::constant_input(g, n, 1);
        if (!is_pointwise(g, first) || has_input(first, 3) || w == nullptr || w->rank() != 4 || (w->extent(2) == 1 && w->extent(3) == 1)) continue;
        patch p{.reason = ocelli::detail::concat("Conv '", first.name, "' runs together with the depthwise Conv '", n.name, "'")};
        node both = n;
        both.op = "PointwiseDepthwise";
        both.def = nullptr;
        for (const std::string_view name : {"activation", "alpha", "beta"})
            if (const attribute* a = find_attribute(first, name)) set_attribute(both, ocelli::detail::concat("first_", name), a->what);
        set_attribute(both, "channels", attr_ints(first, "channels"));
        set_attribute(both, "kernel", std::string("blocked_pointwise_depthwise"));
        both.inputs.resize(8, no_value);
        both.inputs[0] = first.inputs[0];
        both.inputs[5] = first.inputs[1];
        both.inputs[6] = has_input(first, 2) ? first.inputs[2] : no_value;
        both.inputs[7] = has_input(first, 4) ? first.inputs[4] : no_value;
        both.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
        p.replace.push_back({n.outputs[0], both.outputs[0]});
        p.nodes.push_back(std::move(both));
        found.push_back(std::move(p));
    }
    return found;
}

OCELLI_INLINE std::vector<patch> gate_fusion(const graph& g) {
    using namespace detail_blocking;
    std::vector<patch> found;
    const auto uses = g.use_counts();
    for (const node& n : g.nodes) {
        if (!is_pointwise(g, n) || g.at(n.inputs[0]).producer == no_node || !detail::used_once(g, uses, n.inputs[0])) continue;
        const node& product = g.node_at(g.at(n.inputs[0]).producer);
        if (product.op != "Mul" || !product.domain.empty() || product.inputs.size() != 2) continue;
        const symbolic_shape& image = g.at(n.inputs[0]).what.shape;
        const auto known = [](const symbolic_shape& s) {
            return s.ranked() && s.rank() == 5 && s[2].known() && s[3].known();
        };
        const auto alike = [&](const symbolic_shape& s) { return known(s) && s[0] == image[0] && s[1] == image[1] && s[4] == image[4]; };
        if (!known(image) || detail::constant_input(g, n, 1)->extent(0) > image[2].size * image[3].size) continue;
        for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
            const symbolic_shape &x = g.at(product.inputs[i]).what.shape, &gate = g.at(product.inputs[1 - i]).what.shape;
            if (!alike(x) || !alike(gate) || x[2] != image[2] || x[3] != image[3] || gate[2].size != 1 || gate[3].size != 1) continue;
            patch p{.reason = ocelli::detail::concat("Mul '", product.name, "' is done to the weights of Conv '", n.name, "'")};
            node gated = n;
            gated.op = "GatedConv";
            gated.def = nullptr;
            set_attribute(gated, "kernel", std::string("blocked_gated"));
            gated.inputs.resize(6, no_value);
            gated.inputs[0] = product.inputs[i];
            gated.inputs[5] = product.inputs[1 - i];
            gated.outputs = {p.add_value(g, g.at(n.outputs[0]).name, g.at(n.outputs[0]).what)};
            p.replace.push_back({n.outputs[0], gated.outputs[0]});
            p.nodes.push_back(std::move(gated));
            found.push_back(std::move(p));
            break;
        }
    }
    return found;
}

}  // namespace ocelli::nn::passes
