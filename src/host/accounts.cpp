// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/accounts.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <utility>

namespace vigia::host {
namespace {

constexpr std::size_t kMaxFile = std::size_t{16} * 1024 * 1024;  // some have 100,000 accounts
constexpr std::size_t kMaxMembers = 65'536;

// The fields of a line; nothing unless there are exactly that many.
template <std::size_t kCount>
bool split(std::string_view line, std::array<std::string_view, kCount>& fields) {
    if (static_cast<std::size_t>(std::ranges::count(line, ':')) != kCount - 1) {
        return false;
    }
    for (auto& field : fields) {
        field = take_until(line, ':');
    }
    return true;
}

bool is_entry_name(std::string_view name) {
    return !name.empty() && name.front() != '+' && name.front() != '-' && name.front() != '#';
}

template <typename Value>
Fact<Value> unknown_from(const Error& error, std::string_view path) {
    return Fact<Value>::unknown(error.message(), "/" + std::string(path));
}

void find_user(const Root& root, ScanUserFacts& facts) {
    using Names = std::vector<std::string>;
    constexpr std::string_view kFile = "etc/passwd";
    const auto text = root.read(kFile, kMaxFile);
    if (!text) {
        facts.users = unknown_from<std::vector<Account>>(text.error(), kFile);
        facts.uid_shared_with = unknown_from<Names>(text.error(), kFile);
        return;
    }
    const std::string source = "/" + std::string(kFile);
    const auto all = parse_passwd(*text);
    if (all.empty()) {
        // Every system has root: a file without any account is damaged, and says nothing.
        facts.users = Fact<std::vector<Account>>::unknown("it has no account at all", source);
        facts.uid_shared_with = Fact<Names>::unknown("it has no account at all", source);
        return;
    }
    std::vector<Account> ours;
    std::ranges::copy_if(all, std::back_inserter(ours), [&](const Account& account) {
        return account.name == facts.name;
    });
    Names others;
    for (const auto& account : all) {
        if (!ours.empty() && account.uid == ours.front().uid && account.name != facts.name) {
            others.push_back(account.name);
        }
    }
    facts.users = Fact<std::vector<Account>>::known(std::move(ours), source);
    facts.uid_shared_with = Fact<Names>::known(std::move(others), source);
}

void find_groups(const Root& root, ScanUserFacts& facts) {
    using Names = std::vector<std::string>;
    constexpr std::string_view kFile = "etc/group";
    const auto text = root.read(kFile, kMaxFile);
    if (!text) {
        facts.groups = unknown_from<std::vector<AccountGroup>>(text.error(), kFile);
        facts.supplementary = unknown_from<Names>(text.error(), kFile);
        return;
    }
    const std::string source = "/" + std::string(kFile);
    const auto all = parse_group(*text);
    if (all.empty()) {
        facts.groups = Fact<std::vector<AccountGroup>>::unknown("it has no group at all", source);
        facts.supplementary = Fact<Names>::unknown("it has no group at all", source);
        return;
    }
    std::vector<AccountGroup> ours;
    Names supplementary;
    for (const auto& group : all) {
        if (group.name == facts.name) {
            ours.push_back(group);
        } else if (holds(group.members, facts.name)) {
            supplementary.push_back(group.name);
        }
    }
    facts.groups = Fact<std::vector<AccountGroup>>::known(std::move(ours), source);
    facts.supplementary = Fact<Names>::known(std::move(supplementary), source);
}

bool is_login_shell(std::string_view shell) {
    // passwd(5): an empty field is /bin/sh.
    const auto name = shell.substr(shell.find_last_of('/') + 1);
    return name != "nologin" && name != "false";
}

std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    return parse_number(text, value) ? std::optional(value) : std::nullopt;
}

std::optional<bool> yes_or_no(std::string_view text) {
    // Quotes and case as shadow's own tools take them.
    std::string word;
    for (const char c : text) {
        if (c != '"') {
            word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return word == "yes" ? std::optional(true) : word == "no" ? std::optional(false) : std::nullopt;
}

}  // namespace

std::vector<Account> parse_passwd(std::string_view text) {
    std::vector<Account> accounts;
    while (!text.empty()) {
        std::array<std::string_view, 7> fields;
        Account account;
        if (split(take_line(text), fields) && is_entry_name(fields[0]) &&
            parse_number(fields[2], account.uid) && parse_number(fields[3], account.gid)) {
            account.name = fields[0];
            account.home = fields[5];
            account.shell = fields[6];
            accounts.push_back(std::move(account));
        }
    }
    return accounts;
}

std::vector<AccountGroup> parse_group(std::string_view text) {
    std::vector<AccountGroup> groups;
    std::size_t members = 0;
    while (!text.empty()) {
        std::array<std::string_view, 4> fields;
        AccountGroup group;
        if (!split(take_line(text), fields) || !is_entry_name(fields[0]) ||
            !parse_number(fields[2], group.gid)) {
            continue;
        }
        group.name = fields[0];
        while (!fields[3].empty() && members < kMaxMembers) {
            group.members.emplace_back(trim(take_until(fields[3], ',')));
            ++members;
        }
        groups.push_back(std::move(group));
    }
    return groups;
}

Parsed<PasswordState> parse_shadow(std::string_view text, std::string_view user) {
    while (!text.empty()) {
        auto line = take_line(text);
        if (take_until(line, ':') != user) {
            continue;
        }
        const auto password = take_until(line, ':');
        if (password.empty()) {
            return PasswordState::Empty;
        }
        // shadow(5): a field that no hash can be equal to locks it.
        const bool locked = password.front() == '!' || password.front() == '*';
        return locked ? PasswordState::Locked : PasswordState::Set;
    }
    return std::unexpected("it has no entry for that user");
}

LoginDefs parse_login_defs(std::string_view text) {
    LoginDefs defs;
    while (!text.empty()) {
        auto line = take_line(text);
        const auto name = take_word(line);
        const auto value = take_word(line);
        if (name == "USERGROUPS_ENAB") {
            defs.usergroups_enab = yes_or_no(value);
        } else if (name == "UID_MIN") {
            defs.uid_min = number(value);
        } else if (name == "SYS_UID_MIN") {
            defs.sys_uid_min = number(value);
        } else if (name == "SYS_UID_MAX") {
            defs.sys_uid_max = number(value);
        } else if (name == "SYS_GID_MIN") {
            defs.sys_gid_min = number(value);
        } else if (name == "SYS_GID_MAX") {
            defs.sys_gid_max = number(value);
        }
    }
    return defs;
}

ScanUserFacts scan_user(const Root& root, const std::string& name) {
    ScanUserFacts facts{.name = name};
    find_user(root, facts);
    find_groups(root, facts);
    facts.password =
        fact_from<PasswordState>(root, "etc/shadow", kMaxFile, [&](std::string_view text) {
            return parse_shadow(text, name);
        });
    return facts;
}

Fact<LoginDefs> login_defs(const Root& root) {
    return fact_from<LoginDefs>(
        root, "etc/login.defs", 1'048'576, [](std::string_view text) -> Parsed<LoginDefs> {
            return parse_login_defs(text);
        });
}

std::vector<std::string> misconfigurations(const ScanUserFacts& facts) {
    std::vector<std::string> wrong;
    const auto note = [&](bool holds, const char* what) {
        if (holds) {
            wrong.emplace_back(what);
        }
    };
    if (facts.users.is_known() && !facts.users->empty()) {
        const auto& user = facts.users->front();
        note(std::ranges::any_of(*facts.users, [](const auto& one) { return one.uid == 0; }),
             "uid-0");
        note(facts.users->size() > 1, "duplicate-user");
        note(std::ranges::any_of(*facts.users,
                                 [](const auto& one) { return is_login_shell(one.shell); }),
             "login-shell");
        note(facts.groups.is_known() && !facts.groups->empty() &&
                 facts.groups->front().gid != user.gid,
             "other-primary-group");
    }
    note(facts.uid_shared_with.is_known() && !facts.uid_shared_with->empty(), "uid-shared");
    note(facts.groups.is_known() && facts.groups->size() > 1, "duplicate-group");
    note(facts.supplementary.is_known() && !facts.supplementary->empty(), "supplementary-groups");
    note(facts.password.is_known() && *facts.password != PasswordState::Locked, "password");
    return wrong;
}

}  // namespace vigia::host
