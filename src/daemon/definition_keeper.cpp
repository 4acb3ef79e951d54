// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/definition_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "definitions/builtin.h"
#include "definitions/rejected.h"

namespace vigia::daemon {
namespace {

// The storage refuses; another place may not.
bool is_of_storage(const Error& error) {
    constexpr std::array kOfStorage{EROFS, ENOSPC, EDQUOT, EIO};
    return std::ranges::find(kOfStorage, error.code.value()) != kOfStorage.end();
}

}  // namespace

DefinitionKeeper::DefinitionKeeper(Parts parts)
    : parts_(std::move(parts)), gathered_in_(parts_.folder) {
    std::error_code ignored;
    std::filesystem::remove_all(parts_.stand_in, ignored);
}

Result<definitions::GatheredSet> DefinitionKeeper::gather() {
    const auto policy = parts_.policies.current()->policy;
    auto gathered = definitions::gather(parts_.folder, policy->definitions);
    if (gathered || !is_of_storage(gathered.error())) {
        note_refusal(std::nullopt);
        const std::scoped_lock lock(mutex_);
        gathered_in_ = parts_.folder;
        return gathered;
    }
    const auto why = gathered.error();
    auto elsewhere = definitions::gather(
        parts_.stand_in, policy->definitions, definitions::rejected_contents(parts_.folder));
    if (!elsewhere) {
        log::error("definitions: neither there: " + elsewhere.error().message());
        return gathered;
    }
    note_refusal(why);
    elsewhere->problems.push_back(detail());
    const std::scoped_lock lock(mutex_);
    gathered_in_ = parts_.stand_in;
    return elsewhere;
}

void DefinitionKeeper::note_refusal(const std::optional<Error>& error) {
    const std::scoped_lock lock(mutex_);
    if (!error) {
        refused_.reset();
        return;
    }
    refused_ = Refused{
        .error = error->message(), .number = error->code.value(), .since = BootClock::now()};
}

void DefinitionKeeper::load() {
    const std::scoped_lock one_at_a_time(gather_mutex_);
    auto gathered = gather();
    if (!gathered) {
        on_failed({.cause = "definitions-rejected",
                   .file = parts_.folder.native(),
                   .message = gathered.error().message()});
        return;
    }
    for (const auto& problem : gathered->problems) {
        log::warning("definitions: " + problem);
    }
    {
        const std::scoped_lock lock(mutex_);
        status_.sources = gathered->status.sources;
        if (gathered->generation == loading_) {
            if (gathered->generation == status_.generation) {
                loaded_sources_ = status_.sources;
            }
            return;  // loaded, or on the way
        }
        // Why the load before failed stays known until this one has succeeded.
        loading_ = gathered->generation;
    }
    parts_.load({.generation = gathered->generation, .folders = std::move(gathered->folders)});
}

void DefinitionKeeper::forget() {
    const std::scoped_lock lock(mutex_);
    loading_.clear();
}

void DefinitionKeeper::on_ready(const scan::ScanService::Engine& engine) {
    {
        const std::scoped_lock lock(mutex_);
        status_.generation = engine.generation;
        status_.signatures = engine.signatures;
        loaded_sources_ = status_.sources;
        status_.built.reset();
        if (engine.built_unix) {
            status_.built = WallTime{std::chrono::seconds{*engine.built_unix}};
        }
        load_error_.clear();
        failure_.reset();
        memory_ = engine.memory;
    }
    parts_.reporter.service(
        ServiceAction::DefinitionsLoaded,
        Severity::Informational,
        fmt::format("definitions {} loaded: {} signatures", engine.generation, engine.signatures),
        {{"generation", engine.generation},
         {"signatures", std::to_string(engine.signatures)},
         {"engine", engine.version}});
}

void DefinitionKeeper::on_failed(const scan::ScanService::LoadFailure& failure) {
    const auto message = fmt::format("definitions not loaded ({}){}{}: {}",
                                     failure.cause,
                                     failure.file.empty() ? "" : " ",
                                     printable(failure.file),
                                     printable(failure.message));
    bool known = false;
    {
        const std::scoped_lock lock(mutex_);
        known = load_error_ == message;  // every retry fails alike; said once
        load_error_ = message;
        failure_ = failure;
        if (!loading_.empty()) {
            failed_ = std::exchange(loading_, std::string{});
        }
    }
    if (!known) {
        parts_.reporter.service(ServiceAction::DefinitionsRejected,
                                Severity::Major,
                                message,
                                {{"cause", failure.cause},
                                 {"file", utf8_lossy(failure.file)},
                                 {"message", utf8_lossy(failure.message)}});
    }
}

std::string DefinitionKeeper::set_rejected_aside() {
    std::filesystem::path folder;
    std::string generation;
    std::string file;
    std::string message;
    {
        const std::scoped_lock lock(mutex_);
        if (!failure_ || failure_->file.empty()) {
            return "the engine did not name the file that does not load";
        }
        folder = gathered_in_;
        generation = failed_;
        file = failure_->file;
        message = failure_->message;
    }
    const auto aside = definitions::set_aside(folder, generation, file, message);
    if (!aside) {
        return aside.error().message();
    }
    parts_.reporter.service(
        ServiceAction::DefinitionsRejected,
        Severity::Major,
        fmt::format("definition file {} set aside in {}: {}",
                    printable(file),
                    printable(aside->native()),
                    printable(message)),
        {{"file", utf8_lossy(file)}, {"set_aside", utf8_lossy(aside->native())}});
    forget();
    load();
    return {};
}

std::optional<DefinitionKeeper::Refused> DefinitionKeeper::refused() const {
    const std::scoped_lock lock(mutex_);
    return refused_;
}

DefinitionsStatus DefinitionKeeper::status() const {
    const std::scoped_lock lock(mutex_);
    return status_;
}

std::string DefinitionKeeper::detail() const {
    const std::scoped_lock lock(mutex_);
    if (!load_error_.empty() || !refused_) {
        return load_error_;
    }
    return fmt::format("definitions are kept in {} until {} can be written: {}",
                       printable(parts_.stand_in.native()),
                       printable(parts_.folder.native()),
                       refused_->error);
}

void DefinitionKeeper::describe(Facts::ScanService& scan) const {
    const std::scoped_lock lock(mutex_);
    if (failure_) {
        scan.load_cause = failure_->cause;
        scan.load_file = failure_->file;
        scan.load_message = failure_->message;
        scan.memory_reached = failure_->memory;
        scan.fallback = scan.definitions;
    }
    scan.memory_needed = memory_;
    bool any = false;
    for (const auto& source : loaded_sources_) {
        any = any || (source.kind != "builtin" && source.files > 0);
        if (source.kind == "folder" && source.files == 0) {
            scan.empty_sources.push_back(source.path);
        }
    }
    scan.built_in_only = !any;
}

}  // namespace vigia::daemon
