#pragma once

/// @file
/// What users touch: a network made ready to run.

#include <ocelli/nn/evaluate.hpp>
#include <ocelli/nn/onnx.hpp>
#include <ocelli/nn/precision.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace ocelli::nn {

/// An input or output of a session.
struct value_info {
    std::string name;
    dtype type = dtype{};
    /// As the model declares it; unknown extents may have names.
    symbolic_shape shape;
    /// True for inputs with a default.
    bool optional = false;
};

/// "images: float32 (batch, 3, 240, 320)"
std::string text(const value_info& v);

struct session_options {
    /// Rewrite the graph into fewer nodes.
    bool simplify = true;
    /// Run on kernels; false: every node by its reference evaluation.
    bool lower = true;
    /// How many plans (sets of input shapes) are kept.
    std::size_t plan_cache = 8;
    /// Bytes that one run may hold at any time: working memory, outputs that it makes, tensors whose shape depends on data. Also what
    /// preparing the graph may hold: folded constants and packed weights. Counted before memory is taken. 0: half of the machine's
    /// memory. The weights as they were read are not counted.
    std::size_t memory_limit = 0;
    /// Nodes that one run may take, those of sub-graphs counted in each iteration: a file may ask for 2^63 of them. 0: no limit.
    std::int64_t step_limit = 100'000'000;
    /// What weights and operands are rounded to in products with constant weights (more than three rows) and in convolutions.
    nn::precision precision = nn::precision::f32;
};

struct run_options {
    /// Outputs or intermediate values to compute, in the order wanted; empty: all outputs. What only others need is skipped.
    std::vector<std::string> outputs = {};
    /// Threads of this run at most; 0: as set by set_num_threads.
    std::size_t threads = 0;
    /// Looked at before each node and each iteration of a Loop or Scan; a run that is stopped throws ocelli::stopped.
    std::stop_token stop = {};
};

/// Inputs by name: `{{"images", image}}`. An array whose memory is dense and row-major is borrowed: it must live until run() returns.
class feed_list {
public:
    struct feed {
        std::string name;
        tensor value;

        feed(std::string feed_name, tensor t) : name(std::move(feed_name)), value(std::move(t)) {}
        template <array_expression E>
            requires(!std::same_as<std::remove_cvref_t<E>, tensor>)
        feed(std::string feed_name, const E& expression) : name(std::move(feed_name)), value(tensor::borrow_expression(expression)) {}
    };

    feed_list(std::initializer_list<feed> feeds) : feeds_(feeds) {}
    feed_list(const named_tensors& feeds) {  // NOLINT: implicit on purpose
        for (const auto& [name, t] : feeds) feeds_.emplace_back(name, t);
    }
    auto begin() const noexcept { return feeds_.begin(); }
    auto end() const noexcept { return feeds_.end(); }

private:
    std::vector<feed> feeds_;
};

/// Memory of the caller for outputs by name: `{{"scores", scores}}`. Arrays must be dense and row-major, of the output's element type and
/// shape, and live until run() returns.
class output_list {
public:
    struct output {
        std::string name;
        tensor memory;

        /// A tensor's own memory: its other handles see the results.
        output(std::string output_name, tensor t) : name(std::move(output_name)), memory(std::move(t)) {}
        template <class E>
            requires(array_expression<std::remove_cvref_t<E>> && !std::same_as<std::remove_cvref_t<E>, tensor>)
        output(std::string output_name, E&& array) : name(std::move(output_name)), memory(detail::tensor_on_array(array, "session: the memory of an output")) {}
    };

    output_list(std::initializer_list<output> outputs) : outputs_(outputs) {}
    explicit output_list(std::vector<output> outputs) : outputs_(std::move(outputs)) {}
    std::size_t size() const noexcept { return outputs_.size(); }
    auto begin() const noexcept { return outputs_.begin(); }
    auto end() const noexcept { return outputs_.end(); }

private:
    std::vector<output> outputs_;
};

