// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sinks/sink.h"

namespace vigia::sinks {

// The systemd journal, at least once. What it gets: every event but telemetry (OCSF classes below
// 2000 and 4001), which would crowd out what people read there.
class JournaldSink final : public Sink {
public:
    // ENOENT: nobody listens at /run/systemd/journal/socket.
    [[nodiscard]] static Result<std::unique_ptr<JournaldSink>> open();

    [[nodiscard]] Result<std::uint64_t> deliver(std::span<const StoredEvent> events) override;
};

// The fields of one entry: MESSAGE, MESSAGE_ID (model/message_id.h), PRIORITY, SYSLOG_IDENTIFIER,
// VIGIA_SEQUENCE, VIGIA_EPOCH, VIGIA_UID, VIGIA_CLASS, VIGIA_EVENT, and of faults VIGIA_FAULT,
// VIGIA_FAULT_KEY, VIGIA_CAUSE, VIGIA_EPISODE. Empty for what the sink leaves out. Pure.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> journald_fields(
    const StoredEvent& event);

}  // namespace vigia::sinks
