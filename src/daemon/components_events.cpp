// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts tell Components, and what it answers them.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "daemon/components.h"
#include "sensors/fanotify/paths.h"

namespace vigia::daemon {

void Components::on_engine_ready(const scan::ScanService::Engine& engine) {
    const auto policy = policies_.current()->policy;
    // What the options of the engine change, they change for every verdict.
    cache_->set_generation(fmt::format(
        "{}/{}/{}", engine.generation, engine.version, policy->files.archives ? "a" : "-"));
    responder_->forget_poison();
    definitions_->on_ready(engine);
    poke_health();
}

void Components::on_load_failed(const scan::ScanService::LoadFailure& failure) {
    definitions_->on_failed(failure);
    poke_health();
}

void Components::on_scan_loss(const scan::ScanService::Loss& loss) {
    auto record = note_crash(loss);
    std::vector<std::pair<std::string, std::string>> facts{{"pid", std::to_string(loss.pid)},
                                                           {"how", loss.how}};
    if (!loss.path.empty()) {
        facts.emplace_back("path", utf8_lossy(loss.path));
        facts.emplace_back("size", std::to_string(loss.size));
    }
    if (loss.content) {
        facts.emplace_back("sha256", loss.content->hex());
    }
    reporter_->service(loss.zygote ? ServiceAction::ScanServiceLost : ServiceAction::WorkerLost,
                       Severity::Minor,
                       fmt::format("{} {} ended: {}{}{}",
                                   loss.zygote ? "scan service" : "scan worker",
                                   loss.pid,
                                   loss.how,
                                   loss.path.empty() ? "" : " while scanning ",
                                   printable(loss.path)),
                       std::move(facts),
                       {{kCrashes, std::move(record)}});
    poke_health();
}

void Components::recover_quarantine() {
    const auto items = journal_->quarantine();
    if (!items) {
        log::error("quarantine: " + items.error().message());
        return;
    }
    std::vector<QuarantineItem> open;
    for (const auto& item : *items) {
        if (item.state == QuarantineState::Storing || item.state == QuarantineState::Removing) {
            open.push_back(item);
        }
    }
    for (const auto& report : quarantine_->recover(open)) {
        log::warning(fmt::format("quarantine of {} was interrupted: {}",
                                 printable(report.item.path),
                                 response::to_string(report.outcome)));
    }
}

std::vector<std::string> Components::self_test_places() const {
    // One watched folder on each file system: the folder itself, and the mounts below it.
    std::vector<std::string> places;
    const auto sensor = monitor_->sensor();
    if (!sensor) {
        return places;
    }
    const auto state = sensor->state();
    const auto policy = policies_.current()->policy;
    std::set<std::string> seen;
    for (const auto& folder : policy->files.watch) {
        if (seen.insert(folder).second) {
            places.push_back(folder);
        }
    }
    constexpr std::size_t kMost = 64;
    for (const auto& place : state.places) {
        const bool usable = place.state == "watched" && !place.other_namespace &&
                            place.backend != "fanotify-fd" && sensor->is_watched(place.path);
        if (usable && places.size() < kMost && seen.insert(place.path).second) {
            places.push_back(place.path);
        }
    }
    std::erase_if(places, [](const std::string& place) {
        return ::faccessat(AT_FDCWD, place.c_str(), W_OK, AT_EACCESS) != 0;
    });
    return places;
}

bool Components::may_remove(const std::string& path) const {
    const auto policy = policies_.current();
    const auto sensor = monitor_->sensor();
    // Without a sensor the policy's folders say it, by their names.
    const bool watched =
        sensor ? sensor->is_watched(path)
               : std::ranges::any_of(policy->policy->files.watch, [&](const std::string& folder) {
                     return sensors::is_below(path, folder);
                 });
    return watched && !policy->exclusions.match_path(path, clock_.wall()).excluded;
}

}  // namespace vigia::daemon
