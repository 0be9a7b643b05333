#pragma once

/// @file
/// The exceptions Ocelli throws, and the checks that throw them.
///
/// Messages say where, what was expected and what came: `nms: boxes must have shape (N, 4), got (3, 5)`.

#include <ocelli/core/message.hpp>

#include <stdexcept>
#include <string>

namespace ocelli {

/// Base of every exception Ocelli throws on purpose.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An argument has the wrong shape, type or value.
class invalid_argument : public error {
public:
    using error::error;
};

/// A file or buffer from outside does not have the format it claims, or exceeds a limit.
class format_error : public error {
public:
    using error::error;
};

/// A file cannot be opened, read or written.
class io_error : public error {
public:
    using error::error;
};

/// A network uses an operator, an operator set version or an attribute that this engine does not have.
class unsupported_operator : public error {
public:
    using error::error;
};

/// Work was ended from outside, by a std::stop_token.
class stopped : public error {
public:
    using error::error;
};

namespace detail {

/// Joins texts, numbers and what has an append() of its own to one message.
template <class... Parts>
std::string concat(const Parts&... parts) {
    const message_part list[] = {parts...};
    return join(list, sizeof...(Parts));
}

/// Throws E with the joined message.
template <class E = invalid_argument, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    throw E(concat(parts...));
}

/// Throws E when the condition does not hold; the message is only built then.
template <class E = invalid_argument, class... Parts>
void check(bool condition, const Parts&... parts) {
    if (!condition) [[unlikely]] fail<E>(parts...);
}

/// "(3, 5)" from a range of extents.
template <class Shape>
std::string shape_text(const Shape& shape) {
    std::string out = "(";
    bool first = true;
    for (const auto extent : shape) {
        if (!first) out += ", ";
        out += std::to_string(extent);
        first = false;
    }
    out += ')';
    return out;
}

}  // namespace detail
}  // namespace ocelli
