#include <ocelli/core/version.hpp>

#include <doctest/doctest.h>

#include <sstream>

TEST_CASE("the version is the same for programs and the preprocessor") {
    std::ostringstream parts;
    parts << OCELLI_VERSION_MAJOR << '.' << OCELLI_VERSION_MINOR << '.' << OCELLI_VERSION_PATCH;
    CHECK(parts.str() == ocelli::version());
}
