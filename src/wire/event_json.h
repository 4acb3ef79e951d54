// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "model/event.h"

namespace vigia::wire {

// What the journal adds when it numbers an event.
struct EventFrame {
    std::uint64_t sequence = 0;
    std::string epoch;
    std::string device_name;
    std::string boot_id;
    std::string device_uid = {};  // stable id of this machine; empty: left out
};

// OCSF class of an event (docs/EVENTS.md).
[[nodiscard]] int class_uid(const Event& event);

// One line of OCSF-shaped JSON (schema 1.4.0) without a newline. Total: any bytes in any string
// give valid JSON in printable ASCII (everything else is escaped, so the line is harmless on a
// terminal); where a path or name is not UTF-8 its exact bytes stand beside it as `…_base64`.
// Thread-safe.
[[nodiscard]] std::string to_json(const Event& event, const EventFrame& frame);

}  // namespace vigia::wire
