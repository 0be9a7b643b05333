#pragma once

/// @file
/// The exceptions Ocelli throws, and the checks that throw them.
///
/// Messages say where, what was expected and what came: `nms: boxes must have shape (N, 4), got (3, 5)`.

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

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

inline void append(std::string& out, std::string_view text) {
    out.append(text);
}
inline void append(std::string& out, const char* text) {
    out.append(text);
}
inline void append(std::string& out, const std::string& text) {
    out.append(text);
}
inline void append(std::string& out, bool value) {
    out.append(value ? "true" : "false");
}
inline void append(std::string& out, char value) {
    out.push_back(value);
}
template <class T>
    requires(std::is_integral_v<T>)
void append(std::string& out, T value) {
    out.append(std::to_string(value));
}
inline void append_number(std::string& out, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    out.append(text);
}
template <class T>
    requires(std::is_floating_point_v<T>)
void append(std::string& out, T value) {
    append_number(out, static_cast<double>(value));
}

/// Joins texts and numbers to one message.
template <class... Parts>
std::string concat(const Parts&... parts) {
    std::string out;
    (append(out, parts), ...);
    return out;
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
