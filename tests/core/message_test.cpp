#include <ocelli/core/message.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

using ocelli::detail::join;
using ocelli::detail::message_part;

TEST_CASE("texts and numbers of every type join to one message") {
    const std::string text = "text";
    const char letter = 'x';
    const message_part parts[] = {"literal ", text, " ", std::string_view("view "), true, " ", letter, " ", -1, " ", 2u, " ", 1.5f, " ", 0.1};
    CHECK(join(parts, std::size(parts)) == "literal text view true x -1 2 1.5 0.1");
    CHECK(join(parts, 0).empty());
}

namespace things {
struct shape {
    int a, b;
};
void append(std::string& out, const shape& s) {
    out.append("(").append(std::to_string(s.a)).append(", ").append(std::to_string(s.b)).append(")");
}
}  // namespace things

TEST_CASE("an object is written by the append of its own namespace") {
    const things::shape s{2, 3};
    const message_part parts[] = {"got ", s};
    CHECK(join(parts, 2) == "got (2, 3)");
}

TEST_CASE("the ends of the integers' ranges are written whole") {
    const message_part parts[] = {std::numeric_limits<std::int64_t>::min(), " ", std::numeric_limits<std::uint64_t>::max(), " ", std::int8_t{-128}, " ", std::uint8_t{255}};
    CHECK(join(parts, std::size(parts)) == "-9223372036854775808 18446744073709551615 -128 255");
}
