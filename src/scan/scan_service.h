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
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "model/verdict.h"
#include "scan/haste.h"

namespace vigia::scan {

// The daemon's side of vigia-scand: starts the zygote, keeps `workers` workers ready, hands them
// files as descriptors, kills what is late, replaces what dies, retries once what was in flight.
// Everything a child says is checked against the message tables of wire/scan_protocol.h.
// Thread-safe; one private thread supervises the children. Destruction ends all children within 1
// s.
class ScanService {
public:
    struct Options {
        std::filesystem::path program;  // vigia-scand
        unsigned workers = 2;           // 1 … 16
        std::string user = "vigia-scan";
        std::chrono::milliseconds load_timeout{300'000};
        std::chrono::milliseconds retry_backoff{500};  // doubled at each failed start, to 60 s
        std::uint64_t worker_memory = std::uint64_t{1} << 30U;      // beyond the engine, bytes
        std::uint64_t temporary_space = std::uint64_t{512} << 20U;  // private tmpfs, bytes
        unsigned recycle_after = 2000;  // files per worker (hard-parts 5)
        // How many of our processes the kernel has killed for memory so far; nothing: nobody
        // counts. Called by the supervisor's thread.
        std::function<std::optional<std::uint64_t>()> oom_kills = {};
    };

    // One folder of definition files, opened by the daemon; the service reads nothing else.
    struct DefinitionSet {
        std::string generation;         // names it, see DefinitionsStatus
        std::vector<UniqueFd> folders;  // O_DIRECTORY; at most 4
    };

    struct Engine {
        std::string generation;
        std::uint64_t signatures = 0;
        std::optional<std::int64_t> built_unix;  // newest CVD in it; seconds
        std::string version;                     // libclamav's
        std::uint64_t memory = 0;  // bytes, the most that loading it took; 0: not measured
    };

    // An abnormal end of a worker or of the zygote; told by the supervisor thread, must not block.
    struct Loss {
        bool zygote = false;
        pid_t pid = 0;
        std::string how;                // "signal 11 (Segmentation fault)", "deadline", …
        std::optional<Sha256> content;  // in flight
        std::string path;               // in flight, a hint
        std::uint64_t size = 0;
    };

    struct LoadFailure {
        std::string cause;  // definitions-rejected, no-definitions, out-of-memory, sandbox-failed,
                            // exec-failed, start-timeout, killed, killed-or-out-of-memory
        std::string file;
        std::string message;       // libclamav's own words where it has any
        std::uint64_t memory = 0;  // bytes, the most that it had when it failed; 0: not measured
    };

    struct Observer {
        std::function<void(const Loss&)> on_loss;
        std::function<void(const Engine&)> on_ready;             // a set is loaded and in use
        std::function<void(const LoadFailure&)> on_load_failed;  // the set before it stays in use
    };

    struct State {
        std::string state;  // starting, ready, failed, stopped
        std::string detail;
        std::string user;  // effective user of the workers, read from /proc
        unsigned workers_ready = 0;
        pid_t zygote = 0;
        std::vector<pid_t> workers;
        std::uint64_t workers_lost = 0;
        std::optional<Engine> engine;
        std::string sandbox;  // what holds the workers, e.g. "seccomp, landlock, namespaces"
    };

    struct Request {
        int file = -1;  // readable; positions are not used (pread)
        std::uint64_t size = 0;
        std::optional<Sha256> content = {};  // for poison evidence
        std::string path_hint = {};
        std::chrono::milliseconds timeout{120'000};        // per attempt, then the worker is killed
        std::chrono::milliseconds queue_timeout{600'000};  // waiting for a worker, then Failed
        bool urgent = false;                               // ahead of those that are not
        bool archives = true;
        Haste haste = Haste::Asked;
        unsigned cpu_budget_percent = 100;  // of the machine, for all that are not Asked
    };

    [[nodiscard]] static Result<std::unique_ptr<ScanService>> start(Options options,
                                                                    Observer observer);
    virtual ~ScanService() = default;

    // Asynchronous: a new zygote loads the set beside the old one and then takes over (observer).
    virtual void load(DefinitionSet set) = 0;

    // Blocks the caller until there is a verdict; never for longer than the timeouts (twice
    // `timeout` for the retry). Content that killed two workers is Unscannable `kills-workers`.
    [[nodiscard]] virtual Verdict scan(const Request& request) = 0;

    virtual void set_workers(unsigned count) = 0;

    // For good, without waiting: who is inside scan(), and who comes later, gets Failed
    // `service-not-ready`. Workers that are at a file are killed, and count as no loss.
    virtual void stop() = 0;

    [[nodiscard]] virtual State state() const = 0;
};

}  // namespace vigia::scan
