// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/uuid.h"
#include "model/activity_event.h"
#include "model/evidence.h"
#include "model/sha256.h"

namespace vigia {

enum class Severity : std::uint8_t { Informational, Minor, Major, Critical };

// File as an event tells it.
struct FileFacts {
    std::string path;  // bytes, as the kernel gave them; may be any
    std::optional<Sha256> sha256 = {};
    std::uint64_t size = 0;
};

enum class DetectionPhase : std::uint8_t {
    Detected,
    Quarantined,
    QuarantineFailed,
    ExecutionBlocked,
    InExclusion,
};

struct DetectionBody {
    DetectionPhase phase = DetectionPhase::Detected;
    FileFacts file;
    std::string threat;
    std::string action = {};   // what policy decided: "audit", "quarantine", …
    std::string outcome = {};  // stable word: "quarantined", "changed-meanwhile", …
    std::string quarantine_id = {};
    std::vector<std::string> names_removed = {};
    std::vector<std::string> names_left = {};  // outside the watch or excluded (hard-parts 18)
    std::string exclusion = {};                // set and rule, when in an exclusion
    int pid = 0;
    std::string program = {};
    bool self_test = false;                 // a canary of ours
    std::optional<ProcessLine> actor = {};  // who wrote it, where that is known
};

enum class ScanPhase : std::uint8_t { Started, Completed, Failed, Unscannable };

struct ScanBody {
    ScanPhase phase = ScanPhase::Started;
    std::string scan_id = {};
    std::vector<std::string> targets = {};
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t detections = 0;
    std::uint64_t errors = 0;
    std::optional<FileFacts> file = {};  // Unscannable, Failed
    std::string reason = {};
};

enum class ServiceAction : std::uint8_t {
    Started,
    Stopped,
    PolicyApplied,
    PolicyRefused,
    DefinitionsLoaded,
    DefinitionsRejected,
    DefinitionsRolledBack,
    WorkerLost,
    ScanServiceLost,
    QueueOverflow,
    CaughtUp,
    SelfTestPassed,
    SelfTestFailed,
    Restored,
    QuarantineDeleted,
    HealAttempted,
    LoadLevelChanged,
    AddressesLoaded,  // lists of the flow correlation; facts say what was skipped
};

// 6002. `facts` are {stable key, value}, for machines; the message is for people.
struct ServiceBody {
    ServiceAction action = ServiceAction::Started;
    std::vector<std::pair<std::string, std::string>> facts = {};
};

// A range of the journal that had to be given up (hard-parts 14). `first` and `last` are 0 where
// the events never had a number; an empty `per_class` means that nobody can say how many there
// were.
struct EventsDroppedBody {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::vector<std::pair<std::string, std::uint64_t>> per_class = {};  // {"2004", count}
    std::string reason = {};        // stable word, see docs/EVENTS.md
    std::uint64_t undelivered = 0;  // of them, those that a sink had not acknowledged
    std::string epoch = {};         // of the range, where it is not the journal's own
    // When the first and the last of them happened, where they never had a number.
    std::optional<WallTime> first_time = {};
    std::optional<WallTime> last_time = {};
};

enum class FaultPhase : std::uint8_t { Raised, Updated, Cleared, AllCleared };

// A change of a fault; `metadata.correlation_uid` is the episode. AllCleared has no fault.
struct FaultBody {
    FaultPhase phase = FaultPhase::Raised;
    int id = 0;
    std::string key = {};
    std::string title = {};  // English
    std::string cause = {};
    Evidence evidence = {};
    std::string severity_before = {};  // Updated: our word
    std::string cause_before = {};     // Updated
    std::string cleared_because = {};  // Cleared
    std::optional<WallTime> raised_at = {};
    bool flapping = false;
    bool recovered = false;  // told again in a journal that replaced another
};

using EventBody = std::variant<DetectionBody,
                               ScanBody,
                               ServiceBody,
                               EventsDroppedBody,
                               FaultBody,
                               ProcessBody,
                               NetworkBody,
                               FlowDetectionBody>;

// One event before the journal has numbered it. `uid` is stable: the same in every sink, forever.
struct Event {
    Uuid uid = Uuid::random();
    std::optional<Uuid> correlation = {};  // detection or episode that it belongs to
    Severity severity = Severity::Informational;
    WallTime time{};
    std::string message;  // one printable English sentence
    EventBody body;
};

// An event as the journal holds it: numbered, rendered, immutable.
struct StoredEvent {
    std::uint64_t sequence = 0;  // from 1, without gaps within `epoch`
    std::string epoch;           // UUID of the journal
    std::string uid;
    int class_uid = 0;  // OCSF
    Severity severity = Severity::Informational;
    WallTime time{};
    std::string json;  // one line, no newline at its end
};

}  // namespace vigia
