// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/zygote.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <expected>
#include <utility>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/seqpacket.h"
#include "scand/heap.h"
#include "scand/temporary_folder.h"
#include "scand/worker.h"

namespace vigia::scand {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstMessage = 60s;  // the daemon sends it right after the start
constexpr auto kAnswer = 10s;
constexpr auto kDying = 5s;                  // a killed worker's memory is given back in less
constexpr std::uint32_t kSandboxFailed = 3;  // index into wire::kLoadFailures

struct Order {
    wire::LoadDefinitions request;
    std::vector<UniqueFd> folders;
};

Result<Order> receive_order(int socket) {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto received = TRY(seqpacket::receive(socket, buffer, kFirstMessage));
    const auto message = wire::decode_to_zygote(std::span(buffer).first(received.size));
    const auto* request = message ? std::get_if<wire::LoadDefinitions>(&*message) : nullptr;
    if (request == nullptr || request->folders != received.descriptors.size()) {
        return fail(std::errc::protocol_error, "not an order to load definitions");
    }
    return Order{.request = *request, .folders = std::move(received.descriptors)};
}

// Tells the daemon, and gives what is logged.
std::unexpected<Error> report(int socket, const wire::LoadFailed& failure) {
    const auto told = seqpacket::send(socket, wire::encode(failure), {}, kAnswer);
    auto context = std::string(wire::kLoadFailures.at(failure.cause)) + ": " +
                   (failure.file.empty() ? "" : failure.file + ": ") + failure.message;
    if (!told) {
        context += " (and the daemon could not be told: " + told.error().message() + ")";
    }
    return fail(std::errc::operation_canceled, std::move(context));
}

}  // namespace

Zygote::Zygote(UniqueFd socket, wire::LoadDefinitions terms, Confinement confinement, Engine engine)
    : socket_(std::move(socket)),
      terms_(terms),
      confinement_(std::move(confinement)),
      engine_(std::move(engine)),
      slots_(terms.slots) {}

Result<Zygote> Zygote::start(const ChildOptions& options) {
    UniqueFd socket{options.socket};
    // Workers write into a tmpfs with an end and to a daemon that may go: both are errors to them.
    (void)std::signal(SIGXFSZ, SIG_IGN);
    (void)std::signal(SIGPIPE, SIG_IGN);
    const auto user = TRY(sandbox::find_user(options.user));
    auto order = TRY(receive_order(socket.get()));
    auto confinement = confine_zygote({.request = order.request,
                                       .folders = order.folders,
                                       .user = user,
                                       .daemon = options.parent});
    if (!confinement) {
        return report(
            socket.get(),
            {.cause = kSandboxFailed, .file = {}, .message = confinement.error().message()});
    }
    auto engine =
        Engine::load(confinement->definition_folders, confinement->temporary_folders.front());
    if (!engine) {
        return report(socket.get(), engine.error());
    }
    const wire::FromZygote loaded = wire::Loaded{.signatures = engine->signatures(),
                                                 .built_unix = engine->built_unix(),
                                                 .version = Engine::version(),
                                                 .sandbox = confinement->description};
    TRY(seqpacket::send(socket.get(), wire::encode(loaded), {}, kAnswer), "tell the daemon");
    return Zygote(std::move(socket), order.request, *std::move(confinement), *std::move(engine));
}

Result<> Zygote::serve() {
    while (true) {
        TRY(wait_for_events());
        TRY(bury_the_dead());
        if (!TRY(take_message())) {
            return {};
        }
    }
}

Result<> Zygote::wait_for_events() const {
    std::vector<pollfd> watched{{.fd = socket_.get(), .events = POLLIN, .revents = 0}};
    for (const auto& slot : slots_) {
        // A negative number is passed over by poll.
        watched.push_back({.fd = slot.pidfd.get(), .events = POLLIN, .revents = 0});
    }
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
        return fail_errno("wait for the daemon");
    }
    return {};
}

