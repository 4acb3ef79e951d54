// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <microhttpd.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <pwd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "control/connections.h"

namespace vigia::control {
namespace {

constexpr std::size_t kMaxBody = std::size_t{1} << 20U;
constexpr std::size_t kConnectionMemory = std::size_t{32} << 10U;  // header and buffers of MHD
constexpr unsigned kIdleSeconds = 10;
constexpr std::size_t kThreadStack = std::size_t{512} << 10U;
constexpr std::chrono::seconds kHeartbeat{5};  // of a silent stream: finds out that nobody listens

Result<UniqueFd> listen_on(const std::filesystem::path& path, mode_t mode) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) {
        return fail(std::errc::filename_too_long,
                    fmt::format("socket path {} (a socket's path has at most {} bytes; choose a "
                                "shorter --prefix)",
                                path.native(),
                                sizeof address.sun_path - 1));
    }
    std::ranges::copy(path.native(), std::begin(address.sun_path));
    UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket) {
        return fail_errno("make socket");
    }
    // The instance lock is held, so what lies there was left by a daemon that is gone.
    ::unlink(path.c_str());
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        ::chmod(path.c_str(), mode) < 0 || ::listen(socket.get(), SOMAXCONN) < 0) {
        return fail_errno("listen on " + path.native());
    }
    return socket;
}

bool in_group(uid_t uid, gid_t gid, const std::string& group_name) {
    std::array<char, 16384> buffer{};
    group group_entry{};
    group* group_found = nullptr;
    ::getgrnam_r(group_name.c_str(), &group_entry, buffer.data(), buffer.size(), &group_found);
    if (group_found == nullptr) {
        return false;
    }
    const gid_t wanted = group_found->gr_gid;
    if (gid == wanted) {
        return true;
    }
    passwd user_entry{};
    passwd* user_found = nullptr;
    ::getpwuid_r(uid, &user_entry, buffer.data(), buffer.size(), &user_found);
    if (user_found == nullptr) {
        return false;
    }
    std::array<gid_t, 256> groups{};
    int count = static_cast<int>(groups.size());
    const int got = ::getgrouplist(user_found->pw_name, user_found->pw_gid, groups.data(), &count);
    return got > 0 &&
           std::ranges::find(groups.begin(), groups.begin() + got, wanted) != groups.begin() + got;
}

// What MHD carries through the calls that make up one request.
struct Exchange {
    std::string body;
    bool too_large = false;
};

struct Stream {
    std::function<std::optional<std::string>()> next;
    const std::atomic<bool>* stopping = nullptr;
    std::string rest = {};
    BootTime last_sent = BootClock::now();

    ssize_t read(char* buffer, std::size_t size) {
        while (rest.empty()) {
            if (stopping->load()) {
                return MHD_CONTENT_READER_END_OF_STREAM;
            }
            auto piece = next();
            if (!piece) {
                return MHD_CONTENT_READER_END_OF_STREAM;
            }
            rest = std::move(*piece);
            if (rest.empty() && BootClock::now() - last_sent >= kHeartbeat) {
                rest = "\n";
            }
        }
        const std::size_t taken = std::min(size, rest.size());
        std::ranges::copy_n(rest.begin(), static_cast<std::ptrdiff_t>(taken), buffer);
        rest.erase(0, taken);
        last_sent = BootClock::now();
        return static_cast<ssize_t>(taken);
    }
};

class Server final : public ControlServer {
public:
    Server(Options options, Handler handler)
        : options_(std::move(options)), handler_(std::move(handler)) {}

    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    ~Server() override {
        stopping_ = true;
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
        if (acceptor_.joinable()) {
            acceptor_.join();
        }
        connections_.shut_down_all();
        for (auto& side : sides_) {
            if (side.mhd != nullptr) {
                ::MHD_stop_daemon(side.mhd);
            }
            std::error_code ignored;
            std::filesystem::remove(side.path, ignored);
        }
    }

    Result<> open() {
        wake_ = UniqueFd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        if (!wake_) {
            return fail_errno("create eventfd");
        }
        TRY(open_side(sides_[0], options_.status_socket, 0666, false));
        TRY(open_side(sides_[1], options_.control_socket, 0600, true));
        acceptor_ = std::thread([this] { accept_connections(); });
        return {};
    }

