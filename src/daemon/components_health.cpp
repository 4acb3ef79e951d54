// SPDX-License-Identifier: GPL-2.0-or-later
// What the fault engine is told of every part, and the repairs it may ask for.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/components.h"
#include "daemon/heal_client.h"
#include "definitions/rejected.h"
#include "host/accounts.h"
#include "host/examine.h"
#include "host/health_facts.h"
#include "host/memory.h"

namespace vigia::daemon {
namespace {

constexpr const char* kScanUser = "vigia-scan";
constexpr std::size_t kMostCrashes = 200;
constexpr std::size_t kGroupLimitBytes = 64;

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

std::uint64_t number_in(const host::Root& root, const char* path) {
    const auto text = root.read(path, kGroupLimitBytes);
    return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

// Journal writes, its epoch, errno of the events file, when that was lost, vault refuses.
using StorageSigns = std::tuple<bool, std::string, int, std::optional<BootTime>, bool>;

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

Result<> Components::start_health() {
    host_root_ = TRY(host::Root::open(options_.sysroot), "open the root of the host");
    own_root_ = TRY(host::Root::open(options_.prefix.empty() ? "/" : options_.prefix),
                    "open the root of this instance");
    health_ = std::make_unique<HealthMonitor>(HealthMonitor::Parts{
        .reporter = *reporter_,
        .policies = policies_,
        .collect = [this](Facts& facts) { collect_facts(facts); },
        .repair = [this](health::Heal action,
                         const Episode& episode) { return repair(action, episode); }});
    const auto poke = [this] { health_->poke(); };
    std::vector<HostWatch::Place> places{
        {.folder = (options_.sysroot / "etc").lexically_normal().native(),
         .names = {"passwd", "group", "shadow", "login.defs"},
         .content = true,
         .changed = poke}};
    // Headers and SELinux's rules may be what our programs wait for.
    const auto retry = [this] {
        kernel_->retry();
        health_->poke();
    };
    for (const char* folder : {"sys/fs/selinux", "etc/selinux", "usr/src", "lib/modules"}) {
        places.push_back({.folder = (options_.sysroot / folder).lexically_normal().native(),
                          .content = true,
                          .changed = retry});
    }
    for (const auto& folder : {paths_.policy.parent_path(),
                               paths_.state,
                               paths_.definitions,
                               paths_.quarantine,
                               paths_.logs,
                               paths_.run}) {
        places.push_back({.folder = folder.native(), .changed = poke});
    }
    host_watch_ = TRY(HostWatch::create(loop_, std::move(places)), "watch the host");
    // Writing fails on threads that have better things to do than to tell: a look at what they note
    // costs nothing, and a fault is to be told within a second.
    constexpr std::chrono::milliseconds kLook{250};
    sources_.push_back(TRY(loop_.every(kLook, [this, seen = StorageSigns{}]() mutable {
        const auto journal = journal_->state();
        const auto events = sink_->state();
        StorageSigns now{journal.ok,
                         journal.epoch,
                         events.error_number,
                         events.renewed_at,
                         responder_->vault_trouble().has_value()};
        if (now != seen) {
            seen = std::move(now);
            health_->poke();
        }
    })));
    health_->start();
    let_kernel_tell(true);
    return {};
}

std::vector<std::string> Components::definition_folders() const {
    std::vector<std::string> folders;
    for (const auto& source : policies_.current()->policy->definitions.sources) {
        if (source.kind == "folder") {
            folders.push_back(source.path);
        }
    }
    return folders;
}

std::vector<ExpectedPath> Components::own_paths() const {
    auto table = host::installed_paths();
    // Under a prefix there are no installed programs, only what the instance itself makes.
    if (!options_.prefix.empty()) {
        std::erase_if(table,
                      [](const ExpectedPath& path) { return path.path.starts_with("usr/"); });
        for (auto& path : table) {
            path.required = path.required && path.path != "var/lib/vigia/canary" &&
                            !path.path.starts_with("var/lib/vigia/definitions/");
        }
    }
    return table;
}

void Components::collect_facts(Facts& facts) {
    const auto policy = policies_.current();
    facts.wanted = {.copies_and_moves = policy->policy->files.monitor_copies_and_moves,
                    .exec_gate = policy->policy->files.on_execute != ExecMode::Off,
                    .processes = policy->policy->processes.monitor,
                    .flows = policy->policy->network.device_flow_correlation,
                    .definition_sources = !policy->policy->definitions.sources.empty()};
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
    collect_programs(facts);
    {
        const std::scoped_lock lock(creation_mutex_);
        facts.scan_user.creation_error = creation_error_;
    }
    follow_scan_user(facts);
    collect_files(facts);
    collect_storage(facts);
    for (const auto& problem : policies_.problems()) {
        facts.policy.problems.push_back({.file = problem.file,
                                         .line = static_cast<int>(problem.line),
                                         .column = static_cast<int>(problem.column),
                                         .key = problem.key,
                                         .message = problem.message,
                                         .suggestion = problem.suggestion});
    }
    facts.policy.in_force =
        fmt::format("{}, serial {}", policy->policy->name, policy->policy->serial);
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
    if (!examined_at_ || now - *examined_at_ >= fresh) {
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
    {
        const std::scoped_lock lock(crashes_mutex_);
        scan.crashes.assign(crashes_.begin(), crashes_.end());
    }
    for (const auto& file : responder_->poison()) {
        scan.poison.push_back({.path = file.path,
                               .sha256 = file.sha256,
                               .size = file.size,
                               .reason = "ends scan workers"});
    }
    const std::scoped_lock lock(definitions_mutex_);
    if (service.engine && service.state == "failed") {
        // There is an engine, whatever became of the newest load: its workers are what fails.
        scan.load_cause = "workers-end";
        scan.load_message = service.detail;
    } else if (load_failure_) {
        scan.load_cause = load_failure_->cause;
        scan.load_file = load_failure_->file;
        scan.load_message = load_failure_->message;
        scan.fallback = scan.definitions;
    }
    bool any = false;
    for (const auto& source : loaded_sources_) {
        any = any || (source.kind != "builtin" && source.files > 0);
        if (source.kind == "folder" && source.files == 0) {
            scan.empty_sources.push_back(source.path);
        }
    }
    scan.built_in_only = !any;
}

// A limit that was raised is a reason to try at once; what memory others give back is found by the
// retries.
void Components::retry_when_memory_grows(Facts& facts) {
    auto& scan = facts.scan;
    if (scan.load_cause != "out-of-memory") {
        seen_memory_.reset();
        return;
    }
    const auto memory = host::memory(*host_root_);
    scan.memory_available = memory.usable.is_known() ? *memory.usable : 0;
    const auto before = std::exchange(seen_memory_, scan.memory_available);
    if (before && scan.memory_available > *before) {
        forget_loading();
        definition_watch_->load_soon();
    }
}

// The workers belong to whoever the account leads to now: when it comes, goes or changes its
// number, the service starts again under it, beside the one that serves.
void Components::follow_scan_user(const Facts& facts) {
    if (!options_.sysroot.empty() && !host_root_->is_live()) {
        return;  // another machine's accounts
    }
    if (!facts.scan_user.user_exists.is_known()) {
        return;
    }
    const auto uid = facts.scan_user.uid;
    if (user_seen_ && uid != seen_uid_) {
        log::warning(uid ? fmt::format("the user {} is there now; the scan service moves to it",
                                       facts.scan_user.name)
                         : fmt::format("the user {} has gone; the scan service goes on as root "
                                       "inside its sandbox",
                                       facts.scan_user.name));
        // Not here: copying definitions waits for foreign files.
        forget_loading();
        definition_watch_->load_soon();
    }
    user_seen_ = true;
    seen_uid_ = uid;
}

// The kernel tells nobody that a limit was raised. It is read with every look at the facts, twice a
// second while a fault is raised.
void Components::retry_when_limits_change(bool refused) {
    const std::array limits{number_in(*host_root_, "proc/sys/fs/fanotify/max_user_groups"),
                            number_in(*host_root_, "proc/sys/fs/fanotify/max_user_marks")};
    if (std::exchange(seen_limits_, limits) != limits && refused) {
        monitor_->refresh();
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
        if (can_store(paths_.quarantine)) {
            responder_->vault_works_again();
            // What was found meanwhile and could not be put away is looked for again.
            walker_->catch_up(trouble->since - std::chrono::seconds{2});
        } else {
            storage.vault_ok = false;
            storage.vault_error = trouble->error;
            storage.vault_error_number = number_of(trouble->error);
        }
    }
    const auto sink = sink_->state();
    storage.events_file = paths_.events.native();
    storage.events_file_ok = sink.error.empty() || !journal.ok;
    storage.events_file_error = sink.error;
    storage.events_file_error_number = sink.error_number;
    storage.events_file_lost_at = sink.renewed_at;
}

void Components::note_crash(const scan::ScanService::Loss& loss) {
    {
        const std::scoped_lock lock(crashes_mutex_);
        crashes_.push_back({.at = BootClock::now(),
                            .wall = clock_.wall(),
                            .how = loss.how,
                            .path = loss.path,
                            .sha256 = loss.content,
                            .size = loss.size});
        if (crashes_.size() > kMostCrashes) {
            crashes_.pop_front();
        }
    }
    if (health_) {
        health_->poke();
    }
}

// The next load starts an engine also where the files are the same.
void Components::forget_loading() {
    const std::scoped_lock lock(definitions_mutex_);
    loading_generation_.clear();
}

void Components::reload_engine() {
    forget_loading();
    load_definitions();
}

// On the repairing thread.
std::string Components::repair(health::Heal action, const Episode& episode) {
    switch (action) {
        case health::Heal::None:
            return "there is no repair";
        case health::Heal::RestoreAccess:
            return heal({.programs = options_.programs,
                         .verb = "restore-access",
                         .prefix = options_.prefix});
        case health::Heal::CreateScanUser: {
            if (!host_root_->is_live()) {
                return "accounts of another root are not touched";
            }
            auto result =
                heal({.programs = options_.programs, .verb = "create-scan-user", .prefix = {}});
            const std::scoped_lock lock(creation_mutex_);
            creation_error_ = result;
            return result;
        }
        case health::Heal::SetDefinitionsAside:
            return set_definitions_aside();
        case health::Heal::RetryLoad:
            reload_engine();
            return {};
        case health::Heal::RetryFileMonitor:
            monitor_->refresh();
            return {};
        case health::Heal::RetryKernelMonitor:
            kernel_->retry();
            return {};
    }
    return "no repair for " + episode.cause + " in this version";
}

std::string Components::set_definitions_aside() {
    std::string generation;
    std::string file;
    std::string message;
    {
        const std::scoped_lock lock(definitions_mutex_);
        if (!load_failure_ || load_failure_->file.empty()) {
            return "the engine did not name the file that does not load";
        }
        generation = failed_generation_;
        file = load_failure_->file;
        message = load_failure_->message;
    }
    const auto aside = definitions::set_aside(paths_.definitions, generation, file, message);
    if (!aside) {
        return aside.error().message();
    }
    reporter_->service(ServiceAction::DefinitionsRejected,
                       Severity::Major,
                       fmt::format("definition file {} set aside in {}: {}",
                                   printable(file),
                                   printable(aside->native()),
                                   printable(message)),
                       {{"file", utf8_lossy(file)}, {"set_aside", utf8_lossy(aside->native())}});
    reload_engine();
    return {};
}

}  // namespace vigia::daemon
