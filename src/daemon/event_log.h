// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/sink_pump.h"
#include "sinks/jsonl_sink.h"

namespace vigia::daemon {

// The pump of events.jsonl. The file itself says how far it has come; what the journal remembers of
// it counts only for a file without any event.
[[nodiscard]] SinkPump::Options event_log(sinks::JsonlSink::Options options);

}  // namespace vigia::daemon
