// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/child_program.h"

#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

namespace vigia {
namespace {

Result<int> parse_socket(std::string_view text) {
    int number = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    int type = 0;
    socklen_t size = sizeof type;
    if (error != std::errc{} || end != text.data() + text.size() || number < 0) {
        return fail(std::errc::invalid_argument, "--socket-fd " + std::string(text));
    }
    if (::getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        return fail_errno("--socket-fd " + std::string(text));
    }
    if (type != SOCK_SEQPACKET) {
        return fail(std::errc::wrong_protocol_type, "--socket-fd " + std::string(text));
    }
    return number;
}

}  // namespace

Result<ChildOptions> parse_child_options(std::span<char* const> arguments) {
    ChildOptions options{.parent = ::getppid()};
    for (std::size_t i = 1; i < arguments.size(); i += 2) {
        const std::string_view name = arguments[i];
        if (i + 1 == arguments.size()) {
            return fail(std::errc::invalid_argument, std::string(name) + " without a value");
        }
        if (name == "--socket-fd") {
            options.socket = TRY(parse_socket(arguments[i + 1]));
        } else if (name == "--user") {
            options.user = arguments[i + 1];
        } else {
            return fail(std::errc::invalid_argument, "unknown option " + std::string(name));
        }
    }
    if (options.socket < 0 || options.user.empty()) {
        return fail(std::errc::invalid_argument,
                    "this program is started by vigiad: --socket-fd N --user NAME");
    }
    return options;
}

}  // namespace vigia
