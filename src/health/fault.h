// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "model/event.h"
#include "model/evidence.h"
#include "model/facts.h"
#include "model/language.h"

// What a fault is. Each has a file of its own in faults/, named after its key, that says everything
// about it and is checked at compile time (catalogue.cpp).
namespace vigia::health {

// The closed set of repairs. A fault names one; it never does it (daemon/healer.h does).
enum class Heal : std::uint8_t {
    None,
    RestoreAccess,         // modes and owners of our folders, as installed
    CreateScanUser,        // user and group, then the workers start again under it
    SetDefinitionsAside,   // the file that does not load goes to rejected/, the rest is loaded
    RetryLoad,             // start the engine again
    RetryFileMonitor,      // open fanotify and set the marks again
    RetryKernelMonitor,    // put our programs into the kernel again
    InstallHeaders,        // the package with the headers of the running kernel
    InstallSelinuxModule,  // our module, into the policy of the host
};

// Whose word a repair needs.
enum class Consent : std::uint8_t {
    SelfHeal,  // faults.self_heal is enough
    Packages,  // faults.install_packages, or `vigia faults fix ID --yes`
    ByHand,    // never by itself: `vigia faults fix ID`
};

// How often a repair is tried in one episode. The pause doubles after each attempt, to half an
// hour.
struct HealPlan {
    Heal action = Heal::None;
    std::uint8_t attempts = 0;
    std::chrono::milliseconds backoff{10'000};
    Consent consent = Consent::SelfHeal;
};

// One thing to do. {key} stands for a member of the evidence; a step that names a list is repeated
// for each of its elements, one that names something that is not there is left out.
struct Step {
    Text text;
    std::string_view command = {};
};

// One way in which a fault comes about. The word is public and permanent.
struct Cause {
    std::string_view word;
    Text description;  // {key}: a member of the evidence
    Text lost;         // which capability is lost, and what still works
    std::span<const Step> remedy;
    HealPlan heal = {};
};

struct Finding {
    enum class State : std::uint8_t { Ok, Failing, Unknown };
    State state = State::Ok;
    Severity severity = Severity::Major;
    std::string_view cause = {};
    Evidence::Members evidence = {};
    std::string why = {};  // Unknown: one sentence

    [[nodiscard]] static Finding ok() { return {}; }

    [[nodiscard]] static Finding unknown(std::string why) {
        return {.state = State::Unknown, .why = std::move(why)};
    }

    [[nodiscard]] static Finding failing(Severity severity,
                                         std::string_view cause,
                                         Evidence::Members evidence = {}) {
        return {.state = State::Failing,
                .severity = severity,
                .cause = cause,
                .evidence = std::move(evidence)};
    }
};

// Durations of a fault. Each can be set by `[faults] overrides`.
struct Timing {
    std::chrono::milliseconds raise_after{0};  // the condition holds for so long before
    std::chrono::milliseconds clear_after{2000};
    std::chrono::milliseconds quiet_after{std::chrono::minutes{10}};  // the same while it flaps
    std::chrono::milliseconds window{std::chrono::minutes{10}};  // what the probe looks back on
    unsigned threshold = 3;                                      // what it counts to
};

// One catalogue entry: everything there is to know about one fault.
struct Fault {
    std::uint16_t id;      // public and permanent; never reuse a retired one
    std::string_view key;  // public and permanent; the file is named after it, with _ for -
    Severity severity;     // the usual one; a finding may say another
    Text title;
    Text summary;                // when it is raised, in general
    std::string_view gate = {};  // policy options that ask for it, for the documentation
    bool (*wanted)(const Facts::Wanted&) = nullptr;  // none: always
    std::span<const Cause> causes;
    Finding (*probe)(const Facts&, const Timing&);  // pure: same facts, same finding
    Timing timing = {};
};

}  // namespace vigia::health
