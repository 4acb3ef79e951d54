// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/child_program.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "scand/confinement.h"
#include "scand/engines/clamav/engine.h"
#include "wire/scan_protocol.h"

namespace vigia::scand {

// Holds the loaded engine and forks workers that share its memory. One thread; parses definitions,
// never a file. It ends when the daemon closes the socket or says what is not in the table.
class Zygote {
public:
    // After Engine::initialise() and WarmUp. Takes LoadDefinitions from the daemon, confines the
    // process, loads. What the daemon can do something about is told to it as LoadFailed and is an
    // error here as well.
    [[nodiscard]] static Result<Zygote> start(const ChildOptions& options);

    // Until the daemon closes the socket.
    [[nodiscard]] Result<> serve();

private:
    struct Slot {
        pid_t pid = 0;  // 0: free
        UniqueFd pidfd = {};
    };

    Zygote(UniqueFd socket, wire::LoadDefinitions terms, Confinement confinement, Engine engine);

    [[nodiscard]] Result<> wait_for_events() const;
    [[nodiscard]] Result<bool> take_message();
    [[nodiscard]] Result<> spawn(std::uint32_t number, UniqueFd socket);
    [[nodiscard]] Result<> vacate(std::uint32_t number);
    [[nodiscard]] Result<> bury(std::uint32_t number);
    [[nodiscard]] Result<> bury_the_dead();
    [[noreturn]] void be_worker(std::uint32_t number, UniqueFd socket, pid_t zygote);
    [[nodiscard]] Result<> tell(const wire::FromZygote& message, std::span<const int> descriptors);

    UniqueFd socket_;
    wire::LoadDefinitions terms_;
    Confinement confinement_;
    Engine engine_;
    std::vector<Slot> slots_;
};

}  // namespace vigia::scand
