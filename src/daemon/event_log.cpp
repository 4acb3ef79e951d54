// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/event_log.h"

#include <utility>

namespace vigia::daemon {
namespace {

Result<SinkPump::Opened> open_file(const sinks::JsonlSink::Options& options,
                                   const std::string& epoch,
                                   std::uint64_t acknowledged) {
    auto sink = TRY(sinks::JsonlSink::open(options), options.file.native());
    const auto resume = sink->resume();
    std::uint64_t position = 0;
    if (resume.epoch == epoch) {
        position = resume.sequence;
    } else if (resume.epoch.empty()) {
        position = acknowledged;
    }
    return SinkPump::Opened{
        .sink = std::move(sink), .position = position, .torn_bytes = resume.torn_bytes};
}

}  // namespace

SinkPump::Options event_log(sinks::JsonlSink::Options options) {
    return {.name = "jsonl",
            .open = [options = std::move(options)](const std::string& epoch,
                                                   std::uint64_t acknowledged) {
                return open_file(options, epoch, acknowledged);
            }};
}

}  // namespace vigia::daemon
