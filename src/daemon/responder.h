// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/exclusion_effects.h"
#include "daemon/object_turns.h"
#include "daemon/policy_store.h"
#include "daemon/reporter.h"
#include "response/quarantine.h"
#include "scan/examiner.h"

namespace vigia::daemon {

// A verdict and the object it is about.
struct Judged {
    const scan::Examination& examination;
    int file = -1;     // O_RDONLY on the object
    std::string path;  // best known name
    pid_t pid = 0;
    BootTime at{};           // when that was heard of
    bool removable = true;   // inside the watch: policy may put it away; else only reported
    bool on_demand = false;  // asked for: reported even when it was reported before
};

enum class Handled : std::uint8_t {
    Nothing,  // clean, or known and reported before
    Reported,
    PutAway,
    NotPutAway,  // wanted by policy, did not work; said
    ScanAgain,   // the content changed meanwhile
};

struct Answer {
    Handled handled = Handled::Nothing;
    std::string action = {};  // for people: "quarantined", "reported (policy mode audit)", …
};

// From verdict to action (policy decides), with the events of each step. Detection first, then what
// was done about it, each durable before the next. Thread-safe; blocking.
class Responder {
public:
    struct Parts {
        Reporter& reporter;
        const PolicyStore& policies;
        // After the detection of this object is in the journal (self-test).
        std::function<void(const ObjectId&)> on_journaled;
        ExclusionEffects& effects;
    };

    explicit Responder(Parts parts) : parts_(std::move(parts)) {}

    // Made after the responder, because its hooks lead here.
    void set_quarantine(response::Quarantine& quarantine) { quarantine_ = &quarantine; }

    // Says whose doing something was; made after the responder, too.
    using WhoDid = std::function<std::optional<ProcessLine>(pid_t, BootTime)>;

    void set_who(WhoDid who) { who_ = std::move(who); }

    [[nodiscard]] Answer handle(const Judged& judged);

    // The vault's hook: the item's state durable, and its event with it when it is done.
    Result<> record(const QuarantineItem& item);

    // The vault's hook: what an operator restored is let be until its content changes.
    void on_restored(const FileIdentity& identity, const Sha256& sha256);

    [[nodiscard]] std::uint64_t detections() const { return detections_; }

    // The vault could not store what policy wanted put away, since when and why; nothing once it
    // can again.
    struct VaultTrouble {
        WallTime since{};
        std::string error;
    };

    [[nodiscard]] std::optional<VaultTrouble> vault_trouble() const;
    void vault_works_again();

    // Files set aside because they end scan workers, the newest last; at most 100.
    [[nodiscard]] std::vector<FileFacts> poison() const;

    // Newer definitions scan them again.
    void forget_poison();

private:
    [[nodiscard]] bool was_restored(const Judged& judged) const;
    [[nodiscard]] bool is_put_away(const Judged& judged) const;
    void attribute(const Judged& judged, Event& event) const;
    Uuid report_detection(const Judged& judged, const policy::Decision& decision);
    Answer put_away(const Judged& judged, const Uuid& detection);
    void report_unscannable(const Judged& judged);

    Parts parts_;
    response::Quarantine* quarantine_ = nullptr;
    ObjectTurns turns_;
    WhoDid who_ = [](pid_t, BootTime) { return std::optional<ProcessLine>{}; };
    std::atomic<std::uint64_t> detections_ = 0;
    mutable std::mutex trouble_mutex_;  // guards the two below
    std::optional<VaultTrouble> vault_trouble_;
    std::deque<FileFacts> poison_;
};

}  // namespace vigia::daemon
