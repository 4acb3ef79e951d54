// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/fake_scand.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/seqpacket.h"
#include "wire/scan_protocol.h"

namespace vigia::test {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kForEver{3'600'000};
using Packet = std::vector<std::byte>;

void send_to(int socket, const Packet& packet, std::span<const int> descriptors = {}) {
    if (!seqpacket::send(socket, packet, descriptors, milliseconds{5000})) {
        ::_exit(1);
    }
}

Packet rubbish(std::size_t size) {
    return Packet(size, std::byte{0x5a});
}

// Ends the process when the peer is gone.
std::pair<Packet, std::vector<UniqueFd>> receive_from(int socket) {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto received = seqpacket::receive(socket, buffer, kForEver);
    if (!received || received->size == 0) {
        ::_exit(0);
    }
    const auto bytes = std::span(buffer).first(received->size);
    return {Packet(bytes.begin(), bytes.end()), std::move(received->descriptors)};
}

std::string content_of(int file) {
    std::array<char, 512> text{};
    const auto got = ::pread(file, text.data(), text.size(), 0);
    std::string content(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (!content.starts_with("once:")) {
        return content;
    }
    const auto colon = content.rfind(':');
    const auto path = content.substr(5, colon - 5);
    const UniqueFd made{::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)};
    return made ? content.substr(colon + 1) : "clean";
}

// What is common to bad workers and bad hashers. Returns if `what` is not one of these.
void misbehave(const std::string& what, int socket) {
    if (what == "silent") {
        std::this_thread::sleep_for(kForEver);
    } else if (what == "exit") {
        ::_exit(7);
    } else if (what == "abort") {
        ::signal(SIGABRT, SIG_DFL);
        ::abort();
    } else if (what == "malformed") {
        send_to(socket, rubbish(17));
    } else if (what == "oversized") {
        send_to(socket, rubbish(2 * wire::kMaxPacket));
    } else if (what == "close") {
        ::close(socket);
        std::this_thread::sleep_for(kForEver);
    }
}

void answer_scan(int socket, const std::string& what, std::uint64_t id) {
    misbehave(what, socket);
    wire::ScanDone done{.id = id, .text = {}};
    if (what == "infected") {
        done.outcome = 1;
        done.text = "Fake.Threat";
    } else if (what == "dirty-name") {
        done.outcome = 1;
        done.text = "Fake\x1b[2J";
    } else if (what == "error") {
        done.outcome = 2;
        done.engine_error = 5;
        done.text = "broken\narchive";
    } else if (what == "wrong-id") {
        done.id = id + 1;
    } else if (what == "slow") {
        std::this_thread::sleep_for(milliseconds{300});
    }
    if (what == "descriptor") {
        const int descriptor = STDIN_FILENO;
        send_to(socket, wire::encode(done), std::span(&descriptor, 1));
    } else {
        send_to(socket, wire::encode(done));
    }
    if (what == "chatter") {
        send_to(socket, wire::encode(wire::ScanDone{.id = id + 1, .text = {}}));
    }
}

[[noreturn]] void be_worker(int socket) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) {
        const auto [packet, files] = receive_from(socket);
        const auto request = wire::decode_scan_file(packet);
        if (!request || files.size() != 1) {
            ::_exit(2);
        }
        answer_scan(socket, content_of(files.front().get()), request->id);
    }
}

[[noreturn]] void be_hasher(int socket, Packet packet, std::vector<UniqueFd> files) {
    while (true) {
        const auto request = wire::decode_hash_file(packet);
        if (!request || files.size() != 1) {
            ::_exit(2);
        }
        const auto what = content_of(files.front().get());
        misbehave(what, socket);
        send_to(socket,
                wire::encode(wire::HashDone{.id = request->id + (what == "wrong-id" ? 1 : 0),
                                            .error = what == "error" ? EIO : 0,
                                            .size = what.size(),
                                            .sha256 = {}}));
        std::tie(packet, files) = receive_from(socket);
    }
}

class Zygote {
public:
    Zygote(int socket, std::string_view role) : socket_(socket), role_(role) {}

    [[nodiscard]] int run(std::vector<UniqueFd> folders);

private:
    void load();
    void spawn(std::uint32_t slot, UniqueFd end);
    void report(std::uint32_t slot, pid_t pid, int pidfd);
    void reap();

    int socket_;
    std::string role_;
    std::map<pid_t, std::uint32_t> workers_;
    unsigned spawned_ = 0;
};

