// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/worker.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "base/seqpacket.h"
#include "scand/temporary_folder.h"
#include "scand/test_hooks.h"
#include "wire/scan_protocol.h"

namespace vigia::scand {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdle = 1h;     // then it asks again; the end of the daemon is told by the socket
constexpr auto kAnswer = 10s;  // the daemon reads at once or is gone
constexpr std::uint32_t kError = 2;

wire::ScanDone not_scanned(std::string why) {
    return {.outcome = kError, .text = std::move(why)};
}

wire::ScanDone scan(int file, const wire::ScanFile& request, Engine& engine) {
    struct stat status{};
    if (::fstat(file, &status) < 0) {
        return not_scanned("cannot be examined");
    }
    if (!S_ISREG(status.st_mode)) {
        return not_scanned("not a regular file");
    }
    return engine.scan({.file = file,
                        .size = static_cast<std::uint64_t>(status.st_size),
                        .archives = request.archives != 0});
}

// Nothing: the daemon has closed.
Result<bool> serve_one(int socket, Engine& engine, const std::string& temporary_folder) {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto received = seqpacket::receive(socket, buffer, kIdle);
    if (!received && received.error().code == std::errc::timed_out) {
        return true;
    }
    const auto packet = TRY(std::move(received));
    if (packet.size == 0) {
        return false;
    }
    const auto request = wire::decode_scan_file(std::span(buffer).first(packet.size));
    if (!request || packet.descriptors.size() != 1) {
        return fail(std::errc::protocol_error, "not a file to scan");
    }
    const int file = packet.descriptors.front().get();
    auto done = run_test_hook({.file = file, .socket = socket, .own_folder = temporary_folder});
    auto answer = done ? *std::move(done) : scan(file, *request, engine);
    answer.id = request->id;
    TRY(empty_folder(temporary_folder), "clean up after a file");
    TRY(seqpacket::send(socket, wire::encode(answer), {}, kAnswer));
    return true;
}

}  // namespace

Result<> serve_files(int socket, Engine& engine, const std::string& temporary_folder) {
    while (TRY(serve_one(socket, engine, temporary_folder))) {
    }
    return {};
}

}  // namespace vigia::scand
