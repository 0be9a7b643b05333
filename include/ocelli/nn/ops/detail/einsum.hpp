#pragma once

/// @file
/// The equations of Einsum.

#include <ocelli/nn/ops/support.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ocelli::nn::detail {

/// An equation read against the operands' ranks: labels are letters, and negative numbers for the axes of the ellipsis (-1 the last).
struct einsum_equation {
    std::vector<std::vector<int>> inputs;
    std::vector<int> output;
};

/// @throws invalid_argument  where the equation is none, or is of other ranks
inline einsum_equation read_equation(const node& n, const std::vector<std::size_t>& ranks) {
    std::string equation = attr_string(n, "equation");
    std::erase(equation, ' ');
    const std::size_t arrow = equation.find("->");
    const std::string left = equation.substr(0, arrow);
    std::size_t ellipsis_rank = 0;
    const auto letter = [&](char ch) {
        check(n, (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'), "equation '", equation, "' holds '", ch, "'");
        return static_cast<int>(ch);
    };
    // Terms with the ellipsis as 0 first; its axes are known when all terms are read.
    const auto read_term = [&](std::string_view term) {
        std::vector<int> out;
        for (std::size_t i = 0; i < term.size(); ++i) {
            if (term[i] != '.') {
                out.push_back(letter(term[i]));
                continue;
            }
            check(n, term.substr(i, 3) == "..." && std::find(out.begin(), out.end(), 0) == out.end(), "equation '", equation, "' has a stray '.'");
            out.push_back(0);
            i += 2;
        }
        return out;
    };
    einsum_equation e;
    for (std::size_t begin = 0;;) {
        const std::size_t comma = left.find(',', begin);
        e.inputs.push_back(read_term(std::string_view(left).substr(begin, comma == std::string::npos ? comma : comma - begin)));
        if (comma == std::string::npos) break;
        begin = comma + 1;
    }
    check(n, e.inputs.size() == ranks.size(), "equation '", equation, "' has ", e.inputs.size(), " terms for ", ranks.size(), " inputs");
    const auto expand = [&](std::vector<int>& term, std::size_t axes) {
        const auto at = std::find(term.begin(), term.end(), 0);
        if (at == term.end()) return;
        std::vector<int> labels;
        for (std::size_t i = axes; i > 0; --i) labels.push_back(-static_cast<int>(i));
        const auto place = term.erase(at);
        term.insert(place, labels.begin(), labels.end());
    };
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        const bool has = std::find(e.inputs[i].begin(), e.inputs[i].end(), 0) != e.inputs[i].end();
        const std::size_t letters = e.inputs[i].size() - (has ? 1 : 0);
        check(n, has ? ranks[i] >= letters : ranks[i] == letters, "equation '", equation, "' does not fit input ", i, " of rank ", ranks[i]);
        if (has) {
            ellipsis_rank = std::max(ellipsis_rank, ranks[i] - letters);
            expand(e.inputs[i], ranks[i] - letters);
        }
    }
    if (arrow != std::string::npos) {
        e.output = read_term(std::string_view(equation).substr(arrow + 2));
        expand(e.output, ellipsis_rank);
    } else {
        // The ellipsis, then the letters that occur once, in alphabetical order.
        std::map<int, int> count;
        for (const auto& term : e.inputs)
            for (const int label : term) ++count[label];
        for (std::size_t i = ellipsis_rank; i > 0; --i) e.output.push_back(-static_cast<int>(i));
        for (const auto& [label, times] : count)
            if (label > 0 && times == 1) e.output.push_back(label);
    }
    for (std::size_t i = 0; i < e.output.size(); ++i) {
        bool found = false;
        for (const auto& term : e.inputs) found = found || std::find(term.begin(), term.end(), e.output[i]) != term.end();
        check(n, found && std::find(e.output.begin(), e.output.begin() + static_cast<std::ptrdiff_t>(i), e.output[i]) ==
                              e.output.begin() + static_cast<std::ptrdiff_t>(i),
              "equation '", equation, "' has an output label that is in no input, or twice");
    }
    return e;
}

}  // namespace ocelli::nn::detail
