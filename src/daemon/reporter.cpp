// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/reporter.h"

#include "base/log.h"

namespace vigia::daemon {

Reporter::Reporter(journal::Journal& journal, const Clock& clock)
    : journal_(journal), clock_(clock), newest_(journal.state().last) {
    journal_.on_commit([this](std::uint64_t sequence) {
        {
            const std::scoped_lock lock(mutex_);
            newest_ = sequence;
        }
        newer_.notify_all();
    });
}

bool Reporter::commit(journal::Change change) {
    for (auto& event : change.events) {
        if (event.time == WallTime{}) {
            event.time = clock_.wall();
        }
    }
    const auto committed = journal_.commit(std::move(change));
    const std::string error = committed ? "" : committed.error().message();
    const std::scoped_lock lock(mutex_);
    if (error != last_error_) {
        if (error.empty()) {
            log::info("journal: writes again");
        } else {
            log::error("journal: " + error);
        }
        last_error_ = error;
    }
    return committed.has_value();
}

void Reporter::service(ServiceAction action,
                       Severity severity,
                       std::string message,
                       std::vector<std::pair<std::string, std::string>> facts,
                       std::map<std::string, std::string> values) {
    switch (severity) {
        case Severity::Informational:
            log::info(message);
            break;
        case Severity::Minor:
        case Severity::Major:
            log::warning(message);
            break;
        case Severity::Critical:
            log::error(message);
            break;
    }
    Event event{.severity = severity,
                .message = std::move(message),
                .body = ServiceBody{.action = action, .facts = std::move(facts)}};
    journal::Change change;
    change.events.push_back(std::move(event));
    change.values = std::move(values);
    commit(std::move(change));
}

std::uint64_t Reporter::wait_beyond(std::uint64_t sequence,
                                    std::chrono::milliseconds timeout,
                                    const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    newer_.wait_for(
        lock, timeout, [&] { return newest_ > sequence || stopping_ || stop.stop_requested(); });
    return newest_;
}

void Reporter::wake() {
    {
        const std::scoped_lock lock(mutex_);  // nobody is between looking and waiting
    }
    newer_.notify_all();
}

void Reporter::stop_waiting() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    newer_.notify_all();
}

}  // namespace vigia::daemon
