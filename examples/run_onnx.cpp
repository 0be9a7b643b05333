// Runs an ONNX model once or many times, on given or random inputs.
//
//     run_onnx model.onnx
//     run_onnx detector.onnx --input images=photo.npy --save out --repeat 20 --threads 1
//     run_onnx model.onnx --shape tokens=1,128 --profile
//     run_onnx model.onnx --trace run.json --dump graphs      (for ui.perfetto.dev; text and DOT of the three graphs)
//
// Prints the model's inputs and outputs, the time to load it, the median and the spread of the runs, and the memory used. --save
// writes each output as FOLDER/NAME.npy. Inputs without --input get random numbers (normal for floating types, small whole numbers
// for integers), the same in every run of the program.
#include <ocelli/core/parallel.hpp>
#include <ocelli/io/npy.hpp>
#include <ocelli/nn/session.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace {

namespace nn = ocelli::nn;
using ocelli::detail::concat;

double now_ms() {
    using namespace std::chrono;
    return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

/// "name=value" cut in two.
std::pair<std::string, std::string> cut(const std::string& text, const char* option) {
    const auto at = text.rfind('=');  // names may have '=', files and extents hardly
    ocelli::detail::check(at != std::string::npos && at != 0 && at + 1 < text.size(), option, " takes NAME=VALUE, got '", text, "'");
    return {text.substr(0, at), text.substr(at + 1)};
}

nn::dims parse_extents(const std::string& text) {
    nn::dims out;
    std::size_t from = 0;
    while (from <= text.size()) {
        const std::size_t to = std::min(text.find_first_of(",x", from), text.size());
        const std::string part = text.substr(from, to - from);
        char* end = nullptr;
        const long long v = std::strtoll(part.c_str(), &end, 10);
        ocelli::detail::check(!part.empty() && *end == '\0' && v >= 0, "--shape takes extents as 1,3,224,224, got '", text, "'");
        out.push_back(v);
        from = to + 1;
    }
    return out;
}

nn::dtype dtype_of(ocelli::npy_dtype type) {
    for (const nn::dtype t : {nn::dtype::boolean, nn::dtype::int8, nn::dtype::int16, nn::dtype::int32, nn::dtype::int64, nn::dtype::uint8, nn::dtype::uint16,
                              nn::dtype::uint32, nn::dtype::uint64, nn::dtype::float16, nn::dtype::float32, nn::dtype::float64})
        if (nn::name(t) == ocelli::name(type)) return t;
    ocelli::detail::fail("an array of ", ocelli::name(type), " cannot be fed");
}

nn::tensor read_tensor(const std::string& path) {
    const auto file = ocelli::read_npy(path);
    const bool swapped = file.header().big_endian && ocelli::item_size(file.dtype()) > 1;
    ocelli::detail::check<ocelli::format_error>(!swapped && !(file.header().fortran_order && file.rank() > 1), path,
                                                ": save the array in C order and little-endian (numpy.ascontiguousarray)");
    nn::tensor t(dtype_of(file.dtype()), file.shape());
    const auto raw = file.raw();
    if (!raw.empty()) std::memcpy(t.mutable_raw(), raw.data(), raw.size());
    return t;
}

void write_tensor(const std::string& path, const nn::tensor& t) {
    // 16-bit floating types are written as float32.
    const nn::tensor out = t.type() == nn::dtype::float16 || t.type() == nn::dtype::bfloat16 ? t.cast(nn::dtype::float32) : t;
    const auto write = [&]<class T>(nn::type_tag<T>) {
        std::vector<std::size_t> shape(out.shape().begin(), out.shape().end());
        auto bytes = ocelli::detail::make_npy_header(ocelli::detail::npy_dtype_of<T>(), shape);
        const auto* first = static_cast<const std::byte*>(out.raw());
        bytes.insert(bytes.end(), first, first + out.bytes());
        ocelli::detail::write_file(path, bytes);
    };
    using types = nn::type_list<float, double, std::int64_t, std::int32_t, std::uint8_t, std::int8_t, std::int16_t, std::uint16_t, std::uint32_t, std::uint64_t, bool>;
    if (!nn::dispatch_over(types{}, out.type(), write)) ocelli::detail::fail("an output of type ", nn::name(out.type()), " cannot be saved");
}

void write_text(const std::string& path, const std::string& text) {
    ocelli::detail::write_file(path, std::as_bytes(std::span(text)));
}

/// The same numbers for the same name, shape and type, whatever else is fed.
nn::tensor random_tensor(const nn::value_info& input, const nn::dims& shape) {
    nn::tensor t(nn::dtype::float64, shape);
    std::seed_seq seed(input.name.begin(), input.name.end());
    std::mt19937_64 engine(seed);
    double* x = t.mutable_data<double>();
    for (std::int64_t i = 0; i < t.size(); ++i) {
        // Box and Muller; the standard's normal_distribution differs between libraries.
        const double u = (static_cast<double>(engine() >> 11) + 0.5) * 0x1p-53, v = static_cast<double>(engine() >> 11) * 0x1p-53;
        x[i] = std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
    }
    if (nn::is_floating(input.type)) return t.cast(input.type);
    for (std::int64_t i = 0; i < t.size(); ++i) x[i] = input.type == nn::dtype::boolean ? (x[i] > 0 ? 1.0 : 0.0) : std::floor(std::abs(x[i]));
    return t.cast(input.type);
}

/// A file name for an output: letters that file systems dislike become '_', doubled names get a number.
std::string file_name(const std::string& output, std::set<std::string>& taken) {
    std::string base;
    for (const char c : output) base += std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ? c : '_';
    if (base.empty() || base[0] == '.') base = "_" + base;
    base = base.substr(0, 200);
    std::string name = base;
    for (int i = 2; !taken.insert(name).second; ++i) name = concat(base, "_", i);
    return name + ".npy";
}

/// What the system knows under that key of this process's memory, in MiB, or 0 where it does not tell.
double memory_mib(const std::string& key) {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line))
        if (line.rfind(key, 0) == 0) return std::atof(line.c_str() + key.size()) / 1024;
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const double program_mib = memory_mib("VmRSS:");
    bool bf16 = false;
    CLI::App app("Runs an ONNX model");
    std::string model, save, trace, dump;
    std::vector<std::string> inputs, shapes;
    std::size_t threads = 0;
    int repeat = 10;
    bool profile = false, explain = false;
    app.add_option("model", model, "model.onnx")->required()->check(CLI::ExistingFile);
    app.add_option("--input", inputs, "NAME=FILE.npy; others get random numbers");
    app.add_option("--shape", shapes, "NAME=1,3,224,224: extents of a random input; unknown ones are 1 otherwise");
    app.add_option("--save", save, "folder for the outputs, one .npy each");
    app.add_option("--threads", threads, "threads at most; 0: all")->capture_default_str();
    app.add_option("--repeat", repeat, "timed runs after one to warm up")->capture_default_str()->check(CLI::Range(0, 1000000));
    app.add_flag("--bf16", bf16, "round weights and operands of products to bfloat16");
    app.add_flag("--profile", profile, "print where the time goes, node by node");
    app.add_option("--trace", trace, "file for a Chrome trace of one run");
    app.add_option("--dump", dump, "folder for the graph as loaded, simplified and lowered, as .txt and .dot");
    app.add_flag("--explain", explain, "print how the model was rewritten");
    CLI11_PARSE(app, argc, argv);

    try {
        if (threads != 0) ocelli::set_num_threads(threads);
        const double before = now_ms();
        const nn::session net(nn::read_onnx(model), {.precision = bf16 ? nn::precision::bf16 : nn::precision::f32});
        const double load_ms = now_ms() - before;

        std::map<std::string, std::string> files;
        std::map<std::string, nn::dims> extents;
        for (const std::string& text : inputs)
            ocelli::detail::check(files.insert(cut(text, "--input")).second, "--input names '", cut(text, "--input").first, "' twice");
        for (const std::string& text : shapes) {
            const auto [name, value] = cut(text, "--shape");
            ocelli::detail::check(extents.emplace(name, parse_extents(value)).second, "--shape names '", name, "' twice");
        }
        const auto is_input = [&](const std::string& name) {
            for (const nn::value_info& v : net.inputs())
                if (v.name == name) return true;
            return false;
        };
        std::string all;
        for (const nn::value_info& v : net.inputs()) all += concat(all.empty() ? "'" : ", '", v.name, "'");
        for (const auto& [name, file] : files) ocelli::detail::check(is_input(name), "the model has no input '", name, "'; it has ", all);
        for (const auto& [name, shape] : extents) {
            ocelli::detail::check(is_input(name), "the model has no input '", name, "'; it has ", all);
            ocelli::detail::check(files.count(name) == 0, "'", name, "' has both --input and --shape");
        }

        nn::named_tensors feeds;
        for (const nn::value_info& v : net.inputs()) {
            std::string note;
            if (const auto file = files.find(v.name); file != files.end()) {
                feeds.add(v.name, read_tensor(file->second));
                note = concat(" <- ", file->second, " ", nn::text(feeds[v.name]));
            } else if (!v.optional || extents.count(v.name) != 0) {  // otherwise its default holds, as text() says
                nn::dims shape;
                if (const auto given = extents.find(v.name); given != extents.end()) shape = given->second;
                else {
                    ocelli::detail::check(v.shape.ranked(), "input '", v.name, "' has no declared rank: give --shape ", v.name, "=... or --input ", v.name,
                                          "=FILE.npy");
                    for (const nn::dim& d : v.shape.extents()) shape.push_back(d.known() ? d.size : 1);
                    if (!v.shape.known()) note = concat("; unknown extents taken as 1, --shape ", v.name, "=... sets others");
                }
                feeds.add(v.name, random_tensor(v, shape));
                note = concat(" <- random ", nn::text(feeds[v.name]), note);
            }
            std::printf("input  %s%s\n", nn::text(v).c_str(), note.c_str());
        }
        for (const nn::value_info& v : net.outputs()) std::printf("output %s\n", nn::text(v).c_str());
        std::printf("\nloaded in %.1f ms, %zu nodes run as %zu\n", load_ms, net.loaded().nodes.size(), net.lowered().nodes.size());
        if (!dump.empty()) {
            std::filesystem::create_directories(dump);
            const nn::graph simplified = net.simplified();
            for (const auto& [name, g] : {std::pair<const char*, const nn::graph&>{"loaded", net.loaded()}, {"simplified", simplified}, {"lowered", net.lowered()}}) {
                write_text(concat(dump, "/", name, ".txt"), nn::text(g));
                write_text(concat(dump, "/", name, ".dot"), nn::dot(g));
            }
        }
        if (explain) std::printf("%s\n", net.explain().c_str());

        const nn::run_options options{.outputs = {}, .threads = threads};
        const double first = now_ms();
        nn::named_tensors results = net.run(feeds, options);
        std::printf("first run %.2f ms (plans the shapes)\n", now_ms() - first);
        std::vector<double> times;
        for (int i = 0; i < repeat; ++i) {
            results = {};  // as a caller would who keeps one run's results: the next run uses their memory again
            const double start = now_ms();
            results = net.run(feeds, options);
            times.push_back(now_ms() - start);
        }
        const double peak_mib = memory_mib("VmHWM:");  // what is printed below takes memory, too
        if (!times.empty()) {
            std::sort(times.begin(), times.end());
            std::printf("%d runs: median %.2f ms, fastest %.2f, slowest %.2f\n", repeat, times[times.size() / 2], times.front(), times.back());
        }
        if (profile || !trace.empty()) {
            const nn::profile_report report = net.profile(feeds, options, std::max(1, repeat));
            if (profile) std::printf("\n%s\n", nn::text(report).c_str());
            if (!trace.empty()) write_text(trace, nn::chrome_trace(report));
        }

        std::set<std::string> taken;
        if (!save.empty()) std::filesystem::create_directories(save);
        for (const auto& [name, t] : results) {
            std::printf("result %s: %s", name.c_str(), nn::text(t).c_str());
            if (nn::is_floating(t.type()) && t.size() != 0) {
                const nn::tensor d = t.cast(nn::dtype::float64);
                const double* x = d.data<double>();
                double sum = 0, low = x[0], high = x[0];
                for (std::int64_t i = 0; i < d.size(); ++i) {
                    sum += x[i];
                    low = std::min(low, x[i]);
                    high = std::max(high, x[i]);
                }
                std::printf(", %.6g to %.6g, mean %.6g", low, high, sum / static_cast<double>(d.size()));
            }
            if (!save.empty()) {
                const std::string path = save + "/" + file_name(name, taken);
                write_tensor(path, t);
                std::printf(" -> %s", path.c_str());
            }
            std::printf("\n");
        }
        if (peak_mib > 0) std::printf("peak memory %.1f MiB, %.1f of it when the program began\n", peak_mib, program_mib);
        return 0;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "run_onnx: %s\n", e.what());
        return 1;
    }
}
