// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vigia::cli {

// What the daemon answered.
struct Reply {
    long status = 0;  // HTTP; 0: not reached
    std::string body = {};
};

// Talks to the daemon of a prefix through its sockets: reading by status.sock, changes by
// control.sock. Error codes: connection_refused when no daemon answers, permission_denied when the
// socket may not be opened.
class Client {
public:
    explicit Client(const std::filesystem::path& prefix);

    [[nodiscard]] Result<Reply> get(const std::string& path) const;
    [[nodiscard]] Result<Reply> post(const std::string& path, const std::string& body) const;
    [[nodiscard]] Result<Reply> remove(const std::string& path) const;

    // Hands on each piece as it comes; ends when the callback returns false or the daemon ends.
    [[nodiscard]] Result<Reply> stream(const std::string& path,
                                       const std::function<bool(std::string_view)>& on_piece) const;

    [[nodiscard]] const std::filesystem::path& status_socket() const { return status_socket_; }

private:
    struct Call;
    [[nodiscard]] Result<Reply> perform(const Call& call) const;

    std::filesystem::path status_socket_;
    std::filesystem::path control_socket_;
};

// Percent-encodes what may not stand in a query value.
[[nodiscard]] std::string url_encode(std::string_view text);

}  // namespace vigia::cli
