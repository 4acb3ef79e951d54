// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <thread>

namespace vigia::cli {
namespace {

constexpr long kConnectMilliseconds = 5000;
constexpr long kAnswerMilliseconds = 60'000;

struct Sink {
    std::string body;
    const std::function<bool(std::string_view)>* on_piece = nullptr;
    bool stopped = false;
    CURL* curl = nullptr;

    static std::size_t write(char* data, std::size_t size, std::size_t count, void* self) {
        auto& sink = *static_cast<Sink*>(self);
        const std::string_view piece(data, size * count);
        long status = 0;
        ::curl_easy_getinfo(sink.curl, CURLINFO_RESPONSE_CODE, &status);
        if (sink.on_piece == nullptr || status != 200) {
            sink.body += piece;
            return piece.size();
        }
        if (!(*sink.on_piece)(piece)) {
            sink.stopped = true;
            return 0;
        }
        return piece.size();
    }
};

}  // namespace

struct Client::Call {
    const char* method;
    const std::string& path;
    const std::string* body = nullptr;
    const std::function<bool(std::string_view)>* on_piece = nullptr;
};

Client::Client(const std::filesystem::path& prefix) {
    const auto root =
        prefix.empty() ? std::filesystem::path("/") : std::filesystem::absolute(prefix);
    status_socket_ = root / "run/vigia/status.sock";
    control_socket_ = root / "run/vigia/control.sock";
}

Result<Reply> Client::get(const std::string& path) const {
    // A daemon that is being flooded may close a connection unanswered; reading again does no harm.
    constexpr int kAttempts = 20;
    constexpr std::chrono::milliseconds kPause{100};
    auto reply = perform({.method = "GET", .path = path});
    for (int i = 1; i < kAttempts && !reply && reply.error().code == std::errc::timed_out; ++i) {
        std::this_thread::sleep_for(kPause);
        reply = perform({.method = "GET", .path = path});
    }
    return reply;
}

Result<Reply> Client::post(const std::string& path, const std::string& body) const {
    return perform({.method = "POST", .path = path, .body = &body});
}

Result<Reply> Client::remove(const std::string& path) const {
    return perform({.method = "DELETE", .path = path});
}

Result<Reply> Client::stream(const std::string& path,
                             const std::function<bool(std::string_view)>& on_piece) const {
    return perform({.method = "GET", .path = path, .on_piece = &on_piece});
}

Result<Reply> Client::perform(const Call& call) const {
    const bool reads = std::string_view(call.method) == "GET";
    const auto& socket = reads ? status_socket_ : control_socket_;
    if (::access(socket.c_str(), W_OK) < 0 && errno == EACCES) {
        return fail(std::errc::permission_denied, "open " + socket.native());
    }
    const std::unique_ptr<CURL, decltype(&::curl_easy_cleanup)> curl(::curl_easy_init(),
                                                                     &::curl_easy_cleanup);
    if (!curl) {
        return fail(std::errc::not_enough_memory, "start HTTP client");
    }
    Sink sink{.body = {}, .on_piece = call.on_piece, .curl = curl.get()};
    const auto url = "http://vigia" + call.path;
    ::curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    ::curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    ::curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, call.method);
    ::curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http");
    ::curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
    if (call.on_piece == nullptr) {
        ::curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kAnswerMilliseconds);
    }
    if (call.body != nullptr) {
        ::curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(call.body->size()));
        ::curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, call.body->c_str());
    }
    ::curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Sink::write);
    ::curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &sink);
    const auto code = ::curl_easy_perform(curl.get());
    long status = 0;
    ::curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK && !sink.stopped) {
        return fail(
            code == CURLE_COULDNT_CONNECT ? std::errc::connection_refused : std::errc::timed_out,
            fmt::format("{}: {}", socket.native(), ::curl_easy_strerror(code)));
    }
    return Reply{.status = status, .body = std::move(sink.body)};
}

std::string url_encode(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace vigia::cli
