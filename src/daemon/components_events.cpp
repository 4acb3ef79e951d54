// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts tell Components, and what it answers them.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "base/log.h"
#include "base/text.h"
#include "daemon/components.h"

namespace vigia::daemon {

void Components::load_definitions() {
    // Policy, repairs and the watch of the folders ask for it, each on a thread of its own.
    const std::scoped_lock one_at_a_time(gather_mutex_);
    auto gathered =
        definitions::gather(paths_.definitions, policies_.current()->policy->definitions);
    if (!gathered) {
        on_load_failed({.cause = "definitions-rejected",
                        .file = paths_.definitions.native(),
                        .message = gathered.error().message()});
        return;
    }
    for (const auto& problem : gathered->problems) {
        log::warning("definitions: " + problem);
    }
    {
        const std::scoped_lock lock(definitions_mutex_);
        definition_problems_ = gathered->problems;
        definitions_.sources = gathered->status.sources;
        if (gathered->generation == loading_generation_) {
            if (gathered->generation == definitions_.generation) {
                loaded_sources_ = definitions_.sources;
            }
            return;  // loaded, or on the way
        }
        // Why the load before failed stays known until this one has succeeded.
        loading_generation_ = gathered->generation;
    }
    scanner_->load({.generation = gathered->generation, .folders = std::move(gathered->folders)});
}

void Components::on_engine_ready(const scan::ScanService::Engine& engine) {
    const auto policy = policies_.current()->policy;
    // What the options of the engine change, they change for every verdict.
    cache_->set_generation(fmt::format(
        "{}/{}/{}", engine.generation, engine.version, policy->files.archives ? "a" : "-"));
    {
        const std::scoped_lock lock(definitions_mutex_);
        definitions_.generation = engine.generation;
        definitions_.signatures = engine.signatures;
        loaded_sources_ = definitions_.sources;
        definitions_.built.reset();
        if (engine.built_unix) {
            definitions_.built = WallTime{std::chrono::seconds{*engine.built_unix}};
        }
        load_error_.clear();
        load_failure_.reset();
    }
    responder_->forget_poison();
    if (health_) {
        health_->poke();
    }
    reporter_->service(
        ServiceAction::DefinitionsLoaded,
        Severity::Informational,
        fmt::format("definitions {} loaded: {} signatures", engine.generation, engine.signatures),
        {{"generation", engine.generation},
         {"signatures", std::to_string(engine.signatures)},
         {"engine", engine.version}});
}

void Components::on_load_failed(const scan::ScanService::LoadFailure& failure) {
    const auto message = fmt::format("definitions not loaded ({}){}{}: {}",
                                     failure.cause,
                                     failure.file.empty() ? "" : " ",
                                     printable(failure.file),
                                     printable(failure.message));
    bool known = false;
    {
        const std::scoped_lock lock(definitions_mutex_);
        known = load_error_ == message;  // every retry fails alike; said once
        load_error_ = message;
        load_failure_ = failure;
        if (!loading_generation_.empty()) {
            failed_generation_ = std::exchange(loading_generation_, std::string{});
        }
    }
    if (health_) {
        health_->poke();
    }
    if (!known) {
        reporter_->service(ServiceAction::DefinitionsRejected,
                           Severity::Major,
                           message,
                           {{"cause", failure.cause},
                            {"file", utf8_lossy(failure.file)},
                            {"message", utf8_lossy(failure.message)}});
    }
}

void Components::on_scan_loss(const scan::ScanService::Loss& loss) {
    note_crash(loss);
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
                       std::move(facts));
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
    const auto sensor = monitor_->sensor();
    return sensor && sensor->is_watched(path) &&
           !policies_.current()->exclusions.match_path(path, clock_.wall()).excluded;
}

}  // namespace vigia::daemon
