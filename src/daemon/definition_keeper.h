// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "daemon/policy_store.h"
#include "daemon/reporter.h"
#include "definitions/builtin.h"
#include "model/facts.h"
#include "model/status.h"
#include "scan/scan_service.h"

namespace vigia::daemon {

// Gathers the definitions that the policy asks for, gives them to the scan service, and knows what
// became of them. Thread-safe: policy, repairs and the watch of the folders ask on threads of their
// own; one gathering runs at a time.
//
// While the state folder cannot be written, the set is gathered in `stand_in`, which lives as long
// as the machine runs: a read-only disk must not cost the engine. It is said as a problem of the
// storage (fault 104).
class DefinitionKeeper {
public:
    struct Parts {
        const PolicyStore& policies;
        Reporter& reporter;
        std::filesystem::path folder;    // definitions/ of the state folder
        std::filesystem::path stand_in;  // made when it is needed; ours alone
        std::function<void(scan::ScanService::DefinitionSet)> load;  // must not block
    };

    // What an earlier run left in the stand-in is taken away.
    explicit DefinitionKeeper(Parts parts);
    DefinitionKeeper(const DefinitionKeeper&) = delete;
    DefinitionKeeper& operator=(const DefinitionKeeper&) = delete;
    ~DefinitionKeeper() = default;

    // Gathers, and loads what is not loaded yet. Waits for foreign files.
    void load();

    // The next load() starts an engine also where the files are the same.
    void forget();

    // Moves the file that the engine refused to rejected/ and loads the rest. Empty: done, else
    // what went wrong.
    [[nodiscard]] std::string set_rejected_aside();

    // From the scan service.
    void on_ready(const scan::ScanService::Engine& engine);
    void on_failed(const scan::ScanService::LoadFailure& failure);

    // The state folder refuses to hold the definitions.
    struct Refused {
        std::string error;
        int number = 0;  // errno
        BootTime since{};
    };

    [[nodiscard]] std::optional<Refused> refused() const;

    // Of the set in use.
    [[nodiscard]] DefinitionsStatus status() const;
    // What people should know of it: why the newest load failed, that the stand-in is used.
    [[nodiscard]] std::string detail() const;

    // Fills in what the last load, its failure and its sources say.
    void describe(Facts::ScanService& scan) const;

private:
    [[nodiscard]] Result<definitions::GatheredSet> gather();
    void note_refusal(const std::optional<Error>& error);

    const Parts parts_;
    std::mutex gather_mutex_;   // one gathering at a time; before the next one
    mutable std::mutex mutex_;  // guards all below
    DefinitionsStatus status_;
    std::vector<DefinitionsStatus::Source> loaded_sources_;  // of the set in use
    std::string loading_;                                    // generation
    std::string load_error_;
    std::optional<scan::ScanService::LoadFailure> failure_;  // of the newest load
    std::string failed_;                                     // generation
    std::filesystem::path gathered_in_;
    std::optional<Refused> refused_;
    std::uint64_t memory_ = 0;  // bytes, of the last load that succeeded
};

}  // namespace vigia::daemon
