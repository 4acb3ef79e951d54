// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/event_kinds.h"

#include <variant>

#include "wire/event_json.h"

namespace vigia::wire {
namespace {

constexpr Caption kSuccess{1, "Success"};
constexpr Caption kFailure{2, "Failure"};

constexpr Caption kAllowed{1, "Allowed"};
constexpr Caption kDenied{2, "Denied"};

}  // namespace

// Switches, not tables: the compiler then says which new kind of event has no name yet.
DetectionKind kind_of(DetectionPhase value) noexcept {
    using enum DetectionPhase;
    switch (value) {
        case Detected:
            return {{"threat-detected", {1, "Create"}, {1, "New"}}, {15, "Detected"}, kAllowed};
        case Quarantined:
            return {{"threat-quarantined", {2, "Update"}, {4, "Resolved"}},
                    {3, "Quarantined"},
                    kDenied};
        case QuarantineFailed:
            return {{"quarantine-failed", {2, "Update"}, {2, "In Progress"}},
                    {13, "Uncorrected"},
                    kAllowed};
        case ExecutionBlocked:
            return {
                {"execution-blocked", {2, "Update"}, {2, "In Progress"}}, {2, "Blocked"}, kDenied};
        case InExclusion:
            return {{"detected-in-exclusion", {2, "Update"}, {3, "Suppressed"}},
                    {1, "Allowed"},
                    kAllowed};
    }
    return {};
}

Kind kind_of(ScanPhase value) noexcept {
    using enum ScanPhase;
    switch (value) {
        case Started:
            return {"scan-started", {1, "Started"}, kSuccess};
        case Completed:
            return {"scan-completed", {2, "Completed"}, kSuccess};
        case Failed:
            return {"scan-failed", {6, "Error"}, kFailure};
        case Unscannable:
            return {"file-unscannable", {99, "Unscannable"}, kFailure};
    }
    return {};
}

Kind kind_of(ServiceAction value) noexcept {
    using enum ServiceAction;
    constexpr Caption kUpdate{8, "Update"};
    switch (value) {
        case Started:
            return {"service-started", {3, "Start"}, kSuccess};
        case Stopped:
            return {"service-stopped", {4, "Stop"}, kSuccess};
        case PolicyApplied:
            return {"policy-applied", kUpdate, kSuccess};
        case PolicyRefused:
            return {"policy-refused", kUpdate, kFailure};
        case DefinitionsLoaded:
            return {"definitions-loaded", kUpdate, kSuccess};
        case DefinitionsRejected:
            return {"definitions-rejected", kUpdate, kFailure};
        case DefinitionsRolledBack:
            return {"definitions-rolled-back", kUpdate, kSuccess};
        case WorkerLost:
            return {"worker-lost", {99, "Worker Lost"}, kFailure};
        case ScanServiceLost:
            return {"scan-service-lost", {99, "Scan Service Lost"}, kFailure};
        case QueueOverflow:
            return {"queue-overflow", {99, "Queue Overflow"}, kFailure};
        case CaughtUp:
            return {"caught-up", {99, "Caught Up"}, kSuccess};
        case SelfTestPassed:
            return {"self-test-passed", {99, "Self-Test Passed"}, kSuccess};
        case SelfTestFailed:
            return {"self-test-failed", {99, "Self-Test Failed"}, kFailure};
        case Restored:
            return {"restored", {99, "Restored"}, kSuccess};
        case QuarantineDeleted:
            return {"quarantine-deleted", {99, "Quarantine Deleted"}, kSuccess};
        case HealAttempted:
            return {"heal-attempted", {99, "Heal Attempted"}, {0, "Unknown"}};
        case LoadLevelChanged:
            return {"load-level-changed", {99, "Load Level Changed"}, {0, "Unknown"}};
        case AddressesLoaded:
            return {"addresses-loaded", kUpdate, {0, "Unknown"}};
    }
    return {};
}

Kind kind_of(FaultPhase value) noexcept {
    using enum FaultPhase;
    switch (value) {
        case Raised:
            return {"fault-raised", {99, "Fault Raised"}, kFailure};
        case Updated:
            return {"fault-updated", {99, "Fault Updated"}, kFailure};
        case Cleared:
            return {"fault-cleared", {99, "Fault Cleared"}, kSuccess};
        case AllCleared:
            return {"all-faults-cleared", {99, "All Faults Cleared"}, kSuccess};
    }
    return {};
}

Kind kind_of(ProcessPhase value) noexcept {
    using enum ProcessPhase;
    switch (value) {
        case Launched:
            return {"process-launched", {1, "Launch"}, kSuccess};
        case Terminated:
            return {"process-terminated", {2, "Terminate"}, kSuccess};
    }
    return {};
}

Kind kind_of(NetworkPhase value) noexcept {
    using enum NetworkPhase;
    switch (value) {
        case Opened:
            return {"connection-opened", {1, "Open"}, kSuccess};
        case Failed:
            return {"connection-failed", {4, "Fail"}, kFailure};
        case Closed:
            return {"connection-closed", {2, "Close"}, kSuccess};
    }
    return {};
}

DetectionKind kind_of(const FlowDetectionBody& body) noexcept {
    if (body.refused) {
        return {{"flow-blocked", {1, "Create"}, {1, "New"}}, {2, "Blocked"}, kDenied};
    }
    return {{"flow-to-blocked-address", {1, "Create"}, {1, "New"}}, {15, "Detected"}, kAllowed};
}

SeverityNames names_of(Severity value) noexcept {
    using enum Severity;
    switch (value) {
        case Informational:
            return {{1, "Informational"}, "informational"};
        case Minor:
            return {{2, "Low"}, "minor"};
        case Major:
            return {{4, "High"}, "major"};
        case Critical:
            return {{5, "Critical"}, "critical"};
    }
    return {};
}

int class_uid(const Event& event) {
    struct Visitor {
        int operator()(const DetectionBody& /*body*/) const noexcept {
            return kDetectionFinding.uid;
        }

        int operator()(const ScanBody& /*body*/) const noexcept { return kScanActivity.uid; }

        int operator()(const ServiceBody& /*body*/) const noexcept {
            return kApplicationLifecycle.uid;
        }

        int operator()(const EventsDroppedBody& /*body*/) const noexcept {
            return kApplicationError.uid;
        }

        int operator()(const FaultBody& /*body*/) const noexcept { return kApplicationError.uid; }

        int operator()(const ProcessBody& /*body*/) const noexcept { return kProcessActivity.uid; }

        int operator()(const NetworkBody& /*body*/) const noexcept { return kNetworkActivity.uid; }

        int operator()(const FlowDetectionBody& /*body*/) const noexcept {
            return kDetectionFinding.uid;
        }
    };

    return std::visit(Visitor{}, event.body);
}

}  // namespace vigia::wire
