// Any bytes are either a network that can be checked, printed and, where it is small, run; or a typed error.

#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/memory.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <cstdint>

namespace {

// Small enough to run within the fuzzer's time: what a loop or a huge extent would cost says nothing about the reader.
bool small(const ocelli::nn::graph& g) {
    if (g.nodes.size() > 32) return false;
    for (const auto& n : g.nodes)
        if (n.op == "Loop" || n.op == "Scan") return false;
    for (const auto& v : g.values) {
        if (v.what.constant.defined() && v.what.constant.size() > 256) return false;
        const auto size = v.what.shape.elements();
        if (!size || *size > 4096) return false;  // inference must know every extent
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
    const ocelli::nn::memory_limit all(64 << 20);  // small() knows nothing of what a node without results computes
    try {
        ocelli::nn::graph g = ocelli::nn::read_onnx(bytes);
        g.verify();
        ocelli::nn::infer_facts(g);
        (void)ocelli::nn::text(g);
        (void)ocelli::nn::dot(g);
        if (!small(g)) return 0;
        ocelli::nn::named_tensors feeds;
        for (const auto id : g.inputs) {
            const auto& v = g.at(id);
            if (!v.what.constant.defined()) feeds.add(v.name, ocelli::nn::tensor::zeros(v.what.type, *v.what.shape.concrete()));
        }
        (void)ocelli::nn::evaluate(g, feeds);
    } catch (const ocelli::error&) {
    }
    return 0;
}
