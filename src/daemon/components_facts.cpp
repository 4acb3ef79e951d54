// SPDX-License-Identifier: GPL-2.0-or-later
// What the fault engine is told of every part and of the machine.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "daemon/components.h"
#include "host/accounts.h"
#include "host/examine.h"
#include "host/health_facts.h"
#include "host/installation.h"

namespace vigia::daemon {
namespace {

constexpr const char* kScanUser = "vigia-scan";

std::uint64_t bytes_free(const std::filesystem::path& folder) {
    struct statvfs info{};
    return ::statvfs(folder.c_str(), &info) == 0
               ? std::uint64_t{info.f_bavail} * std::uint64_t{info.f_frsize}
               : 0;
}

// Whether a file of some size can be stored there: what a quarantine would need next.
bool can_store(const std::filesystem::path& folder) {
    constexpr off_t kProbe = off_t{64} << 10U;
    const auto file = open_at(AT_FDCWD, folder.c_str(), O_TMPFILE | O_RDWR, 0600);
    return file && ::posix_fallocate(file->get(), 0, kProbe) == 0;
}

// What an error message of the vault or of SQLite stands for, where only its text is left.
int number_of(const std::string& error) {
    if (error.find("No space left") != std::string::npos) {
        return ENOSPC;
    }
    if (error.find("quota") != std::string::npos) {
        return EDQUOT;
    }
    return error.find("Read-only") != std::string::npos ? EROFS : EIO;
}

}  // namespace

void Components::collect_facts(Facts& facts) {
    const auto policy = policies_.current();
    facts.wanted = {
        .copies_and_moves = policy->policy->files.monitor_copies_and_moves,
        .exec_gate = policy->policy->files.on_execute != ExecMode::Off,
        .processes = policy->policy->processes.monitor,
        .flows = policy->policy->network.device_flow_correlation,
        .definition_sources = !policy->policy->definitions.sources.empty(),
        .outlets = std::ranges::any_of(
            policy->policy->sinks, [](const SinkConfig& sink) { return sink.kind != "jsonl"; })};
    collect_scan_service(facts);
    retry_when_memory_grows(facts);
    HostFacts host;
    host.scan_user = host::scan_user(*host_root_, kScanUser);
    host.login_defs = host::login_defs(*host_root_);
    host.own_paths = host::own_paths(*own_root_, own_paths(), &*host_root_);
    for (auto& wrong : host.own_paths.wrong) {
        if (!options_.prefix.empty()) {
            wrong.path =
                std::filesystem::absolute(options_.prefix).lexically_normal().native() + wrong.path;
        }
    }
    host::describe_scan_user(host, facts);
    collect_machine(facts);
    collect_installation(facts);
    collect_programs(facts);
    {
        const std::scoped_lock lock(creation_mutex_);
        facts.scan_user.creation_error = creation_error_;
    }
    follow_scan_user(facts);
    collect_files(facts);
    overload_->describe(facts);
    collect_storage(facts);
    for (const auto& problem : policies_.problems()) {
        facts.policy.problems.push_back({.file = problem.file,
                                         .line = static_cast<int>(problem.line),
                                         .column = static_cast<int>(problem.column),
                                         .key = problem.key,
                                         .message = problem.message,
                                         .suggestion = problem.suggestion});
    }
    facts.policy.in_force = fmt::format(
        "{}, serial {} ({})", policy->policy->name, policy->policy->serial, policy->source);
    if (const auto last = self_test_->last()) {
        Facts::SelfTest test{.ok = last->ok, .at = last->at, .place = last->place};
        for (const auto& stage : last->stages) {
            test.stages.push_back({.name = stage.name, .ok = stage.ok, .detail = stage.detail});
        }
        facts.self_test = std::move(test);
    }
}

// What changes seldom is looked at seldom, more often while something is wrong with it; another
// root than the running one may change at any time and is small.
void Components::collect_machine(Facts& facts) {
    constexpr std::chrono::seconds kSound{60};
    constexpr std::chrono::seconds kWrong{3};
    const bool live = host_root_->is_live();
    bool wrong = false;
    for (const auto& episode : health_->view().open) {
        constexpr std::array kOfMachine{9, 11, 16, 19, 107};
        wrong = wrong || std::ranges::find(kOfMachine, episode.id) != kOfMachine.end();
    }
    const auto now = BootClock::now();
    const auto fresh = !live ? std::chrono::seconds{0} : wrong ? kWrong : kSound;
    if (!stopping_ && (!examined_at_ || now - *examined_at_ >= fresh)) {
        machine_ = host::examine(*host_root_, {.look_for_listeners = live});
        examined_at_ = now;
    }
    host::describe_kernel(machine_, facts);
    host::describe_selinux(machine_, facts);
    if (live) {
        host::describe_other_scanners(machine_, facts);
    } else {
        facts.other_scanners = Fact<std::vector<Facts::OtherScanner>>::known({}, "another root");
    }
}

// The package's files are those of the running system, whatever root the host is read under.
void Components::collect_installation(Facts& facts) {
    facts.installation = installation_->look(*installed_root_, BootClock::now());
    if (facts.installation.manifest.empty()) {
        return;
    }
    host::describe_installation(machine_, facts);
    constexpr std::string_view kDeleted = " (deleted)";
    std::error_code error;
    auto own = std::filesystem::read_symlink("/proc/self/exe", error).native();
    if (own.ends_with(kDeleted)) {
        own.resize(own.size() - kDeleted.size());
    }
    struct stat running{};
    struct stat installed{};
    if (!error && ::stat("/proc/self/exe", &running) == 0 &&
        (::stat(own.c_str(), &installed) != 0 || running.st_dev != installed.st_dev ||
         running.st_ino != installed.st_ino)) {
        facts.installation.running_replaced = own;
    }
}

void Components::collect_scan_service(Facts& facts) {
    const auto service = scanner_->state();
    auto& scan = facts.scan;
    scan.state = service.state;
    scan.workers_ready = service.workers_ready;
    facts.scan_user.running_as = service.user;
    if (service.engine) {
        scan.definitions = service.engine->generation;
    }
    scan.sandbox_detail = service.sandbox;
    scan.sandbox_known = !service.sandbox.empty();
    const auto has = [&](const char* text) {
        return service.sandbox.find(text) != std::string::npos;
    };
    scan.seccomp = has("seccomp") && !has("no seccomp");
    scan.landlock = has("landlock abi");
    scan.namespaces = has("namespaces") && !has("no namespaces");
    scan.crashes = crashes_.list();
    for (const auto& file : responder_->poison()) {
        scan.poison.push_back({.path = file.path,
                               .sha256 = file.sha256,
                               .size = file.size,
                               .reason = "ends scan workers"});
    }
    definitions_->describe(scan);
    if (service.engine && service.state == "failed") {
        // There is an engine, whatever became of the newest load: its workers are what fails.
        scan.load_cause = "workers-end";
        scan.load_file.clear();
        scan.load_message = service.detail;
        scan.fallback.clear();
    }
}

void Components::collect_files(Facts& facts) {
    const auto state = monitor_->state();
    retry_when_limits_change(state.refused ||
                             std::ranges::any_of(state.sensor.places, [](const auto& place) {
                                 return place.state == "unwatched";
                             }));
    auto& files = facts.files;
    files.known = state.applied || !state.sensor.places.empty();
    files.refused = state.refused;
    files.missing_capabilities = options_.missing_capabilities;
    files.group_limit = seen_limits_[0];
    if (state.refused || !state.wanted) {
        return;
    }
    if (files.known && !state.sensor.reading) {
        files.read_error =
            state.sensor.error.empty() ? "the kernel has ended it" : state.sensor.error;
    }
    for (const auto& place : state.sensor.places) {
        files.watched += place.state == "watched" || place.state == "local-changes-only" ? 1U : 0U;
        if (place.state == "unwatched") {
            files.unwatched.push_back({.path = place.path,
                                       .type = place.type,
                                       .error = place.detail,
                                       .error_number = place.error});
        }
    }
}

void Components::collect_storage(Facts& facts) {
    const auto journal = journal_->state();
    auto& storage = facts.storage;
    storage.known = true;
    storage.journal_ok = journal.ok;
    storage.journal_error = journal.error;
    storage.journal_error_number = journal.error_number;
    storage.journal_path = paths_.journal.native();
    storage.events_waiting = journal.waiting;
    storage.events_lost = journal.lost;
    storage.renewal_reason = journal.renewal_reason;
    storage.set_aside = journal.set_aside;
    storage.renewed_at = journal.renewed_at;
    storage.bytes_free = bytes_free(paths_.state);
    if (auto trouble = responder_->vault_trouble()) {
        // Nothing is put away that the journal cannot take down first.
        if (journal.ok && can_store(paths_.quarantine)) {
            responder_->vault_works_again();
            // What was found meanwhile and could not be put away is looked for again.
            walker_->catch_up(trouble->since - std::chrono::seconds{2});
        } else {
            storage.vault_ok = false;
            storage.vault_error = trouble->error;
            storage.vault_error_number = number_of(trouble->error);
        }
    }
    if (const auto refused = definitions_->refused()) {
        constexpr std::chrono::seconds kTryAgain{5};
        if (BootClock::now() - refused->since >= kTryAgain && can_store(paths_.definitions)) {
            // Also where the files are the same: the engine must not depend on the stand-in.
            definitions_->forget();
            definition_watch_->load_soon();
        }
        storage.definitions_ok = false;
        storage.definitions_error = refused->error;
        storage.definitions_error_number = refused->number;
        storage.definitions_path = paths_.definitions.native();
        storage.definitions_stand_in = paths_.stand_in.native();
    }
    const auto sink = sink_->state();
    storage.events_file = paths_.events.native();
    storage.events_file_ok = sink.error.empty() || !journal.ok;
    storage.events_file_error = sink.error;
    storage.events_file_error_number = sink.error_number;
    storage.events_file_lost_at = sink.renewed_at;
    facts.outlets = outlet_facts();
}

}  // namespace vigia::daemon