    [[nodiscard]] Counters counters() const override {
        return {.requests = requests_,
                .refused_connections = connections_.refused(),
                .bad_requests = bad_requests_,
                .connections = static_cast<unsigned>(connections_.count())};
    }

private:
    struct Side {
        Server* server = nullptr;
        std::filesystem::path path;
        UniqueFd listener;
        MHD_Daemon* mhd = nullptr;
        bool may_change = false;
    };

    Result<> open_side(Side& side,
                       const std::filesystem::path& path,
                       mode_t mode,
                       bool may_change) {
        side.server = this;
        side.path = path;
        side.may_change = may_change;
        side.listener = TRY(listen_on(path, mode), "control API");
        // A thread per connection: a handler that waits (self-test, a followed stream) holds up
        // nobody else, and Connections bounds how many there are.
        side.mhd =
            ::MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                                   MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC,
                               0,
                               nullptr,
                               nullptr,
                               &Server::on_request,
                               &side,
                               MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                               kConnectionMemory,
                               MHD_OPTION_CONNECTION_TIMEOUT,
                               kIdleSeconds,
                               MHD_OPTION_THREAD_STACK_SIZE,
                               kThreadStack,
                               MHD_OPTION_NOTIFY_COMPLETED,
                               &Server::on_completed,
                               &side,
                               MHD_OPTION_NOTIFY_CONNECTION,
                               &Server::on_connection,
                               &side,
                               MHD_OPTION_END);
        if (side.mhd == nullptr) {
            return fail(std::errc::not_enough_memory, "start HTTP server on " + path.native());
        }
        return {};
    }

    void accept_connections() {
        while (!stopping_) {
            std::array<pollfd, 3> waits{
                pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                pollfd{.fd = sides_[0].listener.get(), .events = POLLIN, .revents = 0},
                pollfd{.fd = sides_[1].listener.get(), .events = POLLIN, .revents = 0}};
            ::poll(waits.data(), waits.size(), -1);
            for (std::size_t i = 0; i < sides_.size(); ++i) {
                if ((waits.at(i + 1).revents & POLLIN) != 0) {
                    accept_one(sides_.at(i));
                }
            }
        }
    }

    void accept_one(Side& side) {
        sockaddr_un address{};
        socklen_t length = sizeof address;
        UniqueFd socket{::accept4(side.listener.get(),
                                  reinterpret_cast<sockaddr*>(&address),
                                  &length,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!socket) {
            // Out of descriptors: give those that hold them a moment instead of spinning.
            if (errno == EMFILE || errno == ENFILE) {
                std::this_thread::sleep_for(std::chrono::milliseconds{20});
            }
            return;
        }
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
            !connections_.admit(socket.get(), peer.uid)) {
            return;
        }
        const int raw = socket.release();
        // On failure MHD has closed the socket already.
        if (::MHD_add_connection(
                side.mhd, raw, reinterpret_cast<const sockaddr*>(&address), length) != MHD_YES) {
            connections_.remove(raw);
        }
    }

    static int socket_of(MHD_Connection* connection) {
        return ::MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    }

    static void on_connection(void* cls,
                              MHD_Connection* connection,
                              void** /*context*/,
                              MHD_ConnectionNotificationCode code) {
        if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
            static_cast<Side*>(cls)->server->connections_.remove(socket_of(connection));
        }
    }

    static void on_completed(void* cls,
                             MHD_Connection* connection,
                             void** context,
                             MHD_RequestTerminationCode /*code*/) {
        const std::unique_ptr<Exchange> done(
            static_cast<Exchange*>(std::exchange(*context, nullptr)));
        static_cast<Side*>(cls)->server->connections_.set_busy(socket_of(connection), false);
    }

    // NOLINTNEXTLINE(readability-function-size): its shape is the library's
    static MHD_Result on_request(void* cls,
                                 MHD_Connection* connection,
                                 const char* url,
                                 const char* method,
                                 const char* /*version*/,
                                 const char* data,
                                 std::size_t* size,
                                 void** context) {
        auto& side = *static_cast<Side*>(cls);
        if (*context == nullptr) {
            *context = std::make_unique<Exchange>().release();  // until on_completed()
            return side.server->begin(side, connection, method);
        }
        auto& exchange = *static_cast<Exchange*>(*context);
        if (*size > 0) {
            exchange.too_large = exchange.body.size() + *size > kMaxBody;
            if (exchange.too_large) {
                ++side.server->bad_requests_;
                return MHD_NO;  // MHD takes no answer in mid-upload; the connection ends
            }
            exchange.body.append(data, *size);
            *size = 0;
            return MHD_YES;
        }
        return side.server->answer(side, connection, {url, method, std::move(exchange.body)});
    }

    // The header is there: refuse here what is not to be read at all.
    MHD_Result begin(const Side& side, MHD_Connection* connection, std::string_view method) {
        const char* length =
            ::MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
        if (length != nullptr) {
            std::size_t bytes = 0;
            const auto* end = length + std::strlen(length);
            const auto parsed = std::from_chars(length, end, bytes);
            if (parsed.ec != std::errc{} || bytes > kMaxBody) {
                ++bad_requests_;
                return send(connection,
                            error_response(413, "too-large", "a body has at most 1 MiB"));
            }
        }
        if (!side.may_change && method != "GET" && method != "HEAD") {
            ++bad_requests_;
            return send(connection,
                        error_response(403,
                                       "read-only",
                                       "status.sock answers GET only; changes are made by root "
                                       "through control.sock"));
        }
        return MHD_YES;
    }

    struct Line {
        std::string url;
        std::string method;
        std::string body;
    };

    MHD_Result answer(const Side& side, MHD_Connection* connection, Line line) {
        ++requests_;
        const int socket = socket_of(connection);
        connections_.set_busy(socket, true);
        const Request request{.method = std::move(line.method),
                              .path = std::move(line.url),
                              .query =
                                  [connection](const std::string& name) {
                                      const char* value = ::MHD_lookup_connection_value(
                                          connection, MHD_GET_ARGUMENT_KIND, name.c_str());
                                      return std::string(value == nullptr ? "" : value);
                                  },
                              .body = std::move(line.body),
                              .caller = caller_of(socket, side.may_change)};
        auto response = handler_(request);
        if (response.next) {
            // A follower is idle for our purposes: he makes room when his user needs it.
            connections_.set_busy(socket, false);
        }
        return send(connection, std::move(response));
    }

    [[nodiscard]] Caller caller_of(int socket, bool may_change) const {
        ucred peer{};
        socklen_t size = sizeof peer;
        if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
            return {.uid = static_cast<uid_t>(-1), .gid = static_cast<gid_t>(-1)};
        }
        const bool root = peer.uid == 0;
        return {.uid = peer.uid,
                .gid = peer.gid,
                .full = root || in_group(peer.uid, peer.gid, options_.full_group),
                .may_change = may_change && root};
    }

    MHD_Result send(MHD_Connection* connection, Response response) {
        MHD_Response* reply = nullptr;
        if (response.next) {
            constexpr std::size_t kBlock = 16384;
            auto stream = std::make_unique<Stream>();
            stream->next = std::move(response.next);
            stream->stopping = &stopping_;
            reply = ::MHD_create_response_from_callback(
                MHD_SIZE_UNKNOWN,
                kBlock,
                [](void* self, std::uint64_t /*at*/, char* buffer, std::size_t size) {
                    return static_cast<Stream*>(self)->read(buffer, size);
                },
                stream.get(),
                [](void* self) { const std::unique_ptr<Stream> done(static_cast<Stream*>(self)); });
            if (reply != nullptr) {
                (void)stream.release();  // until the callback above
            }
        } else {
            reply = ::MHD_create_response_from_buffer(
                response.body.size(), response.body.data(), MHD_RESPMEM_MUST_COPY);
        }
        if (reply == nullptr) {
            return MHD_NO;
        }
        ::MHD_add_response_header(reply, "Content-Type", response.content_type.c_str());
        const auto status = static_cast<unsigned>(response.status);
        const auto queued = ::MHD_queue_response(connection, status, reply);
        ::MHD_destroy_response(reply);
        return queued;
    }

    const Options options_;
    const Handler handler_;
    Connections connections_;
    std::array<Side, 2> sides_;
    UniqueFd wake_;
    std::thread acceptor_;
    std::atomic<bool> stopping_ = false;
    std::atomic<std::uint64_t> requests_ = 0;
    std::atomic<std::uint64_t> bad_requests_ = 0;
};

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(Options options, Handler handler) {
    auto server = std::make_unique<Server>(std::move(options), std::move(handler));
    TRY(server->open());
    return server;
}

Response error_response(int status, const std::string& code, const std::string& message) {
    nlohmann::json body;
    body["error"] = {{"code", code}, {"message", message}};
    return {.status = status, .body = body.dump() + "\n"};
}

}  // namespace vigia::control
