// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/paths.h"

#include <grp.h>

#include <array>

#include "base/files.h"

namespace vigia::daemon {
namespace {

gid_t log_group() {
    std::array<char, 4096> buffer{};
    group entry{};
    group* found = nullptr;
    ::getgrnam_r("adm", &entry, buffer.data(), buffer.size(), &found);
    return found == nullptr ? 0 : found->gr_gid;
}

Result<> ensure_unless_read_only(const std::filesystem::path& folder, mode_t mode) {
    auto made = ensure_folder(folder, mode);
    return made || made.error().code != std::errc::read_only_file_system ? made : Result<>{};
}

}  // namespace

Paths Paths::under(const std::filesystem::path& prefix) {
    const auto root = prefix.empty() ? std::filesystem::path("/")
                                     : std::filesystem::absolute(prefix).lexically_normal();
    const auto state = root / "var/lib/vigia";
    const auto logs = root / "var/log/vigia";
    const auto run = root / "run/vigia";
    return {.policy = root / "etc/vigia/policy.toml",
            .last_policy = state / "policy.last-good.toml",
            .state = state,
            .definitions = state / "definitions",
            .journal = state / "journal.db",
            .cache = state / "cache.db",
            .quarantine = state / "quarantine",
            .logs = logs,
            .events = logs / "events.jsonl",
            .run = run,
            .status_socket = run / "status.sock",
            .control_socket = run / "control.sock",
            .stand_in = run / "definitions",
            .pid_file = run / "vigiad.pid"};
}

Result<> Paths::create() const {
    TRY(ensure_folder(policy.parent_path(), 0755));
    TRY(ensure_unless_read_only(state, 0755));
    TRY(ensure_unless_read_only(definitions, 0755));
    TRY(ensure_unless_read_only(quarantine, 0700));
    TRY(ensure_unless_read_only(state / "canary", 0755));
    TRY(ensure_folder(logs, 0750, 0, log_group()));
    TRY(ensure_folder(run, 0755));
    return {};
}

std::vector<std::string> Paths::own_folders() const {
    return {state.native(), logs.native(), run.native()};
}

}  // namespace vigia::daemon
