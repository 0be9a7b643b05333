#pragma once

// Timing for the benchmark programs.
//
//     benchmark_boxes_nms [--threads n] [--save folder] [words ...]
//
// Runs the cases whose name contains one of the words (all without words) and prints `case<TAB>form<TAB>median_ms<TAB>min_ms`; --save
// writes each result as <folder>/<case>.npy, blanks as underscores.

#include <ocelli/core/parallel.hpp>
#include <ocelli/io/npy.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace ocelli_benchmark {

class bench {
public:
    bench(int argc, char** argv) {
        std::size_t threads = 1;
        for (int i = 1; i < argc; ++i) {
            if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
                threads = static_cast<std::size_t>(std::atoi(argv[++i]));
            } else if (std::strcmp(argv[i], "--save") == 0 && i + 1 < argc) {
                save_ = argv[++i];
            } else {
                words_.emplace_back(argv[i]);
            }
        }
        ocelli::set_num_threads(threads);
    }

    bool wanted(const std::string& name) const {
        return words_.empty() ||
               std::any_of(words_.begin(), words_.end(), [&](const std::string& w) { return name.find(w) != std::string::npos; });
    }

    /// Times `work` after two warm-up runs: at least 7 runs (3 of those that take over a second), more (to 1000) while half a second lasts.
    void run(const std::string& name, const std::string& form, const std::function<void()>& work) const {
        using clock = std::chrono::steady_clock;
        work();
        const auto warm = clock::now();
        work();
        const std::size_t least = clock::now() - warm > std::chrono::seconds(1) ? 3 : 7;
        std::vector<double> times;
        const auto end = clock::now() + std::chrono::milliseconds(500);
        while (times.size() < least || (times.size() < 1000 && clock::now() < end)) {
            const auto start = clock::now();
            work();
            times.push_back(std::chrono::duration<double, std::milli>(clock::now() - start).count());
        }
        std::sort(times.begin(), times.end());
        std::printf("%s\t%s\t%.5f\t%.5f\n", name.c_str(), form.c_str(), times[times.size() / 2], times.front());
        std::fflush(stdout);
    }

    template <class E>
    void save(std::string name, const E& result) const {
        if (save_.empty()) return;
        std::replace(name.begin(), name.end(), ' ', '_');
        ocelli::write_npy(save_ + "/" + name + ".npy", result);
    }

private:
    std::string save_;
    std::vector<std::string> words_;
};

}  // namespace ocelli_benchmark
