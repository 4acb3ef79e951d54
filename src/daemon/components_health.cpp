// SPDX-License-Identifier: GPL-2.0-or-later
// What makes the fault engine look, what is done at once without it, and the repairs it may ask
// for.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/log.h"
#include "daemon/components.h"
#include "daemon/heal_client.h"
#include "health/repairs.h"
#include "host/accounts.h"
#include "host/memory.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kGroupLimitBytes = 64;

std::uint64_t number_in(const host::Root& root, const char* path) {
    const auto text = root.read(path, kGroupLimitBytes);
    return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
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
    installed_root_ = TRY(host::Root::open("/"), "open the root of the system");
    installation_.emplace(
        std::filesystem::absolute(options_.programs).lexically_normal().relative_path().native());
    {
        const std::scoped_lock lock(poke_mutex_);
        poked_ = health_.get();
    }
    host_watch_ = TRY(HostWatch::create(loop_, host_places()), "watch the host");
    // Parts fail on threads that have better things to do than to tell: a look at what they note
    // costs nothing, and a fault is to be told within a second. (The loop calls a copy of what it
    // was given: what is kept between calls lies elsewhere.)
    constexpr std::chrono::milliseconds kLook{500};
    const auto seen = std::make_shared<std::string>();
    sources_.push_back(TRY(loop_.every(kLook, [this, seen] {
        overload_->look();
        if (auto now = signs_of_trouble(); now != *seen) {
            *seen = std::move(now);
            poke_health();
        }
    })));
    health_->start();
    return {};
}

// What a change of asks for another look at the faults.
std::vector<HostWatch::Place> Components::host_places() {
    const auto poke = [this] { poke_health(); };
    std::vector<HostWatch::Place> places{
        {.folder = (options_.sysroot / "etc").lexically_normal().native(),
         .names = {"passwd", "group", "shadow", "login.defs"},
         .content = true,
         .changed = poke}};
    // Headers and SELinux's rules may be what our programs wait for.
    const auto retry = [this] {
        kernel_->retry();
        poke_health();
    };
    for (const char* folder : {"sys/fs/selinux", "etc/selinux", "usr/src", "lib/modules"}) {
        places.push_back({.folder = (options_.sysroot / folder).lexically_normal().native(),
                          .content = true,
                          .changed = retry});
    }
    for (const char* folder : {"/usr/sbin", "/usr/bin", "/usr/lib/systemd/system"}) {
        places.push_back({.folder = folder,
                          .names = {"vigiad", "vigia", "vigiad.service", "vigia-heal@.service"},
                          .content = true,
                          .changed = poke});
    }
    places.push_back({.folder = options_.programs.native(), .content = true, .changed = poke});
    for (const auto& folder : {paths_.policy.parent_path(),
                               paths_.state,
                               paths_.definitions,
                               paths_.quarantine,
                               paths_.logs,
                               paths_.run}) {
        places.push_back({.folder = folder.native(), .changed = poke});
    }
    return places;
}

// Whatever the facts of storage and file monitor rest on and nobody tells of, as one text.
std::string Components::signs_of_trouble() const {
    const auto journal = journal_->state();
    const auto events = sink_->state();
    const auto monitor = monitor_->state();
    auto signs = fmt::format("{} {} {} {} {} {} {} {} {} {} {}",
                             journal.ok,
                             journal.epoch,
                             events.error_number,
                             events.renewed_at ? events.renewed_at->time_since_epoch().count() : 0,
                             responder_->vault_trouble().has_value(),
                             definitions_->refused().has_value(),
                             monitor.wanted,
                             monitor.refused.has_value(),
                             monitor.applied,
                             monitor.sensor.reading,
                             monitor.sensor.error);
    for (const auto& place : monitor.sensor.places) {
        if (place.state == "unwatched") {
            signs += " " + place.path;
        }
    }
    for (const auto& outlet : outlet_facts()) {
        signs += " " + outlet.name + " " + outlet.error;
    }
    return signs;
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

// A limit that was raised is a reason to try at once; what memory others give back is found by the
// retries.
void Components::retry_when_memory_grows(Facts& facts) {
    auto& scan = facts.scan;
    if (scan.load_cause != "out-of-memory" && scan.load_cause != "killed-or-out-of-memory") {
        seen_memory_.reset();
        return;
    }
    const auto memory = host::memory(*host_root_);
    scan.memory_available = memory.usable.is_known() ? *memory.usable : 0;
    const auto before = std::exchange(seen_memory_, scan.memory_available);
    if (before && scan.memory_available > *before) {
        log::info(fmt::format("{} bytes of memory instead of {}: definitions are loaded again",
                              scan.memory_available,
                              *before));
        definitions_->forget();
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
        definitions_->forget();
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

std::string Components::note_crash(const scan::ScanService::Loss& loss) {
    return crashes_.note({.at = BootClock::now(),
                          .wall = clock_.wall(),
                          .how = loss.how,
                          .path = loss.path,
                          .sha256 = loss.content,
                          .size = loss.size});
}

// Any thread, at any time: parts tell of themselves before the fault engine is there and until it
// is gone.
void Components::poke_health() {
    const std::scoped_lock lock(poke_mutex_);
    if (poked_ != nullptr) {
        poked_->poke();
    }
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
            return definitions_->set_rejected_aside();
        case health::Heal::RetryLoad:
            definitions_->forget();
            definitions_->load();
            return {};
        case health::Heal::InstallHeaders:
        case health::Heal::InstallSelinuxModule: {
            if (!host_root_->is_live()) {
                return "nothing is installed into another root";
            }
            constexpr std::chrono::minutes kLongestInstall{10};
            return heal({.programs = options_.programs,
                         .verb = std::string(health::name_of(action)),
                         .prefix = {},
                         .patience = kLongestInstall});
        }
        case health::Heal::RetryFileMonitor:
            monitor_->refresh();
            return {};
        case health::Heal::RetryKernelMonitor:
            kernel_->retry();
            return {};
    }
    return "no repair for " + episode.cause + " in this version";
}

}  // namespace vigia::daemon
