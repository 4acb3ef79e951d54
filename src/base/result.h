// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace vigia {

// What went wrong, and what we were doing. `code` is for programs, `context` for people.
// Context grows outward: each layer prepends what it was trying to do.
struct Error {
    std::error_code code;
    std::string context;

    // "load policy: open /etc/vigia/policy.toml: Permission denied"
    [[nodiscard]] std::string message() const { return context + ": " + code.message(); }

    [[nodiscard]] Error within(std::string_view doing) && {
        context.insert(0, std::string(doing) + ": ");
        return std::move(*this);
    }
};

template <typename T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::errc code, std::string context) {
    return std::unexpected(
        Error{.code = std::make_error_code(code), .context = std::move(context)});
}

// Call right after the failing libc call: reads errno.
[[nodiscard]] inline std::unexpected<Error> fail_errno(std::string context) {
    return std::unexpected(
        Error{.code = {errno, std::system_category()}, .context = std::move(context)});
}

}  // namespace vigia

// The value of `expr`, or return its error from the enclosing function.
//   auto policy = TRY(Policy::load(path), "load policy");
#define TRY(expr, ...)                                                           \
    __extension__({                                                              \
        auto try_result = (expr);                                                \
        if (!try_result) {                                                       \
            return std::unexpected(                                              \
                std::move(try_result).error() __VA_OPT__(.within(__VA_ARGS__))); \
        }                                                                        \
        *std::move(try_result);                                                  \
    })
