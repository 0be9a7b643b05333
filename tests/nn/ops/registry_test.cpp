#include <support/golden_models.hpp>

#include <ocelli/nn/ops/registry.hpp>

#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace nn = ocelli::nn;

TEST_CASE("every definition has an evaluation, sensible numbers of inputs and outputs, and attributes of known kinds") {
    const std::set<std::string> kinds = {"int", "float", "string", "tensor", "graph", "ints", "floats", "strings"};
    std::size_t count = 0;
    for (const std::span<const nn::op_def> table : nn::op_tables()) {
        CHECK(!table.empty());
        for (const nn::op_def& d : table) {
            const std::string name(d.name);
            CAPTURE(name);
            ++count;
            CHECK(static_cast<bool>(d.eval));
            CHECK(d.since >= 1);
            CHECK((d.until == 0 || d.until >= d.since));
            CHECK((d.max_inputs == -1 || d.max_inputs >= d.min_inputs));
            CHECK((d.max_outputs == -1 || d.max_outputs >= 1));
            std::istringstream words{std::string(d.attributes)};
            std::set<std::string> names;
            for (std::string word; words >> word;) {
                CAPTURE(word);
                const auto colon = word.find(':');
                REQUIRE(colon != std::string::npos);
                CHECK(kinds.count(word.substr(colon + 1)) == 1);
                CHECK(names.insert(word.substr(0, colon)).second);
            }
        }
    }
    CHECK(count == nn::all_ops().size());
    CHECK(count > 150);
}

TEST_CASE("the versions of an operator do not overlap") {
    std::map<std::string, int> last;
    for (const nn::op_def& d : nn::all_ops()) {  // sorted by domain, name, version
        const std::string name = std::string(d.domain) + "." + std::string(d.name);
        CAPTURE(name);
        if (const auto before = last.find(name); before != last.end()) CHECK(before->second < d.since);
        last[name] = d.until == 0 ? std::numeric_limits<int>::max() : d.until;
    }
}

TEST_CASE("a current definition holds for every later version, and the oldest forms are there") {
    for (const nn::op_def& d : nn::all_ops()) {
        if (!d.domain.empty() || d.until != 0) continue;
        for (std::int64_t version = d.since; version <= 24; ++version) CHECK(nn::find_op("", d.name, version) == &d);
    }
    for (const char* const op : {"GRU", "LSTM", "RNN", "LpPool", "GlobalLpPool"}) CHECK(nn::find_op("", op, 1) != nullptr);
}

TEST_CASE("rare forms of operators give what their definitions say") {
    CHECK(ocelli_test::check_golden_models("rare", 2e-5) == 12);
}
