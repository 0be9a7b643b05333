#pragma once

// Runs the operator tests of the ONNX project: folders with model.onnx and test_data_set_k/{input,output}_i.pb.

#include <ocelli/core/float_bits.hpp>
#include <ocelli/nn/detail/onnx_wire.hpp>
#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/ops/op.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace onnx_tests {

namespace fs = std::filesystem;

enum class outcome {
    passed,
    failed,
    unsupported  // the engine says that it lacks an operator, an attribute or an element type
};

struct result {
    std::string test;  // relative to the root folder
    std::string op;
    outcome what = outcome::failed;
    bool claimed = false;  // the registry has every operator that the model uses
    std::string message;
};

/// Runs a graph on named tensors: nn::evaluate, or a session.
using runner = std::function<ocelli::nn::named_tensors(const ocelli::nn::graph&, const ocelli::nn::named_tensors&)>;

inline std::vector<std::byte> read_bytes(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw ocelli::io_error(path.string() + ": cannot open the file");
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

/// Operators that a model uses, sub-graphs included, read without the engine's help: it refuses operators it does not know.
struct model_operators {
    std::vector<std::string> top_level;
    bool claimed = true;

    explicit model_operators(const std::vector<std::byte>& bytes) {
        namespace wire = ocelli::nn::detail::onnx_wire;
        std::map<std::string, std::int64_t> opsets;
        std::vector<std::pair<std::string, std::string>> used;
        std::set<std::pair<std::string, std::string>> functions;
        const std::function<void(wire::reader, bool)> graph = [&](wire::reader g, bool top) {
            while (g.next()) {
                if (g.tag() != wire::graph_node) {
                    g.skip();
                    continue;
                }
                auto n = wire::message(g);
                std::string op, domain;
                while (n.next()) {
                    if (n.tag() == wire::node_op_type) op = wire::string(n);
                    else if (n.tag() == wire::node_domain) domain = wire::string(n);
                    else if (n.tag() == wire::node_attribute) {
                        auto a = wire::message(n);
                        while (a.next()) {
                            if (a.tag() == wire::attribute_g) graph(wire::message(a), false);
                            else a.skip();
                        }
                    } else n.skip();
                }
                if (domain == "ai.onnx") domain.clear();
                if (top) top_level.push_back(op);
                used.emplace_back(domain, op);
            }
        };
        auto m = wire::message(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
        while (m.next()) {
            if (m.tag() == wire::model_graph) graph(wire::message(m), true);
            else if (m.tag() == wire::model_functions) {
                std::pair<std::string, std::string> function;
                auto f = wire::message(m);
                while (f.next()) {
                    if (f.tag() == wire::function_domain) function.first = wire::string(f);
                    else if (f.tag() == wire::function_name) function.second = wire::string(f);
                    else f.skip();
                }
                functions.insert(function);
            } else if (m.tag() == wire::model_opset_import) {
                auto o = wire::message(m);
                std::string domain;
                std::int64_t version = 1;
                while (o.next()) {
                    if (o.tag() == wire::opset_domain) domain = wire::string(o);
                    else if (o.tag() == wire::opset_version) version = wire::integer(o);
                    else o.skip();
                }
                if (domain == "ai.onnx") domain.clear();
                opsets[domain] = version;
            } else m.skip();
        }
        for (const auto& [domain, op] : used)
            claimed = claimed && (functions.count({domain, op}) != 0 || ocelli::nn::find_op(domain, op, opsets[domain]) != nullptr);
    }

    /// The operator of a model of one node (constants aside), else "Function".
    std::string subject() const {
        std::set<std::string> all;
        for (const std::string& op : top_level)
            if (op != "Constant" || top_level.size() == 1) all.insert(op);
        return all.size() == 1 ? *all.begin() : "Function";
    }
};

/// What the inputs or outputs of a model are: tensors, sequences or optional values, in the order of the file.
enum class value_kind { tensor, sequence, optional };

inline std::vector<value_kind> kinds_of(const std::vector<std::byte>& bytes, std::uint32_t field) {
    namespace wire = ocelli::nn::detail::onnx_wire;
    std::vector<value_kind> kinds;
    auto m = wire::message(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    while (m.next()) {
        if (m.tag() != wire::model_graph) {
            m.skip();
            continue;
        }
        auto g = wire::message(m);
        while (g.next()) {
            if (g.tag() != field) {
                g.skip();
                continue;
            }
            kinds.push_back(value_kind::tensor);
            auto v = wire::message(g);
            while (v.next()) {
                if (v.tag() != wire::value_type) {
                    v.skip();
                    continue;
                }
                auto t = wire::message(v);
                while (t.next()) {
                    if (t.tag() == wire::type_sequence) kinds.back() = value_kind::sequence;
                    if (t.tag() == wire::type_optional) kinds.back() = value_kind::optional;
                    t.skip();
                }
            }
        }
    }
    return kinds;
}

inline ocelli::nn::tensor read_value(const fs::path& file, value_kind kind) {
    if (kind == value_kind::sequence) return ocelli::nn::read_onnx_sequence(read_bytes(file), file.string());
    if (kind == value_kind::optional) return ocelli::nn::read_onnx_optional(read_bytes(file), file.string());
    return ocelli::nn::read_onnx_tensor(file.string());
}

/// The number in "input_12.pb".
inline int number_of(const fs::path& file) {
    const std::string stem = file.stem().string();
    return std::atoi(stem.c_str() + std::min(stem.size(), stem.find('_') + 1));
}

/// What is wrong with a tensor, or nothing. Integers exactly, floating point to 1e-7 + 1e-3 |expected|, NaN equal to NaN.
inline std::optional<std::string> difference(const ocelli::nn::tensor& got, const ocelli::nn::tensor& expected) {
    using ocelli::detail::concat;
    if (got.type() != expected.type() || got.shape() != expected.shape())
        return concat("expected ", ocelli::nn::text(expected), ", got ", ocelli::nn::text(got));
    if (got.type() == ocelli::nn::dtype::sequence) {
        for (std::size_t i = 0; i < got.items().size(); ++i)
            if (const auto wrong = difference(got.items()[i], expected.items()[i])) return concat("item ", i, ": ", *wrong);
        return std::nullopt;
    }
    const auto n = static_cast<std::size_t>(got.size());
    if (!ocelli::nn::is_floating(got.type())) {
        const auto bytes = ocelli::nn::size_of(got.type());
        const auto* a = static_cast<const unsigned char*>(got.raw());
        const auto* b = static_cast<const unsigned char*>(expected.raw());
        for (std::size_t i = 0; i < n; ++i)
            if (!std::equal(a + i * bytes, a + (i + 1) * bytes, b + i * bytes)) {
                const auto whole = [&](const ocelli::nn::tensor& t) { return t.cast(ocelli::nn::dtype::int64).data<std::int64_t>()[i]; };
                return concat("element ", i, " is ", whole(got), ", expected ", whole(expected));
            }
        return std::nullopt;
    }
    const auto a = got.cast(ocelli::nn::dtype::float64), b = expected.cast(ocelli::nn::dtype::float64);
    const double* x = a.data<double>();
    const double* y = b.data<double>();
    std::size_t wrong = 0, first = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const bool nan_x = ocelli::detail::is_nan(x[i]), nan_y = ocelli::detail::is_nan(y[i]);
        const bool same = nan_x || nan_y ? nan_x && nan_y : x[i] == y[i] || std::abs(x[i] - y[i]) <= 1e-7 + 1e-3 * std::abs(y[i]);
        if (!same && wrong++ == 0) first = i;
    }
    if (wrong == 0) return std::nullopt;
    return concat(wrong, " of ", n, " elements differ; element ", first, " is ", x[first], ", expected ", y[first]);
}

/// Runs one test; never throws.
inline result run_test(const fs::path& folder, const std::string& name, const runner& run) {
    using ocelli::detail::concat;
    result r;
    r.test = name;
    r.op = "?";
    try {
        const auto bytes = read_bytes(folder / "model.onnx");
        const model_operators operators(bytes);
        r.op = operators.subject();
        r.claimed = operators.claimed;
        const ocelli::nn::graph g = ocelli::nn::read_onnx((folder / "model.onnx").string());
        const auto in = kinds_of(bytes, ocelli::nn::detail::onnx_wire::graph_input), out = kinds_of(bytes, ocelli::nn::detail::onnx_wire::graph_output);
        int sets = 0;
        for (int k = 0; fs::is_directory(folder / concat("test_data_set_", k)); ++k, ++sets) {
            const fs::path data = folder / concat("test_data_set_", k);
            std::vector<fs::path> inputs, outputs;
            for (const auto& entry : fs::directory_iterator(data)) {
                const std::string file = entry.path().filename().string();
                if (file.rfind("input_", 0) == 0) inputs.push_back(entry.path());
                if (file.rfind("output_", 0) == 0) outputs.push_back(entry.path());
            }
            const auto by_number = [](const fs::path& a, const fs::path& b) { return number_of(a) < number_of(b); };
            std::sort(inputs.begin(), inputs.end(), by_number);
            std::sort(outputs.begin(), outputs.end(), by_number);
            ocelli::nn::named_tensors feeds;
            for (const fs::path& file : inputs) {
                const auto i = static_cast<std::size_t>(number_of(file));
                if (i >= g.inputs.size()) throw ocelli::format_error(concat(file.string(), ": the model has ", g.inputs.size(), " inputs"));
                feeds.add(g.at(g.inputs[i]).name, read_value(file, in.at(i)));
            }
            const ocelli::nn::named_tensors got = run(g, feeds);
            if (outputs.size() != g.outputs.size())
                throw ocelli::format_error(concat(data.string(), ": ", outputs.size(), " expected outputs, the model has ", g.outputs.size()));
            for (std::size_t i = 0; i < outputs.size(); ++i) {
                const auto expected = read_value(outputs[i], out.at(i));
                if (const auto wrong = difference(got[i], expected)) {
                    r.message = concat("output ", i, " '", g.at(g.outputs[i]).name, "': ", *wrong);
                    return r;
                }
            }
        }
        if (sets == 0) throw ocelli::format_error(folder.string() + ": has no folder test_data_set_0");
        r.what = outcome::passed;
    } catch (const ocelli::unsupported_operator& e) {
        r.what = outcome::unsupported;
        r.message = e.what();
    } catch (const std::exception& e) {
        r.message = e.what();
    }
    return r;
}

/// The folders below `root` that hold a model.onnx, as paths relative to it, sorted.
inline std::vector<std::string> find_tests(const fs::path& root) {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(root))
        if (entry.path().filename() == "model.onnx") found.push_back(fs::relative(entry.path().parent_path(), root).generic_string());
    std::sort(found.begin(), found.end());
    return found;
}

/// Which operator each test is about, from tests.tsv in the root folder where there is one.
inline std::map<std::string, std::string> read_subjects(const fs::path& root) {
    std::map<std::string, std::string> subjects;
    std::ifstream file(root / "tests.tsv");
    std::string line;
    while (std::getline(file, line)) {
        const auto first = line.find('\t');
        if (first == std::string::npos) continue;
        const auto second = std::min(line.find('\t', first + 1), line.size());
        subjects[line.substr(0, first)] = line.substr(first + 1, second - first - 1);
    }
    return subjects;
}

/// Runs all tests below `root` whose name contains `filter`.
inline std::vector<result> run_all(const fs::path& root, const runner& run, const std::string& filter = "") {
    std::vector<result> results;
    const auto subjects = read_subjects(root);
    for (const std::string& name : find_tests(root)) {
        if (name.find(filter) == std::string::npos) continue;
        results.push_back(run_test(root / name, name, run));
        if (const auto known = subjects.find(name); known != subjects.end() && !known->second.empty()) results.back().op = known->second;
    }
    return results;
}

}  // namespace onnx_tests
