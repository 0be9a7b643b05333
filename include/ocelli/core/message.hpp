#pragma once

/// @file
/// Messages joined from texts and numbers by one function, whatever they are made of. A library with hundreds of checks would otherwise make
/// every user compile a template for each.

#include <ocelli/core/config.hpp>

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

namespace ocelli::detail {

/// A piece of a message: a borrowed text, a number, or an object that can write itself.
class message_part {
public:
    message_part(std::string_view text) noexcept : what_(kind::text), text_(text) {}
    message_part(const char* text) noexcept : what_(kind::text), text_(text) {}
    message_part(const std::string& text) noexcept : what_(kind::text), text_(text) {}
    message_part(bool value) noexcept : message_part(value ? "true" : "false") {}
    /// Borrows the character.
    message_part(const char& value) noexcept : what_(kind::text), text_(&value, 1) {}
    template <class T>
        requires(std::is_integral_v<T> && std::is_signed_v<T> && !std::is_same_v<T, char>)
    message_part(T value) noexcept : what_(kind::signed_number), signed_(value) {}
    template <class T>
        requires(std::is_integral_v<T> && std::is_unsigned_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>)
    message_part(T value) noexcept : what_(kind::unsigned_number), unsigned_(value) {}
    template <class T>
        requires(std::is_floating_point_v<T>)
    message_part(T value) noexcept : what_(kind::real), real_(static_cast<double>(value)) {}

    /// Anything that a function append(std::string&, const T&) of its own namespace writes; borrowed.
    template <class T>
        requires(std::is_class_v<T> && !std::is_convertible_v<const T&, std::string_view>)
    message_part(const T& object) noexcept
        : what_(kind::object), object_{&object, [](std::string& out, const void* p) { append(out, *static_cast<const T*>(p)); }} {}

    void append_to(std::string& out) const {
        char digits[32];
        switch (what_) {
        case kind::text: out.append(text_); return;
        case kind::object: object_.write(out, object_.what); return;
        case kind::signed_number: std::snprintf(digits, sizeof digits, "%lld", signed_); break;
        case kind::unsigned_number: std::snprintf(digits, sizeof digits, "%llu", unsigned_); break;
        default: std::snprintf(digits, sizeof digits, "%.9g", real_);
        }
        out.append(digits);
    }

private:
    enum class kind { text, signed_number, unsigned_number, real, object } what_;
    struct borrowed {
        const void* what;
        void (*write)(std::string&, const void*);
    };
    union {
        std::string_view text_;
        long long signed_;
        unsigned long long unsigned_;
        double real_;
        borrowed object_;
    };
};

/// The parts, one after the other.
OCELLI_NOINLINE inline std::string join(const message_part* parts, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) parts[i].append_to(out);
    return out;
}

}  // namespace ocelli::detail
