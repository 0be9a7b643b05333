#include <ocelli/core/error.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace ocelli;

TEST_CASE("every exception derives from ocelli::error and carries its message") {
    CHECK_THROWS_WITH_AS(detail::check(false, "nms: got ", 3, ' ', 0.5, ' ', true), "nms: got 3 0.5 true", invalid_argument);
    CHECK_THROWS_AS(detail::fail<format_error>("x"), error);
    CHECK_THROWS_AS(detail::fail<unsupported_operator>("x"), error);
    CHECK_THROWS_AS(detail::fail<io_error>("x"), std::runtime_error);
    CHECK_THROWS_AS(detail::fail<stopped>("x"), error);
    CHECK_NOTHROW(detail::check(true, "never built"));
}

TEST_CASE("shapes print as tuples") {
    CHECK(detail::shape_text(std::vector<int>{3, 5}) == "(3, 5)");
    CHECK(detail::shape_text(std::vector<int>{}) == "()");
}
