// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "scan/scan_service.h"
#include "scan/service/worker.h"
#include "wire/scan_protocol.h"

namespace vigia::scan::detail {

// One vigia-scand process and the socket to it. Knows which message may come when, and believes
// nothing it can check: a worker is taken only if the pidfd that came with it is that of the pid
// named and a child of this zygote. Not thread-safe. Must be started by a thread that lives as long
// as the child (parent-death signal). The destructor kills and reaps the zygote; its workers are
// the pool's.
class Zygote {
public:
    // Twice the most workers there may be: each may have a successor before it ends.
    static constexpr std::uint32_t kSlots = 32;

    struct Started {
        Worker worker;
    };

    struct Ended {
        std::uint32_t slot = 0;
        int wait_status = 0;
    };

    struct Closed {};  // it has closed its socket

    using Event = std::variant<wire::Loaded, wire::LoadFailed, Started, Ended, Closed>;

    // Starts the program and gives it the definitions.
    [[nodiscard]] static Result<Zygote> start(const ScanService::Options& options,
                                              const ScanService::DefinitionSet& set,
                                              std::uint64_t serial);

    // The link alone, to a process that has been given its definitions.
    Zygote(Subprocess process, UniqueFd socket, std::uint64_t serial);

    // Asks for one more worker. No free slot is EAGAIN.
    [[nodiscard]] Result<> spawn();

    // The next thing it has said; nothing when it has said nothing. An error is a violation of the
    // protocol, in words: the zygote must be ended.
    [[nodiscard]] std::expected<std::optional<Event>, std::string> next();

    [[nodiscard]] std::uint64_t serial() const noexcept { return serial_; }

    [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }

    [[nodiscard]] int socket() const noexcept { return socket_.get(); }

    [[nodiscard]] Subprocess& process() noexcept { return process_; }

    [[nodiscard]] const Subprocess& process() const noexcept { return process_; }

    // Workers asked for that it has not started yet, and since when the first of them is awaited.
    [[nodiscard]] unsigned starting() const noexcept;
    [[nodiscard]] std::optional<BootTime> starting_since() const noexcept;

private:
    struct Slot {
        enum class Use : std::uint8_t { Free, Starting, Running };
        Use use = Use::Free;
        pid_t pid = 0;
        UniqueFd socket;  // our end, until the worker takes it
        BootTime asked{};
    };

    using Descriptors = std::vector<UniqueFd>;
    using Taken = std::expected<std::optional<Event>, std::string>;

    [[nodiscard]] Taken take(wire::Loaded message, Descriptors& descriptors);
    [[nodiscard]] Taken take(wire::LoadFailed message, Descriptors& descriptors);
    [[nodiscard]] Taken take(const wire::WorkerStarted& message, Descriptors& descriptors);
    [[nodiscard]] Taken take(const wire::WorkerEnded& message, Descriptors& descriptors);
    [[nodiscard]] std::optional<std::string> doubt(pid_t pid, int pidfd) const;

    Subprocess process_;
    UniqueFd socket_;
    std::uint64_t serial_;
    bool answered_ = false;  // Loaded or LoadFailed has come
    std::array<Slot, kSlots> slots_;
};

}  // namespace vigia::scan::detail
