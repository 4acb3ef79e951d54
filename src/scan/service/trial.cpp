// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/trial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <array>
#include <chrono>
#include <span>
#include <string_view>

#include "base/files.h"
#include "base/seqpacket.h"
#include "base/text.h"
#include "scan/service/exchange.h"
#include "wire/scan_protocol.h"

namespace vigia::scan::detail {
namespace {

constexpr std::string_view kHarmless = "A harmless line, to see whether this worker works.\n";
constexpr std::chrono::milliseconds kSendTimeout{500};
constexpr std::int32_t kEngineOutOfMemory = 20;  // CL_EMEM of clamav.h

Result<UniqueFd> harmless_file() {
    UniqueFd file{::memfd_create("vigia-trial", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (!file) {
        return fail_errno("make trial file");
    }
    TRY(write_all(file.get(), kHarmless), "make trial file");
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0) {
        return fail_errno("seal trial file");
    }
    return file;
}

}  // namespace

Trial::Trial(Worker worker) : worker_(std::move(worker)), id_(fresh_id()) {}

Result<Trial> Trial::begin(Worker worker) {
    const auto file = TRY(harmless_file());
    Trial trial(std::move(worker));
    const auto packet =
        wire::encode(wire::ScanFile{.id = trial.id_, .size = kHarmless.size(), .archives = 1});
    const int descriptor = file.get();
    const auto sent = seqpacket::send(
        trial.worker_.socket.get(), packet, std::span(&descriptor, 1), kSendTimeout);
    trial.closed_ = !sent;
    return trial;
}

Trial::Outcome Trial::fail_with(std::string cause, std::string message) {
    failure_ = {.cause = std::move(cause), .file = {}, .message = std::move(message)};
    return Outcome::Failed;
}

Trial::Outcome Trial::look() {
    if (closed_) {
        return Outcome::Open;
    }
    std::array<std::byte, wire::kMaxPacket> buffer{};
    const auto received =
        seqpacket::receive(worker_.socket.get(), buffer, std::chrono::milliseconds{0});
    if (!received && received.error().code == std::errc::timed_out) {
        return Outcome::Open;
    }
    if (!received || received->size == 0) {
        closed_ = true;
        return Outcome::Open;
    }
    const auto done = read_scan_done(std::span(buffer).first(received->size), id_);
    if (!done || !received->descriptors.empty()) {
        hostile_ = true;
        return fail_with("exec-failed",
                         done ? "protocol violation: sent a descriptor" : done.error());
    }
    if (done->outcome == 0) {
        return Outcome::Passed;
    }
    if (done->outcome == 1) {
        return fail_with("definitions-rejected",
                         "a harmless file is detected as " + printable(done->text));
    }
    return fail_with(done->engine_error == kEngineOutOfMemory ? "out-of-memory" : "sandbox-failed",
                     fmt::format("a harmless file cannot be scanned: {}", printable(done->text)));
}

}  // namespace vigia::scan::detail