void Zygote::load() {
    const std::map<std::string, std::function<void()>> bad{
        {"silent-load", [] { std::this_thread::sleep_for(kForEver); }},
        {"exit-at-load", [] { ::_exit(3); }},
        {"sigkill-at-load", [] { ::raise(SIGKILL); }},
        {"sigsys-at-load", [] { ::raise(SIGSYS); }},
        {"sigsegv-at-load",
         [] {
             ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's would make it an exit
             ::raise(SIGSEGV);
         }},
        {"malformed-load", [this] { send_to(socket_, rubbish(40)); }},
        {"oversized-load", [this] { send_to(socket_, rubbish(2 * wire::kMaxPacket)); }},
        {"close-at-load",
         [this] {
             ::close(socket_);
             std::this_thread::sleep_for(kForEver);
         }},
        {"reject",
         [this] {
             send_to(socket_,
                     wire::encode(wire::FromZygote{wire::LoadFailed{
                         .cause = 0, .file = "bad\n.hdb", .message = "Malformed\x1b database"}}));
         }},
    };
    if (const auto found = bad.find(role_); found != bad.end()) {
        found->second();
    }
    const wire::Loaded loaded{
        .signatures = 42, .built_unix = 1'700'000'000, .version = "fake", .sandbox = "none"};
    send_to(socket_, wire::encode(wire::FromZygote{loaded}));
    if (role_ == "loads-twice") {
        send_to(socket_, wire::encode(wire::FromZygote{loaded}));
    }
}

void Zygote::report(std::uint32_t slot, pid_t pid, int pidfd) {
    const bool later = spawned_ > 1;
    wire::WorkerStarted started{.slot = slot, .pid = pid};
    UniqueFd other;
    if (role_ == "forges-pidfd" || (role_ == "forges-later" && later)) {
        other.reset(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
    } else if (role_ == "forges-pid") {
        other.reset(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
        started.pid = ::getppid();
    } else if (role_ == "sends-no-pidfd") {
        other.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    } else if (role_ == "wrong-slot") {
        started.slot = slot + 1;
    }
    const int descriptor = other ? other.get() : pidfd;
    send_to(socket_,
            wire::encode(wire::FromZygote{started}),
            std::span(&descriptor, role_ == "sends-nothing" ? 0 : 1));
}

void Zygote::spawn(std::uint32_t slot, UniqueFd end) {
    ++spawned_;
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (role_ == "stillborn" && spawned_ > 1) {
            ::_exit(9);
        }
        be_worker(end.get());
    }
    workers_[pid] = slot;
    const UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    report(slot, pid, pidfd.get());
}

void Zygote::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto found = workers_.find(pid);
        if (found == workers_.end() || role_ == "tells-no-end") {
            continue;
        }
        send_to(socket_,
                wire::encode(wire::FromZygote{
                    wire::WorkerEnded{.slot = found->second, .pid = pid, .wait_status = status}}));
        workers_.erase(found);
    }
}

int Zygote::run(std::vector<UniqueFd> folders) {
    if (folders.empty()) {
        send_to(socket_,
                wire::encode(wire::FromZygote{
                    wire::LoadFailed{.cause = 1, .file = {}, .message = "nothing to load"}}));
        return 1;
    }
    load();
    ::signal(SIGCHLD, [](int) {});  // ends poll() below
    while (true) {
        pollfd poll_fd{.fd = socket_, .events = POLLIN, .revents = 0};
        // The signal may come just before poll(): then the time-out notices.
        const int ready = ::poll(&poll_fd, 1, 5);
        reap();
        if (ready <= 0) {
            continue;
        }
        auto [packet, descriptors] = receive_from(socket_);
        const auto message = wire::decode_to_zygote(packet);
        const auto* const order = message ? std::get_if<wire::SpawnWorker>(&*message) : nullptr;
        if (order == nullptr || descriptors.size() != 1) {
            return 2;
        }
        if (role_ == "spawns-nothing") {
            std::this_thread::sleep_for(kForEver);
        }
        spawn(order->slot, std::move(descriptors.front()));
    }
}

}  // namespace

int fake_scand(int socket, std::string_view role) {
    auto [packet, descriptors] = receive_from(socket);
    if (wire::decode_hash_file(packet)) {
        be_hasher(socket, std::move(packet), std::move(descriptors));
    }
    const auto message = wire::decode_to_zygote(packet);
    if (!message || !std::holds_alternative<wire::LoadDefinitions>(*message)) {
        return 2;
    }
    return Zygote(socket, role).run(std::move(descriptors));
}

int be_peer_or_run_tests(int argc, char** argv) {
    const std::vector<std::string> words(argv, argv + argc);
    if (words.size() == 5 && words[1] == "--socket-fd") {  // as base/child_program.h has it
        return fake_scand(std::stoi(words[2]), words[4]);
    }
    testing::InitGoogleMock(&argc, argv);
    return RUN_ALL_TESTS();
}

}  // namespace vigia::test
