// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace vigia::control {

// Who asks: SO_PEERCRED of the connection.
struct Caller {
    uid_t uid = 0;
    gid_t gid = 0;
    bool full = false;        // root or a member of `adm`: sees everything
    bool may_change = false;  // came by control.sock
};

struct Request {
    std::string method;  // GET, POST, DELETE
    std::string path;    // "/v1/scans/ID", percent-decoded, without the query
    std::function<std::string(const std::string& name)> query;  // empty when not given
    std::string body;                                           // at most 1 MiB
    Caller caller;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    // Streams (events?follow=1): called for each next piece; must return within 500 ms. An empty
    // piece means "nothing yet", nothing at all ends the stream.
    std::function<std::optional<std::string>()> next = {};
};

// HTTP/1.1 on status.sock (0666, GET only, whatever the handler thinks) and control.sock (0600).
// libmicrohttpd on listening descriptors of ours; its own threads, which call the handler.
// Slow, silent, huge and malformed clients cost a connection each and nothing else: at most 32
// connections per user and 128 in all, 10 s idle, 1 MiB body, 16 KiB header.
class ControlServer {
public:
    struct Options {
        std::filesystem::path status_socket;
        std::filesystem::path control_socket;
        std::string full_group = "adm";
    };

    // Called on server threads, several at once; must not block for long.
    using Handler = std::function<Response(const Request&)>;

    [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(Options options,
                                                                      Handler handler);
    virtual ~ControlServer() = default;

    struct Counters {
        std::uint64_t requests = 0;
        std::uint64_t refused_connections = 0;
        std::uint64_t bad_requests = 0;
        unsigned connections = 0;
    };

    [[nodiscard]] virtual Counters counters() const = 0;
};

// {"error":{"code":"not-found","message":"…"}}
[[nodiscard]] Response error_response(int status,
                                      const std::string& code,
                                      const std::string& message);

}  // namespace vigia::control
