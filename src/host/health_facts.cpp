// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/health_facts.h"

#include <algorithm>

#include "host/accounts.h"
#include "host/remedy_facts.h"

namespace vigia::host {
namespace {

template <typename T>
Fact<bool> is_there(const Fact<std::vector<T>>& entries) {
    return entries.is_known() ? Fact<bool>::known(!entries->empty(), entries.source)
                              : Fact<bool>::unknown(entries.why_unknown, entries.source);
}

Facts::WrongAccess wrong_access(const PathDeviation& deviation) {
    Facts::WrongAccess wrong{.path = deviation.path,
                             .expected = {.mode = deviation.expected.mode,
                                          .uid = deviation.expected.uid,
                                          .gid = deviation.expected.gid}};
    if (deviation.found) {
        wrong.found = Facts::Access{.mode = deviation.found->mode,
                                    .uid = deviation.found->uid,
                                    .gid = deviation.found->gid};
    }
    return wrong;
}

}  // namespace

void describe_scan_user(const HostFacts& host, Facts& facts) {
    auto& user = facts.scan_user;
    user.name = host.scan_user.name;
    user.user_exists = is_there(host.scan_user.users);
    user.group_exists = is_there(host.scan_user.groups);
    user.misconfigured = misconfigurations(host.scan_user);
    if (host.scan_user.users.is_known() && !host.scan_user.users->empty()) {
        user.shell = host.scan_user.users->front().shell;
        user.uid = host.scan_user.users->front().uid;
    }
    const auto& defs = host.login_defs;
    if (defs.is_known() && defs->usergroups_enab) {
        user.usergroups_enab = *defs->usergroups_enab ? "yes" : "no";
    }
    user.wrong_access.clear();
    std::ranges::transform(
        host.own_paths.wrong, std::back_inserter(user.wrong_access), wrong_access);
    user.create_command.clear();
    for (const auto& command : scan_user_commands(host, false)) {
        user.create_command += (user.create_command.empty() ? "" : " && ") + command;
    }
}

}  // namespace vigia::host
