// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/event.h"

// Processes and flows as OCSF has them (docs/EVENTS.md, 1007, 4001, 2004 of flows). Total; pure.
namespace vigia::wire {

// OCSF's process object, its parent inside.
[[nodiscard]] nlohmann::ordered_json process_json(const ProcessLine& line);

// The parent first: [{pid, name, path, user}].
[[nodiscard]] nlohmann::ordered_json ancestry_json(const ProcessLine& line);

// Class, activity and everything of the body.
void put_activity(nlohmann::ordered_json& out, const ProcessBody& body);
void put_activity(nlohmann::ordered_json& out, const NetworkBody& body);
void put_activity(nlohmann::ordered_json& out, const FlowDetectionBody& body);

}  // namespace vigia::wire