/// Where the time of a run went.
struct profile_report {
    struct entry {
        std::string node;
        std::string op;
        /// The kernel's name, or "reference".
        std::string kernel;
        /// The instruction set of the kernel; what the program was compiled for where it is the reference.
        std::string isa;
        double ms = 0;
        /// What reference evaluations take of it: all, nothing, or, where the node runs sub-graphs, what those inside take.
        double reference_ms = 0;
        /// Of the whole run, from 0 to 1.
        double share = 0;
        /// 0 where operations are not counted.
        double gflops = 0;
        /// Inputs, weights among them, and outputs, each counted once.
        double gbs = 0;
        /// When it began in the last run.
        double start_ms = 0;
        /// How long it took then.
        double last_ms = 0;
        /// Of the first output, in this run.
        std::string shape;
    };
    /// In the order in which they run.
    std::vector<entry> nodes;
    /// Of the whole run, what lies between nodes included.
    double total_ms = 0;
    /// What lies between nodes, before the first and behind the last.
    double between_ms = 0;
};
/// A line per node, slowest first, with its share; the last ones say what reference evaluation and the time between nodes take.
std::string text(const profile_report& report);
/// The last run as JSON in the Trace Event Format, for chrome://tracing and ui.perfetto.dev.
std::string chrome_trace(const profile_report& report);

/// A network ready to run. Immutable after construction: any number of threads may run it at once, each run with its own memory (kept
/// for the next one), all on the library's one pool of threads. Under a user's executor, or inside a parallel_for, results are the same.
///
///     auto net = ocelli::nn::session(ocelli::nn::read_onnx("detector.onnx"));
///     auto out = net.run({{"images", image}});
///     auto scores = out["scores"].as<float, 3>();
///
/// Plans are made per set of input shapes and kept (session_options::plan_cache). An input may be fed in other extents than the model
/// declares, as long as its operators allow them.
class session {
public:
    /// Simplifies the graph, chooses kernels and packs weights.
    /// @throws unsupported_operator, format_error  naming the node
    explicit session(graph g, session_options options = {});
    ~session();
    session(session&&) noexcept;
    session& operator=(session&&) noexcept;

    /// In the order of the model; those with a default last or wherever the model lists them.
    const std::vector<value_info>& inputs() const noexcept;
    const std::vector<value_info>& outputs() const noexcept;
    /// What the exporter noted in the file, by key (ONNX Runtime's custom_metadata_map).
    const std::map<std::string, std::string>& metadata() const noexcept { return loaded().metadata; }

    /// Computes the outputs, in the model's order.
    /// @throws invalid_argument  on a missing, unknown, doubled or unfitting feed, an output that is not there, extents that the
    ///                           operators refuse (naming the node), or more memory than session_options::memory_limit
    named_tensors run(const feed_list& feeds, const run_options& options = {}) const;

    /// Computes the outputs that are named, in the caller's memory.
    ///
    /// What can be is computed there, without a copy. From the second run on with the same shapes, and with lists that are built once,
    /// nothing is allocated where each node has a kernel or shares its input's memory (docs/engine.md says which nodes do not).
    /// @throws invalid_argument  as the other form; and, naming the output, where the memory has another type or shape, or two outputs
    ///                           share it
    void run(const feed_list& feeds, const output_list& outputs, const run_options& options = {}) const;

    /// Runs `repeat` times (after one run to warm up) and gives the mean time of each node.
    profile_report profile(const feed_list& feeds, const run_options& options = {}, int repeat = 10) const;

    /// The rewritings that were done, each with its reason, and the nodes that run on their reference evaluation; sub-graphs included.
    std::string explain() const;

    /// The graph as it was loaded, and as it runs. text() and dot() print them.
    const graph& loaded() const noexcept;
    const graph& lowered() const noexcept;
    /// The graph between the two: with fewer nodes, but ONNX's own. Made anew by each call.
    graph simplified() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace ocelli::nn

#if OCELLI_HEADER_ONLY
#    include <ocelli/nn/impl/session.inl>
#endif
