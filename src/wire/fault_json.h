// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/fault.h"

// Faults as JSON: what the control API and `--json` give (the contract of docs/API.md), and how the
// journal keeps an episode. Thread-safe; total.
namespace vigia::wire {

// minor, major, critical.
[[nodiscard]] std::string_view severity_word(Severity severity);

[[nodiscard]] std::string to_json(const FaultReport& report);
[[nodiscard]] std::string faults_json(std::span<const FaultReport> reports);  // {"faults":[…]}
[[nodiscard]] std::string history_json(std::span<const Episode> episodes);    // {"episodes":[…]}

[[nodiscard]] std::string to_record(const Episode& episode);

// EILSEQ when it is no such record; unknown keys are ignored.
[[nodiscard]] Result<Episode> parse_episode_record(std::string_view record);

}  // namespace vigia::wire
