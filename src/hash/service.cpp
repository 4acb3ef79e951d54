// SPDX-License-Identifier: GPL-2.0-or-later
#include "hash/service.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "base/log.h"
#include "base/sandbox.h"
#include "base/seqpacket.h"
#include "hash/test_hooks.h"
#include "wire/scan_protocol.h"

namespace vigia::hash {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdle = 1h;     // then it asks again; the end of the daemon is told by the socket
constexpr auto kAnswer = 10s;  // the daemon reads at once or is gone

Result<> limit() {
    constexpr rlim_t kDescriptors = 32;
    const std::pair<__rlimit_resource, rlim_t> limits[] = {
        {RLIMIT_NOFILE, kDescriptors}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_MEMLOCK, 0}};
    for (const auto& [resource, value] : limits) {
        const rlimit both{.rlim_cur = value, .rlim_max = value};
        if (::setrlimit(resource, &both) < 0) {
            return fail_errno("set a limit");
        }
    }
    return {};
}

// What is hashed: anything else could block for ever, and has no content anyway.
int error_of(int file) {
    struct stat status{};
    if (::fstat(file, &status) < 0) {
        return errno;
    }
    return S_ISREG(status.st_mode) ? 0 : EINVAL;
}

// False: the daemon has closed.
Result<bool> serve_one(int socket, Hasher& hasher) {
    std::array<std::byte, wire::kMaxPacket> buffer{};
    auto received = seqpacket::receive(socket, buffer, kIdle);
    if (!received && received.error().code == std::errc::timed_out) {
        return true;
    }
    const auto packet = TRY(std::move(received));
    if (packet.size == 0) {
        return false;
    }
    const auto request = wire::decode_hash_file(std::span(buffer).first(packet.size));
    if (!request || packet.descriptors.size() != 1) {
        return fail(std::errc::protocol_error, "not a file to hash");
    }
    const int file = packet.descriptors.front().get();
    wire::HashDone done;
    if (const auto hooked = run_test_hook(file, socket)) {
        done = *hooked;
    } else if (const int error = error_of(file); error != 0) {
        done.error = error;
    } else {
        done = hasher.hash(file);
    }
    done.id = request->id;
    TRY(seqpacket::send(socket, wire::encode(done), {}, kAnswer));
    return true;
}

}  // namespace

Result<> confine(const ChildOptions& options) {
    const auto user = TRY(sandbox::find_user(options.user));
    (void)sandbox::enter_empty_root({});
    TRY(sandbox::drop_privileges(user));
    TRY(sandbox::die_with(options.parent));
    TRY(limit());
    // With neither Landlock nor an empty root the system-call filter holds alone: it lets nothing
    // be opened by name that the scan user could not read. The scan workers report the same (fault
    // 108).
    (void)TRY(sandbox::restrict_files({}));
    auto calls = sandbox::common_system_calls();
    calls.push_back({.name = "tgkill",
                     .conditions = {{.index = 0,
                                     .mask = sandbox::kWholeInt,
                                     .value = static_cast<std::uint64_t>(::getpid())}}});
    return sandbox::restrict_system_calls(calls);
}

Result<> serve(int socket, Hasher& hasher) {
    while (TRY(serve_one(socket, hasher))) {
    }
    return {};
}

}  // namespace vigia::hash
