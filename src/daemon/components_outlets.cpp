// SPDX-License-Identifier: GPL-2.0-or-later
// Where events go besides the journal.
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "daemon/components.h"
#include "daemon/event_log.h"
#include "sinks/journald_sink.h"

namespace vigia::daemon {
namespace {

constexpr std::string_view kJsonl = "jsonl";
constexpr std::string_view kJournald = "journald";

}  // namespace

void Components::open_event_log(const Policy& policy) {
    sinks::JsonlSink::Options options{.file = paths_.events};
    for (const auto& configured : policy.sinks) {
        if (configured.kind == kJsonl) {
            options.rotate_bytes = configured.rotate_bytes;
            options.keep = configured.keep;
            // The policy names the ordinary place; an instance under a prefix has its own.
            if (options_.prefix.empty()) {
                options.file = configured.path;
            }
        }
    }
    sink_ = std::make_unique<SinkPump>(*reporter_, event_log(std::move(options)));
    sink_->start();
}

void Components::refresh_outlets(const Policy& policy) {
    const bool wanted = std::ranges::any_of(
        policy.sinks, [](const SinkConfig& sink) { return sink.kind == kJournald; });
    std::unique_lock lock(outlets_mutex_);
    if (!wanted) {
        const auto given_up = std::move(journald_);
        lock.unlock();  // ending it may take as long as a delivery
    } else if (!journald_) {
        journald_ = std::make_unique<SinkPump>(
            *reporter_,
            SinkPump::Options{.name = std::string(kJournald),
                              .open = [](const std::string& /*epoch*/,
                                         std::uint64_t acknowledged) -> Result<SinkPump::Opened> {
                                  return SinkPump::Opened{.sink = TRY(sinks::JournaldSink::open()),
                                                          .position = acknowledged};
                              }});
        journald_->start();
    }
    lock = {};
    for (const auto& sink : policy.sinks) {
        if (sink.kind != kJsonl && sink.kind != kJournald) {
            reporter_->service(
                ServiceAction::PolicyRefused,
                Severity::Minor,
                fmt::format("sinks: {} is not in this version: no event goes there", sink.kind),
                {{"problems", "sinks: " + sink.kind}});
        }
    }
}

std::vector<Facts::Outlet> Components::outlet_facts() const {
    const std::scoped_lock lock(outlets_mutex_);
    if (!journald_) {
        return {};
    }
    const auto sink = journald_->state();
    const auto journal = journal_->state();
    const auto kept = static_cast<double>(std::max<std::uint64_t>(
        1, journal.last >= journal.first ? journal.last - journal.first + 1 : 0));
    const auto most = static_cast<double>(policies_.current()->policy->journal.max_bytes);
    const auto share =
        static_cast<double>(sink.waiting) / kept * static_cast<double>(journal.bytes) / most;
    return {{.name = std::string(kJournald),
             .error = sink.error,
             .waiting = sink.waiting,
             .spool_share = std::min(1.0, share)}};
}

}  // namespace vigia::daemon
