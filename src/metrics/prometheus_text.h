// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "model/status.h"

namespace vigia::metrics {

// What the status does not hold of what is measured.
struct Outlets {
    bool journal_ok = false;
    std::uint64_t journal_bytes = 0;
    std::uint64_t journal_last = 0;  // sequence
    std::uint64_t journal_lost = 0;
    std::uint64_t journal_waiting = 0;
    std::uint64_t sink_delivered = 0;  // sequence
    std::uint64_t sink_waiting = 0;
    std::uint64_t api_requests = 0;
    std::uint64_t api_refused_connections = 0;
    std::uint64_t api_bad_requests = 0;
};

// Prometheus' text format 0.0.4. Names and labels are a contract (docs/API.md): no path and no name
// of a process is in it. What is not known is left out, so that nobody takes it for nought.
[[nodiscard]] std::string to_prometheus(const Status& status,
                                        const Outlets& outlets,
                                        const std::string& version);

inline constexpr const char* kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace vigia::metrics
