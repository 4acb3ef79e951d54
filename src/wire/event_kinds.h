// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "model/event.h"

// What each event is called: our stable word, and class, activity, status, disposition as the OCSF
// schema 1.4.0 numbers and captions them. The tables of docs/EVENTS.md. Pure; thread-safe.
namespace vigia::wire {

struct OcsfClass {
    int uid = 0;
    const char* name = "";
    int category = 0;
    const char* category_name = "";
};

inline constexpr OcsfClass kProcessActivity{1007, "Process Activity", 1, "System Activity"};
inline constexpr OcsfClass kNetworkActivity{4001, "Network Activity", 4, "Network Activity"};
inline constexpr OcsfClass kDetectionFinding{2004, "Detection Finding", 2, "Findings"};
inline constexpr OcsfClass kApplicationLifecycle{
    6002, "Application Lifecycle", 6, "Application Activity"};
inline constexpr OcsfClass kScanActivity{6007, "Scan Activity", 6, "Application Activity"};
inline constexpr OcsfClass kApplicationError{6008, "Application Error", 6, "Application Activity"};

struct Caption {
    int id = 0;
    const char* name = "Unknown";
};

struct Kind {
    const char* word = "unknown";
    Caption activity;
    Caption status;
};

struct DetectionKind {
    Kind kind;
    Caption disposition;
    Caption action;
};

struct SeverityNames {
    Caption ocsf;
    const char* ours = "unknown";
};

inline constexpr Kind kEventsDropped{"events-dropped", {1, "General Error"}, {2, "Failure"}};

[[nodiscard]] DetectionKind kind_of(DetectionPhase value) noexcept;
[[nodiscard]] Kind kind_of(ScanPhase value) noexcept;
[[nodiscard]] Kind kind_of(ServiceAction value) noexcept;
[[nodiscard]] Kind kind_of(FaultPhase value) noexcept;
[[nodiscard]] Kind kind_of(ProcessPhase value) noexcept;
[[nodiscard]] Kind kind_of(NetworkPhase value) noexcept;
[[nodiscard]] DetectionKind kind_of(const FlowDetectionBody& body) noexcept;
[[nodiscard]] SeverityNames names_of(Severity value) noexcept;

}  // namespace vigia::wire