// False: the daemon has closed.
Result<bool> Zygote::take_message() {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto received = seqpacket::receive(socket_.get(), buffer, 0ms);
    if (!received && received.error().code == std::errc::timed_out) {
        return true;
    }
    auto packet = TRY(std::move(received));
    if (packet.size == 0) {
        return false;
    }
    const auto message = wire::decode_to_zygote(std::span(buffer).first(packet.size));
    const auto* order = message ? std::get_if<wire::SpawnWorker>(&*message) : nullptr;
    if (order == nullptr || order->slot >= slots_.size() || packet.descriptors.size() != 1) {
        return fail(std::errc::protocol_error, "not an order for a worker");
    }
    TRY(spawn(order->slot, std::move(packet.descriptors.front())), "start a worker");
    return true;
}

Result<> Zygote::spawn(std::uint32_t number, UniqueFd socket) {
    TRY(vacate(number));
    TRY(empty_folder(confinement_.temporary_folders[number]), "clean up after a worker");
    const pid_t self = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
        be_worker(number, std::move(socket), self);
    }
    if (pid < 0) {
        log::error("fork a worker: " + std::system_category().message(errno));
        return tell(wire::WorkerEnded{.slot = number, .pid = 0, .wait_status = 0}, {});
    }
    // It cannot be reaped, and its number not be another's, before we do it.
    auto& slot = slots_[number];
    slot.pid = pid;
    slot.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!slot.pidfd) {
        return fail_errno("hold a worker");
    }
    return tell(wire::WorkerStarted{.slot = number, .pid = pid}, std::array{slot.pidfd.get()});
}

// The daemon kills a worker and at once wants another in its place: its end may still be on the
// way.
Result<> Zygote::vacate(std::uint32_t number) {
    if (slots_[number].pid == 0) {
        return {};
    }
    pollfd ended{.fd = slots_[number].pidfd.get(), .events = POLLIN, .revents = 0};
    const auto timeout = std::chrono::milliseconds(kDying);
    if (::poll(&ended, 1, static_cast<int>(timeout.count())) <= 0) {
        return fail(std::errc::device_or_resource_busy, "the slot is taken");
    }
    return bury(number);
}

Result<> Zygote::bury(std::uint32_t number) {
    auto& slot = slots_[number];
    int status = 0;
    const pid_t ended = ::waitpid(slot.pid, &status, WNOHANG);
    if (ended == 0) {
        return {};
    }
    if (ended < 0) {
        return fail_errno("reap a worker");
    }
    slot = {};
    return tell(wire::WorkerEnded{.slot = number, .pid = ended, .wait_status = status}, {});
}

Result<> Zygote::bury_the_dead() {
    for (std::uint32_t number = 0; number < slots_.size(); ++number) {
        if (slots_[number].pid != 0) {
            TRY(bury(number));
        }
    }
    return {};
}

void Zygote::be_worker(std::uint32_t number, UniqueFd socket, pid_t zygote) {
    const auto& folder = confinement_.temporary_folders[number];
    const auto work = [&]() -> Result<> {
        const auto placed = TRY(confine_worker({.zygote = zygote,
                                                .temporary_folder = folder,
                                                .temporary_space = terms_.temporary_space,
                                                .memory = terms_.worker_memory,
                                                .memory_size = confinement_.memory_size.get(),
                                                .walls = confinement_.walls},
                                               std::move(socket)),
                                "confine a worker");
        TRY(engine_.use_temporary_folder(folder));
        keep_freed_memory();
        return serve_files(placed.get(), engine_, folder);
    };
    const auto ended = work();
    if (!ended) {
        log::error("worker: " + ended.error().message());
    }
    ::_exit(ended ? 0 : 1);
}

Result<> Zygote::tell(const wire::FromZygote& message, std::span<const int> descriptors) {
    TRY(seqpacket::send(socket_.get(), wire::encode(message), descriptors, kAnswer),
        "tell the daemon");
    return {};
}

}  // namespace vigia::scand
